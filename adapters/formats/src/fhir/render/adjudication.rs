//! The shares of a bill as adjudications: what was asked, what each pays, what was cut off and why.
//!
//! In every item and in the totals, submitted = base-share + written-off + Σ supplementary-share +
//! member-share. `benefit` is Σ supplementary-share under HL7's name, for readers that know no other; the
//! `over-…` categories, deductible, copay and coinsurance say how an insurer came to its share, and
//! `subsidy` is part of the base share: none of those adds to the sum.

use takmil_domain::bill::Line;
use takmil_domain::decision::{Decision, InsurerShare, LineShare, Totals, TraceEntry};
use takmil_domain::life::State;
use takmil_domain::money::Amount;
use takmil_domain::reason::Reason;

use crate::fhir::datatypes::{self, Money, Object, concept};
use crate::fhir::tree::Node;

/// HL7's example set of adjudication categories.
const HL7: &str = "http://terminology.hl7.org/CodeSystem/adjudication";

/// The hub's own categories beside it.
const TAKMIL: &str = "urn:takmil:adjudication";

/// Da Vinci's extension for the result of a review, and the one in it for its code.
const REVIEW: &str =
    "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-reviewAction";
const REVIEW_CODE: &str =
    "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-reviewActionCode";

/// X12's list of those codes.
const X12_REVIEW: &str = "https://codesystem.x12.org/005010/306";

/// Its code for what was taken back.
const CANCELLED: &str = "C";

/// What an amount is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Category {
    /// What was asked.
    Submitted,
    /// The most that an insurer recognises.
    Eligible,
    /// What the base insurer pays.
    BaseShare,
    /// The government's part of the base share.
    Subsidy,
    /// What one supplementary insurer pays.
    SupplementaryShare,
    /// What supplementary insurers pay together.
    Benefit,
    /// What the provider waives.
    WrittenOff,
    /// What the member pays.
    MemberShare,
    /// Above the contract price or tariff.
    OverTariff,
    /// Above the reference price of the generic group.
    OverReference,
    /// Above what was authorised.
    OverAuthorised,
    /// Beyond the quantity that is covered.
    OverQuantity,
    /// Beyond what a limit leaves.
    OverLimit,
    /// Part of the deductible.
    Deductible,
    /// The fixed copay.
    Copay,
    /// The member's rate of what is recognised.
    Coinsurance,
}

impl Category {
    /// Its concept.
    pub(super) fn concept(self) -> Node<'static> {
        let (system, code, display) = match self {
            Self::Submitted => (HL7, "submitted", "Submitted Amount"),
            Self::Eligible => (HL7, "eligible", "Eligible Amount"),
            Self::Benefit => (HL7, "benefit", "Benefit Amount"),
            Self::Deductible => (HL7, "deductible", "Deductible"),
            Self::Copay => (HL7, "copay", "CoPay"),
            Self::BaseShare => (TAKMIL, "base-share", "Paid by the base insurer"),
            Self::Subsidy => (
                TAKMIL,
                "subsidy",
                "Government subsidy within the base share",
            ),
            Self::SupplementaryShare => (
                TAKMIL,
                "supplementary-share",
                "Paid by a supplementary insurer",
            ),
            Self::WrittenOff => (TAKMIL, "written-off", "Waived by the provider"),
            Self::MemberShare => (TAKMIL, "member-share", "Paid by the member"),
            Self::OverTariff => (TAKMIL, "over-tariff", "Above the agreed price"),
            Self::OverReference => (TAKMIL, "over-reference", "Above the reference price"),
            Self::OverAuthorised => (TAKMIL, "over-authorised", "Above what was authorised"),
            Self::OverQuantity => (TAKMIL, "over-quantity", "Beyond the covered quantity"),
            Self::OverLimit => (TAKMIL, "over-limit", "Beyond what a limit leaves"),
            Self::Coinsurance => (TAKMIL, "coinsurance", "Member's rate"),
        };
        concept(system, code, Some(display))
    }
}

/// Steps of the computation that are told with their amount.
const STEPS: &[(Reason, Category)] = &[
    (Reason::QuantityCapped, Category::OverQuantity),
    (Reason::OverContract, Category::OverTariff),
    (Reason::OverTariff, Category::OverTariff),
    (Reason::OverReference, Category::OverReference),
    (Reason::AuthorisedAmount, Category::OverAuthorised),
    (Reason::Deductible, Category::Deductible),
    (Reason::Copay, Category::Copay),
    (Reason::Coinsurance, Category::Coinsurance),
    (Reason::LimitReached, Category::OverLimit),
];

/// Reasons that leave part of a line without leave.
const CUT_SHORT: &[Reason] = &[
    Reason::QuantityCapped,
    Reason::AuthorisedAmount,
    Reason::LimitReached,
    Reason::InsurerAdjusted,
];

/// The explanations of an answer: each reason once, by number.
#[derive(Default)]
pub(super) struct Notes(Vec<Reason>);

impl Notes {
    /// The number, from 1, of the note on `reason`.
    pub(super) fn number(&mut self, reason: Reason) -> Node<'static> {
        let known = self.0.iter().position(|noted| *noted == reason);
        let index = known.unwrap_or_else(|| {
            self.0.push(reason);
            self.0.len().saturating_sub(1)
        });
        Node::number(index.saturating_add(1).to_string())
    }

    /// The `processNote`s.
    pub(super) fn told(&self) -> impl Iterator<Item = Node<'static>> {
        (1_usize..).zip(&self.0).map(|(number, reason)| {
            Object::new()
                .put("number", Node::number(number.to_string()))
                .put("type", "display")
                .put("text", format!("{}: {}", reason.code(), reason.meaning()))
                .into()
        })
    }
}

/// The result of a review, for a request for leave.
#[derive(Debug, Clone, Copy)]
pub(super) struct Review<'a> {
    /// How far the request has come.
    pub(super) state: State,
    /// The number of the leave, where one was given.
    pub(super) number: Option<&'a str>,
}

/// The items of a decision; `review` where they are asked leave for.
pub(super) fn items(
    decision: &Decision,
    money: Money,
    notes: &mut Notes,
    review: Option<Review<'_>>,
) -> Vec<Node<'static>> {
    let places = 1_u32..;
    let lines = places.zip(&decision.lines);
    lines
        .map(|(place, line)| {
            let numbers: Vec<Node<'static>> = line
                .reasons
                .iter()
                .map(|reason| notes.number(*reason))
                .collect();
            Object::new()
                .put("itemSequence", sequence(line.seq, place))
                .list("noteNumber", numbers)
                .list("adjudication", adjudications(line, money, review))
                .into()
        })
        .collect()
}

/// The items of a request for leave that its sender takes back: nothing is asked for them, and nothing decided.
pub(super) fn withdrawn(lines: &[Line], money: Money) -> Vec<Node<'static>> {
    let places = 1_u32..;
    let lines = places
        .zip(lines)
        .filter(|(_, line)| line.cancelled == Some(true));
    lines
        .map(|(place, line)| {
            let told = Told {
                review: Some(action(CANCELLED, None)),
                ..Told::of(Category::Submitted, money.of(Amount::ZERO))
            };
            Object::new()
                .put("itemSequence", sequence(line.seq, place))
                .list("adjudication", [told.into()])
                .into()
        })
        .collect()
}

/// The number of a line. Lines of FHIR are numbered from 1; one of another format that has no such number
/// is told by its place.
fn sequence(seq: u32, place: u32) -> Node<'static> {
    let is_positive_int = seq > 0 && i32::try_from(seq).is_ok();
    Node::number(if is_positive_int { seq } else { place }.to_string())
}

fn adjudications(line: &LineShare, money: Money, review: Option<Review<'_>>) -> Vec<Node<'static>> {
    let told = |category, amount| Told::of(category, money.of(amount));
    let mut all = vec![
        Told {
            review: review.and_then(|review| reviewed(line, review)),
            ..told(Category::Submitted, line.billed)
        },
        told(Category::Eligible, line.allowed),
        told(Category::BaseShare, line.base),
    ];
    if !line.subsidy.is_zero() {
        all.push(told(Category::Subsidy, line.subsidy));
    }
    all.extend(line.supplementary.iter().map(|share| Told {
        insurer: Some(share.insurer.as_str()),
        reason: why(share),
        ..told(Category::SupplementaryShare, share.amount)
    }));
    all.push(told(Category::Benefit, line.supplementary_total()));
    if !line.written_off.is_zero() {
        all.push(told(Category::WrittenOff, line.written_off));
    }
    all.push(told(Category::MemberShare, line.member));
    all.extend(line.trace.iter().filter_map(|entry| step(entry, money)));
    all.into_iter().map(Node::from).collect()
}

/// Why an insurer pays nothing yet, or at all.
fn why(share: &InsurerShare) -> Option<Reason> {
    let pended = share.pended.then_some(Reason::AuthorisationPended);
    share.refused.or(pended)
}

fn step(entry: &TraceEntry, money: Money) -> Option<Told<'_>> {
    let (_, category) = STEPS.iter().find(|(reason, _)| *reason == entry.reason)?;
    let changed = entry.before.max(entry.after) - entry.before.min(entry.after);
    Some(Told {
        insurer: entry.insurer.as_ref().map(|name| name.as_str()),
        reason: Some(entry.reason),
        ..Told::of(*category, money.of(changed))
    })
}

/// The totals of a decision.
pub(super) fn totals(totals: &Totals, money: Money) -> Vec<Node<'static>> {
    let told = |category, amount: Amount| Told::of(category, money.of(amount));
    let mut all = vec![
        told(Category::Submitted, totals.billed),
        told(Category::Eligible, totals.allowed),
        told(Category::BaseShare, totals.base),
    ];
    let shares = totals.supplementary.iter();
    all.extend(shares.map(|(insurer, amount)| Told {
        insurer: Some(insurer.as_str()),
        ..told(Category::SupplementaryShare, *amount)
    }));
    all.push(told(Category::Benefit, totals.supplementary_total()));
    if !totals.written_off.is_zero() {
        all.push(told(Category::WrittenOff, totals.written_off));
    }
    all.push(told(Category::MemberShare, totals.member));
    all.into_iter().map(Node::from).collect()
}

/// One adjudication or total.
struct Told<'a> {
    category: Category,
    amount: Node<'static>,
    insurer: Option<&'a str>,
    reason: Option<Reason>,
    review: Option<Node<'static>>,
}

impl Told<'_> {
    fn of(category: Category, amount: Node<'static>) -> Self {
        Self {
            category,
            amount,
            insurer: None,
            reason: None,
            review: None,
        }
    }
}

impl From<Told<'_>> for Node<'static> {
    fn from(told: Told<'_>) -> Node<'static> {
        let named = told.insurer.map(datatypes::insurer);
        Object::new()
            .list("extension", named.into_iter().chain(told.review))
            .put("category", told.category.concept())
            .maybe("reason", told.reason.map(datatypes::reason))
            .put("amount", told.amount)
            .into()
    }
}

/// Da Vinci's review action on a line that supplementary insurers were asked leave for.
fn reviewed(line: &LineShare, review: Review<'_>) -> Option<Node<'static>> {
    let code = review_code(line, review.state)?;
    let number = review.number.filter(|_| matches!(code, "A1" | "A2"));
    Some(action(code, number))
}

/// Da Vinci's review action, with the number of the leave where one was given.
fn action(code: &'static str, number: Option<&str>) -> Node<'static> {
    let number = number.and_then(datatypes::words).map(|number| {
        Object::new()
            .put("url", "number")
            .put("valueString", number)
    });
    let code = Object::new()
        .put("url", REVIEW_CODE)
        .put("valueCodeableConcept", concept(X12_REVIEW, code, None));
    let parts = number.into_iter().chain([code]).map(Node::from);
    Object::new()
        .put("url", REVIEW)
        .list("extension", parts)
        .into()
}

/// A1 certified in total, A2 in part, A3 not certified, A4 pended, C cancelled.
fn review_code(line: &LineShare, state: State) -> Option<&'static str> {
    let mut open = line
        .supplementary
        .iter()
        .filter(|share| share.refused.is_none())
        .peekable();
    if line.supplementary.is_empty() {
        return None;
    }
    if state.is_taken_back() {
        return Some(CANCELLED);
    }
    if open.peek().is_none() {
        return Some("A3");
    }
    let waits = state.is_waiting();
    if waits || open.any(|share| share.pended) {
        return Some("A4");
    }
    let is_cut = line.reasons.iter().any(|reason| CUT_SHORT.contains(reason));
    Some(if is_cut { "A2" } else { "A1" })
}
