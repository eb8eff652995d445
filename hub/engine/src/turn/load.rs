//! Loading what the waiting orders touch, in the one order in which everybody locks.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use takmil_domain::date::{Date, Instant};
use takmil_domain::ids::{Identifier, MemberId, MessageId, ParticipantId};
use takmil_domain::limit::LimitKey;
use takmil_domain::message::{Kind, Relation};
use takmil_store::{
    Batch, KeptAuthorisation, KeptPast, LoadedMessage, OwnerKey, Reservation, ReservationState,
    StoredAnswer,
};

use super::again::read_back;
use super::{Bench, MESSAGE_SYSTEM, Order, authorisation, clinical, correct, due};
use crate::Inner;
use crate::catalog::Catalog;
use crate::error::Error;
use crate::judge::{self, Holding};
use crate::ledger::{Account, Ledger};

pub(super) async fn load<'a>(
    inner: &'a Inner,
    turn: &mut takmil_store::Turn,
    orders: &[Order],
    catalog: &'a Catalog,
    now: Instant,
) -> Result<Bench<'a>, Error> {
    let today = now.day();
    let answered = load_answers(turn, orders).await?;
    let named = load_named(turn, orders).await?;
    let filled = load_filled(turn, orders).await?;
    let mut ids: BTreeSet<MessageId> = named.iter().flatten().map(|(_, id)| *id).collect();
    ids.extend(filled.iter().flatten());
    ids.extend(orders.iter().filter_map(Order::message));
    let authorised = load_authorised(turn, orders).await?;
    let own: BTreeSet<MessageId> = ids
        .iter()
        .copied()
        .chain(authorised.iter().map(|row| row.line.message))
        .collect();
    let own: Vec<MessageId> = own.into_iter().collect();
    let ids: Vec<MessageId> = ids.into_iter().collect();
    let loaded: HashMap<MessageId, LoadedMessage> = turn
        .load(&ids)
        .await?
        .into_iter()
        .flatten()
        .map(|one| (one.id, one))
        .collect();
    let past = load_past(turn, orders).await?;
    let reservations = turn.reservations(&own).await?;

    let mut keys: BTreeSet<LimitKey> = reservations
        .iter()
        .flat_map(|own| &own.parts)
        .map(|(key, _)| key.clone())
        .collect();
    keys.extend(
        loaded
            .values()
            .flat_map(|message| &message.entries)
            .map(|entry| entry.key.clone()),
    );
    let mut needs = HashMap::new();
    for order in orders {
        let wanted = match order {
            Order::Take(fresh) => judge::needs(&fresh.message, &fresh.basis, catalog, today)?,
            Order::Correct {
                message, member, ..
            } => match loaded.get(message) {
                Some(message) => correct::needs(message, member, catalog, today)?,
                None => Vec::new(),
            },
            _ => match order.message().and_then(|id| loaded.get(&id)) {
                Some(message) => needs_again(message, catalog, today)?,
                None => Vec::new(),
            },
        };
        needs.extend(wanted.into_iter().map(|need| (need.key.clone(), need)));
    }
    keys.extend(needs.keys().cloned());
    let keys: Vec<LimitKey> = keys.into_iter().collect();
    let standings = turn.standings(&keys).await?;
    let dues = due::load(turn, &loaded).await?;
    let mut ledger = Ledger::default();
    for (key, standing) in keys.into_iter().zip(standings) {
        if let Some(standing) = standing {
            ledger.load(key, Account::stored(standing));
        }
    }
    Ok(Bench {
        inner,
        catalog,
        now,
        today,
        ledger,
        holdings: reservations
            .into_iter()
            .filter(|own| own.state == ReservationState::Open)
            .map(holding)
            .collect(),
        answered,
        keys: HashMap::new(),
        named,
        filled,
        loaded,
        authorised,
        dues,
        past,
        may_ask: false,
        batch: Batch::default(),
    })
}

fn holding(reservation: Reservation) -> (MessageId, Holding) {
    (
        reservation.message,
        Holding {
            expires_on: Some(reservation.expires_on),
            parts: reservation.parts,
        },
    )
}

async fn load_answers(
    turn: &mut takmil_store::Turn,
    orders: &[Order],
) -> Result<Vec<Option<StoredAnswer>>, Error> {
    let mut places = Vec::new();
    let mut keys = Vec::new();
    for (at, fresh) in orders
        .iter()
        .enumerate()
        .filter_map(|(at, order)| Some((at, order.fresh()?)))
    {
        for key in &fresh.keys {
            places.push(at);
            keys.push((fresh.sender.clone(), key.clone()));
        }
    }
    let mut answered: Vec<Option<StoredAnswer>> = orders.iter().map(|_| None).collect();
    for (at, found) in places.into_iter().zip(turn.idempotency(&keys).await?) {
        if let Some(slot) = answered.get_mut(at).filter(|slot| slot.is_none()) {
            *slot = found;
        }
    }
    Ok(answered)
}

/// Finds the earlier messages of the same sender that orders name, by the sender's identifiers or the hub's id.
async fn load_named(
    turn: &mut takmil_store::Turn,
    orders: &[Order],
) -> Result<Vec<Vec<(Relation, MessageId)>>, Error> {
    let mut named: Vec<Vec<(Relation, MessageId)>> = orders.iter().map(|_| Vec::new()).collect();
    let mut places = Vec::new();
    let mut wanted: Vec<(ParticipantId, Identifier)> = Vec::new();
    for (at, fresh) in orders
        .iter()
        .enumerate()
        .filter_map(|(at, order)| Some((at, order.fresh()?)))
    {
        for correlate in &fresh.message.head.correlates {
            if correlate.identifier.system == MESSAGE_SYSTEM {
                let id = MessageId::parse(&correlate.identifier.value);
                named
                    .get_mut(at)
                    .into_iter()
                    .for_each(|own| own.extend(id.map(|id| (correlate.relation, id))));
            } else {
                places.push((at, correlate.relation));
                wanted.push((fresh.sender.clone(), correlate.identifier.clone()));
            }
        }
    }
    for ((at, relation), found) in places.into_iter().zip(turn.find_messages(&wanted).await?) {
        let earlier = found
            .into_iter()
            .find(|found| !found.state.is_taken_back() && fits(relation, found.kind));
        if let (Some(own), Some(earlier)) = (named.get_mut(at), earlier) {
            own.push((relation, earlier.id));
        }
    }
    Ok(named)
}

/// Finds the prescriptions, whoever wrote them, that orders fill for the same member: of each that is named the latest.
async fn load_filled(
    turn: &mut takmil_store::Turn,
    orders: &[Order],
) -> Result<Vec<Vec<MessageId>>, Error> {
    let mut filled: Vec<Vec<MessageId>> = orders.iter().map(|_| Vec::new()).collect();
    let mut places = Vec::new();
    let mut wanted: Vec<(MemberId, Identifier)> = Vec::new();
    for (at, order) in orders.iter().enumerate() {
        let fresh = order.fresh();
        let Some((fresh, member)) = fresh.and_then(|fresh| Some((fresh, fresh.basis.member?)))
        else {
            continue;
        };
        for identifier in clinical::filled(&fresh.message) {
            places.push(at);
            wanted.push((member, identifier.clone()));
        }
    }
    for (at, found) in places
        .into_iter()
        .zip(turn.find_prescriptions(&wanted).await?)
    {
        if let (Some(own), Some(prescription)) = (filled.get_mut(at), found.first()) {
            own.push(*prescription);
        }
    }
    Ok(filled)
}

/// What the members had before whom a rule asks it of, as far back as the earliest day of their orders needs.
async fn load_past(
    turn: &mut takmil_store::Turn,
    orders: &[Order],
) -> Result<HashMap<MemberId, Vec<KeptPast>>, Error> {
    let mut asked: BTreeMap<MemberId, (OwnerKey, Date)> = BTreeMap::new();
    for fresh in orders.iter().filter_map(Order::fresh) {
        if let Some(member) = fresh.basis.member.filter(|_| !fresh.leaves.is_empty()) {
            let asked = asked.entry(member);
            let (_, day) = asked.or_insert_with(|| (fresh.key.clone(), fresh.basis.day));
            *day = fresh.basis.day.min(*day);
        }
    }
    let asked: Vec<(MemberId, OwnerKey, Date)> = asked
        .into_iter()
        .map(|(member, (key, day))| (member, key, day))
        .collect();
    let found = turn.past(&asked).await?;
    let members = asked.into_iter().map(|(member, ..)| member);
    Ok(members.zip(found).collect())
}

/// Whether a message of a kind can be what a relation names.
fn fits(relation: Relation, kind: Kind) -> bool {
    match relation {
        Relation::Admission => kind == Kind::Admission,
        Relation::Preauthorization => kind == Kind::Preauthorization,
        Relation::Prescription => kind == Kind::Prescription,
        Relation::Replaces | Relation::Cancels => kind != Kind::Cancel,
        Relation::Referral | Relation::Group | Relation::Related => false,
    }
}

async fn load_authorised(
    turn: &mut takmil_store::Turn,
    orders: &[Order],
) -> Result<Vec<KeptAuthorisation>, Error> {
    let mut numbers: Vec<(MemberId, String)> = Vec::new();
    for fresh in orders.iter().filter_map(Order::fresh) {
        let (Some(member), Some(bill)) = (fresh.basis.member, fresh.message.bill()) else {
            continue;
        };
        let lines = bill.lines.iter();
        let named = lines.flat_map(|line| authorisation::named(&fresh.message.head, line));
        numbers.extend(named.map(|number| (member, number.to_owned())));
    }
    Ok(turn.authorisations(&numbers).await?)
}

fn needs_again(
    message: &LoadedMessage,
    catalog: &Catalog,
    today: Date,
) -> Result<Vec<takmil_domain::limit::LimitNeed>, Error> {
    let (canonical, record) = read_back(message)?;
    Ok(judge::needs(&canonical, &record.basis, catalog, today)?)
}
