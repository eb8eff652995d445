//! Insurers that are asked: what they say counts, and what happens when they say nothing.

use serde_json::json;
use takmil_conformance::insurer::{Manner, Script, Verdict, Wire};
use takmil_domain::answer::State;
use takmil_domain::decision::DecidedBy;
use takmil_domain::participant::{InsurerDecision, InsurerVerdict};
use takmil_domain::reason::Reason;

use crate::rig::{Insurer, Rig, SECRET, bill, insurer, insurer_id, message};

fn says(verdict: Verdict) -> Script {
    Script {
        verdict,
        manner: Manner::Prompt,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_insurers_word_is_the_answer_and_moves_the_limit() {
    let simulator = insurer("i-1", Wire::Grpc).await;
    let rig = Rig::new(&[(Insurer::Consulted(&simulator), 1_000)]).await;
    let mut left = 1_000;
    for (number, script, paid, reason) in [
        ("C-1", says(Verdict::Approve), 90, Reason::InsurerApproved),
        (
            "C-2",
            says(Verdict::Adjust { percent: 50 }),
            45,
            Reason::InsurerAdjusted,
        ),
        ("C-3", says(Verdict::Refuse), 0, Reason::InsurerRefused),
    ] {
        simulator.perform(script).await;
        let answer = rig
            .take(message("claim", number, json!({"bill": bill("S1", 100)})))
            .await;
        let decision = answer.decision.as_ref().unwrap();
        assert_eq!(
            (answer.state, decision.decided_by),
            (State::Decided, DecidedBy::Insurer),
            "{number}"
        );
        assert_eq!(
            decision.totals.supplementary_total().get(),
            paid,
            "{number}"
        );
        assert!(
            answer.reasons.contains(&reason),
            "{number}: {:?}",
            answer.reasons
        );
        left -= paid;
        assert_eq!(rig.left("i-1").await, left, "{number}");
    }
    rig.assert_ledger_is_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_insurer_leaves_the_message_pended_with_its_limit_reserved_until_it_speaks() {
    let simulator = insurer("i-1", Wire::Grpc).await;
    let rig = Rig::new(&[(Insurer::Consulted(&simulator), 1_000)]).await;
    simulator
        .perform(Script {
            verdict: Verdict::Approve,
            manner: Manner::Silent,
        })
        .await;
    let answer = rig
        .take(message("claim", "C-1", json!({"bill": bill("S1", 100)})))
        .await;
    assert_eq!(answer.state, State::Pended);
    assert!(answer.reasons.contains(&Reason::InsurerSilent));
    assert_eq!(rig.left("i-1").await, 910);

    let decision = |reference: &str, verdict| InsurerDecision {
        message: answer.id,
        reference: reference.into(),
        verdict,
        lines: vec![],
        note: None,
    };
    let late = rig
        .engine
        .decide(&insurer_id("i-1"), decision("D-1", InsurerVerdict::Refuse))
        .await
        .unwrap();
    assert_eq!(late.answer.state, State::Decided);
    assert_eq!(rig.left("i-1").await, 1_000);
    let repeated = rig
        .engine
        .decide(&insurer_id("i-1"), decision("D-1", InsurerVerdict::Refuse))
        .await
        .unwrap();
    assert!(repeated.repeated);
    let changed = rig
        .engine
        .decide(&insurer_id("i-1"), decision("D-2", InsurerVerdict::Approve))
        .await
        .unwrap();
    assert!(changed.under_review, "what was decided stands");
    assert_eq!(rig.left("i-1").await, 1_000);
    assert!(
        rig.engine
            .decide(
                &insurer_id("clinic"),
                decision("D-3", InsurerVerdict::Approve)
            )
            .await
            .is_err()
    );
    rig.assert_ledger_is_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hub_stands_in_within_the_contract_and_not_beyond() {
    let simulator = insurer("i-1", Wire::Grpc).await;
    let rig = Rig::new(&[(Insurer::StandIn(&simulator, 100, 150), 1_000)]).await;
    simulator.kill().await;
    let claim = |number: &'static str, billed| {
        message("claim", number, json!({"bill": bill("S1", billed)}))
    };
    let first = rig.take(claim("C-1", 100)).await;
    assert_eq!(
        (first.state, first.decision.as_ref().unwrap().decided_by),
        (State::Decided, DecidedBy::StandIn)
    );
    assert!(first.reasons.contains(&Reason::StandIn));
    let over_visit = rig.take(claim("C-2", 200)).await;
    assert_eq!(over_visit.state, State::Pended);
    assert!(over_visit.reasons.contains(&Reason::OverStandIn));
    let over_day = rig.take(claim("C-3", 100)).await;
    assert_eq!(
        over_day.state,
        State::Pended,
        "90 + 90 are more than 150 in a day"
    );
    let in_day = rig.take(claim("C-4", 60)).await;
    assert_eq!(in_day.state, State::Decided);
    assert_eq!(rig.left("i-1").await, 1_000 - 90 - 180 - 90 - 54);
    rig.assert_ledger_is_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_first_insurer_changes_the_second_follows() {
    let (first, second) = (
        insurer("i-1", Wire::Grpc).await,
        insurer(
            "i-2",
            Wire::Rest {
                secret: SECRET.into(),
            },
        )
        .await,
    );
    let rig = Rig::new(&[
        (Insurer::Consulted(&first), 1_000),
        (Insurer::Consulted(&second), 1_000),
    ])
    .await;
    first.perform(says(Verdict::Adjust { percent: 50 })).await;
    let answer = rig
        .take(message("claim", "C-1", json!({"bill": bill("S1", 100)})))
        .await;
    let decision = answer.decision.as_ref().unwrap();
    let shares: Vec<i64> = decision.lines[0]
        .supplementary
        .iter()
        .map(|share| share.amount.get())
        .collect();
    assert_eq!(
        shares,
        [45, 55],
        "the second was proposed 10 and takes over what the first left"
    );
    assert_eq!((rig.left("i-1").await, rig.left("i-2").await), (955, 945));
    let derived = takmil_engine::derive(rig.engine.store(), answer.id)
        .await
        .unwrap();
    assert!(
        derived.same,
        "the decision comes out again, to the last trace entry"
    );
    rig.assert_ledger_is_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_cannot_be_used_is_as_good_as_none() {
    let simulator = insurer("i-1", Wire::Grpc).await;
    let rig = Rig::new(&[(Insurer::Consulted(&simulator), 1_000)]).await;
    for (number, verdict) in [
        ("C-1", Verdict::WrongSums),
        ("C-2", Verdict::Overpay),
        ("C-3", Verdict::Nonsense),
    ] {
        simulator.perform(says(verdict)).await;
        let answer = rig
            .take(message("claim", number, json!({"bill": bill("S1", 100)})))
            .await;
        assert_eq!(answer.state, State::Pended, "{number}");
        assert!(
            answer.reasons.contains(&Reason::InsurerInvalid),
            "{number}: {:?}",
            answer.reasons
        );
    }
    rig.assert_ledger_is_sound().await;
}
