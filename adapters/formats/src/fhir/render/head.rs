//! What a ClaimResponse and a CoverageEligibilityResponse have in common: whose they are, what they answer,
//! how far it has come.

use takmil_domain::answer::Answer;
use takmil_domain::clinical::{Finding, Level};
use takmil_domain::life::State;
use takmil_domain::message::{Head, Message};
use takmil_domain::money::Currency;
use takmil_domain::party::Party;
use takmil_domain::reason::Reason;

use crate::Answered;
use crate::fhir::datatypes::{Money, Object, described, participant, reference, words};
use crate::fhir::tree::Node;

/// The extension that says who decided: hub, insurer, stand_in or person.
const DECIDED_BY: &str = "urn:takmil:fhir:decided-by";

/// The system of URIs that are themselves the identifier.
const URI: &str = "urn:ietf:rfc:3986";

/// How many reasons a disposition spells out; all of them stand in notes or errors.
const MAX_SPELT_OUT: usize = 3;

/// A response of that type, with its own identity and status.
pub(super) fn opened(kind: &'static str, answer: &Answer) -> Object {
    let decided_by = answer.decision.as_ref().map(|decision| {
        Object::new()
            .put("url", DECIDED_BY)
            .put("valueCode", decision.decided_by.as_str())
    });
    let cancelled = answer.state.is_taken_back();
    Object::resource(kind)
        .put("id", answer.id.to_string())
        .list("extension", decided_by.map(Node::from))
        .list("identifier", [own_number(answer)])
        .put("status", if cancelled { "cancelled" } else { "active" })
}

/// The hub's number of the message, which its answer bears too.
fn own_number(answer: &Answer) -> Node<'static> {
    Object::new()
        .put("system", URI)
        .put("value", format!("urn:uuid:{}", answer.id))
        .into()
}

/// Whom it is about.
pub(super) fn patient(head: &Head) -> Node<'static> {
    let known = reference(&head.member.identifiers, &["Patient"]);
    known.unwrap_or_else(|| described("not identified"))
}

/// Who asked: the provider, where the message names one.
pub(super) fn requestor(head: &Head) -> Option<Node<'static>> {
    party(
        head.provider.as_ref()?,
        &["Organization", "Practitioner", "PractitionerRole"],
    )
}

/// The insurer: as the message addresses it, else the first that the answer names, else the hub.
pub(super) fn insurer(head: &Head, answer: &Answer) -> Node<'static> {
    let addressed = head
        .recipient
        .as_ref()
        .and_then(|party_named| party(party_named, &["Organization"]));
    let payers = answer
        .decision
        .iter()
        .flat_map(|decision| &decision.totals.supplementary);
    let mut named = payers
        .map(|(name, _)| name)
        .chain(answer.covers.iter().map(|cover| &cover.insurer));
    addressed
        .or_else(|| named.next().map(|name| participant(name.as_str())))
        .unwrap_or_else(|| described("Takmil"))
}

/// What is answered: by the sender's numbers of it, else by the hub's.
pub(super) fn request(message: &Message, answer: &Answer, target: &str) -> Node<'static> {
    let known = reference(&message.head.identifiers, &[target]);
    known.unwrap_or_else(|| Object::new().put("identifier", own_number(answer)).into())
}

fn party(party: &Party, targets: &[&str]) -> Option<Node<'static>> {
    let named = || Some(described(words(party.name.as_deref()?)?));
    reference(&party.identifiers, targets).or_else(named)
}

/// How amounts of the message are written.
pub(super) fn money(answered: &Answered<'_>) -> Money {
    let head = &answered.message.head;
    let day = head
        .occurred_on
        .unwrap_or_else(|| answered.answer.received_at.day());
    let decided = answered
        .answer
        .decision
        .as_ref()
        .map(|decision| decision.currency);
    Money::new(decided.or(head.currency).unwrap_or(Currency::NONE), day)
}

/// What concerns the whole message, without repetition.
pub(super) fn reasons(answer: &Answer) -> Vec<Reason> {
    let decided = answer
        .decision
        .iter()
        .flat_map(|decision| &decision.reasons);
    let mut reasons = Vec::new();
    for reason in answer.reasons.iter().chain(decided) {
        if !reasons.contains(reason) {
            reasons.push(*reason);
        }
    }
    reasons
}

/// What a clinical rule found, in a sentence: the rule, what the finding does, which lines it is about, and the codes that
/// it rests on.
pub(super) fn found(finding: &Finding) -> String {
    let Finding { rule, lines, .. } = finding;
    let level = match finding.level {
        Level::Information => "information",
        Level::Warning => "warning",
        Level::Refusal => "refusal",
    };
    let mut about: Vec<String> = Vec::new();
    if !lines.is_empty() {
        let lines: Vec<String> = lines.iter().map(u32::to_string).collect();
        about.push(format!("lines {}", lines.join(", ")));
    }
    let codes = finding.evidence.iter().map(|code| code.code.as_str());
    about.extend(codes.map(str::to_owned));
    let meaning = rule.meaning();
    format!(
        "{} ({level}): {meaning} ({})",
        rule.code(),
        about.join("; ")
    )
}

/// How far a message has come, in a sentence.
pub(super) fn standing(state: State) -> &'static str {
    match state {
        State::Recorded => "Recorded; nothing was decided.",
        State::Consulting => "Taken; the insurer is being asked.",
        State::Pended => "Pended; an insurer or a person has still to decide.",
        State::Queried => "Pended; an insurer waits for a reply to its question.",
        State::Decided => "Decided.",
        State::Refused => "Decided: every insurer refuses all of it.",
        State::Adjusted => "Decided anew, after late facts or an appeal.",
        State::Appealed => "Decided; the insurer looks at it again after an appeal.",
        State::Paid => "Decided, and paid.",
        State::Reconciled => "Decided and paid; all sides state the same of it.",
        State::Cancelled | State::Reversed => "Taken back.",
    }
}

/// A few sentences for the person at the counter: the opening one, the shares, the first of the reasons.
pub(super) fn disposition(answered: &Answered<'_>, opening: &str) -> String {
    let answer = answered.answer;
    let mut sentences = vec![opening.to_owned()];
    if let Some(decision) = answer.decision.as_ref() {
        let money = money(answered);
        let totals = &decision.totals;
        let open = answer.state.is_waiting();
        sentences.push(format!(
            "{} {} the base insurer pays {}, supplementary insurers {}, the member {}.",
            if open { "As proposed, of" } else { "Of" },
            money.words(totals.billed),
            money.words(totals.base),
            money.words(totals.supplementary_total()),
            money.words(totals.member),
        ));
    }
    let meant = reasons(answer).into_iter().take(MAX_SPELT_OUT);
    sentences.extend(meant.map(|reason| reason.meaning().to_owned()));
    sentences.join(" ")
}
