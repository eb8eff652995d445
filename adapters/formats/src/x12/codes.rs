//! What the qualifiers of X12 name: systems of codes and of identifiers, and the hub's reasons in X12's words.
//!
//! Sources: the code lists of data elements 66, 128, 235, 1270 and 1365 as public companion guides print them; claim
//! adjustment reason codes (CARC), claim status category and claim status codes as published at x12.org/codes.

use takmil_domain::clinical::{HCPCS, ICD_10_CM, ICD_10_PCS};
use takmil_domain::code::Coded;
use takmil_domain::reason::Reason;

/// The system of service type codes.
pub(super) const SERVICE_TYPE: &str = "https://codesystem.x12.org/005010/1365";
/// The system of revenue codes.
pub(super) const REVENUE: &str = "https://www.nubc.org/CodeSystem/RevenueCodes";
/// The system of places of service.
pub(super) const PLACE: &str =
    "https://www.cms.gov/Medicare/Coding/place-of-service-codes/Place_of_Service_Code_Set";
/// The system of kinds of facility in bills of institutions.
pub(super) const BILL_TYPE: &str = "https://www.nubc.org/CodeSystem/TypeOfBill";
/// The system of the national drug code.
pub(super) const NDC: &str = "http://hl7.org/fhir/sid/ndc";
/// The system of provider taxonomies.
pub(super) const TAXONOMY: &str = "http://nucc.org/provider-taxonomy";
/// The system of universal tooth numbers.
pub(super) const TOOTH: &str = "http://www.ada.org/tooth";

/// A concept of a list that X12 itself keeps, known by the number of its data element or the name of its segment.
pub(super) fn own(list: &str, code: &str) -> Coded {
    Coded::new(format!("urn:x12:{list}"), code)
}

/// The system of a service by the qualifier before its code (data element 235).
pub(super) fn service_system(qualifier: &str) -> String {
    match qualifier {
        "HC" => HCPCS.to_owned(),
        "AD" => "http://www.ada.org/cdt".to_owned(),
        "N4" => NDC.to_owned(),
        "NU" => REVENUE.to_owned(),
        other => format!("urn:x12:235:{other}"),
    }
}

/// The qualifier of a system of services (data element 235): ZZ, mutually defined, where it has none.
pub(super) fn service_qualifier(system: &str) -> &str {
    match system {
        HCPCS => "HC",
        "http://www.ada.org/cdt" => "AD",
        NDC => "N4",
        REVENUE => "NU",
        other => other.strip_prefix("urn:x12:235:").unwrap_or("ZZ"),
    }
}

/// The system of an identifier of a party by the qualifier before it (data element 66).
pub(super) fn identifier_system(qualifier: &str) -> String {
    match qualifier {
        "XX" => "http://hl7.org/fhir/sid/us-npi".to_owned(),
        "24" | "FI" => "urn:oid:2.16.840.1.113883.4.4".to_owned(),
        "34" => "http://hl7.org/fhir/sid/us-ssn".to_owned(),
        "" => String::new(),
        other => format!("urn:x12:66:{other}"),
    }
}

/// The system of an identifier of a REF segment by its qualifier (data element 128).
pub(super) fn reference_system(qualifier: &str) -> String {
    match qualifier {
        "EI" | "TJ" => "urn:oid:2.16.840.1.113883.4.4".to_owned(),
        "SY" => "http://hl7.org/fhir/sid/us-ssn".to_owned(),
        "HPI" => "http://hl7.org/fhir/sid/us-npi".to_owned(),
        other => format!("urn:x12:128:{other}"),
    }
}

/// What a code of an HI segment is (data element 1270).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    /// A diagnosis: its system, its role, and whether lines number it.
    Diagnosis(&'static str, &'static str, bool),
    /// A procedure: its system and its role.
    Procedure(&'static str, &'static str),
    /// Anything else: a condition, an occurrence, a value, a group.
    Other,
}

/// What a qualifier of an HI segment says.
pub(super) fn health(qualifier: &str) -> Health {
    const ICD_9: &str = "http://hl7.org/fhir/sid/icd-9-cm";
    const ICD_9_PROCEDURES: &str = "http://www.cms.gov/Medicare/Coding/ICD9";
    match qualifier {
        "ABK" => Health::Diagnosis(ICD_10_CM, "principal", true),
        "ABF" => Health::Diagnosis(ICD_10_CM, "secondary", true),
        "ABJ" => Health::Diagnosis(ICD_10_CM, "admitting", false),
        "ABN" => Health::Diagnosis(ICD_10_CM, "cause", false),
        "APR" => Health::Diagnosis(ICD_10_CM, "reason", false),
        "BK" => Health::Diagnosis(ICD_9, "principal", true),
        "BF" => Health::Diagnosis(ICD_9, "secondary", true),
        "BJ" => Health::Diagnosis(ICD_9, "admitting", false),
        "BN" => Health::Diagnosis(ICD_9, "cause", false),
        "PR" | "ZZ" => Health::Diagnosis(ICD_9, "reason", false),
        "BBR" => Health::Procedure(ICD_10_PCS, "principal"),
        "BBQ" => Health::Procedure(ICD_10_PCS, "secondary"),
        "BR" => Health::Procedure(ICD_9_PROCEDURES, "principal"),
        "BQ" => Health::Procedure(ICD_9_PROCEDURES, "secondary"),
        "BP" => Health::Procedure(HCPCS, "principal"),
        "BO" => Health::Procedure(HCPCS, "secondary"),
        _ => Health::Other,
    }
}

/// The claim status code (data element 1271, list 508) that is nearest to a reason. Where none is near, 0: "cannot
/// provide further status electronically".
pub(super) fn status(reason: Reason) -> &'static str {
    match reason {
        Reason::MemberUnknown | Reason::MemberAmbiguous => "97",
        Reason::NoCover | Reason::CoverInactive | Reason::CoverSuspended | Reason::CoverDenied => {
            "88"
        }
        Reason::AuthorisationMissing | Reason::AuthorisationGone => "84",
        Reason::AuthorisationPended => "46",
        Reason::InsurerAsked => "123",
        Reason::InsurerPended | Reason::InsurerSilent => "3",
        Reason::NoBenefit | Reason::Excluded => "107",
        Reason::LimitReached | Reason::QuantityUsed | Reason::QuantityCapped => "483",
        _ => "0",
    }
}

/// The reject reason of a 271 (data element 901) that is nearest to a reason.
pub(super) fn rejection(reason: Reason) -> &'static str {
    match reason {
        Reason::MemberUnknown => "75",
        Reason::MemberAmbiguous => "76",
        _ => "42",
    }
}
