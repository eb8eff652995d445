//! What persons have judged of codes that no table knows: the hub's own map from them to the common scheme.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::code::{Code, Equivalence, Via};
use crate::ids::ParticipantId;

/// What this map is called where a message says by which map it was read.
pub const LOCAL_MAP: &str = "local";

/// What a person says of a code that no table knows. The last word on a code counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judgement {
    /// Whose code it is; everybody's where nobody is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub participant: Option<ParticipantId>,
    /// The code's system, as it is counted. May be empty.
    #[serde(default)]
    pub system: String,
    /// The code, as it is counted.
    pub code: String,
    /// What it is in the common scheme; `None` where it has no place there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Target>,
    /// Why, for those who read it later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What a code is in the common scheme, and how exactly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The system's canonical URI.
    pub system: String,
    /// The code.
    pub code: String,
    /// How close the two are.
    pub equivalence: Equivalence,
}

impl Target {
    /// The common code.
    pub fn common(&self) -> Code {
        Code::new(&self.system, &self.code)
    }

    /// How a message tells of it, in the version of the map that says it.
    pub fn via(&self, version: u32) -> Via {
        Via {
            map: LOCAL_MAP.to_owned(),
            version: version.to_string(),
            equivalence: self.equivalence,
        }
    }
}

/// The judgements that are in force. Each new one makes a version, numbered from 1.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LocalMap {
    version: u32,
    systems: HashMap<String, HashMap<String, Vec<(u32, Judgement)>>>,
}

impl LocalMap {
    /// The map that these judgements make, each with the version that it made, in any order.
    pub fn new(judged: impl IntoIterator<Item = (u32, Judgement)>) -> LocalMap {
        let mut map = LocalMap::default();
        for (version, judgement) in judged {
            map.version = map.version.max(version);
            let codes = map.systems.entry(judgement.system.clone()).or_default();
            let judged = codes.entry(judgement.code.clone()).or_default();
            let same = |own: &&mut (u32, Judgement)| own.1.participant == judgement.participant;
            match judged.iter_mut().find(same) {
                Some(known) if known.0 < version => *known = (version, judgement),
                Some(_) => {}
                None => judged.push((version, judgement)),
            }
        }
        map
    }

    /// The last version; 0 where nothing is judged.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// What is in force of a code of somebody's, with the version that said it: the word on the sender's own before that
    /// on everybody's.
    pub fn find(
        &self,
        sender: &ParticipantId,
        system: &str,
        code: &str,
    ) -> Option<(u32, &Judgement)> {
        let judged = self.systems.get(system)?.get(code)?;
        let of = |wanted: Option<&ParticipantId>| {
            let found = judged
                .iter()
                .find(|own| own.1.participant.as_ref() == wanted);
            found.map(|(version, judgement)| (*version, judgement))
        };
        of(Some(sender)).or_else(|| of(None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(participant: Option<&str>, to: Option<&str>) -> Judgement {
        Judgement {
            participant: participant.and_then(ParticipantId::parse),
            system: "urn:own".to_owned(),
            code: "7".to_owned(),
            to: to.map(|code| Target {
                system: "urn:common".to_owned(),
                code: code.to_owned(),
                equivalence: Equivalence::Wider,
            }),
            note: None,
        }
    }

    #[test]
    fn the_last_word_counts_and_the_senders_own_before_everybodys() {
        let all = [
            (3, judged(Some("clinic"), Some("C"))),
            (1, judged(None, Some("A"))),
            (2, judged(Some("clinic"), Some("B"))),
            (4, judged(Some("ward"), None)),
        ];
        for turn in 0..all.len() {
            let mut all = all.to_vec();
            all.rotate_left(turn);
            let map = LocalMap::new(all);
            let find = |sender: &str, code: &str| {
                let sender = ParticipantId::parse(sender)?;
                let (version, judgement) = map.find(&sender, "urn:own", code)?;
                Some((version, judgement.to.as_ref().map(Target::common)))
            };
            let common = |code: &str| Some(Code::new("urn:common", code));
            assert_eq!(map.version(), 4);
            assert_eq!(find("clinic", "7"), Some((3, common("C"))));
            assert_eq!(
                find("ward", "7"),
                Some((4, None)),
                "it has no place, said of its own"
            );
            assert_eq!(find("other", "7"), Some((1, common("A"))));
            assert_eq!(find("clinic", "8"), None);
        }
        assert_eq!(LocalMap::default().version(), 0);
    }
}
