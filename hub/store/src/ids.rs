//! Identifiers of what only the store keeps.

use serde::{Deserialize, Serialize};
use std::fmt;
use takmil_domain::date::Instant;
use uuid::Uuid;

macro_rules! store_ids {
    ($($name:ident $meaning:literal)+) => {$(
        #[doc = $meaning]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// Reads the usual hyphenated form.
            pub fn parse(text: &str) -> Option<Self> {
                Uuid::try_parse(text).ok().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

store_ids! {
    StaffId "A person who works for a participant."
    ApprovalId "Something that one person proposed and another is to approve."
}

/// A UUID of version 7: sorts by its moment.
pub(crate) fn uuid(at: Instant, random: [u8; 10]) -> Uuid {
    let milliseconds = u64::try_from(at.0 / 1_000).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(milliseconds, &random).into_uuid()
}
