//! Any answer to any message keeps to R4 and adds up.

use proptest::prelude::*;
use std::collections::BTreeMap;
use takmil_domain::answer::Answer;
use takmil_domain::message::Kind;

use super::decisions::answers;
use super::{assert_sound, draw, reply};
use crate::fhir::render::composed;
use crate::fhir::tree::Node;
use crate::{Answered, Outcome};

/// Smallest units, as all amounts of one answer have the same number of digits.
fn units(money: &Node) -> i128 {
    let text = money.get("value").unwrap().as_number().unwrap();
    text.replace('.', "").parse().unwrap()
}

/// Sums by category and insurer.
fn sums<'n>(adjudications: impl Iterator<Item = &'n Node<'n>>) -> BTreeMap<(String, String), i128> {
    let mut sums = BTreeMap::new();
    for told in adjudications {
        let category = told.get("category").unwrap().list("coding")[0]
            .text("code")
            .unwrap();
        let mut extensions = told.list("extension").iter();
        let insurer = extensions.find_map(|one| one.get("valueIdentifier")?.text("value"));
        let key = (category.to_owned(), insurer.unwrap_or_default().to_owned());
        *sums.entry(key).or_default() += units(told.get("amount").unwrap());
    }
    sums
}

/// The parts of what was asked, each once.
fn parts(sums: &BTreeMap<(String, String), i128>) -> i128 {
    let adds = [
        "base-share",
        "written-off",
        "supplementary-share",
        "member-share",
    ];
    let parts = sums
        .iter()
        .filter(|((category, _), _)| adds.contains(&category.as_str()));
    parts.map(|(_, sum)| sum).sum()
}

fn of(sums: &BTreeMap<(String, String), i128>, category: &str) -> i128 {
    let own = sums.iter().filter(|((name, _), _)| name == category);
    own.map(|(_, sum)| sum).sum()
}

pub(super) fn assert_adds_up(response: &Node) {
    for item in response.list("item") {
        let sums = sums(item.list("adjudication").iter());
        assert_eq!(of(&sums, "submitted"), parts(&sums), "{item:?}");
        assert_eq!(of(&sums, "benefit"), of(&sums, "supplementary-share"));
    }
    let items = response.list("item").iter();
    let by_items = sums(items.flat_map(|item| item.list("adjudication")));
    for (key, total) in sums(response.list("total").iter()) {
        let sum = by_items.get(&key).copied().unwrap_or_default();
        assert_eq!(sum, total, "{key:?}");
    }
}

/// Every number that an item refers to is a note, and every line's reasons are among them.
pub(super) fn assert_notes_lead_somewhere(response: &Node, answer: &Answer) {
    let notes: BTreeMap<&str, &str> = response
        .list("processNote")
        .iter()
        .filter_map(|note| Some((note.get("number")?.as_number()?, note.text("text")?)))
        .collect();
    let lines = answer.decision.iter().flat_map(|decision| &decision.lines);
    for (item, line) in response.list("item").iter().zip(lines) {
        let told: Vec<&str> = item
            .list("noteNumber")
            .iter()
            .map(|number| notes[number.as_number().unwrap()])
            .collect();
        for reason in &line.reasons {
            assert!(told.iter().any(|text| text.starts_with(reason.code())));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn any_answer_to_any_message_is_sound_and_adds_up(
        (message, answer) in (draw::messages(), answers()),
    ) {
        let outcomes = [Outcome { place: "", result: Ok(Answered { message: &message, answer: &answer, json: None }) }];
        let node = composed(&reply(b"{}", &outcomes), true);
        assert_sound(&node);
        let kind = node.resource_type().unwrap();
        let has_shares = answer.decision.is_some();
        match message.kind() {
            Kind::Eligibility => prop_assert_eq!(kind, "CoverageEligibilityResponse"),
            Kind::Cancel => prop_assert_eq!(kind, "OperationOutcome"),
            Kind::Prescription | Kind::Dispense if !has_shares => prop_assert_eq!(kind, "OperationOutcome"),
            _ => prop_assert_eq!(kind, "ClaimResponse"),
        }
        if kind == "ClaimResponse" {
            assert_adds_up(&node);
            assert_notes_lead_somewhere(&node, &answer);
        }
        // An error stands alone, and nothing but an error has errors.
        let is_error = node.text("outcome") == Some("error");
        prop_assert_eq!(is_error, !node.list("error").is_empty());
        prop_assert!(!is_error || node.list("item").is_empty());
    }
}
