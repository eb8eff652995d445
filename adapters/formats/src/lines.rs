//! A body of one JSON document a line, as bulk exports are. The place of each is the number of its line, counted from 0:
//! `/4` is the fifth line, as if the body were a list.

use std::io::{self, BufRead, Read as _};

use takmil_domain::problem::Problem;

use crate::{MAX_BODY_BYTES, Read, Reading};

/// Whether a body is one JSON object a line. No JSON document has an object that ends its first line and another that
/// starts the next.
pub(crate) fn are(body: &[u8]) -> bool {
    let mut starts = numbered(body).map(|(_, line)| line);
    let is_whole = |line: &[u8]| line.starts_with(b"{") && line.ends_with(b"}");
    starts.next().is_some_and(is_whole) && starts.next().is_some_and(|line| line.starts_with(b"{"))
}

/// Whether a body of which this is the start may be JSON lines: its first line is an object.
pub(crate) fn begin(start: &[u8]) -> bool {
    let first = numbered(start).next();
    first.is_some_and(|(_, line)| line.starts_with(b"{") && line.ends_with(b"}"))
}

/// Reads each line by `document`. What is wrong with a line is its own outcome and leaves the others alone.
pub(crate) fn read(body: &[u8], document: impl Fn(&[u8]) -> Result<Reading, Problem>) -> Reading {
    let mut whole = Reading::default();
    for (number, line) in numbered(body) {
        let mut reading = one(number, line, &document);
        whole.unread.append(&mut reading.unread);
        whole.messages.append(&mut reading.messages);
    }
    whole
}

/// Reads lines as they come, one after the other, and gives what each comes to to `sink`.
///
/// # Errors
/// Those of the source and of `sink`.
pub(crate) fn stream(
    source: &mut dyn BufRead,
    document: impl Fn(&[u8]) -> Result<Reading, Problem>,
    sink: &mut dyn FnMut(Reading) -> io::Result<()>,
) -> io::Result<()> {
    // One byte more than is read: then it is the document's to say that it is too large.
    let most = u64::try_from(MAX_BODY_BYTES + 1).unwrap_or(u64::MAX);
    for number in 0.. {
        let mut line = Vec::new();
        let mut bounded = (&mut *source).take(most);
        if bounded.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if line.len() > MAX_BODY_BYTES && !line.ends_with(b"\n") {
            source.skip_until(b'\n')?;
        }
        let start = match number {
            0 => line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line),
            _ => &line,
        };
        if !start.trim_ascii().is_empty() {
            sink(one(number, start.trim_ascii(), &document))?;
        }
    }
    Ok(())
}

fn one(
    number: usize,
    line: &[u8],
    document: &impl Fn(&[u8]) -> Result<Reading, Problem>,
) -> Reading {
    let mut reading = document(line).unwrap_or_else(|problem| Reading {
        messages: vec![Read {
            place: String::new(),
            outcome: Err(vec![problem]),
            origins: Vec::new(),
        }],
        unread: Vec::new(),
    });
    reading.relocate(|at| at.insert_str(0, &format!("/{number}")));
    reading
}

/// The lines that are not blank, with their numbers.
pub(crate) fn numbered(body: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let lines = body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    lines.enumerate().filter(|(_, line)| !line.is_empty())
}
