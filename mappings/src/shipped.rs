//! The tables that come with the hub, unpacked when first used.
//!
//! Their provenance is in their own heads and, for reading, in `data/PROVENANCE.md`. A table that may
//! not be passed on (ATC, CPT, the national lists of drugs and of relative values) is never here: its
//! holder imports it.

use std::sync::OnceLock;

use crate::Error;
use crate::systems;
use crate::table::Table;

/// A table inside the program.
#[derive(Debug)]
pub struct Shipped {
    /// Its name.
    pub id: &'static str,
    /// Canonical URI of the system that its codes belong to.
    pub system: &'static str,
    /// Canonical URI of the system that a map leads to.
    pub target: Option<&'static str>,
    /// The text, or the text in a Zstandard frame.
    packed: &'static [u8],
    unpacked: OnceLock<Table>,
}

/// Every table that comes with the hub. Of two maps of one system the later is asked first.
pub static SHIPPED: [Shipped; 13] = [
    list(
        "icd-10-cm",
        systems::ICD_10_CM,
        include_bytes!("../data/icd-10-cm.tsv.zst"),
    ),
    list(
        "icd-10-pcs",
        systems::ICD_10_PCS,
        include_bytes!("../data/icd-10-pcs.tsv.zst"),
    ),
    list(
        "icd-9-cm",
        systems::ICD_9_CM,
        include_bytes!("../data/icd-9-cm.tsv.zst"),
    ),
    map(
        "icd-9-cm-icd-10-cm",
        systems::ICD_9_CM,
        systems::ICD_10_CM,
        include_bytes!("../data/icd-9-cm-icd-10-cm.tsv.zst"),
    ),
    map(
        "icd-9-procedures-icd-10-pcs",
        systems::ICD_9_CM_PROCEDURES,
        systems::ICD_10_PCS,
        include_bytes!("../data/icd-9-procedures-icd-10-pcs.tsv.zst"),
    ),
    list(
        "hcpcs",
        systems::HCPCS,
        include_bytes!("../data/hcpcs.tsv.zst"),
    ),
    list(
        "rxnorm",
        systems::RXNORM,
        include_bytes!("../data/rxnorm.tsv.zst"),
    ),
    map(
        "ndc-rxnorm",
        systems::NDC,
        systems::RXNORM,
        include_bytes!("../data/ndc-rxnorm.tsv.zst"),
    ),
    list(
        "synthetic-ir-rvu",
        systems::SYNTHETIC_RVU,
        include_bytes!("../data/synthetic-ir-rvu.tsv"),
    ),
    map(
        "synthetic-ir-rvu-hcpcs",
        systems::SYNTHETIC_RVU,
        systems::HCPCS,
        include_bytes!("../data/synthetic-ir-rvu-hcpcs.tsv"),
    ),
    list(
        "synthetic-ir-irc",
        systems::SYNTHETIC_IRC,
        include_bytes!("../data/synthetic-ir-irc.tsv"),
    ),
    map(
        "synthetic-ir-irc-rxnorm",
        systems::SYNTHETIC_IRC,
        systems::RXNORM,
        include_bytes!("../data/synthetic-ir-irc-rxnorm.tsv"),
    ),
    list(
        "synthetic-services",
        systems::SYNTHETIC_SERVICES,
        include_bytes!("../data/synthetic-services.tsv"),
    ),
];

/// Maps that lead away from the common scheme: back to what it was, or to what it is grouped by. They answer questions;
/// no message is mapped by them.
pub static LEADING_AWAY: [Shipped; 2] = [
    map(
        "icd-10-cm-icd-9-cm",
        systems::ICD_10_CM,
        systems::ICD_9_CM,
        include_bytes!("../data/icd-10-cm-icd-9-cm.tsv.zst"),
    ),
    map(
        "icd-10-cm-ccsr",
        systems::ICD_10_CM,
        systems::CCSR,
        include_bytes!("../data/icd-10-cm-ccsr.tsv.zst"),
    ),
];

/// The tables of the clinical rules: who can have a diagnosis, the notes of ICD-10-CM, the most units of a service,
/// what drugs are given for, which organs a procedure removes. They say something of codes and are no lists of
/// them, so that no code is looked up here.
pub static CLINICAL: [Shipped; 5] = [
    list(
        "icd-10-cm-bearers",
        systems::ICD_10_CM,
        include_bytes!("../data/icd-10-cm-bearers.tsv.zst"),
    ),
    list(
        "icd-10-cm-notes",
        systems::ICD_10_CM,
        include_bytes!("../data/icd-10-cm-notes.tsv.zst"),
    ),
    list(
        "hcpcs-units",
        systems::HCPCS,
        include_bytes!("../data/hcpcs-units.tsv.zst"),
    ),
    list(
        "rxnorm-indications",
        systems::RXNORM,
        include_bytes!("../data/rxnorm-indications.tsv.zst"),
    ),
    list(
        "icd-10-pcs-organs",
        systems::ICD_10_PCS,
        include_bytes!("../data/icd-10-pcs-organs.tsv.zst"),
    ),
];

/// How a Zstandard frame starts.
const FRAME: &[u8] = &[0x28, 0xB5, 0x2F, 0xFD];

impl Shipped {
    /// The table.
    ///
    /// # Errors
    /// [`Error::Packed`] or [`Error::Form`] where the bytes in the program are damaged.
    pub fn table(&self) -> Result<&Table, Error> {
        if let Some(table) = self.unpacked.get() {
            return Ok(table);
        }
        // Two threads may both unpack; one result is kept, and they are equal.
        let table = self.unpack()?;
        Ok(self.unpacked.get_or_init(|| table))
    }

    fn unpack(&self) -> Result<Table, Error> {
        let packed = |cause| Error::Packed { id: self.id, cause };
        let bytes = if self.packed.starts_with(FRAME) {
            zstd::decode_all(self.packed).map_err(packed)?
        } else {
            self.packed.to_vec()
        };
        let text = String::from_utf8(bytes)
            .map_err(|cause| packed(std::io::Error::new(std::io::ErrorKind::InvalidData, cause)))?;
        Table::parse(text)
    }
}

const fn list(id: &'static str, system: &'static str, packed: &'static [u8]) -> Shipped {
    Shipped {
        id,
        system,
        target: None,
        packed,
        unpacked: OnceLock::new(),
    }
}

const fn map(
    id: &'static str,
    system: &'static str,
    target: &'static str,
    packed: &'static [u8],
) -> Shipped {
    Shipped {
        id,
        system,
        target: Some(target),
        packed,
        unpacked: OnceLock::new(),
    }
}
