//! Decisions are read strictly, and what is typed on the wire is what stands in the document.

use serde_json::{Value, json};
use takmil_domain::answer::Answer;
use takmil_domain::money::{Amount, Currency};
use takmil_domain::participant::Purpose;
use takmil_domain::problem::ProblemCode;
use takmil_insurers::{grpc, rest};
use takmil_proto::v1;
use uuid::Uuid;

use crate::fixture::{delivery, proposal};

/// A decision of one line, with some fields set otherwise; `null` takes one away.
fn body(changes: Value) -> String {
    let mut body = json!({
        "message": proposal().id, "reference": "A-1", "verdict": "adjust",
        "lines": [{"seq": 1, "amount": 5}]
    });
    let fields = body.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => fields.remove(name),
            value => fields.insert(name.clone(), value.clone()),
        };
    }
    body.to_string()
}

#[test]
fn a_json_decision_is_read_strictly() {
    let check = |changes: Value, expected: Result<(), (ProblemCode, &str)>| {
        let read = rest::json::decision(body(changes.clone()).as_bytes());
        let read = read
            .map(|_| ())
            .map_err(|problem| (problem.code, problem.pointer));
        let expected = expected.map_err(|(code, pointer)| (code, pointer.to_owned()));
        assert_eq!(read, expected, "{changes}");
    };
    use ProblemCode::*;
    let line = |line: Value| json!({"lines": [line]});
    check(json!({}), Ok(()));
    check(json!({"total": 5, "currency": "IRR", "note": "نه"}), Ok(()));
    check(json!({"verdict": "approve", "lines": null}), Ok(()));
    check(
        json!({"verdict": "refuse", "lines": [{"seq": 1, "amount": 0, "reasons": ["no"]}]}),
        Ok(()),
    );
    check(json!({"total": 6}), Err((BadValue, "/total")));
    check(json!({"total": 5.0}), Err((BadValue, "")));
    check(json!({"currency": "TOM"}), Err((BadValue, "")));
    check(json!({"verdict": "maybe"}), Err((BadValue, "")));
    check(json!({"verdict": null}), Err((BadValue, "")));
    check(json!({"message": "7"}), Err((BadValue, "")));
    check(json!({"amount": 1}), Err((BadValue, "")));
    check(json!({"reference": ""}), Err((Missing, "/reference")));
    check(
        json!({"reference": "x".repeat(129)}),
        Err((TooLarge, "/reference")),
    );
    check(
        json!({"reference": "a\u{7}"}),
        Err((ControlCharacter, "/reference")),
    );
    check(json!({"note": "x".repeat(2_001)}), Err((TooLarge, "/note")));
    check(json!({"lines": null}), Err((Missing, "/lines")));
    check(json!({"verdict": "approve"}), Err((TooMany, "/lines")));
    check(json!({"verdict": "pend"}), Err((TooMany, "/lines")));
    check(
        json!({"verdict": "refuse"}),
        Err((BadValue, "/lines/0/amount")),
    );
    check(
        line(json!({"seq": 1, "amount": -1})),
        Err((Negative, "/lines/0/amount")),
    );
    check(line(json!({"seq": 1, "amount": 1.5})), Err((BadValue, "")));
    check(line(json!({"seq": 1, "amount": "5"})), Err((BadValue, "")));
    check(
        line(json!({"seq": 1, "amount": 900_000_000_000_001_i64})),
        Err((BadValue, "")),
    );
    check(line(json!({"seq": -1, "amount": 1})), Err((BadValue, "")));
    check(line(json!({"seq": 1})), Err((BadValue, "")));
    let reasons = |reasons: Vec<String>| line(json!({"seq": 1, "amount": 1, "reasons": reasons}));
    check(
        reasons(vec!["a".into(); 17]),
        Err((TooMany, "/lines/0/reasons")),
    );
    check(
        reasons(vec!["x".repeat(257)]),
        Err((TooLarge, "/lines/0/reasons/0")),
    );
    let twice = json!([{"seq": 1, "amount": 1}, {"seq": 1, "amount": 1}]);
    check(
        json!({"lines": twice}),
        Err((DuplicateLine, "/lines/1/seq")),
    );
    let many: Vec<Value> = (0..10_001)
        .map(|seq| json!({"seq": seq, "amount": 1}))
        .collect();
    check(json!({"lines": many}), Err((TooManyLines, "/lines")));
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let read = rest::json::decision(deep.as_bytes()).map_err(|problem| problem.code);
    assert!(read.is_err());
}

#[test]
fn a_grpc_decision_is_read_strictly() {
    let money = |units, currency: &str| {
        Some(v1::Money {
            units,
            currency_code: currency.to_owned(),
        })
    };
    let line = |amount| v1::DecidedLine {
        seq: 1,
        amount,
        quantity: String::new(),
        reasons: Vec::new(),
    };
    let sound = v1::InsurerDecision {
        message_id: proposal().id.to_string(),
        reference: "A-1".into(),
        verdict: v1::Verdict::Adjust.into(),
        lines: vec![line(money(5, "IRR"))],
        total: money(5, "IRR"),
        valid_until: String::new(),
        note: String::new(),
        revision: 0,
    };
    let check = |change: &dyn Fn(&mut v1::InsurerDecision), code, pointer: &str| {
        let mut decision = sound.clone();
        change(&mut decision);
        let problem = grpc::decision::read(&decision).unwrap_err();
        assert_eq!((problem.code, &*problem.pointer), (code, pointer));
    };
    grpc::decision::read(&sound)
        .unwrap()
        .fit(&proposal())
        .unwrap();
    use ProblemCode::*;
    check(&|it| it.message_id.clear(), BadIdentifier, "/message_id");
    check(&|it| it.verdict = 0, Missing, "/verdict");
    check(&|it| it.verdict = 99, BadValue, "/verdict");
    check(&|it| it.reference.clear(), Missing, "/reference");
    check(
        &|it| it.lines = vec![line(None)],
        Missing,
        "/lines/0/amount",
    );
    check(
        &|it| it.lines = vec![line(money(5, ""))],
        UnknownCurrency,
        "/lines/0/amount/currency_code",
    );
    check(
        &|it| it.total = money(5, "MAD"),
        MixedCurrency,
        "/total/currency_code",
    );
    check(&|it| it.total = money(6, "IRR"), BadValue, "/total");
    check(
        &|it| it.lines = vec![line(money(-5, "IRR"))],
        Negative,
        "/lines/0/amount",
    );
    check(
        &|it| it.lines = vec![line(money(i64::MAX, "IRR"))],
        OutOfRange,
        "/lines/0/amount/units",
    );
    check(
        &|it| it.total = money(i64::MIN, "IRR"),
        OutOfRange,
        "/total/units",
    );
}

#[test]
fn a_decision_must_fit_its_proposal() {
    let stated = rest::json::decision(body(json!({"currency": "IRR"})).as_bytes()).unwrap();
    assert_eq!(stated.message(), proposal().id);
    let check = |change: &dyn Fn(&mut Answer), code, pointer: &str| {
        let mut proposal = proposal();
        change(&mut proposal);
        let problem = stated.clone().fit(&proposal).unwrap_err();
        assert_eq!((problem.code, &*problem.pointer), (code, pointer));
    };
    stated.clone().fit(&proposal()).unwrap();
    use ProblemCode::*;
    check(
        &|it| it.id.0 = Uuid::from_u128(99),
        DanglingReference,
        "/message",
    );
    let other = |it: &mut Answer| {
        it.decision.as_mut().unwrap().currency = Currency::parse("MAD").unwrap();
    };
    check(&other, MixedCurrency, "/currency");
    let fewer = |it: &mut Answer| {
        it.decision.as_mut().unwrap().lines.remove(0);
    };
    check(&fewer, DanglingReference, "/lines/0/seq");
    let smaller = |it: &mut Answer| {
        it.decision.as_mut().unwrap().lines[0].billed = Amount::ZERO;
    };
    check(&smaller, OutOfRange, "/lines/0/amount");
    check(&|it| it.decision = None, DanglingReference, "/lines/0/seq");
}

#[test]
fn what_an_insurer_computes_with_is_typed() {
    let delivery = delivery(7, Purpose::Review);
    let wire = grpc::delivery::to_wire(&delivery).unwrap();
    assert_eq!(wire.document_json, delivery.document.as_bytes());
    assert_eq!(wire.delivery_id, delivery.id.to_string());
    assert_eq!(
        (wire.purpose(), wire.kind()),
        (v1::Purpose::Review, v1::MessageKind::Claim)
    );
    let created = wire.created_at.unwrap();
    assert_eq!((created.seconds, created.nanos), (1_795_000_000, 950_000));

    let message = wire.message.unwrap();
    let member = message.member.unwrap();
    assert_eq!(member.identifiers[0].value, "0012345679");
    assert_eq!(
        (member.birth_date.as_str(), member.sex()),
        ("1990-05", v1::Sex::Female)
    );
    assert_eq!(message.correlates[0].relation(), v1::Relation::Prescription);
    assert_eq!(message.provider.unwrap().identifiers[0].value, "77");
    assert_eq!(message.occurred_on, "2026-11-21");

    let bill = message.bill.unwrap();
    let classes = (bill.bill_class(), bill.encounter_class());
    assert_eq!(
        classes,
        (v1::BillClass::Pharmacy, v1::EncounterClass::Outpatient)
    );
    assert_eq!(bill.encounter_identifiers[0].value, "V-3");
    assert_eq!(bill.diagnoses[0].source.as_ref().unwrap().code, "E11.9");
    let rials = |units| {
        Some(v1::Money {
            units,
            currency_code: "IRR".into(),
        })
    };
    assert_eq!(bill.stated_total, rials(1_118_000));
    let [first, second] = &bill.lines[..] else {
        panic!("two lines")
    };
    let item = first.item.as_ref().unwrap();
    assert_eq!(item.common.as_ref().unwrap().code, "5856");
    assert_eq!(
        (item.text.as_str(), first.quantity.as_str()),
        ("insulin", "2.5")
    );
    assert_eq!(
        (first.serviced_start.as_str(), first.serviced_end.as_str()),
        ("2026-11-21", "")
    );
    assert_eq!(
        (&first.unit_price, &first.base_paid),
        (&rials(400_000), &rials(700_000))
    );
    assert_eq!(first.authorisation, "A-4");
    assert_eq!(
        second.billed,
        rials(118_000),
        "price times quantity, where no sum is stated"
    );
    assert_eq!(second.details.len(), 1);

    let answer = wire.answer.unwrap();
    assert_eq!(answer.state(), v1::AnswerState::Consulting);
    let decision = answer.decision.unwrap();
    let totals = decision.totals.as_ref().unwrap();
    assert_eq!(totals.supplementary[0].amount, rials(243_618));
    assert_eq!(
        (&totals.billed, &totals.member),
        (&rials(1_118_000), &rials(91_782))
    );
    let share = &decision.lines[0].supplementary[0];
    assert_eq!(
        (share.benefit_id.as_str(), &share.amount),
        ("drugs", &rials(243_609))
    );
    let step = &decision.lines[0].trace[0];
    assert_eq!(
        (step.step, step.reason.as_str(), step.rule.as_str()),
        (11, "SHARE-PAID", "drugs@3")
    );
    assert_eq!(step.inputs[0].value, "0.1");
    let remainder = &decision.remainders[0];
    assert_eq!((remainder.before, remainder.after), (9_000_000, 8_756_382));
    assert_eq!(remainder.kind(), v1::LimitKind::Ceiling);
    assert_eq!(decision.basis[0].version, 3);
}

#[test]
fn orders_and_things_handed_out_are_lines_too() {
    let document = |message: Value| {
        let mut delivery = delivery(1, Purpose::Decided);
        delivery.document = json!({"message": message, "answer": proposal()}).to_string();
        grpc::delivery::to_wire(&delivery)
            .unwrap()
            .message
            .unwrap()
            .bill
    };
    let item = json!({"text": "insulin"});
    let ordered = document(json!({"kind": "prescription", "prescription": {
        "diagnoses": [{"coded": {"text": "diabetes"}}],
        "lines": [{"seq": 1, "item": item, "quantity": {"value": 3}}]
    }}));
    let ordered = ordered.unwrap();
    assert_eq!(ordered.diagnoses[0].text, "diabetes");
    assert_eq!(ordered.lines[0].quantity, "3");
    let given = document(json!({"kind": "dispense", "currency": "MAD", "dispense": {
        "lines": [{"line": {"seq": 4, "item": item, "billed": 700}}], "total": 700
    }}));
    let given = given.unwrap();
    assert_eq!(given.lines[0].billed.as_ref().unwrap().currency_code, "MAD");
    assert_eq!(given.stated_total.unwrap().units, 700);
    assert_eq!(document(json!({"kind": "cancel", "cancel": {}})), None);
}
