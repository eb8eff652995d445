//! What an insurer decides wrong over gRPC: each decision has a result of its own, with its place, the stream goes on, and
//! nothing has an effect, or has it twice.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use takmil_conformance::insurer::{HubClient, Manner, Script, Setup, Simulator, Wire};
use takmil_proto::v1;
use takmil_proto::v1::AnswerState;
use takmil_proto::v1::submit_decisions_response::Result as Outcome;

use crate::hub::{Caller, Hub, INSURER, OTHER_INSURER, PROVIDER, bill, claim};
use crate::participants::{operator, put};
use crate::sandbox::Sandbox;
use crate::schemas::conforms;

const NOBODYS: &str = "01a2060e-d101-7af6-a5c4-d6b472e06398";

/// How long a call may take before the test fails: a stream that hangs is to be told.
const PATIENCE: Duration = Duration::from_secs(30);

/// A hub's partner port, and those who call there with certificates.
struct Parties {
    sandbox: Sandbox,
    hub: Hub,
    clinic: Caller,
    /// The insurer's systems: over REST, and over gRPC.
    system: Caller,
    insurer: HubClient,
}

impl Parties {
    fn new() -> Parties {
        let sandbox = Sandbox::new();
        let hub = sandbox.hub();
        let clinic = sandbox.member(&hub, PROVIDER);
        let insurer = sandbox.member(&hub, INSURER);
        Parties {
            clinic: sandbox.caller(&hub, &clinic),
            system: sandbox.caller(&hub, &insurer),
            insurer: sandbox.insurer(&hub, &insurer),
            sandbox,
            hub,
        }
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        send(&self.clinic, path, body).await
    }

    /// Sends a claim, and gives its id and what the insurer owes for it.
    async fn claim(&self, number: &str) -> (String, i64) {
        let sent = self.post("/v1/claims", &claim(number, "MA-2001")).await;
        let owed = &sent["decision"]["totals"]["supplementary"][0];
        assert_eq!(owed[0], json!(INSURER));
        (text(&sent["id"]), owed[1].as_i64().unwrap())
    }

    /// Sends what waits for the insurer, and gives its id.
    async fn pended(&self, number: &str) -> String {
        let mut message = claim(number, "MA-2001");
        message["kind"] = json!("preauthorization");
        message["preauthorization"] = json!({"bill": bill("NS110", 700_000)});
        message.as_object_mut().unwrap().remove("claim");
        let sent = self.post("/v1/preauthorizations", &message).await;
        assert_eq!(sent["state"], json!("pended"), "{sent}");
        text(&sent["id"])
    }

    async fn get(&self, path: &str) -> Value {
        self.clinic.raw(Method::GET, path, &[], "").await.ok()
    }

    /// What the provider was answered last.
    async fn answer(&self, message: &str) -> Value {
        let way = self.get(&format!("/v1/messages/{message}")).await;
        way["answer"].clone()
    }

    /// What is owed for a claim: incurred, confirmed, open.
    async fn sums(&self, message: &str) -> [i64; 3] {
        let page = self.get(&format!("/v1/dues?message={message}")).await;
        let due = &page["dues"][0];
        ["incurred", "confirmed", "open"].map(|sum| due[sum].as_i64().unwrap())
    }
}

async fn send(caller: &Caller, path: &str, body: &Value) -> Value {
    let sent = caller.raw(Method::POST, path, &[], body.to_string()).await;
    sent.ok()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// What each decision came to, in their order.
async fn submit(insurer: &HubClient, decisions: Vec<v1::InsurerDecision>) -> Vec<Outcome> {
    let named: Vec<_> = decisions.iter().map(|own| own.message_id.clone()).collect();
    let submitted = insurer.submit_decisions(decisions);
    let results = tokio::time::timeout(PATIENCE, submitted).await;
    let results = results.expect("the stream ends").unwrap();
    assert_eq!(results.len(), named.len());
    let told = (1..).zip(named).zip(results);
    let outcome = |((row, named), told): ((u64, String), v1::SubmitDecisionsResponse)| {
        assert_eq!((told.row, told.message_id), (row, named));
        told.result.unwrap()
    };
    told.map(outcome).collect()
}

/// What one decision came to.
async fn say(insurer: &HubClient, decision: v1::InsurerDecision) -> Outcome {
    submit(insurer, vec![decision]).await.remove(0)
}

fn taken(outcome: Outcome) -> v1::DecisionTaken {
    match outcome {
        Outcome::Taken(taken) => taken,
        Outcome::Problem(problem) => panic!("{problem:?}"),
    }
}

/// The code of what is wrong, and its place.
fn refused(outcome: Outcome) -> (String, String) {
    match outcome {
        Outcome::Problem(problem) => (problem.code, problem.pointer),
        Outcome::Taken(taken) => panic!("{taken:?}"),
    }
}

fn money(units: i64, currency: &str) -> Option<v1::Money> {
    let currency_code = currency.to_owned();
    Some(v1::Money {
        units,
        currency_code,
    })
}

fn line(seq: u32, units: i64, currency: &str) -> v1::DecidedLine {
    v1::DecidedLine {
        seq,
        amount: money(units, currency),
        ..v1::DecidedLine::default()
    }
}

/// A decision of the insurer: what it pays of each line, where it says so.
fn decision(
    message: &str,
    reference: &str,
    verdict: v1::Verdict,
    lines: Vec<v1::DecidedLine>,
) -> v1::InsurerDecision {
    v1::InsurerDecision {
        message_id: message.to_owned(),
        reference: reference.to_owned(),
        verdict: verdict.into(),
        lines,
        ..v1::InsurerDecision::default()
    }
}

/// A decision that pays so much of the first line.
fn adjust(message: &str, reference: &str, units: i64) -> v1::InsurerDecision {
    let lines = vec![line(1, units, "MAD")];
    decision(message, reference, v1::Verdict::Adjust, lines)
}

fn times(page: &Value) -> usize {
    let faults = page["faults"].as_array().unwrap().iter();
    let times = faults.map(|own| own["times"].as_u64().unwrap());
    usize::try_from(times.sum::<u64>()).unwrap()
}

/// The insurer's faults, when there are as many as are expected.
async fn faults(caller: &Caller, expected: usize) -> Value {
    let mut page = Value::Null;
    for _ in 0..100 {
        let asked = caller.raw(Method::GET, "/v1/insurer-faults?limit=1000", &[], "");
        page = asked.await.ok();
        if times(&page) >= expected {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    conforms("insurer_fault_page", &page);
    assert_eq!(times(&page), expected, "{page}");
    page
}

#[tokio::test]
async fn each_wrong_decision_is_told_with_its_place_and_the_stream_goes_on() {
    use v1::Verdict::{Adjust, Approve, Ask, Refuse, Unspecified};
    let parties = Parties::new();
    let waits = parties.pended("B-1").await;
    let before = parties.answer(&waits).await;
    let own = |verdict, lines| decision(&waits, "R-1", verdict, lines);
    let good = line(1, 100, "MAD");
    let unknown_verdict = v1::InsurerDecision {
        verdict: 99,
        ..own(Approve, Vec::new())
    };
    let wrong_sum = v1::InsurerDecision {
        total: money(101, "MAD"),
        ..own(Adjust, vec![good.clone()])
    };
    let no_amount = v1::DecidedLine {
        amount: None,
        ..good.clone()
    };
    let of_none = v1::DecidedLine {
        quantity: "-1".to_owned(),
        ..good.clone()
    };
    let no_day = v1::InsurerDecision {
        valid_until: "2026-02-30".to_owned(),
        ..own(Approve, Vec::new())
    };
    let table = [
        (adjust(NOBODYS, "R-1", 100), "API-NOT-FOUND", ""),
        (
            adjust("nonsense", "R-1", 100),
            "VAL-IDENTIFIER",
            "/message_id",
        ),
        (adjust(&waits, "", 100), "VAL-MISSING", "/reference"),
        (own(Unspecified, Vec::new()), "VAL-MISSING", "/verdict"),
        (unknown_verdict, "VAL-VALUE", "/verdict"),
        (own(Ask, Vec::new()), "VAL-MISSING", "/note"),
        (own(Adjust, Vec::new()), "VAL-MISSING", "/lines"),
        (
            own(Approve, vec![good.clone()]),
            "VAL-CARDINALITY",
            "/lines",
        ),
        (
            own(Refuse, vec![good.clone()]),
            "VAL-VALUE",
            "/lines/0/amount",
        ),
        (wrong_sum, "VAL-VALUE", "/total"),
        (
            own(Adjust, vec![no_amount]),
            "VAL-MISSING",
            "/lines/0/amount",
        ),
        (own(Adjust, vec![of_none]), "VAL-VALUE", "/lines/0/quantity"),
        (
            own(Adjust, vec![line(1, -1, "MAD")]),
            "VAL-NEGATIVE",
            "/lines/0/amount",
        ),
        (
            own(Adjust, vec![line(1, 700_001, "MAD")]),
            "VAL-RANGE",
            "/lines/0/amount",
        ),
        (
            own(Adjust, vec![line(1, i64::MAX, "MAD")]),
            "VAL-RANGE",
            "/lines/0/amount/units",
        ),
        (
            own(Adjust, vec![line(9, 100, "MAD")]),
            "VAL-REFERENCE",
            "/lines/0/seq",
        ),
        (
            own(Adjust, vec![good.clone(), good.clone()]),
            "VAL-SEQUENCE",
            "/lines/1/seq",
        ),
        (
            own(Adjust, vec![line(1, 100, "IRR")]),
            "VAL-CURRENCY-MIXED",
            "/currency",
        ),
        (
            own(Adjust, vec![good.clone(), line(2, 1, "IRR")]),
            "VAL-CURRENCY-MIXED",
            "/lines/1/amount/currency_code",
        ),
        (
            own(Adjust, vec![line(1, 100, "no")]),
            "VAL-CURRENCY",
            "/lines/0/amount/currency_code",
        ),
        (no_day, "VAL-DATE", "/valid_until"),
    ];
    let expected: Vec<_> = table
        .iter()
        .map(|(_, code, pointer)| ((*code).to_owned(), (*pointer).to_owned()))
        .collect();
    let wrong = table.map(|(decision, ..)| decision).to_vec();
    let results = submit(&parties.insurer, wrong.clone()).await;
    let told: Vec<_> = results.into_iter().map(refused).collect();
    assert_eq!(told, expected);
    assert_eq!(parties.answer(&waits).await, before, "none had an effect");

    // Among wrong ones a sound one counts, though they have the same reference.
    let mut mixed = wrong.clone();
    mixed.push(adjust(&waits, "R-1", 100_000));
    let last = submit(&parties.insurer, mixed).await.pop().unwrap();
    let last = taken(last);
    assert_eq!((last.state(), last.repeated), (AnswerState::Decided, false));
    let page = faults(&parties.system, 2 * wrong.len()).await;
    for (code, _) in &expected {
        let mut own = page["faults"].as_array().unwrap().iter();
        assert!(own.any(|own| own["code"] == json!(code)), "{code} {page}");
    }

    // Another insurer's certificate opens nothing of this one's, not even that there is such a message.
    let (other_waits, other) = (
        parties.pended("B-2").await,
        parties.sandbox.member(&parties.hub, OTHER_INSURER),
    );
    let stranger = parties.sandbox.insurer(&parties.hub, &other);
    let before = parties.answer(&other_waits).await;
    let told = refused(say(&stranger, adjust(&other_waits, "R-1", 100)).await);
    assert_eq!(told, ("API-NOT-FOUND".to_owned(), String::new()));
    assert_eq!(parties.answer(&other_waits).await, before);
    faults(&parties.sandbox.caller(&parties.hub, &other), 1).await;
    faults(&parties.system, 2 * wrong.len()).await;
}

#[tokio::test]
async fn a_decision_that_comes_again_counts_once_and_its_reference_names_nothing_else() {
    let parties = Parties::new();
    let waits = parties.pended("B-1").await;
    // Twenty times at once, then in another stream.
    let sound = adjust(&waits, "R-1", 100_000);
    let results = submit(&parties.insurer, vec![sound.clone(); 20]).await;
    let repeated: Vec<_> = results.into_iter().map(|own| taken(own).repeated).collect();
    let expected: Vec<_> = (0..20).map(|row| row > 0).collect();
    assert_eq!(repeated, expected);
    let decided = parties.answer(&waits).await;
    assert_eq!(decided["decision"]["decided_by"], json!("insurer"));
    assert_eq!(
        decided["decision"]["totals"]["supplementary"],
        json!([[INSURER, 100_000]])
    );
    assert!(taken(say(&parties.insurer, sound).await).repeated);
    // The same reference with another content: of the same message.
    let told = refused(say(&parties.insurer, adjust(&waits, "R-1", 99_999)).await);
    assert_eq!(told.0, "API-CHANGED");
    let refusal = decision(&waits, "R-1", v1::Verdict::Refuse, Vec::new());
    assert_eq!(
        refused(say(&parties.insurer, refusal).await).0,
        "API-CHANGED"
    );
    assert_eq!(parties.answer(&waits).await, decided);
    faults(&parties.system, 2).await;
}

#[tokio::test]
async fn a_decision_on_what_is_settled_or_taken_back_moves_no_money() {
    let parties = Parties::new();
    let (settled, owed) = parties.claim("B-1").await;
    let notice = json!({
        "reference": "P-1", "provider": PROVIDER, "currency": "MAD", "amount": owed, "paid_on": "2026-03-31",
    });
    let paid = send(&parties.system, "/v1/payments", &notice).await;
    let confirm = format!("/v1/payments/{}/confirm", text(&paid["payment"]));
    parties.post(&confirm, &json!({})).await;
    let (cancelled, _) = parties.claim("B-2").await;
    let cancel = format!("/v1/claims/{cancelled}/cancel");
    parties.post(&cancel, &json!({})).await;
    let rows = [
        (&settled, AnswerState::Paid, [owed, owed, 0]),
        (&cancelled, AnswerState::Reversed, [0, 0, 0]),
    ];
    for (message, state, sums) in rows {
        assert_eq!(parties.sums(message).await, sums);
        let before = parties.answer(message).await;
        let refusal = decision(message, "R-2", v1::Verdict::Refuse, Vec::new());
        let said = [
            (adjust(message, "R-1", 1), false),
            (refusal, false),
            (adjust(message, "R-1", 1), true),
        ];
        for (said, repeated) in said {
            let told = taken(say(&parties.insurer, said).await);
            assert_eq!((told.state(), told.repeated), (state, repeated));
        }
        let more = adjust(message, "R-3", 15_001);
        assert_eq!(refused(say(&parties.insurer, more).await).0, "VAL-RANGE");
        assert_eq!(parties.answer(message).await, before);
        assert_eq!(parties.sums(message).await, sums);
    }
    faults(&parties.system, 2).await;
}

#[tokio::test]
async fn who_decides_after_the_hub_answered_in_its_place_opens_a_review_and_changes_nothing() {
    let hub = Hub::start("");
    let silent = Setup {
        script: Script::approve().in_manner(Manner::Silent),
        ..Setup::new(INSURER, Wire::Grpc)
    };
    let silent = Simulator::start(silent).await.unwrap();
    let contract = json!({
        "mode": "stand_in", "deadline_ms": 300, "stand_in": {"per_visit": 1_000_000, "per_day": 10_000_000},
        "endpoint": {"transport": "grpc", "url": silent.url()},
    });
    put(&hub, &operator(&hub), INSURER, contract).await;
    let provider = hub.place.key(PROVIDER);
    let bills = claim("B-1", "MA-2001");
    let sent = hub.send(Method::POST, "/v1/claims", &provider, &bills);
    let sent = sent.await.ok();
    assert_eq!(sent["decision"]["decided_by"], json!("stand_in"), "{sent}");
    let id = text(&sent["id"]);
    let key = hub.place.key(INSURER);
    let insurer = HubClient::new(&hub.base, Some(hub.certificate()), &key).unwrap();
    let approval = decision(&id, "L-1", v1::Verdict::Approve, Vec::new());
    let agrees = taken(say(&insurer, approval).await);
    assert_eq!((agrees.under_review, agrees.repeated), (false, false));
    let objects = taken(say(&insurer, adjust(&id, "L-2", 1)).await);
    assert_eq!((objects.under_review, objects.repeated), (true, false));
    assert!(taken(say(&insurer, adjust(&id, "L-2", 1)).await).repeated);
    let way = hub.get(&format!("/v1/messages/{id}"), &provider).await;
    assert_eq!(way.ok()["answer"]["decision"], sent["decision"]);
    let dues = hub.get(&format!("/v1/dues?message={id}"), &provider).await;
    let owed = &sent["decision"]["totals"]["supplementary"][0][1];
    assert_eq!(&dues.ok()["dues"][0]["incurred"], owed);
}
