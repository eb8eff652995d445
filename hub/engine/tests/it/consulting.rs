//! Insurers that are asked: what they say counts, and what happens when they say nothing.

use std::time::Duration;

use serde_json::json;
use takmil_conformance::insurer::{Manner, Play, Script, Verdict, Wire};
use takmil_domain::decision::DecidedBy;
use takmil_domain::life::State;
use takmil_domain::participant::{InsurerDecision, InsurerVerdict};
use takmil_domain::reason::Reason;
use takmil_engine::Question;

use crate::rig::{Insurer, Rig, SECRET, bill, following, insurer, insurer_id, message, until};

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
        let state = match paid {
            0 => State::Refused,
            _ => State::Decided,
        };
        assert_eq!(
            (answer.state, decision.decided_by),
            (state, DecidedBy::Insurer),
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
        valid_until: None,
        note: None,
        revision: 0,
    };
    let late = rig
        .engine
        .decide(&insurer_id("i-1"), decision("D-1", InsurerVerdict::Refuse))
        .await
        .unwrap();
    assert_eq!(late.answer.state, State::Refused);
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
async fn what_an_insurer_says_counts_though_the_sender_has_hung_up() {
    let simulator = insurer("i-1", Wire::Grpc).await;
    let rig = Rig::new(&[(Insurer::Consulted(&simulator), 1_000)]).await;
    simulator
        .perform(Script {
            verdict: Verdict::Adjust { percent: 50 },
            manner: Manner::Slow { ms: 150 },
        })
        .await;
    let claim = message("claim", "C-1", json!({"bill": bill("S1", 100)}));
    let hung_up = tokio::time::timeout(Duration::from_millis(50), rig.take(claim.clone())).await;
    assert!(hung_up.is_err(), "the insurer takes longer");
    let mut answer = rig.take(claim.clone()).await;
    for _ in 0..500 {
        if answer.state == State::Decided {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        answer = rig.take(claim.clone()).await;
    }
    assert_eq!(answer.state, State::Decided);
    assert!(
        answer.reasons.contains(&Reason::InsurerAdjusted),
        "{:?}",
        answer.reasons
    );
    assert_eq!(rig.left("i-1").await, 955);
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

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_in_one_turn_goes_on_from_what_came_before_it() {
    // Said once, and said again before the hub has answered.
    for times in [1, 3] {
        decided_and_taken_back_in_one_turn(times).await;
    }
}

async fn decided_and_taken_back_in_one_turn(times: usize) {
    let simulator = insurer("i-1", Wire::Grpc).await;
    let rig = Rig::new(&[(Insurer::Consulted(&simulator), 1_000)]).await;
    let silent = Script {
        verdict: Verdict::Approve,
        manner: Manner::Silent,
    };
    simulator.perform(silent).await;
    let claim = message("claim", "C-1", json!({"bill": bill("S1", 100)}));
    let claim = rig.take(claim).await;
    assert_eq!(claim.state, State::Pended);
    let engine = &rig.engine;
    let decide = || {
        let (engine, message) = (engine.clone(), claim.id);
        let decision = InsurerDecision {
            message,
            reference: "D-1".into(),
            verdict: InsurerVerdict::Approve,
            lines: vec![],
            valid_until: None,
            note: None,
            revision: 0,
        };
        tokio::spawn(async move { engine.decide(&insurer_id("i-1"), decision).await })
    };
    let waits = |turns, orders| {
        until("the lane has not got so far", move || {
            let status = engine.status();
            (status.turns, status.waiting) == (turns, orders)
        })
    };
    // Whoever holds the only writer holds up the lane: one order is in its hands, and the others wait.
    let turns = engine.status().turns;
    let held = engine.store().begin().await.unwrap();
    let asked = message("eligibility", "E-1", json!({}));
    let decided = async {
        waits(turns + 1, 0).await;
        let decisions: Vec<_> = (0..times).map(|_| decide()).collect();
        waits(turns + 1, times).await;
        let cancel = following(message("cancel", "X-1", json!({})), "cancels", "C-1");
        let released = async {
            waits(turns + 1, times + 1).await;
            drop(held);
        };
        let (cancelled, ()) = tokio::join!(rig.take(cancel), released);
        (decisions, cancelled)
    };
    let (_, (decisions, cancelled)) = tokio::join!(rig.take(asked), decided);
    assert_eq!(cancelled.reasons.last(), Some(&Reason::Cancelled));
    let mut repeats = 0;
    for decision in decisions {
        repeats += usize::from(decision.await.unwrap().unwrap().repeated);
    }
    assert_eq!(repeats, times - 1, "a reference counts once");
    assert_eq!(engine.status().turns, turns + 2, "all of it in one turn");
    assert_eq!(
        rig.left("i-1").await,
        1_000,
        "what was decided is taken back"
    );
    rig.assert_ledger_is_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_reaches_the_insurer_as_what_it_is_and_in_its_order() {
    for (at, wire) in [
        Wire::Grpc,
        Wire::Rest {
            secret: SECRET.into(),
        },
    ]
    .into_iter()
    .enumerate()
    {
        let id = ["i-1", "i-2"][at];
        let simulator = insurer(id, wire).await;
        let insurers = [(Insurer::Delegated, 1_000), (Insurer::Delegated, 1_000)];
        let rig = Rig::new(&insurers[..=at]).await;
        rig.listens(
            id,
            &simulator,
            json!({"mode": "consulted", "deadline_ms": 400}),
        )
        .await;
        simulator.perform(Script::pend()).await;
        let claim = message("claim", "C-1", json!({"bill": bill("S1", 100)}));
        let claim = rig.take(claim).await;
        assert_eq!(claim.state, State::Pended);
        let question = InsurerDecision {
            message: claim.id,
            reference: "Q-1".into(),
            verdict: InsurerVerdict::Ask,
            lines: vec![],
            valid_until: None,
            note: Some("Which side?".into()),
            revision: 0,
        };
        rig.engine.decide(&insurer_id(id), question).await.unwrap();
        let reply = Question {
            reference: "Q-1".into(),
            reply: "Left.".into(),
            attachments: vec![],
        };
        rig.engine
            .reply(rig.provider(), claim.id, reply)
            .await
            .unwrap()
            .unwrap();
        let purposes = || {
            let received = simulator.received();
            let kept = received.into_iter().filter(|own| own.purpose != "decide");
            kept.map(|own| own.purpose).collect::<Vec<_>>()
        };
        until("the reply is handed over", || purposes().len() == 2).await;
        assert_eq!(purposes(), ["review", "clarified"], "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_takes_long_is_made_once_more_where_the_contract_says_so() {
    // The second call is answered, the first never.
    let play = json!({
        "steps": [
            {"when": {"every": 2, "purpose": "decide"}, "say": {"verdict": "approve"}},
            {"when": {"purpose": "decide"}, "say": {"verdict": "approve", "manner": "silent"}},
        ],
        "otherwise": {"verdict": "approve"},
    });
    let play: Play = serde_json::from_value(play).unwrap();
    for (hedge, state, calls) in [
        (json!({"hedge_ms": 50}), State::Decided, 2),
        (json!({}), State::Pended, 1),
    ] {
        let simulator = insurer("i-1", Wire::Grpc).await;
        let rig = Rig::new(&[(Insurer::Delegated, 1_000)]).await;
        let mut terms = json!({"mode": "consulted", "deadline_ms": 1_500});
        let all = terms.as_object_mut().unwrap();
        all.extend(hedge.as_object().unwrap().clone());
        rig.listens("i-1", &simulator, terms).await;
        simulator.perform(play.clone()).await;
        let claim = message("claim", "C-1", json!({"bill": bill("S1", 100)}));
        assert_eq!(rig.take(claim).await.state, state);
        // The same question, by its id.
        let received = simulator.received();
        let asked: Vec<u32> = received
            .iter()
            .filter(|own| own.purpose == "decide")
            .map(|own| own.times)
            .collect();
        assert_eq!(asked, [calls]);
        rig.assert_ledger_is_sound().await;
    }
}
