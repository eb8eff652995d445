//! Compositions and extracts of health records: what of the corpus is read, what is refused, and what is answered.

use std::io::Read as _;
use std::path::Path;

use serde_json::{Value, json};
use takmil_domain::problem::ProblemCode;
use takmil_formats::facts::measure;
use takmil_formats::{
    Answered, Format, Outcome, Reading, Reply, en13606, native, openehr, read, recognise, write,
};

use crate::context;

fn sample(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    std::fs::read(folder.join(name)).unwrap()
}

fn reading(body: &Value) -> Reading {
    read(&openehr::FORMAT, body.to_string().as_bytes(), &context()).unwrap()
}

/// The files of a folder of the corpus, as their names and bodies.
fn corpus(source: &str) -> Vec<(String, Vec<u8>)> {
    let Some(root) = std::env::var_os("TAKMIL_CORPUS") else {
        eprintln!("TAKMIL_CORPUS is not set: no corpus is read");
        return Vec::new();
    };
    let folder = Path::new(&root).join(source);
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| {
            let stored = std::fs::read(&path).unwrap();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let body = match name.strip_suffix(".gz") {
                None => stored,
                Some(_) => {
                    let mut body = Vec::new();
                    let mut packed = flate2::read::MultiGzDecoder::new(&*stored);
                    packed.read_to_end(&mut body).unwrap();
                    body
                }
            };
            (name, body)
        })
        .collect();
    files.sort();
    files
}

/// How many files are read, and how many are well-formed and hold no message of ours.
fn shares(format: &Format, files: &[(String, Vec<u8>)]) -> (usize, usize) {
    let (mut taken, mut empty) = (0, 0);
    for (name, body) in files {
        match read(format, body, &context()) {
            Ok(reading) => {
                for one in &reading.messages {
                    assert!(one.outcome.is_ok(), "{name}: {:?}", one.outcome);
                }
                for one in measure(format, body, &context()) {
                    assert_eq!(one.lost, [], "{name}");
                }
                taken += 1;
            }
            Err(problem) => {
                assert_eq!(problem.code, ProblemCode::NoMessage, "{name}");
                empty += 1;
            }
        }
    }
    (taken, empty)
}

#[test]
fn every_order_of_the_corpus_is_read_whole() {
    let mut files = corpus("openehr-integration-tests");
    files.extend(corpus("openehr-sdk"));
    if files.is_empty() {
        return;
    }
    // One is of an older serialisation, by `@class`.
    files.retain(|(name, _)| !name.ends_with(".xml") && !name.contains("full_composition"));
    for (name, body) in &files {
        let format = recognise(None, body).map(|format| format.name);
        assert_eq!(format, Some("openehr"), "{name}");
    }
    // Of the others none has an instruction or a dispensing; the IPS has statements of what is taken.
    assert_eq!(shares(&openehr::FORMAT, &files), (14, 24));
}

#[test]
fn every_extract_of_the_corpus_is_read_or_has_no_order() {
    let files = corpus("en13606-npo-sweden");
    if files.is_empty() {
        return;
    }
    for (name, body) in &files {
        assert_eq!(recognise(None, body).unwrap().name, "en13606", "{name}");
    }
    assert_eq!(shares(&en13606::FORMAT, &files), (1, 3));
    let orders = files.iter().find(|(name, _)| name.contains("ordination"));
    let reading = read(&en13606::FORMAT, &orders.unwrap().1, &context()).unwrap();
    assert_eq!(reading.messages.len(), 3);
}

#[test]
fn a_list_keeps_what_is_wrong_with_one_from_the_others() {
    let bad: Value = serde_json::from_slice(&sample("openehr/order-without-item.json")).unwrap();
    let good: Value =
        serde_json::from_slice(&sample("openehr/prescription-braga-clinic.json")).unwrap();
    let found = reading(&json!([bad[0], good]));
    let places: Vec<&str> = found
        .messages
        .iter()
        .map(|own| own.place.as_str())
        .collect();
    assert_eq!(places, ["/0", "/1/composition"]);
    assert!(found.messages[0].outcome.is_err() && found.messages[1].outcome.is_ok());
}

#[test]
fn orders_and_dispensings_of_one_composition_are_two_messages_at_their_places() {
    let mut body: Value =
        serde_json::from_slice(&sample("openehr/dispense-structured.json")).unwrap();
    body["pharmacy_record"]["medication_order"] = json!([{
        "order": [{"medication_item": ["Aspirin"], "action_archetype_id": ["/.*/"]}],
        "narrative": ["Aspirin as needed"],
    }]);
    let found = reading(&body);
    let places: Vec<&str> = found
        .messages
        .iter()
        .map(|own| own.place.as_str())
        .collect();
    assert_eq!(
        places,
        [
            "/pharmacy_record/medication_order/0/order/0/medication_item/0",
            "/pharmacy_record/medication_management/0/medication_item/0/|code",
        ]
    );
}

#[test]
fn a_composition_without_orders_is_refused_with_what_it_holds() {
    for body in [
        json!({"_type": "EHR_STATUS"}),
        json!({"_type": "COMPOSITION"}),
        json!({"_type": "COMPOSITION", "content": [{"_type": "ACTION", "archetype_node_id":
            "openEHR-EHR-ACTION.medication.v1", "ism_transition": {"careflow_step": {"_type": "DV_CODED_TEXT",
            "value": "x", "defining_code": {"code_string": "at0006"}}}}]}),
        // Of another version the at-codes may mean something else.
        json!({"_type": "COMPOSITION", "content": [{"_type": "INSTRUCTION",
            "archetype_node_id": "openEHR-EHR-INSTRUCTION.medication_order.v9"}]}),
        json!({"composition": 7}),
        json!({}),
        json!([]),
        json!([[]]),
        json!({"a/b": {"c": [1]}}),
    ] {
        let problem = read(&openehr::FORMAT, body.to_string().as_bytes(), &context()).unwrap_err();
        assert_eq!(problem.code, ProblemCode::NoMessage, "{body}");
    }
}

#[test]
fn a_path_of_very_many_steps_is_refused() {
    let body = json!({ "a/".repeat(100_000): 1 });
    let problem = read(&openehr::FORMAT, body.to_string().as_bytes(), &context()).unwrap_err();
    assert_eq!(problem.code, ProblemCode::TooDeep);
}

/// What a composition has no place for, of the native samples. Everything else is said again as it was.
const UNSAID: &[(&str, &[&str])] = &[
    (
        "native/prescription-tehran.json",
        &[
            "/status",
            // There is one time alone, that of writing.
            "/created",
            "/member/name",
            "/member/birth_date",
            "/member/sex",
            "/prescription/valid",
            "/prescription/prescriber/specialty",
            "/prescription/diagnoses",
            "/prescription/lines/0/item/source/display",
            "/prescription/lines/0/product/ingredients",
            "/prescription/lines/0/dosage/0/timing/duration",
            "/prescription/lines/1/product/ingredients",
        ],
    ),
    (
        "native/dispense-shiraz-pharmacy.json",
        &[
            "/correlates",
            // A composition is a clinical document: it holds no money.
            "/currency",
            "/language",
            "/member/name",
            "/member/birth_date",
            "/member/sex",
            "/provider/sector",
            "/submitted_by",
            "/dispense/lines/0/line/item/source/display",
            "/dispense/lines/0/line/unit_price",
            "/dispense/lines/0/line/billed",
            "/dispense/lines/0/line/base",
            "/dispense/lines/0/dosage/0/text",
            "/dispense/lines/0/dosage/0/timing",
            "/dispense/lines/1/line/billed",
            "/dispense/lines/1/line/base",
            "/dispense/lines/1/substitution/allowed",
            "/dispense/total",
        ],
    ),
];

#[test]
fn a_composition_says_all_of_a_native_message_but_what_is_listed() {
    for (name, expected) in UNSAID {
        let found = read(&native::FORMAT, &sample(name), &context()).unwrap();
        let message = found.messages[0].outcome.as_ref().unwrap();
        let told = write(&openehr::FORMAT, message, &context()).unwrap();
        assert_eq!(told.unsaid, *expected, "{name}");
        assert_eq!(
            recognise(None, &told.written.bytes).unwrap().name,
            "openehr"
        );
    }
}

#[test]
fn what_is_taken_is_answered_with_its_uid_and_what_is_not_with_what_is_wrong() {
    let body = sample("openehr/order-without-item.json");
    let found = read(&openehr::FORMAT, &body, &context()).unwrap();
    let problems = found.messages[0].outcome.as_ref().unwrap_err();
    let faults: Vec<_> = problems.iter().map(Into::into).collect();
    let answer = serde_json::from_value(json!({
        "id": "019aa123-4567-7000-8000-000000000001",
        "kind": "prescription",
        "state": "recorded",
        "received_at": 1_795_273_800_000_000_i64,
        "answered_at": 1_795_273_800_031_000_i64,
    }))
    .unwrap();
    let good = sample("openehr/prescription-flat.json");
    let good = read(&openehr::FORMAT, &good, &context()).unwrap();
    let message = good.messages[0].outcome.as_ref().unwrap();
    let taken = Answered {
        message,
        answer: &answer,
        json: None,
    };
    let reply = |outcomes: &[Outcome<'_>]| -> Value {
        let written = (openehr::FORMAT.answer)(&Reply {
            body: &body,
            hub: "https://hub.example",
            request: "r-1",
            outcomes,
        });
        assert_eq!(written.media_type, "application/json");
        serde_json::from_slice(&written.bytes).unwrap()
    };
    let place = "";
    let alone = reply(&[Outcome {
        place,
        result: Ok(taken),
    }]);
    assert_eq!(
        alone["uid"]["value"],
        "019aa123-4567-7000-8000-000000000001"
    );
    assert_eq!(alone["state"], "recorded");
    let both = reply(&[
        Outcome {
            place: "/0",
            result: Err(&faults),
        },
        Outcome {
            place: "/1",
            result: Ok(taken),
        },
    ]);
    assert_eq!(both[0]["place"], "/0");
    assert_eq!(both[0]["validationErrors"][1]["code"], "VAL-MISSING");
    assert_eq!(both[1]["answer"]["kind"], "prescription");
}
