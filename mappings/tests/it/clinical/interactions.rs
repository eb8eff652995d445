//! Interactions from a holder's file.

use takmil_domain::clinical::{self, ClinicalRule, Ingredient, Interactions, Severity, State};
use takmil_domain::date::Date;
use takmil_mappings::clinical::{interactions, interactions_table, tables};
use takmil_mappings::import::{MAX_FIELD, Refusal};
use takmil_mappings::table::Head;
use takmil_mappings::{Error, Tables};

const COLUMNS: &str = "one=a,other=b,severity=level";

fn imported(source: &str) -> takmil_mappings::clinical::Imported {
    interactions(source.as_bytes(), COLUMNS, &Tables::shipped()).unwrap()
}

fn rxnorm(rxcui: u32) -> Ingredient {
    Ingredient::RxNorm(rxcui)
}

#[test]
fn names_become_ingredients_and_pairs_have_no_order() {
    let imported = imported(
        "level;b;a\nContraindicated;METFORMIN;aspirin\nTake into consideration;Aspirin;Metformin\n\
         Precautions for use;lithium;domperidone\n",
    );
    let table = &imported.interactions;
    let between = |one: &Ingredient, other: &Ingredient| {
        assert_eq!(table.between(one, other), table.between(other, one));
        table.between(one, other)
    };
    assert_eq!(
        between(&rxnorm(6_809), &rxnorm(1_191)),
        Some(Severity::Contraindicated),
        "the gravest counts"
    );
    let (lithium, domperidone) = (
        Ingredient::Named("lithium".into()),
        Ingredient::Named("domperidone".into()),
    );
    for own in [rxnorm(42_351), rxnorm(52_105), lithium] {
        assert_eq!(
            between(&own, &domperidone),
            Some(Severity::Precaution),
            "{own}"
        );
    }
    assert_eq!(between(&rxnorm(6_809), &domperidone), None);
    assert!(table.knows(&domperidone) && !table.knows(&rxnorm(1)));
    assert_eq!(imported.read, 3);
    assert_eq!(
        imported.unlisted.into_iter().collect::<Vec<_>>(),
        ["domperidone"]
    );
    assert_eq!(imported.refused, []);
}

#[test]
fn rows_that_do_not_fit_are_refused_and_the_others_taken() {
    let long = "x".repeat(MAX_FIELD + 1);
    let source = format!(
        "a,b,level\naspirin,metformin,Contraindicated\naspirin,metformin\n,metformin,Contraindicated\n\
         aspirin,metformin,Perhaps\n{long},metformin,Contraindicated\n"
    );
    let imported = imported(&source);
    let refused: Vec<(u64, Refusal)> = imported
        .refused
        .iter()
        .map(|row| (row.line, row.reason))
        .collect();
    let wanted = [
        (3, Refusal::Uneven),
        (4, Refusal::NoName),
        (5, Refusal::UnknownSeverity),
        (6, Refusal::TooLong),
    ];
    assert_eq!(refused, wanted);
    assert_eq!(
        (imported.read, imported.interactions.iter().count()),
        (5, 1)
    );

    let bytes = b"a,b,level\n\xff,metformin,Contraindicated\n";
    let not_text = interactions(&bytes[..], COLUMNS, &Tables::shipped()).unwrap();
    assert_eq!(
        not_text.refused.first().map(|row| row.reason),
        Some(Refusal::NotText)
    );
}

#[test]
fn a_wrong_column_list_is_told() {
    let try_columns = |columns: &str| {
        interactions("a,b,level\n".as_bytes(), columns, &Tables::shipped()).map(|_| ())
    };
    for columns in [
        "",
        "one=a",
        "one=a,other=b",
        "one=a,one=b,severity=level",
        "x=a",
        "one",
    ] {
        assert!(
            matches!(try_columns(columns), Err(Error::Columns { .. })),
            "{columns:?}"
        );
    }
    let missing = try_columns("one=a,other=c,severity=level");
    assert!(matches!(missing, Err(Error::NoColumn { column }) if column == "c"));
    assert!(try_columns(COLUMNS).is_ok());
}

#[test]
fn what_is_shipped_leaves_two_rules_waiting_until_interactions_are_imported() {
    let waiting = |tables: &clinical::Tables| -> Vec<ClinicalRule> {
        let inactive = clinical::RULES
            .iter()
            .filter(|rule| rule.state(tables) != State::Active);
        inactive.map(|rule| rule.rule).collect()
    };
    let shipped = tables(&Tables::shipped()).unwrap();
    assert_eq!(
        waiting(&shipped),
        [ClinicalRule::Interaction, ClinicalRule::Dose]
    );

    let pairs = imported(
        "a,b,level\nmetformin,aspirin,Contraindicated\nlithium,domperidone,Precautions for use\n",
    );
    let head = Head {
        id: "thesaurus".to_owned(),
        system: String::new(),
        target: None,
        edition: "2026".to_owned(),
        as_of: Date::parse("2026-01-01").unwrap(),
        complete: false,
        synthetic: false,
        licence: "the holder's".to_owned(),
        source: "the holder's file".to_owned(),
    };
    let table = interactions_table(&head, &pairs.interactions).unwrap();
    let with_pairs = tables(&Tables::shipped().with(table)).unwrap();
    let listed = |own: &Interactions| own.iter().cloned().collect::<Vec<_>>();
    assert_eq!(
        listed(&with_pairs.interactions),
        listed(&pairs.interactions)
    );
    assert_eq!(waiting(&with_pairs), [ClinicalRule::Dose]);
}
