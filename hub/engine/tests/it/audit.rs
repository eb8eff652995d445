//! The tamper-evident log has every turn of every message, by whose doing it was, and every reading.

use std::time::Duration;

use serde_json::json;
use takmil_conformance::insurer::{Manner, Script, Verdict, Wire};
use takmil_domain::audit::{Event, Policy, Pseudonym, Receipt};
use takmil_domain::ids::MessageId;
use takmil_domain::participant::{InsurerDecision, InsurerVerdict};
use takmil_engine::Reading;
use takmil_store::{FoundLeaf, Scope};
use uuid::Uuid;

use crate::rig::{Insurer, Rig, bill, following, insurer, insurer_id, message, taken};

impl Rig {
    async fn who(&self, participant: &str) -> Pseudonym {
        let store = self.engine.store();
        store.pseudonym(&insurer_id(participant)).await.unwrap()
    }

    /// Turn, event and doer of each leaf of a message, in their order.
    async fn leaves(&self, message: MessageId) -> Vec<(u32, Event, Pseudonym)> {
        let found = self.engine.store().log_leaves(message.0).await.unwrap();
        let leaf = |found: &FoundLeaf| {
            let leaf = found.leaf();
            (leaf.turn, leaf.event, leaf.participant)
        };
        found.iter().map(leaf).collect()
    }

    /// Waits until all leaves have their numbers, and looks whether the log is whole.
    async fn log_is_whole(&self, entries: u64) {
        let store = self.engine.store();
        for _ in 0..100 {
            let state = store.log_state().await.unwrap();
            if state.waiting == 0 && state.head.size == entries {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(store.log_head().await.unwrap().size, entries);
        assert_eq!(store.check_log().await.unwrap(), []);
    }

    fn promised(&self, receipt: Option<&Receipt>) -> (Uuid, u32) {
        let policy = format!("log {}\nquorum none\n", self.engine.log_key());
        let receipt = receipt.expect("there is a receipt");
        Policy::parse(&policy).unwrap().promised(receipt).unwrap();
        (receipt.leaf.subject, receipt.leaf.turn)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_and_taken_back_is_the_senders_doing() {
    let rig = Rig::new(&[(Insurer::Delegated, 1_000)]).await;
    let clinic = rig.who("clinic").await;
    let claim = message("claim", "C-1", json!({"bill": bill("S1", 100)}));
    let first = taken(rig.send(claim.clone()).await);
    let claimed = first.answer.id;
    assert_eq!(rig.promised(first.receipt.as_deref()), (claimed.0, 1));
    let again = taken(rig.send(claim).await);
    assert!(again.repeated && again.receipt.is_none());
    let cancel = following(message("cancel", "X-1", json!({})), "cancels", "C-1");
    let cancel = taken(rig.send(cancel).await);
    let cancelled = cancel.answer.id;
    assert_eq!(rig.promised(cancel.receipt.as_deref()), (cancelled.0, 1));
    let expected = [
        (1, Event::MessageTaken, clinic),
        (2, Event::MessageWentOn, clinic),
    ];
    assert_eq!(rig.leaves(claimed).await, expected);
    assert_eq!(rig.leaves(cancelled).await, expected[..1]);
    rig.log_is_whole(3).await;
    // The commitment of the first turn is to what was sent, by its digest, and to what is kept of the answer.
    let store = rig.engine.store();
    let found = store.log_leaves(claimed.0).await.unwrap();
    let FoundLeaf::Entered(_, entry, Some(salt)) = &found[0] else {
        panic!("{found:?}")
    };
    let digest = store.envelope(&Scope::Hub, claimed).await.unwrap().digest;
    let way = store.way(&Scope::Hub, claimed).await.unwrap();
    let answer = way.turns[0].answer.clone().unwrap();
    let parts = [digest.as_slice(), answer.as_bytes()];
    assert!(entry.leaf.commitment.opens(salt, &parts));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_insurer_says_is_its_doing_and_what_runs_out_is_the_hubs() {
    let simulator = insurer("i-1", Wire::Grpc).await;
    let rig = Rig::new(&[(Insurer::Consulted(&simulator), 1_000)]).await;
    let (clinic, own) = (rig.who("clinic").await, rig.who("i-1").await);
    let claim = |number| message("claim", number, json!({"bill": bill("S1", 100)}));
    simulator
        .perform(Script {
            verdict: Verdict::Approve,
            manner: Manner::Prompt,
        })
        .await;
    let asked = taken(rig.send(claim("C-1")).await);
    // The answer is that of the last turn, and so is the receipt.
    let id = asked.answer.id;
    assert_eq!(rig.promised(asked.receipt.as_deref()), (id.0, 2));
    let taken_first = (1, Event::MessageTaken, clinic);
    let decided = |turn| (turn, Event::InsurerDecided, own);
    assert_eq!(rig.leaves(id).await, [taken_first, decided(2)]);
    simulator
        .perform(Script {
            verdict: Verdict::Approve,
            manner: Manner::Silent,
        })
        .await;
    let pended = taken(rig.send(claim("C-2")).await).answer.id;
    let silent = (2, Event::MessageWentOn, Pseudonym::HUB);
    assert_eq!(rig.leaves(pended).await, [taken_first, silent]);
    let decision = |reference: &str, verdict| InsurerDecision {
        message: pended,
        reference: reference.into(),
        verdict,
        lines: vec![],
        valid_until: None,
        note: None,
        revision: 0,
    };
    for (turn, reference, verdict) in [
        (3, "D-1", InsurerVerdict::Approve),
        // It was decided before: kept for review, and still a turn.
        (4, "D-2", InsurerVerdict::Refuse),
    ] {
        let own = insurer_id("i-1");
        let told = rig.engine.decide(&own, decision(reference, verdict)).await;
        let told = told.unwrap();
        assert_eq!(rig.promised(told.receipt.as_deref()), (pended.0, turn));
    }
    let repeated = decision("D-1", InsurerVerdict::Approve);
    let repeated = rig.engine.decide(&insurer_id("i-1"), repeated).await;
    assert!(repeated.unwrap().receipt.is_none());
    let expected = [taken_first, silent, decided(3), decided(4)];
    assert_eq!(rig.leaves(pended).await, expected);
    rig.log_is_whole(6).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_expires_and_who_reads_is_in_the_log() {
    let rig = Rig::new(&[(Insurer::Delegated, 1_000)]).await;
    let clinic = rig.who("clinic").await;
    let admission = message("admission", "A-1", json!({"bill": bill("S1", 500)}));
    let admission = rig.take(admission).await.id;
    let reading = Reading {
        participant: insurer_id("clinic"),
        person: None,
        operation: "GET /v1/messages/{id}",
        object: admission.to_string(),
    };
    // Many at once, as callers come.
    let reads = (0..20).map(|_| rig.engine.read(&reading));
    for read in futures::future::join_all(reads).await {
        read.unwrap();
    }
    rig.log_is_whole(21).await;
    let entries = rig.engine.store().log_entries(0, 100).await.unwrap();
    let read: Vec<_> = entries
        .iter()
        .filter(|entry| entry.leaf.event == Event::PersonalDataRead)
        .collect();
    assert_eq!(read.len(), 20);
    assert!(read.iter().all(|entry| entry.leaf.participant == clinic));
    assert!(read.iter().all(|entry| entry.leaf.subject != admission.0));
    let salt = rig.engine.store().log_leaves(read[0].leaf.subject).await;
    let [FoundLeaf::Entered(_, entry, Some(salt))] = salt.unwrap()[..] else {
        panic!("a read is one leaf")
    };
    // As it is kept: who, by what, of what, and when.
    let object = &reading.object;
    let at = entry.leaf.at.0;
    let document = format!(
        r#"{{"at":{at},"participant":"clinic","operation":"GET /v1/messages/{{id}}","object":"{object}"}}"#
    );
    assert!(entry.leaf.commitment.opens(&salt, &[document.as_bytes()]));
    rig.pass_days(8);
    rig.log_is_whole(22).await;
    let expected = [
        (1, Event::MessageTaken, clinic),
        (2, Event::MessageWentOn, Pseudonym::HUB),
    ];
    assert_eq!(rig.leaves(admission).await, expected);
    // The clock goes back, and the log does not.
    let before = rig.engine.store().log_head().await.unwrap().signed_at;
    rig.pass_days(-8);
    let claim = message("claim", "C-9", json!({"bill": bill("S1", 100)}));
    let late = taken(rig.send(claim).await);
    rig.promised(late.receipt.as_deref());
    rig.log_is_whole(23).await;
    assert!(rig.engine.store().log_head().await.unwrap().signed_at >= before);
}
