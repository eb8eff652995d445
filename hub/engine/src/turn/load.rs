//! Loading what the waiting orders touch, in the one order in which everybody locks.

use std::collections::{BTreeSet, HashMap};

use takmil_domain::answer::State;
use takmil_domain::date::{Date, Instant};
use takmil_domain::ids::{Identifier, MemberId, MessageId, ParticipantId};
use takmil_domain::limit::LimitKey;
use takmil_domain::message::{Kind, Relation};
use takmil_store::{Authorised, Batch, LoadedMessage, Reservation, ReservationState, StoredAnswer};

use super::again::read_back;
use super::{Bench, MESSAGE_SYSTEM, Order};
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
    let mut ids: BTreeSet<MessageId> = named.iter().flatten().map(|(_, id)| *id).collect();
    ids.extend(orders.iter().filter_map(Order::message));
    let authorised = load_authorised(turn, orders).await?;
    let own: BTreeSet<MessageId> = ids
        .iter()
        .copied()
        .chain(authorised.iter().map(|row| row.message))
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
        loaded,
        authorised,
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
            .find(|found| found.state != State::Cancelled && fits(relation, found.kind));
        if let (Some(own), Some(earlier)) = (named.get_mut(at), earlier) {
            own.push((relation, earlier.id));
        }
    }
    Ok(named)
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
) -> Result<Vec<Authorised>, Error> {
    let mut numbers: Vec<(MemberId, String)> = Vec::new();
    for fresh in orders.iter().filter_map(Order::fresh) {
        let (Some(member), Some(bill)) = (fresh.basis.member, fresh.message.bill()) else {
            continue;
        };
        let of_lines = bill
            .lines
            .iter()
            .filter_map(|line| line.authorisation.as_ref());
        let of_covers = fresh
            .message
            .head
            .coverages
            .iter()
            .flat_map(|cover| &cover.authorisations);
        numbers.extend(
            of_lines
                .chain(of_covers)
                .map(|number| (member, number.clone())),
        );
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
