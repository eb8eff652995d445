//! What is wrong with sets of codes, and what is odd about them, whichever document they stand in.

use std::collections::HashSet;

use super::{CodeGroup, Group, MOST_DEPTH};
use crate::clinical::RXNORM;
use crate::lint::Remarks;

/// Systems whose codes say nothing by how they begin: a prefix of them means nothing.
const FLAT_SYSTEMS: &[&str] = &[
    RXNORM,
    "http://hl7.org/fhir/sid/ndc",
    "http://snomed.info/sct",
];

/// A part of a set of codes, with its place in its document as a JSON pointer.
pub(crate) type Place<'a> = (String, &'a CodeGroup);

/// The parts of a list that stands at `pointer`.
pub(crate) fn of_list(pointer: String, list: &[CodeGroup]) -> impl Iterator<Item = Place<'_>> {
    let numbered = list.iter().enumerate();
    numbered.map(move |(at, part)| (format!("{pointer}/{at}"), part))
}

/// The parts of a document's groups.
pub(super) fn of_groups(groups: &[Group]) -> impl Iterator<Item = Place<'_>> {
    groups.iter().enumerate().flat_map(|(at, group)| {
        let codes = of_list(format!("/groups/{at}/codes"), &group.codes);
        codes.chain(of_list(format!("/groups/{at}/except"), &group.except))
    })
}

/// What makes the groups of a document, and the parts of sets in it, useless.
pub(crate) fn faults<'a>(groups: &[Group], places: impl IntoIterator<Item = Place<'a>>) -> Remarks {
    let mut faults = Vec::new();
    let mut known = HashSet::new();
    for (at, group) in groups.iter().enumerate() {
        if !known.insert(&group.id) {
            faults.push((format!("/groups/{at}/id"), "another group has this id"));
        }
        if depth(group, groups, MOST_DEPTH).is_none() {
            let detail = "the groups in it hold each other, or go deeper than 8";
            faults.push((format!("/groups/{at}/codes"), detail));
        }
    }
    for (pointer, part) in places {
        let fault = match part {
            CodeGroup::Named(name) => {
                (!known.contains(name.id())).then_some("the document has no such group")
            }
            CodeGroup::Listed { codes, .. } => codes.is_empty().then_some("lists no code"),
            CodeGroup::Range { from, to, .. } => (to < from).then_some("ends before it begins"),
            CodeGroup::Prefix { .. } => None,
        };
        faults.extend(fault.map(|fault| (pointer, fault)));
    }
    faults
}

/// What the author of sets should look at.
pub(crate) fn remarks<'a>(places: impl IntoIterator<Item = Place<'a>>) -> Remarks {
    let places = places.into_iter().filter(|(_, part)| match part {
        CodeGroup::Prefix {
            system: Some(system),
            prefix,
        } => !prefix.is_empty() && FLAT_SYSTEMS.contains(&system.as_str()),
        _ => false,
    });
    let detail = "codes of this system mean nothing by how they begin: list them";
    places
        .map(|(pointer, _)| (format!("{pointer}/prefix"), detail))
        .collect()
}

/// How deep a group's groups go; `None` beyond `most`, as where they hold each other.
fn depth(group: &Group, groups: &[Group], most: usize) -> Option<usize> {
    let rest = most.checked_sub(1)?;
    let named = group.codes.iter().chain(&group.except);
    let mut deepest = 1;
    for id in named.filter_map(CodeGroup::named) {
        if let Some(inner) = groups.iter().find(|own| own.id == *id) {
            deepest = deepest.max(1 + depth(inner, groups, rest)?);
        }
    }
    Some(deepest)
}

/// Codes that stand for a part, each with its system: for each thing that it compares, one that fits nothing longer by
/// chance.
pub(crate) fn samples(part: &CodeGroup, groups: &[Group]) -> Vec<(String, String)> {
    samples_within(part, groups, MOST_DEPTH)
}

fn samples_within(part: &CodeGroup, groups: &[Group], most: usize) -> Vec<(String, String)> {
    let of = |system: &Option<String>, code: &str| {
        let system = system.clone().unwrap_or_default();
        (system, code.to_owned())
    };
    match part {
        CodeGroup::Prefix { system, prefix } => vec![of(system, &format!("{prefix}\u{1}"))],
        CodeGroup::Range { system, from, to } => vec![of(system, from), of(system, to)],
        CodeGroup::Listed { system, codes } => codes.iter().map(|code| of(system, code)).collect(),
        CodeGroup::Named(name) => {
            let Some(rest) = most.checked_sub(1) else {
                return Vec::new();
            };
            let parts = name.of(groups).into_iter().flat_map(|group| &group.codes);
            parts
                .flat_map(|part| samples_within(part, groups, rest))
                .collect()
        }
    }
}
