//! The proof that the book is what its transfers say: claim by claim, account by account, statement by statement.

use std::collections::BTreeMap;

use takmil_domain::ids::{MessageId, ParticipantId, PaymentId};
use takmil_domain::settlement::account::{Account, Counter};
use takmil_domain::settlement::{Balances, Pair, TransferKind};

use super::rows;
use super::statements::{StatementRecord, record};
use crate::column::Row;
use crate::db::{Db, Value};
use crate::error::StoreError;
use crate::scope::Scope;
use crate::store::Store;

/// A sum that the transfers do not bear out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BookDifference {
    /// Of a claim.
    Due {
        /// The claim.
        message: MessageId,
        /// Who owes.
        insurer: ParticipantId,
        /// Which of its sums.
        sum: Counter,
        /// What is kept.
        kept: i128,
        /// What follows from the transfers.
        derived: i128,
    },
    /// Of a pair's account.
    Account {
        /// Whose.
        pair: Pair,
        /// Which account.
        account: Account,
        /// What dues and payments say.
        kept: i128,
        /// What follows from the transfers.
        derived: i128,
    },
    /// Of a payment: what it has reached is not what is kept of it.
    Payment(PaymentId),
    /// Of a statement: it does not add up, does not go on where the last one ended, or is not what its transfers come to.
    Statement(u64),
}

/// Every claim's sums beside what its transfers come to, kind by kind.
const CLAIMS: &str = include_str!("../../sql/check_dues.sql");

const PAYMENTS: &str = "select p.id from payment p
     where p.allocated <> coalesce((select sum(a.amount) from allocation a where a.payment = p.id), 0)
     order by p.id";

const RESTS: &str = "select insurer, provider, payee, currency, state,
         cast(sum(amount - allocated) as bigint) as rest
     from payment
     where state in ('noticed', 'confirmed')
         and ($1 is null or insurer = $1) and ($2 is null or currency = $2)
     group by insurer, provider, payee, currency, state";

const TRANSFERS: &str =
    "select insurer, provider, payee, currency, kind, cast(sum(amount) as bigint) as amount
     from transfer where ($1 is null or insurer = $1) and ($2 is null or currency = $2)
     group by insurer, provider, payee, currency, kind";

const STATED: &str =
    "select statement, kind, cast(sum(amount) as bigint) as amount, count(*) as transfers
     from transfer where statement is not null group by statement, kind";

const STATEMENTS: &str = "select * from statement order by insurer, provider, payee, currency, day";

/// What statements' transfers come to: how many, and their sums by kind.
type Stated = BTreeMap<u64, (u64, BTreeMap<TransferKind, i64>)>;

impl Store {
    /// Everything in the book that its transfers do not bear out. None is the invariant.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn check_book(&self) -> Result<Vec<BookDifference>, StoreError> {
        // All of one moment: lanes go on meanwhile.
        let mut reader = self.read(&Scope::Hub).await?;
        let mut db = reader.db();
        let mut kept = BTreeMap::new();
        let mut differences = claims(&mut db, &mut kept).await?;
        differences.extend(accounts(&mut db, kept).await?);
        for row in db.fetch_all(PAYMENTS, &[]).await? {
            differences.push(BookDifference::Payment(PaymentId(row.uuid("id")?)));
        }
        differences.extend(statements(&mut db).await?);
        Ok(differences)
    }
}

/// A claim that is being looked at: what is kept, and what its transfers come to so far.
struct Claim {
    message: MessageId,
    pair: Pair,
    kept: [i128; COUNTERS.len()],
    derived: [i128; COUNTERS.len()],
}

/// A due's sums, and the columns that keep them.
const COUNTERS: [(Counter, &str); 5] = [
    (Counter::Incurred, "incurred"),
    (Counter::Noticed, "noticed"),
    (Counter::Confirmed, "confirmed"),
    (Counter::Disputed, "disputed"),
    (Counter::WrittenOff, "written_off"),
];

impl Claim {
    fn of(row: &Row) -> Result<Claim, StoreError> {
        let mut kept = [0; COUNTERS.len()];
        for (sum, (_, column)) in kept.iter_mut().zip(COUNTERS) {
            *sum = row.number::<i128>(column)?;
        }
        Ok(Claim {
            message: MessageId(row.uuid("message")?),
            pair: rows::pair(row)?,
            kept,
            derived: [0; COUNTERS.len()],
        })
    }

    fn book(&mut self, kind: TransferKind, amount: i128) {
        let rule = kind.rule();
        for (sum, (counter, _)) in self.derived.iter_mut().zip(COUNTERS) {
            *sum += amount * i128::from(rule.adds == Some(counter));
            *sum -= amount * i128::from(rule.takes == Some(counter));
        }
    }

    fn differences(&self) -> impl Iterator<Item = BookDifference> {
        let sums = self.kept.iter().zip(&self.derived).zip(COUNTERS);
        let wrong = sums.filter(|((kept, derived), _)| kept != derived);
        wrong.map(|((kept, derived), (sum, _))| BookDifference::Due {
            message: self.message,
            insurer: self.pair.insurer.clone(),
            sum,
            kept: *kept,
            derived: *derived,
        })
    }
}

/// Holds each claim against its transfers; what the claims of each pair come to goes into `balances`.
async fn claims(
    db: &mut Db<'_>,
    balances: &mut BTreeMap<Pair, Balances>,
) -> Result<Vec<BookDifference>, StoreError> {
    let mut differences = Vec::new();
    let mut current: Option<Claim> = None;
    let mut end = |claim: Claim| {
        differences.extend(claim.differences());
        let balance = balances.entry(claim.pair).or_default();
        balance.add_due(claim.kept);
    };
    db.each(CLAIMS, &[], |row| {
        let next = Claim::of(&row)?;
        let is_same = |claim: &Claim| claim.message == next.message && claim.pair == next.pair;
        if !current.as_ref().is_some_and(is_same)
            && let Some(done) = current.replace(next)
        {
            end(done);
        }
        if let (Some(claim), Some(kind)) = (&mut current, row.named_maybe("kind")?) {
            claim.book(kind, row.number::<i128>("amount")?);
        }
        Ok(())
    })
    .await?;
    current.map(&mut end);
    Ok(differences)
}

/// Holds what claims and payments come to against what the transfers do, account by account.
async fn accounts(
    db: &mut Db<'_>,
    mut kept: BTreeMap<Pair, Balances>,
) -> Result<Vec<BookDifference>, StoreError> {
    let all = [Value::Text(None), Value::Text(None)];
    add_rests(db, all, &mut kept).await?;
    let mut derived = transfers(db, all).await?;
    let pairs: Vec<Pair> = kept.keys().chain(derived.keys()).cloned().collect();
    let mut differences = Vec::new();
    for pair in pairs {
        let (kept, derived) = (kept.remove(&pair), derived.remove(&pair));
        let (kept, derived) = (kept.unwrap_or_default(), derived.unwrap_or_default());
        let wrong = Account::ALL
            .iter()
            .filter(|account| kept.get(**account) != derived.get(**account));
        differences.extend(wrong.map(|account| BookDifference::Account {
            pair: pair.clone(),
            account: *account,
            kept: kept.get(*account),
            derived: derived.get(*account),
        }));
    }
    Ok(differences)
}

/// Adds what payments have left over; of an insurer in a currency, or of all.
pub(super) async fn add_rests(
    db: &mut Db<'_>,
    whose: [Value<'_>; 2],
    balances: &mut BTreeMap<Pair, Balances>,
) -> Result<(), StoreError> {
    for row in db.fetch_all(RESTS, &whose).await? {
        let (state, rest) = (row.named("state")?, row.number::<i128>("rest")?);
        let balance = balances.entry(rows::pair(&row)?).or_default();
        balance.add_rest(state, rest);
    }
    Ok(())
}

/// What the transfers come to, pair by pair; of an insurer in a currency, or of all.
pub(super) async fn transfers(
    db: &mut Db<'_>,
    whose: [Value<'_>; 2],
) -> Result<BTreeMap<Pair, Balances>, StoreError> {
    by_kind(&db.fetch_all(TRANSFERS, &whose).await?)
}

/// What rows of sums by kind come to, pair by pair.
pub(super) fn by_kind(found: &[Row]) -> Result<BTreeMap<Pair, Balances>, StoreError> {
    let mut balances: BTreeMap<Pair, Balances> = BTreeMap::new();
    for row in found {
        let (kind, amount) = (row.named("kind")?, row.number::<i128>("amount")?);
        balances
            .entry(rows::pair(row)?)
            .or_default()
            .book(kind, amount);
    }
    Ok(balances)
}

/// Holds each statement against its transfers, and against the one before it.
async fn statements(db: &mut Db<'_>) -> Result<Vec<BookDifference>, StoreError> {
    let mut stated: Stated = BTreeMap::new();
    for row in db.fetch_all(STATED, &[]).await? {
        let own = stated.entry(row.number("statement")?).or_default();
        own.0 += row.number::<u64>("transfers")?;
        own.1.insert(row.named("kind")?, row.number("amount")?);
    }
    let mut wrong = Vec::new();
    let mut before: Option<StatementRecord> = None;
    db.each(STATEMENTS, &[], |row| {
        let next = record(&row)?;
        let statement = &next.statement;
        let earlier = before
            .as_ref()
            .map(|record| &record.statement)
            .filter(|earlier| earlier.pair == statement.pair);
        let (transfers, sums) = stated.remove(&next.number).unwrap_or_default();
        let is_sound = statement.check().and(statement.follows(earlier)).is_ok()
            && (transfers, &sums) == (statement.transfers, &statement.sums);
        if !is_sound {
            wrong.push(BookDifference::Statement(next.number));
        }
        before = Some(next);
        Ok(())
    })
    .await?;
    // What names a statement that is not there.
    wrong.extend(stated.into_keys().map(BookDifference::Statement));
    Ok(wrong)
}
