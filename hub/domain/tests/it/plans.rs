//! What is wrong with a plan, what is odd about it, and what the regulator asks of it.

use serde_json::{Value, json};
use takmil_domain::lint::Versioned as _;
use takmil_domain::plan::{Plan, Regulation};

/// A plan of two benefits that nobody has to say anything about, with other parts in place of its own.
fn plan(parts: Value) -> Plan {
    let mut plan = json!({
        "id": "gold", "version": 2, "insurer": "ins", "title": "", "currency": "IRR", "from": "2025-01-01",
        "benefits": [
            {"id": "dental", "title": "", "codes": [{"prefix": "D"}], "rate": "0.2", "limits": ["dental"]},
            {"id": "drugs", "title": "", "codes": [{"system": "s", "prefix": "R"}], "limits": ["drugs"]},
        ],
        "limits": [
            {"id": "dental", "title": "", "ceiling": 500},
            {"id": "drugs", "title": "", "ceiling": 900},
        ],
    });
    for (name, part) in parts.as_object().unwrap() {
        plan[name] = part.clone();
    }
    serde_json::from_value(plan).unwrap()
}

fn benefit(id: &str, parts: Value) -> Value {
    let mut benefit = json!({"id": id, "title": "", "codes": [{"prefix": ""}]});
    for (name, part) in parts.as_object().unwrap() {
        benefit[name] = part.clone();
    }
    benefit
}

fn limit(id: &str, parts: Value) -> Value {
    let mut limit = json!({"id": id, "title": "", "ceiling": 100});
    for (name, part) in parts.as_object().unwrap() {
        limit[name] = part.clone();
    }
    limit
}

fn places(remarks: Vec<(String, &'static str)>) -> Vec<String> {
    remarks.into_iter().map(|(pointer, _)| pointer).collect()
}

#[test]
fn a_plan_that_contradicts_itself_is_told_where() {
    let check = |parts: Value, expected: &[&str]| {
        assert_eq!(places(plan(parts.clone()).faults()), expected, "{parts}");
    };
    check(json!({}), &[]);
    check(
        json!({"version": 0, "to": "2024-12-31"}),
        &["/version", "/to"],
    );
    check(json!({"rounding": {"to": 0}}), &["/rounding/to"]);
    check(
        json!({"procedures": [{"codes": [], "ranks": []}]}),
        &["/procedures/0/ranks"],
    );
    let of_benefit = |parts: Value, expected: &[&str]| {
        check(
            json!({"benefits": [benefit("a", json!({})), benefit("b", parts)]}),
            expected,
        );
    };
    of_benefit(json!({"id": "a"}), &["/benefits/1/id"]);
    of_benefit(json!({"codes": []}), &["/benefits/1/codes"]);
    of_benefit(json!({"copay": -1}), &["/benefits/1/copay"]);
    of_benefit(
        json!({"authorisation_over": -1}),
        &["/benefits/1/authorisation_over"],
    );
    of_benefit(
        json!({"age_min": 9, "age_max": 8}),
        &["/benefits/1/age_max"],
    );
    of_benefit(json!({"limits": ["nothing"]}), &["/benefits/1/limits/0"]);
    of_benefit(
        json!({"codes": [{"group": "nothing"}]}),
        &["/benefits/1/codes/0"],
    );
    of_benefit(json!({"codes": [{"codes": []}]}), &["/benefits/1/codes/0"]);
    of_benefit(
        json!({"diagnoses": [{"from": "B", "to": "A"}]}),
        &["/benefits/1/diagnoses/0"],
    );
    of_benefit(
        json!({"tiers": [{"tier": 2, "copay": -1}, {"tier": 2}]}),
        &["/benefits/1/tiers/0/copay", "/benefits/1/tiers/1/tier"],
    );
    let of_limits = |limits: Value, expected: &[&str]| {
        check(
            json!({"benefits": [benefit("a", json!({}))], "limits": limits}),
            expected,
        );
    };
    of_limits(
        json!([limit("l", json!({})), limit("l", json!({}))]),
        &["/limits/1/id"],
    );
    of_limits(
        json!([limit("l", json!({"ceiling": -1}))]),
        &["/limits/0/ceiling"],
    );
    of_limits(
        json!([limit("l", json!({"kind": "copay", "unit": "count"}))]),
        &["/limits/0/unit"],
    );
    of_limits(
        json!([limit("l", json!({"kind": "copay", "per": "item"}))]),
        &["/limits/0/per"],
    );
    of_limits(
        json!([limit("l", json!({"per": "item", "owner": "account"}))]),
        &["/limits/0/owner"],
    );
    of_limits(
        json!([limit("l", json!({"unit": "visits", "per": "visit"}))]),
        &["/limits/0/per"],
    );
    of_limits(
        json!([limit("l", json!({"within": "nothing"}))]),
        &["/limits/0/within"],
    );
    of_limits(
        json!([limit("l", json!({"within": "l"}))]),
        &["/limits/0/within"],
    );
    of_limits(
        json!([
            limit("a", json!({"within": "b"})),
            limit("b", json!({"within": "a"}))
        ]),
        &["/limits/0/within", "/limits/1/within"],
    );
    of_limits(
        json!([
            limit("a", json!({"within": "b"})),
            limit("b", json!({"kind": "deductible"}))
        ]),
        &["/limits/0/within"],
    );
    let groups = |codes: Value| json!([{"id": "g", "title": "", "codes": codes}]);
    check(
        json!({"groups": groups(json!([{"group": "g"}]))}),
        &["/groups/0/codes"],
    );
    check(
        json!({"groups": groups(json!([{"group": "h"}]))}),
        &["/groups/0/codes/0"],
    );
}

#[test]
fn a_later_version_begins_later_and_within_no_period_that_is_closed() {
    let version = |version: u32, from: &str, to: Option<&str>| {
        plan(json!({"version": version, "from": from, "to": to}))
    };
    let earlier = [
        version(1, "2024-01-01", None),
        version(2, "2025-01-01", Some("2025-12-31")),
    ];
    let check = |new: Plan, expected: &[&str]| {
        assert_eq!(places(new.faults_after(&earlier)), expected, "{}", new.from);
    };
    check(version(3, "2026-01-01", None), &[]);
    check(version(3, "2025-07-01", None), &["/from"]);
    check(version(3, "2025-01-01", None), &["/from"]);
    check(version(1, "2026-01-01", None), &["/version"]);
    check(
        plan(json!({"version": 3, "from": "2026-01-01", "currency": "USD"})),
        &["/currency"],
    );
    assert_eq!(
        places(version(1, "2020-01-01", None).faults_after(&[])),
        [""; 0]
    );
}

#[test]
fn what_an_author_should_look_at_is_told_where() {
    let check = |parts: Value, expected: &[&str]| {
        let plan = plan(parts.clone());
        assert_eq!(plan.faults(), [], "{parts}");
        assert_eq!(places(plan.remarks()), expected, "{parts}");
    };
    check(json!({}), &[]);
    let of_benefits = |benefits: Value, expected: &[&str]| {
        check(json!({"benefits": benefits, "limits": []}), expected);
    };
    // The same services twice: the earlier benefit takes them all.
    of_benefits(
        json!([benefit("a", json!({})), benefit("b", json!({}))]),
        &["/benefits/1/codes/0", "/benefits/1"],
    );
    of_benefits(
        json!([
            benefit("a", json!({"codes": [{"prefix": "D"}]})),
            benefit("b", json!({"codes": [{"prefix": "D"}, {"prefix": "E"}]})),
        ]),
        &["/benefits/1/codes/0"],
    );
    let both = |first: Value, second: Value| {
        json!([
            benefit("a", json!({"codes": [first]})),
            benefit("b", json!({"codes": [second]}))
        ])
    };
    of_benefits(
        both(
            json!({"codes": ["D1", "D2"]}),
            json!({"codes": ["D2", "D3"]}),
        ),
        &["/benefits/1/codes/0"],
    );
    of_benefits(
        both(
            json!({"from": "A00", "to": "B99"}),
            json!({"from": "B50", "to": "C99"}),
        ),
        &["/benefits/1/codes/0"],
    );
    // A longer code is another matter.
    of_benefits(
        json!([
            benefit("a", json!({})),
            benefit("b", json!({"codes": [{"prefix": "D"}]}))
        ]),
        &[],
    );
    of_benefits(
        json!([benefit("a", json!({"rate": "1"}))]),
        &["/benefits/0/rate"],
    );
    let rxnorm = "http://www.nlm.nih.gov/research/umls/rxnorm";
    of_benefits(
        json!([benefit(
            "a",
            json!({"codes": [{"system": rxnorm, "prefix": "68"}]})
        )]),
        &["/benefits/0/codes/0/prefix"],
    );
    check(
        json!({"limits": [], "benefits": [benefit("a", json!({"codes": [{"prefix": "D1"}]}))],
               "exclusions": [{"title": "", "codes": [{"prefix": "D"}]}]}),
        &["/benefits/0"],
    );
    let of_limits = |used: Value, limits: Value, expected: &[&str]| {
        check(
            json!({"benefits": [benefit("a", json!({"limits": used}))], "limits": limits}),
            expected,
        );
    };
    of_limits(json!([]), json!([limit("l", json!({}))]), &["/limits/0"]);
    of_limits(
        json!([]),
        json!([limit("l", json!({"kind": "deductible"}))]),
        &["/limits/0"],
    );
    of_limits(
        json!(["l"]),
        json!([limit("l", json!({"ceiling": 0}))]),
        &["/limits/0/ceiling"],
    );
    // 200 a visit can never be reached where 100 a year are.
    of_limits(
        json!(["visit", "year"]),
        json!([
            limit("visit", json!({"per": "visit", "ceiling": 200})),
            limit("year", json!({}))
        ]),
        &["/limits/0/ceiling"],
    );
    of_limits(
        json!(["visit", "year"]),
        json!([
            limit("visit", json!({"per": "visit", "ceiling": 50})),
            limit("year", json!({}))
        ]),
        &[],
    );
    of_limits(
        json!(["family", "own"]),
        json!([
            limit("family", json!({"owner": "account"})),
            limit("own", json!({"ceiling": 300}))
        ]),
        &["/limits/1/ceiling"],
    );
    of_limits(
        json!(["one", "other"]),
        json!([limit("one", json!({})), limit("other", json!({}))]),
        &["/limits/1/ceiling"],
    );
}

#[test]
fn what_the_regulator_asks_is_held_against_plans_that_begin_under_it() {
    let regulation: Regulation = serde_json::from_value(json!({
        "id": "rules", "version": 1, "issuer": "regulator", "title": "", "currency": "IRR", "from": "2024-06-01",
        "requirements": [
            {"title": "Dental", "service": {"code": "D1"}, "largest_rate": "0.15", "smallest_cover": 600},
            {"title": "Surgery", "service": {"code": "S1"}, "required": true},
            {"title": "Birth", "service": {"code": "D2"}, "longest_waiting_months": 9},
            {"title": "Drugs", "service": {"system": "s", "code": "R7"}, "required": true, "smallest_cover": 900},
        ],
    }))
    .unwrap();
    assert_eq!(regulation.faults(), []);
    let breaches = |plan: Plan| -> Vec<(String, String)> {
        let breaches = regulation.breaches(&plan).into_iter();
        breaches
            .map(|breach| (breach.pointer, breach.requirement))
            .collect()
    };
    let named = |rows: &[(&str, &str)]| -> Vec<(String, String)> {
        rows.iter()
            .map(|(pointer, title)| ((*pointer).to_owned(), (*title).to_owned()))
            .collect()
    };
    let found = [
        ("/benefits/0/rate", "Dental"),
        ("/limits/0/ceiling", "Dental"),
        ("/benefits", "Surgery"),
    ];
    assert_eq!(breaches(plan(json!({}))), named(&found));
    assert_eq!(breaches(plan(json!({"from": "2024-05-31"}))), []);
    assert_eq!(breaches(plan(json!({"currency": "USD"}))), []);
    let long = benefit(
        "a",
        json!({"codes": [{"prefix": ""}], "waiting_months": 10}),
    );
    let expected = named(&[("/benefits/0/waiting_months", "Birth")]);
    assert_eq!(
        breaches(plan(json!({"benefits": [long], "limits": []}))),
        expected
    );
}
