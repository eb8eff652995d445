//! The body of a turn: what was sent, as it came and as it was understood, and what was answered. They tell the same
//! in several ways, so they are compressed and sealed as one. Later turns have an answer alone.

use takmil_domain::ids::MessageId;

use crate::column::Row;
use crate::error::StoreError;
use crate::keys::{Part, Sealed};
use crate::seal::OwnerKey;

const UNREADABLE: StoreError = StoreError::Unreadable { what: "a body" };

/// A body to be kept.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Body<'a> {
    pub(crate) original: &'a [u8],
    pub(crate) canonical: &'a [u8],
    pub(crate) answer: &'a str,
}

/// A body that was kept: the lengths of the first two parts (32 bits each, big-endian), and the parts.
#[derive(Debug)]
pub(crate) struct Opened {
    parts: Vec<u8>,
    canonical: usize,
    answer: usize,
}

impl Body<'_> {
    pub(crate) fn seal(
        &self,
        key: &OwnerKey,
        message: MessageId,
        turn: u32,
    ) -> Result<Sealed, StoreError> {
        let Body {
            original,
            canonical,
            answer,
        } = *self;
        let length = |part: &[u8]| u32::try_from(part.len()).map_err(|_| UNREADABLE);
        let lengths = [length(original)?, length(canonical)?].map(u32::to_be_bytes);
        let whole = [
            lengths.as_flattened(),
            original,
            canonical,
            answer.as_bytes(),
        ]
        .concat();
        Sealed::of(key, message, Part::Body(turn), &whole)
    }
}

impl Opened {
    pub(crate) fn of(
        key: &OwnerKey,
        message: MessageId,
        turn: u32,
        sealed: &[u8],
    ) -> Result<Opened, StoreError> {
        let mut parts = Sealed::open(key, message, Part::Body(turn), sealed)?;
        let (lengths, _) = parts.split_first_chunk::<8>().ok_or(UNREADABLE)?;
        let lengths = u64::from_be_bytes(*lengths);
        let length = |of: u64| usize::try_from(of & u64::from(u32::MAX)).map_err(|_| UNREADABLE);
        let (original, canonical) = (length(lengths >> 32)?, length(lengths)?);
        parts.drain(..8);
        let answer = original.checked_add(canonical);
        let answer = answer.filter(|answer| *answer <= parts.len());
        Ok(Opened {
            parts,
            canonical: original,
            answer: answer.ok_or(UNREADABLE)?,
        })
    }

    /// The body of a row that has one, as "body", with its turn's "number".
    pub(crate) fn of_row(
        row: &Row,
        key: &OwnerKey,
        message: MessageId,
    ) -> Result<Opened, StoreError> {
        Opened::of(key, message, row.number("number")?, row.bytes("body")?)
    }

    /// What was sent, as it came.
    pub(crate) fn original(mut self) -> Vec<u8> {
        self.parts.truncate(self.canonical);
        self.parts
    }

    /// What was sent, as it was understood.
    pub(crate) fn canonical(mut self) -> Vec<u8> {
        self.parts.truncate(self.answer);
        self.parts.split_off(self.canonical)
    }

    /// What was answered.
    pub(crate) fn answer(mut self) -> Result<String, StoreError> {
        String::from_utf8(self.parts.split_off(self.answer)).map_err(|_| UNREADABLE)
    }
}

/// What was sent with a message's first turn, whose body is "taken", as it was understood, and what was answered with
/// the turn of [`Opened::of_row`].
pub(crate) fn sent_and_answered(
    row: &Row,
    key: &OwnerKey,
    message: MessageId,
) -> Result<(Vec<u8>, String), StoreError> {
    let taken = Opened::of(key, message, 1, row.bytes("taken")?)?;
    let answer = Opened::of_row(row, key, message)?.answer()?;
    Ok((taken.canonical(), answer))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn the_parts_of_a_body_come_back_apart_and_in_their_place_alone() {
        let key = OwnerKey::new([1; 32]);
        let message = MessageId(uuid::Uuid::from_bytes([2; 16]));
        for (original, canonical, answer) in [("sent", "نسخه", "answered"), ("", "", "")] {
            let body = Body {
                original: original.as_bytes(),
                canonical: canonical.as_bytes(),
                answer,
            };
            let sealed = body.seal(&key, message, 3).unwrap();
            let opened = || Opened::of(&key, message, 3, sealed.as_bytes()).unwrap();
            assert_eq!(opened().original(), original.as_bytes());
            assert_eq!(opened().canonical(), canonical.as_bytes());
            assert_eq!(opened().answer().unwrap(), answer);
            assert!(Opened::of(&key, message, 2, sealed.as_bytes()).is_err());
        }
    }

    #[test]
    fn lengths_beyond_the_body_are_an_error() {
        let (key, message) = (OwnerKey::new([1; 32]), MessageId(uuid::Uuid::nil()));
        for contents in [&b""[..], &[0; 7], &[0, 0, 0, 9, 0, 0, 0, 0, 1], &[255; 16]] {
            let sealed = Sealed::of(&key, message, Part::Body(1), contents).unwrap();
            assert!(Opened::of(&key, message, 1, sealed.as_bytes()).is_err());
        }
    }
}
