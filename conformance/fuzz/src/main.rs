//! Bodies that nobody would send, for one wire format (`TAKMIL_FUZZ_FORMAT`), or for whichever the body looks like.
//!
//! Whatever comes, the reader does not panic and stays within its bounds; what it takes says the same once more in the
//! canonical form; and the format has an answer to everything.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use takmil_domain::answer::Answer;
use takmil_domain::date::{Date, Instant};
use takmil_domain::ids::MessageId;
use takmil_domain::life::State;
use takmil_domain::message::Message;
use takmil_domain::money::Currency;
use takmil_domain::text::normalise;
use takmil_formats::{
    Answered, Context, FORMATS, Fault, Format, HISTORIES, Outcome, Reply, native, read, recognise,
};

static FORMAT: LazyLock<Option<&'static Format>> = LazyLock::new(|| {
    let name = std::env::var("TAKMIL_FUZZ_FORMAT").ok()?;
    let mut known = FORMATS.iter().chain(HISTORIES);
    let found = known.find(|format| format.name == name);
    assert!(found.is_some(), "there is no format {name}");
    found
});

static CONTEXT: LazyLock<Context> = LazyLock::new(|| Context {
    default_currency: Currency::parse("IRR"),
    today: Date::parse("2026-06-01").expect("a day"),
});

fuzz_target!(|body: &[u8]| {
    let Some(format) = FORMAT.or_else(|| recognise(None, body)) else {
        return;
    };
    let reading = match read(format, body, &CONTEXT) {
        Ok(reading) => reading,
        Err(problem) => {
            answer(format, body, &[(String::new(), Err(vec![problem]))]);
            return;
        }
    };
    let mut outcomes = Vec::new();
    for own in reading.messages {
        if let Ok(message) = &own.outcome {
            is_kept(message);
            for writable in FORMATS.iter().filter(|format| format.write.is_some()) {
                // What it cannot say it tells.
                let _ = takmil_formats::write(writable, message, &CONTEXT);
            }
        }
        outcomes.push((own.place, own.outcome));
    }
    answer(format, body, &outcomes);
});

/// What was taken is the same, but for the spelling of its texts, when it is read from its canonical form. That leaves
/// nothing to be agreed on.
fn is_kept(message: &Message) {
    let as_it_stands = Context {
        default_currency: None,
        ..*CONTEXT
    };
    let written = native::write(message);
    let again = read(&native::FORMAT, &written, &as_it_stands);
    let again = again.map(|reading| reading.messages.into_iter().map(|own| own.outcome));
    let again: Option<Vec<_>> = again.ok().map(Iterator::collect);
    assert!(
        matches!(again.as_deref(), Some([Ok(again)]) if spelt(again) == spelt(message)),
        "not kept: {} became {again:?}",
        String::from_utf8_lossy(&written),
    );
}

/// The message with its texts in one spelling, without spaces: native messages are respelt where they are read.
fn spelt(message: &Message) -> Value {
    fn respell(value: &mut Value) {
        match value {
            Value::String(text) => *text = normalise(text).replace(' ', ""),
            Value::Array(items) => items.iter_mut().for_each(respell),
            Value::Object(members) => members.values_mut().for_each(respell),
            _ => {}
        }
    }
    let mut value = serde_json::to_value(message).expect("a message is JSON");
    respell(&mut value);
    value
}

fn answer(
    format: &Format,
    body: &[u8],
    outcomes: &[(String, Result<Message, Vec<takmil_domain::problem::Problem>>)],
) {
    let faults: Vec<Vec<Fault<'_>>> = outcomes
        .iter()
        .map(|(_, outcome)| match outcome {
            Ok(_) => Vec::new(),
            Err(problems) => problems.iter().map(Fault::from).collect(),
        })
        .collect();
    let answers: Vec<Option<Answer>> = outcomes
        .iter()
        .map(|(_, outcome)| outcome.as_ref().ok().map(taken))
        .collect();
    let told: Vec<Outcome<'_>> = outcomes
        .iter()
        .zip(&faults)
        .zip(&answers)
        .map(|(((place, outcome), faults), answer)| Outcome {
            place,
            result: match (outcome, answer) {
                (Ok(message), Some(answer)) => Ok(Answered {
                    message,
                    answer,
                    json: None,
                }),
                _ => Err(faults),
            },
        })
        .collect();
    let written = (format.answer)(&Reply {
        body,
        hub: "https://hub.example",
        request: "01980000-0000-7000-8000-000000000000",
        outcomes: &told,
    });
    assert!(!written.bytes.is_empty(), "there is always an answer");
}

/// The plainest answer.
fn taken(message: &Message) -> Answer {
    Answer {
        id: MessageId::parse("01980000-0000-7000-8000-000000000000").expect("an id"),
        kind: message.kind(),
        state: State::Recorded,
        received_at: Instant(0),
        answered_at: Instant(0),
        reasons: Vec::new(),
        covers: Vec::new(),
        decision: None,
        findings: Vec::new(),
        notes: Vec::new(),
        appeals: Vec::new(),
        letter: None,
        unmapped: Vec::new(),
    }
}
