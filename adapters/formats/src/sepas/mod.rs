//! Documents of Iran's national health record (SEPAS, سپاس) as they come through the health ministry's exchange
//! gateway (DITAS): admissions, bills and prescriptions in; the introduction letter (معرفی‌نامه) and the result of
//! adjudication out.
//!
//! **To be confirmed against the live gateway.** Its wire format is not public. The names here are those that public
//! integrations of hospitals use (`PatientBillMessageVO`, `DO_CODED_TEXT`, `TotalCharge`…); where those tell nothing,
//! the layout is our own. It is JSON: one object whose only member is the document under its name, or a list of those.
//!
//! Each document has `MsgID` (`CompositionUID`, `SystemID`, `HealthCareFacilityID`, `Committer`), `Person`
//! (`NationalCode` or `OtherIdentifier`, names, `BirthDate`, `Gender`) and `Composition`, in which `Insurance`,
//! `Diagnosis` and `Admission` may stand, and:
//!
//! | document | kind | members of `Composition` |
//! |---|---|---|
//! | `PatientAdmissionMessageVO` | admission | `Admission`, `ConfirmationID`, `ExpectedDays`, `BillServices` as planned |
//! | `PatientBillMessageVO` | claim | `BillServices`, `BillSummary`, `Discharge`, `IntroductionLetter` (`Number`) |
//! | `MedicationPrescriptionsMessageVO` | prescription | `Prescription`, `PrescribedDrugs` |
//!
//! A service has `Service` (by the book of relative values, or a drug's IRC), `ServiceCount`, days and times,
//! `TotalCharge`, `BasicInsuranceContribution`, `PatientContribution`, `OtherCosts`, `RelativeCost` (`KValue`, `KType`),
//! `ConfirmationID` and `ServiceProvider`. Other costs are kept as they are named: which of them is a subsidy, a
//! discount or another insurer's part is not public, so none is taken for one.
//!
//! | type | members |
//! |---|---|
//! | `DO_CODED_TEXT` | `Coded_string`, `Terminology_id`, `Value` |
//! | `DO_IDENTIFIER` | `ID`, `Type`, `Issuer`, `Assigner` |
//! | `DO_QUANTITY` | `Magnitude`, `Unit`; money is in rials |
//! | `DO_DATE` | `Year`, `Month`, `Day` of the Persian calendar, or the text `1403/09/15` |
//! | `DO_TIME` | `Hour`, `Minute`, `Second`, or the text `10:30:00` |
//!
//! Digits of any script and Arabic yeh and kaf are read as what they stand for, but a value that mixes digits of two
//! scripts is refused: one of them is a slip.

mod answer;
mod prescription;
mod read;
mod values;

use takmil_domain::problem::Problem;

use crate::cursor::documents;
use crate::{Context, Format, Reading, peek};

/// Documents of the national health record.
pub const FORMAT: Format = Format {
    name: "sepas",
    media_types: &["application/vnd.sepas+json"],
    recognise,
    read,
    answer: answer::write,
    write: None,
};

/// What a patient is called who comes to a hospital.
const ADMISSION: &str = "PatientAdmissionMessageVO";
/// What was done for a patient and what it costs.
const BILL: &str = "PatientBillMessageVO";
/// What a physician orders.
const PRESCRIPTION: &str = "MedicationPrescriptionsMessageVO";

/// The documents that are messages.
const DOCUMENTS: [&str; 3] = [ADMISSION, BILL, PRESCRIPTION];

fn recognise(body: &[u8]) -> bool {
    peek::keys(body, DOCUMENTS).contains(&true)
}

fn read(body: &[u8], _: &Context) -> Result<Reading, Problem> {
    documents(body, read::one)
}
