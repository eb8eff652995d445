//! What terminology servers and the mapping desk ask.

use takmil_domain::date::Date;
use takmil_mappings::table::{Head, TARGET};
use takmil_mappings::{Lookup, Tables, import, systems};

#[test]
fn what_a_map_is_not_sure_of_is_offered_and_never_applied() {
    let tables = Tables::shipped();
    // Exact: applied. Approximate: the code stays what it is.
    for (code, wanted) in [
        ("001.0", (systems::ICD_10_CM, "A00.0", "icd-9-cm-icd-10-cm")),
        ("002.0", (systems::ICD_9_CM, "002.0", "icd-9-cm")),
        ("36570", (systems::ICD_9_CM, "365.70", "icd-9-cm")),
    ] {
        let Lookup::Mapped(mapped) = tables.common("ICD-9", code) else {
            panic!("{code} is not mapped");
        };
        let found = (mapped.common.system.as_str(), mapped.common.code.as_str());
        assert_eq!((found.0, found.1, mapped.via.map.as_str()), wanted);
    }
    let told = |code: &str| tables.translate("icd9", code, None).unwrap();
    let one = told("0020");
    assert_eq!(one.len(), 1);
    assert_eq!(
        (
            one[0].equivalence.as_str(),
            one[0].is_applied,
            one[0].targets[0][0].code.as_str()
        ),
        ("inexact", false, "A01.00")
    );
    let none = told("365.70");
    assert_eq!(
        (none[0].equivalence.as_str(), none[0].targets.len()),
        ("unmatched", 0)
    );
    let several = told("249.51");
    let together = several
        .iter()
        .filter(|told| told.targets.len() == 2)
        .count();
    assert_eq!(
        (several.iter().any(|told| told.is_applied), together > 0),
        (false, true)
    );
    // Away from the common scheme: answered, never applied.
    let away = tables.translate(systems::ICD_10_CM, "a000", None).unwrap();
    let maps: Vec<&str> = away.iter().map(|told| told.map.as_str()).collect();
    assert_eq!(maps, ["icd-10-cm-icd-9-cm", "icd-10-cm-ccsr"]);
    assert!(away.iter().all(|told| !told.is_applied));
    let group = tables
        .translate("icd-10-cm", "A00.0", Some(systems::CCSR))
        .unwrap();
    assert_eq!(group[0].targets[0][0].code, "DIG001");
    assert!(tables.translate("nowhere", "A", None).unwrap().is_empty());
}

#[test]
fn an_imported_map_offers_what_it_leaves_open() {
    let head = Head {
        id: "own".to_owned(),
        system: "urn:own".to_owned(),
        target: Some("rxnorm".to_owned()),
        edition: "1".to_owned(),
        as_of: Date::parse("2026-03-21").unwrap(),
        complete: false,
        synthetic: true,
        licence: "own".to_owned(),
        source: "own".to_owned(),
    };
    let source =
        "code,to,eq\nA,6809,equivalent\nB,6809,inexact\nB,161,inexact\nC,,unmatched\nD,,wider\n";
    let imported = import::table(
        source.as_bytes(),
        &head,
        "code=code,target=to,equivalence=eq",
    );
    let imported = imported.unwrap();
    assert_eq!(
        imported.refused.len(),
        1,
        "a row that leads needs to lead somewhere"
    );
    let tables = Tables::shipped().with(imported.table);
    assert!(matches!(tables.common("urn:own", "A"), Lookup::Mapped(_)));
    for code in ["B", "C"] {
        assert!(
            matches!(tables.common("urn:own", code), Lookup::Unmapped(_)),
            "{code}"
        );
    }
    assert_eq!(tables.translate("urn:own", "B", None).unwrap().len(), 2);
    assert!(
        tables.translate("urn:own", "C", None).unwrap()[0]
            .targets
            .is_empty()
    );
}

#[test]
fn a_list_is_searched_by_words_of_any_script_page_by_page() {
    let tables = Tables::shipped();
    let list = tables.list_of("icd-10-cm").unwrap().unwrap();
    let (all, page) = Tables::expand(list, "ASTHMA  mild", 0, 5);
    assert!(all > 5 && page.len() == 5, "{all}");
    let (again, rest) = Tables::expand(list, "mild asthma", 5, 1_000);
    assert_eq!((again, rest.len()), (all, all - 5));
    assert!(rest.iter().all(|row| row.code() > page[4].code()));
    let drugs = tables.list_of(systems::SYNTHETIC_IRC).unwrap().unwrap();
    // With Arabic letters and digits, as some keyboards write them.
    let (found, page) = Tables::expand(drugs, "متفورمين ٥٠٠", 0, 10);
    assert_eq!((found, page[0].code()), (2, "Y0011"));
    assert_eq!(Tables::expand(drugs, "", 60, 10).0, 61);
    assert_eq!(Tables::expand(drugs, "no such words", 0, 10).0, 0);
}

/// Of pairs that a shipped map leads from one title to another, how many are suggested first, and among the first five.
fn recall(map: &str, every: usize) -> (usize, usize, usize) {
    let tables = Tables::shipped();
    let of_name = |shipped: &&takmil_mappings::shipped::Shipped| shipped.id == map;
    let map = takmil_mappings::shipped::SHIPPED
        .iter()
        .find(of_name)
        .unwrap();
    let from = tables.list_of(map.system).unwrap().unwrap();
    let to = tables.list_of(map.target.unwrap()).unwrap().unwrap();
    let (mut all, mut first, mut five) = (0, 0, 0);
    let led = map.table().unwrap().iter();
    let led = led.filter_map(|row| Some((from.find(row.code())?.title("en")?, row.get(TARGET)?)));
    for (title, target) in led.step_by(every) {
        let found = Tables::suggest(to, title, None, 5);
        all += 1;
        first += usize::from(found.first().is_some_and(|one| one.row.code() == target));
        five += usize::from(found.iter().any(|one| one.row.code() == target));
    }
    (all, first, five)
}

#[test]
fn what_a_hidden_map_says_is_suggested() {
    // Every drug of the synthetic list of Iran; every sixtieth diagnosis that ICD-10-CM says in other words.
    for (map, every, least, least_first, least_five) in [
        ("synthetic-ir-irc-rxnorm", 1, 60, 85, 88),
        ("icd-9-cm-icd-10-cm", 60, 50, 80, 90),
    ] {
        let (all, first, five) = recall(map, every);
        println!("{map}: of {all} first {first}, among five {five}");
        assert!(all >= least, "{map}: {all}");
        assert!(
            first * 100 >= all * least_first && five * 100 >= all * least_five,
            "{map}: of {all} first {first}, among five {five}"
        );
    }
}

#[test]
fn a_code_without_a_name_is_looked_for_by_its_spelling() {
    let tables = Tables::shipped();
    let list = tables.candidates("ICD-10-CM").unwrap();
    assert_eq!(list.len(), 1);
    let found = Tables::suggest(list[0], "", Some("e11-65x"), 3);
    assert_eq!(found[0].row.code(), "E11.65");
    assert!(Tables::suggest(list[0], "", None, 3).is_empty());
    assert_eq!(tables.candidates("urn:unknown").unwrap().len(), 3);
}
