//! Identifiers as they are kept: digests under the hub's own key, by which they are found again. They are short and
//! all of one length, and tell nobody who has the database alone whom or what they name.

use takmil_domain::digest::Keyed;
use takmil_domain::ids::{Identifier, ParticipantId};

use crate::rows::Id;
use crate::seal::OwnerKey;

/// What keeps the digests apart from all else that the hub's own key is for.
const PURPOSE: &[u8] = b"takmil identifiers";

/// Makes the digests.
#[derive(Debug, Clone)]
pub(crate) struct Blind(Keyed);

impl Blind {
    pub(crate) fn new(own: &OwnerKey) -> Blind {
        Blind(Keyed::new(&own.digest(PURPOSE)))
    }

    /// Of identifiers of persons, but for those that mean something to their sender alone.
    pub(crate) fn of_persons<'a>(
        &self,
        identifiers: impl IntoIterator<Item = &'a Identifier>,
    ) -> impl Iterator<Item = Id> {
        identifiers.into_iter().filter_map(|identifier| {
            let (system, value) = spelled(identifier);
            let is_known = !system.is_empty() && !value.is_empty();
            is_known.then(|| self.of(&["person", &system, &value]))
        })
    }

    /// Of a sender's identifier of a message.
    pub(crate) fn of_message(&self, sender: &ParticipantId, identifier: &Identifier) -> Id {
        let (system, value) = spelled(identifier);
        self.of(&["message", sender.as_str(), &system, &value])
    }

    /// Of an identifier by which everybody may name a prescription.
    pub(crate) fn of_prescription(&self, identifier: &Identifier) -> Id {
        let (system, value) = spelled(identifier);
        self.of(&["prescription", &system, &value])
    }

    /// Of a sender's key of a request.
    pub(crate) fn of_key(&self, sender: &ParticipantId, key: &str) -> Id {
        self.of(&["key", sender.as_str(), key])
    }

    fn of<const N: usize>(&self, parts: &[&str; N]) -> Id {
        Id::of_digest(self.0.of(&parts.map(str::as_bytes)))
    }
}

/// An identifier as it is compared: one spelling for what is read as the same.
pub(crate) fn spelled(identifier: &Identifier) -> (String, String) {
    let plain = |text: &str| takmil_domain::text::normalise(text).into_owned();
    (plain(&identifier.system), plain(&identifier.value))
}
