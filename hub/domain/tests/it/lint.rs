//! What is wrong with base plans, tariffs, price lists and contracts, and what is odd about them.

use serde_json::{Value, json};
use takmil_domain::lint::{Remarks, Versioned as _};
use takmil_domain::participant::Participant;
use takmil_domain::plan::BasePlan;
use takmil_domain::tariff::Document;

fn places(remarks: Remarks) -> Vec<String> {
    remarks.into_iter().map(|(pointer, _)| pointer).collect()
}

/// A document with other parts in place of its own.
fn with(mut document: Value, parts: &Value) -> Value {
    for (name, part) in parts.as_object().unwrap() {
        document[name] = part.clone();
    }
    document
}

fn base_plan(parts: &Value) -> BasePlan {
    let plan = json!({
        "id": "base", "version": 1, "insurer": "ins", "title": "", "currency": "IRR", "from": "2025-01-01",
        "tariff": "state", "rates": [{"codes": {"prefix": ""}, "rate": "70%"}],
    });
    serde_json::from_value(with(plan, parts)).unwrap()
}

fn tariff(parts: &Value) -> Document {
    let tariff = json!({
        "id": "state", "version": 1, "title": "", "currency": "IRR", "from": "2025-01-01",
        "prices": [{"code": {"system": "s", "code": "A"}, "price": 100}],
    });
    serde_json::from_value(with(tariff, parts)).unwrap()
}

fn insurer(contract: Value) -> Participant {
    let entry = json!({"id": "ins", "title": "", "role": "insurer", "currency": "IRR", "contract": contract});
    serde_json::from_value(entry).unwrap()
}

#[test]
fn a_base_plan_that_contradicts_itself_is_told_where() {
    let check = |parts: Value, expected: &[&str]| {
        assert_eq!(places(base_plan(&parts).faults()), expected, "{parts}");
    };
    check(json!({}), &[]);
    check(
        json!({"version": 0, "to": "2024-12-31"}),
        &["/version", "/to"],
    );
    let of_rate = |codes: Value, expected: &[&str]| {
        check(
            json!({"rates": [{"codes": codes, "rate": "0.7"}]}),
            expected,
        );
    };
    of_rate(json!({"group": "nothing"}), &["/rates/0/codes"]);
    of_rate(json!({"codes": []}), &["/rates/0/codes"]);
    of_rate(json!({"from": "B", "to": "A"}), &["/rates/0/codes"]);
    let group = |id: &str, codes: Value| json!({"id": id, "title": "", "codes": codes});
    check(
        json!({"groups": [group("g", json!([])), group("g", json!([]))]}),
        &["/groups/1/id"],
    );
    check(
        json!({"groups": [group("g", json!([{"group": "g"}]))]}),
        &["/groups/0/codes"],
    );
}

#[test]
fn what_the_author_of_a_base_plan_should_look_at_is_told_where() {
    let check = |rates: Value, expected: &[&str]| {
        let plan = base_plan(&json!({"rates": rates}));
        assert_eq!(plan.faults(), [], "{rates}");
        assert_eq!(places(plan.remarks()), expected, "{rates}");
    };
    let rate =
        |codes: Value, class: Option<&str>| json!({"codes": codes, "class": class, "rate": "0.7"});
    let prefix = |prefix: &str| json!({"prefix": prefix});
    check(json!([]), &["/rates"]);
    check(
        json!([rate(prefix(""), None), rate(prefix("A"), None)]),
        &[],
    );
    // The same services twice: the earlier rate takes them all.
    check(
        json!([rate(prefix("A"), None), rate(prefix("A"), None)]),
        &["/rates/1/codes"],
    );
    // In hospital and outside it are two matters.
    check(
        json!([rate(prefix(""), Some("inpatient")), rate(prefix(""), None)]),
        &[],
    );
    check(
        json!([
            rate(prefix(""), Some("inpatient")),
            rate(prefix(""), Some("inpatient"))
        ]),
        &["/rates/1/codes"],
    );
    let listed = |codes: &[&str]| json!({"codes": codes});
    check(
        json!([
            rate(listed(&["A1", "A2"]), None),
            rate(listed(&["A2", "A3"]), None)
        ]),
        &["/rates/1/codes"],
    );
    let range = |from: &str, to: &str| json!({"from": from, "to": to});
    check(
        json!([
            rate(range("A00", "B99"), None),
            rate(range("B50", "C99"), None)
        ]),
        &["/rates/1/codes"],
    );
    let rxnorm = "http://www.nlm.nih.gov/research/umls/rxnorm";
    check(
        json!([rate(json!({"system": rxnorm, "prefix": "68"}), None)]),
        &["/rates/0/codes/prefix"],
    );
}

#[test]
fn a_tariff_that_contradicts_itself_is_told_where() {
    let check = |parts: Value, expected: &[&str]| {
        assert_eq!(places(tariff(&parts).faults()), expected, "{parts}");
    };
    check(json!({}), &[]);
    check(
        json!({"version": 0, "to": "2024-12-31"}),
        &["/version", "/to"],
    );
    let code = |code: &str| json!({"system": "s", "code": code});
    let of_prices = |prices: Value, k: Value, expected: &[&str]| {
        check(json!({"prices": prices, "k": k}), expected);
    };
    let none = || json!([]);
    of_prices(
        json!([{"code": code("A"), "price": 1}, {"code": code("B"), "price": 1}, {"code": code("A"), "price": 2}]),
        none(),
        &["/prices/2/code"],
    );
    of_prices(
        json!([{"code": code("A"), "price": 1}, {"code": code("A"), "sector": "private", "price": 2}]),
        none(),
        &[],
    );
    of_prices(
        json!([{"code": code("A"), "price": -1, "reference": -1}]),
        none(),
        &["/prices/0/price", "/prices/0/reference"],
    );
    let relative = |sector: Option<&str>| json!([{"code": code("A"), "sector": sector, "relative": {"professional": "2"}}]);
    let k = |sector: Option<&str>| json!({"sector": sector, "professional": 10});
    of_prices(relative(None), none(), &["/prices/0/relative"]);
    of_prices(relative(None), json!([k(Some("public"))]), &[]);
    of_prices(relative(Some("private")), json!([k(None)]), &[]);
    of_prices(
        relative(Some("private")),
        json!([k(Some("public"))]),
        &["/prices/0/relative"],
    );
    of_prices(
        relative(None),
        json!([k(None), k(Some("public")), k(Some("public"))]),
        &["/k/2/sector"],
    );
    of_prices(
        relative(None),
        json!([{"professional": -1, "technical": -1}]),
        &["/k/0/professional", "/k/0/technical"],
    );
    let package = |services: Value| json!({"code": code("P"), "title": "", "services": services});
    check(
        json!({"packages": [package(json!([{"prefix": "A"}])), package(json!([]))]}),
        &["/packages/1/code", "/packages/1/services"],
    );
    check(
        json!({"packages": [package(json!([{"group": "g"}, {"codes": []}]))]}),
        &["/packages/0/services/0", "/packages/0/services/1"],
    );
    check(
        json!({"generics": [{"title": "", "codes": [{"from": "B", "to": "A"}], "reference": -1}]}),
        &["/generics/0/reference", "/generics/0/codes/0"],
    );
}

#[test]
fn what_the_author_of_a_tariff_should_look_at_is_told_where() {
    let check = |parts: Value, expected: &[&str]| {
        let tariff = tariff(&parts);
        assert_eq!(tariff.faults(), [], "{parts}");
        assert_eq!(places(tariff.remarks()), expected, "{parts}");
    };
    check(json!({}), &[]);
    let of_price = |price: Value, k: Value, expected: &[&str]| {
        let price = with(json!({"code": {"system": "s", "code": "A"}}), &price);
        check(json!({"prices": [price], "k": k}), expected);
    };
    let none = || json!([]);
    of_price(json!({}), none(), &["/prices/0"]);
    of_price(json!({"reference": 5}), none(), &[]);
    of_price(json!({"price": 0}), none(), &["/prices/0/price"]);
    of_price(
        json!({"price": 5, "reference": 0}),
        none(),
        &["/prices/0/reference"],
    );
    let all = json!([{"professional": 10, "technical": 10, "anaesthesia": 10}]);
    let values = |technical: &str| json!({"professional": "1", "technical": technical});
    of_price(
        json!({"price": 5, "relative": values("1")}),
        all.clone(),
        &["/prices/0/relative"],
    );
    of_price(
        json!({"relative": {"professional": "0", "technical": "0"}}),
        all.clone(),
        &["/prices/0/relative"],
    );
    of_price(json!({"relative": values("1")}), all, &[]);
    // A component that a code has and whose K is missing; one that no code has is not missed.
    of_price(
        json!({"relative": values("1")}),
        json!([{"professional": 10}]),
        &["/k/0/technical"],
    );
    of_price(
        json!({"relative": values("0")}),
        json!([{"professional": 10}]),
        &[],
    );
    let by_sector =
        json!([{"professional": 10, "technical": 10}, {"sector": "private", "professional": 20}]);
    of_price(
        json!({"relative": values("1")}),
        by_sector.clone(),
        &["/k/1/technical"],
    );
    of_price(
        json!({"sector": "public", "relative": values("1")}),
        by_sector,
        &[],
    );
    of_price(
        json!({"relative": values("0")}),
        json!([{"sector": "public", "professional": 10}]),
        &["/k"],
    );
    check(
        json!({"packages": [{"code": {"system": "s", "code": "P"}, "title": "", "services": [{"prefix": "A"}]}]}),
        &["/packages/0/code"],
    );
    let generic = |codes: &[&str], sector: Option<&str>| json!({"title": "", "codes": [{"codes": codes}], "sector": sector, "reference": 5});
    check(
        json!({"generics": [generic(&["A", "B"], None), generic(&["B", "C"], None)]}),
        &["/generics/1/codes"],
    );
    check(
        json!({"generics": [generic(&["A"], None), generic(&["A"], Some("public"))]}),
        &[],
    );
}

#[test]
fn versions_follow_each_other_in_time_and_currency() {
    let earlier = [
        json!({"version": 1, "from": "2024-01-01"}),
        json!({"version": 2, "from": "2025-01-01", "to": "2025-12-31"}),
    ];
    for (parts, expected) in [
        (json!({"version": 3, "from": "2026-01-01"}), &[][..]),
        (json!({"version": 3, "from": "2025-06-01"}), &["/from"]),
        (json!({"version": 3, "from": "2024-06-01"}), &["/from"]),
        (json!({"version": 1, "from": "2026-01-01"}), &["/version"]),
        (
            json!({"version": 3, "from": "2026-01-01", "currency": "USD"}),
            &["/currency"],
        ),
    ] {
        let tariffs = earlier.each_ref().map(tariff);
        assert_eq!(
            places(tariff(&parts).faults_after(&tariffs)),
            expected,
            "{parts}"
        );
        let plans = earlier.each_ref().map(base_plan);
        assert_eq!(
            places(base_plan(&parts).faults_after(&plans)),
            expected,
            "{parts}"
        );
    }
}

#[test]
fn of_a_provider_and_an_insurer_one_price_list_is_in_force_on_a_day() {
    let list = |id: &str, provider: Option<&str>, from: &str, to: Option<&str>| {
        let contract = provider.map(|provider| json!({"provider": provider, "insurer": "ins"}));
        tariff(&json!({"id": id, "contract": contract, "from": from, "to": to}))
    };
    let first = list("one", Some("clinic"), "2025-01-01", Some("2025-12-31"));
    for (other, expected) in [
        (
            list("two", Some("clinic"), "2025-12-31", None),
            &["/contract"][..],
        ),
        (
            list("two", Some("clinic"), "2024-01-01", Some("2025-01-01")),
            &["/contract"],
        ),
        (
            list("two", Some("clinic"), "2024-01-01", None),
            &["/contract"],
        ),
        (list("two", Some("clinic"), "2026-01-01", None), &[]),
        (
            list("two", Some("clinic"), "2024-01-01", Some("2024-12-31")),
            &[],
        ),
        (list("one", Some("clinic"), "2025-06-01", None), &[]),
        (list("two", Some("pharmacy"), "2025-01-01", None), &[]),
        (list("two", None, "2025-01-01", None), &[]),
    ] {
        assert_eq!(places(other.faults_beside(&first)), expected, "{other:?}");
        assert_eq!(places(first.faults_beside(&other)), expected, "{other:?}");
    }
}

#[test]
fn a_contract_that_contradicts_itself_is_told_where() {
    let check = |contract: Value, expected: &[&str]| {
        let found = insurer(contract.clone());
        assert_eq!(places(found.faults()), expected, "{contract}");
    };
    check(json!({"mode": "delegated"}), &[]);
    check(
        json!({"mode": "stand_in", "stand_in": {"per_visit": 10, "per_day": 20}}),
        &[],
    );
    for mode in ["delegated", "consulted"] {
        check(
            json!({"mode": mode, "stand_in": {"per_day": 20}}),
            &["/contract/stand_in"],
        );
    }
    check(
        json!({"mode": "stand_in", "stand_in": {"per_visit": -1, "per_day": -1}}),
        &["/contract/stand_in/per_visit", "/contract/stand_in/per_day"],
    );
    check(
        json!({"mode": "delegated", "ratified_by": "ins"}),
        &["/contract/ratified_by"],
    );
    check(json!({"mode": "delegated", "ratified_by": "other"}), &[]);
    let mut provider = insurer(json!({"mode": "delegated"}));
    provider.role = takmil_domain::participant::Role::Provider;
    assert_eq!(places(provider.faults()), ["/contract"]);
    provider.contract = None;
    assert_eq!(provider.faults(), []);
}

#[test]
fn what_the_author_of_a_contract_should_look_at_is_told_where() {
    let check = |contract: Value, expected: &[&str]| {
        let found = insurer(contract.clone());
        assert_eq!(found.faults(), [], "{contract}");
        assert_eq!(places(found.remarks()), expected, "{contract}");
    };
    check(json!({"mode": "consulted"}), &[]);
    check(json!({"mode": "stand_in"}), &["/contract/stand_in"]);
    check(
        json!({"mode": "stand_in", "stand_in": {"classes": ["pharmacy"]}}),
        &["/contract/stand_in"],
    );
    check(
        json!({"mode": "stand_in", "stand_in": {"per_visit": 20, "per_day": 10}}),
        &["/contract/stand_in/per_visit"],
    );
    check(
        json!({"mode": "consulted", "deadline_ms": 20_001}),
        &["/contract/deadline_ms"],
    );
    check(
        json!({"mode": "consulted", "deadline_ms": 49}),
        &["/contract/deadline_ms"],
    );
    check(json!({"mode": "delegated", "deadline_ms": 60_000}), &[]);
    check(
        json!({"mode": "consulted", "decision_hours": 169}),
        &["/contract/decision_hours"],
    );
    let mut nameless = insurer(json!({"mode": "stand_in", "stand_in": {"per_day": 10}}));
    nameless.currency = None;
    assert_eq!(places(nameless.remarks()), ["/currency"]);
}
