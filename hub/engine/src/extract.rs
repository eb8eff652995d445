//! History out of the store, for rehearsals: every message that used limits up in a period, with what its decision rests
//! on, and what had been used before. It reads alone, some hundred messages at a time, in the order in which they came.

use std::io;

use takmil_domain::clinical::{self, Tables};
use takmil_domain::date::{Date, Instant};
use takmil_domain::ids::{MessageId, ParticipantId};
use takmil_domain::message::Message;
use takmil_domain::rehearsal::{Entry, Posted, TooMuch, Writer};
use takmil_domain::share::bill_day;
use takmil_store::{SettledMessage, Store, StoreError};

use crate::basis::MissingDocument;
use crate::catalog::{self, Catalog};
use crate::normalise::normalise;
use crate::record::Record;

/// How many messages are read at once.
const PAGE: u32 = 512;

/// How many postings lie together in an extract.
const POSTINGS: usize = 4_096;

/// Of what an extract is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The first day on which messages came.
    pub from: Date,
    /// The last one.
    pub to: Date,
    /// Of one insurer's members alone: the messages of which it owes a share.
    pub insurer: Option<ParticipantId>,
    /// Not more messages than this.
    pub most: Option<u64>,
}

/// What an extract holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extracted {
    /// Messages.
    pub messages: u64,
    /// Messages that were left out because their members were erased since.
    pub erased: u64,
}

/// Why there is no extract.
#[derive(Debug, thiserror::Error)]
pub enum ExtractError {
    /// The store cannot be read.
    #[error("the store cannot be read")]
    Store(#[from] StoreError),
    /// A message is kept in a form that this hub does not know.
    #[error("message {0} cannot be read")]
    Unreadable(MessageId),
    /// A document that a decision rests on is gone.
    #[error(transparent)]
    Missing(#[from] MissingDocument),
    /// There are more messages than were wanted.
    #[error("the period has more than {0} messages")]
    Full(u64),
    /// There is more than the form can hold.
    #[error(transparent)]
    TooMuch(#[from] TooMuch),
    /// It cannot be written where it belongs, or is wanted no longer.
    #[error("the extract cannot be written")]
    Write(#[from] io::Error),
}

/// Makes an extract of what the store holds. What is done goes to `write` as it comes, with the number of messages so far.
/// `tables` are those that the clinical rules go by; `secret` is fresh random bits, which are kept nowhere. With `codes`,
/// codes that nobody knew when they came are what these tables, and what persons have judged since, say of them.
///
/// # Errors
/// [`ExtractError`]; an error of `write` ends it.
pub async fn extract(
    store: &Store,
    tables: &Tables,
    codes: Option<&takmil_mappings::Tables>,
    wanted: &Wanted,
    secret: &[u8; 32],
    mut write: impl FnMut(Vec<u8>, u64) -> io::Result<()>,
) -> Result<Extracted, ExtractError> {
    let catalog = catalog::load(store, None).await?.unwrap_or_default();
    let mut writer = Writer::new(Some((wanted.from, wanted.to)), secret);
    let mut extracted = Extracted::default();
    let insurer = wanted.insurer.as_ref();
    let begin = Instant::start_of;
    let (from, until) = (begin(wanted.from), begin(wanted.to.add_days(1)));
    let before = MessageId::new(until, [0; 10]);
    let mut after = MessageId::new(from, [0; 10]);
    loop {
        let page = store.settled(insurer, (after, before), PAGE).await?;
        extracted.erased += page.erased;
        for message in &page.messages {
            push(&mut writer, message, &catalog, tables, codes)?;
        }
        if let Some(most) = wanted.most.filter(|most| writer.messages() > *most) {
            return Err(ExtractError::Full(most));
        }
        write(writer.take(), writer.messages())?;
        match page.last {
            Some(last) => after = last,
            None => break,
        }
    }
    post(store, &mut writer, insurer, (from, until)).await?;
    extracted.messages = writer.messages();
    write(writer.finish()?, extracted.messages)?;
    Ok(extracted)
}

/// Adds a message. One that was kept without a decision uses nothing and is left out.
fn push(
    writer: &mut Writer,
    settled: &SettledMessage,
    catalog: &Catalog,
    tables: &Tables,
    codes: Option<&takmil_mappings::Tables>,
) -> Result<(), ExtractError> {
    let unreadable = |_| ExtractError::Unreadable(settled.id);
    let mut message: Message = serde_json::from_slice(&settled.canonical).map_err(unreadable)?;
    if let Some(codes) = codes {
        normalise(&mut message, codes, &settled.sender, catalog.local_map());
    }
    let record: Record = serde_json::from_str(&settled.answer).map_err(unreadable)?;
    let (Some(decision), Some(bill)) = (&record.answer.decision, message.bill()) else {
        return Ok(());
    };
    let mut basis = record.basis;
    // Lines are kept as billed, and converted when they are judged again.
    let exchange = basis.exchange.take();
    let case = basis.case(message.kind(), &message.head, &bill, catalog)?;
    let mut clinical = clinical::Case::of(&message, tables, basis.person, basis.day);
    clinical.order = basis.order;
    writer.push(&Entry {
        id: settled.id,
        kind: message.kind(),
        at: settled.at,
        day: bill_day(&bill, &message.head).unwrap_or(basis.day),
        member: settled.member,
        case: &case,
        exchange: exchange.as_ref(),
        recorded: Some(&decision.lines),
        clinical: Some((settled.sender.as_str(), &clinical)),
    })?;
    Ok(())
}

/// Adds what was used before the period, and what insurers posted in it.
async fn post(
    store: &Store,
    writer: &mut Writer,
    insurer: Option<&ParticipantId>,
    (from, until): (Instant, Instant),
) -> Result<(), ExtractError> {
    let mut waiting: Vec<Posted> = Vec::with_capacity(POSTINGS);
    let mut full = None;
    {
        let mut take = |posted: Posted| {
            if posted.used != 0 || posted.room != 0 {
                waiting.push(posted);
            }
            if waiting.len() >= POSTINGS && full.is_none() {
                full = writer.post(&waiting).err();
                waiting.clear();
            }
            Ok(())
        };
        let first = MessageId::new(from, [0; 10]);
        store.used_before(insurer, (first, from), &mut take).await?;
        store.posted(insurer, (from, until), &mut take).await?;
    }
    match full {
        Some(full) => Err(full.into()),
        None => Ok(writer.post(&waiting)?),
    }
}
