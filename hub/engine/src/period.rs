//! The closing of months: what stands in its way, and the closing itself.

use takmil_domain::date::Instant;
use takmil_domain::ids::ParticipantId;
use takmil_domain::money::Currency;
use takmil_domain::settlement::Statement;
use takmil_domain::settlement::period::{Closed, Closing, Hindrance, Month, TrialBalance};
use takmil_store::{ClosedPeriod, DifferenceRecord, OpenDifferences, PeriodBooks, Scope};

use crate::error::Error;
use crate::{Engine, Inner};

/// An insurer's month in one currency.
#[derive(Debug, Clone)]
pub struct Period {
    /// The month.
    pub month: Month,
    /// Its trial balance over what is stated of it so far.
    pub balance: TrialBalance,
    /// What stands in the way of closing it; nothing of one that is closed.
    pub hindrances: Vec<Hindrance>,
    /// Its open differences, the earliest first: those that hinder unless they are accepted among them.
    pub differences: Vec<DifferenceRecord>,
    /// How it was closed, where it is.
    pub closed: Option<ClosedPeriod>,
}

impl Engine {
    /// An insurer's month in one currency: its trial balance, and what stands in the way of closing it.
    ///
    /// # Errors
    /// [`takmil_store::StoreError::NotFound`] if the scope does not see the insurer's book.
    pub async fn period(
        &self,
        scope: &Scope,
        whose: (&ParticipantId, Currency),
        month: Month,
    ) -> Result<Period, Error> {
        let books = books(&self.inner, scope, whose, &month).await?;
        let own = |one: &&Statement| month.holds(one.day);
        let statements = books.books.iter().flat_map(|book| &book.statements);
        let balance = TrialBalance::of(statements.filter(own));
        let balance = balance.map_err(|refused| Error::Unbalanced(refused.to_string()))?;
        let hindrances = match books.closed {
            Some(_) => Vec::new(),
            None => self.close(&books, month, None).err().unwrap_or_default(),
        };
        Ok(Period {
            month,
            balance,
            hindrances,
            differences: books.differences,
            closed: books.closed,
        })
    }

    /// Closes an insurer's month in one currency for good. Closing it again changes nothing. Open differences hinder,
    /// but for those found until `accepted`, which somebody has agreed to close it with.
    ///
    /// # Errors
    /// Those of the store; what stands in the way is no error.
    pub async fn close_period(
        &self,
        whose: (&ParticipantId, Currency),
        month: Month,
        accepted: Option<Instant>,
    ) -> Result<Result<(), Vec<Hindrance>>, Error> {
        let inner = &self.inner;
        let books = books(inner, &Scope::Hub, whose, &month).await?;
        if books.closed.is_some() {
            return Ok(Ok(()));
        }
        let closed = match self.close(&books, month, accepted) {
            Ok(closed) => closed,
            Err(hindrances) => return Ok(Err(hindrances)),
        };
        let now = (inner.clock)();
        let with = OpenDifferences::of(&books.differences);
        inner
            .store
            .close_period(whose, &month, (&closed, with), now)
            .await?;
        Ok(Ok(()))
    }

    fn close(
        &self,
        books: &PeriodBooks,
        month: Month,
        accepted: Option<Instant>,
    ) -> Result<Closed, Vec<Hindrance>> {
        let is_accepted = |at: Instant| accepted.is_some_and(|until| at <= until);
        let open = books.differences.iter();
        let open = open.filter(|own| !is_accepted(own.found_at));
        let differences: Vec<_> = open.map(|own| (own.id, own.amount())).collect();
        let closing = Closing {
            month,
            today: self.book_day(),
            days_run: &books.days_run,
            books: &books.books,
            differences: &differences,
            tolerance: 0,
        };
        closing.close()
    }
}

async fn books(
    inner: &Inner,
    scope: &Scope,
    whose: (&ParticipantId, Currency),
    month: &Month,
) -> Result<PeriodBooks, Error> {
    let until: Instant = inner.settlement.end_of(month.last());
    Ok(inner.store.period_books(scope, whose, month, until).await?)
}
