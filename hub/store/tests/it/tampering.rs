//! A database that was changed by other hands: found out, or at least not believed.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqlSafeStr};
use takmil_domain::limit::EntryKind;
use takmil_store::{Batch, LedgerSum, Scope, StoreError};

use crate::bench::{Backend, Bench, both};
use crate::samples::{House, house};

both! {
    a_planted_difference_is_found
    what_cannot_be_read_is_an_error_and_no_panic
    a_newer_hubs_schema_is_opened_unless_it_has_lost_what_this_hub_needs
}

/// Changes the database beside the hub, without its checks.
pub(crate) async fn tamper(bench: &Bench, sql: &'static str) {
    if bench.database.is_some() {
        // Bytes are spelled otherwise.
        bench.sql(&sql.replace("x'", r"'\x"));
        return;
    }
    let mut hands = SqliteConnectOptions::new()
        .filename(bench.file())
        .foreign_keys(false)
        .pragma("ignore_check_constraints", "on")
        .connect()
        .await
        .unwrap();
    let done = sqlx::query(sql.into_sql_str())
        .execute(&mut hands)
        .await
        .unwrap();
    assert!(done.rows_affected() > 0, "{sql}");
}

async fn house_with_a_ledger(on: Backend) -> House {
    let house = house(on).await;
    house.consumed("year", 1_000, 300).await;
    house.reserved("stay", 1_000, 200, "2025-12-31").await;
    let claim = house.claim("clinic");
    let batch = Batch {
        entries: vec![house.entry("year", claim.id, EntryKind::Override, 70)],
        messages: vec![claim],
        ..Batch::default()
    };
    house.write(&batch).await.unwrap();
    house
}

async fn a_planted_difference_is_found(on: Backend) {
    let table = [
        (
            "update standing set consumed = consumed - 1 where code = 'year'",
            "year",
            LedgerSum::Consumed,
            299,
            300,
        ),
        (
            "update standing set ceiling = 2000 where code = 'year'",
            "year",
            LedgerSum::Ceiling,
            2_000,
            1_000,
        ),
        (
            "update standing set overdraft = 71 where code = 'year'",
            "year",
            LedgerSum::Overdraft,
            71,
            70,
        ),
        (
            r#"update turn set entries = replace(entries, '"reserve",200', '"reserve",190')"#,
            "stay",
            LedgerSum::Reserved,
            200,
            190,
        ),
        (
            "update turn set entries = '[]' where entries like '%consume%'",
            "year",
            LedgerSum::Consumed,
            300,
            0,
        ),
        (
            "update reservation set parts = replace(parts, ',200]', ',150]')",
            "stay",
            LedgerSum::Open,
            200,
            150,
        ),
        (
            "update reservation set state = 'released'",
            "stay",
            LedgerSum::Open,
            200,
            0,
        ),
    ];
    for (sql, code, sum, kept, derived) in table {
        let house = house_with_a_ledger(on).await;
        house.in_order().await;
        tamper(&house.bench, sql).await;
        let differences = house.store.check_ledger().await.unwrap();
        assert_eq!(differences.len(), 1, "{sql}");
        let found = &differences[0];
        assert_eq!(found.key, house.key(code), "{sql}");
        assert_eq!(
            (found.sum, found.kept, found.derived),
            (sum, kept, derived),
            "{sql}"
        );
    }
}

async fn what_cannot_be_read_is_an_error_and_no_panic(on: Backend) {
    let table = [
        "update message set state = 'imagined'",
        "update message set digest = x'00'",
        "update message set sender = 'no slug!'",
        "update message set turn = -1",
        "update turn set legs = '{'",
    ];
    for sql in table {
        let house = house(on).await;
        let message = house.consumed("year", 1_000, 300).await;
        tamper(&house.bench, sql).await;
        let way = house.store.way(&Scope::Hub, message).await;
        assert!(
            matches!(way, Err(StoreError::Unreadable { .. })),
            "{sql}: {way:?}"
        );
    }
    let house = house(on).await;
    let message = house.consumed("year", 1_000, 300).await;
    tamper(&house.bench, "update turn set body = x'28b52ffd'").await;
    assert!(house.store.original(&Scope::Hub, message).await.is_err());
}

async fn a_newer_hubs_schema_is_opened_unless_it_has_lost_what_this_hub_needs(on: Backend) {
    let later = [
        ("adds", "values (9998, 'later', true, x'00', 0)", true),
        (
            "takes away what nobody needs any more",
            "values (9999, 'contract_0001_old', true, x'00', 0)",
            true,
        ),
        (
            "takes away what this hub needs",
            "values (10000, 'contract_9998_old', true, x'00', 0)",
            false,
        ),
    ];
    let bench = Bench::new(on).await;
    bench.open().await.close().await;
    for (what, step, opens) in later {
        let insert = format!(
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time) {step}"
        );
        tamper(&bench, insert.leak()).await;
        match takmil_store::Store::open(&bench.config()).await {
            Ok(store) => {
                assert!(opens, "{what}");
                store.close().await;
            }
            Err(StoreError::Outgrown { step, .. }) => {
                assert_eq!((step.as_str(), opens), ("10000 contract_9998_old", false));
            }
            Err(other) => panic!("{what}: {other}"),
        }
    }
}
