//! Signed notes, by C2SP `signed-note`: a text, a blank line, and a line for each signature. Checkpoints and promises
//! are notes, so that whatever verifies notes verifies them.

use std::fmt;

use super::hash::{from_base64, to_base64};
use super::key::KeyName;
use crate::date::Instant;

/// No note that means anything here is longer; a longer one is not read.
pub const MAX_NOTE_BYTES: usize = 64 * 1024;

/// A note carries the log's signatures and those of its witnesses; more would only cost time to check.
pub const MAX_SIGNATURES: usize = 64;

/// What opens a signature line: an em dash and a space.
const SIGNATURE_MARK: &str = "\u{2014} ";

/// A signature, by whoever its line names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The name of the key.
    pub name: KeyName,
    /// The id of the key.
    pub id: u32,
    /// The bytes that the key's algorithm makes.
    pub bytes: Vec<u8>,
}

impl Signature {
    /// Reads a line without its end.
    pub fn parse(line: &str) -> Option<Signature> {
        let (name, bytes) = line.strip_prefix(SIGNATURE_MARK)?.split_once(' ')?;
        let bytes = from_base64(bytes)?;
        let (id, bytes) = bytes.split_first_chunk()?;
        Some(Signature {
            name: KeyName::parse(name)?,
            id: u32::from_be_bytes(*id),
            bytes: bytes.to_vec(),
        })
    }

    /// The time that a cosignature says it was made at. It means something only where the signature holds.
    pub fn time(&self) -> Option<Instant> {
        let (seconds, _) = self.stamp()?;
        let micros = i64::try_from(seconds).ok()?.checked_mul(1_000_000)?;
        Some(Instant(micros))
    }

    /// The seconds of a cosignature, and what follows them.
    pub(super) fn stamp(&self) -> Option<(u64, &[u8])> {
        let (seconds, rest) = self.bytes.split_first_chunk()?;
        Some((u64::from_be_bytes(*seconds), rest))
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [self.id.to_be_bytes().as_slice(), &self.bytes].concat();
        write!(f, "{SIGNATURE_MARK}{} {}", self.name, to_base64(&bytes))
    }
}

/// A text with signatures, verified or not. `Display` is its spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The text, up to and with the end of its last line.
    pub text: String,
    /// Who signed it, or says so.
    pub signatures: Vec<Signature>,
}

impl Note {
    /// Reads a note.
    pub fn parse(note: &str) -> Option<Note> {
        let plain = |text: &str| !text.contains(|letter: char| letter < ' ' && letter != '\n');
        if note.len() > MAX_NOTE_BYTES || !plain(note) {
            return None;
        }
        let (text, lines) = note.rsplit_once("\n\n")?;
        let signatures: Option<Vec<Signature>> = lines
            .strip_suffix('\n')?
            .split('\n')
            .take(MAX_SIGNATURES.saturating_add(1))
            .map(Signature::parse)
            .collect();
        let signatures = signatures.filter(|all| all.len() <= MAX_SIGNATURES)?;
        Some(Note {
            text: format!("{text}\n"),
            signatures,
        })
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures
            .iter()
            .try_for_each(|signature| writeln!(f, "{signature}"))
    }
}
