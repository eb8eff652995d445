//! The answer to a bill, a request for leave, an estimate or an admission: a ClaimResponse.
//!
//! A line that insurers refuse is decided like any other: it says so in the reason of their adjudication.
//! `error` is for a message on which nothing could be decided, and then, as R4 wants it, nothing else is told.

use takmil_domain::answer::{Answer, Note};
use takmil_domain::bill::{Bill, BillClass};
use takmil_domain::ids::Identifier;
use takmil_domain::life::State;
use takmil_domain::message::{Kind, Message, Supporting};
use takmil_domain::reason::Reason;

use super::adjudication::{Notes, Review, items, totals, withdrawn};
use super::head;
use crate::Answered;
use crate::fhir::ELEMENT;
use crate::fhir::datatypes::{
    Object, PARTICIPANTS, coded, concept, days, identifier, participant, reason, words,
};
use crate::fhir::tree::Node;

/// HL7's types of claim.
const CLAIM_TYPE: &str = "http://terminology.hl7.org/CodeSystem/claim-type";

/// The ClaimResponse to a message that holds, or makes, a bill.
pub(super) fn response(answered: &Answered<'_>) -> Node<'static> {
    let Answered {
        message, answer, ..
    } = *answered;
    let outcome = outcome(answer);
    let is_error = |reason: &Reason| outcome == "error" && reason.refuses();
    let (errors, remarks): (Vec<Reason>, Vec<Reason>) =
        head::reasons(answer).into_iter().partition(is_error);
    let leave = leave(message, answer);
    let number = leave.as_ref().map(|(number, _)| number.as_str());
    let review = is_asking_leave(message).then_some(Review {
        state: answer.state,
        number,
    });
    let money = head::money(answered);
    let mut notes = Notes::default();
    let decision = answer.decision.as_ref();
    let mut items = decision
        .map(|decision| items(decision, money, &mut notes, review))
        .unwrap_or_default();
    if let Some(bill) = message
        .bill()
        .filter(|_| decision.is_some() && review.is_some())
    {
        items.extend(withdrawn(&bill.lines, money));
    }
    for reason in remarks {
        notes.number(reason);
    }
    let asked: Vec<(usize, &Note)> = (1..).zip(questions(answer)).collect();
    let contained = asked
        .iter()
        .map(|(at, note)| request_of(*at, note, message));
    head::opened("ClaimResponse", answer)
        .list("contained", contained)
        .put("type", kind(message))
        .put("use", purpose(message))
        .put("patient", head::patient(&message.head))
        .put("created", answer.answered_at.to_string())
        .put("insurer", head::insurer(&message.head, answer))
        .maybe("requestor", head::requestor(&message.head))
        .put("request", head::request(message, answer, "Claim"))
        .put("outcome", outcome)
        .put(
            "disposition",
            head::disposition(answered, head::standing(answer.state)),
        )
        .maybe("preAuthRef", number.and_then(words))
        .maybe(
            "preAuthPeriod",
            leave.as_ref().map(|(_, period)| period.clone()),
        )
        .list("item", items)
        .list(
            "total",
            decision
                .map(|decision| totals(&decision.totals, money))
                .unwrap_or_default(),
        )
        .list(
            "processNote",
            notes
                .told()
                .chain(findings(answer))
                .chain(exclusions(answer))
                .chain(said(answer)),
        )
        .list(
            "communicationRequest",
            asked.iter().map(|(at, _)| {
                Object::new()
                    .put("reference", format!("#question-{at}"))
                    .into()
            }),
        )
        .list("error", errors.into_iter().map(error))
        .into()
}

/// What insurers have asked and nobody has replied to.
fn questions(answer: &Answer) -> impl Iterator<Item = &Note> {
    answer
        .notes
        .iter()
        .filter(|note| note.asks && note.reply.is_none())
}

/// A question, under the insurer's own number of it: a reply is a Communication that is based on it.
fn request_of(at: usize, note: &Note, message: &Message) -> Node<'static> {
    let number = Identifier::new(
        format!("{PARTICIPANTS}:{}", note.insurer),
        note.reference.clone(),
    );
    let said = words(&note.text).map(|text| Object::new().put("contentString", text).into());
    Object::resource("CommunicationRequest")
        .put("id", format!("question-{at}"))
        .list("identifier", identifier(&number))
        .put("status", "active")
        .put("subject", head::patient(&message.head))
        .list("payload", said)
        .put("authoredOn", note.at.to_string())
        .put("sender", participant(note.insurer.as_str()))
        .into()
}

/// What insurers have said in words.
fn said(answer: &Answer) -> impl Iterator<Item = Node<'static>> {
    let told = answer.notes.iter().filter(|note| !note.asks);
    told.filter_map(|note| {
        let text = words(&format!("{}: {}", note.insurer, note.text))?;
        Some(Object::new().put("type", "print").put("text", text).into())
    })
}

/// How far the message has come, in R4's words.
fn outcome(answer: &Answer) -> &'static str {
    let mut lines = answer.decision.iter().flat_map(|decision| &decision.lines);
    let refuses = |reason: &Reason| reason.refuses();
    match answer.state {
        state if state.is_waiting() => "queued",
        State::Recorded if answer.decision.is_none() && answer.reasons.iter().any(refuses) => {
            "error"
        }
        State::Decided if answer.kind == Kind::Cancel && answer.reasons.iter().any(refuses) => {
            "error"
        }
        state
            if state.is_decided()
                && lines.any(|line| line.supplementary.iter().any(|share| share.pended)) =>
        {
            "partial"
        }
        _ => "complete",
    }
}

/// Why nothing could be decided.
pub(super) fn error(why: Reason) -> Node<'static> {
    Object::new().put("code", reason(why)).into()
}

/// Whether a message that takes another back was a Claim itself.
pub(super) fn is_of_claim(message: &Message) -> bool {
    message.kind() == Kind::Cancel && sent(message, "Claim.use").is_some()
}

/// What the sender said in an element of R4 that has no place of its own in the message.
fn sent<'m>(message: &'m Message, element: &str) -> Option<&'m Supporting> {
    let is_it = |part: &&Supporting| {
        let category = part.category.as_ref().and_then(|own| own.source.as_ref());
        category.is_some_and(|own| own.system == ELEMENT && own.code == element)
    };
    message.head.supporting.iter().find(is_it)
}

fn is_asking_leave(message: &Message) -> bool {
    matches!(message.kind(), Kind::Preauthorization | Kind::Admission)
}

/// R4's word for what was asked. A hand-over of drugs with prices is a claim; an order of them asks what
/// they would cost; an admission asks leave.
fn purpose(message: &Message) -> &'static str {
    match message.kind() {
        // Leave alone is taken back by a claim.
        Kind::Preauthorization | Kind::Admission | Kind::Cancel => "preauthorization",
        Kind::Claim | Kind::Dispense => "claim",
        Kind::Estimate | Kind::Prescription | Kind::Eligibility => "predetermination",
    }
}

/// The type of the bill: as the sender coded it, else by the class of its provider.
fn kind(message: &Message) -> Node<'static> {
    let bill = message.bill();
    let of_bill = |bill: &Bill| {
        let class = || Some(concept(CLAIM_TYPE, class(bill.class?), None));
        bill.kinds.first().and_then(coded).or_else(class)
    };
    let of_element = || coded(sent(message, "Claim.type")?.coded.as_ref()?);
    let known = bill.as_deref().and_then(of_bill).or_else(of_element);
    known.unwrap_or_else(|| Object::new().put("text", "not stated").into())
}

fn class(class: BillClass) -> &'static str {
    match class {
        BillClass::Professional => "professional",
        BillClass::Institutional => "institutional",
        BillClass::Pharmacy => "pharmacy",
        BillClass::Oral => "oral",
        BillClass::Vision => "vision",
    }
}

/// The number and period of a leave that was given: later bills go by it.
fn leave(message: &Message, answer: &Answer) -> Option<(String, Node<'static>)> {
    let decision = answer.decision.as_ref()?;
    let shares = decision.lines.iter().flat_map(|line| &line.supplementary);
    let is_given = shares.into_iter().any(|share| share.refused.is_none());
    if !answer.state.is_decided() || !is_asking_leave(message) || !is_given {
        return None;
    }
    let letter = answer.letter.as_ref();
    let number = letter.map_or_else(|| answer.id.to_string(), |letter| letter.number.clone());
    let until = letter
        .map(|letter| letter.valid_until)
        .or(decision.valid_until);
    Some((number, days(answer.answered_at.day(), until)))
}

/// What the clinical rules found, as notes.
fn findings(answer: &Answer) -> impl Iterator<Item = Node<'static>> {
    answer.findings.iter().map(|finding| {
        Object::new()
            .put("type", "display")
            .put("text", head::found(finding))
            .into()
    })
}

/// What an introduction letter says is not covered.
fn exclusions(answer: &Answer) -> impl Iterator<Item = Node<'static>> {
    let titles = answer.letter.iter().flat_map(|letter| &letter.exclusions);
    titles.filter_map(|title| {
        let text = words(&format!("Not covered: {title}"))?;
        let note = Object::new().put("type", "print").put("text", text);
        Some(note.into())
    })
}
