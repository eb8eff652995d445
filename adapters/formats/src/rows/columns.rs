//! What the columns of the past mean, as data: a name, and what its cells are. The names are those of the codebooks that
//! the US Medicare centres publish (CCW for claims files and DE-SynPUF, the layout of their data warehouse for its rows);
//! one name means the same wherever it stands.
//!
//! A name that is not listed says by its end what its cells are: `_AMT` money, `_CD` a code, `_DT` a day. Such a cell is
//! told under its column's name. What neither way tells is not understood.

use takmil_domain::clinical::HCPCS;
use takmil_domain::message::Relation;

/// What the cells of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The number by which rows of one bill are known; its system, where it is not the column's own.
    Key(Option<&'static str>),
    /// Another number of the bill.
    Number,
    /// The number of an earlier message.
    Earlier(Relation),
    /// The member.
    Member,
    /// Who bills, by a system of identifiers. Of a line: for whom it was done.
    Provider(&'static str),
    /// Who billed, by name.
    ProviderName,
    /// Somebody of the care team: the role, the system.
    Team(&'static str, &'static str),
    /// The kind of bill.
    Kind,
    /// The first day of the bill.
    From,
    /// The last day of the bill.
    Thru,
    /// The day that the bill is about.
    On,
    /// When the bill was made.
    Created,
    /// The first day of the stay.
    Admitted,
    /// The last day of the stay.
    Discharged,
    /// Where the member came from.
    Source,
    /// Where the member went.
    Went,
    /// A diagnosis, with its part in the bill.
    Diagnosis(&'static str),
    /// A procedure.
    Procedure,
    /// Says more of another cell, and is read with it.
    Beside,
    /// The number of the line.
    LineNumber,
    /// What was done or handed out, by its system.
    Item(&'static str),
    /// A modifier of it.
    Modifier,
    /// The revenue centre.
    Revenue,
    /// The first day of the line.
    Done,
    /// The last day of the line.
    DoneUntil,
    /// Where it was done.
    Place,
    /// How many.
    Quantity,
    /// Of what unit.
    Unit,
    /// Days that a drug lasts.
    Days,
    /// The diagnosis of the line, by its code.
    For,
    /// The diagnosis of the line, by its number.
    ForNumber,
    /// What was billed: of the whole bill, or of the line.
    Billed,
    /// What the insurer that pays first has paid of the line.
    Base,
    /// Another amount, and what it is in the terms of adjudication where it has one.
    Money(&'static str),
    /// A code of the column's own list.
    Code,
    /// A day.
    Day,
    /// A number.
    Count,
    /// Words, or the number of something.
    Text,
}

/// The system of national provider identifiers.
pub(super) const NPI: &str = "http://hl7.org/fhir/sid/us-npi";
/// The system of Medicare's numbers of institutions.
const CCN: &str = "http://terminology.hl7.org/NamingSystem/CCN";
/// The system of tax numbers.
const TAX: &str = "urn:oid:2.16.840.1.113883.4.4";
/// The system of physicians' numbers before 2007.
const UPIN: &str = "http://terminology.hl7.org/NamingSystem/UPIN";
/// The system of the national drug code.
const NDC: &str = "http://hl7.org/fhir/sid/ndc";

/// The columns that are more than a value under a name. A name that ends in a number is listed without it.
const COLUMNS: &[(&str, Role)] = &[
    // The bill, the member, who treats.
    ("CLM_ID", Role::Key(None)),
    ("PDE_ID", Role::Key(None)),
    ("CLM_UNIQ_ID", Role::Key(Some(""))),
    ("UTN", Role::Key(None)),
    ("CLM_CNTL_NUM", Role::Number),
    ("CARR_CLM_CNTL_NUM", Role::Number),
    ("FI_DOC_CLM_CNTL_NUM", Role::Number),
    ("ICN_DCN", Role::Number),
    ("CLM_GRP_ID", Role::Earlier(Relation::Group)),
    ("CLM_ORIG_CNTL_NUM", Role::Earlier(Relation::Related)),
    ("FI_ORIG_CLM_CNTL_NUM", Role::Earlier(Relation::Related)),
    ("RX_SRVC_RFRNC_NUM", Role::Earlier(Relation::Prescription)),
    ("DESYNPUF_ID", Role::Member),
    ("BENE_ID", Role::Member),
    ("BENE_SK", Role::Member),
    ("beneficiarySk", Role::Member),
    ("PRVDR_NUM", Role::Provider(CCN)),
    ("CLM_BLG_PRVDR_OSCAR_NUM", Role::Provider(CCN)),
    ("PRVDR_BLG_PRVDR_OSCAR_NUM", Role::Provider(CCN)),
    ("CMS_CERT", Role::Provider(CCN)),
    ("ORG_NPI_NUM", Role::Provider(NPI)),
    ("PRVDR_NPI", Role::Provider(NPI)),
    ("CARR_CLM_BLG_NPI_NUM", Role::Provider(NPI)),
    ("PRVDR_BLG_PRVDR_NPI_NUM", Role::Provider(NPI)),
    ("CLM_SRVC_PRVDR_GNRC_ID_NUM", Role::Provider("")),
    ("SRVC_PRVDR_ID", Role::Provider("")),
    ("NPI", Role::Provider(NPI)),
    ("NAME", Role::ProviderName),
    ("TAX_NUM", Role::Provider(TAX)),
    ("CLM_BLG_PRVDR_TAX_NUM", Role::Provider(TAX)),
    ("CLM_RNDRG_PRVDR_TAX_NUM", Role::Provider(TAX)),
    ("AT_PHYSN_NPI", Role::Team("attending", NPI)),
    ("AT_PHYSN_UPIN", Role::Team("attending", UPIN)),
    ("PRVDR_ATNDG_PRVDR_NPI_NUM", Role::Team("attending", NPI)),
    ("OP_PHYSN_NPI", Role::Team("operating", NPI)),
    ("OP_PHYSN_UPIN", Role::Team("operating", UPIN)),
    ("PRVDR_OPRTG_PRVDR_NPI_NUM", Role::Team("operating", NPI)),
    ("OT_PHYSN_NPI", Role::Team("otheroperating", NPI)),
    ("OT_PHYSN_UPIN", Role::Team("otheroperating", UPIN)),
    (
        "PRVDR_OTHR_PRVDR_NPI_NUM",
        Role::Team("otheroperating", NPI),
    ),
    ("RFR_PHYSN_NPI", Role::Team("referring", NPI)),
    ("RFR_PHYSN_UPIN", Role::Team("referring", UPIN)),
    ("PRVDR_RFRG_PRVDR_NPI_NUM", Role::Team("referring", NPI)),
    ("PRF_PHYSN_NPI", Role::Team("performing", NPI)),
    ("PRF_PHYSN_UPIN", Role::Team("performing", UPIN)),
    ("RNDRNG_PHYSN_NPI", Role::Team("rendering", NPI)),
    ("RNDRNG_PHYSN_UPIN", Role::Team("rendering", UPIN)),
    ("PRVDR_RNDRNG_PRVDR_NPI_NUM", Role::Team("rendering", NPI)),
    ("CLM_RNDRG_PRVDR_NPI_NUM", Role::Team("rendering", NPI)),
    ("PRSCRBR_ID", Role::Team("prescribing", "")),
    (
        "PRVDR_PRSCRBNG_PRVDR_NPI_NUM",
        Role::Team("prescribing", NPI),
    ),
    ("NCH_CLM_TYPE_CD", Role::Kind),
    ("CLM_TYPE_CD", Role::Kind),
    ("CLM_TYPE", Role::Kind),
    // When.
    ("CLM_FROM_DT", Role::From),
    ("CLM_THRU_DT", Role::Thru),
    ("SRVC_DT", Role::On),
    ("CLM_EFCTV_DT", Role::Created),
    ("createdDate", Role::Created),
    ("CLM_ADMSN_DT", Role::Admitted),
    ("CLM_ACTV_CARE_FROM_DT", Role::Admitted),
    ("NCH_BENE_DSCHRG_DT", Role::Discharged),
    ("CLM_DSCHRG_DT", Role::Discharged),
    ("CLM_SRC_IP_ADMSN_CD", Role::Source),
    ("CLM_ADMSN_SRC_CD", Role::Source),
    ("PTNT_DSCHRG_STUS_CD", Role::Went),
    ("BENE_PTNT_STUS_CD", Role::Went),
    // What for.
    ("PRNCPAL_DGNS_CD", Role::Diagnosis("principal")),
    ("ADMTG_DGNS_CD", Role::Diagnosis("admitting")),
    ("ADMTNG_ICD9_DGNS_CD", Role::Diagnosis("admitting")),
    ("ICD_DGNS_CD", Role::Diagnosis("")),
    ("ICD9_DGNS_CD", Role::Diagnosis("")),
    ("FST_DGNS_E_CD", Role::Diagnosis("externalcauseofinjury")),
    ("ICD_DGNS_E_CD", Role::Diagnosis("externalcauseofinjury")),
    ("RSN_VISIT_CD", Role::Diagnosis("patientreasonforvisit")),
    ("CLM_DGNS_CD", Role::Diagnosis("")),
    ("ICD_PRCDR_CD", Role::Procedure),
    ("ICD9_PRCDR_CD", Role::Procedure),
    ("CLM_PRCDR_CD", Role::Procedure),
    ("PRNCPAL_DGNS_VRSN_CD", Role::Beside),
    ("ADMTG_DGNS_VRSN_CD", Role::Beside),
    ("ICD_DGNS_VRSN_CD", Role::Beside),
    ("FST_DGNS_E_VRSN_CD", Role::Beside),
    ("ICD_DGNS_E_VRSN_CD", Role::Beside),
    ("RSN_VISIT_VRSN_CD", Role::Beside),
    ("ICD_PRCDR_VRSN_CD", Role::Beside),
    ("LINE_ICD_DGNS_VRSN_CD", Role::Beside),
    ("CLM_POA_IND_SW", Role::Beside),
    ("CLM_E_POA_IND_SW", Role::Beside),
    ("CLM_POA_IND", Role::Beside),
    ("PRCDR_DT", Role::Beside),
    ("CLM_PRCDR_PRFRM_DT", Role::Beside),
    ("CLM_DGNS_PRCDR_ICD_IND", Role::Beside),
    ("CLM_PROD_TYPE_CD", Role::Beside),
    ("CLM_VAL_SQNC_NUM", Role::Beside),
    ("ROW_NUM", Role::Beside),
    ("resourceType", Role::Beside),
    // Lines.
    ("LINE_NUM", Role::LineNumber),
    ("CLM_LINE_NUM", Role::LineNumber),
    ("CURRENT_SEGMENT", Role::LineNumber),
    ("HCPCS_CD", Role::Item(HCPCS)),
    ("CLM_LINE_HCPCS_CD", Role::Item(HCPCS)),
    ("HCPCS_OR_CPT_OR_HIPPS", Role::Item(HCPCS)),
    ("LINE_NDC_CD", Role::Item(NDC)),
    ("CLM_LINE_NDC_CD", Role::Item(NDC)),
    ("PROD_SRVC_ID", Role::Item(NDC)),
    ("HCPCS_1ST_MDFR_CD", Role::Modifier),
    ("HCPCS_2ND_MDFR_CD", Role::Modifier),
    ("HCPCS_3RD_MDFR_CD", Role::Modifier),
    ("HCPCS_4TH_MDFR_CD", Role::Modifier),
    ("HCPCS_1_MDFR_CD", Role::Modifier),
    ("HCPCS_2_MDFR_CD", Role::Modifier),
    ("HCPCS_3_MDFR_CD", Role::Modifier),
    ("HCPCS_4_MDFR_CD", Role::Modifier),
    ("HCPCS_5_MDFR_CD", Role::Modifier),
    ("PRICE_MOD", Role::Modifier),
    ("REV_CNTR", Role::Revenue),
    ("CLM_LINE_REV_CTR_CD", Role::Revenue),
    ("LINE_1ST_EXPNS_DT", Role::Done),
    ("CLM_LINE_FROM_DT", Role::Done),
    ("REV_CNTR_DT", Role::Done),
    ("CLM_LINE_INSTNL_REV_CTR_DT", Role::Done),
    ("LINE_LAST_EXPNS_DT", Role::DoneUntil),
    ("CLM_LINE_THRU_DT", Role::DoneUntil),
    ("LINE_PLACE_OF_SRVC_CD", Role::Place),
    ("CLM_POS_CD", Role::Place),
    ("LINE_SRVC_CNT", Role::Quantity),
    ("REV_CNTR_UNIT_CNT", Role::Quantity),
    ("CLM_LINE_SRVC_UNIT_QTY", Role::Quantity),
    ("CLM_LINE_NDC_QTY", Role::Quantity),
    ("QTY_DSPNSD_NUM", Role::Quantity),
    ("SERVICE_CNTS", Role::Quantity),
    ("CLM_LINE_NDC_QTY_QLFYR_CD", Role::Unit),
    ("DAYS_SUPLY_NUM", Role::Days),
    ("CLM_LINE_DAYS_SUPLY_QTY", Role::Days),
    ("LINE_ICD_DGNS_CD", Role::For),
    ("LINE_ICD9_DGNS_CD", Role::For),
    ("diagnosisRelatedLine", Role::ForNumber),
    // Money.
    ("NCH_CARR_CLM_SBMTD_CHRG_AMT", Role::Billed),
    ("CLM_TOT_CHRG_AMT", Role::Billed),
    ("CLM_SBMT_CHRG_AMT", Role::Billed),
    ("LINE_SBMTD_CHRG_AMT", Role::Billed),
    ("REV_CNTR_TOT_CHRG_AMT", Role::Billed),
    ("CLM_LINE_SBMT_CHRG_AMT", Role::Billed),
    ("TOT_RX_CST_AMT", Role::Billed),
    ("LINE_BENE_PRMRY_PYR_PD_AMT", Role::Base),
    ("CLM_BENE_PRMRY_PYR_PD_AMT", Role::Base),
    ("NCH_CARR_CLM_ALOWD_AMT", Role::Money("eligible")),
    ("LINE_ALOWD_CHRG_AMT", Role::Money("eligible")),
    ("CLM_ALOWD_CHRG_AMT", Role::Money("eligible")),
    ("CLM_LINE_ALOWD_CHRG_AMT", Role::Money("eligible")),
    ("CLM_PMT_AMT", Role::Money("benefit")),
    ("LINE_NCH_PMT_AMT", Role::Money("benefit")),
    ("REV_CNTR_PMT_AMT_AMT", Role::Money("benefit")),
    ("CVRD_D_PLAN_PD_AMT", Role::Money("benefit")),
    ("CLM_LINE_CVRD_PD_AMT", Role::Money("benefit")),
    ("NCH_CLM_PRVDR_PMT_AMT", Role::Money("paidtoprovider")),
    ("CLM_OP_PRVDR_PMT_AMT", Role::Money("paidtoprovider")),
    ("CLM_PRVDR_PMT_AMT", Role::Money("paidtoprovider")),
    ("LINE_PRVDR_PMT_AMT", Role::Money("paidtoprovider")),
    ("REV_CNTR_PRVDR_PMT_AMT", Role::Money("paidtoprovider")),
    ("CLM_LINE_PRVDR_PMT_AMT", Role::Money("paidtoprovider")),
    ("NCH_CLM_BENE_PMT_AMT", Role::Money("paidtopatient")),
    ("CLM_OP_BENE_PMT_AMT", Role::Money("paidtopatient")),
    ("CLM_BENE_PD_AMT", Role::Money("paidtopatient")),
    ("LINE_BENE_PMT_AMT", Role::Money("paidtopatient")),
    ("REV_CNTR_BENE_PMT_AMT", Role::Money("paidtopatient")),
    ("CLM_LINE_BENE_PD_AMT", Role::Money("paidtopatient")),
    ("CLM_BENE_PMT_AMT", Role::Money("paidbypatient")),
    ("CLM_LINE_BENE_PMT_AMT", Role::Money("paidbypatient")),
    ("PTNT_PAY_AMT", Role::Money("paidbypatient")),
    ("CARR_CLM_CASH_DDCTBL_APLD_AMT", Role::Money("deductible")),
    ("NCH_BENE_IP_DDCTBL_AMT", Role::Money("deductible")),
    ("NCH_BENE_PTB_DDCTBL_AMT", Role::Money("deductible")),
    ("CLM_MDCR_DDCTBL_AMT", Role::Money("deductible")),
    ("LINE_BENE_PTB_DDCTBL_AMT", Role::Money("deductible")),
    ("REV_CNTR_CASH_DDCTBL_AMT", Role::Money("deductible")),
    ("CLM_LINE_MDCR_DDCTBL_AMT", Role::Money("deductible")),
    ("NCH_BENE_PTA_COINSRNC_LBLTY_AM", Role::Money("coinsurance")),
    ("NCH_BENE_PTB_COINSRNC_AMT", Role::Money("coinsurance")),
    ("CLM_MDCR_COINSRNC_AMT", Role::Money("coinsurance")),
    ("CLM_BENE_PMT_COINSRNC_AMT", Role::Money("coinsurance")),
    ("LINE_COINSRNC_AMT", Role::Money("coinsurance")),
    ("REV_CNTR_COINSRNC_WGE_ADJSTD_C", Role::Money("coinsurance")),
    ("REV_CNTR_RDCD_COINSRNC_AMT", Role::Money("coinsurance")),
    ("CLM_LINE_MDCR_COINSRNC_AMT", Role::Money("coinsurance")),
    ("NCH_IP_NCVRD_CHRG_AMT", Role::Money("noncovered")),
    ("CLM_NCVRD_CHRG_AMT", Role::Money("noncovered")),
    ("REV_CNTR_NCVRD_CHRG_AMT", Role::Money("noncovered")),
    ("CLM_LINE_NCVRD_CHRG_AMT", Role::Money("noncovered")),
    ("NCH_PRMRY_PYR_CLM_PD_AMT", Role::Money("priorpayerpaid")),
    ("CARR_CLM_PRMRY_PYR_PD_AMT", Role::Money("priorpayerpaid")),
    ("REV_CNTR_1ST_MSP_PD_AMT", Role::Money("priorpayerpaid")),
    ("REV_CNTR_2ND_MSP_PD_AMT", Role::Money("priorpayerpaid")),
    (
        "REV_CNTR_PTNT_RSPNSBLTY_PMT",
        Role::Money("memberliability"),
    ),
    ("RPTD_GAP_DSCNT_NUM", Role::Money("discount")),
    // Names that are cut off, or do not say what they are.
    ("NCH_BENE_BLOOD_DDCTBL_LBLTY_AM", Role::Money("")),
    ("LINE_PRCSG_IND_CD", Role::Code),
    ("CARR_LINE_RDCD_PMT_PHYS_ASTN_C", Role::Code),
    ("LINE_SERVICE_DEDUCTIBLE", Role::Code),
    ("PRVDR_SPCLTY", Role::Code),
    ("FINAL_ACTION", Role::Code),
    ("PA_DECISION", Role::Code),
    ("derivedOutcome", Role::Code),
    ("isCompound", Role::Code),
    ("TOB", Role::Code),
    ("SVC_RENDER_ST", Role::Code),
    ("MR_COUNT_IND", Role::Count),
    ("SEGMENT", Role::Count),
    ("PRVDR_ZIP", Role::Text),
    ("PRVDR_LAST_NAME", Role::Text),
    ("CNTRCT_PBP_NAME", Role::Text),
    ("CLM_HOSPC_START_DT_ID", Role::Day),
    ("NCH_ACTV_OR_CVRD_LVL_CARE_THRU", Role::Day),
    ("NCH_BENE_MDCR_BNFTS_EXHTD_DT_I", Role::Day),
    ("PA_DT_ADDED", Role::Day),
    ("PA_DT_UPDATED", Role::Day),
];

/// What the end of a name says.
const ENDS: &[(&str, Role)] = &[
    ("_AMT", Role::Money("")),
    ("_CD", Role::Code),
    ("_CODE", Role::Code),
    ("_SW", Role::Code),
    ("_IND", Role::Code),
    ("_DT", Role::Day),
    ("_CNT", Role::Count),
    ("_QTY", Role::Count),
    ("_NUM", Role::Text),
    ("_ID", Role::Text),
    ("_SK", Role::Text),
    ("_NPI", Role::Text),
    ("_UPIN", Role::Text),
];

/// The columns from which on a row is about its line.
pub(super) const LINE_STARTS: &[&str] = &["LINE_NUM", "CLM_LINE_NUM", "PROD_SRVC_ID"];

/// The columns that stand several times in a row, once for each line.
pub(super) const OF_LINES: &[&str] = &[
    "HCPCS_CD",
    "PRF_PHYSN_NPI",
    "TAX_NUM",
    "LINE_NCH_PMT_AMT",
    "LINE_BENE_PTB_DDCTBL_AMT",
    "LINE_BENE_PRMRY_PYR_PD_AMT",
    "LINE_COINSRNC_AMT",
    "LINE_ALOWD_CHRG_AMT",
    "LINE_PRCSG_IND_CD",
    "LINE_ICD9_DGNS_CD",
];

/// A column's role, and the number at the end of its name with which the rest is listed.
pub(super) fn role(name: &str) -> Option<(Role, &str, Option<usize>)> {
    let listed = |wanted: &str| {
        let mut columns = COLUMNS.iter();
        columns
            .find(|(own, _)| *own == wanted)
            .map(|(_, role)| *role)
    };
    if let Some(role) = listed(name) {
        return Some((role, name, None));
    }
    let (stem, number) = numbered(name);
    if let Some(role) = number.and_then(|_| listed(stem)) {
        return Some((role, stem, number));
    }
    let mut ends = ENDS.iter();
    let (_, role) = ends.find(|(end, _)| stem.ends_with(end) || name.ends_with(end))?;
    Some((*role, name, None))
}

/// A name and the number at its end.
fn numbered(name: &str) -> (&str, Option<usize>) {
    let stem = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let number = name
        .get(stem.len()..)
        .and_then(|digits| digits.parse().ok());
    (stem.strip_suffix('_').unwrap_or(stem), number)
}

/// The elements in which a fraud prevention programme's partners exchanged the rows of DE-SynPUF, by the names of their
/// columns. Both end in numbers.
const ELEMENTS: &[(&str, &str)] = &[
    ("BeneficiaryCode", "DESYNPUF_ID"),
    ("ClaimId", "CLM_ID"),
    ("ClaimLineSegment", "SEGMENT"),
    ("StartDate", "CLM_FROM_DT"),
    ("EndDate", "CLM_THRU_DT"),
    ("ProviderInstitution", "PRVDR_NUM"),
    ("ClaimPaymentAmount", "CLM_PMT_AMT"),
    ("NCHPrimaryPayerClaimPaidAmount", "NCH_PRMRY_PYR_CLM_PD_AMT"),
    ("AttendingPhysicianNationalProviderId", "AT_PHYSN_NPI"),
    ("OperatingPhysicianNationalProviderId", "OP_PHYSN_NPI"),
    ("OtherPhysicianNationalProviderId", "OT_PHYSN_NPI"),
    ("InpatientAdmissionDate", "CLM_ADMSN_DT"),
    ("ClaimAdmittingDiagnosisCode", "ADMTNG_ICD9_DGNS_CD"),
    ("ClaimPassThruPerDiemAmount", "CLM_PASS_THRU_PER_DIEM_AMT"),
    (
        "NCHBeneficiaryInpatientDeductibleAmount",
        "NCH_BENE_IP_DDCTBL_AMT",
    ),
    (
        "NCHBeneficiaryPartACoinsuranceLiabilityAmount",
        "NCH_BENE_PTA_COINSRNC_LBLTY_AM",
    ),
    (
        "NCHBeneficiaryBloodDeductibleLiabilityAmount",
        "NCH_BENE_BLOOD_DDCTBL_LBLTY_AM",
    ),
    ("ClaimUtilizationDayCount", "CLM_UTLZTN_DAY_CNT"),
    ("InpatientDischargedDate", "NCH_BENE_DSCHRG_DT"),
    ("ClaimDiagnosisRelatedGroupCode", "CLM_DRG_CD"),
    ("ClaimDiagnosisCode", "ICD9_DGNS_CD"),
    ("ClaimProcedureCode", "ICD9_PRCDR_CD"),
    ("RevenueCenterHCFACommonProcedureCodingSystem", "HCPCS_CD"),
    ("LineHCFACommonProcedureCodingSystem", "HCPCS_CD"),
    ("ProviderPhysicianNationalProviderId", "PRF_PHYSN_NPI"),
    ("ProviderInstitutionTaxNumber", "TAX_NUM"),
    ("LineNCHPaymentAmount", "LINE_NCH_PMT_AMT"),
    (
        "LineBeneficiaryPartBDeductibleAmount",
        "LINE_BENE_PTB_DDCTBL_AMT",
    ),
    (
        "LineBeneficiaryPrimaryPayerPaidAmount",
        "LINE_BENE_PRMRY_PYR_PD_AMT",
    ),
    ("LineCoinsuranceAmount", "LINE_COINSRNC_AMT"),
    ("LineAllowedChargeAmount", "LINE_ALOWD_CHRG_AMT"),
    ("LineProcessingIndicatorCode", "LINE_PRCSG_IND_CD"),
    ("LineDiagnosisCode", "LINE_ICD9_DGNS_CD"),
];

/// The column of an element.
pub(super) fn column(element: &str) -> String {
    let known = |wanted: &str| ELEMENTS.iter().find(|(own, _)| *own == wanted);
    if let Some((_, column)) = known(element) {
        return (*column).to_owned();
    }
    match numbered(element) {
        (stem, Some(number)) => known(stem).map_or_else(
            || element.to_owned(),
            |(_, column)| format!("{column}_{number}"),
        ),
        _ => element.to_owned(),
    }
}
