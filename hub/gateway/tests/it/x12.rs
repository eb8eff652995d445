//! X12 over HTTP: claims, questions about cover and about how claims stand, each answered in its own transaction.

use reqwest::Method;

use crate::hub::{Answer, Hub, OTHER_PROVIDER, PROVIDER};

const CLAIMS: &str =
    include_str!("../../../../adapters/formats/samples/x12/claims-houston-professional.x12");
const QUESTIONS: &str =
    include_str!("../../../../adapters/formats/samples/x12/eligibility-and-review.x12");
const INQUIRE: &str = "/v1/messages/$inquire";

/// A 276 that asks by one reference.
fn question(reference: &str) -> String {
    let head = "ISA*00*          *00*          *ZZ*BAYOUORTHO     *ZZ*TAKMIL         *261118*0915*^*00501*000000072*1*T*:~\
        GS*HR*BAYOUORTHO*TAKMIL*20261118*0915*72*X*005010X212~ST*276*0001*005010X212~BHT*0010*13*ASK72*20261118*0915~\
        HL*1**20*1~NM1*PR*2*GULF COAST SUPPLEMENTAL*****PI*GULF01~HL*2*1*21*1~NM1*41*2*BAYOU ORTHOPEDICS*****46*BAYOUORTHO~\
        HL*3*2*19*1~NM1*1P*2*BAYOU ORTHOPEDICS*****XX*1234567893~HL*4*3*22*0~NM1*IL*1*TEHRANI*REZA****MI*W918273645~";
    format!("{head}TRN*1*T-1~{reference}~SE*13*0001~GE*1*72~IEA*1*000000072~")
}

async fn send(hub: &Hub, participant: &str, path: &str, body: &str) -> Answer {
    let bearer = format!("Bearer {}", hub.place.key(participant));
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/edi-x12"),
    ];
    hub.raw(Method::POST, path, &headers, body.to_owned()).await
}

/// An element of the first segment that starts so.
fn element<'a>(text: &'a str, start: &str, number: usize) -> Option<&'a str> {
    let segment = text
        .split('~')
        .map(str::trim)
        .find(|one| one.starts_with(start));
    segment?.split('*').nth(number)
}

#[tokio::test]
async fn a_claim_is_sent_and_asked_about_and_each_is_answered_in_x12() {
    let hub = Hub::start("");
    let sent = send(&hub, PROVIDER, "/v1/messages", CLAIMS).await;
    assert!(
        sent.text.contains("ST*999*") && sent.text.contains("ST*277*"),
        "{}",
        sent.text
    );
    let id = element(&sent.text, "REF*1K", 2).unwrap().to_owned();

    for reference in ["REF*EJ*CLM-000918".to_owned(), format!("REF*1K*{id}")] {
        let told = send(&hub, PROVIDER, INQUIRE, &question(&reference)).await;
        assert_eq!(told.status.as_u16(), 200, "{}", told.text);
        assert!(told.text.contains("IK5*A~"), "{}", told.text);
        assert_eq!(
            element(&told.text, "REF*1K", 2),
            Some(id.as_str()),
            "{}",
            told.text
        );
        assert_eq!(element(&told.text, "REF*EJ", 2), Some("CLM-000918"));
        assert_eq!(element(&told.text, "STC", 1), element(&sent.text, "STC", 1));
    }
    // What others sent is nobody else's to know, and what nobody sent is not found.
    for (sender, reference) in [
        (OTHER_PROVIDER, "REF*EJ*CLM-000918"),
        (PROVIDER, "REF*EJ*CLM-1"),
    ] {
        let told = send(&hub, sender, INQUIRE, &question(reference)).await;
        assert_eq!(
            element(&told.text, "STC", 1),
            Some("D0:35"),
            "{}",
            told.text
        );
    }

    let told = send(&hub, PROVIDER, "/v1/messages", QUESTIONS).await;
    assert!(told.text.contains("ST|271|"), "{}", told.text);
    // Each address takes what it is for, and says so in X12.
    let told = send(
        &hub,
        PROVIDER,
        "/v1/messages",
        &question("REF*EJ*CLM-000918"),
    )
    .await;
    assert!(told.text.contains("IK5*R*1~"), "{}", told.text);
    let told = send(&hub, PROVIDER, INQUIRE, CLAIMS).await;
    assert!(told.text.contains("IK5*R*1~"), "{}", told.text);
    let told = send(&hub, PROVIDER, INQUIRE, "ISA").await;
    assert!(told.text.contains("TA1*"), "{}", told.text);
}
