//! On whose behalf a question is asked. Every query takes one; a foreign object is not found.

use takmil_domain::ids::ParticipantId;

/// On whose behalf the store is asked.
///
/// A scope is made where a caller is authenticated, and nowhere else widened.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The hub itself and its operators: everything.
    Hub,
    /// The regulator: reads everything, changes nothing.
    Regulator,
    /// A provider: the messages that it sent.
    Provider(ParticipantId),
    /// An insurer: its covers, plans, limits and deliveries, and the messages of which it owes a share.
    Insurer(ParticipantId),
}

impl Scope {
    /// The only sender whose messages may be seen, where there is one.
    pub(crate) fn sender(&self) -> Option<&str> {
        match self {
            Scope::Provider(provider) => Some(provider.as_str()),
            Scope::Hub | Scope::Regulator | Scope::Insurer(_) => None,
        }
    }

    /// The only insurer whose objects may be seen, where there is one.
    pub(crate) fn insurer(&self) -> Option<&str> {
        match self {
            Scope::Insurer(insurer) => Some(insurer.as_str()),
            Scope::Hub | Scope::Regulator | Scope::Provider(_) => None,
        }
    }

    /// The only party of which may be seen what it is owed, where there is one.
    pub(crate) fn owed_to(&self) -> Option<&str> {
        match self {
            Scope::Provider(own) | Scope::Insurer(own) => Some(own.as_str()),
            Scope::Hub | Scope::Regulator => None,
        }
    }

    /// Whether what `party` is owed may be changed.
    pub(crate) fn is_owed(&self, party: &ParticipantId) -> bool {
        *self != Scope::Regulator && self.owed_to().is_none_or(|own| own == party.as_str())
    }

    /// Whether objects of `insurer` may be seen.
    pub fn sees_insurer(&self, insurer: &ParticipantId) -> bool {
        match self {
            Scope::Hub | Scope::Regulator => true,
            Scope::Insurer(own) => own == insurer,
            Scope::Provider(_) => false,
        }
    }

    /// Whether objects of `insurer` may be changed.
    pub(crate) fn may_change(&self, insurer: &ParticipantId) -> bool {
        *self != Scope::Regulator && self.sees_insurer(insurer)
    }
}
