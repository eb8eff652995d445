//! A body of many messages, parted so that each part is read for itself.

use std::borrow::Cow;

use takmil_domain::problem::Problem;

use crate::{lines, sheet};

/// A part of a body: a body of its own, in the same format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<'b> {
    /// The line of the whole on which it begins, from 1.
    pub line: u64,
    /// Its bytes.
    pub body: Cow<'b, [u8]>,
}

/// The parts of a body: each line of JSON lines, each bill of a sheet; any other body is one part.
///
/// # Errors
/// A problem of a sheet as a whole.
pub fn parts(body: &[u8]) -> Result<Vec<Part<'_>>, Problem> {
    if lines::are(body) {
        let part = |(number, line): (usize, _)| Part {
            line: u64::try_from(number).map_or(u64::MAX, |number| number.saturating_add(1)),
            body: Cow::Borrowed(line),
        };
        return Ok(lines::numbered(body).map(part).collect());
    }
    if (sheet::FORMAT.recognise)(body) {
        let parts = sheet::parts(body)?.into_iter();
        let part = |(line, body): (u64, Vec<u8>)| Part {
            line,
            body: body.into(),
        };
        return Ok(parts.map(part).collect());
    }
    Ok(vec![Part {
        line: 1,
        body: body.into(),
    }])
}
