//! ASC X12: claims (837 professional, institutional and dental), questions about cover (270) and requests for review
//! (278), in versions 4010 and 5010; answered by TA1, 999 or 997, and by 271, 277 and 278.
//!
//! A place in a body is `/interchange/1/group/1/transaction/2/segment/18/element/3`: all counted from 1 as the 999
//! counts them, the ST being the first segment of its transaction. The place of a message is its first segment: the CLM
//! of a claim, the EQ of a question, the HL or UM of a request.

mod answer;
mod codes;
mod envelope;
mod read;
mod remittance;
mod structure;
mod token;

use takmil_domain::settlement::{Due, Payment};

use crate::{Format, Written};

/// The format.
pub const FORMAT: Format = Format {
    name: "x12",
    media_types: &["application/edi-x12", "application/x12", "text/x12"],
    recognise,
    read: read::read,
    answer: answer::write,
    write: None,
};

/// Writes a payment as an 835. `dues` are those of the claims that it has reached: they tell what was asked, what the base
/// insurer pays, and what is not paid by this payment.
pub fn payment(payment: &Payment, dues: &[Due]) -> Written {
    remittance::write(payment, dues)
}

fn recognise(body: &[u8]) -> bool {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let body = body.trim_ascii_start();
    // Too short or crooked an ISA is this format's to refuse.
    body.starts_with(b"ISA")
        && body
            .get(3)
            .is_some_and(|byte| !byte.is_ascii_alphanumeric())
}

/// The text of a body, without a byte order mark.
fn text_of(body: &[u8]) -> Result<&str, &'static str> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    std::str::from_utf8(body).map_err(|_| "the body is not text in UTF-8")
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
