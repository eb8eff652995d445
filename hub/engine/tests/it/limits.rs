//! Limits: reserved, used, given back, never spent twice.

use serde_json::json;
use takmil_domain::life::State;
use takmil_domain::reason::Reason;
use takmil_engine::Refusal;

use crate::rig::{Insurer, Rig, bill, following, message, refusal, taken};

#[tokio::test(flavor = "multi_thread")]
async fn an_admission_reserves_and_its_claim_uses_what_was_reserved() {
    let rig = Rig::new(&[(Insurer::Delegated, 1_000)]).await;
    let admission = rig
        .take(message(
            "admission",
            "A-1",
            json!({"bill": bill("S1", 500)}),
        ))
        .await;
    assert_eq!(admission.state, State::Decided);
    assert_eq!(
        admission
            .decision
            .as_ref()
            .unwrap()
            .totals
            .supplementary_total()
            .get(),
        450
    );
    assert_eq!(admission.letter.as_ref().unwrap().exclusions, ["Cosmetic"]);
    assert_eq!(rig.left("i-1").await, 550);

    let claim = following(
        message("claim", "C-1", json!({"bill": bill("S1", 400)})),
        "admission",
        "A-1",
    );
    let claim = rig.take(claim).await;
    assert!(claim.reasons.contains(&Reason::ReservationUsed));
    assert_eq!(
        claim
            .decision
            .as_ref()
            .unwrap()
            .totals
            .supplementary_total()
            .get(),
        360
    );
    assert_eq!(
        rig.left("i-1").await,
        640,
        "what was not used is free again"
    );
    rig.assert_ledger_is_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_above_its_reservation_is_judged_on_what_is_left_beside_it() {
    let rig = Rig::new(&[(Insurer::Delegated, 1_000)]).await;
    rig.take(message(
        "admission",
        "A-1",
        json!({"bill": bill("S1", 500)}),
    ))
    .await;
    rig.take(message(
        "admission",
        "A-2",
        json!({"bill": bill("S1", 500)}),
    ))
    .await;
    assert_eq!(rig.left("i-1").await, 100);
    let claim = rig
        .take(following(
            message("claim", "C-1", json!({"bill": bill("S1", 900)})),
            "admission",
            "A-1",
        ))
        .await;
    let decision = claim.decision.as_ref().unwrap();
    assert_eq!(
        decision.totals.supplementary_total().get(),
        550,
        "450 reserved and 100 beside"
    );
    assert!(decision.lines[0].reasons.contains(&Reason::LimitReached));
    assert_eq!(rig.left("i-1").await, 0);
    rig.assert_ledger_is_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn interim_bills_use_a_reservation_in_parts() {
    let rig = Rig::new(&[(Insurer::Delegated, 1_000)]).await;
    rig.take(message(
        "admission",
        "A-1",
        json!({"bill": bill("S1", 1_000)}),
    ))
    .await;
    assert_eq!(rig.left("i-1").await, 100);
    let interim = following(
        message(
            "claim",
            "C-1",
            json!({"interim": true, "bill": bill("S1", 300)}),
        ),
        "admission",
        "A-1",
    );
    rig.take(interim).await;
    assert_eq!(
        rig.left("i-1").await,
        100,
        "270 of the reservation were used, the rest still stands"
    );
    rig.take(following(
        message("claim", "C-2", json!({"bill": bill("S1", 200)})),
        "admission",
        "A-1",
    ))
    .await;
    assert_eq!(
        rig.left("i-1").await,
        550,
        "the last bill gives the rest back"
    );
    rig.assert_ledger_is_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_gets_the_answer_that_was_given_and_a_changed_body_is_told() {
    let rig = Rig::new(&[(Insurer::Delegated, 1_000)]).await;
    let claim = message("claim", "C-1", json!({"bill": bill("S1", 100)}));
    let first = taken(rig.send(claim.clone()).await);
    let second = taken(rig.send(claim).await);
    assert!(!first.repeated && second.repeated);
    assert_eq!(first.answer, second.answer);
    let changed = refusal(
        rig.send(message("claim", "C-1", json!({"bill": bill("S1", 101)})))
            .await,
    );
    assert_eq!(
        changed,
        Refusal::Changed {
            earlier: first.answer.id
        }
    );
    let other = message("claim", "C-2", json!({"bill": bill("S1", 100)}));
    taken(rig.send_with(other.clone(), Some("k")).await);
    assert!(taken(rig.send_with(other, Some("k")).await).repeated);
    assert_eq!(rig.left("i-1").await, 820);
    rig.assert_ledger_is_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_back_is_free_again() {
    let rig = Rig::new(&[(Insurer::Delegated, 1_000)]).await;
    rig.take(message(
        "admission",
        "A-1",
        json!({"bill": bill("S1", 500)}),
    ))
    .await;
    let claim = rig
        .take(message("claim", "C-1", json!({"bill": bill("S1", 100)})))
        .await;
    assert_eq!(rig.left("i-1").await, 460);
    let cancel = rig
        .take(following(
            message("cancel", "X-1", json!({})),
            "cancels",
            "A-1",
        ))
        .await;
    assert_eq!(cancel.reasons.last(), Some(&Reason::Cancelled));
    assert_eq!(rig.left("i-1").await, 910);
    let again = rig
        .take(following(
            message("cancel", "X-2", json!({})),
            "cancels",
            "A-1",
        ))
        .await;
    assert_eq!(again.reasons.last(), Some(&Reason::NothingToCancel));
    let replacing = following(
        message("claim", "C-2", json!({"bill": bill("S1", 200)})),
        "replaces",
        "C-1",
    );
    rig.take(replacing).await;
    assert_eq!(
        rig.left("i-1").await,
        820,
        "the replaced claim no longer counts"
    );
    let way = rig
        .engine
        .way(&takmil_store::Scope::Hub, claim.id)
        .await
        .unwrap();
    assert_eq!(way.envelope.state, State::Reversed);
    rig.assert_ledger_is_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_used_admission_cannot_be_taken_back() {
    let rig = Rig::new(&[(Insurer::Delegated, 1_000)]).await;
    rig.take(message(
        "admission",
        "A-1",
        json!({"bill": bill("S1", 500)}),
    ))
    .await;
    rig.take(following(
        message("claim", "C-1", json!({"bill": bill("S1", 500)})),
        "admission",
        "A-1",
    ))
    .await;
    let cancel = rig
        .take(following(
            message("cancel", "X-1", json!({})),
            "cancels",
            "A-1",
        ))
        .await;
    assert_eq!(cancel.reasons.last(), Some(&Reason::NotCancellable));
    assert_eq!(rig.left("i-1").await, 550);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reservation_ends_by_the_clock() {
    let rig = Rig::new(&[(Insurer::Delegated, 1_000)]).await;
    rig.take(message(
        "admission",
        "A-1",
        json!({"bill": bill("S1", 500)}),
    ))
    .await;
    rig.pass_days(8);
    for _ in 0..200 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        if rig.left("i-1").await == 1_000 {
            break;
        }
    }
    assert_eq!(rig.left("i-1").await, 1_000);
    let claim = rig
        .take(following(
            message("claim", "C-1", json!({"bill": bill("S1", 100)})),
            "admission",
            "A-1",
        ))
        .await;
    assert!(claim.reasons.contains(&Reason::ReservationGone));
    rig.assert_ledger_is_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_raced_by_many_is_spent_exactly_once() {
    let rig = Rig::new(&[(Insurer::Delegated, 1_000)]).await;
    let claims = (0..200).map(|number| {
        rig.take(message(
            "claim",
            &format!("R-{number}"),
            json!({"bill": bill("S1", 70)}),
        ))
    });
    let answers = futures::future::join_all(claims).await;
    let paid: i64 = answers
        .iter()
        .map(|answer| {
            answer
                .decision
                .as_ref()
                .unwrap()
                .totals
                .supplementary_total()
                .get()
        })
        .sum();
    assert_eq!(paid, 1_000);
    assert_eq!(rig.left("i-1").await, 0);
    rig.assert_ledger_is_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preauthorisation_lets_its_claim_bill_what_was_asked_for() {
    let rig = Rig::new(&[(Insurer::Delegated, 1_000)]).await;
    let without = rig
        .take(message("claim", "C-0", json!({"bill": bill("MRI1", 300)})))
        .await;
    assert!(
        without.decision.as_ref().unwrap().lines[0]
            .reasons
            .contains(&Reason::AuthorisationMissing)
    );
    let leave = rig
        .take(message(
            "preauthorization",
            "P-1",
            json!({"bill": bill("MRI1", 300)}),
        ))
        .await;
    assert_eq!(leave.state, State::Decided);
    assert_eq!(rig.left("i-1").await, 730);
    let mut claim = message("claim", "C-1", json!({"bill": bill("MRI1", 400)}));
    claim["claim"]["bill"]["lines"][0]["authorisation"] = json!(leave.id.to_string());
    let claim = rig.take(claim).await;
    let line = &claim.decision.as_ref().unwrap().lines[0];
    assert_eq!(
        line.supplementary_total().get(),
        270,
        "no more than was authorised"
    );
    assert!(line.reasons.contains(&Reason::AuthorisedAmount));
    assert_eq!(rig.left("i-1").await, 730);
    rig.assert_ledger_is_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_member_is_recorded_and_nothing_is_reserved() {
    let rig = Rig::new(&[(Insurer::Delegated, 1_000)]).await;
    let mut admission = message("admission", "A-1", json!({"bill": bill("S1", 500)}));
    admission["member"]["identifiers"][0]["value"] = json!("nobody");
    let answer = rig.take(admission).await;
    assert_eq!(
        (answer.state, answer.decision.is_none()),
        (State::Recorded, true)
    );
    assert!(answer.reasons.contains(&Reason::MemberUnknown));
    assert_eq!(answer.unmapped, ["/admission/bill/lines/0/item"]);
    rig.assert_ledger_is_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_message_of_a_body_leaves_the_others_alone() {
    let rig = Rig::new(&[(Insurer::Delegated, 1_000)]).await;
    let good = message("claim", "C-1", json!({"bill": bill("S1", 100)}));
    let bad = message("claim", "C-2", json!({"bill": bill("S1", -100)}));
    let submission = takmil_engine::Submission {
        sender: rig
            .engine
            .catalog()
            .participant(&crate::rig::insurer_id("clinic"))
            .unwrap()
            .clone(),
        format: &takmil_formats::native::FORMAT,
        expect: None,
        body: serde_json::to_vec(&json!([good, bad])).unwrap(),
        idempotency_key: None,
        received_at: rig.engine.now(),
    };
    let outcomes = rig.engine.submit(submission).await.unwrap();
    assert!(outcomes[0].result.is_ok());
    let Err(Refusal::Invalid(problems)) = &outcomes[1].result else {
        panic!("refused")
    };
    assert_eq!(
        (problems[0].code.code(), problems[0].pointer.as_str()),
        ("VAL-NEGATIVE", "/1/claim/bill/lines/0/billed")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_of_the_plan_moves_the_same_limit_and_never_under_what_is_used() {
    let rig = Rig::new(&[(Insurer::Delegated, 1_000)]).await;
    rig.take(message("claim", "C-1", json!({"bill": bill("S1", 500)})))
        .await;
    rig.publish_version(2, 2_000).await;
    rig.take(message("claim", "C-2", json!({"bill": bill("S1", 100)})))
        .await;
    assert_eq!(rig.left("i-1").await, 2_000 - 450 - 90);
    rig.publish_version(3, 200).await;
    let claim = rig
        .take(message("claim", "C-3", json!({"bill": bill("S1", 100)})))
        .await;
    assert_eq!(
        claim
            .decision
            .as_ref()
            .unwrap()
            .totals
            .supplementary_total()
            .get(),
        0,
        "540 are used, 200 is the ceiling"
    );
    assert_eq!(rig.left("i-1").await, 0);
    rig.assert_ledger_is_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_its_sender_calls_a_draft_has_no_effect() {
    let rig = Rig::new(&[(Insurer::Delegated, 1_000)]).await;
    let mut draft = message("claim", "C-1", json!({"bill": bill("S1", 500)}));
    draft["status"] = json!("draft");
    let answer = rig.take(draft).await;
    assert_eq!(
        (answer.state, answer.reasons.last()),
        (State::Recorded, Some(&Reason::NotActive))
    );
    rig.take(message("claim", "C-2", json!({"bill": bill("S1", 100)})))
        .await;
    assert_eq!(rig.left("i-1").await, 910);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_fails_midway_leaves_nothing_behind_and_others_alone() {
    let rig = Rig::new(&[(Insurer::Delegated, 1_000)]).await;
    let claim = |number: &str| message("claim", number, json!({"bill": bill("S1", 100)}));
    let first = rig.take(claim("C-1")).await;
    rig.spoil("C-2", &[]).await;
    // Its first half takes C-1 back; then it fails on C-2.
    let mut both = claim("C-3");
    both["correlates"] = json!(["C-1", "C-2"].map(|number| {
        json!({"relation": "replaces", "identifier": {"system": "urn:test:messages", "value": number}})
    }));
    // Enough company that some of it is decided in the same turn, before and after.
    let others = (10..30).map(|number| rig.take(claim(&format!("C-{number}"))));
    let (failed, others) =
        tokio::join!(rig.try_send(both, None), futures::future::join_all(others));
    assert!(matches!(
        failed.unwrap_err(),
        takmil_engine::Error::Unreadable { .. }
    ));
    let scope = takmil_store::Scope::Hub;
    let way = rig.engine.way(&scope, first.id).await.unwrap();
    assert_eq!(way.envelope.state, State::Decided);
    assert_eq!(way.turns.len(), 1);
    assert_eq!(way.deliveries.len(), 1, "no word of a cancel is owed");
    let paid: i64 = others
        .iter()
        .chain([&first])
        .map(|answer| answer.decision.as_ref().unwrap())
        .map(|decision| decision.totals.supplementary_total().get())
        .sum();
    assert_eq!(paid, 1_000);
    assert_eq!(rig.left("i-1").await, 0);
    rig.assert_ledger_is_sound().await;
}
