//! Base insurers that are asked: what they say they pay counts before the others are asked, and silence holds nobody up.

use serde_json::{Value, json};
use takmil_conformance::insurer::{Script, Simulator, Wire};
use takmil_domain::ids::MessageId;
use takmil_domain::life::State;
use takmil_domain::participant::{InsurerDecision, InsurerVerdict};
use takmil_domain::reason::Reason;
use takmil_engine::Spoken;
use takmil_store::Scope;

use crate::rig::{Insurer, Rig, bill, following, insurer, insurer_id, message};

fn claim(number: &str) -> Value {
    message("claim", number, json!({"bill": bill("S1", 100)}))
}

/// What base, first supplementary insurer and member pay.
fn shares(answer: &Spoken) -> (i64, i64, i64) {
    let totals = &answer.decision.as_ref().unwrap().totals;
    let first = totals.supplementary[0].1;
    (totals.base.get(), first.get(), totals.member.get())
}

async fn derives_again(rig: &Rig, id: MessageId) {
    let derived = takmil_engine::derive(rig.engine.store(), id).await.unwrap();
    assert!(derived.same, "to the last trace entry");
}

async fn base(rig: &Rig) -> Simulator {
    let base = insurer("b-1", Wire::Grpc).await;
    rig.has_base_insurer(&base, 400).await;
    base
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_base_insurer_says_is_what_the_others_complete() {
    let rig = Rig::new(&[(Insurer::Delegated, 10_000)]).await;
    let base = base(&rig).await;
    for (number, script, expected) in [
        ("C-1", Script::approve(), (40, 60, 0)),
        ("C-2", Script::adjust(50), (20, 80, 0)),
        ("C-3", Script::refuse(), (0, 90, 10)),
    ] {
        base.perform(script).await;
        let answer = rig.take(claim(number)).await;
        assert_eq!(answer.state, State::Decided, "{number}");
        assert_eq!(shares(&answer), expected, "{number}");
        assert!(!answer.reasons.contains(&Reason::BaseSilent), "{number}");
        let trace = &answer.decision.as_ref().unwrap().lines[0].trace;
        let own = trace.iter().find(|own| own.step == 9).unwrap();
        assert_eq!(own.reason, Reason::BasePaid, "{number}");
        let told = serde_json::to_value(&own.inputs).unwrap();
        assert_eq!(told, json!([["said_by", "b-1"]]), "{number}");
        derives_again(&rig, answer.id).await;
    }
    let asked = base.received();
    let decide = asked.iter().filter(|own| own.purpose == "decide");
    let proposed: Vec<i64> = decide.map(|own| own.share).collect();
    assert_eq!(proposed, [40, 40, 40], "its computed part is the proposal");
    rig.assert_ledger_is_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_and_nonsense_leave_the_computed_part_and_say_so() {
    let rig = Rig::new(&[(Insurer::Delegated, 10_000)]).await;
    let base = base(&rig).await;
    let nonsense = Script::of(takmil_conformance::insurer::Verdict::Nonsense);
    for (number, script) in [
        ("C-1", Script::silent()),
        ("C-2", nonsense),
        ("C-3", Script::pend()),
    ] {
        base.perform(script).await;
        let answer = rig.take(claim(number)).await;
        assert_eq!(answer.state, State::Decided, "{number}");
        assert_eq!(shares(&answer), (40, 60, 0), "{number}");
        assert!(answer.reasons.contains(&Reason::BaseSilent), "{number}");
        derives_again(&rig, answer.id).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_message_says_of_the_base_wins_and_estimates_ask_nobody() {
    let rig = Rig::new(&[(Insurer::Delegated, 10_000)]).await;
    let base = base(&rig).await;
    base.perform(Script::refuse()).await;
    let mut stated = claim("C-1");
    stated["claim"]["bill"]["lines"][0]["base"] = json!({"paid": 30});
    let stated = rig.take(stated).await;
    assert_eq!(shares(&stated), (30, 70, 0));
    let estimate = message("estimate", "E-1", bill("S1", 100));
    let estimate = rig.take(estimate).await;
    assert_eq!(shares(&estimate), (40, 60, 0));
    assert_eq!(base.received(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_base_insurer_is_asked_first_and_the_others_are_proposed_what_it_left() {
    let first = insurer("i-1", Wire::Grpc).await;
    let rig = Rig::new(&[(Insurer::Consulted(&first), 10_000)]).await;
    let base = base(&rig).await;
    base.perform(Script::adjust(50)).await;
    let answer = rig.take(claim("C-1")).await;
    assert_eq!(
        (answer.state, shares(&answer)),
        (State::Decided, (20, 80, 0))
    );
    assert!(answer.reasons.contains(&Reason::InsurerApproved));
    assert_eq!(
        first.received()[0].share,
        80,
        "with what the base insurer left"
    );
    derives_again(&rig, answer.id).await;
    let way = rig.engine.way(&Scope::Hub, answer.id).await.unwrap();
    assert_eq!(way.turns.len(), 2, "one turn takes it, one decides it");

    // Both are silent: nobody waits longer than both may take, and the limit stays reserved.
    base.perform(Script::silent()).await;
    first.perform(Script::silent()).await;
    let begun = std::time::Instant::now();
    let answer = rig.take(claim("C-2")).await;
    assert!(begun.elapsed().as_millis() < 2_500, "{:?}", begun.elapsed());
    assert_eq!(
        (answer.state, shares(&answer)),
        (State::Pended, (40, 60, 0))
    );
    for reason in [Reason::BaseSilent, Reason::InsurerSilent] {
        assert!(answer.reasons.contains(&reason), "{:?}", answer.reasons);
    }
    let late = InsurerDecision {
        message: answer.id,
        reference: "D-1".into(),
        verdict: InsurerVerdict::Approve,
        lines: vec![],
        valid_until: None,
        note: None,
        revision: 0,
    };
    let decided = rig.engine.decide(&insurer_id("i-1"), late).await.unwrap();
    assert_eq!(decided.answer.state, State::Decided);
    assert!(
        decided.answer.reasons.contains(&Reason::BaseSilent),
        "it stays said"
    );
    rig.assert_ledger_is_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_base_insurer_says_late_is_kept_and_changes_nothing() {
    let rig = Rig::new(&[(Insurer::Delegated, 10_000)]).await;
    let base = base(&rig).await;
    base.perform(Script::silent()).await;
    let answer = rig.take(claim("C-1")).await;
    let late = || InsurerDecision {
        message: answer.id,
        reference: "L-1".into(),
        verdict: InsurerVerdict::Refuse,
        lines: vec![],
        valid_until: None,
        note: None,
        revision: 0,
    };
    let base_id = insurer_id("b-1");
    let heard = rig.engine.decide(&base_id, late()).await.unwrap();
    assert!(!heard.repeated && !heard.under_review && heard.receipt.is_some());
    assert_eq!(shares(&heard.answer), (40, 60, 0));
    assert!(rig.engine.decide(&base_id, late()).await.unwrap().repeated);
    let way = rig.engine.way(&Scope::Hub, answer.id).await.unwrap();
    let last = way.turns.last().unwrap();
    assert_eq!(
        (last.state, &*last.legs[0].what),
        (State::Decided, "accepted")
    );
    derives_again(&rig, answer.id).await;

    // It is told what came of it, and that it was taken back.
    base.perform(Script::approve()).await;
    let cancel = following(message("cancel", "X-1", json!({})), "cancels", "C-1");
    rig.take(cancel).await;
    crate::rig::until("the base insurer is told", || {
        let told = base.received();
        let purposes: Vec<&str> = told.iter().map(|own| own.purpose.as_str()).collect();
        purposes.contains(&"decided") && purposes.contains(&"cancelled")
    })
    .await;
    rig.assert_ledger_is_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_insurer_in_both_roles_is_asked_once_in_each() {
    let both = insurer("b-1", Wire::Grpc).await;
    let rig = Rig::new(&[(Insurer::Delegated, 10_000)]).await;
    rig.has_base_insurer(&both, 400).await;
    rig.completes_itself("b-1").await;
    let answer = rig.take(claim("C-1")).await;
    assert_eq!(answer.state, State::Decided, "{:?}", answer.reasons);
    let asked = both.received();
    let decide = asked.iter().filter(|own| own.purpose == "decide");
    assert_eq!(decide.count(), 2, "for its part, and for what it completes");
    assert_eq!(shares(&answer).0, 40);
    derives_again(&rig, answer.id).await;
}
