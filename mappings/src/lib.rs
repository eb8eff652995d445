//! Code systems, concept maps and country packs, as data: whatever a sender writes becomes a code of
//! the common scheme, or stays as it is and is reported.
//!
//! The common scheme takes ICD-10-CM for diagnoses, RxNorm for drugs and HCPCS level II for services
//! where they have a code; a national list with no map is its own scheme. Look-ups are pure: no file,
//! no network, no clock. Nothing here refuses a message. The tables of the clinical rules are filled from here
//! too.

pub mod clinical;
pub mod import;
pub mod packs;
pub mod shipped;
pub mod spelling;
pub mod systems;
pub mod table;
pub mod tables;

pub use table::Table;
pub use tables::{Lookup, Mapped, Suggested, Tables, Translation};

/// Why a table or a pack could not be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text is not a table of this crate's form.
    #[error("line {line} of the table: {what}")]
    Form {
        /// Counted from 1.
        line: usize,
        /// What is wrong there.
        what: &'static str,
    },
    /// A source lacks a column that the import names.
    #[error("the source has no column {column:?}")]
    NoColumn {
        /// As named in the import.
        column: String,
    },
    /// The column list of an import is not `target=source,…` or has no code.
    #[error("the column list is wrong at {part:?}")]
    Columns {
        /// The part that could not be read.
        part: String,
    },
    /// The source could not be read as separated values.
    #[error("the source could not be read")]
    Source(#[from] csv::Error),
    /// A source is larger than an import takes.
    #[error("the source has more than {rows} rows")]
    TooManyRows {
        /// The bound.
        rows: usize,
    },
    /// A shipped table does not unpack.
    #[error("the shipped table {id} does not unpack")]
    Packed {
        /// The table's identifier.
        id: &'static str,
        /// The decoder's own word.
        #[source]
        cause: std::io::Error,
    },
    /// A document of a pack does not have its form.
    #[error("{file} of the pack {pack} does not have its form")]
    Pack {
        /// The pack.
        pack: &'static str,
        /// Its file.
        file: &'static str,
        /// What the reader says.
        #[source]
        cause: serde_json::Error,
    },
}
