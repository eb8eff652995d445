//! The shipped tables, look-ups over them and imports, through the crate's public face; and what the clinical
//! rules find with them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod classes;
mod clinical;
mod corpus;
mod diseases;
mod examples;
mod imports;
mod lookups;
mod packs;
mod properties;
mod provenance;
mod shipped;
mod terms;
