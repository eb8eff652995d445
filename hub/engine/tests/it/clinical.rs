//! The clinical rules at work: what the prescriber is told, what a plan refuses, and what the hub knows of a member
//! from other providers.

use serde_json::{Value, json};
use takmil_domain::answer::Answer;
use takmil_domain::clinical::{ClinicalRule, Level};
use takmil_domain::reason::Reason;

use crate::rig::{Insurer, Rig, following, message};

const METFORMIN: &str = "861007";
const ASPIRIN: &str = "1191";

fn drug(seq: u32, code: &str) -> Value {
    json!({"seq": seq, "item": {"source": {"system": "rxnorm", "code": code}}})
}

/// A drug handed out on a day, for thirty days.
fn dispense(number: &str, day: &str, code: &str) -> Value {
    let mut line = drug(1, code);
    line["billed"] = json!(100);
    line["quantity"] = json!("30");
    line["days_supply"] = json!(30);
    let mut dispense = message("dispense", number, json!({"lines": [{"line": line}]}));
    dispense["occurred_on"] = json!(day);
    dispense
}

fn prescription(number: &str, authored: &str, lines: Value, diagnoses: Value) -> Value {
    message(
        "prescription",
        number,
        json!({"authored": authored, "diagnoses": diagnoses, "lines": lines}),
    )
}

fn found(answer: &Answer) -> Vec<(ClinicalRule, Level, Vec<u32>)> {
    let finding = |own: &takmil_domain::clinical::Finding| (own.rule, own.level, own.lines.clone());
    answer.findings.iter().map(finding).collect()
}

fn paid(answer: &Answer) -> i64 {
    let decision = answer.decision.as_ref().unwrap();
    decision.totals.supplementary_total().get()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_prescriber_is_told_before_anything_is_handed_out() {
    let rig = Rig::new(&[(Insurer::Delegated, 1_000)]).await;
    let lines = json!([drug(1, METFORMIN), drug(2, METFORMIN)]);
    let men_only = json!([{"coded": {"source": {"system": "icd-10-cm", "code": "C61"}}}]);
    let answer = rig
        .take(prescription("P-1", "2026-11-21", lines, men_only))
        .await;
    let wanted = [
        (ClinicalRule::Sex, Level::Warning, vec![]),
        (ClinicalRule::Duplicate, Level::Warning, vec![1, 2]),
    ];
    for finding in wanted {
        assert!(found(&answer).contains(&finding), "{:?}", found(&answer));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_plan_refuses_is_not_paid_by_its_insurer_and_derives_again() {
    let rig = Rig::new(&[(Insurer::Delegated, 1_000), (Insurer::Delegated, 1_000)]).await;
    let refusing = json!({"levels": {"rules": {"CLIN-REFILL": "refusal"}}});
    rig.publish_terms("i-1", refusing).await;
    let first = rig.take(dispense("D-1", "2026-11-01", METFORMIN)).await;
    assert_eq!((found(&first), paid(&first)), (vec![], 100));

    let early = rig.take(dispense("D-2", "2026-11-11", METFORMIN)).await;
    assert_eq!(
        found(&early),
        [(ClinicalRule::Refill, Level::Refusal, vec![1])]
    );
    let line = &early.decision.as_ref().unwrap().lines[0];
    let refused: Vec<_> = line.supplementary.iter().map(|own| own.refused).collect();
    assert_eq!(
        refused,
        [Some(Reason::ClinicallyRefused), None],
        "the other insurer's plan only warns"
    );
    assert_eq!(paid(&early), 90);
    let derived = takmil_engine::derive(rig.engine.store(), early.id)
        .await
        .unwrap();
    assert!(derived.same);

    let in_time = rig.take(dispense("D-3", "2026-12-10", METFORMIN)).await;
    assert_eq!(found(&in_time), []);
    rig.assert_ledger_is_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_pharmacy_handed_out_counts_and_what_was_taken_back_does_not() {
    let rig = Rig::new(&[(Insurer::Delegated, 1_000)]).await;
    let early = (ClinicalRule::Refill, Level::Warning, vec![1]);
    rig.take_of("far-pharmacy", dispense("D-1", "2026-11-01", METFORMIN))
        .await;
    let answer = rig.take(dispense("D-2", "2026-11-05", METFORMIN)).await;
    assert_eq!(found(&answer), std::slice::from_ref(&early));
    assert!(answer.findings[0].past);

    // The pharmacy's claim tells of the same event once more.
    let mut claim = dispense("C-2", "2026-11-05", METFORMIN);
    let line = claim["dispense"]["lines"][0]["line"].clone();
    claim = message("claim", "C-2", json!({"bill": {"lines": [line]}}));
    claim["occurred_on"] = json!("2026-11-05");
    let answer = rig.take(claim).await;
    assert_eq!(found(&answer), [early], "not against its own dispense");

    let rig = Rig::new(&[(Insurer::Delegated, 1_000)]).await;
    rig.take(dispense("D-1", "2026-11-01", METFORMIN)).await;
    let cancel = following(message("cancel", "X-1", json!({})), "cancels", "D-1");
    rig.take(cancel).await;
    let answer = rig.take(dispense("D-2", "2026-11-05", METFORMIN)).await;
    assert_eq!(found(&answer), []);
    let answer = rig.take(dispense("D-3", "2026-11-06", ASPIRIN)).await;
    assert_eq!(found(&answer), [], "another drug");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prescription_of_another_provider_is_found_by_its_number_and_must_be_valid() {
    let rig = Rig::new(&[(Insurer::Delegated, 1_000)]).await;
    let lines = json!([drug(1, METFORMIN)]);
    let mut order = prescription("P-1", "2026-08-01", lines, json!([]));
    order["identifiers"] = json!([{"system": "urn:test:prescriptions", "value": "77"}]);
    rig.take_of("doctor", order).await;

    let names = |number: &str| json!([{"relation": "prescription", "identifier": {"system": "urn:test:prescriptions", "value": number}}]);
    let mut late = dispense("D-1", "2026-11-01", METFORMIN);
    late["correlates"] = names("77");
    let answer = rig.take(late).await;
    assert_eq!(
        found(&answer),
        [(ClinicalRule::Prescription, Level::Warning, vec![1])]
    );
    let mut unknown = dispense("D-2", "2026-12-10", METFORMIN);
    unknown["correlates"] = names("78");
    assert_eq!(found(&*rig.take(unknown).await), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_one_turn_see_each_other() {
    let rig = Rig::new(&[(Insurer::Delegated, 100_000)]).await;
    let sent = (1..=8).map(|at| rig.take(dispense(&format!("D-{at}"), "2026-11-01", METFORMIN)));
    let answers = futures::future::join_all(sent).await;
    // All of one day and one sender: they tell of the same event, for the rules.
    assert!(answers.iter().all(|answer| found(answer).is_empty()));
    let sent = (1..=8).map(|at| {
        let code = if at % 2 == 0 { METFORMIN } else { ASPIRIN };
        rig.take(dispense(
            &format!("E-{at}"),
            &format!("2026-11-0{}", at + 1),
            code,
        ))
    });
    let answers = futures::future::join_all(sent).await;
    let refills = answers.iter().filter(|answer| !answer.findings.is_empty());
    assert!(
        refills.count() >= 4,
        "each of metformin, and all of aspirin but one"
    );
}
