//! Limits as they stand, and the proof that they are what their entries say.

use takmil_domain::ids::{AccountId, MemberId};
use takmil_domain::limit::{LimitKey, Standing};
use takmil_domain::plan::{LimitKind, LimitPer, LimitUnit};

use crate::column::Row;
use crate::error::StoreError;
use crate::scope::Scope;
use crate::store::Store;

/// The columns of a limit's key, of the table named `s`.
macro_rules! limit_columns {
    () => {
        "s.account, s.member, s.insurer, s.code, s.stretch"
    };
}
pub(crate) use limit_columns;

/// A limit that somebody has touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitStanding {
    /// Which.
    pub key: LimitKey,
    /// What it limits.
    pub kind: LimitKind,
    /// Of what.
    pub unit: LimitUnit,
    /// Over which stretch.
    pub per: LimitPer,
    /// Its standing.
    pub standing: Standing,
}

/// A sum that the entries do not bear out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerDifference {
    /// The limit.
    pub key: LimitKey,
    /// Which sum.
    pub sum: LedgerSum,
    /// What is kept.
    pub kept: i64,
    /// What follows from the entries or, for [`LedgerSum::Open`], from the reservations.
    pub derived: i64,
}

/// The sums that are proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LedgerSum {
    /// The first ceiling and every change of it.
    Ceiling,
    /// What was consumed, opened with or used off the hub, less what was taken back.
    Consumed,
    /// What was reserved, less what was released.
    Reserved,
    /// What insurers allowed beyond the ceiling.
    Overdraft,
    /// What open reservations hold, against what is kept as reserved.
    Open,
}

impl Store {
    /// The limits of a member: its own, and those of its accounts.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for a provider, for an unknown member, and for an insurer that has no cover of
    /// the member.
    pub async fn standings_of_member(
        &self,
        scope: &Scope,
        member: MemberId,
    ) -> Result<Vec<LimitStanding>, StoreError> {
        const SQL: &str = concat!(
            "select ",
            limit_columns!(),
            ", s.kind, s.unit, s.per,
                 s.ceiling, s.consumed, s.reserved, s.overdraft, s.version
             from (select distinct account from cover where member = $1) own
             join standing s on s.account = own.account
             where (s.member is null or s.member = $1) and ($2 is null or s.insurer = $2)
             order by s.account, s.insurer, s.code, s.stretch"
        );
        let mut reader = self.read(scope).await?;
        let mut db = reader.db();
        crate::accounts::check_seen(&mut db, scope, member).await?;
        let values = [member.0.into(), scope.insurer().into()];
        let rows = db.fetch_all(SQL, &values).await?;
        rows.iter().map(limit_standing).collect()
    }

    /// Every limit whose sums differ from what its entries and reservations say. None is the invariant.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn check_ledger(&self) -> Result<Vec<LedgerDifference>, StoreError> {
        let rows = self
            .readers
            .fetch_all(include_str!("../sql/check_ledger.sql"), &[])
            .await?;
        let mut differences = Vec::new();
        for row in rows {
            let sums = [
                (LedgerSum::Ceiling, "ceiling", "derived_ceiling"),
                (LedgerSum::Consumed, "consumed", "derived_consumed"),
                (LedgerSum::Reserved, "reserved", "derived_reserved"),
                (LedgerSum::Overdraft, "overdraft", "derived_overdraft"),
                (LedgerSum::Open, "reserved", "held"),
            ];
            for (sum, kept, derived) in sums {
                let (kept, derived) = (row.number(kept)?, row.number(derived)?);
                if kept != derived {
                    let key = limit_key(&row)?;
                    differences.push(LedgerDifference {
                        key,
                        sum,
                        kept,
                        derived,
                    });
                }
            }
        }
        Ok(differences)
    }
}

/// Reads [`limit_columns!`].
pub(crate) fn limit_key(row: &Row) -> Result<LimitKey, StoreError> {
    Ok(LimitKey {
        account: AccountId(row.uuid("account")?),
        member: row.uuid_maybe("member")?.map(MemberId),
        insurer: row.named("insurer")?,
        code: row.named("code")?,
        stretch: row.text("stretch")?.into(),
    })
}

/// Reads the four sums.
pub(crate) fn standing(row: &Row) -> Result<Standing, StoreError> {
    Ok(Standing {
        ceiling: row.number("ceiling")?,
        consumed: row.number("consumed")?,
        reserved: row.number("reserved")?,
        overdraft: row.number("overdraft")?,
        version: row.number("version")?,
    })
}

fn limit_standing(row: &Row) -> Result<LimitStanding, StoreError> {
    Ok(LimitStanding {
        key: limit_key(row)?,
        kind: row.named("kind")?,
        unit: row.named("unit")?,
        per: row.named("per")?,
        standing: standing(row)?,
    })
}
