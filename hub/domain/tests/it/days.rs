//! Days that decide: the first and the last of a cover, of a year, of a waiting period, of an age.

use serde_json::json;
use takmil_domain::coverage::{Cover, Person};
use takmil_domain::date::{Calendar, Date};
use takmil_domain::party::Sex;
use takmil_domain::plan::{FiledPlan, Relationship};
use takmil_domain::reason::Reason;

use crate::setting::{Ledger, case, cover, day, line, paid, plan, plan_with_limit, refusal, terms};

fn persian(text: &str) -> Date {
    Date::parse_in(text, Calendar::Persian).unwrap()
}

#[test]
fn a_stay_that_crosses_a_coverage_year_uses_each_years_limit() {
    let check = |plan: FiledPlan, start: Date, first: Date, second: Date, expected: [i64; 2]| {
        let cover = cover(start);
        let lines = vec![line(1, first, 80), line(2, second, 80)];
        let split = Ledger::default().judge(&case(vec![terms(&plan, &cover)], lines));
        assert_eq!(paid(&split), expected, "{first} and {second}");
    };
    let yearly = json!({"ceiling": 100});
    let own = || plan_with_limit(yearly.clone(), json!({}));
    let start = day("2023-05-10");
    check(own(), start, day("2024-05-09"), day("2024-05-10"), [80, 80]);
    check(own(), start, day("2024-05-08"), day("2024-05-09"), [80, 20]);
    check(own(), start, day("2023-12-31"), day("2024-01-01"), [80, 20]);
    let calendar = |name: &str| {
        plan_with_limit(
            yearly.clone(),
            json!({"year": "calendar", "calendar": name}),
        )
    };
    check(
        calendar("gregorian"),
        start,
        day("2023-12-31"),
        day("2024-01-01"),
        [80, 80],
    );
    let (last, first) = (persian("1402/12/29"), persian("1403/01/01"));
    check(calendar("persian"), start, last, first, [80, 80]);
    check(calendar("gregorian"), start, last, first, [80, 20]);
    // A cover that began on a leap day has its anniversary on the last day of February.
    let leap = day("2024-02-29");
    check(own(), leap, day("2025-02-27"), day("2025-02-28"), [80, 80]);
    check(own(), leap, day("2028-02-28"), day("2028-02-29"), [80, 80]);
}

#[test]
fn a_waiting_period_ends_by_the_policys_calendar() {
    let check = |calendar: &str, start: Date, months: u32, date: Date, expected: Option<Reason>| {
        let benefit =
            json!({"id": "all", "title": "", "codes": [{"prefix": ""}], "waiting_months": months});
        let plan = plan(json!({"calendar": calendar, "benefits": [benefit]}));
        let cover = cover(start);
        let split =
            Ledger::default().judge(&case(vec![terms(&plan, &cover)], vec![line(1, date, 10)]));
        assert_eq!(
            refusal(&split),
            expected,
            "{calendar}: {start} and {months} months, on {date}"
        );
    };
    let start = persian("1403/02/01");
    check(
        "persian",
        start,
        9,
        persian("1403/10/30"),
        Some(Reason::Waiting),
    );
    check("persian", start, 9, persian("1403/11/01"), None);
    // Three Gregorian months after the same day are two days shorter.
    let open = persian("1403/05/01");
    assert_eq!(open, day("2024-07-22"));
    check(
        "persian",
        start,
        3,
        day("2024-07-21"),
        Some(Reason::Waiting),
    );
    check("persian", start, 3, open, None);
    check(
        "gregorian",
        start,
        3,
        day("2024-07-19"),
        Some(Reason::Waiting),
    );
    check("gregorian", start, 3, day("2024-07-20"), None);
    // The last day of a month that the later month does not have: the later month's last day.
    check(
        "persian",
        persian("1403/06/31"),
        6,
        persian("1403/12/29"),
        Some(Reason::Waiting),
    );
    check(
        "persian",
        persian("1403/06/31"),
        6,
        persian("1403/12/30"),
        None,
    );
    check("persian", start, 0, start, None);
}

#[test]
fn the_first_and_the_last_day_of_a_cover_belong_to_it() {
    let plan = plan(json!({"age_out": [{"relationship": "son", "age": 22}]}));
    let check = |date: &str, suspended, birth: Option<&str>, expected| {
        let cover = Cover {
            end: Some(day("2024-12-31")),
            suspended,
            relationship: Relationship::Son,
            ..cover(day("2024-01-01"))
        };
        let mut case = case(vec![terms(&plan, &cover)], vec![line(1, day(date), 10)]);
        case.person.birth_date = birth.map(day);
        assert_eq!(refusal(&Ledger::default().judge(&case)), expected, "{date}");
    };
    check("2023-12-31", false, None, Some(Reason::CoverInactive));
    check("2024-01-01", false, None, None);
    check("2024-12-31", false, None, None);
    check("2025-01-01", false, None, Some(Reason::CoverInactive));
    check("2024-06-01", true, None, Some(Reason::CoverSuspended));
    check("2024-06-01", false, Some("2002-06-02"), None);
    check(
        "2024-06-02",
        false,
        Some("2002-06-02"),
        Some(Reason::AgedOut),
    );
}

#[test]
fn what_a_record_does_not_tell_is_not_held_against_the_member() {
    let benefit = json!({
        "id": "all", "title": "", "codes": [{"prefix": ""}], "sex": "female", "age_min": 18, "age_max": 40,
    });
    let plan = plan(json!({"benefits": [benefit]}));
    let check = |birth: Option<&str>, sex, expected| {
        let cover = cover(day("2024-01-01"));
        let mut case = case(
            vec![terms(&plan, &cover)],
            vec![line(1, day("2024-06-01"), 10)],
        );
        case.person = Person {
            birth_date: birth.map(day),
            sex,
        };
        assert_eq!(
            refusal(&Ledger::default().judge(&case)),
            expected,
            "{birth:?} {sex:?}"
        );
    };
    check(None, None, None);
    check(None, Some(Sex::Unknown), None);
    check(None, Some(Sex::Female), None);
    check(None, Some(Sex::Male), Some(Reason::SexOutside));
    check(None, Some(Sex::Other), Some(Reason::SexOutside));
    check(Some("2006-06-02"), None, Some(Reason::AgeOutside));
    check(Some("2006-06-01"), None, None);
    check(Some("1983-06-02"), None, None);
    check(Some("1983-06-01"), None, Some(Reason::AgeOutside));
}
