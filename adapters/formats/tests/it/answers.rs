//! Sample bodies with the answers that a hub gave to their messages, and what goes back for them, compared
//! with what it was when a person last looked at it. `UPDATE_GOLDEN=1` writes the results anew.
//!
//! `X.request.json|xml` is the sender's body, `X.answers.json` the answers to those of its messages that can
//! be read, in their order, and `X.response.json|xml` what is sent back.

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use takmil_domain::answer::Answer;
use takmil_domain::problem::Problem;
use takmil_formats::{Answered, Cause, Fault, Outcome, Reply, Written, read, recognise};

const HUB: &str = "https://hub.example";
const REQUEST: &str = "019aa123-0000-7000-8000-000000000000";

/// What goes back for `body`, whose good messages got `answers`.
fn reply_to(body: &[u8], answers: &[Answer]) -> Written {
    let format = recognise(None, body).unwrap();
    let write = |outcomes: &[Outcome]| {
        (format.answer)(&Reply {
            body,
            hub: HUB,
            request: REQUEST,
            outcomes,
        })
    };
    let reading = match read(format, body, &crate::context()) {
        Ok(reading) => reading,
        Err(problem) => {
            let faults = [Fault::from(&problem)];
            return write(&[Outcome {
                place: "",
                result: Err(&faults),
            }]);
        }
    };
    let told: Vec<_> = reading
        .messages
        .iter()
        .map(|read| {
            let problems = read.outcome.as_ref().err().into_iter().flatten();
            (read, problems.map(Fault::from).collect::<Vec<_>>())
        })
        .collect();
    let mut answers = answers.iter();
    let outcomes: Vec<Outcome> = told
        .iter()
        .map(|(read, faults)| Outcome {
            place: &read.place,
            result: match &read.outcome {
                Ok(message) => {
                    let answer = answers.next().unwrap();
                    assert_eq!(answer.kind, message.kind(), "{}", read.place);
                    Ok(Answered {
                        message,
                        answer,
                        json: None,
                    })
                }
                Err(_) => Err(faults),
            },
        })
        .collect();
    assert_eq!(answers.next(), None, "no message for it among {told:?}");
    write(&outcomes)
}

fn requests(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains(".request."))
        .collect();
    paths.sort();
    paths
}

/// The bytes as a person reads them.
fn shown(written: &Written) -> String {
    let text = String::from_utf8(written.bytes.clone()).unwrap();
    match written.media_type {
        // Numbers stay as their digits: through a float 2.50 would become 2.5.
        "application/fhir+json" | "application/json" => format!("{}\n", spread(&text)),
        "application/hl7-v2" => text.replace('\r', "\n"),
        _ => format!("{}\n", text.replace("><", ">\n<")),
    }
}

/// JSON with each member on a line.
fn spread(text: &str) -> String {
    let mut out = String::new();
    let (mut depth, mut in_string, mut escaped) = (0, false, false);
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.push_str(&"  ".repeat(depth));
    };
    for letter in text.chars() {
        if in_string {
            out.push(letter);
            in_string = escaped || letter != '"';
            escaped = !escaped && letter == '\\';
            continue;
        }
        match letter {
            '{' | '[' => {
                out.push(letter);
                depth += 1;
                line(&mut out, depth);
            }
            '}' | ']' => {
                depth -= 1;
                line(&mut out, depth);
                out.push(letter);
            }
            ',' => {
                out.push(letter);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            _ => {
                in_string = letter == '"';
                out.push(letter);
            }
        }
    }
    out
}

/// Every sample of a folder, with what its answers' media types are by the end of the request's name.
fn check_samples(format: &str, least: usize, media_types: &[(&str, &str)]) {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let bless = std::env::var_os("UPDATE_GOLDEN").is_some();
    let requests = requests(&samples.join(format).join("answers"));
    assert!(requests.len() >= least, "samples are missing");
    for path in requests {
        let name = path.to_string_lossy().into_owned();
        let (stem, syntax) = name.rsplit_once(".request.").unwrap();
        let body = std::fs::read(&path).unwrap();
        let answers = std::fs::read(format!("{stem}.answers.json")).unwrap();
        let answers: Vec<Answer> = serde_json::from_slice(&answers).unwrap();
        let written = reply_to(&body, &answers);
        let media_type = media_types.iter().find(|(own, _)| *own == syntax);
        assert_eq!(written.media_type, media_type.unwrap().1, "{name}");
        let golden = format!("{stem}.response.{syntax}");
        if bless {
            std::fs::write(&golden, shown(&written)).unwrap();
        } else {
            let expected = std::fs::read_to_string(&golden).unwrap();
            assert_eq!(shown(&written), expected, "{golden}");
        }
    }
}

#[test]
fn every_sample_is_answered_as_before() {
    let fhir = [
        ("json", "application/fhir+json"),
        ("xml", "application/fhir+xml"),
    ];
    check_samples("fhir", 15, &fhir);
    check_samples("hl7v2", 5, &[("hl7", "application/hl7-v2")]);
    check_samples("uae", 5, &[("xml", "application/xml")]);
    check_samples("sepas", 6, &[("json", "application/json")]);
    check_samples("ncpdp", 5, &[("json", "application/json")]);
}

const CLAIM: &str = r#"{"kind":"claim","claim":{"bill":{"lines":[]}}}"#;

fn native_answer() -> Answer {
    serde_json::from_value(json!({
        "id": "019aa123-4567-7000-8000-000000000001",
        "kind": "claim",
        "state": "recorded",
        "received_at": 1_795_273_800_000_000_i64,
        "answered_at": 1_795_273_800_031_000_i64,
    }))
    .unwrap()
}

#[test]
fn one_native_message_gets_the_answer_itself() {
    let written = reply_to(CLAIM.as_bytes(), &[native_answer()]);
    assert_eq!(written.media_type, "application/json");
    let back: Answer = serde_json::from_slice(&written.bytes).unwrap();
    assert_eq!(back, native_answer());
}

#[test]
fn a_list_of_native_messages_gets_a_result_for_each() {
    let body = format!(r#"[{CLAIM},{{"kind":"claim"}}]"#);
    let written = reply_to(body.as_bytes(), &[native_answer()]);
    let back: Value = serde_json::from_slice(&written.bytes).unwrap();
    let results = back["results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    assert_eq!(results[0]["place"], "/0");
    assert_eq!(results[0]["answer"], json!(native_answer()));
    assert_eq!(results[1]["place"], "/1");
    assert_eq!(results[1]["problems"][0]["code"], "VAL-MISSING");
    assert_eq!(results[1]["problems"][0]["pointer"], "/1/claim");
}

#[test]
fn a_fault_is_told_as_a_problem_is() {
    let problem = Problem::new(
        takmil_domain::problem::ProblemCode::BadDate,
        "/occurred_on",
        "not a real day",
    );
    let fault = Fault::from(&problem);
    assert_eq!(json!(fault), json!(problem));
    assert_eq!(fault.cause, Cause::Body(problem.code));
    assert!(!fault.cause.is_passing() && Cause::Busy.is_passing());
}
