//! The admissions that a run sends: each one a real one of its own, with its own number, member and stay.

use std::sync::atomic::{AtomicU64, Ordering};

use takmil_domain::date::Date;

/// The body of an admission, about 2 KB with three lines, in the hub's own JSON. Words between `@` stand for what
/// differs from one to the next.
const TEMPLATE: &str = include_str!("../samples/admission.json");

/// How far apart the members of consecutive admissions are: a prime, so that all members come up before one does
/// again (unless their count is a multiple of it), and neighbours in time are no neighbours in the database.
const STRIDE: u64 = 7_919;

/// Makes admissions.
#[derive(Debug)]
pub struct Admissions {
    /// Text before the first word, and each word with the text behind it.
    start: &'static str,
    parts: Vec<(Word, &'static str)>,
    /// Part of every number, so that a second run does not repeat the numbers of the first.
    run: String,
    day: String,
    members: u64,
    next: AtomicU64,
}

#[derive(Debug, Clone, Copy)]
enum Word {
    Number,
    Member,
    Day,
}

/// One admission, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    /// The sender's number of it, which serves as its idempotency key.
    pub number: String,
    /// The body.
    pub body: String,
}

impl Admissions {
    /// Admissions of `members` members on `day`. `run` tells them from those of other runs on the same hub.
    pub fn new(run: &str, day: Date, members: u64) -> Admissions {
        let mut pieces = TEMPLATE.split('@');
        let start = pieces.next().unwrap_or_default();
        let mut parts = Vec::new();
        while let (Some(name), Some(text)) = (pieces.next(), pieces.next()) {
            let word = match name {
                "NUMBER" => Word::Number,
                "MEMBER" => Word::Member,
                _ => Word::Day,
            };
            parts.push((word, text));
        }
        Admissions {
            start,
            parts,
            run: run.to_owned(),
            day: day.to_string(),
            members: members.max(1),
            next: AtomicU64::new(0),
        }
    }

    /// The next admission. No two calls give the same one.
    pub fn next(&self) -> Admission {
        let at = self.next.fetch_add(1, Ordering::Relaxed);
        let number = format!("{}-{at}", self.run);
        let member = member_number(at.wrapping_mul(STRIDE) % self.members);
        let mut body = String::with_capacity(TEMPLATE.len() + 64);
        body.push_str(self.start);
        for (word, text) in &self.parts {
            body.push_str(match word {
                Word::Number => &number,
                Word::Member => &member,
                Word::Day => &self.day,
            });
            body.push_str(text);
        }
        Admission { number, body }
    }
}

/// The number of a member, by which its insurers and its admissions name it.
pub fn member_number(at: u64) -> String {
    format!("M-{at:07}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::{Admissions, STRIDE, member_number};
    use serde_json::Value;
    use std::collections::HashSet;
    use takmil_domain::date::Date;

    #[test]
    fn every_admission_has_its_own_number_and_all_members_have_their_turn() {
        let admissions = Admissions::new("r", Date::parse("2026-11-21").unwrap(), 100);
        let (mut numbers, mut members) = (HashSet::new(), HashSet::new());
        for _ in 0..100 {
            let admission = admissions.next();
            let body: Value = serde_json::from_str(&admission.body).unwrap();
            let text = |pointer: &str| {
                body.pointer(pointer)
                    .and_then(Value::as_str)
                    .unwrap()
                    .to_owned()
            };
            assert_eq!(text("/identifiers/0/value"), admission.number);
            assert_eq!(
                text("/admission/bill/encounter/identifiers/0/value"),
                admission.number
            );
            assert_eq!(text("/occurred_on"), "2026-11-21");
            numbers.insert(admission.number);
            members.insert(text("/member/identifiers/0/value"));
        }
        assert_eq!((numbers.len(), members.len()), (100, 100));
        assert!(members.contains(&member_number(STRIDE % 100)));
    }

    #[test]
    fn a_body_has_about_two_kilobytes() {
        let body = Admissions::new("1a2b3c", Date::parse("2026-11-21").unwrap(), 1)
            .next()
            .body;
        assert!((1_900..2_300).contains(&body.len()), "{} bytes", body.len());
        assert!(!body.contains('@'));
    }
}
