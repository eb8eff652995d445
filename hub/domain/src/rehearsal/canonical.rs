//! Canonical messages as history, where there is no extract: each is judged by one set of documents, as
//! [`Documents`] judges it.

use uuid::Uuid;

use super::writer::{Entry, TooMuch, Writer};
use crate::clinical::{self, Tables};
use crate::date::Instant;
use crate::ids::{AccountId, MessageId};
use crate::message::{Kind, Message};
use crate::problem::Problem;
use crate::share::{Billed, Documents, member_of};

/// Why a message is no part of a history.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It uses no limits up: it is neither a claim nor a dispense, and is left out.
    #[error("the message uses nothing up")]
    UsesNothing,
    /// Something is wrong with it, or with the documents beside it.
    #[error("the message cannot be judged")]
    Problems(Vec<Problem>),
    /// The history is full.
    #[error(transparent)]
    TooMuch(#[from] TooMuch),
}

/// Adds a message to an extract; `tables` are those that the clinical rules go by. Members are told apart by their first identifier, and accounts by the certificates of the
/// documents' covers; without one, each member has an account alone. Messages follow each other by the day that they are
/// about, then by `number`, which is also their id.
///
/// # Errors
/// [`Unusable`]
pub fn push_message(
    writer: &mut Writer,
    tables: &Tables,
    documents: &Documents,
    message: &Message,
    number: u32,
) -> Result<(), Unusable> {
    if !matches!(message.kind(), Kind::Claim | Kind::Dispense) {
        return Err(Unusable::UsesNothing);
    }
    let billed = Billed::of(message).map_err(Unusable::Problems)?;
    let member = member_of(&message.head);
    let mut covers = documents.covers(member);
    for cover in covers.iter_mut().filter(|own| own.account.0.is_nil()) {
        cover.account = AccountId(member.0);
    }
    let case = documents.case(&billed, &covers);
    let case = case.map_err(Unusable::Problems)?;
    let clinical = clinical::Case::of(message, tables, case.person, billed.day);
    let sender = message
        .head
        .provider
        .iter()
        .flat_map(|own| &own.identifiers)
        .next();
    let sender = sender.map_or("", |identifier| identifier.value.as_str());
    writer.push(&Entry {
        id: MessageId(Uuid::from_u128(number.into())),
        kind: message.kind(),
        at: Instant(
            Instant::start_of(billed.day)
                .0
                .saturating_add(i64::from(number)),
        ),
        day: billed.day,
        member,
        case: &case,
        exchange: documents.exchange_of(&billed),
        recorded: None,
        clinical: Some((sender, &clinical)),
    })?;
    Ok(())
}
