//! Reading columns into the domain's types.

use serde::de::DeserializeOwned;
use serde::de::value::{Error as NameError, StrDeserializer};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use takmil_domain::date::Instant;
use uuid::Uuid;

use crate::error::StoreError;

/// A row, read by column name.
pub(crate) trait Columns {
    /// Bytes of any length.
    fn bytes(&self, name: &'static str) -> Result<&[u8], StoreError>;
    /// An id.
    fn uuid(&self, name: &'static str) -> Result<Uuid, StoreError>;
    /// An id that may be missing.
    fn uuid_maybe(&self, name: &'static str) -> Result<Option<Uuid>, StoreError>;
    /// A number.
    fn number<N: TryFrom<i64>>(&self, name: &'static str) -> Result<N, StoreError>;
    /// A number that may be missing.
    fn number_maybe<N: TryFrom<i64>>(&self, name: &'static str) -> Result<Option<N>, StoreError>;
    /// A text.
    fn text(&self, name: &'static str) -> Result<&str, StoreError>;
    /// A text that may be missing.
    fn text_maybe(&self, name: &'static str) -> Result<Option<&str>, StoreError>;

    /// A moment.
    fn moment(&self, name: &'static str) -> Result<Instant, StoreError> {
        self.number(name).map(Instant)
    }

    /// A moment that may be missing.
    fn moment_maybe(&self, name: &'static str) -> Result<Option<Instant>, StoreError> {
        Ok(self.number_maybe(name)?.map(Instant))
    }

    /// Yes or no.
    fn yes(&self, name: &'static str) -> Result<bool, StoreError> {
        Ok(self.number::<i64>(name)? != 0)
    }

    /// What is kept under its name in messages: a word of a list, a slug, a day.
    fn named<T: DeserializeOwned>(&self, name: &'static str) -> Result<T, StoreError> {
        read_name(self.text(name)?, name)
    }

    /// What is kept under its name in messages and may be missing.
    fn named_maybe<T: DeserializeOwned>(
        &self,
        name: &'static str,
    ) -> Result<Option<T>, StoreError> {
        self.text_maybe(name)?
            .map(|text| read_name(text, name))
            .transpose()
    }

    /// A JSON document.
    fn document<T: DeserializeOwned>(&self, name: &'static str) -> Result<T, StoreError> {
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

impl Columns for SqliteRow {
    fn bytes(&self, name: &'static str) -> Result<&[u8], StoreError> {
        Ok(self.try_get(name)?)
    }

    fn uuid(&self, name: &'static str) -> Result<Uuid, StoreError> {
        Ok(self.try_get(name)?)
    }

    fn uuid_maybe(&self, name: &'static str) -> Result<Option<Uuid>, StoreError> {
        Ok(self.try_get(name)?)
    }

    fn number<N: TryFrom<i64>>(&self, name: &'static str) -> Result<N, StoreError> {
        fits(self.try_get(name)?, name)
    }

    fn number_maybe<N: TryFrom<i64>>(&self, name: &'static str) -> Result<Option<N>, StoreError> {
        let number: Option<i64> = self.try_get(name)?;
        number.map(|number| fits(number, name)).transpose()
    }

    fn text(&self, name: &'static str) -> Result<&str, StoreError> {
        Ok(self.try_get(name)?)
    }

    fn text_maybe(&self, name: &'static str) -> Result<Option<&str>, StoreError> {
        Ok(self.try_get(name)?)
    }
}
