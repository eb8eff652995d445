//! Over the corpus: is everything that a message's own resources say in the canonical message?
//!
//! The source is walked by the table of R4 without the reader's help. Each amount, code, date and
//! identifier must stand in the canonical JSON with the system it had; what does not must at least lie under a
//! pointer of `head.unread`. Lines are counted on both sides.

use super::corpus::samples;
use super::facts::{Canonical, Fact, Said, facts, lines};
use crate::fhir::tree::Node;
use crate::fhir::{FORMAT, json, xml};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The resources that are messages.
const KINDS: &[&str] = &[
    "Claim",
    "CoverageEligibilityRequest",
    "MedicationRequest",
    "MedicationDispense",
];

/// The resources of those kinds anywhere in a body, but for contained ones, with their pointers.
fn sources<'n>(node: &'n Node, pointer: &str, found: &mut Vec<(String, &'n Node)>) {
    if node
        .resource_type()
        .is_some_and(|kind| KINDS.contains(&kind))
    {
        found.push((pointer.to_owned(), node));
        return;
    }
    for (key, value) in node
        .members()
        .iter()
        .filter(|(key, _)| &**key != "contained")
    {
        sources(value, &format!("{pointer}/{key}"), found);
    }
    for (index, item) in node.items().iter().enumerate() {
        sources(item, &format!("{pointer}/{index}"), found);
    }
}

#[derive(Default)]
struct Tally {
    resources: usize,
    messages: usize,
    read: usize,
    complete: usize,
    /// What the messages' own resources say, and those that belong to them.
    own: Facts,
    folded: Facts,
}

#[derive(Default)]
struct Facts {
    all: usize,
    said: usize,
    kept: usize,
    lost: usize,
}

/// Whether a pointer of `unread` holds the place of `fact`, or lies within it.
fn is_unread(fact: &Fact, unread: &[String]) -> bool {
    let within = |place: &str, outer: &str| {
        let rest = place.strip_prefix(outer);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let mut unread = unread.iter();
    unread.any(|place| within(&fact.pointer, place) || within(place, &fact.pointer))
}

/// Every resource of a body but Bundles and Parameters, contained ones too, with its pointer.
fn everything<'n>(node: &'n Node, pointer: &str, found: &mut Vec<(String, &'n Node)>) {
    if node
        .resource_type()
        .is_some_and(|kind| !matches!(kind, "Bundle" | "Parameters"))
    {
        found.push((pointer.to_owned(), node));
    }
    for (key, value) in node.members() {
        everything(value, &format!("{pointer}/{key}"), found);
    }
    for (index, item) in node.items().iter().enumerate() {
        everything(item, &format!("{pointer}/{index}"), found);
    }
}

#[test]
fn what_real_senders_say_is_in_the_canonical_message() {
    let mut table: BTreeMap<String, Tally> = BTreeMap::new();
    let mut gaps: BTreeMap<String, usize> = BTreeMap::new();
    let mut lost = Vec::new();
    let samples = samples();
    let skipped = samples.is_empty();
    for sample in samples
        .iter()
        .filter(|sample| sample.is_fhir() && sample.good)
    {
        let tree = if sample.kind.starts_with("fhir-xml") {
            xml::parse(&sample.body).unwrap()
        } else {
            json::parse(&sample.body).unwrap()
        };
        let mut expected = Vec::new();
        sources(&tree, "", &mut expected);
        if expected.is_empty() {
            continue;
        }
        let tally = table.entry(sample.source.clone()).or_default();
        tally.resources += expected.len();
        let reading = match crate::read(&FORMAT, &sample.body, &super::context()) {
            Ok(reading) => reading,
            Err(problem) => {
                println!("REFUSED {}: {problem}", sample.path);
                continue;
            }
        };
        for read in &reading.messages {
            tally.messages += 1;
            let message = match &read.outcome {
                Ok(message) => message,
                Err(problems) => {
                    println!(
                        "REFUSED {}: {:?}",
                        sample.path,
                        problems.iter().map(ToString::to_string).collect::<Vec<_>>()
                    );
                    continue;
                }
            };
            tally.read += 1;
            let own = |pointer: &str| read.origins.iter().any(|(_, source)| source == pointer);
            let own: Vec<_> = expected
                .iter()
                .filter(|(pointer, _)| own(pointer))
                .collect();
            assert!(!own.is_empty(), "{} {}", sample.path, read.place);
            let canonical = Canonical::of(&serde_json::to_value(message).unwrap());
            let all: Vec<Fact> = own
                .iter()
                .flat_map(|(pointer, resource)| facts(resource, pointer))
                .collect();
            let missing = canonical.missing(&all);
            let needed: usize = own.iter().map(|(_, resource)| lines(resource).max(1)).sum();
            let enough = match message.body {
                takmil_domain::message::Body::Dispense(_) => true,
                takmil_domain::message::Body::Cancel(_) => canonical.lines >= needed,
                takmil_domain::message::Body::Prescription(_) => canonical.lines == needed,
                _ => {
                    canonical.lines
                        == own
                            .iter()
                            .map(|(_, resource)| lines(resource))
                            .sum::<usize>()
                }
            };
            if !enough {
                lost.push(format!(
                    "{} {}: {} lines of {needed}",
                    sample.path, read.place, canonical.lines
                ));
            }
            tally.own.all += all.len();
            tally.own.said += all.len() - missing.len();
            tally.complete += usize::from(missing.is_empty() && enough);
            for fact in missing {
                let steps = fact
                    .pointer
                    .split('/')
                    .filter(|step| step.parse::<usize>().is_err());
                let path = steps.collect::<Vec<_>>().join("/");
                *gaps
                    .entry(format!("{} {path} {}", sample.source, fact.said.kind()))
                    .or_default() += 1;
                if is_unread(fact, &message.head.unread) {
                    tally.own.kept += 1;
                } else {
                    tally.own.lost += 1;
                    lost.push(format!("{} {fact:?}", sample.path));
                }
            }
        }
        // What is in no message must be told as unread by one, or by the reading as a whole.
        let messages: Vec<_> = reading
            .messages
            .iter()
            .filter_map(|read| read.outcome.as_ref().ok())
            .collect();
        if messages.len() < reading.messages.len() {
            continue;
        }
        let canonical = Canonical::of(&serde_json::to_value(&messages).unwrap());
        let mut unread = reading.unread.clone();
        unread.extend(
            messages
                .iter()
                .flat_map(|message| message.head.unread.clone()),
        );
        let mut all = Vec::new();
        everything(&tree, "", &mut all);
        for (pointer, resource) in all
            .iter()
            .filter(|(pointer, _)| !expected.iter().any(|(own, _)| own == pointer))
        {
            if crate::fhir::r4::resource(resource.resource_type().unwrap()).is_none() {
                continue;
            }
            let all = facts(resource, pointer);
            let all: Vec<Fact> = all
                .into_iter()
                .filter(|fact| !matches!(fact.said, Said::Code(_)))
                .collect();
            let missing = canonical.missing(&all);
            // An entry that no message took part of is not folded in.
            if reading
                .unread
                .iter()
                .any(|entry| pointer.starts_with(&format!("{entry}/")))
            {
                continue;
            }
            tally.folded.all += all.len();
            tally.folded.said += all.len() - missing.len();
            for fact in missing {
                assert!(
                    !matches!(fact.said, Said::Amount(_)),
                    "{} {fact:?}",
                    sample.path
                );
                if is_unread(fact, &unread) {
                    tally.folded.kept += 1;
                } else {
                    tally.folded.lost += 1;
                    lost.push(format!("{} {fact:?}", sample.path));
                }
            }
        }
    }
    let mut text = String::from(
        "source | resources | messages | read | complete | own: facts | canonical | kept | lost | folded: facts | canonical | kept | lost\n",
    );
    for (source, tally) in &table {
        let Tally {
            resources,
            messages,
            read,
            complete,
            own,
            folded,
        } = tally;
        write!(
            text,
            "{source} | {resources} | {messages} | {read} | {complete}"
        )
        .unwrap();
        for Facts {
            all,
            said,
            kept,
            lost,
        } in [own, folded]
        {
            write!(text, " | {all} | {said} | {kept} | {lost}").unwrap();
        }
        text.push('\n');
    }
    println!("{text}\n{gaps:#?}");
    println!(
        "{}",
        lost.iter().take(60).cloned().collect::<Vec<_>>().join("\n")
    );
    if skipped {
        return;
    }
    assert_eq!(lost, Vec::<String>::new());
}
