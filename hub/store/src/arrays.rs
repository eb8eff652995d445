//! How PostgreSQL takes many rows: one array a column, written once, in the form in which it goes over the wire.
//!
//! `unnest` over arrays costs the server less than half of reading JSON. Each cell is serialised straight into
//! its column's bytes, so that a row costs no allocation.

use std::borrow::Cow;
use std::fmt::Display;

use serde::ser::{Error as _, Impossible, Serialize, Serializer};
use sqlx::encode::{Encode, IsNull};
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgTypeInfo};
use sqlx::{Postgres, Type};
use uuid::Uuid;

use crate::rows::{Cells, Heap, Kind, Sink};

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
    heap: &Heap,
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
            heap,
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
            Kind::Bytes | Kind::HeavyBytes => BYTEA,
            Kind::Text | Kind::HeavyText | Kind::Document => TEXT,
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
            Kind::Bytes | Kind::HeavyBytes => <Vec<Vec<u8>> as Type<Postgres>>::type_info(),
            Kind::Text | Kind::HeavyText | Kind::Document => Array::type_info(),
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

    fn null(&mut self) {
        self.elements.extend((-1_i32).to_be_bytes());
        self.nulls = true;
        self.count += 1;
    }
}

/// The columns that a row's cells go to, one after the other.
struct Columns<'r, 'a> {
    columns: &'r mut std::slice::IterMut<'a, Array>,
    heap: &'r Heap,
}

impl Sink for Columns<'_, '_> {
    fn cell<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), sqlx::Error> {
        let encode = |fault: Fault| sqlx::Error::Encode(fault.into());
        let array = self.columns.next();
        let array = array.ok_or_else(|| encode(Fault::custom("a row has too many cells")))?;
        if array.kind == Kind::Document {
            let document =
                |bytes: &mut Vec<u8>| serde_json::to_writer(bytes, value).map_err(Fault::custom);
            return array.put(document).map_err(encode);
        }
        let heap = self.heap;
        value.serialize(Cell { array, heap }).map_err(encode)
    }
}

/// What a cell cannot be made of.
type Fault = serde::de::value::Error;

/// One cell of a column.
struct Cell<'r> {
    array: &'r mut Array,
    heap: &'r Heap,
}

impl Cell<'_> {
    fn unfit<T>(&self, what: &str) -> Result<T, Fault> {
        let kind = self.array.kind;
        Err(Fault::custom(format_args!(
            "{what} in a column of {kind:?}"
        )))
    }
}

macro_rules! numbers {
    ($($method:ident $type:ty)+) => {$(
        fn $method(self, number: $type) -> Result<(), Fault> {
            self.serialize_i64(number.into())
        }
    )+};
}

macro_rules! unfit {
    ($($method:ident($($argument:ty),*) -> $result:ty;)+) => {$(
        fn $method(self, $(_: $argument),*) -> Result<$result, Fault> {
            self.unfit(stringify!($method))
        }
    )+};
}

impl Serializer for Cell<'_> {
    type Ok = ();
    type Error = Fault;
    type SerializeSeq = Impossible<(), Fault>;
    type SerializeTuple = Impossible<(), Fault>;
    type SerializeTupleStruct = Impossible<(), Fault>;
    type SerializeTupleVariant = Impossible<(), Fault>;
    type SerializeMap = Impossible<(), Fault>;
    type SerializeStruct = Impossible<(), Fault>;
    type SerializeStructVariant = Impossible<(), Fault>;

    /// Ids come as bytes, slices of the heap as one number.
    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_str(self, text: &str) -> Result<(), Fault> {
        if self.array.kind != Kind::Text {
            return self.unfit("a text");
        }
        self.array.put(|bytes| {
            bytes.extend_from_slice(without_nul(text).as_bytes());
            Ok(())
        })
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<(), Fault> {
        if self.array.kind != Kind::Text {
            return self.unfit("a text");
        }
        self.array.put(|bytes| {
            use std::io::Write as _;
            write!(bytes, "{value}").map_err(Fault::custom)
        })
    }

    fn serialize_bytes(self, given: &[u8]) -> Result<(), Fault> {
        if !matches!(self.array.kind, Kind::Id | Kind::Bytes) {
            return self.unfit("bytes");
        }
        self.array.put(|bytes| {
            bytes.extend_from_slice(given);
            Ok(())
        })
    }

    fn serialize_i64(self, number: i64) -> Result<(), Fault> {
        match self.array.kind {
            Kind::Integer => self.array.put(|bytes| {
                bytes.extend(number.to_be_bytes());
                Ok(())
            }),
            Kind::Text => self.collect_str(&number),
            _ => self.unfit("a number"),
        }
    }

    fn serialize_u64(self, number: u64) -> Result<(), Fault> {
        if !self.array.kind.is_heavy() {
            return self.serialize_i64(i64::try_from(number).map_err(Fault::custom)?);
        }
        let Some(heavy) = self.heap.slice(number) else {
            return self.unfit("a slice of no heap");
        };
        self.array.put(|bytes| {
            bytes.extend_from_slice(heavy);
            Ok(())
        })
    }

    numbers! {
        serialize_i8 i8
        serialize_i16 i16
        serialize_i32 i32
        serialize_u8 u8
        serialize_u16 u16
        serialize_u32 u32
    }

    fn serialize_none(self) -> Result<(), Fault> {
        self.array.null();
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Fault> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Fault> {
        value.serialize(self)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
    ) -> Result<(), Fault> {
        self.serialize_str(name)
    }

    unfit! {
        serialize_bool(bool) -> ();
        serialize_f32(f32) -> ();
        serialize_f64(f64) -> ();
        serialize_char(char) -> ();
        serialize_unit() -> ();
        serialize_unit_struct(&'static str) -> ();
        serialize_seq(Option<usize>) -> Self::SerializeSeq;
        serialize_tuple(usize) -> Self::SerializeTuple;
        serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant;
        serialize_map(Option<usize>) -> Self::SerializeMap;
        serialize_struct(&'static str, usize) -> Self::SerializeStruct;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Self::SerializeStructVariant;
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Fault> {
        self.unfit("serialize_newtype_variant")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::rows::{Hex, Slice};

    #[test]
    fn a_column_is_written_as_the_wire_has_it() {
        let mut heap = Heap::default();
        let heavy = heap.lay(b"heavy");
        let rows = [
            (Hex([7; 2]), Some("a\0"), Some(heavy)),
            (Hex([9; 2]), None, None::<Slice>),
        ];
        let kinds = &[Kind::Bytes, Kind::Text, Kind::HeavyBytes];
        let arrays = arrays(kinds, &rows, &heap).unwrap();
        let written: Vec<_> = arrays
            .iter()
            .map(|array| (array.count, array.nulls, array.elements.as_slice()))
            .collect();
        assert_eq!(
            written,
            [
                (2, false, &[0, 0, 0, 2, 7, 7, 0, 0, 0, 2, 9, 9][..]),
                (2, true, b"\0\0\0\x04a\xef\xbf\xbd\xff\xff\xff\xff"),
                (2, true, b"\0\0\0\x05heavy\xff\xff\xff\xff"),
            ]
        );
    }

    #[test]
    fn what_does_not_fit_its_column_is_an_error() {
        let heap = Heap::default();
        assert!(arrays(&[Kind::Integer, Kind::Text], &[("a", "b")], &heap).is_err());
        assert!(arrays(&[Kind::Text], &[("a", "b")], &heap).is_err());
        assert!(arrays(&[Kind::HeavyText, Kind::Text], &[(9_u64, "b")], &heap).is_err());
    }
}
