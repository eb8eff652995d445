//! Payments: booked when an insurer tells of them, settled when the provider has them or has not.

use takmil_domain::audit::Event;
use takmil_domain::date::Instant;
use takmil_domain::ids::{MessageId, PaymentId};
use takmil_domain::money::Amount;
use takmil_domain::settlement::payment::Reach;
use takmil_domain::settlement::state::{PaymentEvent, PaymentState};
use takmil_domain::settlement::{Due, Notice, Pair, Payment, Receipt, Refused};

use super::page::{Holds, Page, dues_of_claims, load_payments, pair_values, unsettled};
use super::standing::Standing;
use super::{BookFilter, rows, seen};
use crate::column::Row;
use crate::db::Db;
use crate::error::StoreError;
use crate::scope::Scope;
use crate::store::Store;

/// The most claims whose states follow in one transaction: lanes wait for them.
const MOST_FOLLOWING: usize = 1_000;

/// A payment in a list: without what it has reached, but how much of it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentRecord {
    /// The payment, its allocations left out.
    pub payment: Payment,
    /// How much has reached claims.
    pub allocated: Amount,
}

impl Store {
    /// Books a payment that an insurer gives notice of. A repeat under the same reference is answered as it was before.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the scope may not book for the insurer. What the book does not take is no error.
    pub async fn notice(
        &self,
        scope: &Scope,
        notice: &Notice,
        at: Instant,
    ) -> Result<Result<Receipt, Refused>, StoreError> {
        if !scope.may_change(&notice.pair.insurer) {
            return Err(StoreError::NotFound);
        }
        let mut transaction = self.desk().await?;
        let mut db = transaction.db();
        if let Some(booked) = by_reference(&mut db, notice).await? {
            return Ok(notice.repeats(&booked).map(|_| booked.receipt));
        }
        let stated = match &notice.reach {
            Reach::Statement(number) => stated(&mut db, &notice.pair, *number).await?,
            _ => Vec::new(),
        };
        let named: Vec<MessageId> = match &notice.reach {
            Reach::Named(rows) => rows.iter().map(|row| row.message).collect(),
            _ => stated.clone(),
        };
        let holds = match &notice.reach {
            Reach::Bulk => Holds::Open,
            Reach::Statement(_) if stated.is_empty() => return Ok(Err(Refused::Unknown)),
            Reach::Statement(_) | Reach::Named(_) => Holds::Claims(&named),
        };
        let mut page = Page::open(&mut db, &notice.pair, holds, &[]).await?;
        let id = PaymentId(self.fresh_id(at));
        let (receipt, book) = match page.folio.notice(notice, &stated, id, at) {
            Ok(booked) => booked,
            Err(refused) => return Ok(Err(refused)),
        };
        page.close(self, &mut db, book, at).await?;
        let what = (Event::PaymentNoticed, id.0, 0);
        let doer = Some(&notice.pair.insurer);
        self.put_leaf(&mut db, what, doer, at, &(notice, &receipt))
            .await?;
        transaction.commit().await?;
        Ok(Ok(receipt))
    }

    /// Books that a payment has arrived, or has not. Said twice, it changes nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such payment in the scope. What the book does not take is no error.
    pub async fn settle(
        &self,
        scope: &Scope,
        id: PaymentId,
        event: PaymentEvent,
        at: Instant,
    ) -> Result<Result<Payment, Refused>, StoreError> {
        let mut transaction = self.desk().await?;
        let mut db = transaction.db();
        let found = load_payments(&mut db, &[id].into()).await?;
        let payment = found
            .into_iter()
            .find(|payment| sees(scope, &payment.pair))
            .ok_or(StoreError::NotFound)?;
        let claims: Vec<MessageId> = payment.allocations.keys().map(|place| place.0).collect();
        let mut page = Page::open(&mut db, &payment.pair, Holds::Claims(&claims), &[id]).await?;
        let book = match event {
            PaymentEvent::Confirmed => page.folio.confirm(id, at),
            PaymentEvent::Bounced => page.folio.bounce(id, at),
            PaymentEvent::Accepted | PaymentEvent::Declined => Err(Refused::State),
        };
        let book = match book {
            Ok(book) => book,
            Err(refused) => return Ok(Err(refused)),
        };
        let folio = page.close(self, &mut db, book, at).await?;
        let Some(settled) = folio.payment(id).cloned() else {
            return Ok(Err(Refused::Unknown));
        };
        // Said again, nothing happens.
        if settled.state != payment.state {
            let what = match settled.state {
                PaymentState::Confirmed => (Event::PaymentConfirmed, id.0, 1),
                _ => (Event::PaymentBounced, id.0, 2),
            };
            let doer = scope.sender().map(|_| &settled.pair.provider);
            let said = (id, settled.state, settled.amount);
            self.put_leaf(&mut db, what, doer, at, &said).await?;
        }
        transaction.commit().await?;
        Ok(Ok(settled))
    }

    /// A payment with all that it has reached.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is none in the scope.
    pub async fn payment(&self, scope: &Scope, id: PaymentId) -> Result<Payment, StoreError> {
        const SQL: &str = concat!("select id from payment where ", seen!(), " and id = $5");
        let whose = BookFilter::default();
        let values = [&whose.values(scope)[..], &[id.0.into()]].concat();
        let mut reader = self.read(scope).await?;
        let mut db = reader.db();
        db.fetch_one(SQL, &values).await?;
        let mut found = load_payments(&mut db, &[id].into()).await?;
        found.pop().ok_or(StoreError::NotFound)
    }

    /// What is owed for the claims that a payment of the scope has reached.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn reached_dues(
        &self,
        scope: &Scope,
        payment: &Payment,
    ) -> Result<Vec<Due>, StoreError> {
        let claims: Vec<MessageId> = payment.allocations.keys().map(|place| place.0).collect();
        let mut reader = self.read(scope).await?;
        dues_of_claims(&mut reader.db(), &payment.pair, &claims, false).await
    }

    /// Payments, the earliest first, without what they have reached.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn payments(
        &self,
        scope: &Scope,
        filter: &BookFilter,
        state: Option<PaymentState>,
        after: Option<PaymentId>,
        most: u32,
    ) -> Result<Vec<PaymentRecord>, StoreError> {
        const SQL: &str = concat!(
            "select * from payment where ",
            seen!(),
            " and ($5 is null or state = $5) and id > $6 order by id limit $7"
        );
        let more = [
            state.map(PaymentState::as_str).into(),
            after.map_or(uuid::Uuid::nil(), |id| id.0).into(),
            most.into(),
        ];
        let values = [&filter.values(scope)[..], &more].concat();
        let mut reader = self.read(scope).await?;
        let found = reader.db().fetch_all(SQL, &values).await?;
        let record = |row: &Row| {
            Ok(PaymentRecord {
                payment: rows::payment(row)?,
                allocated: row.number("allocated")?,
            })
        };
        found.iter().map(record).collect()
    }

    /// Takes as arrived what insurers gave notice of at `until` or before, and nobody has said anything to since. Gives how
    /// many payments those are.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read. What was taken until then stays.
    pub async fn confirm_silent(&self, until: Instant, at: Instant) -> Result<u64, StoreError> {
        let found = self
            .readers
            .fetch_all(
                "select id from payment where state = 'noticed' and noticed_at <= $1 order by id",
                &[until.into()],
            )
            .await?;
        let mut confirmed = 0;
        for row in &found {
            let id = PaymentId(row.uuid("id")?);
            // One that its provider has bounced meanwhile stays so.
            let settled = self.settle(&Scope::Hub, id, PaymentEvent::Confirmed, at);
            confirmed += u64::from(settled.await?.is_ok());
        }
        Ok(confirmed)
    }

    /// Leads claims to where their money is whose states did not follow when it moved: of what no statement has yet. Done
    /// again, it changes nothing.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn follow_money(&self, at: Instant) -> Result<(), StoreError> {
        let found = self
            .readers
            .fetch_all(
                "select distinct t.message from transfer t join message m on m.id = t.message
                 where t.statement is null
                     and m.state in ('decided', 'adjusted', 'paid', 'reconciled')
                 order by t.message",
                &[],
            )
            .await?;
        let message = |row: &Row| row.uuid("message").map(MessageId);
        let claims: Vec<MessageId> = found.iter().map(message).collect::<Result<_, _>>()?;
        for claims in claims.chunks(MOST_FOLLOWING) {
            let mut transaction = self.desk().await?;
            let mut db = transaction.db();
            let standing = Standing::hold(&mut db, claims.iter().copied()).await?;
            standing.follow(self, &mut db, claims, at).await?;
            transaction.commit().await?;
        }
        Ok(())
    }

    /// Lets what earlier payments have left over, and what was overpaid, reach what has become open since. Gives how many
    /// transfers it took.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn apply_prepaid(&self, at: Instant) -> Result<u64, StoreError> {
        let pairs = self
            .readers
            .fetch_all(
                concat!(
                    "select insurer, provider, payee, currency from payment
                     where allocated < amount and state <> 'bounced'
                     union
                     select insurer, provider, payee, currency from due
                     where ",
                    unsettled!(),
                    " and incurred < noticed + confirmed + disputed + written_off
                     order by insurer, provider, payee, currency"
                ),
                &[],
            )
            .await?;
        let mut booked: u64 = 0;
        for pair in &pairs {
            let mut transaction = self.desk().await?;
            let mut db = transaction.db();
            let mut page = Page::open(&mut db, &rows::pair(pair)?, Holds::Open, &[]).await?;
            let book = page.folio.take_prepaid(at);
            let book = book.map_err(super::page::unreadable)?;
            if book.is_empty() {
                continue;
            }
            booked = booked.saturating_add(book.len().try_into().unwrap_or(u64::MAX));
            page.close(self, &mut db, book, at).await?;
            transaction.commit().await?;
        }
        Ok(booked)
    }
}

/// Whether a scope may settle a pair's payments: the provider its own, the hub all.
fn sees(scope: &Scope, pair: &Pair) -> bool {
    match scope {
        Scope::Hub => true,
        Scope::Provider(own) => *own == pair.provider,
        Scope::Insurer(_) | Scope::Regulator => false,
    }
}

/// The payment that an insurer gave the same reference, whoever it went to.
async fn by_reference(db: &mut Db<'_>, notice: &Notice) -> Result<Option<Payment>, StoreError> {
    let row = db
        .fetch_optional(
            "select * from payment where insurer = $1 and reference = $2",
            &[
                notice.pair.insurer.as_str().into(),
                (&notice.reference).into(),
            ],
        )
        .await?;
    row.as_ref().map(rows::payment).transpose()
}

/// The claims of a pair's statement; none where the pair has no such statement.
async fn stated(db: &mut Db<'_>, pair: &Pair, number: u64) -> Result<Vec<MessageId>, StoreError> {
    let Ok(number) = i64::try_from(number) else {
        return Ok(Vec::new());
    };
    let values = [&pair_values(pair)[..], &[number.into()]].concat();
    let rows = db
        .fetch_all(
            "select distinct t.message from transfer t
             where t.insurer = $1 and t.provider = $2 and t.payee = $3 and t.currency = $4
                 and t.statement = $5 and t.message is not null
             order by t.message",
            &values,
        )
        .await?;
    let message = |row: &Row| row.uuid("message").map(MessageId);
    rows.iter().map(message).collect()
}
