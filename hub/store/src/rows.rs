//! The batch row source: how one statement takes many rows.
//!
//! Every statement over many rows is made by [`over!`], which names the columns of its rows once and gives
//! them to the statement as the table `batch`. The rows are bound as one JSON array ($1); what is too heavy
//! for JSON lies in one [`Heap`] of bytes ($2), of which the rows name their slices. Only this file knows that
//! the database reads them by `json_each`.

use serde::{Serialize, Serializer};
use takmil_domain::ids::{AccountId, DeliveryId, MemberId, MessageId};
use uuid::Uuid;

/// A static statement over rows: `over!(name kind, …; "statement")`. The statement reads from `batch`, whose
/// columns are the named ones and `place`, the row's number from 0.
///
/// Kinds: `text`, `integer`, `bytes` (written as hexadecimal), `heavy_bytes` and `heavy_text` (slices of the heap).
macro_rules! over {
    ($($name:ident $kind:ident),+ ; $($sql:expr),+) => {
        concat!(
            "with batch as (select key as place",
            $(", ", $crate::rows::column!($kind $name), " as ", stringify!($name)),+,
            " from json_each($1)) ",
            $($sql),+
        )
    };
}

macro_rules! column {
    (text $name:ident) => {
        concat!("value ->> '", stringify!($name), "'")
    };
    (integer $name:ident) => {
        concat!("value ->> '", stringify!($name), "'")
    };
    (bytes $name:ident) => {
        concat!("unhex(value ->> '", stringify!($name), "')")
    };
    (heavy_bytes $name:ident) => {
        concat!(
            "substr($2, value ->> '$.", stringify!($name), "[0]', value ->> '$.", stringify!($name), "[1]')"
        )
    };
    (heavy_text $name:ident) => {
        concat!("cast(", $crate::rows::column!(heavy_bytes $name), " as text)")
    };
}

pub(crate) use {column, over};

/// Bytes in a row.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Hex<const N: usize>(pub(crate) [u8; N]);

impl<const N: usize> Serialize for Hex<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |value: u8| char::from(DIGITS.get(usize::from(value)).copied().unwrap_or(b'0'));
        let mut text = String::with_capacity(2 * N);
        for byte in self.0 {
            text.push(digit(byte >> 4));
            text.push(digit(byte & 15));
        }
        serializer.serialize_str(&text)
    }
}

/// An id in a row.
pub(crate) type Id = Hex<16>;

impl From<Uuid> for Id {
    fn from(uuid: Uuid) -> Id {
        Hex(uuid.into_bytes())
    }
}

macro_rules! from_ids {
    ($($name:ident)+) => {$(
        impl From<$name> for Id {
            fn from(id: $name) -> Id {
                id.0.into()
            }
        }
    )+};
}

from_ids!(AccountId DeliveryId MemberId MessageId);

/// What is too heavy for JSON: one run of bytes, of which rows name their slices.
#[derive(Debug, Default)]
pub(crate) struct Heap(Vec<u8>);

/// A slice of the heap: its place, from 1, and its length.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Slice(usize, usize);

impl Heap {
    /// Lays bytes on the heap.
    pub(crate) fn lay(&mut self, bytes: &[u8]) -> Slice {
        let slice = Slice(self.0.len() + 1, bytes.len());
        self.0.extend_from_slice(bytes);
        slice
    }

    /// The bytes, to be bound.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Rows as they are bound.
pub(crate) fn json<R: Serialize>(rows: &[R]) -> Result<String, sqlx::Error> {
    serde_json::to_string(rows).map_err(|error| sqlx::Error::Encode(error.into()))
}
