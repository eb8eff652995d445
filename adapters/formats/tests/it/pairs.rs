//! Messages that real senders wrote about one thing in two forms say the same facts. The corpus lies outside the repo,
//! in the folder that `TAKMIL_CORPUS` names.

use std::collections::{BTreeSet, HashSet};
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;
use takmil_domain::date::When;
use takmil_domain::message::{Body, Message, Relation};
use takmil_formats::{Format, fhir, read, rows};

use crate::context;

fn corpus() -> Option<PathBuf> {
    let root = std::env::var_os("TAKMIL_CORPUS").map(PathBuf::from);
    if root.is_none() {
        eprintln!("TAKMIL_CORPUS is not set: no corpus is read");
    }
    root
}

fn bytes(path: &Path) -> Vec<u8> {
    let stored = std::fs::read(path).unwrap();
    if !path.to_string_lossy().ends_with(".gz") {
        return stored;
    }
    let mut body = Vec::new();
    let mut unpacked = flate2::read::MultiGzDecoder::new(&*stored);
    unpacked.read_to_end(&mut body).unwrap();
    body
}

fn messages(format: &Format, body: &[u8]) -> Vec<Message> {
    let reading = read(format, body, &context()).unwrap();
    let outcomes = reading.messages.into_iter().map(|read| read.outcome);
    outcomes.map(Result::unwrap).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// A German case is a folder: what the doctor ordered, what the pharmacy handed out as it tells the patient's record, and
/// as it bills it.
#[test]
fn german_orders_records_and_bills_of_one_case_name_one_order_drug_and_person() {
    let Some(root) = corpus() else { return };
    let (mut filled, mut persons, mut drugs) = ([0; 2], [0; 2], [0; 2]);
    for case in files(&root.join("erezept-de-gkv")) {
        let bodies = files(&case).into_iter().map(|path| bytes(&path));
        let readings = bodies.filter_map(|body| read(&fhir::FORMAT, &body, &context()).ok());
        let messages = readings.flat_map(|reading| reading.messages);
        let messages: Vec<Message> = messages.map(|read| read.outcome.unwrap()).collect();
        let orders = messages.iter();
        let mut orders = orders.filter(|one| matches!(one.body, Body::Prescription(_)));
        let Some(order) = orders.next() else { continue };
        let given = messages.iter();
        let given = given.filter(|one| matches!(one.body, Body::Dispense(_)));
        let given: Vec<&Message> = given.collect();
        for one in &given {
            let mut numbers = one.head.correlates.iter();
            let is_filled = numbers.any(|number| {
                let known = order.head.identifiers.contains(&number.identifier);
                known && number.relation == Relation::Prescription
            });
            filled[usize::from(is_filled)] += 1;
            // The bill names nobody: the order does that.
            if !one.head.member.identifiers.is_empty() {
                let same = !values(one).is_disjoint(&values(order));
                persons[usize::from(same)] += 1;
            }
        }
        // What was ordered may have been exchanged; what was handed out is what is billed.
        if let [record, bill] = &*given {
            let same = !packs(record).is_disjoint(&packs(bill));
            drugs[usize::from(same)] += 1;
        }
    }
    assert_eq!(filled, [0, 100]);
    // In 16 cases the record's person is another than the order's, in the files themselves.
    assert_eq!(persons, [16, 34]);
    // In two cases a compound is handed out, which has no pack.
    assert_eq!(drugs, [2, 48]);
}

fn values(message: &Message) -> BTreeSet<&str> {
    let numbers = message.head.member.identifiers.iter();
    numbers.map(|number| number.value.as_str()).collect()
}

/// The numbers of the packs that were handed out.
fn packs(message: &Message) -> BTreeSet<&str> {
    let Body::Dispense(given) = &message.body else {
        panic!("{:?}", message.kind())
    };
    let items = given.lines.iter().flat_map(|line| line.line.item.codings());
    let packs = items.filter(|coding| coding.system.ends_with("/pzn"));
    packs.map(|coding| coding.code.as_str()).collect()
}

/// England's service shows what it makes of each order in HL7 v3.
#[test]
fn english_orders_say_the_same_in_fhir_and_in_v3() {
    let Some(root) = corpus() else { return };
    let mut facts = 0;
    let mut pairs = 0;
    for path in files(&root.join("nhs-eps-uk")) {
        let name = path
            .to_string_lossy()
            .replace("-Process-Request-", "-Convert-Response-");
        let converted = PathBuf::from(name.replace(".json", ".xml"));
        if converted == path || !converted.exists() {
            continue;
        }
        let v3 = String::from_utf8(bytes(&converted)).unwrap();
        let found = messages(&fhir::FORMAT, &bytes(&path));
        let said: Vec<Value> = found
            .iter()
            .map(|one| serde_json::to_value(one).unwrap())
            .collect();
        let said = texts(&Value::Array(said));
        // The person's number, that of the order, and what is ordered.
        let mut all = attributes(&v3, "id", "root=\"2.16.840.1.113883.2.1.4.1\"", "extension");
        all.extend(attributes(
            &v3,
            "id",
            "root=\"2.16.840.1.113883.2.1.3.2.4.18.8\"",
            "extension",
        ));
        // What is handed out repeats in v3 what was ordered; in FHIR it refers to the order.
        let mut ordered = v3.split("<manufacturedRequestedMaterial ").skip(1);
        let are_orders = found
            .iter()
            .all(|one| matches!(one.body, Body::Prescription(_)));
        for drug in ordered.by_ref().filter(|_| are_orders) {
            let codes = attributes(
                drug,
                "code",
                "codeSystem=\"2.16.840.1.113883.2.1.3.2.4.15\"",
                "code",
            );
            all.extend(codes.into_iter().take(1));
        }
        for fact in &all {
            assert!(said.contains(*fact), "{}: {fact}", path.display());
        }
        facts += all.len();
        pairs += 1;
    }
    assert!(pairs >= 30 && facts >= 100, "{pairs} {facts}");
}

/// An attribute of the elements of that name that hold `mark`.
fn attributes<'a>(xml: &'a str, name: &str, mark: &str, attribute: &str) -> Vec<&'a str> {
    let start = format!("<{name} ");
    let elements = xml.split(start.as_str()).skip(1);
    let tags = elements.filter_map(|rest| rest.split('>').next());
    let key = format!("{attribute}=\"");
    let marked = tags.filter(|tag| tag.contains(mark));
    let values = marked.filter_map(|tag| {
        let at = match tag.starts_with(key.as_str()) {
            true => 0,
            false => tag.find(&format!(" {key}"))? + 1,
        };
        tag[at + key.len()..].split('"').next()
    });
    values.collect()
}

/// The flat rows, and the resources that their publisher made from them.
const ROWS: &[(&str, &str)] = &[
    ("EOB-Base-Sample", "ExplanationOfBenefit.json.gz"),
    ("EOB-Carrier-MCS-Sample", "ExplanationOfBenefit-MCS.json.gz"),
    ("EOB-DME-Sample", "ExplanationOfBenefit-DME.json.gz"),
    ("EOB-Hospice-Sample", "ExplanationOfBenefit-Hospice.json.gz"),
    ("EOB-Pharmacy-Sample", "ExplanationOfBenefit-Pharmacy.json"),
];

#[test]
fn what_stands_in_a_flat_row_and_in_its_resource_is_said() {
    let Some(root) = corpus() else { return };
    let mut said_of_all = 0;
    for (row, resource) in ROWS {
        let flat = bytes(&root.join("cms-bfd-idr-flat").join(format!("{row}.json")));
        let flat: Value = serde_json::from_slice(&flat).unwrap();
        let mut facts = Vec::new();
        flat_facts(&flat, "", &mut facts);
        let body = bytes(&root.join("cms-bfd-idr-fhir").join(resource));
        let source: Value = serde_json::from_slice(&body).unwrap();
        let (mapped, sums) = (texts(&source), amounts(&source));
        let [message] = &*messages(&fhir::HISTORY, &body) else {
            panic!("{resource}")
        };
        let said = texts(&serde_json::to_value(message).unwrap());
        let mut both = 0;
        for (key, fact) in facts {
            let amount = key.ends_with("_AMT");
            // A publisher maps some of a row, and some of it in other words.
            let is_mapped = match amount {
                true => sums.contains(&plain(&fact)),
                false => mapped.contains(&fact),
            };
            if !is_mapped {
                continue;
            }
            let canonical = if amount { cents(&fact) } else { fact };
            assert!(said.contains(&canonical), "{resource}: {key} {canonical}");
            both += 1;
        }
        assert!(both >= 4, "{row}: {both}");
        said_of_all += both;
    }
    assert!(said_of_all >= 100, "{said_of_all}");
}

/// Days, codes of services, diagnoses and procedures, and amounts other than nothing.
fn flat_facts(value: &Value, key: &str, facts: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) => {
            for (key, inner) in members {
                flat_facts(inner, key, facts);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| flat_facts(item, key, facts)),
        Value::String(text) if !text.is_empty() => {
            let codes = [
                "HCPCS_CD",
                "CLM_DGNS_CD",
                "CLM_PRCDR_CD",
                "NDC_CD",
                "_FROM_DT",
                "_THRU_DT",
            ];
            let is_code = codes.iter().any(|end| key.ends_with(end));
            let is_amount = key.ends_with("_AMT") && text.parse::<f64>().is_ok_and(|sum| sum > 0.0);
            if is_code || is_amount {
                facts.push((key.to_owned(), text.clone()));
            }
        }
        _ => {}
    }
}

/// Every amount of money in a resource.
fn amounts(value: &Value) -> HashSet<String> {
    let mut found = HashSet::new();
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(members) => {
                if members.contains_key("currency") {
                    found.insert(plain(&members["value"].to_string()));
                }
                open.extend(members.values());
            }
            Value::Array(items) => open.extend(items),
            _ => {}
        }
    }
    found
}

/// Every text and number of a tree.
fn texts(value: &Value) -> HashSet<String> {
    let mut found = HashSet::new();
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(members) => open.extend(members.values()),
            Value::Array(items) => open.extend(items),
            Value::String(text) => drop(found.insert(text.clone())),
            Value::Number(number) => drop(found.insert(plain(&number.to_string()))),
            _ => {}
        }
    }
    found
}

/// A number without what says nothing: `45.50` is `45.5`.
fn plain(number: &str) -> String {
    match number.contains('.') {
        true => number
            .trim_end_matches('0')
            .trim_end_matches('.')
            .to_owned(),
        false => number.to_owned(),
    }
}

fn cents(number: &str) -> String {
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let cents: u64 = format!("{whole}{part:0<2}").parse().unwrap();
    cents.to_string()
}

#[test]
fn a_german_record_of_what_was_handed_out_names_the_order_by_its_own_number() {
    let body = br#"{"resourceType": "MedicationDispense", "status": "completed",
        "identifier": [
            {"system": "https://gematik.de/fhir/erp/NamingSystem/GEM_ERP_NS_PrescriptionId", "value": "160.1"},
            {"system": "https://apotheke.example.org/records", "value": "R-9"}],
        "medicationCodeableConcept": {"coding": [{"system": "http://fhir.de/CodeSystem/ifa/pzn", "code": "06313728"}]},
        "subject": {"identifier": {"system": "http://fhir.de/sid/gkv/kvid-10", "value": "S040464113"}}}"#;
    let found = messages(&fhir::FORMAT, body);
    let correlates = found[0].head.correlates.iter();
    let named: Vec<_> = correlates
        .map(|one| (one.relation, one.identifier.value.as_str()))
        .collect();
    assert_eq!(named, [(Relation::Prescription, "160.1")]);
    assert_eq!(found[0].head.identifiers.len(), 2);
}

/// A fraud prevention programme's partners exchanged the rows of the public use files as XML.
#[test]
fn rows_say_the_same_as_text_and_as_xml() {
    let Some(root) = corpus() else { return };
    let mut pairs = 0;
    for (text, elements) in [
        ("carrier_claims.csv", "carrier_claim.xml"),
        ("inpatient_claims.csv", "inpatient_claim.xml"),
    ] {
        let text = messages(
            &rows::HISTORY,
            &bytes(&root.join("desynpuf-hfpp").join(text)),
        );
        let elements = root.join("desynpuf-hfpp-xml").join(elements);
        for told in messages(&rows::HISTORY, &bytes(&elements)) {
            let mut same = text.iter();
            let same = same.find(|own| own.head.identifiers == told.head.identifiers);
            assert_eq!(same, Some(&told));
            pairs += 1;
        }
    }
    assert_eq!(pairs, 10);
}

/// What rows of the warehouse and the FHIR that is made of them are compared by: amounts, days, codes of what was found
/// and done, numbers of bills, persons and bodies.
fn compared(value: &Value, key: &str, facts: &mut BTreeSet<String>) {
    const AMOUNTS: &[&str] = &["amount", "billed", "total", "paid"];
    match value {
        Value::Object(members) => {
            let text = |key: &str| members.get(key).and_then(Value::as_str);
            let system = text("system").unwrap_or_default();
            match (text("code"), text("value")) {
                (Some(code), _) if system.contains("icd-10") || system.ends_with("ICD10") => {
                    facts.insert(format!("icd {code}"));
                }
                (Some(code), _) if system.contains("HCPCS") || system.ends_with("/cpt") => {
                    facts.insert(format!("service {code}"));
                }
                (Some(code), _)
                    if system.contains("/ndc")
                        || system.contains("RevenueCodes")
                        || system.contains("Place_of") =>
                {
                    facts.insert(format!("code {code}"));
                }
                // A `#` leads to another part of the same resource.
                (_, Some(number)) if !number.starts_with('#') => {
                    facts.insert(format!("number {}", number.rsplit('/').next().unwrap()));
                }
                _ => {}
            }
            for (key, inner) in members.iter().filter(|(key, _)| *key != "unread") {
                compared(inner, key, facts);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| compared(item, key, facts)),
        Value::Number(number) if AMOUNTS.contains(&key) => {
            facts.insert(format!("amount {number}"));
        }
        Value::String(text) if key == "text" && text.starts_with('-') && text.contains('.') => {
            facts.insert(format!("amount {}", text.trim_end_matches('0')));
        }
        Value::String(text) if text.len() == 10 && When::parse(text).is_some() => {
            facts.insert(format!("day {text}"));
        }
        _ => {}
    }
}

/// Pairs of the warehouse: the rows, the FHIR that its owner makes of them, and what only one of them says.
const WAREHOUSE: &[(&str, &str, &[&str], usize)] = &[
    // Two amounts that are not mapped: an add-on for new drugs in renal care, and a reduction under a name spelt otherwise.
    (
        "EOB-Base-Sample.json",
        "ExplanationOfBenefit.json.gz",
        &["amount 1113", "amount 4411"],
        82,
    ),
    // Who treated is not mapped for equipment.
    (
        "EOB-DME-Sample.json",
        "ExplanationOfBenefit-DME.json.gz",
        &["number 1942945159"],
        53,
    ),
    (
        "EOB-Carrier-MCS-Sample.json",
        "ExplanationOfBenefit-MCS.json.gz",
        &[],
        57,
    ),
    (
        "EOB-Hospice-Sample.json",
        "ExplanationOfBenefit-Hospice.json.gz",
        &[],
        66,
    ),
    // What the cost is made of is mapped as its sum, rebates and discounts not at all; of a bill that was changed the
    // number of the first stands for its own.
    (
        "EOB-Pharmacy-Sample.json",
        "ExplanationOfBenefit-Pharmacy.json",
        &[
            "amount 0",
            "amount 1001",
            "amount 1002",
            "amount 1003",
            "amount 1004",
            "amount 200",
            "amount 250",
            "amount 3500",
            "amount 500",
            "amount 850",
            "number CNTL20240012345",
        ],
        17,
    ),
    (
        "EOB-PriorAuth-Sample.json",
        "ExplanationOfBenefit-PriorAuth.json",
        &[],
        21,
    ),
];

#[test]
fn rows_of_the_warehouse_say_the_same_as_the_fhir_that_is_made_of_them() {
    let Some(root) = corpus() else { return };
    let facts = |format: &Format, path: &Path| {
        let mut found = messages(format, &bytes(path));
        assert_eq!(found.len(), 1);
        let message = serde_json::to_value(found.remove(0)).unwrap();
        let mut facts = BTreeSet::new();
        compared(&message, "", &mut facts);
        facts
    };
    for (flat, resource, rows_alone, both) in WAREHOUSE {
        let rows = facts(&rows::HISTORY, &root.join("cms-bfd-idr-flat").join(flat));
        let resource = root.join("cms-bfd-idr-fhir").join(resource);
        let fhir = facts(&fhir::HISTORY, &resource);
        let alone: Vec<&str> = rows.difference(&fhir).map(String::as_str).collect();
        assert_eq!(alone, *rows_alone, "{flat}");
        let others: Vec<&String> = fhir.difference(&rows).collect();
        assert!(others.is_empty(), "{flat}: {others:?}");
        assert_eq!(rows.intersection(&fhir).count(), *both, "{flat}");
    }
}
