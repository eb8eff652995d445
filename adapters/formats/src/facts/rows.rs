//! The facts of rows of the past, by the names of their columns alone: what a name ends with tells what its cells are. No
//! reader, and no table of columns.

use std::collections::{BTreeSet, HashMap};

use csv::ReaderBuilder;
use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::{Map, Value};
use takmil_domain::money::{Amount, Currency};

use super::{Fact, FactKind, Record, pair, taken_back};
use crate::Context;

/// Names of a row, each with what it says.
type Cells = Vec<(String, String)>;

/// Names of money that end otherwise.
const MONEY: &[&str] = &[
    "REV_CNTR_COINSRNC_WGE_ADJSTD_C",
    "REV_CNTR_PTNT_RSPNSBLTY_PMT",
    "RPTD_GAP_DSCNT_NUM",
    "NCH_BENE_BLOOD_DDCTBL_LBLTY_AM",
    "NCH_BENE_PTA_COINSRNC_LBLTY_AM",
];

/// Names that end as numbers of something do, and count.
const COUNTS: &[&str] = &[
    "LINE_NUM",
    "SQNC_NUM",
    "ROW_NUM",
    "DSPNSD_NUM",
    "SUPLY_NUM",
    "WT_NUM",
];

/// Codes of lists that are not their column's own, by a part of the column's name.
const LISTS: &[(&str, &str)] = &[
    ("CommonProcedureCodingSystem", HCPCS),
    ("HCPCS_CD", HCPCS),
    ("HCPCS_OR", HCPCS),
    ("MDFR_CD", HCPCS),
    ("PRICE_MOD", HCPCS),
    ("NDC_CD", "http://hl7.org/fhir/sid/ndc"),
    ("PROD_SRVC_ID", "http://hl7.org/fhir/sid/ndc"),
    ("PLACE_OF_SRVC_CD", PLACE),
    ("CLM_POS_CD", PLACE),
    ("REV_CTR_CD", "https://www.nubc.org/CodeSystem/RevenueCodes"),
];
const HCPCS: &str = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets";
const PLACE: &str =
    "https://www.cms.gov/Medicare/Coding/place-of-service-codes/Place_of_Service_Code_Set";

/// Every bill of a body.
pub(super) fn records(body: &[u8], context: &Context) -> Vec<Record> {
    let text = String::from_utf8_lossy(body);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    match text.chars().next() {
        Some('<') => xml(text, context).unwrap_or_default(),
        Some('{' | '[') => json(text, context),
        Some(_) => table(text, context),
        None => Vec::new(),
    }
}

fn table(text: &str, context: &Context) -> Vec<Record> {
    let delimiter = if text.lines().next().is_some_and(|line| line.contains('|')) {
        b'|'
    } else {
        b','
    };
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .quoting(delimiter == b',')
        .from_reader(text.as_bytes());
    let Ok(titles) = reader.headers().cloned() else {
        return Vec::new();
    };
    let find = |wanted: &[&str]| titles.iter().position(|title| wanted.contains(&title));
    let Some(key) = find(&["CLM_ID", "PDE_ID"]) else {
        return Vec::new();
    };
    let lines_from = find(&["LINE_NUM", "CLM_LINE_NUM", "PROD_SRVC_ID"]);
    let mut records: Vec<Record> = Vec::new();
    let mut first: HashMap<String, (usize, Cells)> = HashMap::new();
    for row in reader.records().map_while(Result::ok) {
        let place = format!("/{}", row.position().map_or(0, csv::Position::line));
        let cells = titles.iter().zip(&row);
        let cells = cells.map(|(title, text)| (title.to_owned(), text.trim().to_owned()));
        let mut cells: Cells = cells.collect();
        let bill = row.get(key).unwrap_or_default().to_owned();
        let own = match first.get(&bill) {
            // What is said of the bill stands again in each of its rows.
            Some((own, earlier)) => {
                let numbered = cells.iter().zip(earlier).enumerate();
                let is_new = numbered.map(|(at, (cell, earlier))| {
                    let is_of_line =
                        lines_from.is_some_and(|from| at >= from) || is_of_line(&cell.0);
                    is_of_line || cell != earlier
                });
                let mut is_new: Vec<bool> = is_new.collect();
                is_new.reverse();
                cells.retain(|_| is_new.pop().unwrap_or(true));
                *own
            }
            None => {
                first.insert(bill, (records.len(), cells.clone()));
                records.len()
            }
        };
        let mut facts = of_row(&cells, false, context);
        if lines_from.is_some() {
            facts.push(Fact::new(FactKind::Line, ""));
        }
        if own == records.len() {
            let name = if titles.iter().any(|title| title == "PROD_SRVC_ID") {
                "drug event"
            } else {
                "claim"
            };
            records.push(Record {
                place,
                name: name.to_owned(),
                facts,
            });
        } else if let Some(record) = records.get_mut(own) {
            record.facts.append(&mut facts);
        }
    }
    records
}

fn xml(text: &str, context: &Context) -> Option<Vec<Record>> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<String> = Vec::new();
    let (mut cells, mut said, mut records) = (Cells::new(), String::new(), Vec::new());
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                open.push(start.local_name().into_inner().to_owned());
                said.clear();
            }
            Event::Text(own) => said.push_str(&own),
            Event::End(_) => {
                let name = open.pop()?;
                match open.as_slice() {
                    [] => return Some(records),
                    [root] if root.ends_with("Claims") => {
                        records.push(Record {
                            place: format!("/{root}/{name}[{}]", records.len() + 1),
                            name: "claim".to_owned(),
                            facts: of_row(&cells, false, context),
                        });
                        cells.clear();
                    }
                    [_, _] => cells.push((name, said.trim().to_owned())),
                    _ => {}
                }
            }
            Event::Eof => return None,
            _ => {}
        }
    }
}

fn json(text: &str, context: &Context) -> Vec<Record> {
    if let Ok(whole) = serde_json::from_str::<Value>(text) {
        return match whole {
            Value::Array(rows) => {
                let rows = rows.iter().enumerate();
                rows.filter_map(|(place, row)| object(row, format!("/{place}"), context))
                    .collect()
            }
            row => object(&row, String::new(), context).into_iter().collect(),
        };
    }
    let rows = text.lines().enumerate();
    let rows = rows.filter_map(|(number, line)| {
        let row: Value = serde_json::from_str(line).ok()?;
        object(&row, format!("/{number}"), context)
    });
    rows.collect()
}

fn object(row: &Value, place: String, context: &Context) -> Option<Record> {
    let name = row.get("resourceType")?.as_str()?;
    if !name.starts_with("ExplanationOfBenefit") {
        return None;
    }
    let mut facts = Vec::new();
    within(row.as_object()?, context, &mut facts);
    let name = match name {
        "ExplanationOfBenefit-PriorAuth" => "request",
        "ExplanationOfBenefit-Pharmacy" => "drug event",
        _ => "claim",
    };
    Some(Record {
        place,
        name: name.to_owned(),
        facts,
    })
}

fn within(object: &Map<String, Value>, context: &Context, facts: &mut Vec<Fact>) {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let cells = object
        .iter()
        .filter_map(|(key, value)| Some((key.clone(), text(value)?)));
    facts.extend(of_row(&cells.collect(), true, context));
    for (key, value) in object {
        match value {
            Value::Object(inner) => within(inner, context, facts),
            Value::Array(items) => {
                for item in items.iter().filter_map(Value::as_object) {
                    if matches!(key.as_str(), "lineItemComponents" | "priorAuthItem") {
                        facts.push(Fact::new(FactKind::Line, ""));
                    }
                    within(item, context, facts);
                }
            }
            _ => {}
        }
    }
}

/// A name without the number at its end, and that number.
fn parted(name: &str) -> (&str, &str) {
    let stem = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
    (stem, name.get(stem.len()..).unwrap_or_default())
}

/// Whether a column stands once for each line of its row.
fn is_of_line(name: &str) -> bool {
    const STARTS: &[&str] = &[
        "LINE_",
        "HCPCS_CD_",
        "PRF_PHYSN_NPI_",
        "TAX_NUM_",
        "Line",
        "RevenueCenter",
        "ProviderPhysician",
        "ProviderInstitutionTax",
    ];
    !parted(name).1.is_empty() && STARTS.iter().any(|start| name.starts_with(start))
}

fn of_row(cells: &Cells, is_warehouse: bool, context: &Context) -> Vec<Fact> {
    let is_nothing = |text: &str| text.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    let told = cells.iter().filter(|(_, text)| !is_nothing(text));
    let of_lines = told.filter(|(name, _)| is_of_line(name));
    let lines: BTreeSet<&str> = of_lines.map(|(name, _)| parted(name).1).collect();
    let mut facts: Vec<Fact> = lines
        .iter()
        .map(|_| Fact::new(FactKind::Line, ""))
        .collect();
    for (name, text) in cells {
        let is_blank = matches!(text.as_str(), "" | "~" | "9999-12-31");
        // Rows have room for more lines than there are.
        if is_blank || (is_of_line(name) && !lines.contains(parted(name).1)) {
            continue;
        }
        facts.extend(fact(name, text, cells, is_warehouse, context));
    }
    facts
}

fn fact(
    name: &str,
    text: &str,
    cells: &Cells,
    is_warehouse: bool,
    context: &Context,
) -> Option<Fact> {
    let (stem, number) = parted(name);
    let stem = stem.trim_end_matches('_');
    let beside = |wanted: &str| {
        let mut cells = cells.iter();
        let found = cells.find(|(name, _)| name == wanted);
        found.map(|(_, text)| text.as_str())
    };
    if stem.ends_with("_AMT") || stem.ends_with("Amount") || MONEY.contains(&name) {
        return amount(text, context);
    }
    let is_diagnosis =
        stem.contains("DGNS_CD") || stem.contains("DGNS_E_CD") || stem.contains("RSN_VISIT_CD");
    let is_icd = is_diagnosis || stem.contains("PRCDR_CD");
    let is_nine = || {
        let version = stem.replace("_CD", "_VRSN_CD");
        let version = beside(&format!("{version}{number}"));
        let version = version.or_else(|| beside("CLM_DGNS_PRCDR_ICD_IND"));
        stem.contains("ICD9") || version == Some("9")
    };
    let code = |system: &str| Some(Fact::new(FactKind::Code, pair(Some(system), text)));
    if stem.ends_with("DiagnosisCode") || (is_diagnosis && is_nine()) {
        return code("http://hl7.org/fhir/sid/icd-9-cm");
    }
    if is_diagnosis {
        return code("http://hl7.org/fhir/sid/icd-10-cm");
    }
    if stem.ends_with("ClaimProcedureCode") || (is_icd && is_nine()) {
        return code("http://www.cms.gov/Medicare/Coding/ICD9");
    }
    if is_icd {
        return code("http://www.cms.gov/Medicare/Coding/ICD10");
    }
    if let Some((_, system)) = LISTS.iter().find(|(part, _)| stem.contains(part)) {
        return code(system);
    }
    if name == "REV_CNTR" {
        return code("https://www.nubc.org/CodeSystem/RevenueCodes");
    }
    if stem.ends_with("_DT")
        || stem.ends_with("_DT_ID")
        || stem.ends_with("Date")
        || name == "createdDate"
    {
        return Some(Fact::new(FactKind::Date, day(text)?));
    }
    let is_count = COUNTS.iter().any(|end| stem.ends_with(end));
    let is_number = [
        "_NUM",
        "_ID",
        "_NPI",
        "_UPIN",
        "_SK",
        "NationalProviderId",
        "ClaimId",
        "BeneficiaryCode",
    ];
    if is_number.iter().any(|end| stem.ends_with(end)) && !is_count {
        return Some(Fact::new(FactKind::Identifier, pair(None, text)));
    }
    let is_read_with_another = ["VRSN_CD", "PROD_TYPE_CD", "QLFYR_CD"];
    let is_own = ["_CD", "_SW"].iter().any(|end| stem.ends_with(end));
    if !is_own || is_read_with_another.iter().any(|end| stem.ends_with(end)) {
        return None;
    }
    let own = if stem.contains("POA") || is_of_line(name) {
        stem
    } else {
        name
    };
    code(&match is_warehouse {
        true => {
            let own = own.replace('_', "-");
            format!("https://bluebutton.cms.gov/fhir/CodeSystem/{own}")
        }
        false => {
            let own = own.to_ascii_lowercase();
            format!("https://bluebutton.cms.gov/resources/variables/{own}")
        }
    })
}

fn amount(text: &str, context: &Context) -> Option<Fact> {
    let currency = context.default_currency.or(Currency::parse("USD"))?;
    let exponent = currency.exponent(context.today);
    let (amount, _) = Amount::from_decimal(text, exponent).ok()?;
    let said = match amount < Amount::ZERO {
        true => taken_back(text, currency.as_str()),
        false => amount.get().to_string(),
    };
    Some(Fact::new(FactKind::Amount, said))
}

/// A day as the canonical form writes it.
fn day(text: &str) -> Option<String> {
    if let [day, month, year] = text.split('-').collect::<Vec<_>>()[..]
        && year.len() == 4
    {
        let months = "janfebmaraprmayjunjulaugsepoctnovdec";
        let month = months.find(&month.to_ascii_lowercase())? / 3 + 1;
        return Some(format!("{year}-{month:02}-{day:0>2}"));
    }
    if text.contains('-') {
        return Some(text.to_owned());
    }
    let (year, rest) = text.split_at_checked(4)?;
    let (month, day) = rest.split_at_checked(2)?;
    Some(format!("{year}-{month}-{day}"))
}
