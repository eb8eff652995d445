//! A body of many messages, parted so that each part is read for itself.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use takmil_domain::problem::Problem;

use crate::sheet;

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
    if is_json_lines(body) {
        let lines = (1..).zip(body.split(|byte| *byte == b'\n'));
        let parts = lines.map(|(line, text)| Part {
            line,
            body: text.trim_ascii().into(),
        });
        return Ok(parts.filter(|part| !part.body.is_empty()).collect());
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

/// Whether a body is JSON lines: its first line is a whole object, and more follows.
fn is_json_lines(body: &[u8]) -> bool {
    let body = body.trim_ascii();
    let Some(end) = body.iter().position(|byte| *byte == b'\n') else {
        return false;
    };
    let first = body.get(..end).unwrap_or_default();
    first.starts_with(b"{") && serde_json::from_slice::<IgnoredAny>(first).is_ok()
}
