//! An event of the feed: a step of a message, under an id by which a reader says how far it has read.

use serde_json::{Value, json};
use std::fmt;
use takmil_engine::Step;
use takmil_store::Scope;

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    /// Its id.
    pub(crate) id: EventId,
    /// What happened.
    pub(crate) step: Step,
}

/// A place in the stream that hubs share. Later entries have greater ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    ms: u64,
    sequence: u64,
}

/// The id of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventId {
    /// One that all hubs have.
    Shared(Place),
    /// One that a single hub has, under its own mark and number: it has no neighbours, or could not tell them.
    Own {
        /// The hub's mark in this life of it.
        hub: u64,
        /// Which event of it.
        number: u64,
    },
}

impl Place {
    /// Reads a place.
    pub(crate) fn parse(text: &str) -> Option<Place> {
        let (ms, sequence) = text.split_once('-')?;
        Some(Place {
            ms: ms.parse().ok()?,
            sequence: sequence.parse().ok()?,
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.sequence)
    }
}

impl EventId {
    /// Reads an id, as a reader has had it.
    pub(crate) fn parse(text: &str) -> Option<EventId> {
        let Some(own) = text.strip_prefix('h') else {
            return Place::parse(text).map(EventId::Shared);
        };
        let (hub, number) = own.split_once('-')?;
        Some(EventId::Own {
            hub: u64::from_str_radix(hub, 16).ok()?,
            number: number.parse().ok()?,
        })
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EventId::Shared(place) => place.fmt(f),
            EventId::Own { hub, number } => write!(f, "h{hub:016x}-{number}"),
        }
    }
}

impl Event {
    /// Whether a caller of this scope may see it, as it may see the message.
    pub(crate) fn is_seen_by(&self, scope: &Scope) -> bool {
        match scope {
            Scope::Hub | Scope::Regulator => true,
            Scope::Provider(own) => self.step.sender == *own,
            Scope::Insurer(own) => self.step.insurers.contains(own),
        }
    }

    /// The event as a caller of this scope is told it: an insurer learns of no other insurer.
    pub(crate) fn shown(&self, scope: &Scope) -> Value {
        let Step {
            message,
            kind,
            state,
            sender,
            insurers,
            at,
        } = &self.step;
        let insurers = insurers.iter().filter(|insurer| match scope {
            Scope::Insurer(own) => *insurer == own,
            Scope::Hub | Scope::Regulator | Scope::Provider(_) => true,
        });
        json!({
            "message": message, "kind": kind, "state": state, "sender": sender,
            "insurers": insurers.collect::<Vec<_>>(), "at": at,
        })
    }
}
