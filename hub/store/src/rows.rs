//! The batch row source: how one statement takes many rows.
//!
//! Every statement over many rows is made by [`over!`], which names the columns of its rows once and gives
//! them to the statement as the table `batch`.
//!
//! SQLite gets the rows as `values` of bound cells. A statement is prepared for a few numbers of rows; rows beyond
//! those that there are have no place, and do not count. (Rows in one JSON text cost several times as much.)
//! PostgreSQL gets an array for each column ([`crate::arrays`]).

use std::sync::OnceLock;

use serde::{Serialize, Serializer};
use takmil_domain::ids::{
    AccountId, DeliveryId, MemberId, MessageId, PaymentId, RegistrationId, TransferId, UploadId,
};
use uuid::Uuid;

use crate::db::Value;

/// For how many rows SQLite's statements are prepared. More go in several.
pub(crate) const SIZES: [usize; 16] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256];

/// A statement over rows.
#[derive(Debug)]
pub(crate) struct Over {
    /// The columns' names, and what they hold.
    pub(crate) names: &'static [&'static str],
    pub(crate) kinds: &'static [Kind],
    /// What comes after the rows.
    pub(crate) sqlite: &'static str,
    /// The whole for each of [`SIZES`].
    pub(crate) sized: [OnceLock<String>; SIZES.len()],
    pub(crate) postgres: &'static str,
}

impl Over {
    /// SQLite's statement for so many rows, at most the last of [`SIZES`].
    pub(crate) fn of_rows(&'static self, rows: usize) -> &'static str {
        let sized = SIZES.iter().zip(&self.sized);
        let fitting = sized.into_iter().find(|(size, _)| **size >= rows);
        fitting.map_or("", |(size, text)| {
            text.get_or_init(|| self.sized_for(*size))
        })
    }

    fn sized_for(&self, rows: usize) -> String {
        let names: String = (2..)
            .zip(self.names)
            .map(|(at, name)| format!(", column{at} as {name}"))
            .collect();
        let row = format!("(?{})", ",?".repeat(self.names.len()));
        let rows = vec![row; rows].join(",");
        // Told that they come first, it takes the rows as they come, without laying them into a table.
        let rest = self
            .sqlite
            .replacen("from batch join", "from batch cross join", 1);
        format!(
            "with batch as (select column1 as place{names} from (values {rows})
             where column1 is not null) {rest}"
        )
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
}

/// A statement over rows: `over!(name kind, …; "statement")`, or `over!(name kind, …; sqlite("one")
/// postgres("other"))` where the dialects differ. The statement reads from `batch`, whose columns are the named
/// ones, in the order of the rows' cells, and `place`, the row's number from 0.
///
/// Kinds: `id`, `bytes`, `text`, `integer`, `document`.
macro_rules! over {
    ($($name:ident $kind:ident),+ ; sqlite($($sqlite:expr),+) postgres($($postgres:expr),+)) => {{
        static OVER: $crate::rows::Over = $crate::rows::Over {
            names: &[$(stringify!($name)),+],
            kinds: &[$($crate::rows::kind!($kind)),+],
            sqlite: concat!($($sqlite),+),
            sized: [const { std::sync::OnceLock::new() }; $crate::rows::SIZES.len()],
            postgres: concat!(
                "with batch as (select place - 1 as place", $(", ", stringify!($name),)+
                " from unnest(",
                $crate::rows::from_arrays!([1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16] $($kind)+),
                ") with ordinality as batch (", $(stringify!($name), ", ",)+ "place)) ",
                $($postgres),+
            ),
        };
        &OVER
    }};
    ($($name:ident $kind:ident),+ ; $($sql:expr),+) => {
        $crate::rows::over!($($name $kind),+ ; sqlite($($sql),+) postgres($($sql),+))
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
            $(pub(crate) $name: $type,)+
        }

        impl $(<$life>)? $crate::rows::Cells for $Row $(<$life>)? {
            fn each<S: $crate::rows::Sink>(&self, to: &mut S) -> Result<(), sqlx::Error> {
                $(to.cell(&self.$name)?;)+
                Ok(())
            }
        }

        impl $(<$life>)? $crate::put::Row for $Row $(<$life>)? {
            fn sql() -> &'static $crate::rows::Over {
                $crate::rows::over!($($name $kind),+ ; $($sql)+)
            }
            const UNTOUCHED: Option<$crate::error::Constraint> = $untouched;
        }
    };
}

pub(crate) use {array_type, from_arrays, kind, over, row};

/// Bytes in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Bytes<const N: usize>(pub(crate) [u8; N]);

impl<const N: usize> Serialize for Bytes<N> {
    /// In a document they stand as hexadecimal digits, which both databases read as an id.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            let digits = self.0.iter().flat_map(|byte| [byte >> 4, byte & 15]);
            let digits = digits.filter_map(|digit| char::from_digit(digit.into(), 16));
            serializer.serialize_str(&digits.collect::<String>())
        } else {
            serializer.serialize_bytes(&self.0)
        }
    }
}

/// Bytes of any length in a row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Raw<'a>(pub(crate) &'a [u8]);

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

/// An id in a row.
pub(crate) type Id = Bytes<16>;

impl Id {
    /// By which what is digested is found: the first half of its SHA-256, or of one under a key.
    pub(crate) fn of_digest(digest: [u8; 32]) -> Id {
        let mut id = [0; 16];
        id.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        Bytes(id)
    }
}

impl From<Uuid> for Id {
    fn from(uuid: Uuid) -> Id {
        Bytes(uuid.into_bytes())
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

from_ids!(AccountId DeliveryId MemberId MessageId PaymentId RegistrationId TransferId UploadId);

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

tuples! { (A 0) (A 0, B 1) (A 0, B 1, C 2) (A 0, B 1, C 2, D 3) }
