//! Messages of real senders, answered. The samples lie outside the repo, in the folder that `TAKMIL_CORPUS`
//! names.

use std::io::{Read as _, Write as _};
use takmil_domain::answer::Answer;
use takmil_domain::date::Date;

use super::any::{assert_adds_up, assert_notes_lead_somewhere};
use super::decisions::drawn_for;
use super::{assert_sound, reply};
use crate::fhir::render::{composed, resource};
use crate::fhir::{FORMAT, read::looks_like_json};
use crate::{Answered, Context, Fault, Outcome, Read};

fn bodies() -> Vec<(String, Vec<u8>)> {
    let Some(root) = std::env::var_os("TAKMIL_CORPUS").map(std::path::PathBuf::from) else {
        // Straight to the stream: what a test prints is hidden while it passes.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: TAKMIL_CORPUS names no folder of samples, so no message of a real sender was answered"
        );
        return Vec::new();
    };
    let index = std::fs::read_to_string(root.join("index.csv")).unwrap();
    let fhir = index.lines().skip(1).filter_map(|line| {
        let mut columns = line.split(',');
        let (path, _, kind) = (columns.next()?, columns.next()?, columns.next()?);
        kind.starts_with("fhir").then(|| path.to_owned())
    });
    fhir.map(|path| {
        let stored = std::fs::read(root.join(&path)).unwrap();
        let mut body = Vec::new();
        if path.ends_with(".gz") {
            let mut packed = flate2::read::MultiGzDecoder::new(stored.as_slice());
            packed.read_to_end(&mut body).unwrap();
        } else {
            body = stored;
        }
        (path, body)
    })
    .collect()
}

#[test]
fn whatever_real_senders_send_gets_a_sound_answer() {
    let context = Context {
        default_currency: None,
        today: Date::parse("2026-11-21").unwrap(),
    };
    let bodies = bodies();
    let mut answered = 0_usize;
    for (path, body) in &bodies {
        let reading = crate::read(&FORMAT, body, &context);
        let (messages, whole) = match &reading {
            Ok(reading) => (reading.messages.as_slice(), None),
            Err(problem) => (&[][..], Some(problem)),
        };
        let answers: Vec<Option<Answer>> = messages
            .iter()
            .map(|read| read.outcome.as_ref().ok().map(drawn_for))
            .collect();
        let problems = |read: &Read| read.outcome.clone().err().unwrap_or_default();
        let problems: Vec<_> = messages
            .iter()
            .map(problems)
            .chain([whole.cloned().into_iter().collect()])
            .collect();
        let faults: Vec<Vec<Fault>> = problems
            .iter()
            .map(|problems| problems.iter().map(Fault::from).collect())
            .collect();
        let mut outcomes = Vec::new();
        for ((read, answer), faults) in messages.iter().zip(&answers).zip(&faults) {
            let result = match (&read.outcome, answer) {
                (Ok(message), Some(answer)) => Ok(Answered {
                    message,
                    answer,
                    json: None,
                }),
                _ => Err(faults.as_slice()),
            };
            outcomes.push(Outcome {
                place: &read.place,
                result,
            });
        }
        if whole.is_some() {
            let result = Err(faults.last().unwrap().as_slice());
            outcomes.push(Outcome { place: "", result });
        }
        assert_sound(&composed(&reply(body, &outcomes), looks_like_json(body)));
        for told in outcomes.iter().filter_map(|told| told.result.ok()) {
            let node = resource(&told);
            if node.resource_type() == Some("ClaimResponse") {
                assert_adds_up(&node);
                assert_notes_lead_somewhere(&node, told.answer);
            }
            // Whose it is and what it answers is always told by what the sender sent.
            assert!(
                node.get("request")
                    .is_none_or(|request| request.get("display").is_none()),
                "{path}"
            );
            answered += 1;
        }
    }
    assert!(
        bodies.is_empty() || answered >= 400,
        "only {answered} answered"
    );
    let _ = writeln!(
        std::io::stderr(),
        "answered {answered} messages of {} bodies",
        bodies.len()
    );
}
