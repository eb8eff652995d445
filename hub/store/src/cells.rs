//! Cells of rows as serde gives them, checked against their column and handed to whichever database takes them.

use std::fmt::Display;

use serde::ser::{Error as _, Impossible, Serialize, Serializer};

use crate::rows::Kind;

/// What a cell cannot be made of.
pub(crate) type Fault = serde::de::value::Error;

/// What takes the cells of one column.
pub(crate) trait Column {
    /// What they hold.
    fn kind(&self) -> Kind;
    /// Takes a missing one.
    fn null(&mut self) -> Result<(), Fault>;
    /// Takes a number.
    fn integer(&mut self, number: i64) -> Result<(), Fault>;
    /// Takes a text.
    fn text(&mut self, text: &str) -> Result<(), Fault>;
    /// Takes a text of something's own showing.
    fn shown(&mut self, value: &dyn Display) -> Result<(), Fault>;
    /// Takes bytes.
    fn bytes(&mut self, bytes: &[u8]) -> Result<(), Fault>;
}

/// Hands a cell to its column.
pub(crate) fn fill<T: Serialize + ?Sized>(
    column: &mut impl Column,
    value: &T,
) -> Result<(), sqlx::Error> {
    let filled = if column.kind() == Kind::Document {
        serde_json::to_string(value)
            .map_err(Fault::custom)
            .and_then(|document| column.text(&document))
    } else {
        value.serialize(Cell(column))
    };
    filled.map_err(|fault| sqlx::Error::Encode(fault.into()))
}

/// A row has more cells than its statement has columns.
pub(crate) fn too_many() -> sqlx::Error {
    sqlx::Error::Encode(Fault::custom("a row has too many cells").into())
}

/// One cell of a column.
struct Cell<'c, C>(&'c mut C);

impl<C: Column> Cell<'_, C> {
    fn unfit<T>(&self, what: &str) -> Result<T, Fault> {
        let kind = self.0.kind();
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

impl<C: Column> Serializer for Cell<'_, C> {
    type Ok = ();
    type Error = Fault;
    type SerializeSeq = Impossible<(), Fault>;
    type SerializeTuple = Impossible<(), Fault>;
    type SerializeTupleStruct = Impossible<(), Fault>;
    type SerializeTupleVariant = Impossible<(), Fault>;
    type SerializeMap = Impossible<(), Fault>;
    type SerializeStruct = Impossible<(), Fault>;
    type SerializeStructVariant = Impossible<(), Fault>;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_str(self, text: &str) -> Result<(), Fault> {
        match self.0.kind() {
            Kind::Text => self.0.text(text),
            _ => self.unfit("a text"),
        }
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<(), Fault> {
        match self.0.kind() {
            Kind::Text => self.0.shown(&value),
            _ => self.unfit("a text"),
        }
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), Fault> {
        match self.0.kind() {
            Kind::Id | Kind::Bytes => self.0.bytes(bytes),
            _ => self.unfit("bytes"),
        }
    }

    fn serialize_i64(self, number: i64) -> Result<(), Fault> {
        match self.0.kind() {
            Kind::Integer => self.0.integer(number),
            Kind::Text => self.0.shown(&number),
            _ => self.unfit("a number"),
        }
    }

    fn serialize_u64(self, number: u64) -> Result<(), Fault> {
        self.serialize_i64(i64::try_from(number).map_err(Fault::custom)?)
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
        self.0.null()
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
