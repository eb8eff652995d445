//! Reading columns into the domain's types.

use serde::de::DeserializeOwned;
use serde::de::value::{Error as NameError, StrDeserializer};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use takmil_domain::date::Instant;
use uuid::Uuid;

use crate::error::StoreError;

/// A row, read by column name.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

macro_rules! get {
    ($row:expr, $name:expr) => {
        match $row {
            Row::Sqlite(row) => row.try_get($name)?,
            Row::Postgres(row) => row.try_get($name)?,
        }
    };
}

impl Row {
    /// Bytes of any length.
    pub(crate) fn bytes(&self, name: &'static str) -> Result<&[u8], StoreError> {
        Ok(get!(self, name))
    }

    /// Bytes that may be missing.
    pub(crate) fn bytes_maybe(&self, name: &'static str) -> Result<Option<&[u8]>, StoreError> {
        Ok(get!(self, name))
    }

    /// An id.
    pub(crate) fn uuid(&self, name: &'static str) -> Result<Uuid, StoreError> {
        Ok(get!(self, name))
    }

    /// An id that may be missing.
    pub(crate) fn uuid_maybe(&self, name: &'static str) -> Result<Option<Uuid>, StoreError> {
        Ok(get!(self, name))
    }

    /// A number.
    pub(crate) fn number<N: TryFrom<i64>>(&self, name: &'static str) -> Result<N, StoreError> {
        fits(get!(self, name), name)
    }

    /// A number that may be missing.
    pub(crate) fn number_maybe<N: TryFrom<i64>>(
        &self,
        name: &'static str,
    ) -> Result<Option<N>, StoreError> {
        let number: Option<i64> = get!(self, name);
        number.map(|number| fits(number, name)).transpose()
    }

    /// A text.
    pub(crate) fn text(&self, name: &'static str) -> Result<&str, StoreError> {
        Ok(get!(self, name))
    }

    /// A text that may be missing.
    pub(crate) fn text_maybe(&self, name: &'static str) -> Result<Option<&str>, StoreError> {
        Ok(get!(self, name))
    }

    /// A moment.
    pub(crate) fn moment(&self, name: &'static str) -> Result<Instant, StoreError> {
        self.number(name).map(Instant)
    }

    /// A moment that may be missing.
    pub(crate) fn moment_maybe(&self, name: &'static str) -> Result<Option<Instant>, StoreError> {
        Ok(self.number_maybe(name)?.map(Instant))
    }

    /// Yes or no.
    pub(crate) fn yes(&self, name: &'static str) -> Result<bool, StoreError> {
        Ok(self.number::<i64>(name)? != 0)
    }

    /// What is kept under its name in messages: a word of a list, a slug, a day.
    pub(crate) fn named<T: DeserializeOwned>(&self, name: &'static str) -> Result<T, StoreError> {
        read_name(self.text(name)?, name)
    }

    /// What is kept under its name in messages and may be missing.
    pub(crate) fn named_maybe<T: DeserializeOwned>(
        &self,
        name: &'static str,
    ) -> Result<Option<T>, StoreError> {
        self.text_maybe(name)?
            .map(|text| read_name(text, name))
            .transpose()
    }

    /// A JSON document.
    pub(crate) fn document<T: DeserializeOwned>(
        &self,
        name: &'static str,
    ) -> Result<T, StoreError> {
        serde_json::from_str(self.text(name)?).map_err(|_| StoreError::Unreadable { what: name })
    }
}

fn read_name<T: DeserializeOwned>(text: &str, what: &'static str) -> Result<T, StoreError> {
    T::deserialize(StrDeserializer::<NameError>::new(text))
        .map_err(|_| StoreError::Unreadable { what })
}

fn fits<N: TryFrom<i64>>(number: i64, what: &'static str) -> Result<N, StoreError> {
    N::try_from(number).map_err(|_| StoreError::Unreadable { what })
}
