//! Over the corpus: is everything that messages say in their canonical form?
//!
//! The source is walked by the table of R4, without the reader's help. Each amount, code, date and identifier
//! of a message's own resources must stand in the canonical JSON, with the system it had; what does not must
//! at least lie under a pointer of `head.unread`. Lines are counted on both sides. The same is asked of the
//! resources folded in, of which much (addresses, telephones) has no place in a message and is told as unread.

use super::corpus::{Sample, samples};
use super::facts::{Canonical, Fact, Said, facts, lines};
use crate::fhir::tree::Node;
use crate::fhir::{FORMAT, json, r4, xml};
use crate::{Read, Reading};
use std::collections::BTreeMap;
use takmil_domain::message::{Body, Message};

/// The resources that are messages.
const KINDS: &[&str] = &[
    "Claim",
    "CoverageEligibilityRequest",
    "MedicationRequest",
    "MedicationDispense",
];

/// Samples that count as good and are refused all the same, by the start of their path, with why.
const REFUSED: &[(&str, &str)] = &[
    (
        "cms-bfd-fhir/",
        "R4 itself: required elements missing, dates and ids masked by a word",
    ),
    (
        "davinci-pas-2.0.1/Claim-HomecareAuthorizationDifferentialExample.json",
        "a part of an update, tagged as such",
    ),
    (
        "inferno-pas-fixtures/conformant_pas_bundle_v110_multiple_items.json",
        "two lines with the number 1",
    ),
];

/// Claims that are there because another one changes them, and are not asked for again.
const EARLIER: &[(&str, &str)] = &[(
    "davinci-pas-2.2.1/Bundle-HomecareAuthorizationUpdateBundleExample.json",
    "/entry/5/resource",
)];

/// What was found over all samples of one source.
#[derive(Default)]
struct Tally {
    resources: usize,
    messages: usize,
    read: usize,
    /// Messages of whose own resources nothing is missing.
    complete: usize,
    own: Facts,
    folded: Facts,
}

#[derive(Default)]
struct Facts {
    all: usize,
    canonical: usize,
    unread: usize,
}

impl Facts {
    /// Counts `facts`, and returns those that are neither in `canonical` nor told as unread.
    fn count<'f>(
        &mut self,
        facts: &'f [Fact],
        canonical: &Canonical,
        unread: &[String],
    ) -> Vec<&'f Fact> {
        let mut missing = canonical.missing(facts);
        self.all += facts.len();
        self.canonical += facts.len() - missing.len();
        let before = missing.len();
        missing.retain(|fact| !is_unread(fact, unread));
        self.unread += before - missing.len();
        missing
    }
}

/// Whether a pointer of `unread` holds the place of `fact`, or lies within it.
fn is_unread(fact: &Fact, unread: &[String]) -> bool {
    let mut unread = unread.iter();
    unread.any(|place| within(&fact.pointer, place) || within(place, &fact.pointer))
}

fn within(place: &str, outer: &str) -> bool {
    let rest = place.strip_prefix(outer);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Every resource of a body but Bundles and Parameters, contained ones too, with its pointer.
fn resources<'n>(node: &'n Node<'n>, pointer: &str, found: &mut Vec<(String, &'n Node<'n>)>) {
    let kind = node.resource_type().and_then(r4::resource);
    if kind.is_some_and(|kind| !matches!(kind.name, "Bundle" | "Parameters")) {
        found.push((pointer.to_owned(), node));
    }
    for (key, value) in node.members() {
        resources(value, &format!("{pointer}/{key}"), found);
    }
    for (index, item) in node.items().iter().enumerate() {
        resources(item, &format!("{pointer}/{index}"), found);
    }
}

fn is_message((pointer, resource): &(String, &Node)) -> bool {
    let is_kind = resource
        .resource_type()
        .is_some_and(|kind| KINDS.contains(&kind));
    is_kind && !pointer.contains("/contained/")
}

/// What is wrong with the reading of one message, given the resources that the body's messages are made of.
fn judge(
    read: &Read,
    message: &Message,
    sources: &[&(String, &Node)],
    tally: &mut Tally,
) -> Vec<String> {
    let is_own = |pointer: &str| read.origins.iter().any(|(_, source)| source == pointer);
    let own: Vec<_> = sources
        .iter()
        .filter(|(pointer, _)| is_own(pointer))
        .collect();
    let native = crate::read(
        &crate::native::FORMAT,
        &crate::native::write(message),
        &super::context(),
    );
    let canonical = Canonical::of(&serde_json::to_value(message).unwrap());
    let of_bills: usize = own.iter().map(|(_, resource)| lines(resource)).sum();
    let enough = match message.body {
        Body::Prescription(_) => canonical.lines == own.len(),
        // An invoice makes several lines of one dispensing.
        Body::Dispense(_) | Body::Cancel(_) => canonical.lines >= own.len(),
        _ => canonical.lines == of_bills,
    };
    let all = own
        .iter()
        .flat_map(|(pointer, resource)| facts(resource, pointer));
    let all: Vec<Fact> = all.collect();
    let before = tally.own.all - tally.own.canonical;
    let lost = tally.own.count(&all, &canonical, &message.head.unread);
    let whole = tally.own.all - tally.own.canonical == before;
    tally.complete += usize::from(whole && enough && !own.is_empty());
    let mut wrong: Vec<String> = lost.iter().map(|fact| format!("lost {fact:?}")).collect();
    if native.is_ok_and(|native| native.messages[0].outcome.as_ref() != Ok(message)) {
        wrong.push("canonical JSON of it is read as something else".into());
    }
    if !enough || own.is_empty() {
        wrong.push(format!(
            "{} lines of {} resources",
            canonical.lines,
            own.len()
        ));
    }
    wrong
}

/// What the resources say that messages took part of, beside those that they are made of. Codes of R4 itself
/// (`status`, `use`) are the frame of those and left out.
fn judge_folded(reading: &Reading, all: &[(String, &Node)], tally: &mut Tally) -> Vec<String> {
    let messages = reading
        .messages
        .iter()
        .map(|read| read.outcome.as_ref().unwrap());
    let messages: Vec<&Message> = messages.collect();
    let canonical = Canonical::of(&serde_json::to_value(&messages).unwrap());
    let unread = messages
        .iter()
        .flat_map(|message| message.head.unread.clone());
    let unread: Vec<String> = unread.collect();
    let mut wrong = Vec::new();
    for (pointer, resource) in all.iter().filter(|one| !is_message(one)) {
        if reading.unread.iter().any(|entry| within(pointer, entry)) {
            continue;
        }
        let mut facts = facts(resource, pointer);
        facts.retain(|fact| !matches!(fact.said, Said::Code(_)));
        let lost = tally.folded.count(&facts, &canonical, &unread);
        wrong.extend(lost.iter().map(|fact| format!("lost {fact:?}")));
        let amounts = canonical.missing(&facts).into_iter();
        let amounts = amounts.filter(|fact| matches!(fact.said, Said::Amount(_)));
        wrong.extend(amounts.map(|fact| format!("an amount is not canonical: {fact:?}")));
    }
    wrong
}

fn parse(sample: &Sample) -> Node<'_> {
    if sample.kind.starts_with("fhir-xml") {
        xml::parse(&sample.body).unwrap()
    } else {
        json::parse(&sample.body).unwrap()
    }
}

#[test]
fn what_real_senders_say_is_in_the_canonical_message() {
    let mut table: BTreeMap<String, Tally> = BTreeMap::new();
    let mut wrong = Vec::new();
    for sample in samples()
        .iter()
        .filter(|sample| sample.is_fhir() && sample.good)
    {
        let tree = parse(sample);
        let mut all = Vec::new();
        resources(&tree, "", &mut all);
        all.retain(|(pointer, _)| !EARLIER.contains(&(&sample.path, pointer)));
        let sources: Vec<_> = all.iter().filter(|one| is_message(one)).collect();
        if sources.is_empty() {
            continue;
        }
        let tally = table.entry(sample.source.clone()).or_default();
        tally.resources += sources.len();
        let refused = REFUSED
            .iter()
            .any(|(start, _)| sample.path.starts_with(start));
        let reading = crate::read(&FORMAT, &sample.body, &super::context());
        let outcomes = reading.iter().flat_map(|reading| &reading.messages);
        let good = outcomes.clone().all(|read| read.outcome.is_ok()) && reading.is_ok();
        tally.messages += outcomes.count();
        if refused || !good {
            let unexplained = (refused == good).then(|| format!("{}: {reading:?}", sample.path));
            wrong.extend(unexplained);
            continue;
        }
        let reading = reading.unwrap();
        tally.read += reading.messages.len();
        let mut found = Vec::new();
        for read in &reading.messages {
            found.extend(judge(read, read.outcome.as_ref().unwrap(), &sources, tally));
        }
        for (pointer, _) in &sources {
            let mut origins = reading.messages.iter().flat_map(|read| &read.origins);
            if !origins.any(|(_, source)| source == pointer) {
                found.push(format!("nothing was read of {pointer}"));
            }
        }
        found.extend(judge_folded(&reading, &all, tally));
        wrong.extend(
            found
                .into_iter()
                .map(|found| format!("{}: {found}", sample.path)),
        );
    }
    println!(
        "source | resources | messages | read | complete | own facts | canonical | unread | folded facts | canonical | unread"
    );
    for (
        source,
        Tally {
            resources,
            messages,
            read,
            complete,
            own,
            folded,
        },
    ) in &table
    {
        print!("{source} | {resources} | {messages} | {read} | {complete}");
        for Facts {
            all,
            canonical,
            unread,
        } in [own, folded]
        {
            print!(" | {all} | {canonical} | {unread}");
        }
        println!();
    }
    assert_eq!(wrong, Vec::<String>::new());
    for tally in table.values() {
        assert_eq!(
            tally.complete, tally.read,
            "what is kept as unread alone is not enough"
        );
    }
}
