//! Groups of services and diagnoses: value sets over the common scheme, which may hold each other.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};

use crate::ids::GroupId;

/// How deep groups may hold each other.
pub const MOST_DEPTH: usize = 8;

/// A set of codes by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// The group within its document.
    pub id: GroupId,
    /// The name people know it by.
    pub title: String,
    /// What belongs to it.
    pub codes: Vec<CodeGroup>,
    /// What does not, all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<CodeGroup>,
}

/// A part of a set of codes. Where it names a system, only that system's codes belong to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub enum CodeGroup {
    /// Every code that begins so, of a system whose codes are longer the more they say.
    Prefix {
        /// The system.
        system: Option<String>,
        /// How the code begins. Empty for all codes.
        prefix: String,
    },
    /// These codes alone.
    Listed {
        /// The system.
        system: Option<String>,
        /// The codes.
        codes: BTreeSet<String>,
    },
    /// Every code from the one to the other, both with all that is below them.
    Range {
        /// The system.
        system: Option<String>,
        /// The first.
        from: String,
        /// The last.
        to: String,
    },
    /// A group of the same document.
    Named(GroupName),
}

/// The name of a group in its document.
#[derive(Debug)]
pub struct GroupName {
    id: GroupId,
    /// Where it stood when it was last looked for: a service is held against every group of its plan, and the search
    /// for them would take longer than the rest. It is looked at before it is believed.
    place: AtomicUsize,
}

impl GroupName {
    /// The group's name.
    pub fn id(&self) -> &GroupId {
        &self.id
    }

    /// The group among those of its document.
    pub fn of<'g>(&self, groups: &'g [Group]) -> Option<&'g Group> {
        let last = groups.get(self.place.load(Ordering::Relaxed));
        if let Some(group) = last.filter(|group| group.id == self.id) {
            return Some(group);
        }
        let place = groups.iter().position(|group| group.id == self.id)?;
        self.place.store(place, Ordering::Relaxed);
        groups.get(place)
    }
}

impl From<GroupId> for GroupName {
    fn from(id: GroupId) -> GroupName {
        GroupName {
            id,
            place: AtomicUsize::new(0),
        }
    }
}

impl Clone for GroupName {
    fn clone(&self) -> GroupName {
        GroupName::from(self.id.clone())
    }
}

impl PartialEq for GroupName {
    fn eq(&self, other: &GroupName) -> bool {
        self.id == other.id
    }
}

impl Eq for GroupName {}

impl Group {
    /// How specific the match is of what it holds.
    fn matches(&self, system: &str, code: &str, groups: &[Group], depth: usize) -> Option<usize> {
        let longest = |parts: &[CodeGroup]| {
            let lengths = parts
                .iter()
                .filter_map(|part| part.matches_within(system, code, groups, depth));
            lengths.max()
        };
        // What is taken out of a group is so however it came into it.
        longest(&self.codes).filter(|_| longest(&self.except).is_none())
    }
}

impl CodeGroup {
    /// How specific the match is, or `None` where it does not match: the length of what was compared.
    #[inline]
    pub fn matches(&self, system: &str, code: &str, groups: &[Group]) -> Option<usize> {
        self.matches_within(system, code, groups, MOST_DEPTH)
    }

    #[inline]
    fn matches_within(
        &self,
        system: &str,
        code: &str,
        groups: &[Group],
        depth: usize,
    ) -> Option<usize> {
        let (own, length) = match self {
            CodeGroup::Prefix { system, prefix } => (
                system,
                code.starts_with(prefix.as_str()).then_some(prefix.len()),
            ),
            CodeGroup::Listed { system, codes } => {
                (system, codes.contains(code).then_some(code.len()))
            }
            CodeGroup::Range { system, from, to } => {
                let within = code >= from.as_str() && (code <= to.as_str() || code.starts_with(to));
                (system, within.then_some(from.len().min(code.len())))
            }
            CodeGroup::Named(name) => {
                let group = name.of(groups)?;
                return group.matches(system, code, groups, depth.checked_sub(1)?);
            }
        };
        length.filter(|_| own.as_deref().is_none_or(|own| own == system))
    }

    /// The group that it names.
    pub fn named(&self) -> Option<&GroupId> {
        match self {
            CodeGroup::Named(name) => Some(name.id()),
            CodeGroup::Prefix { .. } | CodeGroup::Listed { .. } | CodeGroup::Range { .. } => None,
        }
    }
}

/// The JSON form of a [`CodeGroup`].
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    system: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    prefix: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    codes: Option<BTreeSet<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<GroupId>,
}

impl TryFrom<Written> for CodeGroup {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        match written {
            Written {
                system,
                prefix: Some(prefix),
                codes: None,
                from: None,
                to: None,
                group: None,
            } => Ok(CodeGroup::Prefix { system, prefix }),
            Written {
                system,
                prefix: None,
                codes: Some(codes),
                from: None,
                to: None,
                group: None,
            } => Ok(CodeGroup::Listed { system, codes }),
            Written {
                system,
                prefix: None,
                codes: None,
                from: Some(from),
                to: Some(to),
                group: None,
            } => Ok(CodeGroup::Range { system, from, to }),
            Written {
                system: None,
                prefix: None,
                codes: None,
                from: None,
                to: None,
                group: Some(group),
            } => Ok(CodeGroup::Named(group.into())),
            _ => Err(
                "one of prefix, codes, or from and to, with the system where it is one's; or a group",
            ),
        }
    }
}

impl From<CodeGroup> for Written {
    fn from(group: CodeGroup) -> Written {
        match group {
            CodeGroup::Prefix { system, prefix } => Written {
                system,
                prefix: Some(prefix),
                ..Written::default()
            },
            CodeGroup::Listed { system, codes } => Written {
                system,
                codes: Some(codes),
                ..Written::default()
            },
            CodeGroup::Range { system, from, to } => Written {
                system,
                from: Some(from),
                to: Some(to),
                ..Written::default()
            },
            CodeGroup::Named(group) => Written {
                group: Some(group.id),
                ..Written::default()
            },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_code_belongs_as_specifically_as_it_was_compared() {
        let groups: Vec<Group> = serde_json::from_str(
            r#"[{"id":"teeth","title":"","codes":[{"system":"s","prefix":"D"}],"except":[{"prefix":"D9"}]},
                {"id":"all","title":"","codes":[{"group":"teeth"},{"system":"s","codes":["6809","41493"]}]},
                {"id":"round","title":"","codes":[{"group":"round"}]}]"#,
        )
        .unwrap();
        let check = |part: &str, system: &str, code: &str, expected: Option<usize>| {
            let part: CodeGroup = serde_json::from_str(part).unwrap();
            assert_eq!(
                part.matches(system, code, &groups),
                expected,
                "{part:?} {code}"
            );
            let written = serde_json::to_string(&part).unwrap();
            assert_eq!(serde_json::from_str::<CodeGroup>(&written).unwrap(), part);
        };
        check(r#"{"prefix":""}"#, "t", "X", Some(0));
        check(r#"{"system":"s","prefix":"D1"}"#, "s", "D12", Some(2));
        check(r#"{"system":"s","prefix":"D1"}"#, "t", "D12", None);
        check(r#"{"codes":["6809"]}"#, "s", "68091", None);
        check(r#"{"codes":["6809"]}"#, "s", "6809", Some(4));
        check(r#"{"from":"O80","to":"O84"}"#, "icd", "O82.1", Some(3));
        check(r#"{"from":"O80","to":"O84"}"#, "icd", "O84.9", Some(3));
        check(r#"{"from":"O80","to":"O84"}"#, "icd", "O85", None);
        check(r#"{"from":"O80","to":"O84"}"#, "icd", "O79.9", None);
        check(r#"{"group":"all"}"#, "s", "D21", Some(1));
        check(r#"{"group":"all"}"#, "s", "D91", None);
        check(r#"{"group":"all"}"#, "s", "41493", Some(5));
        check(r#"{"group":"nobody"}"#, "s", "D21", None);
        check(r#"{"group":"round"}"#, "s", "D21", None);
    }

    #[test]
    fn a_part_is_said_in_one_way() {
        for part in [
            r#"{}"#,
            r#"{"system":"s"}"#,
            r#"{"prefix":"A","codes":["A"]}"#,
            r#"{"from":"A"}"#,
            r#"{"system":"s","group":"g"}"#,
            r#"{"prefix":"A","more":1}"#,
        ] {
            assert!(serde_json::from_str::<CodeGroup>(part).is_err(), "{part}");
        }
    }
}
