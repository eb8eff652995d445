//! What a request for leave asks of an earlier one, in the words of Da Vinci's guide to pre-authorisations in the
//! United States: the type of certification (X12's element 1322) of the request or of its lines, the numbers that
//! earlier ones were given, and the marks of an update.
//!
//! | certification | becomes |
//! |---|---|
//! | I initial, or none | a request like any other: the number on a line is the leave that the line goes by |
//! | R renewal, 4 extension | a request for more, related to what its numbers name: that stays as it is |
//! | S revised, or any other mark of an update | it replaces the request, or the leave, that it names |
//! | 3 cancel on a line | the line is not asked for |
//! | 3 cancel on the request, or on all of its lines | the request, or the leave, that it names is taken back |
//! | 1, 2 appeals, anything else | refused where it stands: taken for a new request it could be granted twice |
//!
//! What stands on the request and its lines stays among their particulars as well, because insurers read it.

use std::collections::HashSet;

use takmil_domain::bill::Line;
use takmil_domain::code::Coded;
use takmil_domain::ids::{Identifier, MessageId};
use takmil_domain::message::{Correlate, Head, Relation, Supporting};
use takmil_domain::problem::ProblemCode;

use super::cursor::Cursor;
use crate::MESSAGE_SYSTEM;
use crate::fhir::{ELEMENT, EXTENSION};

/// X12's list of the types.
const TYPES: &str = "https://codesystem.x12.org/005010/1322";

/// Where the guide defines its extensions.
const GUIDE: &str = "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/";

/// The extension for a type.
const TYPE: &str = "extension-certificationType";

/// The extensions for the numbers of earlier reviews: of one that gave leave, and of one that refused it.
const LEAVE_NUMBER: &str = "extension-authorizationNumber";
const REFUSAL_NUMBER: &str = "extension-administrationReferenceNumber";

/// The modifier extension by which a part of a request is taken back, by either name that the guide has used.
const TAKEN_BACK: [&str; 2] = ["modifierextension-infoCancelled", "extension-itemCancelled"];

/// HL7's tag for a resource of which a part is left out.
const IN_PART: &str = "SUBSETTED";

/// A type of certification that the hub takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Certification {
    Initial,
    Renewal,
    Extension,
    Revised,
    Cancel,
}

impl Certification {
    const ALL: [Certification; 5] = [
        Certification::Initial,
        Certification::Renewal,
        Certification::Extension,
        Certification::Revised,
        Certification::Cancel,
    ];

    fn code(self) -> &'static str {
        match self {
            Certification::Initial => "I",
            Certification::Renewal => "R",
            Certification::Extension => "4",
            Certification::Revised => "S",
            Certification::Cancel => "3",
        }
    }

    /// Whether it asks for more of what an earlier request was granted.
    fn adds(self) -> bool {
        matches!(self, Certification::Renewal | Certification::Extension)
    }
}

/// What a request for leave says of earlier ones.
pub(super) struct Certified<'a> {
    request: Cursor<'a>,
    whole: Option<Certification>,
    lines: Vec<(Cursor<'a>, Option<Certification>)>,
    is_update: bool,
    takes_back: bool,
}

impl<'a> Certified<'a> {
    /// Looks at a request. A type that the hub does not take is a fault on the cursor's account.
    pub(super) fn of(request: Cursor<'a>) -> Self {
        whole_only(request);
        let whole = certification(request);
        let line = |item| {
            let kind = certification(item);
            agreed(item, kind);
            (item, kind.or(whole))
        };
        let lines: Vec<_> = request.items("item").map(line).collect();
        let changes = |kind: &Option<Certification>| {
            matches!(kind, Some(Certification::Revised | Certification::Cancel))
        };
        let is_update = changes(&whole)
            || lines.iter().any(|(_, kind)| changes(kind))
            || is_marked_as_update(request);
        // A draft has no effect.
        let is_meant = request.node.text("status") == Some("active");
        let is_gone = |(item, kind): &(Cursor, Option<Certification>)| {
            *kind == Some(Certification::Cancel) || says_taken_back(*item) == Some(true)
        };
        let has_none_left = !lines.is_empty() && lines.iter().all(is_gone);
        Certified {
            request,
            whole,
            is_update,
            takes_back: is_meant && (whole == Some(Certification::Cancel) || has_none_left),
            lines,
        }
    }

    /// Whether all that was asked for earlier is taken back.
    pub(super) fn takes_back(&self) -> bool {
        self.takes_back
    }

    /// How an earlier claim for the same services, which the request names, is related to it.
    pub(super) fn prior(&self) -> Relation {
        match (self.takes_back(), self.is_update) {
            (true, _) => Relation::Cancels,
            (false, true) => Relation::Replaces,
            (false, false) => Relation::Related,
        }
    }

    /// Says on the message and its lines what they ask of earlier ones; what the request names by reference is
    /// there already.
    pub(super) fn tell(&self, head: &mut Head, lines: &mut [Line]) {
        let is_named = names(head, Relation::Replaces);
        let of_update = if self.is_update && !is_named {
            Relation::Replaces
        } else {
            Relation::Related
        };
        let mut numbers = Numbers::default();
        let mut adds = false;
        for ((item, kind), line) in self.lines.iter().zip(lines) {
            if *kind == Some(Certification::Cancel) {
                line.cancelled = Some(true);
            }
            let is_more = kind.is_some_and(Certification::adds);
            adds |= is_more;
            let relation = if is_more {
                Relation::Related
            } else {
                of_update
            };
            if is_more || self.is_update {
                // It asks for leave beside the earlier one, or in its place: it does not go by it.
                let number = line.authorisation.take();
                line.particulars.extend(number.map(numbered));
                numbers.add(relation, *kind, leaves(*item));
            }
            numbers.add(relation, *kind, refusals(*item));
        }
        if self.is_update || adds {
            numbers.add(of_update, self.whole, leaves_of_covers(self.request));
            for cover in &mut head.coverages {
                cover.authorisations.clear();
            }
        }
        head.correlates.extend(numbers.told);
        // Lines stand under the type of the whole where they have none of their own.
        let parts = [(self.request, self.whole)].into_iter();
        let parts = parts.chain(self.lines.iter().copied());
        let mut revised = parts.filter_map(|(part, kind)| {
            value_of_type(part).filter(|_| kind == Some(Certification::Revised))
        });
        if let Some(place) = revised.next().filter(|_| !names(head, Relation::Replaces)) {
            let detail = "what is revised is not named: neither an earlier claim nor a number";
            place.fault(ProblemCode::Missing, detail);
        }
    }

    /// Says what is taken back: the claim that is named by reference, else the leave whose number is given, else
    /// what was sent under the request's own numbers.
    pub(super) fn tell_cancel(&self, head: &mut Head) {
        for (item, _) in &self.lines {
            // The whole says the same.
            taken_back(*item);
        }
        let mut named = self.request.items("related").count();
        if !names(head, Relation::Cancels) {
            let mut numbers = Numbers::default();
            let kind = Some(Certification::Cancel);
            numbers.add(Relation::Cancels, kind, leaves_of_covers(self.request));
            for (item, _) in &self.lines {
                numbers.add(Relation::Cancels, kind, leaves(*item));
                numbers.add(Relation::Cancels, kind, refusals(*item));
            }
            named = named.max(numbers.told.len());
            head.correlates.extend(numbers.told);
        }
        if named > 1 {
            let detail = "a request takes back one earlier request, and this one names several";
            self.request.fault(ProblemCode::TooMany, detail);
        }
        if !names(head, Relation::Cancels) {
            let own = head.identifiers.iter().map(|own| Correlate {
                relation: Relation::Cancels,
                identifier: own.clone(),
                coded: Some(word(Certification::Cancel)),
            });
            head.correlates.extend(own);
        }
        if !names(head, Relation::Cancels) {
            let detail = "what is taken back is not named: neither an earlier claim nor a number";
            self.request.fault(ProblemCode::Missing, detail);
        }
    }
}

/// The numbers of earlier reviews that a question about leave names beside those that its lines and covers go by.
pub(super) fn asked_about(request: Cursor) -> Vec<Correlate> {
    let mut numbers = Numbers::default();
    for item in request.items("item") {
        numbers.add(Relation::Related, None, refusals(item));
    }
    numbers.told
}

/// Whether a part of a request is taken back, where it says so.
pub(super) fn taken_back(part: Cursor) -> Option<bool> {
    let mut marks = TAKEN_BACK.iter().flat_map(|name| part.modifiers(name));
    marks.next()?.value()?.as_bool()
}

/// The same, only looked at.
pub(super) fn says_taken_back(part: Cursor) -> Option<bool> {
    let mut marks = TAKEN_BACK.iter().flat_map(|name| part.modifiers(name));
    let (_, value) = marks.next()?.choice("value")?;
    value.node.as_bool()
}

/// The earlier reviews that are named, each once.
#[derive(Default)]
struct Numbers<'a> {
    told: Vec<Correlate>,
    seen: HashSet<(Relation, &'a str)>,
}

impl<'a> Numbers<'a> {
    /// Adds numbers. How they are meant, the type of certification tells, else the place where they stand.
    fn add(
        &mut self,
        relation: Relation,
        kind: Option<Certification>,
        (place, texts): (Coded, Vec<&'a str>),
    ) {
        for text in texts {
            if self.seen.insert((relation, text)) {
                self.told.push(Correlate {
                    relation,
                    identifier: number(text),
                    coded: Some(kind.map_or_else(|| place.clone(), word)),
                });
            }
        }
    }
}

/// The number of a review. The numbers that the hub gives are its ids of messages.
fn number(text: &str) -> Identifier {
    match MessageId::parse(text) {
        Some(id) => Identifier::new(MESSAGE_SYSTEM, id.to_string()),
        None => Identifier::new("", text),
    }
}

fn word(kind: Certification) -> Coded {
    Coded::new(TYPES, kind.code())
}

fn names(head: &Head, relation: Relation) -> bool {
    let mut correlates = head.correlates.iter();
    correlates.any(|named| named.relation == relation)
}

/// The numbers on a line of reviews that gave leave.
fn leaves<'a>(item: Cursor<'a>) -> (Coded, Vec<&'a str>) {
    (extension(LEAVE_NUMBER), texts(item, LEAVE_NUMBER))
}

/// The numbers on a line of reviews that gave none.
fn refusals<'a>(item: Cursor<'a>) -> (Coded, Vec<&'a str>) {
    (extension(REFUSAL_NUMBER), texts(item, REFUSAL_NUMBER))
}

/// The numbers of leave that a request names with its covers.
fn leaves_of_covers<'a>(request: Cursor<'a>) -> (Coded, Vec<&'a str>) {
    let covers = request.items("insurance");
    let numbers = covers.flat_map(|cover| cover.items("preAuthRef"));
    let numbers = numbers.filter_map(|number| number.node.as_str());
    (
        Coded::new(ELEMENT, "Claim.insurance.preAuthRef"),
        numbers.collect(),
    )
}

/// The texts of the extensions of that name. They are looked at, and stay for the particulars.
fn texts<'a>(part: Cursor<'a>, name: &str) -> Vec<&'a str> {
    let value = |extension: Cursor<'a>| extension.choice("value")?.1.node.as_str();
    part.extensions(name).filter_map(value).collect()
}

fn extension(name: &str) -> Coded {
    Coded::new(EXTENSION, format!("{GUIDE}{name}"))
}

/// The number on a line that does not go by it.
fn numbered(text: String) -> Supporting {
    Supporting {
        category: Some(extension(LEAVE_NUMBER)),
        text: Some(text),
        ..Supporting::default()
    }
}

/// Refuses a line that is cancelled by its type, and by its modifier extension is not.
fn agreed(item: Cursor, kind: Option<Certification>) {
    if kind == Some(Certification::Cancel) && says_taken_back(item) == Some(false) {
        let detail = "the line is cancelled by its type, and by its modifier extension it is not";
        let at = value_of_type(item).unwrap_or(item);
        at.fault(ProblemCode::BadValue, detail);
    }
}

fn value_of_type(part: Cursor) -> Option<Cursor> {
    Some(part.extension(TYPE)?.choice("value")?.1)
}

/// The type of certification of a request or of one of its lines.
fn certification(part: Cursor) -> Option<Certification> {
    let value = value_of_type(part)?;
    let is_of_list = |system: Option<&str>| system.is_none_or(|system| system.ends_with("/1322"));
    let mut codings = value.node.list("coding").iter();
    let coding = codings.find(|coding| is_of_list(coding.text("system")));
    let code = coding.and_then(|coding| coding.text("code"));
    let mut known = Certification::ALL.into_iter();
    let found = known.find(|kind| Some(kind.code()) == code);
    if found.is_none() {
        let detail = match code {
            Some("1" | "2") => "the hub takes no appeals: they go to the insurer",
            _ => "the type of certification is one of I, R, S, 3 and 4 of X12's element 1322",
        };
        value.fault(ProblemCode::BadValue, detail);
    }
    found
}

/// Refuses a request of which a part is left out: taken for the whole, what it leaves out would be lost.
fn whole_only(request: Cursor) {
    let Some(meta) = request.get("meta") else {
        return;
    };
    for tag in meta.items("security").chain(meta.items("tag")) {
        if tag.node.text("code") == Some(IN_PART) {
            let detail = "only a part of the request is here, and an update holds all of its lines";
            tag.fault(ProblemCode::BadValue, detail);
        }
    }
}

/// Whether a request says of itself, or of a part of it, that it changes what was sent before.
fn is_marked_as_update(request: Cursor) -> bool {
    let profiles = request.node.get("meta").map(|meta| meta.list("profile"));
    let mut profiles = profiles
        .into_iter()
        .flatten()
        .filter_map(|url| url.as_str());
    let is_changed = |part: Cursor| {
        let is_new = part.extension("extension-infoChanged").is_some();
        is_new || says_taken_back(part) == Some(true)
    };
    profiles.any(|url| url.contains("/profile-claim-update"))
        || request.items("item").any(is_changed)
        || request.items("supportingInfo").any(is_changed)
}
