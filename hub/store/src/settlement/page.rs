//! One pair's page of the book under lock: what is done on it is written when it is closed.
//!
//! Who books at a page holds the desk, so that payments stand still; lanes go on, so that the dues of the page are locked,
//! in the order of their keys, and before them the messages whose states follow.

use std::collections::{BTreeMap, BTreeSet};

use takmil_domain::date::Instant;
use takmil_domain::ids::{MessageId, PaymentId, TransferId};
use takmil_domain::settlement::{Due, Folio, Pair, Payment, Refused, Transfer};

use super::rows::{self, AllocationRow, DueRow, FreedRow, PaymentRow, TransferRow};
use super::standing::Standing;
use crate::db::{Db, Sql};
use crate::error::StoreError;
use crate::put::put;
use crate::rows::{Id, over};
use crate::store::Store;

/// The most claims that one payment, or one run, serves at once: a year of a large hospital. What is open beyond them
/// waits for the next one, the oldest going first.
const MOST_OPEN: i64 = 100_000;

/// Which of a pair's dues a page holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Holds<'a> {
    /// All of which something is open, or overpaid; and the payments that have something left over.
    Open,
    /// These.
    Claims(&'a [MessageId]),
}

/// A page of the book.
#[derive(Debug)]
pub(super) struct Page {
    before: Folio,
    standing: Standing,
    /// The page, to be worked on.
    pub(super) folio: Folio,
}

/// The condition of the index of dues that are not settled.
macro_rules! unsettled {
    () => {
        "(incurred <> confirmed + written_off or noticed <> 0 or disputed <> 0)"
    };
}
pub(super) use unsettled;

/// The claims of a pair of which something is open, the longest due first.
macro_rules! open_of_pair {
    () => {
        concat!(
            "select message from due
             where insurer = $1 and provider = $2 and payee = $3 and currency = $4 and ",
            unsettled!(),
            " and incurred - noticed - confirmed - disputed - written_off <> 0
             order by due_on, message limit $5"
        )
    };
}

macro_rules! open_dues {
    () => {
        concat!(
            "select d.* from due d where d.insurer = $1 and d.message in (",
            open_of_pair!(),
            ") order by d.message"
        )
    };
}

const OPEN_DUES: Sql = Sql {
    sqlite: open_dues!(),
    postgres: concat!(open_dues!(), " for no key update of d"),
};

macro_rules! open_claims {
    () => {
        concat!(
            "select m.id, m.kind, m.state, m.turn from message m where m.id in (",
            open_of_pair!(),
            ") order by m.id"
        )
    };
}

const OPEN_CLAIMS: Sql = Sql {
    sqlite: open_claims!(),
    postgres: concat!(open_claims!(), " for no key update of m"),
};

impl Page {
    /// Opens a page: the dues, and the payments of which something may move with them; those of `payments` in any case.
    pub(super) async fn open(
        db: &mut Db<'_>,
        pair: &Pair,
        holds: Holds<'_>,
        payments: &[PaymentId],
    ) -> Result<Page, StoreError> {
        let mut elsewhere = Vec::new();
        let of_pair = pair_values(pair);
        let open = [&of_pair[..], &[MOST_OPEN.into()]].concat();
        let standing = match holds {
            Holds::Open => Standing::hold_found(db, OPEN_CLAIMS, &open).await?,
            Holds::Claims(claims) => Standing::hold(db, claims.iter().copied()).await?,
        };
        let mut dues = match holds {
            Holds::Open => {
                let rows = db.fetch_all(OPEN_DUES, &open).await?;
                rows.iter().map(rows::due).collect::<Result<Vec<_>, _>>()?
            }
            Holds::Claims(claims) => dues_of_claims(db, pair, claims, true).await?,
        };
        dues.retain(|due| {
            let is_other = due.pair.currency != pair.currency
                && due.pair.provider == pair.provider
                && due.pair.payee == pair.payee;
            elsewhere.extend(is_other.then_some(due.message));
            due.pair == *pair
        });
        let mut ids: BTreeSet<PaymentId> = payments.iter().copied().collect();
        if let Holds::Open = holds {
            ids.extend(with_rest(db, pair).await?);
        }
        let overpaid = dues.iter().filter(|due| !due.overpaid().is_zero());
        let overpaid: Vec<MessageId> = overpaid.map(|due| due.message).collect();
        ids.extend(reaching(db, pair, &overpaid).await?);
        let payments = load_payments(db, &ids).await?;
        let mut folio = Folio::open(pair.clone(), dues, payments).map_err(unreadable)?;
        folio.note_elsewhere(elsewhere);
        Ok(Page {
            before: folio.clone(),
            standing,
            folio,
        })
    }

    /// Writes what has changed on the page, with the transfers that brought it there; its claims' states follow.
    pub(super) async fn close(
        self,
        store: &Store,
        db: &mut Db<'_>,
        book: Vec<Transfer>,
        at: Instant,
    ) -> Result<Folio, StoreError> {
        let Page {
            before,
            standing,
            folio,
        } = self;
        let is_new = |due: &&Due| before.due(due.message) != Some(*due);
        put(db, &DueRow::of(folio.dues().filter(is_new))).await?;
        let claims = folio.dues().filter(is_new).map(|due| due.message);
        let claims: Vec<MessageId> = claims.collect();
        standing.follow(store, db, &claims, at).await?;
        let moved = folio.payments();
        let moved: Vec<&Payment> = moved
            .filter(|payment| before.payment(payment.id) != Some(payment))
            .collect();
        let payments: Vec<PaymentRow<'_>> = moved.iter().copied().map(PaymentRow::from).collect();
        put(db, &payments).await?;
        let nothing = BTreeMap::new();
        let (mut reached, mut freed) = (Vec::new(), Vec::new());
        for payment in moved {
            let earlier = before.payment(payment.id);
            let earlier = earlier.map_or(&nothing, |payment| &payment.allocations);
            let now = &payment.allocations;
            let new = now
                .iter()
                .filter(|(place, amount)| earlier.get(place) != Some(amount));
            reached
                .extend(new.map(|(place, amount)| AllocationRow::new(payment.id, *place, *amount)));
            let gone = earlier.keys().filter(|place| !now.contains_key(place));
            freed.extend(gone.map(|place| FreedRow::new(payment.id, *place)));
        }
        put(db, &freed).await?;
        put(db, &reached).await?;
        let id = |transfer| (TransferId(store.fresh_id(at)), transfer);
        let book: Vec<(TransferId, Transfer)> = book.into_iter().map(id).collect();
        put(db, &TransferRow::of(&book)).await?;
        Ok(folio)
    }
}

/// A pair as the first four arguments of a statement.
pub(super) fn pair_values(pair: &Pair) -> [crate::db::Value<'_>; 4] {
    [
        pair.insurer.as_str().into(),
        pair.provider.as_str().into(),
        pair.payee.as_str().into(),
        pair.currency.as_str().into(),
    ]
}

/// A page whose dues and payments are not one pair's was changed by other hands.
pub(super) fn unreadable(_: Refused) -> StoreError {
    StoreError::Unreadable { what: "the book" }
}

/// The dues that an insurer has of claims, in the order of the claims; locked where they are to be moved.
pub(super) async fn dues_of_claims(
    db: &mut Db<'_>,
    pair: &Pair,
    claims: &[MessageId],
    is_locked: bool,
) -> Result<Vec<Due>, StoreError> {
    macro_rules! dues {
        () => {
            "select due.* from batch
             join due on due.message = batch.message and due.insurer = batch.insurer
             order by due.message"
        };
    }
    let (seen, locked) = (
        over!(message id, insurer text; dues!()),
        over!(message id, insurer text; sqlite(dues!()) postgres(dues!(), " for no key update of due")),
    );
    let claims: BTreeSet<MessageId> = claims.iter().copied().collect();
    let rows = claims.into_iter();
    let rows: Vec<(Id, &str)> = rows
        .map(|message| (message.into(), pair.insurer.as_str()))
        .collect();
    let found = db.ask(if is_locked { locked } else { seen }, &rows).await?;
    found.iter().map(rows::due).collect()
}

/// The payments of a pair that have something left over.
async fn with_rest(db: &mut Db<'_>, pair: &Pair) -> Result<Vec<PaymentId>, StoreError> {
    let rows = db
        .fetch_all(
            "select id from payment
             where insurer = $1 and provider = $2 and payee = $3 and currency = $4
                 and allocated < amount and state <> 'bounced'",
            &pair_values(pair),
        )
        .await?;
    let id = |row: &crate::column::Row| row.uuid("id").map(PaymentId);
    rows.iter().map(id).collect()
}

/// The payments of an insurer that have reached claims and did not bounce.
pub(super) async fn reaching(
    db: &mut Db<'_>,
    pair: &Pair,
    claims: &[MessageId],
) -> Result<BTreeSet<PaymentId>, StoreError> {
    let sql = over!(
        message id, insurer text;
        "select p.id from batch
         join allocation a on a.message = batch.message
         join payment p on p.id = a.payment and p.insurer = batch.insurer
         where p.state <> 'bounced'"
    );
    let row = |message: &MessageId| (Id::from(*message), pair.insurer.as_str());
    let rows: Vec<(Id, &str)> = claims.iter().map(row).collect();
    let found = db.ask(sql, &rows).await?;
    let id = |row: &crate::column::Row| row.uuid("id").map(PaymentId);
    found.iter().map(id).collect()
}

/// Payments with all that they have reached.
pub(super) async fn load_payments(
    db: &mut Db<'_>,
    ids: &BTreeSet<PaymentId>,
) -> Result<Vec<Payment>, StoreError> {
    let of_heads = over!(
        payment id;
        "select p.* from batch join payment p on p.id = batch.payment"
    );
    let of_reach = over!(
        payment id;
        "select a.* from batch join allocation a on a.payment = batch.payment"
    );
    let keys: Vec<(Id,)> = ids.iter().map(|id| ((*id).into(),)).collect();
    let mut payments = BTreeMap::new();
    for row in db.ask(of_heads, &keys).await? {
        let payment = rows::payment(&row)?;
        payments.insert(payment.id, payment);
    }
    for row in db.ask(of_reach, &keys).await? {
        let (payment, place, amount) = rows::allocation(&row)?;
        if let Some(payment) = payments.get_mut(&payment) {
            payment.allocations.insert(place, amount);
        }
    }
    Ok(payments.into_values().collect())
}
