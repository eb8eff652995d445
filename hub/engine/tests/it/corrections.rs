//! Facts that come late: listed, agreed to, and written as reversals and new decisions.

use serde_json::{Value, json};
use takmil_domain::answer::Answer;
use takmil_domain::date::Date;
use takmil_domain::life::State;
use takmil_domain::participant::Purpose;
use takmil_domain::reason::Reason;
use takmil_engine::{Corrected, Correction};
use takmil_store::Scope;

use crate::rig::{Insurer, Rig, bill, following, insurer_id, message};

fn claim(number: &str, billed: i64) -> Value {
    message("claim", number, json!({"bill": bill("S1", billed)}))
}

async fn listed(rig: &Rig) -> Vec<Correction> {
    let today: Date = rig.engine.now().day();
    let insurer = insurer_id("i-1");
    rig.engine
        .corrections(&insurer, (today, today))
        .await
        .unwrap()
}

fn paid(answer: &Answer) -> i64 {
    let decision = answer.decision.as_ref().unwrap();
    decision.totals.supplementary_total().get()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retroactive_plan_changes_nothing_until_its_corrections_are_agreed_to() {
    let rig = Rig::new(&[(Insurer::Delegated, 50)]).await;
    let cut = rig.take(claim("C-1", 100)).await;
    let nothing = rig.take(claim("C-2", 100)).await;
    let cancelled = rig.take(claim("C-3", 100)).await;
    rig.take(following(
        message("cancel", "X-1", json!({})),
        "cancels",
        "C-3",
    ))
    .await;
    assert_eq!((paid(&cut), paid(&nothing), paid(&cancelled)), (50, 0, 0));
    assert_eq!(listed(&rig).await, [], "nothing has changed");

    // A later version, for services from a day before: its ceiling is higher.
    rig.publish_terms("i-1", json!({})).await;
    let corrections = listed(&rig).await;
    let sums: Vec<_> = corrections
        .iter()
        .map(|own| {
            (
                own.message,
                own.before.insurer.get(),
                own.after.insurer.get(),
            )
        })
        .collect();
    assert_eq!(sums, [(cut.id, 50, 90), (nothing.id, 0, 90)]);
    assert_eq!(corrections[0].after.member.get(), 10);
    assert_eq!(listed(&rig).await, corrections, "listing changes nothing");
    rig.assert_ledger_is_sound().await;

    let insurer = insurer_id("i-1");
    let done = rig.engine.correct(&insurer, &corrections).await.unwrap();
    assert_eq!(
        done,
        Corrected {
            corrected: 2,
            left: 0
        }
    );
    assert_eq!(rig.left("i-1").await, 1_000_000 - 180);
    rig.assert_ledger_is_sound().await;
    let way = rig.engine.way(&Scope::Hub, cut.id).await.unwrap();
    let answer = way.turns.last().unwrap().answer.clone().unwrap();
    assert_eq!((answer.state, paid(&answer)), (State::Adjusted, 90));
    assert!(answer.reasons.contains(&Reason::Corrected));
    assert_eq!(way.deliveries.last().unwrap().purpose, Purpose::Decided);
    let derived = takmil_engine::derive(rig.engine.store(), cut.id)
        .await
        .unwrap();
    assert!(derived.same);

    assert_eq!(listed(&rig).await, [], "all is as it should be");
    let again = rig.engine.correct(&insurer, &corrections).await.unwrap();
    assert_eq!(
        again,
        Corrected {
            corrected: 0,
            left: 2
        }
    );
    assert_eq!(rig.left("i-1").await, 1_000_000 - 180);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_gone_on_since_it_was_listed_stays() {
    let rig = Rig::new(&[(Insurer::Delegated, 50)]).await;
    let one = rig.take(claim("C-1", 100)).await;
    rig.publish_terms("i-1", json!({})).await;
    let corrections = listed(&rig).await;
    assert_eq!(corrections.len(), 1);
    rig.take(following(
        message("cancel", "X-1", json!({})),
        "cancels",
        "C-1",
    ))
    .await;
    let done = rig
        .engine
        .correct(&insurer_id("i-1"), &corrections)
        .await
        .unwrap();
    assert_eq!(
        done,
        Corrected {
            corrected: 0,
            left: 1
        }
    );
    let way = rig.engine.way(&Scope::Hub, one.id).await.unwrap();
    assert_eq!(way.envelope.state, State::Reversed);
    rig.assert_ledger_is_sound().await;
}
