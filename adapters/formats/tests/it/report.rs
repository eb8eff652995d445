//! What `takmil convert --report` says of the corpus: every sender's messages are read, and say what stands in them.
//! The corpus lies outside the repo, in the folder that `TAKMIL_CORPUS` names.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use takmil_domain::money::Currency;
use takmil_domain::problem::ProblemCode;
use takmil_formats::facts::{FactKind, Shares, measure};
use takmil_formats::{Context, Format, en13606, fhir, hl7v2, openehr, read, uae, x12};

use crate::context;

#[derive(Default)]
struct Row {
    messages: usize,
    read: usize,
    refused: BTreeMap<&'static str, Vec<String>>,
    shares: Shares,
    lost: Vec<String>,
}

pub(crate) fn unpacked(path: &Path) -> Vec<u8> {
    let stored = std::fs::read(path).unwrap();
    if path.extension().is_none_or(|end| end != "gz") {
        return stored;
    }
    let mut body = Vec::new();
    let mut packed = flate2::read::MultiGzDecoder::new(&*stored);
    packed.read_to_end(&mut body).unwrap();
    body
}

/// The format that is measured of a kind of the corpus's index.
fn format(kind: &str) -> Option<&'static Format> {
    let (syntax, name) = kind.split_once(':').unwrap_or((kind, ""));
    match syntax {
        "x12" => Some(&x12::FORMAT),
        "hl7v2" => Some(&hl7v2::FORMAT),
        "openehr" => Some(&openehr::FORMAT),
        "en13606" => Some(&en13606::FORMAT),
        "xml" if matches!(name, "Claim.Submission" | "Prior.Request" | "eRx.Request") => {
            Some(&uae::FORMAT)
        }
        _ if syntax.starts_with("fhir") || syntax.starts_with("ndjson") => Some(&fhir::FORMAT),
        _ => None,
    }
}

/// What was agreed with senders of a format that names no currency.
fn currency(format: &Format) -> Option<Currency> {
    match format.name {
        "x12" | "hl7v2" => Currency::parse("USD"),
        _ => None,
    }
}

fn rows() -> Option<BTreeMap<(String, String), Row>> {
    let Some(root) = std::env::var_os("TAKMIL_CORPUS").map(std::path::PathBuf::from) else {
        eprintln!("TAKMIL_CORPUS is not set: no corpus is read");
        return None;
    };
    let index = std::fs::read_to_string(root.join("index.csv")).unwrap();
    let mut rows: BTreeMap<_, Row> = BTreeMap::new();
    for line in index.lines().skip(1) {
        let columns: Vec<&str> = line.split(',').collect();
        let (path, source, kind, state) = (columns[0], columns[1], columns[2], columns[3]);
        let Some(format) = format(kind) else { continue };
        if source == "cms-bfd-idr-flat" || state != "ok" {
            continue;
        }
        let body = unpacked(&root.join(path));
        let context = Context {
            default_currency: currency(format),
            ..context()
        };
        let mut measured = measure(format, &body, &context);
        if format.name == fhir::FORMAT.name {
            measured.extend(measure(&fhir::HISTORY, &body, &context));
        }
        for one in measured {
            let row = rows.entry((source.to_owned(), one.name)).or_default();
            row.messages += 1;
            match one.outcome {
                Ok(()) => row.read += 1,
                Err(code) => row
                    .refused
                    .entry(code.code())
                    .or_default()
                    .push(path.to_owned()),
            }
            row.shares.add(&one.shares);
            row.lost.extend(
                one.lost
                    .iter()
                    .map(|fact| format!("{path} {:?} {}", fact.kind, fact.text)),
            );
        }
    }
    Some(rows)
}

/// What is not read, by sender and kind: how many at most, and why.
const NOT_READ: &[(&str, &str, usize, &str)] = &[
    (
        "healthsim-doc-samples",
        "837P",
        2,
        "SE01 is not the number of segments",
    ),
    (
        "healthsim-doc-samples",
        "ADT_A11",
        1,
        "the visit that is taken back has no number",
    ),
    ("hl7v2-lfh", "ADT_A01", 1, "an admission without a visit"),
    (
        "hl7v2-ms-converter",
        "ORM_O01",
        1,
        "an order of supplies by RQD: the hub has no message of this kind",
    ),
    (
        "x12-hccinfhir",
        "837P",
        2,
        "a count that is wrong, and a service before its LX",
    ),
    ("x12-imsweb", "270", 1, "ISA13 and IEA02 differ"),
    (
        "x12-imsweb",
        "837P",
        317,
        "counts that are wrong, and levels whose parents do not stand before them",
    ),
    (
        "x12-lfh",
        "837P",
        1,
        "its ISA names one separator of components, its claims use another",
    ),
    ("x12-oopfactory", "837", 1, "its ISA names version 99999"),
    (
        "x12-oopfactory",
        "837I",
        6,
        "counts that are wrong, a year of two digits, or another separator than its ISA names",
    ),
    (
        "cms-bfd-fhir",
        "Claim",
        9,
        "dates masked with a word, `insurance` missing: no FHIR",
    ),
    (
        "cms-bfd-fhir",
        "ExplanationOfBenefit",
        24,
        "masked as its claims are",
    ),
    (
        "cms-bfd-idr-fhir",
        "ExplanationOfBenefit",
        1,
        "two parts of `supportingInfo` have one number",
    ),
    (
        "davinci-pas-2.0.1",
        "Claim preauthorization",
        1,
        "an update tagged SUBSETTED: only a part of the request is there",
    ),
    (
        "davinci-pas-2.0.1",
        "Task",
        1,
        "an insurer asks for documents: not a provider's message",
    ),
    (
        "davinci-pas-2.2.1",
        "Claim preauthorization",
        1,
        "the earlier request, there for the new one to refer to",
    ),
    (
        "davinci-pas-2.2.1",
        "Task",
        1,
        "an insurer asks for documents: not a provider's message",
    ),
    (
        "fhir-r4-hl7",
        "Communication",
        2,
        "the hub has no message of this kind",
    ),
    (
        "hcx-platform-swasth",
        "Communication",
        1,
        "the hub has no message of this kind",
    ),
    (
        "inferno-crd-fixtures",
        "Task",
        1,
        "an insurer asks for a form: not a provider's message",
    ),
    (
        "hccinfhir-eob",
        "ExplanationOfBenefit",
        132,
        "two cut down: `status`, `insurer` and more are missing; 130 lines of FHIR 3, whose `insurance` is an object",
    ),
    (
        "inferno-pas-fixtures",
        "Claim preauthorization",
        1,
        "two items have one number",
    ),
    (
        "nhs-eps-uk",
        "Task",
        3,
        "an order is handed back to be filled elsewhere: nothing is taken back",
    ),
    (
        "synthea-r4",
        "ExplanationOfBenefit",
        20,
        "services before the member's birth",
    ),
];

/// What is read and not said whole, by sender, kind and kind of fact, and why.
const NOT_SAID: &[(&str, &str, FactKind, &str)] = &[(
    "cms-bcda",
    "ExplanationOfBenefit",
    FactKind::Code,
    "FHIR 3: currencies stand beside their amounts in elements that R4 does not have; they stay in the original",
)];

/// The least that is read of a sender's messages of one kind, and said of what stands in them, in ten thousandths.
const LEAST_READ: usize = 9_900;
const LEAST_SAID: usize = 9_800;

#[test]
fn every_sender_is_read_whole() {
    let Some(rows) = rows() else { return };
    let mut below = Vec::new();
    for ((sender, name), row) in &rows {
        let refused = row.messages - row.read;
        let listed = NOT_READ
            .iter()
            .find(|(source, kind, _, _)| source == sender && kind == name);
        let allowed = listed.map_or(0, |(_, _, count, _)| *count);
        // What is no message (a patient, an answer) stands under a dash.
        if name != "-" && refused != allowed && row.read * 10_000 < row.messages * LEAST_READ {
            below.push(format!(
                "{sender} {name}: {} of {} read: {:?}",
                row.read, row.messages, row.refused
            ));
        }
        for kind in FactKind::ALL {
            let mut listed = NOT_SAID.iter();
            let is_listed = listed
                .any(|(source, known, fact, _)| source == sender && known == name && fact == kind);
            let is_whole = row.shares.of(*kind).per_myriad() >= LEAST_SAID;
            assert!(!(is_listed && is_whole), "{sender} {name} is listed");
            if !is_listed && !is_whole {
                below.push(format!(
                    "{sender} {name}: {kind:?} {:?}, as {:?}",
                    row.shares.of(*kind),
                    row.lost.first()
                ));
            }
        }
    }
    assert_eq!(below, Vec::<String>::new());
    let facts: usize = rows.values().map(|row| row.shares.total().found).sum();
    assert!(facts > 9_000, "{facts} facts only");
    for (sender, name, count, why) in NOT_READ {
        let row = rows
            .get(&((*sender).to_owned(), (*name).to_owned()))
            .unwrap();
        assert_eq!(
            row.messages - row.read,
            *count,
            "{sender} {name} is listed for: {why}"
        );
    }
}

/// Bodies kept as bad ones that are no FHIR: the code of what is wrong, and where.
const BROKEN: &[(&str, ProblemCode, &str)] = &[
    (
        "inferno-pas-fixtures/invalid/nonconformant_pas_bundle_v110.json",
        ProblemCode::BadValue,
        "/entry",
    ),
    (
        "nrces-nhcx-india/invalid/Bundle-Prescription-example-06.raw-control-char.json.gz",
        ProblemCode::ControlCharacter,
        "/entry/0/resource/text/div",
    ),
];

#[test]
fn what_is_no_fhir_is_refused_and_what_breaks_a_country_s_rules_alone_is_read() {
    let Some(root) = std::env::var_os("TAKMIL_CORPUS").map(std::path::PathBuf::from) else {
        return;
    };
    let index = std::fs::read_to_string(root.join("index.csv")).unwrap();
    let (mut taken, mut empty) = (0, 0);
    for line in index.lines().skip(1) {
        let columns: Vec<&str> = line.split(',').collect();
        let (path, kind, state) = (columns[0], columns[2], columns[3]);
        let broken = BROKEN.iter().find(|(known, _, _)| *known == path);
        if state == "ok" || !(kind.starts_with("fhir") || broken.is_some()) {
            continue;
        }
        let result = read(&fhir::FORMAT, &unpacked(&root.join(path)), &context());
        match (broken, result) {
            (Some((_, code, place)), result) => {
                let problem = result.unwrap_err();
                assert_eq!((problem.code, &*problem.pointer), (*code, *place), "{path}");
            }
            (None, Err(problem)) => {
                assert_eq!(problem.code, ProblemCode::NoMessage, "{path}");
                empty += 1;
            }
            (None, Ok(reading)) => {
                assert!(
                    reading.messages.iter().all(|one| one.outcome.is_ok()),
                    "{path}"
                );
                taken += 1;
            }
        }
    }
    assert!(taken >= 30 && empty <= 6, "{taken} {empty}");
}
