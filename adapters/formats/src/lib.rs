//! A provider's wire format ⇄ canonical message. Pure: no I/O, no clock, no store.
//!
//! Whatever arrives goes through [`recognise`] and [`read`]. A format is one folder and one line in
//! [`FORMATS`]; it turns bytes into [`Message`]s, says where in the bytes each of them stands, and puts the
//! hub's answers into the sender's own form ([`Format::answer`]). What must hold in every format (dates in
//! order, links that lead somewhere, amounts that can be real) is checked here, once, after reading. No
//! format may guess what a sender did not say.

use std::io::{self, BufRead};

use takmil_domain::check::check;
use takmil_domain::date::Date;
use takmil_domain::message::Message;
use takmil_domain::money::Currency;
use takmil_domain::problem::{Problem, ProblemCode};

pub use answer::{Answered, Cause, Fault, Outcome, Reply, Written};
pub use parts::{Part, parts};
pub use takmil_domain::check::{MAX_LINES, MAX_PROBLEMS};
pub use write::{Translated, write};

mod answer;
mod cursor;
pub mod en13606;
mod encoding;
pub mod facts;
pub mod fhir;
pub mod hl7v2;
mod lines;
pub mod native;
pub mod ncpdp;
pub mod openehr;
mod parts;
mod peek;
pub mod rows;
pub mod sepas;
pub mod sheet;
pub mod uae;
mod write;
pub mod x12;
mod xml;

/// The largest body that is read, 16 MiB: a claim of [`MAX_LINES`] lines with a kilobyte or more for
/// each. Anything larger is an attachment, which goes by reference.
pub const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

/// The system of the hub's own ids of messages: by one of them a sender may name an earlier message of its own.
pub const MESSAGE_SYSTEM: &str = "urn:takmil:message";

/// How deeply objects and lists may be nested. The deepest message of real senders is near 25; the bound
/// keeps every recursive walk over a body far from the end of a thread's stack.
pub const MAX_DEPTH: usize = 64;

/// Every format that the hub reads. Where two recognise a body and its media type does not settle it,
/// the first wins.
pub const FORMATS: &[Format] = &[
    native::FORMAT,
    fhir::FORMAT,
    hl7v2::FORMAT,
    sepas::FORMAT,
    ncpdp::FORMAT,
    uae::FORMAT,
    x12::FORMAT,
    openehr::FORMAT,
    en13606::FORMAT,
    sheet::FORMAT,
];

/// The formats of history: bills with what their insurers decided of them, read for rehearsals and reports. They are
/// no messages: what stands in one of these alone is never taken from a sender.
pub const HISTORIES: &[Format] = &[fhir::HISTORY, rows::HISTORY];

/// A wire format.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    /// The name in configuration, on the command line and in the record of a message.
    pub name: &'static str,
    /// The media types that senders use for it, in lower case and without parameters.
    pub media_types: &'static [&'static str],
    /// Whether a body looks like this format. Cheap: it reads no more than the body's first 64 KiB.
    pub recognise: fn(&[u8]) -> bool,
    /// Reads a body into messages.
    ///
    /// A problem of the whole body (not text, not well-formed, no message in it) is the error. What is
    /// wrong with one message is that message's outcome and leaves the others alone.
    pub read: fn(&[u8], &Context) -> Result<Reading, Problem>,
    /// Puts what is to be told about a body into the form that its sender expects: one answer for a message
    /// that is the whole body, a collection for a body that is one. Never fails.
    pub answer: fn(&Reply<'_>) -> Written,
    /// Says a message in this format; `None` of a kind that it has no message for. A format without it is only read.
    pub write: Option<fn(&Message, &Context) -> Option<Written>>,
}

/// What a reader must know that the body does not say.
#[derive(Debug, Clone, Copy)]
pub struct Context {
    /// The currency of a message that names none, by agreement with its sender.
    pub default_currency: Option<Currency>,
    /// The day on which the message arrived.
    pub today: Date,
}

/// What a body holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reading {
    /// Its messages, in the order in which they stand.
    pub messages: Vec<Read>,
    /// Pointers to whatever is part of no message: kept in the original, never invented.
    pub unread: Vec<String>,
}

impl Reading {
    /// Changes every place that leads into the body: what was read is a part of a larger one.
    pub(crate) fn relocate(&mut self, change: impl Fn(&mut String)) {
        self.unread.iter_mut().for_each(&change);
        for read in &mut self.messages {
            change(&mut read.place);
            read.origins.iter_mut().for_each(|(_, from)| change(from));
            match &mut read.outcome {
                Ok(message) => message.head.unread.iter_mut().for_each(&change),
                Err(problems) => problems.iter_mut().for_each(|one| change(&mut one.pointer)),
            }
        }
    }
}

/// One message of a body.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// Where the message stands: a JSON pointer into the body, empty where it is the whole body.
    pub place: String,
    /// The message, or everything that is wrong with it; the problems' pointers lead into the body.
    pub outcome: Result<Message, Vec<Problem>>,
    /// Which place of the body a part of the message was read from: (pointer into the canonical JSON,
    /// pointer into the body). Empty where the body is canonical itself.
    pub origins: Vec<(String, String)>,
}

impl Read {
    /// Checks the message, if there is one.
    fn examine(&mut self, context: &Context) {
        let Ok(message) = &self.outcome else { return };
        let mut problems = check(message, context.today);
        for problem in &mut problems {
            problem.pointer = self.locate(&problem.pointer);
        }
        if !problems.is_empty() {
            self.outcome = Err(problems);
        }
    }

    /// The place in the body that `canonical`, a pointer into the message's canonical JSON, was read from.
    ///
    /// It is the origin of the longest part of the pointer that has one: as near as the reader knows.
    /// Where there are no origins at all the body is canonical, and the pointer holds from [`Read::place`] on.
    pub fn locate(&self, canonical: &str) -> String {
        if self.origins.is_empty() {
            return format!("{}{canonical}", self.place);
        }
        let leads_to = |prefix: &str| {
            let rest = canonical.strip_prefix(prefix);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.origins
            .iter()
            .filter(|(prefix, _)| leads_to(prefix))
            .max_by_key(|(prefix, _)| prefix.len())
            .map_or_else(|| self.place.clone(), |(_, source)| source.clone())
    }
}

/// The format of a body: the one that its content shows, and among several of those (or where the content
/// shows none) the one that claims the media type.
pub fn recognise(media_type: Option<&str>, body: &[u8]) -> Option<&'static Format> {
    let essence = media_type
        .and_then(|text| text.split(';').next())
        .map(|text| text.trim().to_ascii_lowercase());
    let claims = |format: &&Format| {
        essence
            .as_deref()
            .is_some_and(|essence| format.media_types.contains(&essence))
    };
    let shows = |format: &&Format| (format.recognise)(body);
    let mut claimants = FORMATS.iter().filter(claims);
    claimants
        .clone()
        .find(shows)
        .or_else(|| FORMATS.iter().find(shows))
        .or_else(|| claimants.next())
}

/// Reads a body in `format` and checks every message that was read.
///
/// # Errors
/// One [`Problem`] of the whole body: too large, or as [`Format::read`] says.
pub fn read(format: &Format, body: &[u8], context: &Context) -> Result<Reading, Problem> {
    fits(body)?;
    let mut reading = (format.read)(body, context)?;
    for read in &mut reading.messages {
        read.examine(context);
    }
    Ok(reading)
}

/// Reads a body of any size as it comes, and gives the messages of each part of it to `sink`: X12 claim by claim, JSON line
/// by line. No more of it is held than the largest message. Places count from the start of the whole; what holds the whole
/// together is told at its end.
///
/// # Errors
/// Those of the source and of `sink`.
pub fn stream(
    format: &Format,
    source: &mut dyn BufRead,
    context: &Context,
    sink: &mut dyn FnMut(Reading) -> io::Result<()>,
) -> io::Result<()> {
    if format.name == x12::FORMAT.name {
        return x12::stream::read(source, context, sink);
    }
    lines::stream(source, |line| read(format, line, context), sink)
}

/// Whether a body that is too large to be read at once, of which this is the start, can be read as it comes.
pub fn is_stream(format: &Format, start: &[u8]) -> bool {
    format.name == x12::FORMAT.name || lines::begin(start)
}

/// Refuses a body that is too large.
fn fits(body: &[u8]) -> Result<(), Problem> {
    if body.len() > MAX_BODY_BYTES {
        let detail = format!("a body has at most {MAX_BODY_BYTES} bytes");
        return Err(Problem::new(ProblemCode::TooLarge, "", detail));
    }
    Ok(())
}
