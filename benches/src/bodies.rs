//! What a run sends: each body a real one of its own, with its own number, member and stay.

use std::sync::atomic::{AtomicU64, Ordering};

use takmil_domain::date::Date;

/// The body of an admission, about 2 KB with three lines, in the hub's own JSON. In this and the others, words
/// between `@` stand for what differs from one to the next.
const ADMISSION: &str = include_str!("../samples/admission.json");

/// The bill of the same stay, which uses what the admission reserved.
const CLAIM: &str = include_str!("../samples/claim.native.json");

/// The question whether a member is covered.
const CHECK: &str = include_str!("../samples/check.json");

/// The same bill as a hospital's system says it in FHIR, about 4 KB.
const FHIR_CLAIM: &str = include_str!("../samples/claim.fhir.json");

/// How far apart the members of consecutive bodies are: a prime, so that all members come up before one does
/// again (unless their count is a multiple of it), and neighbours in time are no neighbours in the database.
const STRIDE: u64 = 7_919;

/// Makes bodies. Every one that begins something has a number of its own.
#[derive(Debug)]
pub struct Bodies {
    admission: Template,
    claim: Template,
    check: Template,
    fhir_claim: Template,
    /// Part of every number, so that a second run does not repeat the numbers of the first.
    run: String,
    day: String,
    members: u64,
    next: AtomicU64,
}

/// Text before the first word, and each word with the text behind it.
#[derive(Debug)]
struct Template {
    start: &'static str,
    parts: Vec<(Word, &'static str)>,
    bytes: usize,
}

#[derive(Debug, Clone, Copy)]
enum Word {
    Number,
    Member,
    Day,
    Earlier,
}

/// A message, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The sender's number of it, which serves as its idempotency key.
    pub number: String,
    /// Whom it is about.
    pub member: String,
    /// The body.
    pub body: String,
}

impl Bodies {
    /// Bodies about `members` members on `day`. `run` tells them from those of other runs on the same hub.
    pub fn new(run: &str, day: Date, members: u64) -> Bodies {
        Bodies {
            admission: Template::read(ADMISSION),
            claim: Template::read(CLAIM),
            check: Template::read(CHECK),
            fhir_claim: Template::read(FHIR_CLAIM),
            run: run.to_owned(),
            day: day.to_string(),
            members: members.max(1),
            next: AtomicU64::new(0),
        }
    }

    /// The next admission. No two calls give the same one.
    pub fn admission(&self) -> Sent {
        let (number, member) = self.fresh();
        self.write(&self.admission, number, member, "")
    }

    /// The claim that uses what `admission` reserved.
    pub fn claim(&self, admission: &Sent) -> Sent {
        let number = format!("{}-c", admission.number);
        let member = admission.member.clone();
        self.write(&self.claim, number, member, &admission.number)
    }

    /// A question about the next member's cover.
    pub fn check(&self) -> Sent {
        let (number, member) = self.fresh();
        self.write(&self.check, number, member, "")
    }

    /// The next claim in FHIR, for a stay without an admission.
    pub fn fhir_claim(&self) -> Sent {
        let (number, member) = self.fresh();
        self.write(&self.fhir_claim, number, member, "")
    }

    fn fresh(&self) -> (String, String) {
        let at = self.next.fetch_add(1, Ordering::Relaxed);
        let member = member_number(at.wrapping_mul(STRIDE) % self.members);
        (format!("{}-{at}", self.run), member)
    }

    fn write(&self, template: &Template, number: String, member: String, earlier: &str) -> Sent {
        let mut body = String::with_capacity(template.bytes + 128);
        body.push_str(template.start);
        for (word, text) in &template.parts {
            body.push_str(match word {
                Word::Number => &number,
                Word::Member => &member,
                Word::Day => &self.day,
                Word::Earlier => earlier,
            });
            body.push_str(text);
        }
        Sent {
            number,
            member,
            body,
        }
    }
}

impl Template {
    fn read(text: &'static str) -> Template {
        let mut pieces = text.split('@');
        let start = pieces.next().unwrap_or_default();
        let mut parts = Vec::new();
        while let (Some(name), Some(text)) = (pieces.next(), pieces.next()) {
            let word = match name {
                "NUMBER" => Word::Number,
                "MEMBER" => Word::Member,
                "EARLIER" => Word::Earlier,
                _ => Word::Day,
            };
            parts.push((word, text));
        }
        Template {
            start,
            parts,
            bytes: text.len(),
        }
    }
}

/// The number of a member, by which its insurers and its admissions name it.
pub fn member_number(at: u64) -> String {
    format!("M-{at:07}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::{Bodies, STRIDE, Sent, member_number};
    use serde_json::Value;
    use std::collections::HashSet;
    use takmil_domain::date::Date;

    fn bodies(members: u64) -> Bodies {
        Bodies::new("1a2b3c", Date::parse("2026-11-21").unwrap(), members)
    }

    fn text(sent: &Sent, pointer: &str) -> String {
        let body: Value = serde_json::from_str(&sent.body).unwrap();
        body.pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    }

    #[test]
    fn every_admission_has_its_own_number_and_all_members_have_their_turn() {
        let bodies = bodies(100);
        let (mut numbers, mut members) = (HashSet::new(), HashSet::new());
        for _ in 0..100 {
            let admission = bodies.admission();
            let stay = "/admission/bill/encounter/identifiers/0/value";
            assert_eq!(text(&admission, "/identifiers/0/value"), admission.number);
            assert_eq!(text(&admission, stay), admission.number);
            assert_eq!(text(&admission, "/occurred_on"), "2026-11-21");
            let member = text(&admission, "/member/identifiers/0/value");
            assert_eq!(member, admission.member);
            members.insert(member);
            numbers.insert(admission.number);
        }
        assert_eq!((numbers.len(), members.len()), (100, 100));
        assert!(members.contains(&member_number(STRIDE % 100)));
    }

    #[test]
    fn a_claim_is_of_its_admissions_member_and_stay() {
        let bodies = bodies(100);
        let admission = bodies.admission();
        let claim = bodies.claim(&admission);
        assert_ne!(claim.number, admission.number);
        assert_eq!(
            text(&claim, "/member/identifiers/0/value"),
            admission.member
        );
        let earlier = text(&claim, "/correlates/0/identifier/value");
        assert_eq!(earlier, admission.number);
    }

    #[test]
    fn bodies_have_the_sizes_of_real_ones() {
        let bodies = bodies(1);
        let check = |sent: Sent, from: usize, to: usize| {
            assert!(
                (from..to).contains(&sent.body.len()),
                "{} bytes",
                sent.body.len()
            );
            assert!(!sent.body.contains('@'));
        };
        check(bodies.admission(), 1_900, 2_300);
        check(bodies.claim(&bodies.admission()), 1_800, 2_300);
        check(bodies.check(), 500, 1_000);
        check(bodies.fhir_claim(), 3_900, 4_500);
    }
}
