//! Which of a member's supplementary insurers pays first: what the contracts say, then what the law says.
//!
//! Pure, and total: the same covers come out in the same order, in whichever order they came.

use serde::{Deserialize, Serialize};

use super::Cover;
use crate::date::{Calendar, Date};
use crate::plan::Relationship;

/// The law on the order of covers: what it goes by, one after the other.
///
/// A criterion that is not known of all covers that are still equal says nothing of any of them: held against some
/// alone it could lead round in a circle. Whatever is equal by all of them goes by the insurers' ids.
///
/// Source of the default: in Iran the insurers agree on the order of covers when they enrol a member, and nothing is
/// decreed beyond it; for what they leave open, the order of benefit determination in the NAIC's Coordination of
/// Benefits Model Regulation (MDL-120), which puts a parent's birthday by the civil calendar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PayingOrder {
    /// The calendar in which birthdays come first or last in a year.
    #[serde(default)]
    pub calendar: Calendar,
    /// What the order goes by, the first first.
    pub criteria: Vec<Criterion>,
}

/// What puts one cover before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Criterion {
    /// The order that the enrolments name. One that names none is first.
    Contract,
    /// The cover in which the member is the principal, then those in which the member is a dependant.
    Principal,
    /// Of a child's covers that of the principal whose birthday comes first in the year.
    Birthday,
    /// The cover that has lasted longest.
    Longest,
}

impl Default for PayingOrder {
    fn default() -> PayingOrder {
        PayingOrder {
            calendar: Calendar::Gregorian,
            criteria: vec![
                Criterion::Contract,
                Criterion::Principal,
                Criterion::Birthday,
                Criterion::Longest,
            ],
        }
    }
}

/// A cover's place by one criterion. Of one criterion all are of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Number(u32),
    Dependant(bool),
    Birthday { month: u8, day: u8 },
    Since(Date),
}

impl PayingOrder {
    /// Puts the covers of one member, `cover` of each row, in the order in which they pay.
    pub fn sort<T>(&self, rows: &mut [T], cover: impl Fn(&T) -> &Cover) {
        // Equals stay in this order.
        rows.sort_by(|a, b| {
            let (a, b) = (cover(a), cover(b));
            (&a.insurer, &a.plan, a.account).cmp(&(&b.insurer, &b.plan, b.account))
        });
        self.refine(rows, &self.criteria, &cover);
    }

    /// Orders rows that are equal so far.
    fn refine<T>(&self, rows: &mut [T], criteria: &[Criterion], cover: &impl Fn(&T) -> &Cover) {
        let Some((criterion, rest)) = criteria.split_first() else {
            return;
        };
        let place = |row: &T| self.place(*criterion, cover(row));
        if rows.iter().any(|row| place(row).is_none()) {
            return self.refine(rows, rest, cover);
        }
        rows.sort_by_key(place);
        for equals in rows.chunk_by_mut(|a, b| place(a) == place(b)) {
            self.refine(equals, rest, cover);
        }
    }

    fn place(&self, criterion: Criterion, cover: &Cover) -> Option<Place> {
        match criterion {
            Criterion::Contract => Some(Place::Number(cover.order)),
            Criterion::Principal => {
                let dependant = cover.relationship != Relationship::Principal;
                Some(Place::Dependant(dependant))
            }
            Criterion::Birthday => {
                let born = cover.principal_born.filter(|_| is_child(cover))?;
                let (_, month, day) = born.ymd_in(self.calendar);
                Some(Place::Birthday { month, day })
            }
            Criterion::Longest => Some(Place::Since(cover.start)),
        }
    }
}

fn is_child(cover: &Cover) -> bool {
    match cover.relationship {
        Relationship::Son | Relationship::Daughter | Relationship::Student => true,
        Relationship::Principal
        | Relationship::Spouse
        | Relationship::Parent
        | Relationship::Other => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use uuid::Uuid;

    use super::*;
    use crate::ids::{AccountId, MemberId, ParticipantId, PlanId};
    use crate::party::InsurerRole;

    /// Insurer, the order that its enrolment names, relation, first day, the principal's birth.
    type Row = (
        &'static str,
        u32,
        Relationship,
        &'static str,
        Option<&'static str>,
    );

    fn cover((insurer, order, relationship, start, born): &Row) -> Cover {
        Cover {
            account: AccountId(Uuid::nil()),
            member: MemberId(Uuid::nil()),
            insurer: ParticipantId::parse(insurer).unwrap(),
            role: InsurerRole::Supplementary,
            order: *order,
            relationship: *relationship,
            plan: PlanId::parse("plan").unwrap(),
            start: Date::parse(start).unwrap(),
            end: None,
            suspended: false,
            prior_cover: false,
            group_size: None,
            principal_born: born.map(|born| Date::parse(born).unwrap()),
        }
    }

    /// Every order in which rows may come.
    fn permutations<T: Clone>(rows: &[T]) -> Vec<Vec<T>> {
        if rows.is_empty() {
            return vec![Vec::new()];
        }
        let mut all = Vec::new();
        for (at, first) in rows.iter().enumerate() {
            let mut rest = rows.to_vec();
            rest.remove(at);
            for mut tail in permutations(&rest) {
                tail.insert(0, first.clone());
                all.push(tail);
            }
        }
        all
    }

    #[track_caller]
    fn check(law: &PayingOrder, rows: &[Row], expected: &str) {
        let covers: Vec<Cover> = rows.iter().map(cover).collect();
        for mut covers in permutations(&covers) {
            law.sort(&mut covers, |cover| cover);
            let order: Vec<&str> = covers.iter().map(|own| own.insurer.as_str()).collect();
            assert_eq!(order.join(" "), expected);
        }
    }

    #[test]
    fn the_contract_comes_before_the_law_and_each_rule_before_the_next() {
        use Relationship::{Daughter, Parent, Principal, Son, Spouse, Student};
        let check = |rows: &[Row], expected: &str| check(&PayingOrder::default(), rows, expected);
        // The contract's word, whatever else speaks for another order.
        check(
            &[
                ("a", 2, Principal, "2010-01-01", None),
                ("b", 1, Spouse, "2020-01-01", None),
            ],
            "b a",
        );
        // The member's own cover before the wife's or husband's.
        check(
            &[
                ("a", 1, Spouse, "2010-01-01", None),
                ("b", 1, Principal, "2020-01-01", None),
            ],
            "b a",
        );
        // Two covers of the member's own: the one that has lasted longer.
        check(
            &[
                ("a", 1, Principal, "2020-01-01", None),
                ("b", 1, Principal, "2019-12-31", None),
            ],
            "b a",
        );
        // A child of two principals: the earlier birthday in the year, not the elder parent.
        check(
            &[
                ("a", 1, Son, "2010-01-01", Some("1970-10-02")),
                ("b", 1, Son, "2020-01-01", Some("1990-02-28")),
            ],
            "b a",
        );
        // Equal birthdays, of whichever years: the cover that has lasted longer.
        check(
            &[
                ("a", 1, Daughter, "2020-01-01", Some("1970-10-02")),
                ("b", 1, Daughter, "2010-01-01", Some("1990-10-02")),
            ],
            "b a",
        );
        // A birthday that nobody knows is held against no cover.
        check(
            &[
                ("a", 1, Student, "2020-01-01", Some("1970-01-02")),
                ("b", 1, Student, "2010-01-01", None),
            ],
            "b a",
        );
        // Birthdays are a rule on children alone.
        check(
            &[
                ("a", 1, Parent, "2020-01-01", Some("1970-01-02")),
                ("b", 1, Parent, "2010-01-01", Some("1970-12-02")),
            ],
            "b a",
        );
        // Nothing tells them apart.
        check(
            &[
                ("b", 1, Spouse, "2020-01-01", None),
                ("a", 1, Spouse, "2020-01-01", None),
            ],
            "a b",
        );
    }

    #[test]
    fn three_insurers_have_one_order_however_they_come() {
        use Relationship::{Principal, Son, Spouse};
        let check = |rows: &[Row], expected: &str| check(&PayingOrder::default(), rows, expected);
        check(
            &[
                ("a", 1, Spouse, "2010-01-01", None),
                ("b", 1, Principal, "2021-01-01", None),
                ("c", 1, Principal, "2020-01-01", None),
            ],
            "c b a",
        );
        check(
            &[
                ("a", 2, Principal, "2010-01-01", None),
                ("b", 1, Spouse, "2021-01-01", None),
                ("c", 2, Spouse, "2005-01-01", None),
            ],
            "b a c",
        );
        // By birthdays a before c, by their length c before b and b before a: one birthday is not known, so that they
        // go by their length alone.
        check(
            &[
                ("a", 1, Son, "2021-01-01", Some("1970-01-02")),
                ("b", 1, Son, "2020-01-01", None),
                ("c", 1, Son, "2019-01-01", Some("1970-03-02")),
            ],
            "c b a",
        );
        // The unknown one is told apart by the contract: the others still go by birthdays.
        check(
            &[
                ("a", 1, Son, "2021-01-01", Some("1970-01-02")),
                ("b", 2, Son, "2020-01-01", None),
                ("c", 1, Son, "2019-01-01", Some("1970-03-02")),
            ],
            "a c b",
        );
        check(
            &[
                ("c", 1, Son, "2019-01-01", None),
                ("b", 1, Son, "2019-01-01", None),
                ("a", 1, Son, "2019-01-01", None),
            ],
            "a b c",
        );
    }

    #[test]
    fn another_law_is_another_document() {
        let rows: [Row; 2] = [
            ("a", 1, Relationship::Son, "2020-01-01", Some("1990-03-01")),
            ("b", 2, Relationship::Son, "2010-01-01", Some("1990-04-01")),
        ];
        let law = |text: &str| serde_json::from_str::<PayingOrder>(text).unwrap();
        check(&law(r#"{"criteria": ["birthday"]}"#), &rows, "a b");
        // The year begins on 21 March there: 1 March lies in its last month.
        let persian = r#"{"calendar": "persian", "criteria": ["birthday"]}"#;
        check(&law(persian), &rows, "b a");
        check(
            &law(r#"{"criteria": ["longest", "contract"]}"#),
            &rows,
            "b a",
        );
        check(&law(r#"{"criteria": []}"#), &rows, "a b");
        for wrong in [
            r#"{}"#,
            r#"{"criteria": ["wealth"]}"#,
            r#"{"criteria": [], "more": 1}"#,
        ] {
            assert!(
                serde_json::from_str::<PayingOrder>(wrong).is_err(),
                "{wrong}"
            );
        }
        let default = serde_json::to_string(&PayingOrder::default()).unwrap();
        assert_eq!(law(&default), PayingOrder::default());
    }
}
