//! From the sender's codes to the common scheme. An unknown code never holds a message up: it is kept, told and counted.

use takmil_domain::ids::ParticipantId;
use takmil_domain::local_map::LocalMap;
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

/// What was made of a message's codes.
#[derive(Debug, Default)]
pub(crate) struct Normalised {
    /// How many there were.
    pub(crate) codes: usize,
    /// Those that could not be mapped.
    pub(crate) unmapped: Vec<Unmapped>,
}

/// Maps every concept of the message in place, and says which could not be. What no table knows is what a person has
/// judged it to be.
///
/// A concept in words alone has nothing to map; it is kept as it is and not counted.
pub(crate) fn normalise(
    message: &mut Message,
    tables: &Tables,
    sender: &ParticipantId,
    local: &LocalMap,
) -> Normalised {
    let mut made = Normalised::default();
    message.visit_concepts(&mut |place, coded| {
        if coded.common.is_some() {
            return;
        }
        match tables.concept(coded) {
            Lookup::Mapped(mapped) => {
                made.codes += 1;
                coded.via = Some(mapped.via);
                coded.common = Some(mapped.common);
            }
            Lookup::Unmapped(gap) => {
                let Some(source) = &coded.source else { return };
                made.codes += 1;
                let system = gap.system.unwrap_or(&source.system);
                let code = gap.code.unwrap_or_else(|| source.code.clone());
                let judged = local.find(sender, system, &code);
                if let Some((version, target)) =
                    judged.and_then(|(version, own)| Some((version, own.to.as_ref()?)))
                {
                    coded.via = Some(target.via(version));
                    coded.common = Some(target.common());
                    return;
                }
                made.unmapped.push(Unmapped {
                    place: place(),
                    system: system.to_owned(),
                    code,
                    display: coded.label().unwrap_or_default().to_owned(),
                });
            }
        }
    });
    made
}
