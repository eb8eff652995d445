//! The batch row source: how one statement takes many rows.
//!
//! Every statement over many rows is made by [`over!`], which names the columns of its rows once and gives
//! them to the statement as the table `batch`.
//!
//! SQLite gets the rows as one JSON array of arrays ($1); what is too heavy for JSON lies in one [`Heap`] of
//! bytes ($2), of which the rows name their slices. `jsonb_each` over arrays costs about a third of `json_each`
//! over objects, and hardly more than binding row by row. PostgreSQL gets an array for each column
//! ([`crate::arrays`]).

use serde::{Serialize, Serializer};
use takmil_domain::ids::{AccountId, DeliveryId, MemberId, MessageId};
use uuid::Uuid;

use crate::db::Value;

/// A static statement over rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Over {
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: &'static str,
    /// What the columns hold.
    pub(crate) kinds: &'static [Kind],
}

impl Over {
    /// Whether rows have cells on a heap.
    pub(crate) fn is_heavy(&self) -> bool {
        self.kinds.iter().any(|kind| kind.is_heavy())
    }
}

/// What a column of a batch holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Id,
    Bytes,
    Text,
    Integer,
    /// Anything, as JSON.
    Document,
    HeavyBytes,
    HeavyText,
}

impl Kind {
    /// Whether the cells lie on a heap.
    pub(crate) fn is_heavy(self) -> bool {
        matches!(self, Kind::HeavyBytes | Kind::HeavyText)
    }
}

/// A static statement over rows: `over!(name kind, …; "statement")`, or `over!(name kind, …; sqlite("one")
/// postgres("other"))` where the dialects differ. The statement reads from `batch`, whose columns are the named
/// ones, in the order of the rows' cells, and `place`, the row's number from 0.
///
/// Kinds: `id`, `bytes`, `text`, `integer`, `document`, and `heavy_bytes` and `heavy_text` (slices of the heap).
macro_rules! over {
    ($($name:ident $kind:ident),+ ; sqlite($($sqlite:expr),+) postgres($($postgres:expr),+)) => {
        $crate::rows::Over {
            sqlite: concat!(
                "with batch as (select key as place",
                $crate::rows::from_json!([0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15] $($name $kind)+),
                " from jsonb_each($1)) ",
                $($sqlite),+
            ),
            postgres: concat!(
                "with batch as (select place - 1 as place", $(", ", stringify!($name),)+
                " from unnest(",
                $crate::rows::from_arrays!([1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16] $($kind)+),
                ") with ordinality as batch (", $(stringify!($name), ", ",)+ "place)) ",
                $($postgres),+
            ),
            kinds: &[$($crate::rows::kind!($kind)),+],
        }
    };
    ($($name:ident $kind:ident),+ ; $($sql:expr),+) => {
        $crate::rows::over!($($name $kind),+ ; sqlite($($sql),+) postgres($($sql),+))
    };
}

/// Columns under their names, each read from its place in the row.
macro_rules! from_json {
    ([$($places:literal)*]) => { "" };
    ([$place:literal $($places:literal)*] $name:ident $kind:ident $($rest:tt)*) => {
        concat!(
            ", ", $crate::rows::json_cell!($kind $place), " as ", stringify!($name),
            $crate::rows::from_json!([$($places)*] $($rest)*)
        )
    };
}

macro_rules! json_cell {
    (id $place:literal) => {
        concat!("unhex(value ->> ", $place, ")")
    };
    (bytes $place:literal) => {
        concat!("unhex(value ->> ", $place, ")")
    };
    (heavy_bytes $place:literal) => {
        concat!("substr($2, value ->> '$[", $place, "][0]', value ->> '$[", $place, "][1]')")
    };
    (heavy_text $place:literal) => {
        concat!("cast(", $crate::rows::json_cell!(heavy_bytes $place), " as text)")
    };
    ($plain:ident $place:literal) => {
        concat!("value ->> ", $place)
    };
}

/// Columns as arguments of `unnest`.
macro_rules! from_arrays {
    ([$number:literal $($numbers:literal)*] $kind:ident) => {
        concat!("$", $number, "::", $crate::rows::array_type!($kind))
    };
    ([$number:literal $($numbers:literal)*] $kind:ident $($rest:ident)+) => {
        concat!(
            "$", $number, "::", $crate::rows::array_type!($kind), ", ",
            $crate::rows::from_arrays!([$($numbers)*] $($rest)+)
        )
    };
}

macro_rules! array_type {
    (id) => {
        "uuid[]"
    };
    (bytes) => {
        "bytea[]"
    };
    (heavy_bytes) => {
        "bytea[]"
    };
    (integer) => {
        "bigint[]"
    };
    ($text:ident) => {
        "text[]"
    };
}

macro_rules! kind {
    (id) => {
        $crate::rows::Kind::Id
    };
    (bytes) => {
        $crate::rows::Kind::Bytes
    };
    (text) => {
        $crate::rows::Kind::Text
    };
    (integer) => {
        $crate::rows::Kind::Integer
    };
    (document) => {
        $crate::rows::Kind::Document
    };
    (heavy_bytes) => {
        $crate::rows::Kind::HeavyBytes
    };
    (heavy_text) => {
        $crate::rows::Kind::HeavyText
    };
}

/// A row of a batch statement, declared with its columns, the constraint that is broken where it leaves the
/// table as it was (`None` where it may), and the statement.
macro_rules! row {
    (
        $(#[$about:meta])*
        struct $Row:ident $(<$life:lifetime>)? { $($name:ident: $type:ty as $kind:ident,)+ }
        $untouched:expr; $($sql:tt)+
    ) => {
        $(#[$about])*
        pub(crate) struct $Row $(<$life>)? {
            /// The message that it is written for.
            pub(crate) by: Option<takmil_domain::ids::MessageId>,
            $(pub(crate) $name: $type,)+
        }

        impl $(<$life>)? $crate::rows::Cells for $Row $(<$life>)? {
            fn each<S: $crate::rows::Sink>(&self, to: &mut S) -> Result<(), sqlx::Error> {
                $(to.cell(&self.$name)?;)+
                Ok(())
            }
        }

        impl $(<$life>)? $crate::put::Row for $Row $(<$life>)? {
            const SQL: $crate::rows::Over = $crate::rows::over!($($name $kind),+ ; $($sql)+);
            const UNTOUCHED: Option<$crate::error::Constraint> = $untouched;
            fn message(&self) -> Option<takmil_domain::ids::MessageId> {
                self.by
            }
        }
    };
}

pub(crate) use {array_type, from_arrays, from_json, json_cell, kind, over, row};

/// Bytes in a row.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Hex<const N: usize>(pub(crate) [u8; N]);

impl<const N: usize> Serialize for Hex<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return serializer.serialize_bytes(&self.0);
        }
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

impl From<&Id> for Uuid {
    fn from(id: &Id) -> Uuid {
        Uuid::from_bytes(id.0)
    }
}

impl From<&Id> for Value<'_> {
    fn from(id: &Id) -> Self {
        Uuid::from(id).into()
    }
}

/// What is too heavy for JSON: one run of bytes, of which rows name their slices.
#[derive(Debug, Default)]
pub(crate) struct Heap(Vec<u8>);

/// A slice of the heap: where it starts, and its length.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slice {
    start: u32,
    length: u32,
}

impl Serialize for Slice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            // SQL counts from 1.
            (u64::from(self.start) + 1, self.length).serialize(serializer)
        } else {
            serializer.serialize_u64(u64::from(self.start) << 32 | u64::from(self.length))
        }
    }
}

impl Heap {
    /// Lays bytes on the heap. One heap holds the bodies of one turn, which are far from 4 GiB; what would not
    /// fit is refused when it is written.
    pub(crate) fn lay(&mut self, bytes: &[u8]) -> Slice {
        let number = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let slice = Slice {
            start: number(self.0.len()),
            length: number(bytes.len()),
        };
        self.0.extend_from_slice(bytes);
        slice
    }

    /// The bytes, to be bound.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes of a slice that was written as one number.
    pub(crate) fn slice(&self, packed: u64) -> Option<&[u8]> {
        let start = usize::try_from(packed >> 32).ok()?;
        let length = usize::try_from(packed & u64::from(u32::MAX)).ok()?;
        self.0.get(start..start.checked_add(length)?)
    }
}

/// The cells of a row, in the order of its columns.
pub(crate) trait Cells {
    /// Gives each cell.
    fn each<S: Sink>(&self, to: &mut S) -> Result<(), sqlx::Error>;
}

/// What takes the cells of a row.
pub(crate) trait Sink {
    /// Takes the next one.
    fn cell<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), sqlx::Error>;
}

macro_rules! tuples {
    ($(($($letter:ident $index:tt),+))+) => {$(
        impl<$($letter: Serialize),+> Cells for ($($letter,)+) {
            fn each<S: Sink>(&self, to: &mut S) -> Result<(), sqlx::Error> {
                $(to.cell(&self.$index)?;)+
                Ok(())
            }
        }
    )+};
}

tuples! { (A 0) (A 0, B 1) (A 0, B 1, C 2) }

/// Rows as SQLite takes them: a JSON array of arrays.
struct Json(Vec<u8>);

impl Sink for Json {
    fn cell<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), sqlx::Error> {
        if self.0.last() != Some(&b'[') {
            self.0.push(b',');
        }
        serde_json::to_writer(&mut self.0, value).map_err(|error| sqlx::Error::Encode(error.into()))
    }
}

/// Rows as SQLite takes them.
pub(crate) fn json<R: Cells>(rows: &[R]) -> Result<String, sqlx::Error> {
    let mut json = Json(vec![b'[']);
    for row in rows {
        if json.0.last() == Some(&b']') {
            json.0.push(b',');
        }
        json.0.push(b'[');
        row.each(&mut json)?;
        json.0.push(b']');
    }
    json.0.push(b']');
    String::from_utf8(json.0).map_err(|error| sqlx::Error::Encode(error.into()))
}
