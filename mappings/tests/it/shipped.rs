//! The shipped tables are what an import of their public sources gives.
//!
//! With `TAKMIL_BLESS=1` the files in `data/` are written anew.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::path::Path;

use quick_xml::events::Event;
use takmil_domain::date::Date;
use takmil_mappings::import::{self, Imported};
use takmil_mappings::shipped::{CLINICAL, LEADING_AWAY, SHIPPED};
use takmil_mappings::systems;
use takmil_mappings::table::Head;

use crate::corpus;

const PUBLIC: &str = "public domain in the United States: a work of its government";

pub(crate) fn head(
    id: &str,
    system: &str,
    target: Option<&str>,
    edition: &str,
    as_of: &str,
    complete: bool,
    source: &str,
) -> Head {
    Head {
        id: id.to_owned(),
        system: system.to_owned(),
        target: target.map(str::to_owned),
        edition: edition.to_owned(),
        as_of: Date::parse(as_of).unwrap(),
        complete,
        synthetic: false,
        licence: PUBLIC.to_owned(),
        source: source.to_owned(),
    }
}

/// Compares an import with the shipped table of its name, or writes that.
pub(crate) fn check(imported: &Imported) {
    let head = imported.table.head();
    assert_eq!(imported.refused, [], "{}", head.id);
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("data")
        .join(format!("{}.tsv.zst", head.id));
    if std::env::var_os("TAKMIL_BLESS").is_some() {
        std::fs::write(
            path,
            zstd::bulk::compress(imported.table.text().as_bytes(), 19).unwrap(),
        )
        .unwrap();
        return;
    }
    let shipped = SHIPPED
        .iter()
        .chain(&LEADING_AWAY)
        .chain(&CLINICAL)
        .find(|shipped| shipped.id == head.id)
        .unwrap()
        .table()
        .unwrap();
    assert_eq!(
        imported.table.digest(),
        shipped.digest(),
        "{} differs from its source",
        head.id
    );
}

#[test]
fn icd_10_cm_is_as_published() {
    let folder = "ref-icd10cm/icd10cm-";
    let read = |name: &str| corpus::read(&format!("{folder}{name}.gz"));
    let (Some(list), Some(titles), Some(tabular)) = (
        read("code-list-2026-04.txt"),
        read("2026-04-codes.csv"),
        read("tabular-2026-04.xml"),
    ) else {
        return;
    };
    let publisher = "CDC National Center for Health Statistics, through the package simple-icd-10-cm 1.5.0; titles with a seventh character are composed from the tabular";
    let head = head(
        "icd-10-cm",
        systems::ICD_10_CM,
        None,
        "2026-04",
        "2026-04-01",
        true,
        publisher,
    );
    let source = diagnoses(&list, &titles, &tabular);
    check(
        &import::table(
            source.as_bytes(),
            &head,
            "code=code,title=title,billable=billable",
        )
        .unwrap(),
    );
}

/// Diagnoses as rows of `code,title,billable`. The list has every code; titles are published for all but
/// those with a seventh character, whose meaning stands in the tabular at the category they belong to. A
/// code is billable if no longer one begins with it.
fn diagnoses(list: &str, titles: &str, tabular: &str) -> String {
    let codes: BTreeSet<&str> = list
        .lines()
        .filter(|code| code.len() > 2 && !code.contains('-'))
        .collect();
    let titles: BTreeMap<String, String> = csv::Reader::from_reader(titles.as_bytes())
        .records()
        .map(Result::unwrap)
        .map(|record| (record[0].replace('.', ""), record[1].to_owned()))
        .collect();
    let extensions = seventh_characters(tabular);
    let title_of = |code: &str| {
        titles.get(code).cloned().unwrap_or_else(|| {
            let (base, last) = code.split_at(code.len() - 1);
            let base_title = above(base).find_map(|base| titles.get(base)).unwrap();
            let meaning = above(base).find_map(|base| extensions.get(base)).unwrap();
            format!("{base_title}, {}", meaning[last])
        })
    };
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["code", "title", "billable"]).unwrap();
    for code in &codes {
        let next = codes
            .range::<str, _>((Bound::Excluded(*code), Bound::Unbounded))
            .next();
        let billable = !next.is_some_and(|next| next.starts_with(code));
        writer
            .write_record([*code, &title_of(code), if billable { "yes" } else { "no" }])
            .unwrap();
    }
    String::from_utf8(writer.into_inner().unwrap()).unwrap()
}

/// A code and all that stand above it, the nearest first.
fn above(code: &str) -> impl Iterator<Item = &str> {
    (3..=code.len()).rev().map(|length| &code[..length])
}

/// What the seventh characters mean below each category of the tabular that defines them.
fn seventh_characters(tabular: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut reader = quick_xml::Reader::from_str(tabular);
    let (mut categories, mut element): (Vec<String>, String) = (Vec::new(), String::new());
    let mut character = String::new();
    let mut found: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) => {
                start.name().as_ref().clone_into(&mut element);
                match element.as_str() {
                    "diag" => categories.push(String::new()),
                    "extension" => {
                        let value = start.try_get_attribute("char").unwrap().unwrap();
                        character = value.value.into_owned();
                    }
                    _ => {}
                }
            }
            Event::Text(text) => {
                let text: &str = &text;
                match (element.as_str(), categories.last_mut()) {
                    ("name", Some(category)) => *category = text.replace('.', ""),
                    ("extension", Some(category)) => {
                        found
                            .entry(category.clone())
                            .or_default()
                            .insert(character.clone(), text.to_owned());
                    }
                    _ => {}
                }
            }
            Event::End(end) => {
                if end.name().as_ref() == "diag" {
                    categories.pop();
                }
                element.clear();
            }
            Event::GeneralRef(_) if element == "extension" => panic!("an entity in a meaning"),
            Event::Eof => return found,
            _ => {}
        }
    }
}

#[test]
fn hcpcs_is_as_published() {
    let Some(source) = corpus::read("ref-hcpcs/hcpcs-level2-2019.csv.gz") else {
        return;
    };
    let publisher =
        "CMS, HCPCS level II without the dental codes, through the repository dewittpe/cms.hcpcs";
    let head = head(
        "hcpcs",
        systems::HCPCS,
        None,
        "2019",
        "2019-01-01",
        false,
        publisher,
    );
    check(
        &import::table(
            source.as_bytes(),
            &head,
            "code=code,title=long_description,class=type,ended=TERM DT",
        )
        .unwrap(),
    );
}

/// The directory has a row for each package, ingredient and ATC code. Two tables come of it: which drug a
/// package is, and what is in a drug. ATC is left out: its codes may not be passed on.
#[test]
fn ndc_and_rxnorm_are_as_published() {
    let Some(source) = corpus::read("ref-ndc-rxnorm-atc/ndc_rxcui_ingredient_atc_2020-06.csv.gz")
    else {
        return;
    };
    let publisher = "FDA NDC directory and NLM RxNorm, through the repository fabkury/ndc_map";
    let of = |id, system, target, complete| {
        head(
            id,
            system,
            target,
            "2020-06",
            "2020-06-01",
            complete,
            publisher,
        )
    };

    let map = of("ndc-rxnorm", systems::NDC, Some(systems::RXNORM), false);
    check(
        &import::table(
            source.as_bytes(),
            &map,
            "code=ndc,target=rxcui,equivalence=\"wider\"",
        )
        .unwrap(),
    );

    let list = of("rxnorm", systems::RXNORM, None, false);
    check(
        &import::table(
            drugs(&source).as_bytes(),
            &list,
            "code=rxcui,title=name,parts=ingredient",
        )
        .unwrap(),
    );
}

/// Drugs and ingredients as rows of `rxcui,name,ingredient`. RxNorm names a combination by its
/// ingredients in alphabetical order with " / " between them, and a drug is named here in the same way.
fn drugs(directory: &str) -> String {
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    let mut drugs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut reader = csv::Reader::from_reader(directory.as_bytes());
    for record in reader.records().map(Result::unwrap) {
        let ingredients = drugs.entry(record[1].to_owned()).or_default();
        if !record[2].is_empty() {
            names.insert(record[2].to_owned(), record[3].to_owned());
            ingredients.insert(record[2].to_owned());
        }
    }
    let is_combination = |rxcui: &String| names[rxcui].contains(" / ");
    let by_name: BTreeMap<&str, &String> = names
        .iter()
        .map(|(rxcui, name)| (name.as_str(), rxcui))
        .collect();

    let mut writer = csv::Writer::from_writer(Vec::new());
    writer
        .write_record(["rxcui", "name", "ingredient"])
        .unwrap();
    for (rxcui, name) in &names {
        let parts: Option<Vec<&String>> = name
            .split(" / ")
            .map(|part| by_name.get(part).copied())
            .collect();
        match parts.filter(|parts| parts.len() > 1) {
            Some(parts) => parts
                .iter()
                .for_each(|part| writer.write_record([rxcui, name, *part]).unwrap()),
            None => writer.write_record([rxcui, name, ""]).unwrap(),
        }
    }
    for (rxcui, ingredients) in drugs
        .iter()
        .filter(|(rxcui, _)| !names.contains_key(*rxcui))
    {
        let single: BTreeSet<&String> = ingredients
            .iter()
            .filter(|one| !is_combination(one))
            .collect();
        let mut titles: Vec<&str> = single.iter().map(|one| names[*one].as_str()).collect();
        titles.sort_unstable();
        let title = titles.join(" / ");
        if single.is_empty() {
            writer.write_record([rxcui, "", ""]).unwrap();
        }
        for ingredient in single {
            writer.write_record([rxcui, &title, ingredient]).unwrap();
        }
    }
    String::from_utf8(writer.into_inner().unwrap()).unwrap()
}
