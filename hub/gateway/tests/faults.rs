//! The fault tests, quick: the built hub killed, starved of its disk, misled by its clock and cut off from its partners
//! while clients send. The same tests at full length are the commands of `takmil-faults`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use takmil_conformance::faults::{self, Month, Progress, Report, Run, StoreKind};

fn run(store: StoreKind) -> Run {
    Run {
        binary: env!("CARGO_BIN_EXE_takmil").into(),
        store,
        seed: 7,
        progress: Progress::default(),
    }
}

fn check(report: &Report) {
    assert!(report.is_well(), "{report}");
    assert!(report.acknowledged > 0, "{report}");
}

fn counted(report: &Report, name: &str) -> i64 {
    report.counts.get(name).copied().unwrap_or_default()
}

#[tokio::test]
async fn what_was_acknowledged_survives_kill_9() {
    let report = faults::crash(&run(StoreKind::Sqlite), 50).await.unwrap();
    check(&report);
    assert_eq!(report.rounds, 50);
    assert!(
        counted(&report, "requests without an answer") > 0,
        "kills hit requests: {report}"
    );
}

#[tokio::test]
async fn what_was_acknowledged_survives_power_cuts_and_a_disk_that_lies_is_found_out() {
    let report = faults::power(&run(StoreKind::Sqlite), 10).await.unwrap();
    check(&report);
    let control = report.control.as_ref().expect("there is a control run");
    assert!(control.lost > 0, "{report}");
    assert!(
        counted(&report, "writes dropped or torn") > 0,
        "cuts hit writes: {report}"
    );
}

#[tokio::test]
async fn a_disk_that_fails_is_told_and_nothing_is_acknowledged_that_is_not_kept() {
    let report = faults::disk(&run(StoreKind::Sqlite), 10).await.unwrap();
    check(&report);
    assert!(
        counted(&report, "calls that failed") > 0,
        "faults hit calls: {report}"
    );
}

#[tokio::test]
async fn a_limit_that_is_raced_is_promised_exactly() {
    check(
        &faults::race(&run(StoreKind::Sqlite), 50, 500)
            .await
            .unwrap(),
    );
}

#[tokio::test]
async fn a_request_has_one_effect_however_often_it_comes() {
    let report = faults::repeats(&run(StoreKind::Sqlite), 200, 5)
        .await
        .unwrap();
    check(&report);
    assert_eq!(report.acknowledged, 200);
}

#[tokio::test]
async fn decisions_that_come_twice_or_out_of_order_end_alike() {
    check(
        &faults::decisions(&run(StoreKind::Sqlite), 100)
            .await
            .unwrap(),
    );
}

#[tokio::test]
async fn an_insurer_that_was_away_has_everything_in_order_when_it_is_back() {
    let report = faults::outage(&run(StoreKind::Sqlite), 200).await.unwrap();
    check(&report);
    assert!(
        counted(&report, "deliveries that it was owed") >= 200,
        "{report}"
    );
}

#[tokio::test]
async fn an_insurer_that_comes_and_goes_is_met_when_it_stays() {
    check(&faults::flapping(&run(StoreKind::Sqlite), 2).await.unwrap());
}

#[tokio::test]
async fn a_month_closes_with_every_account_as_the_parties_have_it() {
    let size = Month {
        insurers: 2,
        providers: 3,
        claims: 100,
    };
    let report = faults::month(&run(StoreKind::Postgres), size)
        .await
        .unwrap();
    check(&report);
    for what in ["months closed", "payments that bounced", "disputes"] {
        assert!(counted(&report, what) > 0, "{report}");
    }
}

#[tokio::test]
async fn a_clock_that_jumps_loses_nothing() {
    check(&faults::clock(&run(StoreKind::Sqlite), 5).await.unwrap());
}

#[tokio::test]
async fn a_bad_network_leaves_nothing_behind() {
    check(&faults::network(&run(StoreKind::Sqlite), 6).await.unwrap());
}

#[tokio::test]
async fn on_postgresql_what_was_acknowledged_survives_kill_9_of_hub_and_server() {
    let report = faults::crash(&run(StoreKind::Postgres), 20).await.unwrap();
    check(&report);
    assert!(
        counted(&report, "kills of the database's server") > 0,
        "{report}"
    );
}

#[tokio::test]
async fn on_postgresql_two_hubs_promise_one_limit_exactly() {
    let report = faults::race(&run(StoreKind::Postgres), 50, 500)
        .await
        .unwrap();
    check(&report);
    assert_eq!(counted(&report, "hubs"), 2);
}

#[tokio::test]
async fn a_redis_that_is_killed_flushed_and_halted_is_missed_by_nobody() {
    for store in [StoreKind::Sqlite, StoreKind::Postgres] {
        let report = faults::redis(&run(store), 6).await.unwrap();
        check(&report);
        assert_eq!(report.rounds, 6);
        let hubs = counted(&report, "hubs");
        assert_eq!(hubs, if store == StoreKind::Sqlite { 1 } else { 2 });
    }
}

#[tokio::test]
async fn on_postgresql_a_request_to_two_hubs_has_one_effect() {
    check(
        &faults::repeats(&run(StoreKind::Postgres), 200, 5)
            .await
            .unwrap(),
    );
}
