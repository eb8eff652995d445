//! From the sender's codes to the common scheme. An unknown code never holds a message up: it is kept, told and counted.

use takmil_domain::message::Message;
use takmil_mappings::{Lookup, Tables};

/// A code that the common scheme does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unmapped {
    /// Where it stands: a pointer into the canonical message.
    pub(crate) place: String,
    /// The system as the hub knows it, or as the sender spelt it.
    pub(crate) system: String,
    /// The code.
    pub(crate) code: String,
    /// What the sender shows for it.
    pub(crate) display: String,
}

/// Maps every concept of the message in place, and says which could not be.
///
/// A concept in words alone has nothing to map; it is kept as it is and not counted.
pub(crate) fn normalise(message: &mut Message, tables: &Tables) -> Vec<Unmapped> {
    let mut unmapped = Vec::new();
    message.visit_concepts(&mut |place, coded| {
        if coded.common.is_some() {
            return;
        }
        match tables.concept(coded) {
            Lookup::Mapped(mapped) => {
                coded.via = Some(mapped.via);
                coded.common = Some(mapped.common);
            }
            Lookup::Unmapped(gap) => {
                let Some(source) = &coded.source else { return };
                unmapped.push(Unmapped {
                    place: place(),
                    system: gap
                        .system
                        .map_or_else(|| source.system.clone(), str::to_owned),
                    code: gap.code.unwrap_or_else(|| source.code.clone()),
                    display: coded.label().unwrap_or_default().to_owned(),
                });
            }
        }
    });
    unmapped
}
