//! The schema, as the steps that led to it, for each database under the same numbers and names.
//!
//! Hubs of two versions work in one database while it is rolled out, so every step only expands: it adds a
//! table, an index, or a column that may be missing or has a default, and the hub before it never notices. What
//! is to go or to change its meaning goes in two releases: one adds the new beside the old and writes both, a
//! later one, when no hub needs the old any more, contracts. A step that contracts says so in its name,
//! `contract_0012_…`, where 12 is the step that had added the new; a test holds every other step to expanding. A step
//! that has left the house never changes: the database remembers its digest.
//!
//! So a hub opens a schema that has later steps than its own, unless one of them contracts what the hub still needs:
//! the names of those steps, which the database keeps, tell it.

use std::ops::Deref;

use sqlx::migrate::{Migrate, Migration, MigrationType, Migrator};
use sqlx::{Acquire, SqlSafeStr};

use crate::db::Pool;
use crate::error::StoreError;

/// Number, name and statements of a step.
pub(crate) type Step = (i64, &'static str, &'static str);

macro_rules! steps {
    ($folder:literal: $($number:literal $digits:literal $name:literal)+) => {
        &[$((
            $number,
            $name,
            include_str!(concat!("../migrations/", $folder, "/", $digits, "_", $name, ".sql")),
        )),+]
    };
}

pub(crate) const SQLITE: &[Step] = steps! { "sqlite":
    1 "0001" "participants"
    2 "0002" "covers"
    3 "0003" "messages"
    4 "0004" "ledger"
    5 "0005" "outbox"
    6 "0006" "nodes"
    7 "0007" "audit"
    8 "0008" "rules"
    9 "0009" "approvers"
    10 "0010" "past"
    11 "0011" "authorisation_use"
    12 "0012" "families"
    13 "0013" "outbox"
    14 "0014" "settlement"
    15 "0015" "registration"
    16 "0016" "insurer_fault"
    17 "0017" "reconciliation"
    18 "0018" "circle"
    19 "0019" "upload"
};

pub(crate) const POSTGRES: &[Step] = steps! { "postgres":
    1 "0001" "participants"
    2 "0002" "covers"
    3 "0003" "messages"
    4 "0004" "ledger"
    5 "0005" "outbox"
    6 "0006" "nodes"
    7 "0007" "audit"
    8 "0008" "rules"
    9 "0009" "approvers"
    10 "0010" "past"
    11 "0011" "authorisation_use"
    12 "0012" "families"
    13 "0013" "outbox"
    14 "0014" "settlement"
    15 "0015" "registration"
    16 "0016" "insurer_fault"
    17 "0017" "reconciliation"
    18 "0018" "circle"
    19 "0019" "upload"
};

/// Brings the schema up to date. Of several hubs that start together, one does it and the others wait.
///
/// # Errors
/// [`StoreError::Outgrown`] if a newer hub has taken away what this one needs.
pub(crate) async fn run(pool: &Pool) -> Result<(), StoreError> {
    let steps = match pool {
        Pool::Sqlite(pool) => migrate(SQLITE, pool).await?,
        Pool::Postgres(pool) => migrate(POSTGRES, pool).await?,
    };
    let own = steps.last().map_or(0, |step| step.0);
    let later =
        "select version, description from _sqlx_migrations where version > $1 order by version";
    for step in pool.fetch_all(later, &[own.into()]).await? {
        let (number, name) = (step.number::<i64>("version")?, step.text("description")?);
        if needed(name).is_some_and(|needed| needed > own) {
            let step = format!("{number} {name}");
            return Err(StoreError::Outgrown { step, own });
        }
        tracing::warn!(
            number,
            name,
            own,
            "the schema has a step of a newer hub, which adds to it"
        );
    }
    Ok(())
}

/// The step that a hub has to know to work with what a step leaves; none where every hub does.
fn needed(name: &str) -> Option<i64> {
    let (digits, _) = name.strip_prefix("contract_")?.split_once('_')?;
    digits.parse().ok()
}

async fn migrate<'p, P>(steps: &'static [Step], pool: P) -> Result<&'static [Step], StoreError>
where
    P: Acquire<'p>,
    <P::Connection as Deref>::Target: Migrate,
{
    let step = |&(number, name, sql): &Step| {
        Migration::new(
            number,
            name.into(),
            MigrationType::Simple,
            sql.into_sql_str(),
            false,
        )
    };
    Migrator::with_migrations(steps.iter().map(step).collect())
        .set_ignore_missing(true)
        .run(pool)
        .await?;
    Ok(steps)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    /// Words that take something away, or change what is there, under a hub that still needs it.
    const CONTRACTING: &[&str] = &[
        "drop table",
        "drop column",
        "drop view",
        "rename",
        "set not null",
        "set data type",
        "type using",
        "truncate",
    ];

    #[test]
    fn both_databases_take_the_same_steps_in_order() {
        let named = |steps: &[Step]| -> Vec<_> {
            steps
                .iter()
                .map(|(number, name, _)| (*number, *name))
                .collect()
        };
        assert_eq!(named(SQLITE), named(POSTGRES));
        let numbers: Vec<i64> = SQLITE.iter().map(|step| step.0).collect();
        let counted: Vec<i64> = (1..).take(SQLITE.len()).collect();
        assert_eq!(numbers, counted);
    }

    #[test]
    fn a_step_expands_unless_it_says_in_its_name_what_it_contracts() {
        assert_eq!(needed("contract_0012_old_covers"), Some(12));
        assert_eq!(needed("contracts"), None);
        for (number, name, sql) in SQLITE.iter().chain(POSTGRES) {
            let statements: Vec<_> = sql.lines().filter(|line| !line.starts_with("--")).collect();
            let words: Vec<_> = statements
                .iter()
                .flat_map(|line| line.split_whitespace())
                .collect();
            let text = words.join(" ");
            let found = CONTRACTING.iter().find(|words| text.contains(**words));
            let says = needed(name);
            assert_eq!(
                found.is_some(),
                says.is_some(),
                "{number} {name}: {found:?}"
            );
            assert!(
                says.is_none_or(|needed| needed < *number),
                "{number} {name}"
            );
            for column in text.split("add column").skip(1) {
                let column = column.split([',', ';']).next().unwrap();
                let safe = !column.contains("not null") || column.contains("default");
                assert!(
                    safe,
                    "{number} {name}: the hub before does not fill{column}"
                );
            }
        }
    }
}
