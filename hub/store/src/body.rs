//! The body of a turn: what was sent, with a message's first turn, and what was answered. Both are compressed each by
//! itself (what was sent before its turn comes, and neither is longer than the dictionary serves well), and sealed as
//! one.

use takmil_domain::ids::MessageId;

use crate::column::Row;
use crate::compressed::{compress, decompress};
use crate::error::StoreError;
use crate::keys::{Part, Sealed};
use crate::seal::OwnerKey;

const UNREADABLE: StoreError = StoreError::Unreadable { what: "a body" };

/// What was sent, as it came and as it was understood: compressed together, for they say the same.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sent(Vec<u8>);

impl Sent {
    /// Compresses a message as it came, and its canonical JSON.
    ///
    /// # Errors
    /// [`StoreError::Compression`] if memory runs out.
    pub fn new(original: &[u8], canonical: &[u8]) -> Result<Sent, StoreError> {
        compress(&joined(original, canonical)?).map(Sent)
    }
}

/// Seals the body of a turn.
pub(crate) fn seal(
    key: &OwnerKey,
    (message, turn): (MessageId, u32),
    sent: &Sent,
    answer: &str,
) -> Result<Sealed, StoreError> {
    let body = joined(&sent.0, &compress(answer.as_bytes())?)?;
    Sealed::of(key, message, Part::Body(turn), &body)
}

/// A body that was kept, with the compressed parts apart.
#[derive(Debug)]
pub(crate) struct Opened {
    sent: Vec<u8>,
    answer: Vec<u8>,
}

impl Opened {
    pub(crate) fn of(
        key: &OwnerKey,
        message: MessageId,
        turn: u32,
        sealed: &[u8],
    ) -> Result<Opened, StoreError> {
        let (sent, answer) = apart(Sealed::open(key, message, Part::Body(turn), sealed)?)?;
        Ok(Opened { sent, answer })
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
    pub(crate) fn original(&self) -> Result<Vec<u8>, StoreError> {
        Ok(apart(decompress(&self.sent)?)?.0)
    }

    /// What was sent, as it was understood.
    pub(crate) fn canonical(&self) -> Result<Vec<u8>, StoreError> {
        Ok(apart(decompress(&self.sent)?)?.1)
    }

    /// What was answered.
    pub(crate) fn answer(&self) -> Result<String, StoreError> {
        String::from_utf8(decompress(&self.answer)?).map_err(|_| UNREADABLE)
    }
}

/// Two parts as one: the length of the first (32 bits, big-endian), and both.
fn joined(first: &[u8], second: &[u8]) -> Result<Vec<u8>, StoreError> {
    let length = u32::try_from(first.len()).map_err(|_| UNREADABLE)?;
    Ok([length.to_be_bytes().as_slice(), first, second].concat())
}

fn apart(mut both: Vec<u8>) -> Result<(Vec<u8>, Vec<u8>), StoreError> {
    let (length, _) = both.split_first_chunk::<4>().ok_or(UNREADABLE)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| UNREADABLE)?;
    both.drain(..4);
    if length > both.len() {
        return Err(UNREADABLE);
    }
    let second = both.split_off(length);
    Ok((both, second))
}

/// What was sent with a message's first turn, whose body is "taken", as it was understood, and what was answered with
/// the turn of [`Opened::of_row`].
pub(crate) fn sent_and_answered(
    row: &Row,
    key: &OwnerKey,
    message: MessageId,
) -> Result<(Vec<u8>, String), StoreError> {
    let taken = Opened::of(key, message, 1, row.bytes("taken")?)?;
    let answer = match row.number::<u32>("number")? {
        1 => taken.answer()?,
        _ => Opened::of_row(row, key, message)?.answer()?,
    };
    Ok((taken.canonical()?, answer))
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
            let sent = Sent::new(original.as_bytes(), canonical.as_bytes()).unwrap();
            let sealed = seal(&key, (message, 3), &sent, answer).unwrap();
            let opened = Opened::of(&key, message, 3, sealed.as_bytes()).unwrap();
            assert_eq!(opened.original().unwrap(), original.as_bytes());
            assert_eq!(opened.canonical().unwrap(), canonical.as_bytes());
            assert_eq!(opened.answer().unwrap(), answer);
            assert!(Opened::of(&key, message, 2, sealed.as_bytes()).is_err());
        }
        // A later turn has nothing that was sent.
        let sealed = seal(&key, (message, 3), &Sent::default(), "answered").unwrap();
        let opened = Opened::of(&key, message, 3, sealed.as_bytes()).unwrap();
        assert!(opened.canonical().is_err());
        assert_eq!(opened.answer().unwrap(), "answered");
    }

    #[test]
    fn a_length_beyond_the_body_is_an_error() {
        for both in [&b""[..], &[0; 3], &[0, 0, 0, 2, 1], &[255; 16]] {
            assert!(apart(both.to_vec()).is_err());
        }
    }
}
