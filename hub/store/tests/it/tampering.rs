//! A database that was changed by other hands: found out, or at least not believed.

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, SqlSafeStr};
use takmil_domain::limit::EntryKind;
use takmil_store::{Batch, LedgerSum, Scope, StoreError};

use crate::samples::{House, house_in, open_file};

/// Opens the file beside the hub, without its checks.
async fn other_hands(path: &std::path::Path) -> SqliteConnection {
    SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(false)
        .pragma("ignore_check_constraints", "on")
        .connect()
        .await
        .unwrap()
}

async fn tamper(path: &std::path::Path, sql: &'static str) {
    let mut hands = other_hands(path).await;
    let done = sqlx::query(sql.into_sql_str())
        .execute(&mut hands)
        .await
        .unwrap();
    assert!(done.rows_affected() > 0, "{sql}");
}

async fn house_with_a_ledger(path: &std::path::Path) -> House {
    let house = house_in(open_file(path).await).await;
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

#[tokio::test]
async fn a_planted_difference_is_found() {
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
            "update entry set amount = 190 where kind = 'reserve'",
            "stay",
            LedgerSum::Reserved,
            200,
            190,
        ),
        (
            "delete from entry where kind = 'consume'",
            "year",
            LedgerSum::Consumed,
            300,
            0,
        ),
        (
            "update reservation_part set open = 150",
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
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hub.db");
        let house = house_with_a_ledger(&path).await;
        house.in_order().await;
        tamper(&path, sql).await;
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

#[tokio::test]
async fn what_cannot_be_read_is_an_error_and_no_panic() {
    let table = [
        "update message set state = 'imagined'",
        "update message set digest = x'00'",
        "update message set sender = 'no slug!'",
        "update message set turn = -1",
        "update turn set legs = '{'",
    ];
    for sql in table {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hub.db");
        let house = house_in(open_file(&path).await).await;
        let message = house.consumed("year", 1_000, 300).await;
        tamper(&path, sql).await;
        let way = house.store.way(&Scope::Hub, message).await;
        assert!(
            matches!(way, Err(StoreError::Unreadable { .. })),
            "{sql}: {way:?}"
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.db");
    let house = house_in(open_file(&path).await).await;
    let message = house.consumed("year", 1_000, 300).await;
    tamper(&path, "update body set original = x'28b52ffd'").await;
    assert!(house.store.original(&Scope::Hub, message).await.is_err());
}

#[tokio::test]
async fn a_schema_from_a_newer_hub_is_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.db");
    open_file(&path).await.close().await;
    tamper(
        &path,
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
         values (9999, 'later', true, x'00', 0)",
    )
    .await;
    let config = takmil_store::StoreConfig {
        place: takmil_store::Place::File(path),
        readers: 1,
        random: crate::samples::random(),
    };
    let refused = takmil_store::Store::open(&config).await;
    assert!(matches!(refused, Err(StoreError::Migration(_))));
}
