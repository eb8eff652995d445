//! Answers as the hub's own JSON: the answer itself to a message that is the whole body, else
//! `{"results": [{"place", "answer" | "problems"}]}` with one result for each message, in their order.

use serde::Serialize;
use takmil_domain::answer::Answer;

use crate::{Fault, Outcome, Reply, Written};

#[derive(Serialize)]
struct Results<'a> {
    results: Vec<Told<'a>>,
}

#[derive(Serialize)]
struct Told<'a> {
    place: &'a str,
    #[serde(flatten)]
    what: What<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum What<'a> {
    Answer(&'a Answer),
    Problems(&'a [Fault<'a>]),
}

/// Writes a reply.
pub(super) fn write(reply: &Reply<'_>) -> Written {
    let bytes = match reply.outcomes {
        [
            Outcome {
                place: "",
                result: Ok(answered),
            },
        ] => match answered.json {
            Some(json) => Ok(json.into()),
            None => serde_json::to_vec(answered.answer),
        },
        outcomes => serde_json::to_vec(&Results {
            results: outcomes.iter().map(told).collect(),
        }),
    };
    #[expect(
        clippy::expect_used,
        reason = "an answer has no part that JSON cannot say"
    )]
    let bytes = bytes.expect("an answer is JSON");
    Written {
        media_type: "application/json",
        bytes,
    }
}

fn told<'a>(outcome: &Outcome<'a>) -> Told<'a> {
    Told {
        place: outcome.place,
        what: match outcome.result {
            Ok(answered) => What::Answer(answered.answer),
            Err(faults) => What::Problems(faults),
        },
    }
}
