//! The code systems that the hub knows, under every name that senders give them.
//!
//! A canonical URI first, then the names met in real messages: other URIs, OIDs, plain words. The names
//! of a standard that mean something only inside it carry its prefix: `x12:` for a qualifier of X12
//! (HI01-1, SV101-1, LIN02…), `hl7v2:` for a name of HL7 table 0396, `uae:` for an activity type of the
//! Emirates' claims. A new system is one entry here.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::spelling::{self, Spelling};

// What the clinical rules go by is named where they are.
pub use takmil_domain::clinical::{HCPCS, ICD_10_CM, ICD_10_PCS, RXNORM};

/// The table of drugs that act on each other, which is no system of codes.
pub const INTERACTIONS: &str = "urn:takmil:interactions";
/// ICD-10 as the WHO publishes it.
pub const ICD_10: &str = "http://hl7.org/fhir/sid/icd-10";
/// The German modification of ICD-10.
pub const ICD_10_GM: &str = "http://fhir.de/CodeSystem/bfarm/icd-10-gm";
/// Diagnoses of ICD-9-CM.
pub const ICD_9_CM: &str = "http://hl7.org/fhir/sid/icd-9-cm";
/// Procedures of ICD-9-CM, its third volume.
pub const ICD_9_CM_PROCEDURES: &str = "http://www.cms.gov/Medicare/Coding/ICD9";
/// CPT, which is level I of HCPCS. Licensed; no table of it is shipped.
pub const CPT: &str = "http://www.ama-assn.org/go/cpt";
/// CDT, the dental codes. Licensed; no table of it is shipped.
pub const CDT: &str = "http://www.ada.org/cdt";
/// The United States' national drug code of a package.
pub const NDC: &str = "http://hl7.org/fhir/sid/ndc";
/// SNOMED CT; the British dm+d is part of its extension.
pub const SNOMED_CT: &str = "http://snomed.info/sct";
/// LOINC.
pub const LOINC: &str = "http://loinc.org";
/// Vaccines of CVX.
pub const CVX: &str = "http://hl7.org/fhir/sid/cvx";
/// ATC of the WHO.
pub const ATC: &str = "http://www.whocc.no/atc";
/// The German number of a package.
pub const PZN: &str = "http://fhir.de/CodeSystem/ifa/pzn";
/// The German number of a substance.
pub const ASK: &str = "http://fhir.de/CodeSystem/ask";
/// Revenue codes of hospital bills.
pub const REVENUE: &str = "https://www.nubc.org/CodeSystem/RevenueCodes";
/// Diagnosis-related groups of Medicare.
pub const MS_DRG: &str = "https://www.cms.gov/Medicare/Medicare-Fee-for-Service-Payment/AcuteInpatientPPS/MS-DRG-Classifications-and-Software";
/// Service types of X12.
pub const X12_SERVICE_TYPE: &str = "https://codesystem.x12.org/005010/1365";
/// The clinical categories of AHRQ (CCSR) that diagnoses of ICD-10-CM fall into.
pub const CCSR: &str = "urn:takmil:us:ccsr";
/// Traded drugs of the Emirates.
pub const UAE_DRUG: &str = "urn:takmil:ae:drug";
/// Generic drugs of the Emirates.
pub const UAE_GENERIC: &str = "urn:takmil:ae:generic";
/// Services of the Emirates' own lists.
pub const UAE_SERVICE: &str = "urn:takmil:ae:service";
/// Diagnosis-related groups of the Emirates.
pub const UAE_DRG: &str = "urn:takmil:ae:drg";
/// Iran's book of relative values. Imported by who holds it.
pub const IR_RVU: &str = "urn:takmil:ir:rvu";
/// Iran's drug licence codes. Imported by who holds them.
pub const IR_IRC: &str = "urn:takmil:ir:irc";
/// Invented services in the manner of Iran's book of relative values.
pub const SYNTHETIC_RVU: &str = "urn:takmil:synthetic:ir:rvu";
/// Invented drugs in the manner of Iran's licence codes.
pub const SYNTHETIC_IRC: &str = "urn:takmil:synthetic:ir:irc";

/// Invented services for the packs of countries without a list that may be shipped.
pub const SYNTHETIC_SERVICES: &str = "urn:takmil:synthetic:services";

/// A code system.
#[derive(Debug)]
pub struct System {
    /// Its canonical URI.
    pub uri: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// Its other names, in any case; `http` serves for `https`, and an OID needs no `urn:oid:`.
    pub names: &'static [&'static str],
    /// How its codes are written.
    pub spelling: Spelling,
    /// What a code is worth that no table and no map holds.
    pub unlisted: Unlisted,
}

/// What becomes of a well-written code that no table and no map of its system holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unlisted {
    /// It is taken as it is, not checked against a table.
    Passes,
    /// It is unmapped.
    Unmapped,
    /// It is taken for the code of the same spelling in that system, or for the nearest one above it, even
    /// where a list of its own has it. Where there is neither it is taken as it is.
    ReadsAs(&'static str),
}

use Unlisted::{Passes, ReadsAs, Unmapped};

/// Every system.
pub const SYSTEMS: &[System] = &[
    System {
        uri: ICD_10_CM,
        title: "ICD-10-CM",
        names: &[
            "icd-10-cm",
            "icd10cm",
            "2.16.840.1.113883.6.90",
            "x12:ABK",
            "x12:ABF",
            "x12:ABJ",
            "x12:APR",
            "x12:ABN",
            "hl7v2:I10C",
            "uae:diagnosis",
        ],
        spelling: spelling::icd10,
        unlisted: Unmapped,
    },
    System {
        uri: ICD_10,
        title: "ICD-10",
        names: &[
            "icd-10",
            "icd10",
            "i10",
            "2.16.840.1.113883.6.3",
            "http://hl7.org/fhir/sid/icd-10-who",
            "hl7v2:I10",
        ],
        spelling: spelling::icd10,
        unlisted: ReadsAs(ICD_10_CM),
    },
    System {
        uri: ICD_10_GM,
        title: "ICD-10-GM",
        names: &[
            "icd-10-gm",
            "icd10gm",
            "http://fhir.de/CodeSystem/dimdi/icd-10-gm",
        ],
        spelling: spelling::icd10,
        unlisted: ReadsAs(ICD_10_CM),
    },
    System {
        uri: ICD_9_CM,
        title: "ICD-9-CM",
        names: &[
            "icd-9-cm",
            "icd9cm",
            "icd-9",
            "icd9",
            "2.16.840.1.113883.6.103",
            "x12:BK",
            "x12:BF",
            "x12:BJ",
            "x12:PR",
            "x12:BN",
            "hl7v2:I9",
            "hl7v2:I9C",
        ],
        spelling: spelling::icd9,
        unlisted: Passes,
    },
    System {
        uri: ICD_9_CM_PROCEDURES,
        title: "ICD-9-CM procedures",
        names: &[
            "2.16.840.1.113883.6.104",
            "x12:BR",
            "x12:BQ",
            "x12:ID",
            "hl7v2:I9CP",
        ],
        spelling: spelling::icd9_procedure,
        unlisted: Passes,
    },
    System {
        uri: ICD_10_PCS,
        title: "ICD-10-PCS",
        names: &[
            "icd-10-pcs",
            "icd10pcs",
            "http://hl7.org/fhir/sid/icd-10-pcs",
            "2.16.840.1.113883.6.4",
            "x12:BBR",
            "x12:BBQ",
            "hl7v2:I10P",
        ],
        spelling: spelling::icd10_pcs,
        unlisted: Passes,
    },
    System {
        uri: HCPCS,
        title: "HCPCS level II",
        names: &[
            "hcpcs",
            "2.16.840.1.113883.6.285",
            "2.16.840.1.113883.6.14",
            "http://terminology.hl7.org/CodeSystem/hcpcs-Level-II",
            "https://bluebutton.cms.gov/resources/codesystem/hcpcs",
            "https://bluebutton.cms.gov/resources/variables/hcpcs_cd",
            "x12:HC",
            "x12:BO",
            "x12:BP",
            "hl7v2:HPC",
            "uae:4",
        ],
        spelling: spelling::hcpcs,
        unlisted: Passes,
    },
    System {
        uri: CPT,
        title: "CPT",
        names: &[
            "cpt",
            "cpt-4",
            "c4",
            "2.16.840.1.113883.6.12",
            "hl7v2:C4",
            "hl7v2:C5",
            "hl7v2:CPT",
            "uae:3",
        ],
        spelling: spelling::hcpcs,
        unlisted: Passes,
    },
    System {
        uri: CDT,
        title: "CDT",
        names: &[
            "cdt",
            "http://terminology.hl7.org/CodeSystem/CDT",
            "2.16.840.1.113883.6.13",
            "x12:AD",
            "uae:6",
        ],
        spelling: spelling::hcpcs,
        unlisted: Passes,
    },
    System {
        uri: RXNORM,
        title: "RxNorm",
        names: &["rxnorm", "rxcui", "2.16.840.1.113883.6.88", "hl7v2:RXNORM"],
        spelling: spelling::rxcui,
        unlisted: Passes,
    },
    System {
        uri: NDC,
        title: "NDC",
        names: &[
            "ndc",
            "2.16.840.1.113883.6.69",
            "https://www.accessdata.fda.gov/scripts/cder/ndc",
            "x12:N4",
            "hl7v2:NDC",
        ],
        spelling: spelling::ndc,
        unlisted: Unmapped,
    },
    System {
        uri: SNOMED_CT,
        title: "SNOMED CT",
        names: &[
            "snomed",
            "snomed-ct",
            "snomed ct",
            "sct",
            "2.16.840.1.113883.6.96",
            "2.16.840.1.113883.2.1.3.2.4.15",
            "https://dmd.nhs.uk",
            "dm+d",
            "hl7v2:SCT",
            "hl7v2:SCT2",
        ],
        spelling: spelling::number,
        unlisted: Passes,
    },
    System {
        uri: LOINC,
        title: "LOINC",
        names: &[
            "loinc",
            "ln",
            "2.16.840.1.113883.6.1",
            "x12:LOI",
            "hl7v2:LN",
        ],
        spelling: spelling::loinc,
        unlisted: Passes,
    },
    System {
        uri: CVX,
        title: "CVX",
        names: &["cvx", "2.16.840.1.113883.12.292", "hl7v2:CVX"],
        spelling: spelling::cvx,
        unlisted: Passes,
    },
    System {
        // In HL7's table 0396 the name ATC is that of a culture collection; the drug classes are WC.
        uri: ATC,
        title: "ATC",
        names: &[
            "atc",
            "2.16.840.1.113883.6.73",
            "http://fhir.de/CodeSystem/bfarm/atc",
            "http://fhir.de/CodeSystem/dimdi/atc",
            "hl7v2:WC",
        ],
        spelling: spelling::atc,
        unlisted: Passes,
    },
    System {
        uri: PZN,
        title: "PZN",
        names: &["pzn", "1.2.276.0.76.4.6"],
        spelling: spelling::pzn,
        unlisted: Passes,
    },
    System {
        uri: ASK,
        title: "ASK",
        names: &["ask"],
        spelling: spelling::number,
        unlisted: Passes,
    },
    System {
        uri: REVENUE,
        title: "Revenue codes",
        names: &[
            "https://bluebutton.cms.gov/resources/variables/rev_cntr",
            "https://bluebutton.cms.gov/fhir/CodeSystem/CLM-REV-CNTR-CD",
            "x12:NU",
        ],
        spelling: spelling::revenue,
        unlisted: Passes,
    },
    System {
        uri: MS_DRG,
        title: "MS-DRG",
        names: &[
            "ms-drg",
            "https://bluebutton.cms.gov/resources/variables/clm_drg_cd",
            "x12:DR",
        ],
        spelling: spelling::number,
        unlisted: Passes,
    },
    System {
        uri: X12_SERVICE_TYPE,
        title: "X12 service type",
        names: &["x12:1365"],
        spelling: spelling::plain,
        unlisted: Passes,
    },
    System {
        uri: UAE_DRUG,
        title: "Emirates drugs",
        names: &["uae:5"],
        spelling: spelling::plain,
        unlisted: Passes,
    },
    System {
        uri: UAE_GENERIC,
        title: "Emirates generic drugs",
        names: &["uae:10"],
        spelling: spelling::plain,
        unlisted: Passes,
    },
    System {
        uri: UAE_SERVICE,
        title: "Emirates services",
        names: &["uae:8"],
        spelling: spelling::plain,
        unlisted: Passes,
    },
    System {
        uri: UAE_DRG,
        title: "Emirates DRG",
        names: &["uae:9"],
        spelling: spelling::plain,
        unlisted: Passes,
    },
    System {
        uri: IR_RVU,
        title: "Iran relative values",
        names: &["ir:rvu"],
        spelling: spelling::number,
        unlisted: Passes,
    },
    System {
        uri: IR_IRC,
        title: "IRC",
        names: &["ir:irc", "irc"],
        spelling: spelling::number,
        unlisted: Passes,
    },
    System {
        uri: SYNTHETIC_RVU,
        title: "Synthetic relative values",
        names: &[],
        spelling: spelling::plain,
        unlisted: Unmapped,
    },
    System {
        uri: SYNTHETIC_IRC,
        title: "Synthetic drug licences",
        names: &[],
        spelling: spelling::plain,
        unlisted: Unmapped,
    },
    System {
        uri: SYNTHETIC_SERVICES,
        title: "Synthetic services",
        names: &[],
        spelling: spelling::plain,
        unlisted: Unmapped,
    },
];

/// The system that a sender means by `name`, if the hub knows it.
pub fn named(name: &str) -> Option<&'static System> {
    let names = &*NAMES;
    names
        .get(name)
        .or_else(|| names.get(simple(name).as_str()))
        .copied()
}

/// Which of HCPCS, CPT and CDT a code of that shape belongs to: senders name one for another, and X12 has
/// one qualifier for two of them. None for a system outside that family.
pub fn sibling(system: &System, code: &str) -> Option<&'static str> {
    if ![HCPCS, CPT, CDT].contains(&system.uri) {
        return None;
    }
    let letter = code.chars().next().filter(char::is_ascii_alphabetic);
    match (code.len(), letter) {
        (5, Some('D')) => Some(CDT),
        (5, Some(_)) => Some(HCPCS),
        (5, None) => Some(CPT),
        // A modifier of two digits is CPT's, one with a letter first is of level II.
        (_, Some(_)) => Some(HCPCS),
        (_, None) => Some(CPT),
    }
}

static NAMES: LazyLock<HashMap<String, &'static System>> = LazyLock::new(|| {
    let mut names = HashMap::new();
    for system in SYSTEMS {
        names.insert(system.uri.to_owned(), system);
        for name in std::iter::once(&system.uri).chain(system.names) {
            names.insert(simple(name), system);
        }
    }
    names
});

/// A name without what senders vary: case, `https`, `urn:oid:`, a slash at the end.
fn simple(name: &str) -> String {
    let name = name.trim().trim_end_matches('/').to_ascii_lowercase();
    let name = name
        .strip_prefix("urn:oid:")
        .or_else(|| name.strip_prefix("oid:"))
        .unwrap_or(&name);
    match name.strip_prefix("https://") {
        Some(rest) => format!("http://{rest}"),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn every_name_means_one_system() {
        let mut seen: HashMap<String, &str> = HashMap::new();
        for system in SYSTEMS {
            for name in std::iter::once(&system.uri).chain(system.names) {
                if let Some(other) = seen.insert(simple(name), system.uri) {
                    assert_eq!(other, system.uri, "{name} names two systems");
                }
            }
            assert_eq!(named(system.uri).unwrap().uri, system.uri);
        }
    }

    #[test]
    fn senders_names_are_understood() {
        let table = [
            ("http://hl7.org/fhir/sid/icd-10-cm", ICD_10_CM),
            ("urn:oid:2.16.840.1.113883.6.90", ICD_10_CM),
            ("2.16.840.1.113883.6.90", ICD_10_CM),
            ("ICD-10-CM", ICD_10_CM),
            ("x12:ABK", ICD_10_CM),
            ("x12:BK", ICD_9_CM),
            ("hl7v2:I10", ICD_10),
            ("ICD10", ICD_10),
            ("x12:HC", HCPCS),
            (
                "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets",
                HCPCS,
            ),
            ("C4", CPT),
            ("uae:3", CPT),
            ("x12:N4", NDC),
            ("http://snomed.info/sct/", SNOMED_CT),
            ("http://fhir.de/CodeSystem/dimdi/icd-10-gm", ICD_10_GM),
        ];
        for (name, uri) in table {
            assert_eq!(named(name).map(|system| system.uri), Some(uri), "{name}");
        }
        assert!(named("http://example.org/fhir/oralservicecodes").is_none());
        assert!(named("").is_none());
    }

    #[test]
    fn a_code_belongs_to_the_sibling_that_has_its_shape() {
        let hcpcs = named(HCPCS).unwrap();
        let table = [
            ("99213", CPT),
            ("0001F", CPT),
            ("J7613", HCPCS),
            ("D0120", CDT),
            ("LT", HCPCS),
            ("25", CPT),
        ];
        for (code, uri) in table {
            assert_eq!(sibling(hcpcs, code), Some(uri), "{code}");
        }
        assert_eq!(sibling(named(NDC).unwrap(), "99213"), None);
    }
}
