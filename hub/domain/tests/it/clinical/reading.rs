//! From a canonical message to what the rules look at.

use takmil_domain::clinical::{Case, Dose, HCPCS, ICD_10_PCS, Ingredient, Order, Past, RXNORM};
use takmil_domain::coverage::Person;
use takmil_domain::message::{Body, Message};
use takmil_domain::money::Quantity;

use super::{ASPIRIN, METFORMIN, WARFARIN, day, tables, today};

fn message(json: &str) -> Message {
    let json = json
        .replace("RX", RXNORM)
        .replace("HC", HCPCS)
        .replace("PCS", ICD_10_PCS)
        .replace("ICD", "http://hl7.org/fhir/sid/icd-10-cm");
    serde_json::from_str(&json).unwrap()
}

fn read(message: &Message) -> Case<'_> {
    Case::of(message, &tables(), Person::default(), today())
}

fn own(ingredients: &[u32]) -> Vec<Ingredient> {
    ingredients
        .iter()
        .copied()
        .map(Ingredient::RxNorm)
        .collect()
}

#[test]
fn a_prescription_is_read() {
    let message = message(
        r#"{"kind": "prescription", "member": {}, "prescription": {
            "authored": "2026-05-20T08:00:00Z", "valid": {"start": "2026-05-21", "end": "2026-06-30"},
            "diagnoses": [
                {"seq": 2, "coded": {"source": {"system": "x", "code": "1"},
                    "common": {"system": "ICD", "code": "E11"}, "via": {"map": "m", "version": "1", "equivalence": "wider"}}},
                {"seq": 1, "coded": {"source": {"system": "ICD", "code": "I10"}}},
                {"seq": 3, "coded": {"text": "a cold"}}
            ],
            "lines": [
                {"seq": 1, "item": {"source": {"system": "RX", "code": "861007"}},
                 "quantity": {"value": 60, "unit": "tablet"}, "days_supply": {"value": 30, "unit": "d"},
                 "dosage": [{"doses": [{"value": 1, "unit": "Tablet"}],
                     "timing": {"frequency": 2, "period": {"value": 1, "unit": "d"}}}],
                 "reasons": [{"source": {"system": "ICD", "code": "E11.9"}}],
                 "valid": {"end": "2026-07-01"}},
                {"seq": 2, "item": {"text": "Domperidone"}, "days_supply": {"value": 2, "unit": "wk"}},
                {"seq": 3, "item": {"source": {"system": "RX", "code": "1"}}, "do_not_perform": true},
                {"seq": 4, "item": {"source": {"system": "RX", "code": "1"}}, "status": "cancelled"}
            ]}}"#,
    );
    let case = read(&message);
    let diagnoses: Vec<_> = case
        .diagnoses
        .iter()
        .map(|diagnosis| (diagnosis.code, diagnosis.own, diagnosis.line))
        .collect();
    assert_eq!(
        diagnoses,
        [
            ("I10", true, None),
            ("E11", false, None),
            ("E11.9", true, Some(1))
        ]
    );
    assert_eq!(
        case.order,
        Order {
            authored: Some(day("2026-05-20")),
            from: None,
            until: Some(day("2026-06-30")),
        },
        "it may be written ahead"
    );
    let Body::Prescription(prescription) = &message.body else {
        panic!("{message:?}")
    };
    assert_eq!(
        Order::of(prescription).from,
        Some(day("2026-05-21")),
        "but not dispensed"
    );
    let [first, second] = &case.lines[..] else {
        panic!("{:?}", case.lines)
    };
    let once = Dose {
        amount: Quantity::ONE,
        times: 2,
        days: 1,
    };
    assert_eq!(
        (first.seq, first.quantity, first.days_supply),
        (1, Quantity::whole(60), Some(30))
    );
    assert_eq!(
        (first.dose, &first.ingredients),
        (Some(once), &own(&[METFORMIN]))
    );
    assert_eq!(first.order.until, Some(day("2026-07-01")));
    assert_eq!(
        second.ingredients,
        [Ingredient::Named("domperidone".into())]
    );
    assert_eq!((second.days_supply, second.code), (Some(14), ""));
}

#[test]
fn a_dose_is_read_where_it_is_certain() {
    let dose = |dosage: &str| {
        let message = message(&format!(
            r#"{{"kind": "prescription", "member": {{}}, "prescription": {{"lines": [
                {{"seq": 1, "item": {{}}, "quantity": {{"value": 10, "unit": "tablet"}}, "dosage": {dosage}}}]}}}}"#
        ));
        read(&message).lines[0]
            .dose
            .map(|dose| (dose.times, dose.days))
    };
    let one = r#""doses": [{"value": 1, "unit": "tablet"}]"#;
    let every = |timing: &str| format!(r#"[{{{one}, "timing": {timing}}}]"#);
    let table = [
        (every(r#"{"frequency": 3, "period": {"value": 1, "unit": "d"}}"#), Some((3, 1))),
        (every(r#"{"period": {"value": 8, "unit": "h"}}"#), Some((24, 8))),
        (every(r#"{"frequency": 1, "period": {"value": 2, "unit": "wk"}}"#), Some((1, 14))),
        (every(r#"{"frequency": 1, "period": {"value": "1.5", "unit": "d"}}"#), None),
        (every(r#"{"frequency": 1, "period": {"value": 0, "unit": "d"}}"#), None),
        (every(r#"{"frequency": 1, "period": {"value": 1, "unit": "mo"}}"#), None),
        (every(r#"{"frequency": 4294967295, "period": {"value": 1, "unit": "h"}}"#), None),
        (every(r#"{"frequency": 1}"#), None),
        ("[]".to_owned(), None),
        (format!(r#"[{{{one}}}, {{{one}}}]"#), None),
        (
            format!(r#"[{{{one}, "as_needed": true, "timing": {{"frequency": 1, "period": {{"value": 1, "unit": "d"}}}}}}]"#),
            None,
        ),
        (
            r#"[{"doses": [{"value": 500, "unit": "mg"}], "timing": {"frequency": 1, "period": {"value": 1, "unit": "d"}}}]"#
                .to_owned(),
            None,
        ),
    ];
    for (dosage, wanted) in table {
        assert_eq!(dose(&dosage), wanted, "{dosage}");
    }
}

#[test]
fn what_is_handed_out_is_read_and_left_to_later_messages() {
    let message = message(
        r#"{"kind": "dispense", "member": {}, "dispense": {"lines": [
            {"line": {"seq": 1, "item": {"source": {"system": "urn:list", "code": "7"}}, "quantity": 30, "days_supply": 30},
             "product": {"ingredients": [
                {"item": {"source": {"system": "RX", "code": "1191"}}},
                {"item": {"text": "Warfarin"}},
                {"item": {"text": "metformin"}, "active": false}]},
             "handed_over": "2026-05-30"},
            {"line": {"seq": 2, "item": {"source": {"system": "RX", "code": "99", "display": "Metformin"}}}, "status": "completed"},
            {"line": {"seq": 3, "item": {"source": {"system": "RX", "code": "6809"}}}, "status": "declined"},
            {"line": {"seq": 4, "item": {"text": "a bandage"}}}
        ]}}"#,
    );
    let case = read(&message);
    let lines: Vec<_> = case
        .lines
        .iter()
        .map(|line| (line.seq, line.day, line.ingredients.clone()))
        .collect();
    assert_eq!(
        lines,
        [
            (1, day("2026-05-30"), own(&[ASPIRIN, WARFARIN])),
            (2, today(), own(&[METFORMIN])),
            (4, today(), vec![]),
        ]
    );
    let left = case.leaves();
    let days: Vec<_> = left
        .iter()
        .map(|past| (past.code.code.as_str(), past.day, past.days_supply))
        .collect();
    assert_eq!(
        days,
        [("7", day("2026-05-30"), Some(30)), ("99", today(), None)]
    );
    let json = serde_json::to_string(&left).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Past>>(&json).unwrap(), left);
    assert!(json.contains(r#""ingredients":["1191","11289"]"#), "{json}");
}

#[test]
fn a_claim_of_a_stay_is_read() {
    let message = message(
        r#"{"kind": "claim", "member": {}, "claim": {"bill": {
            "encounter": {"class": "inpatient", "period": {"start": "2026-05-10", "end": "2026-05-20"}},
            "diagnoses": [{"coded": {"source": {"system": "ICD", "code": "I10"}}}],
            "procedures": [
                {"coded": {"source": {"system": "PCS", "code": "0DTJ0ZZ"}}, "when": "2026-05-12"},
                {"coded": {"text": "something"}}],
            "lines": [
                {"seq": 1, "item": {"source": {"system": "HC", "code": "A4253"}}, "quantity": 5,
                 "serviced": {"start": "2026-05-11", "end": "2026-05-13"},
                 "details": [
                    {"seq": 1, "item": {"source": {"system": "HC", "code": "A4253"}}},
                    {"seq": 2, "item": {"source": {"system": "RX", "code": "6809"}}, "days_supply": 9}]},
                {"seq": 2, "item": {"source": {"system": "HC", "code": "A0888"}}, "cancelled": true}
            ]}}}"#,
    );
    let case = read(&message);
    assert!(case.stays);
    assert_eq!(case.diagnoses[0].day, day("2026-05-10"));
    assert_eq!(case.procedures.len(), 1);
    let lines: Vec<_> = case
        .lines
        .iter()
        .map(|line| (line.seq, line.code, line.day, line.days))
        .collect();
    assert_eq!(
        lines,
        [
            (1, "A4253", day("2026-05-11"), 3),
            (1, "6809", day("2026-05-10"), 1)
        ],
        "a part of the same code is the line itself, and a cancelled line is none"
    );
    let left = case.leaves();
    let codes: Vec<_> = left
        .iter()
        .map(|past| (past.code.code.as_str(), past.days_supply))
        .collect();
    assert_eq!(
        codes,
        [("A4253", None), ("6809", None), ("0DTJ0ZZ", None)],
        "what is given in a stay is not taken home"
    );
}

#[test]
fn a_question_has_nothing_to_look_at() {
    for json in [
        r#"{"kind": "eligibility", "member": {}, "eligibility": {}}"#,
        r#"{"kind": "cancel", "member": {}, "cancel": {}}"#,
    ] {
        let message = message(json);
        let case = read(&message);
        assert!(case.diagnoses.is_empty() && case.lines.is_empty() && case.leaves().is_empty());
    }
}
