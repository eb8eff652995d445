//! The fields that are understood: what they are called, where they may stand, and what they are in D.0.

/// A field of D.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    /// Its member, the usual name first.
    pub(super) names: &'static [&'static str],
    /// The sections it may stand in, the empty one being the transaction itself; the first is where it is written.
    pub(super) sections: &'static [&'static str],
    /// The field's number in D.0.
    pub(super) id: &'static str,
    /// The reject code of a missing or invalid one.
    pub(super) reject: &'static str,
}

macro_rules! fields {
    ($($name:ident $id:literal $reject:literal [$($section:literal)*] $($member:literal)+;)+) => {
        $(pub(super) const $name: Field = Field {
            names: &[$($member),+],
            sections: &[$($section),*],
            id: $id,
            reject: $reject,
        };)+

        /// Every field.
        pub(super) const ALL: &[Field] = &[$($name),+];
    };
}

fields! {
    TRANSACTION "103-A3" "03" ["claim" ""] "transaction_code";
    BIN "101-A1" "01" ["member" "claim" "" "rx_plan"] "bin";
    PCN "104-A4" "04" ["member" "claim" "" "rx_plan"] "pcn";
    GROUP "301-C1" "06" ["member" "claim" "" "rx_plan"] "group_number" "group_id";
    CARDHOLDER "302-C2" "07" ["member" "claim" ""] "cardholder_id";
    MEMBER "332-CY" "CY" ["member" "claim" ""] "member_id" "patient_id";
    PERSON "303-C3" "08" ["member" "claim" ""] "person_code";
    BIRTH "304-C4" "09" ["member" "patient" "claim" ""] "date_of_birth" "birth_date";
    GENDER "305-C5" "10" ["member" "patient" "claim" ""] "gender";
    RELATIONSHIP "306-C6" "11" ["member" "claim" ""] "relationship_code" "patient_relationship_code";
    FIRST_NAME "310-CA" "CA" ["member" "patient" ""] "first_name";
    LAST_NAME "311-CB" "CB" ["member" "patient" ""] "last_name";
    CLAIM "993-A7" "A7" ["claim" ""] "claim_id" "internal_control_number";
    PRESCRIPTION "402-D2" "16" ["prescription" "claim" ""] "prescription_number" "prescription_reference_number";
    FILL "403-D3" "17" ["claim" "prescription" ""] "fill_number";
    DATE "401-D1" "15" ["claim" ""] "service_date" "date_of_service" "request_date";
    REQUEST "498-PY" "EV" [""] "pa_id";
    NPI "201-B1" "05" ["pharmacy" "claim" ""] "npi" "pharmacy_npi" "service_provider_id";
    NCPDP_ID "201-B1" "05" ["pharmacy" "claim" ""] "ncpdp" "pharmacy_ncpdp" "ncpdp_id";
    PHARMACY "833-5P" "05" ["pharmacy"] "name";
    DRUG "407-D7" "21" ["claim" "prescription" "medication" ""] "ndc" "product_service_id";
    DRUG_NAME "397-C7" "21" ["claim" "prescription" "medication" ""] "drug_name";
    QUANTITY "442-E7" "E7" ["claim" "prescription" "medication" ""] "quantity_dispensed" "quantity";
    UNIT "600-28" "26" ["claim" "prescription" ""] "unit_of_measure";
    DAYS "405-D5" "19" ["claim" "prescription" "medication" ""] "days_supply";
    DAW "408-D8" "22" ["claim" "prescription" ""] "daw_code";
    COMPOUND "406-D6" "20" ["claim" ""] "compound_code";
    PRESCRIBER "411-DB" "25" ["prescription" "prescriber" "claim" ""] "prescriber_npi" "prescriber_id";
    PRESCRIBER_NPI "411-DB" "25" ["prescriber"] "npi";
    WRITTEN "414-DE" "28" ["prescription" "claim" ""] "written_date" "date_prescription_written";
    REFILLS "415-DF" "29" ["prescription" "claim" ""] "refills_authorized";
    DIAGNOSIS "424-DO" "39" ["prescription" "claim" ""] "diagnosis" "diagnosis_code";
    DIRECTIONS "491-VE" "VE" ["prescription" "medication" "claim" ""] "directions";
    LEAVE "462-EV" "EV" ["claim" ""] "prior_authorization_number" "pa_number";
    CLARIFICATION "420-DK" "34" ["claim" ""] "submission_clarification_code";
    OTHER_COVERAGE "308-C8" "13" ["claim" ""] "other_coverage_code";
    OTHER_PAID "431-DV" "DV" ["claim" ""] "other_payer_amount_paid";
    COST "409-D9" "23" ["claim" ""] "ingredient_cost_submitted";
    FEE "412-DC" "DC" ["claim" ""] "dispensing_fee_submitted";
    INCENTIVE "438-E3" "E3" ["claim" ""] "incentive_amount_submitted";
    TAX "481-HA" "HA" ["claim" ""] "flat_sales_tax_amount_submitted" "sales_tax_submitted";
    USUAL "426-DQ" "DQ" ["claim" ""] "usual_customary_charge";
    GROSS "430-DU" "DU" ["claim" ""] "gross_amount_due";
    PATIENT_PAID "433-DX" "DX" ["claim" ""] "patient_paid_amount_submitted" "patient_paid_amount";
}
