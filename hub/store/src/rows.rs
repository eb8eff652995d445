//! The batch row source: how one statement takes many rows.
//!
//! Every statement over many rows is made by [`over!`], which names the columns of its rows once and gives
//! them to the statement as the table `batch`. The rows are bound as one JSON array of arrays ($1); what is
//! too heavy for JSON lies in one [`Heap`] of bytes ($2), of which the rows name their slices. Only this file
//! knows how the database reads them. `jsonb_each` over arrays costs about a third of `json_each` over
//! objects, and hardly more than binding row by row.

use serde::{Serialize, Serializer};
use takmil_domain::ids::{AccountId, DeliveryId, MemberId, MessageId};
use uuid::Uuid;

/// A static statement over rows: `over!(name kind, …; "statement")`. The statement reads from `batch`, whose
/// columns are the named ones, in the order of the rows' elements, and `place`, the row's number from 0.
///
/// Kinds: `text`, `integer`, `bytes` (written as hexadecimal), `heavy_bytes` and `heavy_text` (slices of the heap).
macro_rules! over {
    ($($name:ident $kind:ident),+ ; $($sql:expr),+) => {
        concat!(
            "with batch as (select key as place",
            $crate::rows::columns!([0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15] $($name $kind)+),
            " from jsonb_each($1)) ",
            $($sql),+
        )
    };
}

/// Columns under their names, each read from its place in the row.
macro_rules! columns {
    ([$($places:literal)*]) => { "" };
    ([$place:literal $($places:literal)*] $name:ident $kind:ident $($rest:tt)*) => {
        concat!(
            ", ", $crate::rows::column!($kind $place), " as ", stringify!($name),
            $crate::rows::columns!([$($places)*] $($rest)*)
        )
    };
}

macro_rules! column {
    (text $place:literal) => {
        concat!("value ->> ", $place)
    };
    (integer $place:literal) => {
        concat!("value ->> ", $place)
    };
    (bytes $place:literal) => {
        concat!("unhex(value ->> ", $place, ")")
    };
    (heavy_bytes $place:literal) => {
        concat!("substr($2, value ->> '$[", $place, "][0]', value ->> '$[", $place, "][1]')")
    };
    (heavy_text $place:literal) => {
        concat!("cast(", $crate::rows::column!(heavy_bytes $place), " as text)")
    };
}

macro_rules! is_heavy {
    (heavy_bytes) => {
        true
    };
    (heavy_text) => {
        true
    };
    ($other:ident) => {
        false
    };
}

/// A row of a batch statement, declared with its columns, the constraint that is broken where it leaves the
/// table as it was (`None` where it may), and the statement.
macro_rules! row {
    (
        $(#[$about:meta])*
        struct $Row:ident $(<$life:lifetime>)? { $($name:ident: $type:ty as $kind:ident,)+ }
        $untouched:expr; $sql:literal
    ) => {
        $(#[$about])*
        pub(crate) struct $Row $(<$life>)? {
            /// The message that it is written for.
            pub(crate) by: Option<takmil_domain::ids::MessageId>,
            $(pub(crate) $name: $type,)+
        }

        impl $(<$life>)? serde::Serialize for $Row $(<$life>)? {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeTuple;
                let elements = [$(stringify!($name)),+].len();
                let mut row = serializer.serialize_tuple(elements)?;
                $(row.serialize_element(&self.$name)?;)+
                row.end()
            }
        }

        impl $(<$life>)? $crate::put::Row for $Row $(<$life>)? {
            const SQL: &'static str = $crate::rows::over!($($name $kind),+ ; $sql);
            const HEAVY: bool = $($crate::rows::is_heavy!($kind))||+;
            const UNTOUCHED: Option<$crate::error::Constraint> = $untouched;
            fn message(&self) -> Option<takmil_domain::ids::MessageId> {
                self.by
            }
        }
    };
}

pub(crate) use {column, columns, is_heavy, over, row};

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

/// Rows as they are bound, or a document.
pub(crate) fn json<R: Serialize>(rows: &[R]) -> Result<String, sqlx::Error> {
    serde_json::to_string(rows).map_err(|error| sqlx::Error::Encode(error.into()))
}
