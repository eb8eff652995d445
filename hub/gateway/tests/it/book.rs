//! The book of settlement over gRPC: the same rows and the same refusals as over HTTP.

use reqwest::Method;
use serde_json::{Value, json};
use takmil_conformance::insurer::HubClient;
use takmil_proto::v1::{self, notify_payments_response, state_figures_response};
use tonic::Code;

use crate::hub::{OTHER_INSURER, PROVIDER};
use crate::schemas::conforms;
use crate::settlement::Parties;

fn client(parties: &Parties, key: &str) -> HubClient {
    let hub = &parties.hub;
    HubClient::new(&hub.base, Some(hub.certificate()), key).unwrap()
}

fn notice(reference: &str, units: i64, rows: &[(&str, Option<i64>)]) -> v1::NotifyPaymentsRequest {
    let row = |(message, amount): &(&str, Option<i64>)| v1::PaymentRow {
        message_id: (*message).to_owned(),
        line: None,
        amount: *amount,
    };
    v1::NotifyPaymentsRequest {
        reference: reference.to_owned(),
        provider_id: PROVIDER.to_owned(),
        amount: Some(v1::Money {
            units,
            currency_code: "MAD".to_owned(),
        }),
        paid_on: "2026-03-31".to_owned(),
        rows: rows.iter().map(row).collect(),
        ..v1::NotifyPaymentsRequest::default()
    }
}

/// The payment that was booked, or the code and place of what was wrong.
fn booked(response: &v1::NotifyPaymentsResponse) -> Result<&v1::PaymentTaken, (&str, &str)> {
    match response.result.as_ref().unwrap() {
        notify_payments_response::Result::Taken(taken) => Ok(taken),
        notify_payments_response::Result::Problem(problem) => {
            Err((&problem.code, &problem.pointer))
        }
    }
}

#[tokio::test]
async fn payments_are_noticed_with_the_same_effect_and_refusals_as_over_http() {
    let parties = Parties::new();
    let (first, owed) = parties.claim("G-1").await;
    let (second, _) = parties.claim("G-2").await;
    let insurer = client(&parties, &parties.insurer);
    let unknown = "019abcde-0000-7000-8000-000000000001";
    let mut nobody = notice("P-3", 10, &[]);
    nobody.provider_id = "nobody".to_owned();
    let mut other_payee = notice("P-4", 10, &[]);
    other_payee.payee = 99;
    let mut two_reaches = notice("P-5", 10, &[(&first, None)]);
    two_reaches.statement = Some(1);
    let mut no_day = notice("P-6", 10, &[]);
    no_day.paid_on = "31.03.2026".to_owned();
    let notices = vec![
        notice("P-1", owed + 7, &[(&first, None), (unknown, None)]),
        notice("P-1", owed + 7, &[(&first, None), (unknown, None)]),
        notice("P-1", owed + 8, &[(&first, None)]),
        notice("P-2", 0, &[]),
        nobody,
        other_payee,
        two_reaches,
        no_day,
    ];
    let results = insurer.notify_payments(notices).await.unwrap();
    assert!(results.iter().zip(1..).all(|(own, row)| own.row == row));
    let taken = booked(&results[0]).unwrap();
    assert_eq!((taken.allocated, taken.prepaid), (owed, 7));
    assert_eq!(taken.rows[0].booked, owed);
    assert!(taken.rows[0].refused.is_none());
    assert_eq!(taken.rows[1].refused.as_ref().unwrap().code, "PAY-UNKNOWN");
    assert_eq!(booked(&results[1]).unwrap(), taken, "a repeat");
    let codes: Vec<_> = results[2..]
        .iter()
        .map(|own| booked(own).unwrap_err())
        .collect();
    assert_eq!(codes[0], ("PAY-REFERENCE", ""));
    assert_eq!(codes[1], ("VAL-RANGE", "/amount"));
    assert_eq!(codes[2], ("PAY-UNKNOWN", ""));
    assert_eq!(codes[3].1, "/payee");
    assert_eq!(codes[5].1, "/paid_on");
    // What the book says is the same on both ways.
    let over_http = parties.hub.get("/v1/dues", &parties.insurer).await.ok();
    let dues = insurer.dues(v1::ListDuesRequest::default()).await.unwrap();
    let sums = |due: &v1::ListDuesResponse| {
        json!([
            due.message_id,
            due.incurred,
            due.noticed,
            due.open,
            due.due_on,
            due.lines[0].amount
        ])
    };
    let sums_over_http = |due: &Value| {
        json!([
            due["message"],
            due["incurred"],
            due["noticed"],
            due["open"],
            due["due_on"],
            due["lines"][0]["amount"],
        ])
    };
    let told: Vec<Value> = dues.iter().map(sums).collect();
    let listed = over_http["dues"].as_array().unwrap();
    let listed: Vec<Value> = listed.iter().map(sums_over_http).collect();
    assert_eq!(told, listed);
    let after = v1::ListDuesRequest {
        after: dues[0].cursor.clone(),
        ..v1::ListDuesRequest::default()
    };
    assert_eq!(insurer.dues(after).await.unwrap(), dues[1..]);
    let payment = booked(&results[0]).unwrap().payment_id.clone();
    let path = format!("/v1/payments/{payment}/confirm");
    parties
        .hub
        .send(Method::POST, &path, &parties.provider, &json!({}))
        .await
        .ok();
    let open = v1::ListDuesRequest {
        open: true,
        ..v1::ListDuesRequest::default()
    };
    let open = insurer.dues(open).await.unwrap();
    assert_eq!(open.len(), 1, "what has arrived is settled");
    assert_eq!(open[0].message_id, second);
    // Others see none of it, and providers not even the service.
    let stranger = client(&parties, &parties.hub.place.key(OTHER_INSURER));
    let all = v1::ListDuesRequest::default;
    assert_eq!(stranger.dues(all()).await.unwrap(), []);
    let provider = client(&parties, &parties.provider).dues(all()).await;
    assert_eq!(provider.unwrap_err().code(), Code::PermissionDenied);
    let lost = v1::ListDuesRequest {
        after: "nowhere".to_owned(),
        ..all()
    };
    let lost = insurer.dues(lost).await.unwrap_err();
    assert_eq!(lost.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn statements_figures_and_differences_are_the_same_on_both_ways() {
    let parties = Parties::new();
    let (first, owed) = parties.claim("G-1").await;
    let insurer = client(&parties, &parties.insurer);
    let aging = parties.hub.get("/v1/aging", &parties.insurer).await.ok();
    let day = aging["day"].as_str().unwrap().to_owned();
    let stated = |reference: &str, amount: i64, state: i32| v1::StateFiguresRequest {
        reference: reference.to_owned(),
        from: day.clone(),
        to: day.clone(),
        claims: vec![v1::ClaimFigure {
            message_id: first.clone(),
            amount,
            state,
            limits: [("of-no-plan".to_owned(), 5)].into(),
        }],
    };
    let figures = vec![
        stated("F-1", owed - 1, v1::AnswerState::Decided.into()),
        stated("F-1", owed - 1, v1::AnswerState::Decided.into()),
        stated("F-1", owed, v1::AnswerState::Decided.into()),
        stated("F-2", owed, v1::AnswerState::Pended.into()),
        stated("F-3", -1, 0),
    ];
    let results = insurer.state_figures(figures).await.unwrap();
    let told: Vec<_> = results
        .iter()
        .map(|own| match own.result.as_ref().unwrap() {
            state_figures_response::Result::Taken(taken) => Ok(taken.claims),
            state_figures_response::Result::Problem(problem) => Err(problem.code.as_str()),
        })
        .collect();
    assert_eq!(told[..3], [Ok(1), Ok(1), Err("PAY-REFERENCE")]);
    assert!(told[3].is_err(), "no claim is stated that is not decided");
    assert_eq!(told[4], Err("VAL-RANGE"));
    let provider = json!({
        "reference": "F-1", "from": day, "to": day,
        "claims": [{"message": first, "amount": owed, "insurer": crate::hub::INSURER}],
    });
    let sent = parties
        .hub
        .send(Method::POST, "/v1/figures", &parties.provider, &provider);
    sent.await.ok();
    parties.hub.place.json(&["settle", "reconcile"]);
    let asked = v1::ListDifferencesRequest {
        state: "open".to_owned(),
        ..v1::ListDifferencesRequest::default()
    };
    let differences = insurer.differences(asked).await.unwrap();
    let over_http = parties
        .hub
        .get("/v1/differences?state=open", &parties.insurer)
        .await
        .ok();
    conforms("difference_page", &over_http);
    let told = differences.iter().map(|own| &own.difference_json);
    let told: Vec<Value> = told.map(|own| serde_json::from_str(own).unwrap()).collect();
    assert_eq!(json!(told), over_http["differences"]);
    let mut kinds: Vec<_> = told.iter().map(|own| own["kind"].as_str()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, [Some("amount"), Some("limit")]);

    parties.end_day().await;
    let all = v1::ListStatementsRequest::default();
    let statements = insurer.statements(all).await.unwrap();
    let over_http = parties
        .hub
        .get("/v1/statements", &parties.insurer)
        .await
        .ok();
    let listed = &over_http["statements"][0];
    assert_eq!(statements.len(), 1);
    let own = &statements[0];
    assert_eq!(json!(own.number), listed["number"]);
    assert_eq!(json!(own.digest), listed["digest"]);
    assert_eq!(json!(own.sums), listed["sums"]);
    assert_eq!(own.closing, owed);
    let later = v1::ListStatementsRequest {
        after: own.cursor.clone(),
        ..v1::ListStatementsRequest::default()
    };
    assert_eq!(insurer.statements(later).await.unwrap(), []);
    let wrong = v1::ListStatementsRequest {
        from: "yesterday".to_owned(),
        ..v1::ListStatementsRequest::default()
    };
    let wrong = insurer.statements(wrong).await.unwrap_err();
    assert_eq!(wrong.code(), Code::InvalidArgument);
}
