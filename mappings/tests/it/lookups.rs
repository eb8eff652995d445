//! What senders write, and what it has in common.

use std::time::Instant;

use takmil_domain::code::{Coded, Coding, Equivalence};
use takmil_mappings::tables::Gap;
use takmil_mappings::{Lookup, Tables, systems};

/// `system|code → system|code by map, how` or the gap.
fn told(lookup: &Lookup<'_>) -> String {
    match lookup {
        Lookup::Mapped(mapped) => {
            let system = systems::named(&mapped.common.system).unwrap().title;
            format!(
                "{system} {} by {} {:?}",
                mapped.common.code, mapped.via.map, mapped.via.equivalence
            )
        }
        Lookup::Unmapped(unmapped) => unmapped.reason.code().to_owned(),
    }
}

fn check(table: &[(&str, &str, &str)]) {
    let tables = Tables::shipped();
    for (system, code, wanted) in table {
        assert_eq!(
            &told(&tables.common(system, code)),
            wanted,
            "{system} {code}"
        );
    }
}

#[test]
fn diagnoses_become_icd_10_cm() {
    check(&[
        (
            "http://hl7.org/fhir/sid/icd-10-cm",
            "E11.9",
            "ICD-10-CM E11.9 by icd-10-cm Equal",
        ),
        ("x12:ABK", "e119", "ICD-10-CM E11.9 by icd-10-cm Equal"),
        ("urn:oid:2.16.840.1.113883.6.90", "۱۱", "MAP-SPELLING"),
        ("ICD-10-CM", "E11.999", "MAP-CODE"),
        (
            "ICD-10-CM",
            "s060x1a",
            "ICD-10-CM S06.0X1A by icd-10-cm Equal",
        ),
        ("ICD-10-CM", "Z99.99", "MAP-CODE"),
        (
            "http://hl7.org/fhir/sid/icd-10",
            "E119",
            "ICD-10-CM E11.9 by same-spelling Equivalent",
        ),
        (
            "hl7v2:I10",
            "K63.3",
            "ICD-10-CM K63.3 by same-spelling Equivalent",
        ),
        (
            "http://fhir.de/CodeSystem/bfarm/icd-10-gm",
            "I10.90",
            "ICD-10-CM I10 by same-spelling Wider",
        ),
        (
            "http://fhir.de/CodeSystem/bfarm/icd-10-gm",
            "U99.9",
            "ICD-10-GM U99.9 by as-it-is Unchecked",
        ),
        ("x12:BK", "4280", "ICD-9-CM 428.0 by icd-9-cm Equal"),
        (
            "x12:BK",
            "0010",
            "ICD-10-CM A00.0 by icd-9-cm-icd-10-cm Equivalent",
        ),
    ]);
}

#[test]
fn drugs_become_rxnorm() {
    check(&[
        (
            "http://hl7.org/fhir/sid/ndc",
            "0777-3105-02",
            "RxNorm 104849 by ndc-rxnorm Wider",
        ),
        ("x12:N4", "00777310502", "RxNorm 104849 by ndc-rxnorm Wider"),
        ("NDC", "0777310502", "RxNorm 104849 by ndc-rxnorm Wider"),
        ("NDC", "0777-3105", "RxNorm 104849 by ndc-rxnorm Wider"),
        ("NDC", "000000000", "MAP-CODE"),
        ("NDC", "99999999999", "MAP-CODE"),
        ("RxNorm", "6809", "RxNorm 6809 by rxnorm Equal"),
        (
            "RxNorm",
            "99999999",
            "RxNorm 99999999 by as-it-is Unchecked",
        ),
        (
            systems::SYNTHETIC_IRC,
            "Y0012",
            "RxNorm 6809 by synthetic-ir-irc-rxnorm Wider",
        ),
        (systems::SYNTHETIC_IRC, "Y9999", "MAP-CODE"),
        (
            "http://fhir.de/CodeSystem/ifa/pzn",
            "814665",
            "PZN 00814665 by as-it-is Unchecked",
        ),
        (
            "irc",
            "۶۲۶۰۱۵۰۱۲۰۱۲۳۴۵۶",
            "IRC 6260150120123456 by as-it-is Unchecked",
        ),
    ]);
}

#[test]
fn services_become_hcpcs_where_it_has_them() {
    check(&[
        ("x12:HC", "j7613", "HCPCS level II J7613 by hcpcs Equal"),
        ("x12:HC", "99213", "CPT 99213 by as-it-is Unchecked"),
        (
            "http://www.ama-assn.org/go/cpt",
            "J7613",
            "HCPCS level II J7613 by hcpcs Equal",
        ),
        ("HCPCS", "D0120", "CDT D0120 by as-it-is Unchecked"),
        ("HCPCS", "J9999", "HCPCS level II J9999 by hcpcs Equal"),
        (
            "HCPCS",
            "Q9999",
            "HCPCS level II Q9999 by as-it-is Unchecked",
        ),
        (
            systems::SYNTHETIC_RVU,
            "ZE8220",
            "HCPCS level II E1130 by synthetic-ir-rvu-hcpcs Equivalent",
        ),
        (
            systems::SYNTHETIC_RVU,
            "ZI3210",
            "Synthetic relative values ZI3210 by synthetic-ir-rvu Equal",
        ),
        (
            systems::SYNTHETIC_SERVICES,
            "NI300",
            "Synthetic services NI300 by synthetic-services Equal",
        ),
        ("uae:8", "9", "Emirates services 9 by as-it-is Unchecked"),
        (
            "http://snomed.info/sct",
            "73211009",
            "SNOMED CT 73211009 by as-it-is Unchecked",
        ),
    ]);
}

#[test]
fn what_has_no_place_says_why() {
    check(&[
        ("", "123456", "MAP-NO-SYSTEM"),
        (" ", "", "MAP-NO-SYSTEM"),
        (
            "http://example.org/fhir/oralservicecodes",
            "1200",
            "MAP-SYSTEM",
        ),
        ("ICD-10-CM", "", "MAP-NO-CODE"),
        ("NDC", "drug", "MAP-SPELLING"),
        ("x12:HC", "FDSAE", "MAP-SPELLING"),
    ]);
    let tables = Tables::shipped();
    let Lookup::Unmapped(unmapped) = tables.common("x12:ABK", "z9999") else {
        panic!("mapped")
    };
    assert_eq!(
        (unmapped.reason, unmapped.system, unmapped.code.as_deref()),
        (Gap::UnknownCode, Some(systems::ICD_10_CM), Some("Z99.99"))
    );
}

#[test]
fn of_several_codings_the_one_that_a_table_holds_is_taken() {
    let tables = Tables::shipped();
    let mut coded = Coded::new("http://example.org/local", "77");
    assert_eq!(told(&tables.concept(&coded)), "MAP-SYSTEM");
    let coding = |system: &str, code: &str| Coding {
        system: system.to_owned(),
        code: code.to_owned(),
        ..Coding::default()
    };
    coded
        .others
        .push(coding("http://snomed.info/sct", "44054006"));
    assert_eq!(
        told(&tables.concept(&coded)),
        "SNOMED CT 44054006 by as-it-is Unchecked"
    );
    coded.others.push(coding("ICD-10-CM", "E11.9"));
    assert_eq!(
        told(&tables.concept(&coded)),
        "ICD-10-CM E11.9 by icd-10-cm Equal"
    );
    assert_eq!(told(&tables.concept(&Coded::words("cough"))), "MAP-NO-CODE");
}

#[test]
fn titles_ingredients_and_further_columns_are_had() {
    let tables = Tables::shipped();
    let Lookup::Mapped(mapped) = tables.common("ICD-10-CM", "E119") else {
        panic!("unmapped")
    };
    assert_eq!(
        mapped.title,
        Some("Type 2 diabetes mellitus without complications")
    );
    assert_eq!(mapped.via.equivalence, Equivalence::Equal);
    assert_eq!(
        tables
            .row("ICD-10-CM", "E11")
            .and_then(|row| row.get("billable")),
        Some("no")
    );
    assert_eq!(
        tables
            .row(systems::SYNTHETIC_RVU, "ZI3210")
            .and_then(|row| row.title("fa")),
        Some("ام‌آر‌آی مغز بدون تزریق")
    );

    let names = |rxcui: &str| {
        tables
            .ingredients(rxcui)
            .iter()
            .filter_map(|row| row.title("en"))
            .collect::<Vec<_>>()
    };
    assert_eq!(names("725080"), ["fluoxetine", "olanzapine"]);
    assert_eq!(names("19711"), ["clavulanate", "amoxicillin"]);
    assert_eq!(names("6809"), ["metformin"]);
    assert_eq!(names("none"), [""; 0]);
}

#[test]
fn every_synthetic_map_leads_somewhere() {
    let tables = Tables::shipped();
    for shipped in takmil_mappings::shipped::SHIPPED
        .iter()
        .filter(|shipped| shipped.target.is_some() && shipped.id.starts_with("synthetic-"))
    {
        for row in shipped.table().unwrap().iter() {
            assert!(
                tables.row(shipped.system, row.code()).is_some(),
                "{} {} has no title",
                shipped.id,
                row.code()
            );
            let target = row.get("target").unwrap();
            assert!(
                tables.row(shipped.target.unwrap(), target).is_some(),
                "{} {} leads to {target}",
                shipped.id,
                row.code()
            );
        }
    }
}

/// Crude: printed for the reader, bounded only where something is badly wrong.
#[test]
fn tables_load_and_answer_quickly() {
    let start = Instant::now();
    let tables = Tables::shipped();
    tables.warm().unwrap();
    eprintln!("all tables unpacked in {} ms", start.elapsed().as_millis());

    let codes: Vec<&str> = tables_codes();
    let mut mapped = 0_u32;
    let start = Instant::now();
    for code in &codes {
        mapped += u32::from(matches!(
            tables.common("http://hl7.org/fhir/sid/ndc", code),
            Lookup::Mapped(_)
        ));
    }
    let each_ns = start.elapsed().as_nanos() / codes.len() as u128;
    eprintln!("{} NDC looked up in {each_ns} ns each", codes.len());
    assert_eq!(mapped as usize, codes.len());
    assert!(each_ns < 100_000, "a look-up takes {each_ns} ns");
}

fn tables_codes() -> Vec<&'static str> {
    let map = takmil_mappings::shipped::SHIPPED
        .iter()
        .find(|shipped| shipped.id == "ndc-rxnorm")
        .unwrap()
        .table()
        .unwrap();
    map.iter().step_by(7).map(|row| row.code()).collect()
}
