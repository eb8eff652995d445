//! The live feed of a hub on its own: each sees its own, comes back where it was, and hears when it cannot.

use reqwest::{Method, Response};
use serde_json::{Value, json};
use std::time::Duration;

use crate::hub::{Caller, Hub, INSURER, OTHER_INSURER, OTHER_PROVIDER, PROVIDER, claim};
use crate::schemas::conforms;

/// How long an event may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A reader of a feed.
pub(crate) struct Reader {
    response: Response,
    text: String,
}

/// An event.
#[derive(Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) data: Value,
}

impl Reader {
    /// A reader with this key, which has had `last` last.
    pub(crate) async fn open(caller: &Caller, key: &str, last: Option<&str>) -> Reader {
        let bearer = format!("Bearer {key}");
        let mut headers = vec![("authorization", bearer.as_str())];
        headers.extend(last.map(|last| ("last-event-id", last)));
        let response = caller.open("/v1/feed", &headers).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let text = String::new();
        Reader { response, text }
    }

    /// The next event; none where the feed has ended.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let read = read(event);
                self.text = rest.to_owned();
                match read {
                    Some(event) => return Some(event),
                    None => continue,
                }
            }
            let part = tokio::time::timeout(PATIENCE, self.response.chunk()).await;
            let part = part.expect("an event comes, or the end").unwrap()?;
            self.text.push_str(std::str::from_utf8(&part).unwrap());
        }
    }

    /// The message and state of the next event, which has to be a step.
    pub(crate) async fn step(&mut self) -> (String, Value) {
        let event = self.next().await.expect("an event");
        assert_eq!(event.name, "turn", "{event:?}");
        conforms("feed_event", &event.data);
        (event.id, event.data)
    }
}

/// An event as it is written; a heartbeat is none.
fn read(text: &str) -> Option<Event> {
    let field = |name: &str| {
        let lines = text.lines().filter_map(|line| line.split_once(": "));
        let mut found = lines.filter(|(own, _)| *own == name);
        found.next().map(|(_, value)| value.to_owned())
    };
    Some(Event {
        id: field("id").unwrap_or_default(),
        name: field("event")?,
        data: serde_json::from_str(&field("data")?).unwrap(),
    })
}

/// Sends a claim, and gives its id.
pub(crate) async fn send(caller: &Caller, key: &str, number: &str) -> String {
    let sent = claim(number, "MA-2001");
    let answer = caller.send(Method::POST, "/v1/claims", key, &sent).await;
    answer.ok()["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn each_hears_of_its_own_messages_while_they_happen() {
    let hub = Hub::start("");
    let (clinic, other) = (hub.place.key(PROVIDER), hub.place.key(OTHER_PROVIDER));
    let insurers = [INSURER, OTHER_INSURER].map(|insurer| hub.place.key(insurer));
    hub.place
        .json(&["participant", "add", "watch", "--role", "regulator"]);
    let regulator = hub.place.key("watch");
    let mut readers = Vec::new();
    for key in [&clinic, &other, &insurers[0], &insurers[1], &regulator] {
        readers.push(Reader::open(&hub, key, None).await);
    }
    let [clinics, others, theirs, not_theirs, all] = &mut readers[..] else {
        unreachable!()
    };
    let mine = send(&hub, &clinic, "F-1").await;
    let foreign = send(&hub, &other, "F-2").await;
    for (reader, expected) in [
        (clinics, vec![&mine]),
        (others, vec![&foreign]),
        (theirs, vec![&mine, &foreign]),
        (all, vec![&mine, &foreign]),
    ] {
        for message in expected {
            let (_, step) = reader.step().await;
            assert_eq!(step["message"], json!(message));
            assert_eq!(
                (&step["kind"], &step["state"]),
                (&json!("claim"), &json!("decided"))
            );
            assert_eq!(step["insurers"], json!([INSURER]));
        }
    }
    // Nothing of it was another insurer's: what comes next there is the end.
    hub.tell_to_stop();
    assert_eq!(not_theirs.next().await, None);
}

#[tokio::test]
async fn who_comes_back_goes_on_where_it_was_and_hears_where_nobody_knows() {
    let hub = Hub::start("");
    let key = hub.place.key(PROVIDER);
    let mut reader = Reader::open(&hub, &key, None).await;
    let first = send(&hub, &key, "F-1").await;
    let (id, step) = reader.step().await;
    assert_eq!(step["message"], json!(first));
    drop(reader);
    let missed = [send(&hub, &key, "F-2").await, send(&hub, &key, "F-3").await];
    let mut reader = Reader::open(&hub, &key, Some(&id)).await;
    for message in &missed {
        assert_eq!(reader.step().await.1["message"], json!(message));
    }
    let last = send(&hub, &key, "F-4").await;
    assert_eq!(reader.step().await.1["message"], json!(last));
    // A hub that has begun anew knows nothing of what was before.
    let mut hub = hub;
    hub.stop();
    let hub = hub.restart();
    let mut reader = Reader::open(&hub, &key, Some(&id)).await;
    assert_eq!(reader.next().await.unwrap().name, "gap");
    let after = send(&hub, &key, "F-5").await;
    assert_eq!(reader.step().await.1["message"], json!(after));
}

#[tokio::test]
async fn the_feed_is_for_those_who_are_known_for_as_long_as_they_are() {
    let hub = Hub::start("");
    let stranger = hub.attempt("/v1/feed").await.unwrap();
    stranger.is_problem(401, "API-CREDENTIALS");
    let key = hub.place.key(PROVIDER);
    let mut reader = Reader::open(&hub, &key, None).await;
    let revoked = hub.place.run(&["participant", "revoke"], &key);
    assert!(revoked.status.success());
    assert_eq!(reader.next().await.unwrap().name, "closed");
    assert_eq!(reader.next().await, None);
}

#[tokio::test]
async fn who_reads_too_slowly_is_told_so_and_holds_nobody_up() {
    let hub = Hub::start("[limits]\nrequests_per_second = 100000\nburst = 100000\n");
    let key = hub.place.key(PROVIDER);
    let mut slow = Reader::open(&hub.with_little_room(), &key, None).await;
    const SENT: usize = 600;
    for turn in 0..SENT / 100 {
        let claims: Vec<Value> = (0..100)
            .map(|number| claim(&format!("F-{turn}-{number}"), "MA-2001"))
            .collect();
        let answer = hub
            .send(Method::POST, "/v1/messages", &key, &json!(claims))
            .await;
        assert_eq!(answer.status, 207, "{}", answer.text);
    }
    let mut had = 0;
    let end = loop {
        let event = slow.next().await.expect("the feed says why it ends");
        match event.name.as_str() {
            "turn" => had += 1,
            _ => break event,
        }
    };
    assert_eq!(end.name, "dropped", "{had} had");
    assert_eq!(slow.next().await, None);
    assert!((1..SENT).contains(&had), "{had}");
}
