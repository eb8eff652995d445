//! The schema, as the steps that led to it, for each database under the same numbers and names.
//!
//! Hubs of two versions work in one database while it is rolled out, so every step only expands: it adds a
//! table, an index, or a column that may be missing or has a default, and the hub before it never notices. What
//! is to go or to change its meaning goes in two releases: one adds the new beside the old and writes both, a
//! later one, when no hub needs the old any more, contracts. A step that contracts says so in its first line
//! (`-- contract: ` and which step had added the new); a test holds every other step to expanding. A step that
//! has left the house never changes: the database remembers its digest.

use std::ops::Deref;

use sqlx::migrate::{Migrate, Migration, MigrationType, Migrator};
use sqlx::{Acquire, SqlSafeStr};

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
};

pub(crate) const POSTGRES: &[Step] = steps! { "postgres":
    1 "0001" "participants"
    2 "0002" "covers"
    3 "0003" "messages"
    4 "0004" "ledger"
    5 "0005" "outbox"
    6 "0006" "nodes"
    7 "0007" "audit"
};

/// Brings the schema up to date. Of several hubs that start together, one does it and the others wait.
pub(crate) async fn run<'p, P>(steps: &'static [Step], pool: P) -> Result<(), StoreError>
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
        .run(pool)
        .await?;
    Ok(())
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
    fn a_step_expands_unless_it_says_what_it_contracts() {
        for (number, name, sql) in SQLITE.iter().chain(POSTGRES) {
            let statements: Vec<_> = sql.lines().filter(|line| !line.starts_with("--")).collect();
            let words: Vec<_> = statements
                .iter()
                .flat_map(|line| line.split_whitespace())
                .collect();
            let text = words.join(" ");
            let found = CONTRACTING.iter().find(|words| text.contains(**words));
            let says = sql.lines().next().unwrap().starts_with("-- contract: ");
            assert_eq!(found.is_some(), says, "{number} {name}: {found:?}");
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
