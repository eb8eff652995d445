//! Was what can be done once in a life done before?
//!
//! Two lists: the organs that procedures of ICD-10-PCS remove whole, and the services that a contract names. On
//! one day several parties bill the same removal, so that only another day makes it a second one. After a
//! transplantation an organ can be removed again.

use std::collections::BTreeMap;

use super::{ClinicalRule, CodeKey, Found, ICD_10_PCS, Judging, Level, Rule, Tables, Terms};
use crate::code::Code;
use crate::date::Date;

pub(super) const RULE: Rule = Rule {
    rule: ClinicalRule::Once,
    level: Level::Warning,
    most: Level::Refusal,
    // A contract may name services without the table of organs.
    waits_for: super::nothing,
    find,
};

/// Something done: what and when, on which line, or before.
#[derive(Clone, Copy)]
struct Done<'a> {
    system: &'a str,
    code: &'a str,
    day: Date,
    seq: Option<u32>,
    past: bool,
}

/// What can be done once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Once<'a> {
    Organ {
        organ: CodeKey,
        restored: Option<CodeKey>,
    },
    Named(&'a Code),
}

impl Tables {
    /// Whether the rule looks at a service for life: one that a member can have once, or a transplantation after which
    /// that can be done again.
    pub(super) fn is_for_life(&self, terms: &[&Terms], service: &Code) -> bool {
        let Code { system, code } = service;
        let mut terms = terms.iter();
        terms.any(|terms| once(self, terms, system, code).is_some())
            || system == ICD_10_PCS && CodeKey::parse(code).is_some_and(|key| self.restores(key))
    }

    fn restores(&self, key: CodeKey) -> bool {
        let mut prefixes = self.organs.iter().filter_map(|(_, organ)| organ.restored);
        prefixes.any(|prefix| key.first(prefix.length()) == prefix)
    }
}

fn find(judging: &Judging<'_>, found: &mut Vec<Found>) {
    let all = done(judging);
    let mut same: BTreeMap<Once<'_>, Vec<&Done<'_>>> = BTreeMap::new();
    for one in &all {
        if let Some(what) = once(judging.tables, judging.terms, one.system, one.code) {
            same.entry(what).or_default().push(one);
        }
    }
    for (what, mut times) in same {
        times.sort_by_key(|one| (one.day, one.past));
        let mut days = times.chunk_by(|one, other| one.day == other.day);
        let Some(mut earlier) = days.next() else {
            continue;
        };
        for later in days {
            let is_again = !restored(&what, &all, earlier, later);
            if let (Some(before), Some(now)) = (earlier.first(), later.first())
                && !now.past
                && is_again
            {
                found.push(Found {
                    lines: now.seq.into_iter().collect(),
                    evidence: vec![
                        Code::new(now.system, now.code),
                        Code::new(before.system, before.code),
                    ],
                    severity: None,
                    past: before.past,
                });
            }
            earlier = later;
        }
    }
}

/// What the message tells of, then what came before it.
fn done<'a>(judging: &Judging<'a>) -> Vec<Done<'a>> {
    let now = |system, code, day, seq| Done {
        system,
        code,
        day,
        seq,
        past: false,
    };
    let lines = judging.case.lines.iter();
    let lines = lines.map(|line| now(line.system, line.code, line.day, Some(line.seq)));
    let procedures = judging.case.procedures.iter();
    let procedures = procedures.map(|own| now(own.system, own.code, own.day, None));
    let past = judging.case.past.iter().map(|past| Done {
        system: &past.code.system,
        code: &past.code.code,
        day: past.day,
        seq: None,
        past: true,
    });
    lines.chain(procedures).chain(past).collect()
}

fn once<'a>(tables: &Tables, terms: &'a Terms, system: &str, code: &str) -> Option<Once<'a>> {
    let organ = (system == ICD_10_PCS)
        .then(|| tables.organs.get(&CodeKey::parse(code)?))
        .flatten();
    if let Some(row) = organ {
        return Some(Once::Organ {
            organ: row.organ,
            restored: row.restored,
        });
    }
    let mut named = terms.once.iter();
    named
        .find(|own| own.system == system && own.code == code)
        .map(Once::Named)
}

/// Whether between two days the organ was transplanted.
fn restored(what: &Once<'_>, all: &[Done<'_>], earlier: &[&Done<'_>], later: &[&Done<'_>]) -> bool {
    let Once::Organ {
        restored: Some(prefix),
        ..
    } = what
    else {
        return false;
    };
    let (Some(from), Some(to)) = (earlier.first(), later.first()) else {
        return false;
    };
    all.iter().any(|one| {
        one.system == ICD_10_PCS
            && (from.day..=to.day).contains(&one.day)
            && CodeKey::parse(one.code).is_some_and(|key| key.first(prefix.length()) == *prefix)
    })
}
