//! Insurers that say themselves whether a member is covered.

use serde_json::{Value, json};
use takmil_conformance::insurer::{Script, Simulator, Verdict, Wire};
use takmil_domain::life::State;
use takmil_domain::reason::Reason;
use takmil_engine::Spoken;

use crate::rig::{Insurer, Rig, SECRET, bill, insurer, message};

fn question(number: &str) -> Value {
    message("eligibility", number, json!({}))
}

async fn live(rig: &Rig, id: &str, simulator: &Simulator) {
    let terms = json!({"mode": "consulted", "deadline_ms": 400, "eligibility": "live"});
    rig.listens(id, simulator, terms).await;
}

/// Whether the first cover is active, whether its insurer said so, and why not.
fn first(answer: &Spoken) -> (bool, bool, Option<Reason>) {
    let cover = &answer.covers[0];
    (cover.active, cover.stated, cover.reason)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_insurer_says_of_a_cover_counts_and_silence_leaves_the_registered_one() {
    let wires = [
        ("i-1", Wire::Grpc),
        (
            "i-2",
            Wire::Rest {
                secret: SECRET.into(),
            },
        ),
    ];
    let rig = Rig::new(&[(Insurer::Delegated, 1_000), (Insurer::Delegated, 1_000)]).await;
    for (at, (id, wire)) in wires.into_iter().enumerate() {
        let simulator = insurer(id, wire).await;
        live(&rig, id, &simulator).await;
        for (number, script, expected, by_hub) in [
            ("yes", Script::approve(), (true, true, None), false),
            (
                "no",
                Script::refuse(),
                (false, true, Some(Reason::CoverDenied)),
                false,
            ),
            (
                "held",
                Script::pend(),
                (false, true, Some(Reason::CoverSuspended)),
                false,
            ),
            ("silent", Script::silent(), (true, false, None), true),
            (
                "odd",
                Script::of(Verdict::Nonsense),
                (true, false, None),
                true,
            ),
        ] {
            simulator.perform(script).await;
            let answer = rig.take(question(&format!("{id}-{number}"))).await;
            assert_eq!(answer.state, State::Decided, "{id} {number}");
            let cover = &answer.covers[at];
            assert_eq!(
                (cover.active, cover.stated, cover.reason),
                expected,
                "{id} {number}"
            );
            assert_eq!(
                answer.reasons.contains(&Reason::CoverByHub),
                by_hub,
                "{id} {number}"
            );
            assert_eq!(!cover.benefits.is_empty(), cover.stated, "{id} {number}");
        }
        let received = simulator.received();
        let asked = received.iter().filter(|own| own.purpose == "eligibility");
        assert_eq!(asked.count(), 5);
        // By the contract of all others nobody is asked.
        rig.listens(
            id,
            &simulator,
            json!({"mode": "consulted", "deadline_ms": 400}),
        )
        .await;
        let before = simulator.received().len();
        let answer = rig.take(question(&format!("{id}-hub"))).await;
        assert!(!answer.covers[at].stated);
        let asked = simulator.received();
        assert!(
            asked
                .iter()
                .skip(before)
                .all(|own| own.purpose != "eligibility")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_covered_is_told_no_share_and_a_claim_asks_for_decisions_alone() {
    let simulator = insurer("i-1", Wire::Grpc).await;
    let rig = Rig::new(&[(Insurer::Delegated, 1_000)]).await;
    live(&rig, "i-1", &simulator).await;
    let asked = |number: &str| message("eligibility", number, json!({"bill": bill("S1", 100)}));
    let share = |answer: &Spoken| {
        let decision = answer.decision.as_ref().unwrap();
        decision.totals.supplementary_total().get()
    };
    let covered = rig.take(asked("E-1")).await;
    assert_eq!((first(&covered), share(&covered)), ((true, true, None), 90));
    simulator.perform(Script::refuse()).await;
    let denied = rig.take(asked("E-2")).await;
    assert_eq!(first(&denied), (false, true, Some(Reason::CoverDenied)));
    assert_eq!(share(&denied), 0);
    // A repeat has the same answer, and nobody is asked again.
    let count = simulator.received().len();
    let again = rig.send(asked("E-2")).await.result.unwrap();
    assert!(again.repeated);
    assert_eq!(again.answer.covers, denied.covers);
    simulator.perform(Script::approve()).await;
    rig.take(message("claim", "C-1", json!({"bill": bill("S1", 100)})))
        .await;
    let purposes: Vec<String> = simulator.received()[count..]
        .iter()
        .map(|own| own.purpose.clone())
        .collect();
    assert!(purposes.contains(&"decide".to_owned()), "{purposes:?}");
    assert!(
        !purposes.contains(&"eligibility".to_owned()),
        "{purposes:?}"
    );
}
