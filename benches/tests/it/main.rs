//! The load generator against servers of its own: what it counts, and from when.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod hub;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use takmil_benches::bodies::Bodies;
use takmil_benches::drive::{Figures, Pace, run};
use takmil_benches::errand::{Ask, Errand};
use takmil_benches::listen::Server;
use takmil_benches::process::Servers;
use takmil_benches::wire::Door;
use takmil_domain::date::Date;

const PACE: Pace = Pace {
    connections: 4,
    rate: None,
    warm_up: Duration::from_millis(20),
    window: Duration::from_millis(200),
};

async fn drive(address: SocketAddr, pace: Pace) -> Figures {
    let door = Door::new(address, None, Some("tk_key")).unwrap();
    let day = Date::parse("2026-11-21").unwrap();
    let bodies = Arc::new(Bodies::new("test", day, 10));
    let own = Servers::alone(std::process::id());
    run(&door, Errand::One(Ask::Hello), pace, &bodies, Some(own))
        .await
        .unwrap()
}

async fn serve(router: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_within_the_window_are_counted_and_timed() {
    let hello = Server::hello().await.unwrap();
    let figures = drive(hello.address, PACE).await;
    let latency = figures.latency_us.unwrap();
    assert!(figures.answers > 0 && figures.answers <= figures.all_answers());
    assert_eq!(figures.per_second, figures.answers * 5);
    assert!(latency.p50 > 0 && latency.p50 <= latency.p99 && latency.p99 <= latency.max);
    assert!(figures.other_statuses.is_empty());
    let cost = figures.cost.unwrap();
    assert!(cost.hub_resident_kib > 0 && cost.hub_resident_kib <= cost.hub_peak_kib);
    assert_eq!((cost.cpu_us, cost.database_cpu_us), (cost.hub_cpu_us, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_are_told_by_status_and_are_no_answers() {
    let address = serve(Router::new().route("/", post(StatusCode::TOO_MANY_REQUESTS))).await;
    let figures = drive(address, PACE).await;
    assert_eq!((figures.all_answers(), figures.latency_us), (0, None));
    assert!(
        figures
            .other_statuses
            .get(&429)
            .is_some_and(|count| *count > 0)
    );
}

/// Half of the requests are due while the first is not answered: each of them waited, though only one was slow.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stall_is_felt_by_every_request_that_was_due_during_it() {
    let stall = Duration::from_millis(200);
    let asked = Arc::new(AtomicU64::new(0));
    let slow_once = post(move || {
        let first = asked.fetch_add(1, Ordering::Relaxed) == 0;
        async move {
            if first {
                tokio::time::sleep(stall).await;
            }
            StatusCode::OK
        }
    });
    let address = serve(Router::new().route("/", slow_once)).await;
    let pace = Pace {
        connections: 1,
        rate: Some(100),
        warm_up: Duration::ZERO,
        window: stall * 2,
    };
    let figures = drive(address, pace).await;
    let latency = figures.latency_us.unwrap();
    // Due every 10 ms over 400 ms. Without the waiting of those that were due meanwhile, p90 would be next to nothing.
    assert!(
        latency.p90 >= 150_000 && latency.max >= 200_000,
        "{latency:?}"
    );
    assert_eq!(figures.unsent + figures.all_answers(), 40);
}
