//! What contracts make of the rules, and what the registry says of them.

use std::collections::BTreeSet;

use takmil_domain::clinical::{
    Case, ClinicalRule, Finding, Level, RULES, State, Tables, Terms, check,
};
use takmil_domain::party::Sex;

use super::{ASPIRIN, METFORMIN, WARFARIN, case, diagnosed, drug, had, person, tables};

fn terms(json: &str) -> Result<Terms, String> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}

#[test]
fn a_contract_says_what_findings_do() {
    let case = Case {
        person: person("1990-01-01", Sex::Female),
        diagnoses: diagnosed(&["C61"]),
        lines: vec![
            drug(1, "1191", &[ASPIRIN]),
            drug(2, "6809", &[METFORMIN]),
            drug(3, "11289", &[WARFARIN]),
        ],
        ..case()
    };
    let levels = |json: &str| -> Vec<(&str, Level)> {
        let findings = check(&case, &tables(), &terms(json).unwrap());
        let wanted = [ClinicalRule::Sex, ClinicalRule::Interaction];
        findings
            .iter()
            .filter(|finding| wanted.contains(&finding.rule))
            .map(|finding| (finding.rule.code(), finding.level))
            .collect()
    };
    use Level::{Information, Refusal, Warning};
    let (sex, pair) = ("CLIN-SEX", "CLIN-INTERACTION");
    let own = vec![(sex, Warning), (pair, Information), (pair, Warning)];
    assert_eq!(levels("{}"), own);
    assert_eq!(
        levels(r#"{"levels":{"rules":{"CLIN-SEX":"refusal","CLIN-INTERACTION":"off"}}}"#),
        [(sex, Refusal)]
    );
    assert_eq!(
        levels(
            r#"{"levels":{"rules":{"CLIN-SEX":"off","CLIN-INTERACTION":"information"},"severities":{"not_recommended":"refusal"}}}"#
        ),
        [(pair, Information), (pair, Refusal)]
    );
    assert_eq!(
        levels(r#"{"levels":{"severities":{"consider":"off"}}}"#),
        [(sex, Warning), (pair, Warning)]
    );
}

#[test]
fn terms_that_no_contract_can_mean_are_refused() {
    for json in [
        r#"{"level":{}}"#,
        r#"{"levels":{"rule":{}}}"#,
        r#"{"levels":{"rules":{"CLIN-NONE":"off"}}}"#,
        r#"{"levels":{"rules":{"CLIN-SEX":"loud"}}}"#,
        r#"{"levels":{"severities":{"grave":"off"}}}"#,
        r#"{"levels":{"rules":{"CLIN-INDICATION":"warning"}}}"#,
        r#"{"levels":{"rules":{"CLIN-USE-ADDITIONAL":"refusal"}}}"#,
        r#"{"refill_share":"3"}"#,
    ] {
        assert!(terms(json).is_err(), "{json}");
    }
    let told = terms(r#"{"levels":{"rules":{"CLIN-INDICATION":"refusal"}}}"#).unwrap_err();
    assert!(told.contains("CLIN-INDICATION only informs"), "{told}");
}

#[test]
fn terms_are_written_as_they_are_read() {
    let json = r#"{"levels":{"rules":{"CLIN-REFILL":"refusal"},"severities":{"contraindicated":"refusal"}},"refill_share":"0.8","prescription_days":90,"once":[{"system":"urn:list","code":"1"}]}"#;
    let own = terms(json).unwrap();
    assert_eq!(serde_json::to_string(&own).unwrap(), json);
    assert_eq!(terms("{}").unwrap(), Terms::default());
    assert_eq!(Terms::default().refill_share.to_string(), "0.75");
}

#[test]
fn a_contracts_share_and_days_count() {
    let past = [had(20, "861007", &[METFORMIN], Some(28))];
    let case = Case {
        lines: vec![drug(1, "6809", &[METFORMIN])],
        past: &past,
        order: takmil_domain::clinical::Order {
            authored: Some(super::day("2026-05-20")),
            ..Default::default()
        },
        ..case()
    };
    let rules = |json: &str| -> Vec<ClinicalRule> {
        let findings = check(&case, &tables(), &terms(json).unwrap());
        findings.iter().map(|finding| finding.rule).collect()
    };
    assert_eq!(rules("{}"), [ClinicalRule::Refill]);
    assert_eq!(rules(r#"{"refill_share":"70%"}"#), []);
    assert_eq!(
        rules(r#"{"refill_share":"0","prescription_days":11}"#),
        [ClinicalRule::Prescription]
    );
}

#[test]
fn a_rule_without_its_table_waits_and_finds_nothing() {
    let without = Tables::default();
    let waiting: Vec<&str> = RULES
        .iter()
        .filter(|rule| rule.state(&without) != State::Active)
        .map(|rule| rule.rule.code())
        .collect();
    assert_eq!(
        waiting,
        [
            "CLIN-AGE",
            "CLIN-SEX",
            "CLIN-DIAGNOSIS",
            "CLIN-EXCLUDES",
            "CLIN-CODE-FIRST",
            "CLIN-USE-ADDITIONAL",
            "CLIN-INTERACTION",
            "CLIN-INDICATION",
            "CLIN-DOSE",
            "CLIN-UNITS",
        ]
    );
    let dose = RULES
        .iter()
        .find(|rule| rule.rule == ClinicalRule::Dose)
        .unwrap();
    assert!(
        matches!(dose.state(&tables()), State::Inactive { waits_for } if waits_for.contains("largest daily dose"))
    );
    let case = Case {
        person: person("1990-01-01", Sex::Female),
        diagnoses: diagnosed(&["C61", "E11"]),
        ..case()
    };
    assert_eq!(check(&case, &without, &Terms::default()), []);
}

#[test]
fn every_rule_is_registered_once_with_a_code_and_a_meaning() {
    let registered: Vec<ClinicalRule> = RULES.iter().map(|rule| rule.rule).collect();
    let distinct: BTreeSet<ClinicalRule> = registered.iter().copied().collect();
    assert_eq!(
        (distinct.len(), registered.len()),
        (ClinicalRule::ALL.len(), ClinicalRule::ALL.len())
    );
    for rule in ClinicalRule::ALL {
        assert_eq!(ClinicalRule::parse(rule.code()), Some(*rule));
        assert!(rule.code().starts_with("CLIN-") && rule.meaning().ends_with('.'));
    }
    assert_eq!(ClinicalRule::parse("CLIN-NONE"), None);
    assert!(RULES.iter().all(|rule| rule.level <= rule.most));
}

#[test]
fn a_finding_is_written_as_it_is_read() {
    let past = [had(5, "11289", &[WARFARIN], Some(30))];
    let case = Case {
        lines: vec![drug(1, "1191", &[ASPIRIN])],
        past: &past,
        ..case()
    };
    let findings = check(&case, &tables(), &Terms::default());
    let json = serde_json::to_string(&findings).unwrap();
    assert_eq!(
        json,
        r#"[{"rule":"CLIN-INTERACTION","level":"warning","lines":[1],"evidence":[{"system":"http://www.nlm.nih.gov/research/umls/rxnorm","code":"1191"},{"system":"http://www.nlm.nih.gov/research/umls/rxnorm","code":"11289"}],"severity":"not_recommended","past":true}]"#
    );
    assert_eq!(
        serde_json::from_str::<Vec<Finding>>(&json).unwrap(),
        findings
    );
}
