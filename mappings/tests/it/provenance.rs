//! `data/PROVENANCE.md` says of every shipped table what the table says of itself.
//!
//! With `TAKMIL_BLESS=1` the page is written anew.

use std::fmt::Write;
use std::path::Path;

use takmil_mappings::shipped::{CLINICAL, LEADING_AWAY, SHIPPED};

fn page() -> String {
    let mut page = String::from(
        "# Provenance of the shipped tables\n\n\
         Written from the heads of the tables by the tests of this crate. The digest is the SHA-256 of the unpacked text.\n",
    );
    for shipped in SHIPPED.iter().chain(&LEADING_AWAY).chain(&CLINICAL) {
        let table = shipped.table().unwrap();
        let head = table.head();
        write!(page, "\n## {}\n\n", head.id).unwrap();
        writeln!(page, "- system: `{}`", head.system).unwrap();
        if let Some(target) = &head.target {
            writeln!(page, "- leads to: `{target}`").unwrap();
        }
        writeln!(
            page,
            "- edition: {} of {}, {} rows",
            head.edition,
            head.as_of,
            table.len()
        )
        .unwrap();
        writeln!(
            page,
            "- lists every valid code: {}",
            if head.complete { "yes" } else { "no" }
        )
        .unwrap();
        if head.synthetic {
            writeln!(page, "- SYNTHETIC").unwrap();
        }
        writeln!(page, "- source: {}", head.source).unwrap();
        writeln!(page, "- licence: {}", head.licence).unwrap();
        writeln!(page, "- sha256: {}", table.digest()).unwrap();
    }
    page
}

#[test]
fn the_page_of_provenance_is_true() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/PROVENANCE.md");
    if std::env::var_os("TAKMIL_BLESS").is_some() {
        std::fs::write(&path, page()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap();
    for (line, (written, wanted)) in written.lines().zip(page().lines()).enumerate() {
        assert_eq!(written, wanted, "line {}", line + 1);
    }
    assert_eq!(written.lines().count(), page().lines().count());
}

#[test]
fn every_shipped_table_is_what_the_registry_says() {
    for shipped in SHIPPED.iter().chain(&LEADING_AWAY).chain(&CLINICAL) {
        let head = shipped.table().unwrap().head();
        assert_eq!(
            (
                head.id.as_str(),
                head.system.as_str(),
                head.target.as_deref()
            ),
            (shipped.id, shipped.system, shipped.target)
        );
        assert_eq!(
            head.synthetic,
            shipped.id.starts_with("synthetic-"),
            "{}",
            shipped.id
        );
    }
}

#[test]
fn nothing_is_shipped_that_may_not_be_passed_on() {
    let of = |id: &str| {
        SHIPPED
            .iter()
            .find(|shipped| shipped.id == id)
            .unwrap()
            .table()
            .unwrap()
    };
    assert!(
        of("hcpcs").iter().all(|row| row
            .code()
            .starts_with(|letter: char| letter.is_ascii_uppercase() && letter != 'D')),
        "CPT or dental codes"
    );
    for id in ["ndc-rxnorm", "rxnorm"] {
        let text = of(id).text();
        assert!(
            !text.contains("A10BJ05") && !text.contains("atc"),
            "ATC in {id}"
        );
    }
}
