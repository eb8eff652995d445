//! What real senders' FHIR shows: every sample through reading, checking and both ways of writing. The
//! samples lie outside the repo, in the folder that `TAKMIL_CORPUS` names.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use super::r4::{self, Finding};
use super::tree::Node;
use super::{json, xml};
use std::collections::BTreeMap;
use std::io::{Read, Write as _};
use takmil_domain::problem::ProblemCode;

/// Samples that count as good and yet break R4 itself, by the start of their path, with how.
const BREAKS_R4: &[(&str, &str)] = &[
    // Its publisher masks what changes between runs (`created`, `meta.lastUpdated`, a bundle's `id`)
    // with the word IGNORED_FIELD; its claims also lack `insurance` or an item's `productOrService`.
    (
        "cms-bfd-fhir/",
        "masked dates and ids, required elements missing",
    ),
    (
        "hccinfhir-eob/",
        "an explanation of benefits cut down to items and diagnoses",
    ),
    (
        "hcx-platform-swasth/coverageeligibilityresponse.json",
        "request, outcome and insurer missing",
    ),
    (
        "hcx-specs/Bundle-CoverageEligibilityResponseDocument",
        "request, outcome and insurer missing",
    ),
    (
        "inferno-crd-fixtures/crd_coverage_example.json",
        "an underscore in the id",
    ),
];

/// Samples in which something is noted and let pass.
const NOTED: &[(&str, &str)] = &[
    ("cms-bfd-fhir/", "the same in resources beside a message"),
    (
        "cms-bluebutton-sample/eobData.json.gz",
        "a space in the system of a diagnosis's coding",
    ),
    (
        "davinci-prior-auth-ri/bundle-dtr.json",
        "conditions and coverages of FHIR 3",
    ),
    (
        "davinci-prior-auth-ri/bundle-prior-auth.json",
        "conditions, answers and a device request of FHIR 3",
    ),
    (
        "davinci-prior-auth-ri/claim-complete.json",
        "a coverage and a device request of FHIR 3",
    ),
    (
        "davinci-prior-auth-ri/questionnaireresponse-dtr.json",
        "answers of FHIR 3",
    ),
    (
        "fhir-r4-hl7/MedicationRequest/medicationrequest0301.json",
        "a reference to a practitioner as dispenser",
    ),
    (
        "hcx-platform-swasth/srv_coverage_eligibility_check.json",
        "underscores in a patient's id",
    ),
    (
        "hcx-platform-swasth/srv_preauth.json",
        "an entry of the type Preauth, which no FHIR has",
    ),
    (
        "hcx-specs/Bundle-CoverageEligibilityResponseDocument",
        "a narrative of the bundle",
    ),
    (
        "nhs-eps-uk/secondary-care_community_acute_np_clinical-practitioner__1-Process-Request-Cancel",
        "an empty list",
    ),
    (
        "nhs-eps-uk/spec_errors_prescription-order-update__bundle-success.json",
        "an empty display",
    ),
    (
        "nrces-nhcx-india/CoverageEligibilityRequest-validation-example-01.json",
        "an empty identifier",
    ),
];

/// The samples kept as bad ones that R4 itself forbids; the others break a profile's rules only.
const REFUSED: &[(&str, ProblemCode, &str)] = &[
    (
        "inferno-pas-fixtures/invalid/nonconformant_pas_bundle_v110.json",
        ProblemCode::BadValue,
        "/entry",
    ),
    (
        "inferno-pas-fixtures/invalid/pa_response_bundle_missing_elements.json",
        ProblemCode::Missing,
        "/entry/0/resource/created",
    ),
    (
        "nrces-nhcx-india/invalid/Bundle-Prescription-example-06.raw-control-char.json.gz",
        ProblemCode::ControlCharacter,
        "",
    ),
];

struct Sample {
    path: String,
    good: bool,
    is_xml: bool,
    body: Vec<u8>,
}

/// Every FHIR sample of the corpus; `None` if there is no corpus.
fn samples() -> Option<Vec<Sample>> {
    let Some(root) = std::env::var_os("TAKMIL_CORPUS").map(std::path::PathBuf::from) else {
        // Straight to the stream: what a test prints is hidden while it passes.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: TAKMIL_CORPUS names no folder of samples, so no real FHIR was read"
        );
        return None;
    };
    let index = std::fs::read_to_string(root.join("index.csv")).unwrap();
    let mut samples = Vec::new();
    for line in index.lines().skip(1) {
        let columns: Vec<&str> = line.split(',').collect();
        let [path, source, kind, state, ..] = columns.as_slice() else {
            panic!("{line}")
        };
        // The flat rows are no FHIR, though they are named by the resources that are made from them.
        let is_fhir = kind.starts_with("fhir") && *source != "cms-bfd-idr-flat";
        let is_broken_fhir = *kind == "json:malformed" && *source == "nrces-nhcx-india";
        if !is_fhir && !is_broken_fhir {
            continue;
        }
        let stored = std::fs::read(root.join(path)).unwrap();
        let mut body = Vec::new();
        if path.ends_with(".gz") {
            flate2::read::MultiGzDecoder::new(stored.as_slice())
                .read_to_end(&mut body)
                .unwrap();
        } else {
            body = stored;
        }
        let is_xml = kind.starts_with("fhir-xml");
        samples.push(Sample {
            path: (*path).to_owned(),
            good: *state == "ok",
            is_xml,
            body,
        });
    }
    Some(samples)
}

fn parse(sample: &Sample) -> Result<Node<'_>, takmil_domain::problem::Problem> {
    if sample.is_xml {
        xml::parse(&sample.body)
    } else {
        json::parse(&sample.body)
    }
}

#[test]
fn good_samples_are_read_and_what_is_wrong_in_them_is_known() {
    let Some(samples) = samples() else { return };
    let mut unexplained = Vec::new();
    let mut explained: BTreeMap<&str, usize> = BTreeMap::new();
    let mut count = 0_usize;
    for sample in samples.iter().filter(|sample| sample.good) {
        count += 1;
        let tree = parse(sample).unwrap_or_else(|problem| panic!("{}: {problem}", sample.path));
        for Finding { problem, fatal } in r4::check(&tree) {
            let list = if fatal { BREAKS_R4 } else { NOTED };
            match list
                .iter()
                .find(|(start, _)| sample.path.starts_with(start))
            {
                Some((start, _)) => *explained.entry(start).or_default() += 1,
                None => unexplained.push(format!("{}: {problem}", sample.path)),
            }
            assert!(
                r4::expression(&tree, &problem.pointer).starts_with(tree.resource_type().unwrap())
            );
        }
    }
    assert_eq!(unexplained, Vec::<String>::new());
    assert!(count >= 800, "only {count} samples");
    for (start, why) in BREAKS_R4.iter().chain(NOTED) {
        assert!(
            explained.contains_key(start),
            "{start} is clean now, but listed for: {why}"
        );
    }
}

#[test]
fn bad_samples_are_refused_where_r4_itself_is_broken() {
    let Some(samples) = samples() else { return };
    let mut refused = Vec::new();
    let mut accepted = 0_usize;
    for sample in samples.iter().filter(|sample| !sample.good) {
        let problems = match parse(sample) {
            Err(problem) => vec![problem],
            Ok(tree) => r4::check(&tree)
                .into_iter()
                .filter(|found| found.fatal)
                .map(|found| found.problem)
                .collect(),
        };
        match REFUSED.iter().find(|(path, _, _)| *path == sample.path) {
            Some((path, code, pointer)) => {
                let told = problems
                    .iter()
                    .any(|found| found.code == *code && found.pointer.starts_with(pointer));
                assert!(
                    told && !problems.iter().any(|found| found.pointer.is_empty()),
                    "{path}: {problems:?}"
                );
                refused.push(*path);
            }
            None => {
                assert_eq!(problems, [], "{}", sample.path);
                accepted += 1;
            }
        }
    }
    assert_eq!(refused.len(), REFUSED.len(), "{refused:?}");
    assert_eq!(
        accepted, 36,
        "28 German prescriptions, 5 of PAS and 3 of the NHS"
    );
}

#[test]
fn xml_comes_back_as_it_was_and_json_through_xml_too() {
    let Some(samples) = samples() else { return };
    let mut same = [0_usize; 2];
    for sample in &samples {
        let Ok(tree) = parse(sample) else { continue };
        assert_eq!(
            json::parse(json::render(&tree).as_bytes()),
            Ok(tree.clone()),
            "{}",
            sample.path
        );
        // XML cannot hold an empty list, HTML's entities in a narrative, or values of a wrong shape.
        let holds = r4::check(&tree).iter().all(|found| {
            !matches!(
                found.problem.code,
                ProblemCode::BadValue | ProblemCode::WrongType
            )
        });
        let written = match xml::render(&tree) {
            Ok(written) => written,
            Err(problem) if problem.pointer.ends_with("/div") && !sample.is_xml => continue,
            Err(problem) if !holds => {
                assert_eq!(
                    problem.code,
                    ProblemCode::WrongType,
                    "{}: {problem}",
                    sample.path
                );
                continue;
            }
            Err(problem) => panic!("{}: {problem}", sample.path),
        };
        let again = xml::parse(written.as_bytes());
        if sample.is_xml {
            assert_eq!(again, Ok(tree), "{}", sample.path);
        } else if holds {
            assert_eq!(
                again.map(Node::sorted),
                Ok(tree.sorted()),
                "{}",
                sample.path
            );
        }
        same[usize::from(sample.is_xml)] += 1;
    }
    assert_eq!(
        same[1],
        samples.iter().filter(|sample| sample.is_xml).count()
    );
    assert!(same[0] >= 600 && same[1] >= 200, "{same:?}");
}
