//! The door: both versions of HTTP over TLS, and whoever does not speak is shown out.

use reqwest::Method;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::hub::{Hub, PROVIDER, Place, claim};

fn socket(hub: &Hub) -> TcpStream {
    let port = hub.base.rsplit(':').next().unwrap().parse::<u16>().unwrap();
    let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    socket
}

#[tokio::test]
async fn both_versions_of_http_are_spoken() {
    let hub = Hub::start("");
    let key = hub.place.key(PROVIDER);
    let old = hub
        .over_http1()
        .send(Method::POST, "/v1/claims", &key, &claim("H-1", "MA-2001"))
        .await;
    let new = hub
        .send(Method::POST, "/v1/claims", &key, &claim("H-1", "MA-2001"))
        .await;
    assert_eq!(
        (old.version, new.version),
        (reqwest::Version::HTTP_11, reqwest::Version::HTTP_2)
    );
    assert_eq!(old.ok(), new.ok());
}

#[tokio::test]
async fn the_silent_and_the_unencrypted_are_shown_out() {
    let place = Place::new("");
    let hub = Hub::with(place, &[("TAKMIL_LISTEN__HANDSHAKE_TIMEOUT_MS", "400")]);
    let begun = Instant::now();
    let mut silent = socket(&hub);
    assert_eq!(
        silent.read(&mut [0; 16]).unwrap_or(0),
        0,
        "the connection ends"
    );
    assert!(
        begun.elapsed() >= Duration::from_millis(350) && begun.elapsed() < Duration::from_secs(8)
    );

    let mut plain = socket(&hub);
    plain
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .unwrap();
    let mut heard = Vec::new();
    // A reset instead of an end is as good.
    let _ = plain.read_to_end(&mut heard);
    assert!(!heard.starts_with(b"HTTP"), "nothing is said in the clear");
}

/// How many counters send at once while the hub is told to stop.
const COUNTERS: usize = 8;

#[tokio::test]
async fn what_has_begun_is_finished_when_the_hub_stops() {
    let mut hub = Hub::start("");
    let key = hub.place.key(PROVIDER);
    let answers = AtomicUsize::new(0);
    let counter = async |counter: usize| {
        let mut answered = Vec::new();
        loop {
            let number = format!("Q-{counter}-{}", answered.len());
            let message = claim(&number, "MA-2001");
            match hub.try_send("/v1/claims", &key, &message).await {
                Some(answer) => {
                    answers.fetch_add(1, Ordering::Relaxed);
                    answered.push((message, answer));
                }
                None => return answered,
            }
        }
    };
    let stop = async {
        while answers.load(Ordering::Relaxed) < 4 * COUNTERS {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        hub.tell_to_stop();
    };
    let counters = futures::future::join_all((0..COUNTERS).map(counter));
    let (answered, ()) = futures::join!(counters, stop);
    let answered: Vec<_> = answered.into_iter().flatten().collect();
    assert_eq!(hub.wait(), Some(0));

    // What was answered is kept; what was not answered was turned away before anything of it was taken.
    let hub = hub.restart();
    for (message, answer) in &answered {
        let again = hub.send(Method::POST, "/v1/claims", &key, message).await;
        assert_eq!(again.ok(), *answer);
    }
    let mut kept = 0;
    let mut next = Some(String::new());
    while let Some(cursor) = next {
        let page = hub
            .get(&format!("/v1/messages?limit=1000{cursor}"), &key)
            .await
            .ok();
        kept += page["messages"].as_array().unwrap().len();
        next = page["next"].as_str().map(|next| format!("&cursor={next}"));
    }
    assert_eq!(kept, answered.len());
}

#[tokio::test]
async fn a_hub_that_is_told_to_stop_serves_a_little_longer_and_says_that_it_goes() {
    let place = Place::new("");
    place.fill();
    let key = place.key(PROVIDER);
    let mut hub = Hub::with(place, &[("TAKMIL_LISTEN__NOTICE_MS", "600000")]);
    let kept = hub.over_http1();
    let answered = kept.attempt("/readyz").await.unwrap();
    assert_eq!(
        (answered.status.as_u16(), answered.header("connection")),
        (200, "")
    );
    hub.tell_to_stop();
    let begun = Instant::now();
    while hub.attempt("/readyz").await.unwrap().status.is_success() {
        assert!(begun.elapsed() < Duration::from_secs(10), "it says nothing");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Whoever comes all the same is served, and asked to come back on another connection.
    for caller in [&kept, &hub.over_http1()] {
        let taken = caller
            .send(Method::POST, "/v1/claims", &key, &claim("L-1", "MA-2001"))
            .await;
        assert_eq!(taken.header("connection"), "close");
        taken.ok();
    }
    let over_http2 = hub
        .send(Method::POST, "/v1/claims", &key, &claim("L-1", "MA-2001"))
        .await;
    over_http2.ok();
    assert_eq!(hub.stop(), Some(0), "the second word ends the wait");
    assert!(hub.attempt("/healthz").await.is_none());
}
