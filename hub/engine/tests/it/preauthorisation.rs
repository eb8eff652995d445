//! Pre-authorisations: asked for, decided by a person where the contract wants it, and held to when the bill comes.

use std::sync::Arc;

use serde_json::{Value, json};
use takmil_domain::answer::Answer;
use takmil_domain::date::Date;
use takmil_domain::ids::MessageId;
use takmil_domain::life::State;
use takmil_domain::money::{Amount, Quantity};
use takmil_domain::participant::{DecidedLine, InsurerDecision, InsurerVerdict, Purpose};
use takmil_domain::reason::Reason;
use takmil_engine::{Error, Question, Refusal};

use crate::rig::{Insurer, Rig, following, from, insurer_id, message};

/// So many sessions at 100 each.
fn sessions(code: &str, number: u32, authorisation: Option<&MessageId>) -> Value {
    let mut line = json!({
        "seq": 1, "item": {"source": {"system": "urn:test:services", "code": code}},
        "quantity": number.to_string(), "billed": number * 100,
    });
    if let Some(number) = authorisation {
        line["authorisation"] = json!(number.to_string());
    }
    json!({"lines": [line]})
}

fn request(number: &str, code: &str, asked: u32) -> Value {
    message(
        "preauthorization",
        number,
        json!({"bill": sessions(code, asked, None)}),
    )
}

fn claim(number: &str, code: &str, billed: u32, authorisation: &MessageId) -> Value {
    let bill = sessions(code, billed, Some(authorisation));
    message("claim", number, json!({"bill": bill}))
}

fn paid(answer: &Answer) -> i64 {
    let decision = answer.decision.as_ref().unwrap();
    decision.totals.supplementary_total().get()
}

fn decision(message: MessageId, reference: &str, verdict: InsurerVerdict) -> InsurerDecision {
    InsurerDecision {
        message,
        reference: reference.to_owned(),
        verdict,
        lines: Vec::new(),
        valid_until: None,
        note: None,
        revision: 0,
    }
}

async fn rig() -> Rig {
    Rig::new(&[(Insurer::Delegated, 100_000)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn units_are_used_up_claim_by_claim_and_a_claim_taken_back_gives_them_back() {
    let rig = rig().await;
    let leave = rig.take(request("R-1", "MRI1", 5)).await;
    assert_eq!((leave.state, paid(&leave)), (State::Decided, 450));
    let first = rig.take(claim("C-1", "MRI1", 3, &leave.id)).await;
    assert_eq!(paid(&first), 270);
    let second = rig.take(claim("C-2", "MRI1", 3, &leave.id)).await;
    assert_eq!(paid(&second), 180, "two of three are left");
    let third = rig.take(claim("C-3", "MRI1", 1, &leave.id)).await;
    assert!(third.reasons.contains(&Reason::AuthorisationGone));
    assert_eq!(paid(&third), 0, "this service needs leave");

    let cancel = following(message("cancel", "X-1", json!({})), "cancels", "C-1");
    rig.take(cancel).await;
    let again = rig.take(claim("C-4", "MRI1", 4, &leave.id)).await;
    assert_eq!(paid(&again), 270, "three are free again");
    rig.assert_ledger_is_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_lines_of_a_bill_do_not_use_one_authorised_unit_twice() {
    let rig = rig().await;
    let leave = rig.take(request("R-1", "MRI1", 1)).await;
    let mut bill = sessions("MRI1", 1, Some(&leave.id));
    let mut second = bill["lines"][0].clone();
    second["seq"] = json!(2);
    bill["lines"].as_array_mut().unwrap().push(second);
    let answer = rig
        .take(message("claim", "C-1", json!({"bill": bill})))
        .await;
    assert_eq!(paid(&answer), 90);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authorisation_that_was_taken_back_or_replaced_or_has_expired_counts_no_more() {
    let rig = rig().await;
    let leave = rig.take(request("R-1", "MRI1", 5)).await;
    let amended = following(request("R-2", "MRI1", 2), "replaces", "R-1");
    let amended = rig.take(amended).await;
    assert_eq!(
        rig.left("i-1").await,
        100_000 - 180,
        "only the new one holds"
    );
    let old = rig.take(claim("C-1", "MRI1", 1, &leave.id)).await;
    assert_eq!(paid(&old), 0);
    let new = rig.take(claim("C-2", "MRI1", 1, &amended.id)).await;
    assert_eq!(paid(&new), 90);
    let cancel = following(message("cancel", "X-1", json!({})), "cancels", "R-2");
    let cancelled = rig.take(cancel).await;
    assert_eq!(cancelled.reasons, [Reason::Cancelled], "what is left of it");
    let late = rig.take(claim("C-3", "MRI1", 1, &amended.id)).await;
    assert!(late.reasons.contains(&Reason::AuthorisationGone));

    let leave = rig.take(request("R-3", "MRI1", 5)).await;
    let until = leave.decision.as_ref().unwrap().valid_until.unwrap();
    let mut expired = claim("C-4", "MRI1", 1, &leave.id);
    expired["occurred_on"] = json!(until.add_days(1));
    assert_eq!(paid(&*rig.take(expired).await), 0);
    let mut on_the_last_day = claim("C-5", "MRI1", 1, &leave.id);
    on_the_last_day["occurred_on"] = json!(until);
    assert_eq!(paid(&*rig.take(on_the_last_day).await), 90);
    rig.assert_ledger_is_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_insurer_authorises_fewer_and_for_a_shorter_time() {
    let rig = rig().await;
    let asked = rig.take(request("R-1", "PHY1", 10)).await;
    assert_eq!(asked.state, State::Pended);
    let until: Date = from(json!("2026-11-25"));
    let partly = InsurerDecision {
        lines: vec![DecidedLine {
            seq: 1,
            amount: Amount::new(540).unwrap(),
            quantity: Some(Quantity::whole(6)),
            reasons: Vec::new(),
        }],
        valid_until: Some(until),
        note: Some("Six sessions, then a new report.".to_owned()),
        ..decision(asked.id, "D-1", InsurerVerdict::Adjust)
    };
    let decided = rig.engine.decide(&insurer_id("i-1"), partly).await.unwrap();
    let answer = &decided.answer;
    assert_eq!(answer.state, State::Decided);
    assert_eq!(answer.decision.as_ref().unwrap().valid_until, Some(until));
    assert_eq!(answer.notes[0].text, "Six sessions, then a new report.");
    let bill = rig.take(claim("C-1", "PHY1", 8, &asked.id)).await;
    assert_eq!((bill.state, paid(&bill)), (State::Decided, 540));
    rig.assert_ledger_is_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_stops_the_clock_and_its_reply_puts_the_request_before_the_insurer_again() {
    let rig = rig().await;
    let asked = rig.take(request("R-1", "PHY1", 10)).await;
    let engine = &rig.engine;
    let insurer = insurer_id("i-1");
    let purposes = async || -> Vec<Purpose> {
        let way = engine
            .way(&takmil_store::Scope::Hub, asked.id)
            .await
            .unwrap();
        way.deliveries.iter().map(|own| own.purpose).collect()
    };
    let deadline = async || {
        let way = engine
            .way(&takmil_store::Scope::Hub, asked.id)
            .await
            .unwrap();
        way.envelope.deadline
    };
    assert!(deadline().await.is_some());
    let question = InsurerDecision {
        note: Some("Which side?".to_owned()),
        ..decision(asked.id, "Q-1", InsurerVerdict::Ask)
    };
    let put = engine.decide(&insurer, question).await.unwrap();
    assert_eq!(put.answer.state, State::Queried);
    assert!(put.answer.reasons.contains(&Reason::InsurerAsked));
    assert!(put.answer.notes[0].is_open());
    assert_eq!(deadline().await, None);

    let clinic = Arc::clone(rig.provider());
    let reply = |reference: &str, text: &str| {
        let question = Question {
            reference: reference.to_owned(),
            reply: text.to_owned(),
            attachments: vec![],
        };
        engine.reply(&clinic, asked.id, question)
    };
    assert!(matches!(reply("Q-9", "Left.").await, Err(Error::NotFound)));
    let replied = reply("Q-1", "Left.").await.unwrap().unwrap();
    assert!(!replied.answer.reasons.contains(&Reason::InsurerAsked));
    assert!(deadline().await.is_some());
    assert_eq!(purposes().await, [Purpose::Review, Purpose::Clarified]);
    assert!(reply("Q-1", "Left.").await.unwrap().unwrap().repeated);
    let changed = reply("Q-1", "Right.").await.unwrap();
    assert!(matches!(changed, Err(Refusal::Changed { .. })));

    let approved = decision(asked.id, "D-1", InsurerVerdict::Approve);
    let decided = engine.decide(&insurer, approved).await.unwrap();
    assert_eq!(decided.answer.state, State::Decided);
    assert_eq!(
        decided.answer.notes[0].reply.as_ref().unwrap().text,
        "Left."
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_insurer_that_does_not_decide_in_its_time_is_reminded() {
    let rig = rig().await;
    let asked = rig.take(request("R-1", "PHY1", 10)).await;
    rig.pass_days(4);
    for _ in 0..500 {
        let way = rig
            .engine
            .way(&takmil_store::Scope::Hub, asked.id)
            .await
            .unwrap();
        if way.deliveries.len() == 2 {
            let answer = way.turns.iter().rev().find_map(|turn| turn.answer.as_ref());
            let answer = answer.unwrap();
            assert_eq!(answer.state, State::Pended);
            assert!(answer.reasons.contains(&Reason::InsurerReminded));
            assert!(way.envelope.deadline > Some(rig.engine.now()));
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("nobody was reminded");
}
