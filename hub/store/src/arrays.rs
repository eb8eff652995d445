//! How PostgreSQL takes many rows: one array a column, written once, in the form in which it goes over the wire.
//!
//! `unnest` over arrays costs the server less than half of reading JSON. Each cell is serialised straight into
//! its column's bytes, so that a row costs no allocation.

use std::borrow::Cow;
use std::fmt::Display;

use serde::ser::{Error as _, Serialize};
use sqlx::encode::{Encode, IsNull};
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgTypeInfo};
use sqlx::{Postgres, Type};
use uuid::Uuid;

use crate::cells::{Column, Fault, fill, too_many};
use crate::rows::{Cells, Kind, Sink};

/// PostgreSQL keeps no NUL in a text; it stands for nothing that a person writes.
pub(crate) fn without_nul(text: &str) -> Cow<'_, str> {
    if text.as_bytes().contains(&0) {
        Cow::Owned(text.replace('\0', "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// The columns of rows.
pub(crate) fn arrays<R: Cells>(
    kinds: &'static [Kind],
    rows: &[R],
) -> Result<Vec<Array>, sqlx::Error> {
    let empty = |kind: &Kind| Array {
        kind: *kind,
        count: 0,
        nulls: false,
        elements: Vec::with_capacity(rows.len().saturating_mul(ROOM)),
    };
    let mut arrays: Vec<Array> = kinds.iter().map(empty).collect();
    for row in rows {
        let mut columns = arrays.iter_mut();
        let mut sink = Columns {
            columns: &mut columns,
        };
        row.each(&mut sink)?;
    }
    Ok(arrays)
}

/// Bytes that most cells fit in, with their length.
const ROOM: usize = 24;

/// A column of a batch.
pub(crate) struct Array {
    kind: Kind,
    count: i32,
    nulls: bool,
    elements: Vec<u8>,
}

/// Types of PostgreSQL, by the numbers of its own catalogue, which never change.
const UUID: u32 = 2950;
const BYTEA: u32 = 17;
const TEXT: u32 = 25;
const INT8: u32 = 20;

impl Type<Postgres> for Array {
    fn type_info() -> PgTypeInfo {
        <Vec<String> as Type<Postgres>>::type_info()
    }
}

impl Encode<'_, Postgres> for Array {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let element = match self.kind {
            Kind::Id => UUID,
            Kind::Bytes => BYTEA,
            Kind::Text | Kind::Document => TEXT,
            Kind::Integer => INT8,
        };
        // One dimension, whether there are nulls, of what, how many, counted from 1.
        for word in [1, u32::from(self.nulls), element] {
            buffer.extend(word.to_be_bytes());
        }
        for word in [self.count, 1] {
            buffer.extend(word.to_be_bytes());
        }
        buffer.extend_from_slice(&self.elements);
        Ok(IsNull::No)
    }

    fn produces(&self) -> Option<PgTypeInfo> {
        Some(match self.kind {
            Kind::Id => <Vec<Uuid> as Type<Postgres>>::type_info(),
            Kind::Bytes => <Vec<Vec<u8>> as Type<Postgres>>::type_info(),
            Kind::Text | Kind::Document => Array::type_info(),
            Kind::Integer => <Vec<i64> as Type<Postgres>>::type_info(),
        })
    }

    fn size_hint(&self) -> usize {
        self.elements.len() + 20
    }
}

impl Array {
    /// Writes one element, with its length before it.
    fn put(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<(), Fault>) -> Result<(), Fault> {
        let start = self.elements.len();
        self.elements.extend([0; 4]);
        write(&mut self.elements)?;
        let length = self.elements.len() - start - 4;
        let length = i32::try_from(length).map_err(Fault::custom)?;
        if let Some(place) = self.elements.get_mut(start..start + 4) {
            place.copy_from_slice(&length.to_be_bytes());
        }
        self.count += 1;
        Ok(())
    }
}

impl Column for Array {
    fn kind(&self) -> Kind {
        self.kind
    }

    fn null(&mut self) -> Result<(), Fault> {
        self.elements.extend((-1_i32).to_be_bytes());
        self.nulls = true;
        self.count += 1;
        Ok(())
    }

    fn integer(&mut self, number: i64) -> Result<(), Fault> {
        self.put(|bytes| {
            bytes.extend(number.to_be_bytes());
            Ok(())
        })
    }

    fn text(&mut self, text: &str) -> Result<(), Fault> {
        self.put(|bytes| {
            bytes.extend_from_slice(without_nul(text).as_bytes());
            Ok(())
        })
    }

    fn shown(&mut self, value: &dyn Display) -> Result<(), Fault> {
        self.put(|bytes| {
            use std::io::Write as _;
            write!(bytes, "{value}").map_err(Fault::custom)
        })
    }

    fn bytes(&mut self, given: &[u8]) -> Result<(), Fault> {
        self.put(|bytes| {
            bytes.extend_from_slice(given);
            Ok(())
        })
    }
}

/// The columns that a row's cells go to, one after the other.
struct Columns<'r, 'a> {
    columns: &'r mut std::slice::IterMut<'a, Array>,
}

impl Sink for Columns<'_, '_> {
    fn cell<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), sqlx::Error> {
        let array = self.columns.next().ok_or_else(too_many)?;
        fill(array, value)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::rows::Bytes;

    #[test]
    fn a_column_is_written_as_the_wire_has_it() {
        let rows = [
            (Bytes([7; 2]), Some("a\0"), Some(5)),
            (Bytes([9; 2]), None, None),
        ];
        let arrays = arrays(&[Kind::Bytes, Kind::Text, Kind::Integer], &rows).unwrap();
        let written: Vec<_> = arrays
            .iter()
            .map(|array| (array.count, array.nulls, array.elements.as_slice()))
            .collect();
        assert_eq!(
            written,
            [
                (2, false, &[0, 0, 0, 2, 7, 7, 0, 0, 0, 2, 9, 9][..]),
                (2, true, b"\0\0\0\x04a\xef\xbf\xbd\xff\xff\xff\xff"),
                (2, true, b"\0\0\0\x08\0\0\0\0\0\0\0\x05\xff\xff\xff\xff"),
            ]
        );
    }

    #[test]
    fn what_does_not_fit_its_column_is_an_error() {
        assert!(arrays(&[Kind::Integer, Kind::Text], &[("a", "b")]).is_err());
        assert!(arrays(&[Kind::Text], &[("a", "b")]).is_err());
        assert!(arrays(&[Kind::Bytes, Kind::Text], &[(9_u64, "b")]).is_err());
    }
}
