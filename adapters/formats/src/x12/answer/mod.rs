//! Answers: a TA1 where an interchange is broken, else a 999 (997 for 4010) for each of its groups, and what the hub
//! decided on each message in the transaction that answers its kind: 271 to 270, 277 to 837 and 276, 278 to 278.
//!
//! Everything is derived from the request and the answers: separators, senders and receivers changed about, control
//! numbers. What is told as of a time is told as of the answer's own.

mod acknowledge;
mod business;
mod status;
pub(super) mod writer;

use self::writer::Writer;
use super::envelope::{Interchange, survey};
use super::{interchange_place, text_of};
use crate::{Reply, Written};

/// The media type of X12.
pub(super) const MEDIA_TYPE: &str = "application/edi-x12";

/// Writes a reply.
pub(super) fn write(reply: &Reply<'_>) -> Written {
    let body = text_of(reply.body).unwrap_or_default();
    let found = survey(&body);
    let mut text = String::new();
    for (at, interchange) in found
        .iter()
        .flat_map(|found| &found.interchanges)
        .enumerate()
    {
        let place = interchange_place(at + 1);
        text.push_str(&answer(reply, interchange, &place));
    }
    if text.is_empty() {
        text = unreadable(reply);
    }
    Written {
        media_type: MEDIA_TYPE,
        bytes: text.into_bytes(),
    }
}

/// The interchange that answers one.
fn answer(reply: &Reply<'_>, interchange: &Interchange<'_>, place: &str) -> String {
    let mut writer = Writer::answering(&interchange.isa);
    // A refusal of the whole body or of the request around it is told of each interchange.
    let whole = reply
        .outcomes
        .iter()
        .find(|outcome| outcome.place.is_empty());
    let refused = whole.and_then(|outcome| outcome.result.err());
    let note = interchange.broken.map(|(code, _)| code);
    if note.is_some() || refused.is_some() || interchange.isa.element(14) == "1" {
        let note = note.unwrap_or(if refused.is_some() { "024" } else { "000" });
        writer.acknowledge(&interchange.isa, note);
    }
    if interchange.broken.is_none() && refused.is_none() {
        acknowledge::write(reply, interchange, place, &mut writer);
        business::write(reply, interchange, place, &mut writer);
    }
    writer.finish()
}

/// What is told of a body that is no interchange: a TA1 from nobody to nobody, whose note says why.
fn unreadable(reply: &Reply<'_>) -> String {
    // An ISA of too few or too many bytes is the usual cause; that of bytes that are no text is the content.
    let note = match text_of(reply.body) {
        Ok(_) => "022",
        Err(_) => "024",
    };
    let mut writer = Writer::unasked();
    writer.unread(note);
    writer.finish()
}
