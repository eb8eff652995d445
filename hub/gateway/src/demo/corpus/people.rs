//! The members of other people's messages, put on the sample plans: who shares an identifier is one person.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use takmil_domain::coverage::{EnrolledMember, Enrolment};
use takmil_domain::date::Date;
use takmil_domain::ids::Identifier;
use takmil_domain::money::Currency;
use takmil_domain::party::Sex;

use super::files::Letter;
use super::{INSURERS, plan_id};
use crate::cli::Fatal;
use crate::demo::seed::SampleCover;

/// The first day of the sample plans and covers: samples are of any age.
pub(super) const SINCE: &str = "1850-01-01";

/// How many identifiers of a person one row takes, and how long its parts may be.
const MAX_IDENTIFIERS: usize = 16;
const MAX_SYSTEM: usize = 256;
const MAX_VALUE: usize = 128;

/// A member as a message names it, with the currency in which it is billed.
pub(super) struct Person {
    /// Its identifiers.
    pub(super) identifiers: Vec<Identifier>,
    /// The date of birth.
    pub(super) birth_date: Option<Date>,
    /// The administrative sex.
    pub(super) sex: Option<Sex>,
    /// The currency.
    pub(super) currency: Currency,
}

/// A person's cover in one currency.
pub(super) struct Covered {
    /// The currency.
    pub(super) currency: Currency,
    /// Its rows: more than one where the person has more identifiers than a row takes.
    pub(super) rows: Vec<Enrolment>,
}

/// Covers for every member of the letters, at one of the sample insurers in turn.
pub(super) fn covers(letters: &[Letter], run: &str) -> Result<Vec<Covered>, Fatal> {
    let since = Date::parse(SINCE).ok_or("there is no such day")?;
    let people: Vec<&Person> = letters.iter().flat_map(|letter| &letter.people).collect();
    let mut covers = Vec::new();
    for (number, member) in united(&people).into_values().enumerate() {
        let [even, odd] = INSURERS;
        let insurer = if number % 2 == 0 { even } else { odd };
        for currency in member.currencies {
            let row = |identifiers: Vec<Identifier>| {
                let cover = SampleCover {
                    insurer,
                    plan: &plan_id(insurer, currency),
                    certificate: &format!("{run}-{number}-{currency}"),
                    start: since,
                    member: EnrolledMember {
                        identifiers,
                        name: None,
                        birth_date: member.birth_date,
                        sex: member.sex,
                    },
                };
                cover.enrolment()
            };
            let rows = in_rows(&member.identifiers).into_iter().map(row);
            let rows = rows.collect::<Result<Vec<_>, Fatal>>()?;
            covers.push(Covered { currency, rows });
        }
    }
    Ok(covers)
}

/// Identifiers in lists that a row takes; each list begins with the first, so that all rows name one person.
fn in_rows(identifiers: &[Identifier]) -> Vec<Vec<Identifier>> {
    let Some((first, rest)) = identifiers.split_first() else {
        return Vec::new();
    };
    if rest.is_empty() {
        return vec![vec![first.clone()]];
    }
    let lists = rest.chunks(MAX_IDENTIFIERS.saturating_sub(1));
    lists
        .map(|list| [std::slice::from_ref(first), list].concat())
        .collect()
}

/// One person, as all messages together name it.
#[derive(Default)]
struct United {
    identifiers: Vec<Identifier>,
    birth_date: Option<Date>,
    sex: Option<Sex>,
    currencies: BTreeSet<Currency>,
}

/// The persons, by the first of their identifiers. An identifier without a system means something to its sender
/// alone, so the hub recognises nobody by it.
fn united(people: &[&Person]) -> BTreeMap<usize, United> {
    let mut places: HashMap<&Identifier, usize> = HashMap::new();
    let mut identifiers: Vec<&Identifier> = Vec::new();
    let mut heads: Vec<usize> = Vec::new();
    for person in people {
        let mut before: Option<usize> = None;
        for identifier in person
            .identifiers
            .iter()
            .filter(|identifier| is_usable(identifier))
        {
            let place = *places.entry(identifier).or_insert_with(|| {
                identifiers.push(identifier);
                heads.push(heads.len());
                heads.len().saturating_sub(1)
            });
            if let Some(before) = before.replace(place) {
                let (one, other) = (head(&heads, before), head(&heads, place));
                if let Some(link) = heads.get_mut(one.max(other)) {
                    *link = one.min(other);
                }
            }
        }
    }
    let mut members: BTreeMap<usize, United> = BTreeMap::new();
    for (place, identifier) in identifiers.iter().enumerate() {
        let member = members.entry(head(&heads, place)).or_default();
        member.identifiers.push((*identifier).clone());
    }
    for person in people {
        let known = person
            .identifiers
            .iter()
            .find_map(|identifier| places.get(identifier));
        let Some(member) = known.and_then(|place| members.get_mut(&head(&heads, *place))) else {
            continue;
        };
        member.birth_date = member.birth_date.or(person.birth_date);
        member.sex = member.sex.or(person.sex);
        member.currencies.insert(person.currency);
    }
    members
}

/// The head of the chain that a place belongs to. Links lead to earlier places alone, so it ends.
fn head(heads: &[usize], mut place: usize) -> usize {
    while let Some(next) = heads.get(place).filter(|next| **next != place) {
        place = *next;
    }
    place
}

/// Whether a cover may name the identifier.
fn is_usable(identifier: &Identifier) -> bool {
    let plain = |text: &str, most: usize| {
        let letters = text.chars().count();
        letters <= most && !text.trim().is_empty() && !text.chars().any(char::is_control)
    };
    plain(&identifier.system, MAX_SYSTEM) && plain(&identifier.value, MAX_VALUE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(identifiers: &[(&str, &str)], currency: &str) -> Person {
        Person {
            identifiers: identifiers
                .iter()
                .map(|(system, value)| Identifier::new(*system, *value))
                .collect(),
            birth_date: None,
            sex: None,
            currency: Currency::parse(currency).unwrap_or(Currency::NONE),
        }
    }

    #[test]
    fn who_shares_an_identifier_is_one_person_however_long_the_chain() {
        let people = [
            person(&[("a", "1"), ("b", "2")], "USD"),
            person(&[("c", "3"), ("d", "4")], "EUR"),
            person(&[("e", "5")], "USD"),
            person(&[("b", "2"), ("c", "3")], "USD"),
            person(&[("", "5")], "USD"),
        ];
        let people: Vec<&Person> = people.iter().collect();
        let members: Vec<United> = united(&people).into_values().collect();
        let counts: Vec<_> = members
            .iter()
            .map(|member| (member.identifiers.len(), member.currencies.len()))
            .collect();
        assert_eq!(counts, [(4, 2), (1, 1)]);
    }

    #[test]
    fn many_identifiers_go_in_rows_that_begin_alike() {
        let identifiers: Vec<Identifier> = (0..40)
            .map(|number: i32| Identifier::new("s", number.to_string()))
            .collect();
        let rows = in_rows(&identifiers);
        assert!(
            rows.iter()
                .all(|row| row.len() <= MAX_IDENTIFIERS && row.first() == identifiers.first())
        );
        assert_eq!(rows.iter().map(Vec::len).sum::<usize>(), 39 + rows.len());
        assert_eq!(in_rows(&identifiers[..1]).len(), 1);
        assert!(in_rows(&[]).is_empty());
    }
}
