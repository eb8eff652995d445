//! Codes: what the sender said, what the hub understands by it, and by which map.

use serde::{Deserialize, Serialize};

/// A code of a code system.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Code {
    /// The system's URI, canonical where the hub knows the system, else as the sender spelt it. May be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub system: String,
    /// The code.
    pub code: String,
}

impl Code {
    /// A code of a system.
    pub fn new(system: impl Into<String>, code: impl Into<String>) -> Self {
        Self {
            system: system.into(),
            code: code.into(),
        }
    }
}

/// One coding as the sender gave it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coding {
    /// The system as the sender spelt it. May be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub system: String,
    /// The system's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The code as the sender spelt it. May be empty where only a display was given.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub code: String,
    /// What the sender shows for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display: Option<String>,
}

/// A concept: the sender's coding, never overwritten, and the common code that it was mapped to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coded {
    /// The sender's first coding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Coding>,
    /// Further codings of the same concept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Coding>,
    /// The sender's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The common code, once normalised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub common: Option<Code>,
    /// How the common code was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Via>,
}

impl Coded {
    /// A concept with one coding.
    pub fn new(system: impl Into<String>, code: impl Into<String>) -> Self {
        let source = Coding {
            system: system.into(),
            code: code.into(),
            ..Coding::default()
        };
        Self {
            source: Some(source),
            ..Self::default()
        }
    }

    /// A concept in words alone.
    pub fn words(text: impl Into<String>) -> Self {
        Self {
            text: Some(text.into()),
            ..Self::default()
        }
    }

    /// The sender's codings, first to last.
    pub fn codings(&self) -> impl Iterator<Item = &Coding> {
        self.source.iter().chain(&self.others)
    }

    /// The code that rules go by: the common one, else the sender's first.
    pub fn effective(&self) -> Option<(&str, &str)> {
        let common = self
            .common
            .as_ref()
            .map(|code| (code.system.as_str(), code.code.as_str()));
        common.or_else(|| {
            self.source
                .as_ref()
                .map(|coding| (coding.system.as_str(), coding.code.as_str()))
        })
    }

    /// What to show a person: the sender's words, a display, or the bare code.
    pub fn label(&self) -> Option<&str> {
        let display = || self.codings().find_map(|coding| coding.display.as_deref());
        self.text
            .as_deref()
            .or_else(display)
            .or_else(|| self.source.as_ref().map(|coding| coding.code.as_str()))
    }
}

/// By which map, in which version, and how exactly a code was translated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Via {
    /// The map's name.
    pub map: String,
    /// The map's version.
    pub version: String,
    /// How close the two concepts are.
    pub equivalence: Equivalence,
}

/// How close a translation is, in the words of FHIR's concept maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Equivalence {
    /// The same code, found in a table of the system.
    Equal,
    /// Another code that means the same.
    Equivalent,
    /// The target is broader.
    Wider,
    /// The target is narrower.
    Narrower,
    /// Taken as it stands: the hub holds no table of the system to check it against.
    Unchecked,
}
