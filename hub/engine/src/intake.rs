//! From a body to orders for a lane: read, normalise, recognise the member, freeze what the decision rests on.

use std::sync::Arc;

use takmil_domain::bill::EncounterClass;
use takmil_domain::clinical;
use takmil_domain::date::Date;
use takmil_domain::digest::sha256;
use takmil_domain::ids::{Identifier, MessageId};
use takmil_domain::message::{Kind, Message};
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_domain::reason::Reason;
use takmil_domain::share::bill_day;
use takmil_formats::{Context, Read, Reading};
use takmil_store::Sent;

use crate::Inner;
use crate::basis::Basis;
use crate::error::Error;
use crate::normalise::{Normalised, normalise};
use crate::recognise::{Recognised, Recogniser};
use crate::seen::Seen;
use crate::submission::Submission;
use crate::turn::Fresh;

/// From this size on a body is read on a thread of its own, so that it does not hold up small ones.
const LARGE_BODY_BYTES: usize = 128 * 1024;

/// A message of a body on its way to a lane.
pub(crate) struct Arrival {
    pub(crate) place: String,
    pub(crate) result: Result<Box<Fresh>, Vec<Problem>>,
}

/// Reads a body and makes everything ready that needs no lane.
pub(crate) async fn arrive(
    inner: &Arc<Inner>,
    recogniser: &Recogniser,
    submission: &Arc<Submission>,
) -> Result<Vec<Arrival>, Error> {
    let mut arrivals = if submission.body.len() < LARGE_BODY_BYTES {
        draft(inner, submission)?
    } else {
        let (inner, submission) = (Arc::clone(inner), Arc::clone(submission));
        let read = tokio::task::spawn_blocking(move || draft(&inner, &submission));
        read.await.map_err(|_| Error::Stopping)??
    };
    let lists: Vec<Vec<Identifier>> = arrivals
        .iter()
        .filter_map(|arrival| arrival.result.as_ref().ok())
        .map(|fresh| fresh.message.head.member.identifiers.clone())
        .collect();
    if lists.is_empty() {
        return Ok(arrivals);
    }
    let sender = &submission.sender.id;
    let recognised = recogniser.recognise(sender, lists).await?;
    let taken = arrivals
        .iter_mut()
        .filter_map(|arrival| arrival.result.as_mut().ok());
    for (fresh, recognised) in taken.zip(recognised) {
        cover(inner, submission, fresh, &recognised);
    }
    Ok(arrivals)
}

fn draft(inner: &Inner, submission: &Submission) -> Result<Vec<Arrival>, Error> {
    let today = submission.received_at.day();
    let context = Context {
        default_currency: submission.sender.currency,
        today,
    };
    let reading = takmil_formats::read(submission.format, &submission.body, &context)
        .map_err(Error::UnreadableBody)?;
    let Reading { messages, .. } = reading;
    let alone = messages.len() == 1;
    messages
        .into_iter()
        .map(|read| arrival(inner, submission, read, alone, today))
        .collect()
}

fn arrival(
    inner: &Inner,
    submission: &Submission,
    read: Read,
    alone: bool,
    today: Date,
) -> Result<Arrival, Error> {
    let Read { place, outcome, .. } = read;
    let message = outcome.and_then(|message| match submission.expect {
        Some(kind) if kind != message.kind() => Err(vec![wrong_kind(&place, kind, message.kind())]),
        _ => Ok(message),
    });
    let result = match message {
        Ok(message) => Ok(Box::new(fresh(
            inner, submission, message, &place, alone, today,
        )?)),
        Err(problems) => Err(problems),
    };
    Ok(Arrival { place, result })
}

fn wrong_kind(place: &str, wanted: Kind, got: Kind) -> Problem {
    let detail = format!(
        "this address takes a message of kind {}, and this is of kind {}",
        wanted.as_str(),
        got.as_str()
    );
    Problem::new(ProblemCode::WrongKind, place, detail)
}

fn fresh(
    inner: &Inner,
    submission: &Submission,
    mut message: Message,
    place: &str,
    alone: bool,
    today: Date,
) -> Result<Fresh, Error> {
    let id = MessageId::new(submission.received_at, (inner.random)());
    // What was sent is compared, not what this version of the code tables makes of it.
    let digest = sha256(&takmil_formats::native::write(&message));
    let sender = &submission.sender.id;
    let catalog = inner.catalog();
    let Normalised { codes, unmapped } =
        normalise(&mut message, &inner.tables, sender, catalog.local_map());
    (inner.observe)(Seen::Coded {
        sender,
        mapped: codes.saturating_sub(unmapped.len()),
        unmapped: unmapped.len(),
    });
    let canonical = takmil_formats::native::write(&message);
    let bill = message.bill();
    let day = bill
        .as_ref()
        .and_then(|bill| bill_day(bill, &message.head))
        .or(message.head.occurred_on)
        .unwrap_or(today);
    let mut basis = Basis::open(day, visit(&message, id));
    basis.sector = submission.sender.sector.or(message
        .head
        .provider
        .as_ref()
        .and_then(|provider| provider.sector));
    basis.class = bill
        .and_then(|bill| {
            bill.encounter
                .as_ref()
                .and_then(|encounter| encounter.class)
        })
        .or(default_class(message.kind()));
    // A body that holds one message is kept as it came; of several, each keeps its own part of the meaning.
    let original = if alone { &submission.body } else { &canonical };
    Ok(Fresh {
        id,
        sender: submission.sender.id.clone(),
        format: submission.format.name,
        received_at: submission.received_at,
        digest,
        sent: Sent::new(original, &canonical)?,
        keys: keys(submission, &message, place, alone),
        message: Arc::new(message),
        key: inner.store.own_key().clone(),
        basis,
        leaves: Vec::new(),
        reasons: Vec::new(),
        unmapped,
    })
}

fn default_class(kind: Kind) -> Option<EncounterClass> {
    matches!(kind, Kind::Prescription | Kind::Dispense).then_some(EncounterClass::Outpatient)
}

/// The key that all bills of one visit share: the sender's number of the visit, else the message's own.
fn visit(message: &Message, id: MessageId) -> String {
    let bill = message.bill();
    let encounter = bill.as_ref().and_then(|bill| bill.encounter.as_ref());
    let named = encounter.and_then(|encounter| encounter.identifiers.first());
    named.map_or_else(
        || id.to_string(),
        |identifier| format!("{}|{}", identifier.system, identifier.value),
    )
}

/// What makes a repeat recognisable: the request's own key, and the sender's identifiers of the message.
fn keys(submission: &Submission, message: &Message, place: &str, alone: bool) -> Vec<String> {
    let request = submission.idempotency_key.as_ref().map(|key| {
        if alone {
            format!("key:{key}")
        } else {
            format!("key:{key}#{place}")
        }
    });
    let kind = message.kind().as_str();
    let own = message
        .head
        .identifiers
        .iter()
        // Senders use a resource's id again for other contents; it makes no repeat.
        .filter(|identifier| identifier.system != takmil_formats::fhir::REFERENCE)
        .map(|identifier| format!("id:{kind}:{}|{}", identifier.system, identifier.value));
    let mut keys: Vec<String> = request.into_iter().chain(own).collect();
    // Some senders name one identifier twice.
    keys.sort();
    keys.dedup();
    keys
}

/// Freezes the covers of the member with the versions of their documents.
fn cover(inner: &Inner, submission: &Submission, fresh: &mut Fresh, recognised: &Recognised) {
    let currency = fresh.message.head.currency;
    let member = match recognised {
        Recognised::Member(member) => member,
        Recognised::Unknown => return fresh.reasons.push(Reason::MemberUnknown),
        Recognised::Ambiguous => return fresh.reasons.push(Reason::MemberAmbiguous),
    };
    let basis = &mut fresh.basis;
    basis.member = Some(member.id);
    fresh.key = member.key.clone();
    basis.person = member.person;
    let sender = &submission.sender;
    let (day, catalog) = (basis.day, inner.catalog());
    basis.cover(
        &member.covers,
        Some(&sender.id),
        &sender.networks,
        day,
        &catalog,
    );
    basis.exchange(currency, &catalog);
    let case = clinical::Case::of(&fresh.message, &inner.clinical, basis.person, day);
    let terms: Vec<_> = basis.clinical_terms(&catalog).map(|own| own.1).collect();
    let leaves = case.leaves();
    if leaves
        .iter()
        .any(|own| own.matters(&inner.clinical, &terms))
    {
        fresh.leaves = leaves;
    }
}
