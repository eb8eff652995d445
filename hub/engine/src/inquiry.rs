//! Questions about requests for leave and about claims: which of a sender's own fit an example, and how they stand.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};

use takmil_domain::answer::Answer;
use takmil_domain::date::{Calendar, Date, Period, When};
use takmil_domain::ids::{Identifier, MemberId, MessageId, ParticipantId};
use takmil_domain::message::{Kind, Message, Relation};
use takmil_domain::text::normalise;
use takmil_formats::MESSAGE_SYSTEM;
use takmil_formats::fhir::REFERENCE;
use takmil_store::{Exchange, MessageFilter, Resolution, Scope};

use crate::Engine;
use crate::error::Error;
use crate::record::Record;

/// How many requests one question is told of: more than anybody has open for one member, and few enough for a screen.
const MOST_TOLD: usize = 50;

/// How many of a member's requests are looked at, the latest first.
const MOST_LOOKED_AT: u32 = 500;

/// The requests or claims that a question found.
#[derive(Debug, Clone)]
pub struct RequestsFound {
    /// The requests, the latest first.
    pub requests: Vec<RequestFound>,
    /// Whether there are more.
    pub is_cut: bool,
}

/// A request for leave as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestFound {
    /// The request, as it was read.
    pub message: Message,
    /// The last answer to it.
    pub answer: Answer,
}

impl Engine {
    /// The messages of a sender that fit an example of them and are of its kind (requests for leave, claims), as they
    /// stand now.
    ///
    /// An example that names requests, by the sender's identifiers or by the numbers of what was granted, asks for these,
    /// and for those that have replaced them since; any other for those of its member. Where it names a member, a
    /// provider or days, only requests that have nothing else there fit.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn inquire(
        &self,
        sender: &ParticipantId,
        example: &Message,
    ) -> Result<RequestsFound, Error> {
        let store = &self.inner.store;
        let (kind, head) = (example.kind(), &example.head);
        let member = match store.resolve_member(&head.member.identifiers).await? {
            Resolution::Known(member) => Some(member),
            Resolution::Unknown | Resolution::Ambiguous(_) => None,
        };
        let names = Names::of(example);
        let (mut kept, mut is_cut) = (Vec::new(), false);
        if names.is_empty() {
            (kept, is_cut) = self.of_members(sender, kind, member).await?;
        } else {
            let mut ids = store.messages_named(sender, &names.own).await?;
            ids.extend(names.ids);
            ids.sort_unstable();
            ids.dedup();
            kept.extend(read(store.exchanges(sender, kind, &ids).await?)?);
            let gone = kept.iter().filter(|kept| kept.is_taken_back());
            let members: BTreeSet<MemberId> = gone.filter_map(|kept| kept.member).collect();
            let (others, more) = self.of_members(sender, kind, members).await?;
            is_cut |= more;
            follow(&mut kept, others);
        }
        let days = days(example);
        let provider = head.provider.as_ref().map(|own| own.identifiers.as_slice());
        let fits = |kept: &Kept| {
            let found = &kept.found;
            let (wanted, of_request) = (provider, found.message.head.provider.as_ref());
            is_same(member, kept.member)
                && days.overlaps(self::days(&found.message))
                && agree(wanted, of_request.map(|own| own.identifiers.as_slice()))
        };
        kept.retain(fits);
        kept.sort_unstable_by_key(|kept| std::cmp::Reverse(kept.found.answer.id));
        is_cut |= kept.len() > MOST_TOLD;
        kept.truncate(MOST_TOLD);
        Ok(RequestsFound {
            requests: kept.into_iter().map(|kept| kept.found).collect(),
            is_cut,
        })
    }

    /// The latest message of a sender that bears one of the identifiers: its own, or the hub's.
    ///
    /// # Errors
    /// If the database cannot serve.
    pub async fn named(
        &self,
        sender: &ParticipantId,
        identifiers: &[Identifier],
    ) -> Result<Option<MessageId>, Error> {
        let by_hub = identifiers.iter().find_map(|own| {
            let is_of_hub = own.system == MESSAGE_SYSTEM || own.system.is_empty();
            MessageId::parse(&own.value).filter(|_| is_of_hub)
        });
        if by_hub.is_some() {
            return Ok(by_hub);
        }
        let own = identifiers.iter().filter(|own| own.system != REFERENCE);
        let own: Vec<Identifier> = own.cloned().collect();
        let found = self.inner.store.messages_named(sender, &own).await?;
        Ok(found.into_iter().next())
    }

    /// The insurers' numbers of what they have asked about a message and nobody has replied to.
    ///
    /// # Errors
    /// If the sender has sent no such message, or the database cannot serve or holds what cannot be read.
    pub async fn open_questions(
        &self,
        sender: &ParticipantId,
        message: MessageId,
    ) -> Result<Vec<String>, Error> {
        let store = &self.inner.store;
        let scope = Scope::Provider(sender.clone());
        let kind = store.envelope(&scope, message).await?.kind;
        let kept = read(store.exchanges(sender, kind, &[message]).await?)?;
        let notes = kept.into_iter().flat_map(|kept| kept.found.answer.notes);
        let open = notes.filter(|note| note.asks && note.reply.is_none());
        Ok(open.map(|note| note.reference).collect())
    }

    /// The latest requests of a sender for members, and whether there are more.
    async fn of_members(
        &self,
        sender: &ParticipantId,
        kind: Kind,
        members: impl IntoIterator<Item = MemberId>,
    ) -> Result<(Vec<Kept>, bool), Error> {
        let store = &self.inner.store;
        let scope = Scope::Provider(sender.clone());
        let (mut kept, mut is_cut) = (Vec::new(), false);
        for member in members {
            let filter = MessageFilter {
                kind: Some(kind),
                member: Some(member),
                ..MessageFilter::default()
            };
            let page = store.messages(&scope, &filter, None, MOST_LOOKED_AT);
            let page: Vec<MessageId> = page.await?.iter().map(|own| own.id).collect();
            is_cut |= u32::try_from(page.len()).is_ok_and(|count| count >= MOST_LOOKED_AT);
            kept.extend(read(store.exchanges(sender, kind, &page).await?)?);
        }
        Ok((kept, is_cut))
    }
}

/// A request, and whose it is.
struct Kept {
    member: Option<MemberId>,
    found: RequestFound,
}

impl Kept {
    fn is_taken_back(&self) -> bool {
        self.found.answer.state.is_taken_back()
    }

    /// Everything by which a later message may name it.
    fn names(&self) -> impl Iterator<Item = Identifier> {
        let own = Identifier::new(MESSAGE_SYSTEM, self.found.answer.id.to_string());
        let of_sender = self.found.message.head.identifiers.iter();
        of_sender.map(spelled).chain([own])
    }
}

/// The requests, read.
fn read(exchanges: Vec<Exchange>) -> Result<Vec<Kept>, Error> {
    let mut kept = Vec::with_capacity(exchanges.len());
    for exchange in exchanges {
        let unreadable = |_| Error::Unreadable {
            message: exchange.id,
        };
        let message: Message = serde_json::from_slice(&exchange.canonical).map_err(unreadable)?;
        let record = Record::of(&exchange.answer, exchange.state).map_err(unreadable)?;
        kept.push(Kept {
            member: exchange.member,
            found: RequestFound {
                message,
                answer: record.answer,
            },
        });
    }
    Ok(kept)
}

/// Adds to requests those that have replaced them, and those that have replaced these.
fn follow(kept: &mut Vec<Kept>, mut others: Vec<Kept>) {
    let mut known: HashSet<Identifier> = kept.iter().flat_map(Kept::names).collect();
    let ids: HashSet<MessageId> = kept.iter().map(|kept| kept.found.answer.id).collect();
    // What replaces comes after what it replaces.
    others.sort_unstable_by_key(|other| other.found.answer.id);
    for other in others {
        let correlates = other.found.message.head.correlates.iter();
        let mut replaced = correlates.filter(|named| named.relation == Relation::Replaces);
        let is_new = !ids.contains(&other.found.answer.id);
        if is_new && replaced.any(|named| known.contains(&spelled(&named.identifier))) {
            known.extend(other.names());
            kept.push(other);
        }
    }
}

/// By what an example names requests.
#[derive(Default)]
struct Names {
    /// The sender's identifiers of them.
    own: Vec<Identifier>,
    /// The hub's ids, which are the numbers of what it grants.
    ids: Vec<MessageId>,
    /// Numbers that are neither: then nothing is asked for beside them.
    foreign: bool,
}

impl Names {
    fn of(example: &Message) -> Names {
        let head = &example.head;
        let own = head.identifiers.iter();
        let own = own.filter(|own| own.system != REFERENCE).cloned();
        let own: Vec<Identifier> = own.collect();
        let bill = example.bill();
        let lines = bill.iter().flat_map(|bill| &bill.lines);
        let covers = head.coverages.iter().flat_map(|own| &own.authorisations);
        let earlier = head.correlates.iter().map(|named| &named.identifier.value);
        let numbers = covers.chain(earlier).map(Cow::Borrowed);
        let numbers =
            numbers.chain(lines.filter_map(|line| line.authorisation.clone().map(Cow::Owned)));
        let mut names = Names::default();
        for number in numbers {
            match MessageId::parse(&number) {
                Some(id) => names.ids.push(id),
                None => names.foreign = true,
            }
        }
        // A number may stand where an identifier does.
        let ids = own.iter().filter_map(|own| MessageId::parse(&own.value));
        names.ids.extend(ids);
        names.own = own;
        names
    }

    fn is_empty(&self) -> bool {
        self.own.is_empty() && self.ids.is_empty() && !self.foreign
    }
}

/// An identifier as it is compared.
fn spelled(identifier: &Identifier) -> Identifier {
    Identifier::new(normalise(&identifier.system), normalise(&identifier.value))
}

/// Whether two ways of saying something leave room for the same.
fn is_same<T: PartialEq>(wanted: Option<T>, known: Option<T>) -> bool {
    wanted.is_none() || known.is_none() || wanted == known
}

/// Whether two parties may be one: they share an identifier, or one of them has none that others know.
fn agree(wanted: Option<&[Identifier]>, known: Option<&[Identifier]>) -> bool {
    let of_all = |list: Option<&[Identifier]>| -> HashSet<Identifier> {
        let list = list.unwrap_or_default().iter();
        list.filter(|own| own.system != REFERENCE)
            .map(spelled)
            .collect()
    };
    let (wanted, known) = (of_all(wanted), of_all(known));
    wanted.is_empty() || known.is_empty() || !wanted.is_disjoint(&known)
}

/// From which day to before which day something reaches; open where no day is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Days {
    first: Option<Date>,
    end: Option<Date>,
}

impl Days {
    fn overlaps(self, other: Days) -> bool {
        let before = |first: Option<Date>, end: Option<Date>| match (first, end) {
            (Some(first), Some(end)) => first < end,
            _ => true,
        };
        before(self.first, other.end) && before(other.first, self.end)
    }
}

/// The days that a request is for, by its bill and its lines.
fn days(message: &Message) -> Days {
    let bill = message.bill();
    let of_bill = bill.iter().filter_map(|bill| bill.period.as_ref());
    let lines = bill.iter().flat_map(|bill| &bill.lines);
    let all: Vec<Days> = of_bill
        .chain(lines.filter_map(|line| line.serviced.as_ref()))
        .map(reach)
        .collect();
    let firsts = all
        .iter()
        .map(|days| days.first)
        .collect::<Option<Vec<_>>>();
    let ends = all.iter().map(|days| days.end).collect::<Option<Vec<_>>>();
    Days {
        first: firsts.and_then(|days| days.into_iter().min()),
        end: ends.and_then(|days| days.into_iter().max()),
    }
}

fn reach(period: &Period) -> Days {
    Days {
        first: period.start.as_ref().and_then(When::first_day),
        end: period.end.as_ref().and_then(day_after),
    }
}

/// The day after a day, a month or a year.
fn day_after(when: &When) -> Option<Date> {
    let first = when.first_day()?;
    Some(match when.as_str().len() {
        4 => first.add_months(12, Calendar::Gregorian),
        7 => first.add_months(1, Calendar::Gregorian),
        _ => first.add_days(1),
    })
}
