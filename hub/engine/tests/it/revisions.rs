//! Several words of one insurer on one claim: the highest revision counts, in whichever order they come.

use serde_json::json;
use takmil_conformance::insurer::{Manner, Script, Simulator, Verdict, Wire};
use takmil_domain::ids::MessageId;
use takmil_domain::life::State;
use takmil_domain::money::Amount;
use takmil_domain::participant::{DecidedLine, InsurerDecision, InsurerVerdict};
use takmil_domain::reason::Reason;
use takmil_engine::{Appealing, DecisionReceipt};

use crate::rig::{Insurer, Rig, bill, insurer, insurer_id, message};

const CEILING: i64 = 100_000;

async fn saying(name: &str, verdict: Verdict) -> Simulator {
    let simulator = insurer(name, Wire::Grpc).await;
    let script = Script {
        verdict,
        manner: Manner::Prompt,
    };
    simulator.perform(script).await;
    simulator
}

fn word(message: MessageId, revision: u32, verdict: InsurerVerdict) -> InsurerDecision {
    InsurerDecision {
        message,
        reference: format!("D-{revision}"),
        verdict,
        lines: vec![],
        valid_until: None,
        note: (verdict == InsurerVerdict::Ask).then(|| "Which side?".to_owned()),
        revision,
    }
}

fn pays(message: MessageId, revision: u32, amount: i64) -> InsurerDecision {
    let line = DecidedLine {
        seq: 1,
        amount: Amount::new(amount).unwrap(),
        quantity: None,
        reasons: vec![],
    };
    InsurerDecision {
        lines: vec![line],
        ..word(message, revision, InsurerVerdict::Adjust)
    }
}

impl Rig {
    async fn claim(&self, number: &str) -> (MessageId, State) {
        let claim = message("claim", number, json!({"bill": bill("S1", 100)}));
        let answer = self.take(claim).await;
        (answer.id, answer.state)
    }

    async fn hears(&self, insurer: &str, word: InsurerDecision) -> DecisionReceipt {
        let taken = self.engine.decide(&insurer_id(insurer), word).await;
        taken.unwrap()
    }
}

fn paid(receipt: &DecisionReceipt) -> i64 {
    let decision = receipt.answer.decision.as_ref().unwrap();
    decision.totals.supplementary_total().get()
}

/// Every order of the numbers below `many`.
fn orders(many: usize) -> Vec<Vec<usize>> {
    let Some(last) = many.checked_sub(1) else {
        return vec![vec![]];
    };
    let shorter = orders(last);
    let with = |order: &Vec<usize>, at: usize| {
        let mut order = order.clone();
        order.insert(at, last);
        order
    };
    shorter
        .iter()
        .flat_map(|order| (0..=order.len()).map(move |at| with(order, at)))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn in_whichever_order_words_come_they_come_to_the_same() {
    let simulator = saying("i-1", Verdict::Pend).await;
    let rig = Rig::new(&[(Insurer::Consulted(&simulator), CEILING)]).await;
    let words = |id| {
        [
            word(id, 1, InsurerVerdict::Ask),
            pays(id, 2, 40),
            word(id, 3, InsurerVerdict::Refuse),
            word(id, 4, InsurerVerdict::Pend),
            pays(id, 5, 70),
        ]
    };
    let orders = orders(5);
    assert_eq!(orders.len(), 120);
    for (at, order) in orders.iter().enumerate() {
        let (id, state) = rig.claim(&format!("C-{at}")).await;
        assert_eq!(state, State::Pended);
        let words = words(id);
        // Each third comes once more, at the end.
        let again = order.iter().filter(|own| (at + *own) % 3 == 0);
        let mut last = None;
        for own in order.iter().chain(again) {
            last = Some(rig.hears("i-1", words[*own].clone()).await);
        }
        let last = last.unwrap();
        assert!(last.answer.state.is_decided(), "{order:?}");
        assert_eq!(paid(&last), 70, "{order:?}");
        let owed = rig.owed(id).await;
        assert_eq!(owed, [("i-1".to_owned(), 70, 70)], "{order:?}");
        let used = 70 * i64::try_from(at + 1).unwrap();
        assert_eq!(rig.left("i-1").await, CEILING - used, "{order:?}");
    }
    rig.assert_ledger_is_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn words_that_pay_the_same_and_say_otherwise_come_to_the_last_one_too() {
    let simulator = saying("i-1", Verdict::Pend).await;
    let rig = Rig::new(&[(Insurer::Consulted(&simulator), CEILING)]).await;
    let mut ends = Vec::new();
    for (at, order) in orders(3).iter().enumerate() {
        let (id, _) = rig.claim(&format!("C-{at}")).await;
        let words = [
            pays(id, 1, 30),
            word(id, 2, InsurerVerdict::Refuse),
            pays(id, 3, 0),
        ];
        let mut last = None;
        for own in order {
            last = Some(rig.hears("i-1", words[*own].clone()).await);
        }
        let decision = last.unwrap().answer.decision.clone().unwrap();
        assert_eq!(decision.totals.supplementary_total(), Amount::ZERO);
        ends.push((decision.totals, decision.lines[0].reasons.clone()));
    }
    assert!(ends.windows(2).all(|two| two[0] == two[1]), "{ends:#?}");
    assert_eq!(rig.left("i-1").await, CEILING);
    rig.assert_ledger_is_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_revision_replaces_and_an_earlier_one_is_kept_without_effect() {
    let simulator = saying("i-1", Verdict::Pend).await;
    let rig = Rig::new(&[(Insurer::Consulted(&simulator), CEILING)]).await;
    let (id, _) = rig.claim("C-1").await;
    let first = rig.hears("i-1", pays(id, 2, 40)).await;
    assert_eq!((first.answer.state, paid(&first)), (State::Decided, 40));
    let earlier = rig.hears("i-1", word(id, 1, InsurerVerdict::Refuse)).await;
    assert!(earlier.superseded && !earlier.under_review && !earlier.repeated);
    assert_eq!(paid(&earlier), 40);
    let later = rig.hears("i-1", pays(id, 3, 50)).await;
    assert_eq!((later.answer.state, paid(&later)), (State::Adjusted, 50));
    assert!(!later.superseded && !later.under_review);
    assert!(later.answer.reasons.contains(&Reason::InsurerRevised));
    // The same amounts by a higher revision change nothing, but what is between them counts no more.
    let same = rig.hears("i-1", pays(id, 9, 50)).await;
    assert_eq!((same.answer.state, paid(&same)), (State::Adjusted, 50));
    let between = rig.hears("i-1", pays(id, 4, 10)).await;
    assert!(between.superseded);
    // Two of one revision contradict each other: people look at it.
    let mut other = pays(id, 9, 60);
    other.reference = "D-9b".to_owned();
    let other = rig.hears("i-1", other).await;
    assert!(other.under_review);
    assert_eq!(paid(&other), 50);
    assert_eq!(rig.left("i-1").await, CEILING - 50);
    assert_eq!(rig.owed(id).await, [("i-1".to_owned(), 50, 50)]);
    rig.assert_ledger_is_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_told_at_the_counter_is_not_revised() {
    let simulator = saying("i-1", Verdict::Approve).await;
    let rig = Rig::new(&[(Insurer::Consulted(&simulator), CEILING)]).await;
    let (id, state) = rig.claim("C-1").await;
    assert_eq!(state, State::Decided);
    let later = rig.hears("i-1", word(id, 1, InsurerVerdict::Refuse)).await;
    assert!(later.under_review);
    assert_eq!((later.answer.state, paid(&later)), (State::Decided, 90));
    assert_eq!(rig.left("i-1").await, CEILING - 90);
    rig.assert_ledger_is_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_insurer_that_has_decided_while_another_is_waited_for_may_revise_and_not_go_back() {
    let (one, other) = (
        saying("i-1", Verdict::Pend).await,
        saying("i-2", Verdict::Pend).await,
    );
    let insurers = [
        (Insurer::Consulted(&one), CEILING),
        (Insurer::Consulted(&other), CEILING),
    ];
    let rig = Rig::new(&insurers).await;
    let (id, _) = rig.claim("C-1").await;
    let first = rig.hears("i-1", pays(id, 2, 30)).await;
    assert_eq!(first.answer.state, State::Pended);
    let earlier = rig.hears("i-1", word(id, 1, InsurerVerdict::Approve)).await;
    assert!(earlier.superseded);
    let undecided = rig.hears("i-1", word(id, 5, InsurerVerdict::Ask)).await;
    assert!(undecided.superseded);
    assert_eq!(undecided.answer.state, State::Pended);
    let later = rig.hears("i-1", pays(id, 3, 20)).await;
    assert!(!later.superseded);
    let last = rig.hears("i-2", word(id, 1, InsurerVerdict::Refuse)).await;
    assert_eq!((last.answer.state, paid(&last)), (State::Decided, 20));
    rig.assert_ledger_is_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_up_word_is_no_answer_to_an_appeal() {
    let simulator = saying("i-1", Verdict::Pend).await;
    let rig = Rig::new(&[(Insurer::Consulted(&simulator), CEILING)]).await;
    let (id, _) = rig.claim("C-1").await;
    rig.hears("i-1", pays(id, 3, 40)).await;
    let appeal = Appealing {
        insurer: None,
        reference: "A-1".to_owned(),
        text: "The report was attached.".to_owned(),
        lines: vec![],
        attachments: vec![],
    };
    let clinic = rig.provider();
    let taken = rig.engine.appeal(clinic, id, appeal).await;
    taken.unwrap().unwrap();
    let earlier = rig.hears("i-1", pays(id, 2, 80)).await;
    assert!(earlier.superseded);
    assert_eq!(earlier.answer.state, State::Appealed);
    let upheld = rig.hears("i-1", pays(id, 5, 40)).await;
    assert_eq!((upheld.answer.state, paid(&upheld)), (State::Decided, 40));
    assert!(upheld.answer.reasons.contains(&Reason::AppealUpheld));
    let between = rig.hears("i-1", pays(id, 4, 70)).await;
    assert!(between.superseded, "it stood by it under a later revision");
    rig.assert_ledger_is_sound().await;
}
