//! Appeals: what was decided stands until the insurer has looked at it again, and nobody pays more for having asked.

use std::sync::Arc;

use serde_json::json;
use takmil_conformance::insurer::{Manner, Script, Simulator, Verdict, Wire};
use takmil_domain::answer::Answer;
use takmil_domain::ids::MessageId;
use takmil_domain::life::State;
use takmil_domain::money::Amount;
use takmil_domain::participant::{InsurerDecision, InsurerVerdict, Purpose};
use takmil_domain::reason::Reason;
use takmil_engine::{Appealing, Error, Question, Refusal};
use takmil_store::Scope;

use crate::rig::{Insurer, Rig, bill, following, insurer, insurer_id, message, until};

fn appealing(reference: &str, text: &str) -> Appealing {
    Appealing {
        insurer: None,
        reference: reference.to_owned(),
        text: text.to_owned(),
        lines: vec![],
        attachments: vec![],
    }
}

fn says(message: MessageId, reference: &str, verdict: InsurerVerdict) -> InsurerDecision {
    InsurerDecision {
        message,
        reference: reference.to_owned(),
        verdict,
        lines: vec![],
        valid_until: None,
        note: None,
        revision: 0,
    }
}

fn paid(answer: &Answer) -> i64 {
    let decision = answer.decision.as_ref().unwrap();
    decision.totals.supplementary_total().get()
}

/// A claim of 100, of which the insurer would pay 90, and what it says when it is asked.
async fn claimed(verdict: Verdict) -> (Rig, Simulator, MessageId) {
    let simulator = insurer("i-1", Wire::Grpc).await;
    let script = Script {
        verdict,
        manner: Manner::Prompt,
    };
    simulator.perform(script).await;
    let rig = Rig::new(&[(Insurer::Consulted(&simulator), 1_000)]).await;
    let claim = message("claim", "C-1", json!({"bill": bill("S1", 100)}));
    let id = rig.take(claim).await.id;
    (rig, simulator, id)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_insurer_that_sees_it_otherwise_then_changes_the_decision() {
    let (rig, simulator, id) = claimed(Verdict::Refuse).await;
    let (engine, clinic, insurer) = (&rig.engine, Arc::clone(rig.provider()), insurer_id("i-1"));
    let way = async || engine.way(&Scope::Hub, id).await.unwrap();
    assert_eq!(way().await.envelope.state, State::Refused);

    let appeal = |text: &str| engine.appeal(&clinic, id, appealing("A-1", text));
    let taken = appeal("The report was attached.").await.unwrap().unwrap();
    assert_eq!(
        (taken.answer.state, paid(&taken.answer)),
        (State::Appealed, 0)
    );
    assert!(taken.answer.reasons.contains(&Reason::Appealed));
    assert!(way().await.envelope.deadline.is_some(), "its clock runs");
    let again = appeal("The report was attached.").await.unwrap().unwrap();
    assert!(again.repeated);
    let other = appeal("Another text.").await.unwrap().unwrap_err();
    assert_eq!(other, Refusal::Changed { earlier: id });
    let told = || {
        simulator
            .received()
            .iter()
            .filter(|own| own.purpose == "review")
            .count()
    };
    until("the insurer has it again", || told() == 1).await;

    let question = InsurerDecision {
        note: Some("Which report?".to_owned()),
        ..says(id, "Q-1", InsurerVerdict::Ask)
    };
    let asked = engine.decide(&insurer, question).await.unwrap().answer;
    assert_eq!(asked.state, State::Appealed);
    assert_eq!(way().await.envelope.deadline, None, "the provider is asked");
    let reply = Question {
        reference: "Q-1".to_owned(),
        reply: "Of the third of May.".to_owned(),
        attachments: vec![],
    };
    let replied = engine.reply(&clinic, id, reply).await.unwrap().unwrap();
    assert_eq!(replied.answer.state, State::Appealed);
    assert!(way().await.envelope.deadline.is_some());

    let word = says(id, "D-2", InsurerVerdict::Approve);
    let changed = engine.decide(&insurer, word).await.unwrap().answer;
    assert_eq!((changed.state, paid(&changed)), (State::Adjusted, 90));
    assert_eq!(rig.left("i-1").await, 910);
    assert!(changed.reasons.contains(&Reason::AppealChanged));
    assert!(!changed.reasons.contains(&Reason::Appealed));
    assert!(changed.appeals[0].outcome.as_ref().unwrap().changed);
    assert_eq!(
        way().await.deliveries.last().unwrap().purpose,
        Purpose::Decided
    );

    let taken_back = following(message("cancel", "X-1", json!({})), "cancels", "C-1");
    rig.take(taken_back).await;
    assert_eq!(way().await.envelope.state, State::Reversed);
    assert_eq!(rig.left("i-1").await, 1_000);
    rig.assert_ledger_is_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_insurer_that_stands_by_it_changes_nothing_and_never_for_the_worse() {
    let verdicts = [
        ("half, as before", InsurerVerdict::Adjust, 45),
        ("less", InsurerVerdict::Adjust, 10),
        ("nothing", InsurerVerdict::Refuse, 0),
    ];
    for (what, verdict, amount) in verdicts {
        let (rig, _simulator, id) = claimed(Verdict::Adjust { percent: 50 }).await;
        let (engine, clinic) = (&rig.engine, Arc::clone(rig.provider()));
        let appeal = engine.appeal(&clinic, id, appealing("A-1", "All of it was needed."));
        appeal.await.unwrap().unwrap();
        let mut word = says(id, "D-2", verdict);
        if verdict == InsurerVerdict::Adjust {
            let amount = Amount::new(amount);
            word.lines = serde_json::from_value(json!([{"seq": 1, "amount": amount}])).unwrap();
        }
        let upheld = engine
            .decide(&insurer_id("i-1"), word)
            .await
            .unwrap()
            .answer;
        assert_eq!(
            (upheld.state, paid(&upheld)),
            (State::Decided, 45),
            "{what}"
        );
        assert!(upheld.reasons.contains(&Reason::AppealUpheld), "{what}");
        assert!(
            !upheld.appeals[0].outcome.as_ref().unwrap().changed,
            "{what}"
        );
        assert_eq!(rig.left("i-1").await, 955, "{what}");
        let once_more = engine.appeal(&clinic, id, appealing("A-2", "Look again."));
        assert_eq!(
            once_more.await.unwrap().unwrap().answer.state,
            State::Appealed,
            "{what}"
        );
        rig.assert_ledger_is_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_can_appeal_against_is_refused_with_its_place() {
    let rig = Rig::new(&[(Insurer::Delegated, 1_000), (Insurer::Delegated, 1_000)]).await;
    let clinic = Arc::clone(rig.provider());
    let asked = rig
        .take(message(
            "preauthorization",
            "R-1",
            json!({"bill": bill("S1", 100)}),
        ))
        .await;
    let claim = rig
        .take(message("claim", "C-1", json!({"bill": bill("S1", 100)})))
        .await;
    let of = |insurer: Option<&str>, lines: &[u32]| Appealing {
        insurer: insurer.map(insurer_id),
        lines: lines.to_vec(),
        ..appealing("A-1", "Wrong.")
    };
    let place =
        async |message, appeal| match rig.engine.appeal(&clinic, message, appeal).await.unwrap() {
            Err(Refusal::Invalid(problems)) => problems[0].pointer.clone(),
            other => panic!("{other:?}"),
        };
    assert_eq!(place(asked.id, of(Some("i-1"), &[])).await, "");
    assert_eq!(place(claim.id, of(None, &[])).await, "/insurer");
    assert_eq!(place(claim.id, of(Some("i-9"), &[])).await, "/insurer");
    assert_eq!(place(claim.id, of(Some("i-1"), &[1, 7])).await, "/lines/1");
    let mut stranger = (*clinic).clone();
    stranger.id = insurer_id("another");
    rig.take_of(
        "another",
        message("claim", "C-2", json!({"bill": bill("S1", 100)})),
    )
    .await;
    let foreign = rig.engine.appeal(&stranger, claim.id, of(Some("i-1"), &[]));
    assert!(matches!(foreign.await, Err(Error::NotFound)));
    rig.pass_days(31);
    assert_eq!(place(claim.id, of(Some("i-1"), &[])).await, "");
    let way = rig.engine.way(&Scope::Hub, claim.id).await.unwrap();
    assert_eq!((way.envelope.state, way.envelope.turn), (State::Decided, 1));
}
