//! Look-ups in the shipped code tables: a code of each kind for itself, and every concept of an admission.
#![expect(
    clippy::expect_used,
    reason = "a bench ends where its input is not as it should be"
)]

use std::collections::HashMap;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use takmil_benches::bodies::Bodies;
use takmil_domain::date::Date;
use takmil_domain::message::Message;
use takmil_mappings::{Lookup, Tables};

/// What senders write: the bench's name for it, system, code, and whether the common scheme has a place for it.
const CODES: &[(&str, &str, &str, bool)] = &[
    (
        "diagnosis as the table has it",
        "http://hl7.org/fhir/sid/icd-10-cm",
        "E11.9",
        true,
    ),
    ("diagnosis spelled otherwise", "x12:ABK", "e119", true),
    (
        "diagnosis by its category",
        "http://fhir.de/CodeSystem/bfarm/icd-10-gm",
        "I10.90",
        true,
    ),
    (
        "drug by a map",
        "http://hl7.org/fhir/sid/ndc",
        "0777-3105-02",
        true,
    ),
    (
        "drug by a national map",
        "urn:takmil:synthetic:ir:irc",
        "Y0012",
        true,
    ),
    ("service as the table has it", "x12:HC", "j7613", true),
    ("code that the table lacks", "ICD-10-CM", "Z99.99", false),
    (
        "system that nobody knows",
        "urn:somebody:codes",
        "42",
        false,
    ),
];

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let tables = Tables::shipped();
    tables.warm().expect("the shipped tables unpack");
    let mut group = criterion.benchmark_group("normalise");
    for (name, system, code, placed) in CODES {
        let found = tables.common(system, code);
        assert_eq!(
            matches!(found, Lookup::Mapped(_)),
            *placed,
            "{name}: {found:?}"
        );
        group.bench_function(BenchmarkId::new("code", name), |bencher| {
            bencher.iter(|| tables.common(black_box(system), black_box(code)));
        });
    }
    let mut message = admission();
    group.bench_function("admission of three lines", |bencher| {
        bencher.iter(|| {
            let mut placed = 0_u32;
            message.visit_concepts(&mut |_, coded| {
                placed += u32::from(matches!(tables.concept(coded), Lookup::Mapped(_)));
            });
            placed
        });
    });
    group.finish();
    strewn(&mut criterion, &tables);
    criterion.final_summary();
}

/// One look-up after the other, strewn over the largest list of codes, which no cache of the processor holds; beside it the
/// same in the standard library's hash map, which needs all its codes and rows laid out in memory first.
fn strewn(criterion: &mut Criterion, tables: &Tables) {
    let table = tables.list_of(PROCEDURES).expect("the list unpacks");
    let table = table.expect("the list is shipped");
    let mut codes: Vec<&str> = table.iter().map(|row| row.code()).collect();
    let titled = table.iter().map(|row| (row.code(), row.title("en")));
    let peer: HashMap<&str, Option<&str>> = titled.collect();
    codes.shuffle(&mut StdRng::seed_from_u64(1));
    let mut group = criterion.benchmark_group("strewn");
    group.throughput(Throughput::Elements(codes.len() as u64));
    group.bench_function("table", |bencher| {
        let found = || codes.iter().filter(|code| table.find(code).is_some());
        bencher.iter(|| black_box(found().count()));
    });
    group.bench_function("hash map", |bencher| {
        let found = || codes.iter().filter(|code| peer.contains_key(*code));
        bencher.iter(|| black_box(found().count()));
    });
    group.finish();
}

/// The largest of the shipped lists: ICD-10-PCS.
const PROCEDURES: &str = "http://www.cms.gov/Medicare/Coding/ICD10";

fn admission() -> Message {
    let day = Date::parse("2026-11-21").expect("it is a day");
    let body = Bodies::new("bench", day, 1).admission().body;
    serde_json::from_str(&body).expect("it is a message")
}
