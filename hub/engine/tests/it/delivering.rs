//! What insurers are owed reaches them: once in effect, in the order of each claim, whatever they do meanwhile.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use takmil_conformance::callback::{Listener, Told};
use takmil_conformance::insurer::{Manner, Script, Simulator, Verdict, Wire};
use takmil_domain::date::Instant;
use takmil_domain::ids::MessageId;
use takmil_domain::life::State;
use takmil_domain::participant::{InsurerDecision, InsurerVerdict, Purpose};
use takmil_domain::reason::Reason;
use takmil_engine::{CircuitState, Config};
use takmil_store::{DeliveryPage, DeliveryState, Redelivery, Scope};

use crate::rig::{Insurer, Rig, SECRET, bill, following, insurer, insurer_id, message, until};

#[tokio::test(flavor = "multi_thread")]
async fn an_insurer_that_was_away_gets_everything_in_the_order_of_each_claim() {
    let simulator = insurer(
        "i-2",
        Wire::Rest {
            secret: SECRET.into(),
        },
    )
    .await;
    let rig = Rig::new(&[
        (Insurer::Delegated, 100_000),
        (Insurer::StandIn(&simulator, 1_000, 100_000), 100_000),
    ])
    .await;
    simulator.kill().await;
    let mut sent = 0;
    for stay in 0..5 {
        rig.take(message(
            "admission",
            &format!("A-{stay}"),
            json!({"bill": bill("S1", 500)}),
        ))
        .await;
        for part in 0..3 {
            let number = format!("C-{stay}-{part}");
            let claim = message(
                "claim",
                &number,
                json!({"interim": part < 2, "bill": bill("S1", 100)}),
            );
            rig.take(following(claim, "admission", &format!("A-{stay}")))
                .await;
        }
        sent += 4;
    }
    simulator.revive().await.unwrap();
    for _ in 0..500 {
        if simulator.received().len() >= sent {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let received = simulator.received();
    assert_eq!(received.len(), sent);
    let tally = simulator.tally();
    assert_eq!(tally.out_of_order, 0, "{tally:?}");
    rig.engine.drain(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_holds_up_no_other_delivery() {
    let simulator = insurer(
        "i-2",
        Wire::Rest {
            secret: SECRET.into(),
        },
    )
    .await;
    let rig = Rig::new(&[
        (Insurer::Delegated, 100_000),
        (Insurer::StandIn(&simulator, 1_000, 100_000), 100_000),
    ])
    .await;
    let (pulls, is_pushed) = ("i-1", "i-2");
    let broken = rig.spoil("S-1", &[pulls, is_pushed]).await;
    let erased = rig.erase_meanwhile("E-1", &[pulls, is_pushed]).await;
    let claim = message("claim", "C-1", json!({"bill": bill("S1", 500)}));
    let taken = rig.take(claim).await;
    let store = rig.engine.store();
    let waiting = async || {
        let backlogs = store.backlogs(&Scope::Hub).await.unwrap();
        backlogs.iter().map(|own| own.waiting).collect::<Vec<_>>()
    };
    for _ in 0..500 {
        if waiting().await[1] == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let received = simulator.received();
    let told: Vec<_> = received
        .iter()
        .map(|one| (one.purpose.as_str(), one.message_id.clone()))
        .collect();
    let id = taken.id.to_string();
    assert_eq!(told, [("decide", id.clone()), ("decided", id)]);
    let due = rig.engine.due(&insurer_id(pulls), 10).await.unwrap();
    let due: Vec<_> = due.iter().map(|one| one.message).collect();
    assert_eq!(due, [taken.id]);
    // None of it is lost sight of: what was erased is named, what is broken stays owed and says why.
    let named = store.erased_deliveries(Instant(0), 10).await.unwrap();
    let named: BTreeSet<_> = named
        .iter()
        .map(|one| (one.message, one.insurer.as_str()))
        .collect();
    assert_eq!(
        named,
        BTreeSet::from([(erased, pulls), (erased, is_pushed)])
    );
    for delivery in store.way(&Scope::Hub, broken).await.unwrap().deliveries {
        assert_eq!(delivery.delivered_at, None);
        let error = delivery.attempts.first().unwrap().error.clone().unwrap();
        assert_eq!(error, format!("message {broken} cannot be read back"));
    }
    assert_eq!(
        waiting().await,
        [2, 1],
        "the broken one, and what i-1 has not acknowledged"
    );
    rig.engine.drain(Duration::from_secs(5)).await;
}

/// Waits, for as long as it takes within reason, until something holds.
async fn until_async(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..1_000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what}");
}

async fn rest(id: &str) -> Simulator {
    let secret = SECRET.into();
    insurer(id, Wire::Rest { secret }).await
}

fn claim(number: &str) -> serde_json::Value {
    message("claim", number, json!({"bill": bill("S1", 100)}))
}

/// The messages that an insurer was told of, in the order in which it was.
fn told(simulator: &Simulator) -> Vec<String> {
    let received = simulator.received();
    let told = received.iter().filter(|one| one.purpose == "decided");
    told.map(|one| one.message_id.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_insurer_that_says_nothing_holds_up_no_other() {
    let (silent, well) = (insurer("i-1", Wire::Grpc).await, rest("i-2").await);
    let rig = Rig::new(&[(Insurer::Delegated, 100_000), (Insurer::Delegated, 100_000)]).await;
    rig.listens("i-1", &silent, json!({})).await;
    rig.listens("i-2", &well, json!({})).await;
    silent.perform(Script::silent()).await;
    // More than may be on the way to the silent one at once.
    for number in 0..40 {
        rig.take(claim(&format!("C-{number}"))).await;
    }
    until("the other has all", || told(&well).len() == 40).await;
    let store = rig.engine.store();
    let backlogs = store.backlogs(&Scope::Hub).await.unwrap();
    let waiting: Vec<_> = backlogs.iter().map(|own| own.delivered).collect();
    assert_eq!(waiting[0], 0, "nothing was taken by the silent one");
    silent.perform(Script::approve()).await;
    rig.engine.drain(Duration::from_secs(15)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_insurer_that_is_back_is_met_though_its_deliveries_were_put_off_for_long() {
    let away = rest("i-2").await;
    let config = Config {
        // What fails is put off for minutes.
        retry_first_ms: 200_000,
        retry_most_ms: 300_000,
        ..Config::default()
    };
    let rig = Rig::with(
        &[(Insurer::Delegated, 100_000), (Insurer::Delegated, 100_000)],
        config,
    )
    .await;
    let probing = json!({"delivery": {"probe_ms": 20, "probe_most_ms": 100}});
    rig.listens("i-2", &away, probing).await;
    away.kill().await;
    for number in 0..20 {
        rig.take(claim(&format!("C-{number}"))).await;
    }
    let delivering = || {
        let parties = rig.engine.parties();
        let own = parties.iter().find(|own| own.party.as_str() == "i-2");
        own.map(|own| own.delivering.0)
    };
    for round in 0..3 {
        until("it is found to be away", || {
            matches!(
                delivering(),
                Some(CircuitState::Open | CircuitState::HalfOpen)
            )
        })
        .await;
        away.revive().await.unwrap();
        let owed = 20 * (round + 1);
        until("all of it is had", || told(&away).len() == owed).await;
        assert_eq!(delivering(), Some(CircuitState::Closed));
        away.kill().await;
        for number in 0..20 {
            rig.take(claim(&format!("D-{round}-{number}"))).await;
        }
    }
    rig.engine.drain(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_for_long_waits_for_a_person_and_its_claim_behind_it() {
    let refusing = insurer("i-1", Wire::Grpc).await;
    let rig = Rig::new(&[(Insurer::Delegated, 100_000)]).await;
    rig.listens("i-1", &refusing, json!({})).await;
    let never = Manner::Declining { permanent: true };
    refusing.perform(Script::approve().in_manner(never)).await;
    let stay = message("admission", "A-1", json!({"bill": bill("S1", 500)}));
    let first = rig.take(stay).await;
    let second = rig.take(following(claim("C-1"), "admission", "A-1")).await;
    let other = rig.take(claim("C-2")).await;
    let (store, alpha) = (rig.engine.store(), insurer_id("i-1"));
    let dead = async || {
        let page = DeliveryPage {
            insurer: Some(alpha.clone()),
            state: Some(DeliveryState::Dead),
            after: 0,
            most: 10,
        };
        store.deliveries(&Scope::Hub, &page).await.unwrap()
    };
    let tried = async |times: usize| {
        let way = store.way(&Scope::Hub, first.id).await.unwrap();
        let own = way.deliveries.iter().find(|own| own.insurer == alpha);
        own.unwrap().attempts.len() >= times
    };
    until_async("it was refused three times", async || tried(3).await).await;
    assert_eq!(dead().await, [], "not within ten minutes");
    rig.pass_days(1);
    until_async("both claims wait", async || dead().await.len() == 2).await;
    let found = dead().await;
    let about: BTreeSet<_> = found.iter().map(|one| one.message).collect();
    assert_eq!(about, BTreeSet::from([first.id, other.id]));
    assert_eq!(
        found[0].error.as_deref(),
        Some("the insurer does not take the call: grpc FailedPrecondition")
    );
    // It is well again, but nobody has seen to what it refused.
    refusing.perform(Script::approve()).await;
    let later = rig.take(claim("C-3")).await;
    until("what is new goes", || {
        told(&refusing).contains(&later.id.to_string())
    })
    .await;
    assert_eq!(told(&refusing), [later.id.to_string()]);
    // One is told by other means, the other is tried again.
    let of = |message| found.iter().find(|one| one.message == message).unwrap().id;
    let note = ("somebody", "by telephone");
    let now = rig.engine.now();
    store
        .resolve_delivery(&Scope::Hub, of(first.id), note, now)
        .await
        .unwrap();
    let again = Redelivery::One(of(other.id));
    assert_eq!(store.redeliver(&Scope::Hub, again, now).await.unwrap(), 1);
    until("both go on", || told(&refusing).len() == 3).await;
    let told: BTreeSet<_> = told(&refusing).into_iter().collect();
    let expected = [later.id, second.id, other.id].map(|id| id.to_string());
    assert_eq!(told, BTreeSet::from(expected));
    let way = store.way(&Scope::Hub, first.id).await.unwrap();
    let own = way.deliveries.iter().find(|own| own.insurer == alpha);
    let resolved = own.unwrap().resolved.clone().unwrap();
    assert_eq!(resolved, ("somebody".to_owned(), "by telephone".to_owned()));
    rig.engine.drain(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_goes_no_faster_than_its_insurer_takes_it() {
    let slow = rest("i-2").await;
    let rig = Rig::new(&[(Insurer::Delegated, 100_000), (Insurer::Delegated, 100_000)]).await;
    let pace = json!({"delivery": {"per_second": 20, "parallel": 2}});
    for number in 0..30 {
        rig.take(claim(&format!("C-{number}"))).await;
    }
    let begun = rig.engine.now();
    rig.listens("i-2", &slow, pace).await;
    until("it has all", || told(&slow).len() == 30).await;
    let page = DeliveryPage {
        insurer: Some(insurer_id("i-2")),
        state: Some(DeliveryState::Delivered),
        after: 0,
        most: 100,
    };
    let store = rig.engine.store();
    let had = async || store.deliveries(&Scope::Hub, &page).await.unwrap();
    until_async("all is recorded", async || had().await.len() == 30).await;
    let last = had().await.iter().filter_map(|one| one.delivered_at).max();
    // Two may go at once, and the others go one in fifty milliseconds at the fastest.
    assert!(last.unwrap().ms_since(begun) >= 28 * 50 - 1);
    rig.engine.drain(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_insurer_that_is_known_to_be_away_is_not_waited_for() {
    let simulator = insurer("i-1", Wire::Grpc).await;
    let rig = Rig::new(&[(Insurer::Consulted(&simulator), 100_000)]).await;
    simulator.perform(Script::silent()).await;
    let asking = || rig.engine.parties().first().map(|own| own.asking.0);
    for number in 0..5 {
        let answer = rig.take(claim(&format!("C-{number}"))).await;
        assert_eq!(answer.state, State::Pended);
    }
    assert_eq!(asking(), Some(CircuitState::Open));
    let asked = |simulator: &Simulator| {
        let received = simulator.received();
        received
            .iter()
            .filter(|one| one.purpose == "decide")
            .count()
    };
    let before = asked(&simulator);
    let answer = rig.take(claim("C-5")).await;
    assert_eq!(answer.state, State::Pended);
    assert!(answer.reasons.contains(&Reason::InsurerSilent));
    assert_eq!(asked(&simulator), before, "it was not asked");
    // What waits is found out by one question, and then by all.
    simulator.perform(Script::approve()).await;
    rig.pass_days(1);
    let answer = rig.take(claim("C-6")).await;
    assert_eq!(answer.state, State::Decided);
    assert_eq!(asking(), Some(CircuitState::Closed));
    rig.engine.drain(Duration::from_secs(15)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_wait_for_a_place_within_their_deadline_which_differs_by_kind() {
    let simulator = insurer("i-1", Wire::Grpc).await;
    let rig = Rig::new(&[(Insurer::Delegated, 100_000)]).await;
    let terms = json!({
        "mode": "consulted", "deadline_ms": 50, "deadlines": {"claim": 5_000}, "ask_parallel": 1,
    });
    rig.listens("i-1", &simulator, terms).await;
    simulator.perform(Script::approve().slowly(200)).await;
    let short = message("admission", "A-1", json!({"bill": bill("S1", 100)}));
    assert_eq!(rig.take(short).await.state, State::Pended);
    // A claim has time enough, and there is one place: the second waits for the first.
    let (one, other) = tokio::join!(rig.take(claim("C-1")), rig.take(claim("C-2")));
    assert_eq!((one.state, other.state), (State::Decided, State::Decided));
    rig.engine.drain(Duration::from_secs(15)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_is_told_in_order_and_signed_how_its_messages_go_on() {
    let simulator = insurer("i-1", Wire::Grpc).await;
    let rig = Rig::new(&[(Insurer::Consulted(&simulator), 100_000)]).await;
    let listener = Listener::start(SECRET).await.unwrap();
    // Nothing is owed to whoever does not listen.
    simulator.perform(Script::of(Verdict::Pend)).await;
    rig.take(claim("C-0")).await;
    rig.provider_listens(&listener.url()).await;
    listener.kill().await;
    let pended = rig.take(claim("C-1")).await;
    let other = rig.take(claim("C-2")).await;
    assert_eq!((pended.state, other.state), (State::Pended, State::Pended));
    let says = |message, verdict| InsurerDecision {
        message,
        reference: format!("D-{message}"),
        verdict,
        lines: vec![],
        valid_until: None,
        note: None,
        revision: 0,
    };
    let (engine, own) = (&rig.engine, insurer_id("i-1"));
    for (message, verdict) in [
        (pended.id, InsurerVerdict::Approve),
        (other.id, InsurerVerdict::Refuse),
    ] {
        engine.decide(&own, says(message, verdict)).await.unwrap();
    }
    let cancelled = engine.cancel(rig.provider(), pended.id, None, None);
    cancelled.await.unwrap().unwrap();
    listener.revive().await.unwrap();
    until("all is told", || listener.told().len() >= 5).await;
    assert_eq!(listener.forged(), 0);
    let told = listener.told();
    let of = |message: MessageId| {
        let own = told
            .iter()
            .filter(|one| one.body["data"]["message"] == json!(message));
        let state = |one: &Told| one.body["data"]["state"].as_str().unwrap().to_owned();
        own.map(state).collect::<Vec<_>>()
    };
    assert_eq!(of(pended.id), ["pended", "decided", "reversed"]);
    assert_eq!(of(other.id), ["pended", "refused"]);
    let ids: BTreeSet<_> = told.iter().map(|one| &one.id).collect();
    assert_eq!((told.len(), ids.len()), (5, 5), "each once");
    let first = &told[0].body;
    assert_eq!(first["type"], json!("message.answered"));
    let data = &first["data"];
    let number = &data["identifiers"][0]["value"];
    assert!([json!("C-1"), json!("C-2")].contains(number), "{first}");
    assert_eq!(
        (&data["format"], &data["media_type"]),
        (&json!("native"), &json!("application/json"))
    );
    assert_eq!(data["answer"]["id"], data["message"]);
    // On the message's way it stands like every delivery, for its sender to see.
    let sender = Scope::Provider(rig.provider().id.clone());
    let way = rig.engine.way(&sender, other.id).await.unwrap();
    let to_sender = way
        .deliveries
        .iter()
        .filter(|one| one.purpose == Purpose::Answered);
    assert_eq!(
        to_sender.filter(|one| one.delivered_at.is_some()).count(),
        2
    );
    rig.engine.drain(Duration::from_secs(5)).await;
}
