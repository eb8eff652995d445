//! ASC X12: claims (837 professional, institutional and dental), questions about cover (270) and about how claims stand
//! (276), and requests for review (278), in versions 4010 and 5010; answered by TA1, 999 or 997, and by 271, 277 and 278.
//!
//! A place in a body is `/interchange/1/group/1/transaction/2/segment/18/element/3`: all counted from 1 as the 999
//! counts them, the ST being the first segment of its transaction. The place of a message is its first segment: the CLM
//! of a claim, the EQ or TRN of a question, the HL or UM of a request.

mod answer;
mod codes;
mod envelope;
mod read;
mod remittance;
pub(crate) mod stream;
mod structure;
mod token;

use std::borrow::Cow;

use takmil_domain::problem::{Problem, ProblemCode};
use takmil_domain::settlement::{Due, Payment};

use crate::{Context, Format, Reading, Written, encoding};

/// The format.
pub const FORMAT: Format = Format {
    name: "x12",
    media_types: &["application/edi-x12", "application/x12", "text/x12"],
    recognise,
    read: read::read,
    answer: answer::write,
    write: None,
};

/// Reads the questions of a body about how claims stand (276), each as an example of the claims that it asks about: the
/// numbers by which they were sent or taken, the member, the provider, the days.
///
/// # Errors
/// One [`Problem`] of the whole body. What is wrong with one question is its own outcome.
pub fn inquiries(body: &[u8], context: &Context) -> Result<Reading, Problem> {
    crate::fits(body)?;
    let reading = read::inquiries(body, context)?;
    if reading.messages.len() > MAX_QUESTIONS {
        let detail = format!("a body asks at most {MAX_QUESTIONS} questions");
        return Err(Problem::new(ProblemCode::TooLarge, "", detail));
    }
    Ok(reading)
}

/// Writes a payment as an 835. `dues` are those of the claims that it has reached: they tell what was asked, what the base
/// insurer pays, and what is not paid by this payment.
pub fn payment(payment: &Payment, dues: &[Due]) -> Written {
    remittance::write(payment, dues)
}

/// How many questions one 276 may ask: each is looked up for itself while its sender waits. Guides of payers that answer at
/// once allow fewer.
const MAX_QUESTIONS: usize = 100;

/// How much of a body is looked at for its ISA.
const WINDOW: usize = 256;

fn recognise(body: &[u8]) -> bool {
    let skipped =
        |byte: &u8| matches!(byte, 0xef | 0xbb | 0xbf | 0xff | 0xfe) || byte.is_ascii_whitespace();
    let start = body.iter().position(|byte| *byte != 0 && !skipped(byte));
    let rest = body.get(start.unwrap_or(body.len())..).unwrap_or_default();
    let window = rest.iter().take(WINDOW);
    // In UTF-16 every other byte is zero for the letters that matter here.
    let plain: Vec<u8> = window.copied().filter(|byte| *byte != 0).collect();
    // Too short or crooked an ISA is this format's to refuse.
    plain.starts_with(b"ISA")
        && plain
            .get(3)
            .is_some_and(|byte| !byte.is_ascii_alphanumeric())
}

/// The text of a body: UTF-8, or UTF-16 by its byte order mark or its zero bytes. X12 has no place to name another
/// encoding in, and none is guessed.
fn text_of(body: &[u8]) -> Result<Cow<'_, str>, Problem> {
    encoding::decode(body, None)
}

/// The place of an interchange, counted from 1.
fn interchange_place(number: usize) -> String {
    format!("/interchange/{number}")
}

/// The place of a group in its interchange's.
fn group_place(interchange: &str, number: usize) -> String {
    format!("{interchange}/group/{number}")
}

/// The place of a transaction in its group's.
fn transaction_place(group: &str, number: usize) -> String {
    format!("{group}/transaction/{number}")
}
