//! Imports of tables that only their holders may use, from files as they come.

use takmil_domain::code::Equivalence;
use takmil_domain::date::Date;
use takmil_mappings::import::{self, MAX_FIELD, Refusal};
use takmil_mappings::table::{Head, Table};
use takmil_mappings::{Error, Lookup, Tables, systems};

use crate::corpus;

fn head(id: &str, system: &str, target: Option<&str>) -> Head {
    Head {
        id: id.to_owned(),
        system: system.to_owned(),
        target: target.map(str::to_owned),
        edition: "3".to_owned(),
        as_of: Date::parse("2021-02-03").unwrap(),
        complete: true,
        synthetic: false,
        licence: "the holder's".to_owned(),
        source: "the holder's file".to_owned(),
    }
}

/// Two rows of the relative-value book as a cabinet decree quotes them, with Arabic yeh and kaf.
const DECREE: &str = "\u{feff}code,flag,description_fa,professional_component,technical_component\n\
    801175,#,اندازه گيري كمي تيروزين (HPLC),0.54,1.43\n\
    ۸۰۱۱۸۰,#,اندازه گيري كمي فنيل آلانين (HPLC),0.54,1.43\n";

#[test]
fn a_book_of_relative_values_is_imported_and_found() {
    let columns = "code=code,title_fa=description_fa,professional=professional_component,technical=technical_component";
    let imported = import::table(
        DECREE.as_bytes(),
        &head("rvu", systems::IR_RVU, None),
        columns,
    )
    .unwrap();
    assert_eq!(
        (imported.read, imported.table.len(), imported.refused.len()),
        (2, 2, 0)
    );

    let tables = Tables::shipped().with(imported.table);
    let row = tables.row("ir:rvu", "٨٠١١٨٠").unwrap();
    assert_eq!(row.title("fa"), Some("اندازه گیری کمی فنیل آلانین (HPLC)"));
    assert_eq!(
        (
            row.get("professional"),
            row.get("technical"),
            row.get("anaesthesia")
        ),
        (Some("0.54"), Some("1.43"), None)
    );
    assert!(
        matches!(tables.common(systems::IR_RVU, "801175"), Lookup::Mapped(mapped) if mapped.via.equivalence == Equivalence::Equal)
    );
    assert!(
        matches!(
            tables.common(systems::IR_RVU, "801176"),
            Lookup::Unmapped(_)
        ),
        "the imported list is complete"
    );
}

#[test]
fn the_decree_of_the_corpus_imports() {
    let Some(folder) = corpus::folder("the decree's table") else {
        return;
    };
    let file =
        std::fs::File::open(folder.join("ref-iran-rvu-excerpt/rvu_decree_excerpt.csv")).unwrap();
    let imported = import::table(
        file,
        &head("rvu", systems::IR_RVU, None),
        "code=code,title_fa=description_fa",
    )
    .unwrap();
    let titles: Vec<&str> = imported
        .table
        .iter()
        .filter_map(|row| row.title("fa"))
        .collect();
    assert_eq!(titles.len(), 2);
    assert!(
        titles
            .iter()
            .all(|title| title.contains("اندازه گیری کمی") && !title.contains(['ي', 'ك'])),
        "{titles:?}"
    );
}

#[test]
fn a_map_of_a_system_that_nobody_registered_is_used() {
    let source = "PZN;INGREDIENT\n814665;6809\n2532741;161\n";
    let columns = "code=PZN,target=INGREDIENT,equivalence=\"wider\"";
    let imported = import::table(
        source.as_bytes(),
        &head("pzn-rxnorm", systems::PZN, Some(systems::RXNORM)),
        columns,
    )
    .unwrap();
    let own = import::table(
        "k\tname\nx 1\tOne\n".as_bytes(),
        &head("own", "urn:holder:list", None),
        "code=k,title=name",
    )
    .unwrap();
    let tables = Tables::shipped().with(imported.table).with(own.table);

    let Lookup::Mapped(mapped) = tables.common("http://fhir.de/CodeSystem/ifa/pzn", "00814665")
    else {
        panic!("unmapped")
    };
    assert_eq!(
        (
            mapped.common.system.as_str(),
            mapped.common.code.as_str(),
            mapped.title
        ),
        (systems::RXNORM, "6809", Some("metformin"))
    );
    assert_eq!(
        (
            mapped.via.map.as_str(),
            mapped.via.version.as_str(),
            mapped.via.equivalence
        ),
        ("pzn-rxnorm", "3", Equivalence::Wider)
    );
    assert!(
        matches!(tables.common("urn:holder:list", " x 1 "), Lookup::Mapped(mapped) if mapped.title == Some("One"))
    );
    assert!(matches!(
        tables.common("urn:holder:list", "x 2"),
        Lookup::Unmapped(_)
    ));
    assert!(
        matches!(
            Tables::shipped().common("urn:holder:list", "x 1"),
            Lookup::Unmapped(_)
        ),
        "the shipped tables are as before"
    );
}

#[test]
fn a_later_import_takes_the_place_of_an_earlier() {
    let map = |id: &str, target: &str| {
        let source = format!("c,t\n814665,{target}\n");
        let head = head(id, "pzn", Some("RxNorm"));
        import::table(
            source.as_bytes(),
            &head,
            "code=c,target=t,equivalence=\"wider\"",
        )
        .unwrap()
        .table
    };
    let leads_to = |tables: &Tables| match tables.common("PZN", "814665") {
        Lookup::Mapped(mapped) => mapped.common.code,
        Lookup::Unmapped(unmapped) => unmapped.reason.code().to_owned(),
    };
    let first = Tables::shipped().with(map("one", "6809"));
    assert_eq!(leads_to(&first), "6809");
    assert_eq!(
        leads_to(&first.with(map("two", "161"))),
        "161",
        "the later map is asked first"
    );
    let replaced = first.with(map("one", "5640"));
    assert_eq!(leads_to(&replaced), "5640");
    assert_eq!(
        replaced
            .provenance()
            .iter()
            .filter(|head| head.id == "one")
            .count(),
        1
    );

    let list = import::table(
        "c,t\nE11.9,Who\nI99.1,Own\n".as_bytes(),
        &head("who", "ICD-10", None),
        "code=c,title=t",
    )
    .unwrap();
    let tables = Tables::shipped().with(list.table);
    let system = |code: &str| match tables.common("ICD-10", code) {
        Lookup::Mapped(mapped) => mapped.common.system,
        Lookup::Unmapped(unmapped) => unmapped.reason.code().to_owned(),
    };
    assert_eq!(
        system("E11.9"),
        systems::ICD_10_CM,
        "a diagnosis is ICD-10-CM where that has it"
    );
    assert_eq!(system("U99.9"), "MAP-CODE", "the imported list is complete");
}

#[test]
fn rows_that_do_not_fit_are_refused_and_the_others_taken() {
    let long = "x".repeat(MAX_FIELD + 1);
    let source = format!(
        "code,to,eq,parts\nA10,6809,wider,B01\nA10,6809,wider,C01\nA10,161,wider,\nA1,6809,wider,\nB01,x,wider,\nC01,1,rather,\nD01,1\n{long},1,wider,\n"
    );
    let columns = "code=code,target=to,equivalence=eq,parts=parts";
    let imported = import::table(
        source.as_bytes(),
        &head("atc-rxnorm", systems::ATC, Some(systems::RXNORM)),
        columns,
    )
    .unwrap();
    let refused: Vec<(u64, Refusal)> = imported
        .refused
        .iter()
        .map(|row| (row.line, row.reason))
        .collect();
    let wanted = [
        (4, Refusal::Contradicts),
        (5, Refusal::Misspelled),
        (6, Refusal::MisspelledTarget),
        (7, Refusal::UnknownEquivalence),
        (8, Refusal::Uneven),
        (9, Refusal::TooLong),
    ];
    assert_eq!(refused, wanted);
    assert_eq!(imported.read, 8);
    let rows: Vec<(&str, Vec<&str>)> = imported
        .table
        .iter()
        .map(|row| (row.code(), row.parts().collect()))
        .collect();
    assert_eq!(rows, [("A10", vec!["B01", "C01"])]);

    let not_text = import::table(
        &b"code\nA10\n\xff\n"[..],
        &head("atc", systems::ATC, None),
        "code=code",
    )
    .unwrap();
    assert_eq!(
        not_text.refused.first().map(|row| row.reason),
        Some(Refusal::NotText)
    );
}

#[test]
fn the_files_of_publishers_are_imported_as_they_come() {
    // The descriptions of SNOMED CT, LOINC's core table, an index of ATC: a few rows of their layouts.
    let snomed = "id\teffectiveTime\tactive\tmoduleId\tconceptId\tlanguageCode\ttypeId\tterm\tcaseSignificanceId\n\
        1\t20020131\t1\t9\t44054006\ten\t900000000000003001\tDiabetes mellitus type 2 (disorder)\t9\n\
        2\t20020131\t1\t9\t44054006\ten\t900000000000013009\tType 2 diabetes mellitus\t9\n\
        3\t20020131\t0\t9\t22298006\ten\t900000000000003001\tHeart attack (disorder)\t9\n\
        4\t20080731\t1\t9\t22298006\ten\t900000000000003001\tMyocardial infarction (disorder)\t9\n";
    let loinc = "\"LOINC_NUM\",\"LONG_COMMON_NAME\",\"STATUS\"\n\
        \"2345-7\",\"Glucose [Mass/volume] in Serum or Plasma\",\"ACTIVE\"\n\
        \"4548-4\",\"Hemoglobin A1c/Hemoglobin.total, in Blood\",\"TRIAL\"\n\
        \"718-7\",\"Hemoglobin [Mass/volume] in Blood\",\"DEPRECATED\"\n";
    let atc = "ATC code;ATC level name\nA10BA02;metformin\nA10B;blood glucose lowering drugs\n";
    for (source, system, columns, read, taken, looked_up) in [
        (
            snomed,
            "snomed",
            "code=conceptId,title=term,active==1,typeId==900000000000003001",
            2,
            2,
            ("22298006", "Myocardial infarction (disorder)"),
        ),
        (
            loinc,
            "loinc",
            "code=LOINC_NUM,title=LONG_COMMON_NAME,STATUS==ACTIVE|TRIAL",
            2,
            2,
            ("4548-4", "Hemoglobin A1c/Hemoglobin.total, in Blood"),
        ),
        (
            atc,
            "atc",
            "code=ATC code,title=ATC level name",
            2,
            2,
            ("a10ba02", "metformin"),
        ),
    ] {
        let imported = import::table(source.as_bytes(), &head("own", system, None), columns);
        let imported = imported.unwrap();
        assert_eq!(
            (imported.read, imported.table.len()),
            (read, taken),
            "{system}: {:?}",
            imported.refused
        );
        let tables = Tables::shipped().with(imported.table);
        let (code, title) = looked_up;
        let row = tables.row(system, code).unwrap();
        assert_eq!(row.title("en"), Some(title), "{system}");
    }
    let wrong = import::table(
        atc.as_bytes(),
        &head("own", "atc", None),
        "code=ATC code,x==1",
    );
    assert!(matches!(wrong, Err(Error::NoColumn { .. })), "{wrong:?}");
}

#[test]
fn a_wrong_column_list_is_told() {
    let try_columns = |columns: &str| {
        import::table(
            "code,to\nA10,1\n".as_bytes(),
            &head("atc", systems::ATC, None),
            columns,
        )
        .map(|_| ())
    };
    for columns in [
        "",
        "code",
        "title=to",
        "code=code,code=to",
        "code=code,title=to,title=to",
        "code=code,target=to",
        "code=code,title=\"x",
    ] {
        assert!(
            matches!(try_columns(columns), Err(Error::Columns { .. })),
            "{columns:?}"
        );
    }
    assert!(matches!(try_columns("code=kod"), Err(Error::NoColumn { column }) if column == "kod"));
    assert!(try_columns("code=code,title=\"x\"").is_ok());
}

#[test]
fn a_table_is_its_text() {
    let imported = import::table(
        "c,t\nA10,One\nB01,\n".as_bytes(),
        &head("atc", systems::ATC, None),
        "code=c,title=t",
    )
    .unwrap();
    let again = Table::parse(imported.table.text().to_owned()).unwrap();
    assert_eq!(
        (again.head(), again.digest(), again.len()),
        (imported.table.head(), imported.table.digest(), 2)
    );
    assert_eq!(again.find("B01").unwrap().title("en"), None);

    let text = imported.table.text();
    let damaged = [
        text.replace("A10\tOne\nB01\t\n", "B01\t\nA10\tOne\n"),
        text.replace("B01\t", "A10\t"),
        text.replace("B01\t", "B01"),
        text.replace("code\ttitle", "title\tcode"),
        text.replace("code\ttitle", "code\ttarget"),
        text.replace("edition\t3\n", ""),
        text.replace("edition\t3\n", "edition\t3\nedition\t4\n"),
        text.replace("edition\t3\n", "edition\t3\nmore\t4\n"),
        text.replace("2021-02-03", "2021-02-30"),
        text.replace("complete\tyes", "complete\tperhaps"),
        text.trim_end().to_owned(),
        String::new(),
    ];
    for text in damaged {
        assert!(Table::parse(text.clone()).is_err(), "{text}");
    }
}
