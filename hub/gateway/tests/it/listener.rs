//! The door: both versions of HTTP over TLS, and whoever does not speak is shown out.

use reqwest::Method;
use std::io::{Read, Write};
use std::net::TcpStream;
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

#[tokio::test]
async fn what_has_begun_is_finished_when_the_hub_stops() {
    let mut hub = Hub::start("");
    let key = hub.place.key(PROVIDER);
    hub.get("/v1/messages", &key).await.ok();
    let requests: Vec<_> = (0..20)
        .map(|number| claim(&format!("Q-{number}"), "MA-2001"))
        .collect();
    let sent = requests
        .iter()
        .map(|message| hub.try_send("/v1/claims", &key, message));
    let stop = async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        hub.tell_to_stop();
    };
    let (answers, ()) = futures::join!(futures::future::join_all(sent), stop);
    assert_eq!(hub.wait(), Some(0));
    let hub = hub.restart();
    let mut known = 0;
    for (message, answer) in requests.iter().zip(answers) {
        if let Some(answer) = answer {
            let again = hub.send(Method::POST, "/v1/claims", &key, message).await;
            assert_eq!(again.ok(), answer, "what was answered is kept");
            known += 1;
        }
    }
    eprintln!("{known} of 20 were answered before the end");
}
