//! Pharmacies' transactions.

use std::path::PathBuf;

use serde_json::{Value, json};
use takmil_formats::facts::measure;
use takmil_formats::{Format, ncpdp, read, recognise, write};

use crate::context;

/// Members of a claim, each with two values that it may have.
const MEMBERS: &[(&str, &str, [&str; 2])] = &[
    ("member", "member_id", ["\"M-1\"", "\"77\""]),
    ("member", "person_code", ["\"01\"", "\"2\""]),
    ("member", "bin", ["\"004412\"", "\"610014\""]),
    ("member", "pcn", ["\"A4\"", "\"OMID\""]),
    ("member", "group_number", ["\"G-7\"", "\"x y\""]),
    (
        "member",
        "date_of_birth",
        ["\"1979-08-02\"", "\"2020-02-29\""],
    ),
    ("member", "gender", ["\"F\"", "\"M\""]),
    ("member", "last_name", ["\"Idrissi\"", "\"علي كريمي\""]),
    ("member", "relationship_code", ["\"1\"", "\"3\""]),
    (
        "prescription",
        "prescription_number",
        ["\"7712\"", "\"RX-9\""],
    ),
    (
        "prescription",
        "prescriber_npi",
        ["\"1093817465\"", "\"P9\""],
    ),
    (
        "prescription",
        "written_date",
        ["\"2026-11-10\"", "\"2026-11-12\""],
    ),
    ("prescription", "refills_authorized", ["0", "11"]),
    ("prescription", "diagnosis", ["\"I10\"", "\"E11.9\""]),
    (
        "prescription",
        "directions",
        ["\"One each morning\"", "\"۱ قرص\""],
    ),
    ("pharmacy", "npi", ["\"1740283779\"", "\"1\""]),
    ("pharmacy", "ncpdp", ["\"3144551\"", "\"2\""]),
    ("pharmacy", "name", ["\"Main Street\"", "\"داروخانه\""]),
    ("claim", "claim_id", ["\"RX-551\"", "\"9\""]),
    ("claim", "drug_name", ["\"Lisinopril\"", "\"آموکسی\""]),
    ("claim", "quantity_dispensed", ["30", "2.5"]),
    ("claim", "unit_of_measure", ["\"EA\"", "\"ML\""]),
    ("claim", "days_supply", ["30", "0"]),
    ("claim", "fill_number", ["0", "3"]),
    ("claim", "daw_code", ["\"0\"", "\"1\""]),
    ("claim", "compound_code", ["\"1\"", "\"2\""]),
    ("claim", "prior_authorization_number", ["\"PA-1\"", "\"3\""]),
    ("claim", "submission_clarification_code", ["\"5\"", "\"8\""]),
    ("claim", "other_coverage_code", ["\"2\"", "\"8\""]),
    ("claim", "other_payer_amount_paid", ["4.25", "0"]),
    (
        "claim",
        "ingredient_cost_submitted",
        ["8.5", "90071992547.93"],
    ),
    ("claim", "dispensing_fee_submitted", ["2", "0.01"]),
    ("claim", "incentive_amount_submitted", ["1", "0.5"]),
    ("claim", "usual_customary_charge", ["15", "0.99"]),
    ("claim", "gross_amount_due", ["10.5", "7"]),
    ("claim", "patient_paid_amount_submitted", ["1.05", "3"]),
];

/// A claim with what must be there, and each other member or not, as the bits of `which` say.
fn claim(which: u64) -> Value {
    let mut whole = json!({
        "member": {"cardholder_id": "20441-01"},
        "claim": {"transaction_code": "B1", "service_date": "2026-11-12", "ndc": "00093505601"},
    });
    for (at, (section, name, values)) in MEMBERS.iter().enumerate() {
        let of =
            |shift: usize| (which.rotate_right(u32::try_from(shift % 64).unwrap()) & 1) as usize;
        if of(at) == 1 {
            let text = values[of(at * 7 + 3)];
            whole[section][name] = serde_json::from_str(text).unwrap();
        }
    }
    whole
}

/// The one message of a body.
fn message(body: &[u8]) -> takmil_domain::message::Message {
    let format = recognise(None, body).unwrap();
    assert_eq!(format.name, "ncpdp");
    let mut messages = read(format, body, &context()).unwrap().messages;
    assert_eq!(messages.len(), 1);
    messages.remove(0).outcome.unwrap()
}

#[test]
fn every_claim_is_read_whole_and_written_as_it_was_read() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..2_000 {
        // A generator of Marsaglia's; its start is fixed.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let body = claim(state).to_string();
        let message = message(body.as_bytes());
        assert_eq!(message.head.unread, Vec::<String>::new(), "{body}");
        let again = write(&ncpdp::FORMAT, &message, &context()).unwrap();
        assert_eq!((again.unsaid, again.added), (vec![], vec![]), "{body}");
        let measured = measure(&ncpdp::FORMAT, body.as_bytes(), &context());
        let total = measured[0].shares.total();
        assert!(total.found >= 3, "{body}");
        assert_eq!(total.said, total.found, "{:?} {body}", measured[0].lost);
    }
}

#[test]
fn reversals_and_questions_are_written_as_they_were_read() {
    let bodies = [
        json!({"transaction_code": "E1", "cardholder_id": "1", "bin": "004412", "date_of_service": "20261112"}),
        json!({"claim": {"transaction_code": "B2", "cardholder_id": "1", "claim_id": "RX-551"}}),
        json!({"claim": {"transaction_code": "B2", "cardholder_id": "1", "prescription_number": "7", "fill_number": 0,
            "service_date": "2026-11-12"}}),
    ];
    for body in bodies {
        let message = message(body.to_string().as_bytes());
        let again = write(&ncpdp::FORMAT, &message, &context()).unwrap();
        assert_eq!((again.unsaid, again.added), (vec![], vec![]), "{body}");
    }
}

#[test]
fn a_reversal_names_the_claim_as_the_claim_names_itself() {
    let claim = json!({"claim": {"transaction_code": "B1", "cardholder_id": "1", "prescription_number": "7", "fill_number": 0,
        "service_date": "2026-11-12", "ndc": "00093505601"}});
    let mut reversal = claim.clone();
    reversal["claim"]["transaction_code"] = json!("B2");
    let (claim, reversal) = (
        message(claim.to_string().as_bytes()),
        message(reversal.to_string().as_bytes()),
    );
    assert_eq!(reversal.head.correlates.len(), 1);
    assert!(
        claim
            .head
            .identifiers
            .contains(&reversal.head.correlates[0].identifier)
    );
}

#[test]
fn transactions_of_others_are_read_whole() {
    let Some(root) = std::env::var_os("TAKMIL_CORPUS").map(PathBuf::from) else {
        eprintln!("TAKMIL_CORPUS is not set: no corpus is read");
        return;
    };
    let (mut taken, mut refused) = (0, Vec::new());
    for file in root.join("healthsim-doc-samples").read_dir().unwrap() {
        let path = file.unwrap().path();
        let body = std::fs::read(&path).unwrap();
        if recognise(None, &body).is_none_or(|format: &Format| format.name != "ncpdp") {
            continue;
        }
        for read in read(&ncpdp::FORMAT, &body, &context()).unwrap().messages {
            match read.outcome {
                Ok(_) => taken += 1,
                Err(problems) => refused.push((path.display().to_string(), problems)),
            }
        }
        for measured in measure(&ncpdp::FORMAT, &body, &context()) {
            assert_eq!(measured.lost, vec![], "{}", path.display());
        }
    }
    assert_eq!((taken, refused.len()), (23, 0), "{refused:#?}");
}
