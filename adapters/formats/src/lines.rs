//! A body of one JSON document a line, as bulk exports are. The place of each is the number of its line, counted from 0:
//! `/4` is the fifth line, as if the body were a list.

use takmil_domain::problem::Problem;

use crate::{Read, Reading};

/// Whether a body is one JSON object a line. No JSON document has an object that ends its first line and another that
/// starts the next.
pub(crate) fn are(body: &[u8]) -> bool {
    let mut starts = numbered(body).map(|(_, line)| line);
    let is_whole = |line: &[u8]| line.starts_with(b"{") && line.ends_with(b"}");
    starts.next().is_some_and(is_whole) && starts.next().is_some_and(|line| line.starts_with(b"{"))
}

/// Reads each line by `document`. What is wrong with a line is its own outcome and leaves the others alone.
pub(crate) fn read(body: &[u8], document: impl Fn(&[u8]) -> Result<Reading, Problem>) -> Reading {
    let mut whole = Reading::default();
    for (number, line) in numbered(body) {
        let under = |place: &mut String| place.insert_str(0, &format!("/{number}"));
        match document(line) {
            Ok(mut reading) => {
                reading.unread.iter_mut().for_each(under);
                whole.unread.append(&mut reading.unread);
                for mut read in reading.messages {
                    under(&mut read.place);
                    read.origins.iter_mut().for_each(|(_, from)| under(from));
                    match &mut read.outcome {
                        Ok(message) => message.head.unread.iter_mut().for_each(under),
                        Err(problems) => {
                            problems.iter_mut().for_each(|one| under(&mut one.pointer))
                        }
                    }
                    whole.messages.push(read);
                }
            }
            Err(mut problem) => {
                under(&mut problem.pointer);
                whole.messages.push(Read {
                    place: format!("/{number}"),
                    outcome: Err(vec![problem]),
                    origins: Vec::new(),
                });
            }
        }
    }
    whole
}

/// The lines that are not blank, with their numbers.
pub(crate) fn numbered(body: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let lines = body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    lines.enumerate().filter(|(_, line)| !line.is_empty())
}
