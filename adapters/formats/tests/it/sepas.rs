//! Documents of Iran's national health record through the public face.

use proptest::prelude::*;
use serde_json::{Value, json};
use std::path::Path;
use takmil_domain::bill::EncounterClass;
use takmil_domain::ids::IR_NATIONAL_ID;
use takmil_domain::message::{Body, Message, Relation};
use takmil_domain::problem::ProblemCode::{self, *};
use takmil_formats::facts::{FactKind, measure, records};
use takmil_formats::{Fault, MAX_PROBLEMS, Outcome, Reply, native, read, recognise, sepas};

const SAMPLES: &[&str] = &[
    "admission-shiraz-surgery.json",
    "bill-shiraz-surgery.json",
    "prescription-tabriz-clinic.json",
];

fn sample(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/sepas");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

fn messages(body: &str) -> Vec<Message> {
    let reading = read(&sepas::FORMAT, body.as_bytes(), &crate::context()).unwrap();
    let read = reading.messages.into_iter();
    read.map(|read| read.outcome.unwrap()).collect()
}

/// The problems of a body, with their places.
fn told(body: &str) -> Vec<(ProblemCode, String)> {
    let problems = match read(&sepas::FORMAT, body.as_bytes(), &crate::context()) {
        Err(problem) => vec![problem],
        Ok(reading) => {
            let outcomes = reading.messages.into_iter();
            outcomes
                .filter_map(|read| read.outcome.err())
                .flatten()
                .collect()
        }
    };
    let pairs = problems.into_iter();
    pairs
        .map(|problem| (problem.code, problem.pointer))
        .collect()
}

/// What is told of the sample of that name with one value changed.
#[track_caller]
fn check_in(name: &str, place: &str, value: Value, expected: &[(ProblemCode, &str)]) {
    let mut body: Value = serde_json::from_str(&sample(name)).unwrap();
    let (outer, key) = place.rsplit_once('/').unwrap();
    match body.pointer_mut(outer).unwrap() {
        Value::Array(items) => items[key.parse::<usize>().unwrap()] = value,
        outer => outer[key] = value,
    }
    let expected: Vec<_> = expected
        .iter()
        .map(|(code, place)| (*code, (*place).to_owned()))
        .collect();
    assert_eq!(told(&body.to_string()), expected, "{place}");
}

#[track_caller]
fn check(place: &str, value: Value, code: ProblemCode, below: &str) {
    let place = format!("/PatientBillMessageVO{place}");
    let told = format!("{place}{below}");
    check_in(
        "bill-shiraz-surgery.json",
        &place,
        value,
        &[(code, told.as_str())],
    );
}

#[test]
fn what_is_written_in_persian_or_arabic_letters_and_digits_is_read_alike() {
    let read = messages(&sample("bill-shiraz-surgery.json"));
    let head = &read[0].head;
    let id = &head.member.identifiers[0];
    assert_eq!((&*id.system, &*id.value), (IR_NATIONAL_ID, "0061234583"));
    assert_eq!(
        head.member.name.as_deref(),
        Some("مريم كريمي‌پور"),
        "a name is kept letter by letter"
    );
    let birth = head.member.birth_date.as_ref().unwrap();
    assert_eq!(birth.as_str(), "1985-03-12");
    let correlate = &head.correlates[0];
    assert_eq!(correlate.relation, Relation::Admission);
    assert_eq!(correlate.identifier.system, takmil_formats::MESSAGE_SYSTEM);
    let Body::Claim(claim) = &read[0].body else {
        panic!("{read:?}")
    };
    let stay = claim.bill.encounter.as_ref().unwrap();
    assert_eq!(stay.class, Some(EncounterClass::Inpatient), "بستري");
    let period = stay.period.as_ref().unwrap();
    let [start, end] = [&period.start, &period.end].map(|own| own.as_ref().unwrap().as_str());
    assert_eq!((start, end), ("2026-11-20T07:30:00", "2026-11-21T18:15:00"));
    let item = claim.bill.lines[2].item.source.as_ref().unwrap();
    assert_eq!((&*item.system, &*item.code), ("ir:irc", "2200101234567890"));
}

#[test]
fn every_fact_of_the_samples_is_said_by_their_messages() {
    for name in SAMPLES {
        let body = sample(name);
        assert_eq!(
            recognise(None, body.as_bytes()).unwrap().name,
            "sepas",
            "{name}"
        );
        let measured = measure(&sepas::FORMAT, body.as_bytes(), &crate::context());
        assert_eq!(measured.len(), 1, "{name}");
        assert_eq!(measured[0].outcome, Ok(()), "{name}");
        let lost: Vec<&str> = measured[0].lost.iter().map(|own| &*own.text).collect();
        assert_eq!(lost, [""; 0], "{name}");
        let record = &records(&sepas::FORMAT, body.as_bytes(), &crate::context()).unwrap()[0];
        for kind in FactKind::ALL {
            let found = record.facts.iter().any(|fact| fact.kind == *kind);
            let has_money = *name != "prescription-tabriz-clinic.json";
            assert!(found || (*kind == FactKind::Amount && !has_money), "{name}");
        }
    }
}

#[test]
fn what_is_not_understood_is_listed_and_nothing_else() {
    let read = messages(&sample("bill-shiraz-surgery.json"));
    let frame = "/PatientBillMessageVO";
    let places = [
        "/MsgID/IS_Queriable",
        "/Person/FatherFirstName",
        "/Composition/Admission/AdmissionWard/Room",
        "/Composition/Admission/AdmissionWard/Bed",
        "/Composition/BillServices/0/WardName",
        "/Composition/BillSummary/HospitalAccreditation",
    ];
    let places: Vec<String> = places.iter().map(|own| format!("{frame}{own}")).collect();
    assert_eq!(read[0].head.unread, places);
}

#[test]
fn a_person_is_known_by_a_number_that_can_be_one() {
    check(
        "/Person/NationalCode",
        json!("0061234584"),
        BadIdentifier,
        "",
    );
    check(
        "/Person/NationalCode",
        json!("۰۰۶۱۲34583"),
        BadIdentifier,
        "",
    );
    check("/Person/NationalCode", json!("61234583"), BadIdentifier, "");
    check(
        "/Person/NationalCode",
        json!("1111111111"),
        BadIdentifier,
        "",
    );
    check("/Person/NationalCode", json!(null), Missing, "");
    check("/Person/NationalCode", json!(true), WrongType, "");
}

#[test]
fn a_day_is_a_real_one_of_the_persian_calendar() {
    let date = |year: u32, month: u32, day: u32| json!({"Year": year, "Month": month, "Day": day});
    // 1403 is a leap year and 1404 is none.
    check("/Person/BirthDate", date(1404, 12, 30), BadDate, "");
    check("/Person/BirthDate", date(1370, 7, 31), BadDate, "");
    check("/Person/BirthDate", date(1370, 13, 1), BadDate, "");
    check("/Person/BirthDate", date(1985, 3, 12), BadDate, "");
    check("/Person/BirthDate", json!("۱۴۰۴/۱۲/۳۰"), BadDate, "");
    check("/Person/BirthDate", json!("1۳۷۰/01/01"), BadDate, "");
    check(
        "/Person/BirthDate",
        json!({"Year": 1370, "Day": 1}),
        Missing,
        "/Month",
    );
    check("/Person/BirthDate/Year", json!("۱۳6۳"), BadDate, "");
    let stay = "/Composition/Discharge";
    let time = |hour: u32, minute: u32| json!({"Hour": hour, "Minute": minute});
    check(&format!("{stay}/DischargeTime"), time(24, 1), BadDate, "");
    check(
        &format!("{stay}/DischargeDate"),
        date(1405, 8, 28),
        DateOrder,
        "",
    );
    check(&format!("{stay}/DischargeDate"), json!(null), Missing, "");
    let leap = sample("bill-shiraz-surgery.json").replace("\"۱۳۶۳\"", "\"۱۴۰۳\"");
    let leap = leap.replace("\"۲۱\"", "\"۳۰\"");
    let read = messages(&leap);
    let birth = read[0].head.member.birth_date.as_ref().unwrap();
    assert_eq!(birth.as_str(), "2025-03-20");
}

#[test]
fn sums_add_up_and_money_is_in_rials() {
    let line = "/Composition/BillServices/0";
    let rials = |amount: Value| json!({"Magnitude": amount, "Unit": "Rial"});
    let money = |value: Value, code, below: &str| {
        check(&format!("{line}/TotalCharge"), rials(value), code, below);
    };
    money(json!(310_000_001), BadValue, "/Magnitude");
    money(json!(-1), Negative, "/Magnitude");
    money(json!("۳۱۰.۵"), BadValue, "/Magnitude");
    money(json!("many"), BadValue, "/Magnitude");
    money(json!("۳۱0"), BadValue, "/Magnitude");
    money(json!(900_000_000_000_001_i64), OutOfRange, "/Magnitude");
    money(json!(null), Missing, "/Magnitude");
    check(&format!("{line}/TotalCharge"), json!(null), Missing, "");
    check(&format!("{line}/TotalCharge"), json!(5), WrongType, "");
    let toman = json!({"Magnitude": 31_000_000, "Unit": "Toman"});
    check(
        &format!("{line}/TotalCharge"),
        toman,
        UnknownCurrency,
        "/Unit",
    );
    let summary = "/Composition/BillSummary/TotalCharge";
    check(summary, rials(json!(1)), BadValue, "/Magnitude");
}

#[test]
fn codes_are_whole_and_parts_of_a_relative_value_are_known() {
    let line = "/Composition/BillServices/0";
    let part = format!("{line}/RelativeCost/0");
    check(
        &format!("{part}/KType/Coded_string"),
        json!("99"),
        BadValue,
        "",
    );
    let other = json!({"Coded_string": "2", "Terminology_id": "thritaEHR.other"});
    check(&format!("{part}/KType"), other, BadValue, "/Coded_string");
    check(&format!("{part}/KType"), json!(null), Missing, "");
    check(&format!("{part}/KValue"), json!("-2"), Negative, "");
    check(&format!("{part}/KValue"), json!(null), Missing, "");
    check(
        &format!("{line}/Service/Terminology_id"),
        json!(" "),
        Missing,
        "",
    );
    check(
        &format!("{line}/Service/Coded_string"),
        json!("۴01460"),
        BadValue,
        "",
    );
    check(&format!("{line}/Service"), json!(null), Missing, "");
    check(
        &format!("{line}/ServiceCount/Magnitude"),
        json!("-1"),
        Negative,
        "",
    );
    check("/Composition/BillServices", json!([]), Missing, "");
    check("/Composition/BillServices", json!({}), WrongType, "");
    check("/Composition/BillServices/1", json!(7), WrongType, "");
    check(
        "/Composition/Diagnosis/0/Diagnosis",
        json!(null),
        Missing,
        "",
    );
    check(
        "/Composition/IntroductionLetter/Number",
        json!(""),
        Missing,
        "",
    );
    let place = "/MedicationPrescriptionsMessageVO/Composition/PrescribedDrugs";
    let name = "prescription-tabriz-clinic.json";
    check_in(name, place, json!([]), &[(Missing, place)]);
    let place = "/PatientAdmissionMessageVO/Composition/Admission/AdmissionDate";
    let name = "admission-shiraz-surgery.json";
    // A time without its day is told once.
    check_in(name, place, json!(null), &[(Missing, place)]);
}

#[test]
fn a_body_that_is_no_document_is_refused() {
    let check = |body: &str, code, place: &str| {
        assert_eq!(told(body), [(code, place.to_owned())], "{body}");
    };
    check("", Malformed, "");
    check("[]", NoMessage, "");
    check("7", NoMessage, "");
    check("[7]", NoMessage, "/0");
    check(r#"{"LabResultMessageVO":{}}"#, NoMessage, "");
    check(
        r#"{"PatientBillMessageVO":7}"#,
        WrongType,
        "/PatientBillMessageVO",
    );
    check(
        r#"{"PatientBillMessageVO":{"Person":{"NationalCode":"1","NationalCode":"2"}}}"#,
        TooMany,
        "/PatientBillMessageVO/Person/NationalCode",
    );
    check(
        r#"{"PatientBillMessageVO":{},"PatientAdmissionMessageVO":{}}"#,
        TooMany,
        "/PatientBillMessageVO",
    );
    let empty = told(r#"{"PatientBillMessageVO":{}}"#);
    let place = |member: &str| format!("/PatientBillMessageVO/{member}");
    assert_eq!(
        empty,
        [(Missing, place("Composition")), (Missing, place("Person"))]
    );
}

#[test]
fn a_hostile_body_costs_no_more_than_its_length() {
    let lines = "{},".repeat(9_000);
    let bill =
        format!(r#"{{"PatientBillMessageVO":{{"Composition":{{"BillServices":[{lines}{{}}]}}}}}}"#);
    let key = "k".repeat(4_000_000);
    let clock = std::time::Instant::now();
    let bodies = [
        told(&bill),
        told(&format!("[{}{bill}]", format!("{bill},").repeat(50))),
        told(&format!(
            r#"{{"PatientBillMessageVO":{{"{key}":[{}0]}}}}"#,
            "0,".repeat(1_000_000)
        )),
        told(&format!("[{}7]", "7,".repeat(9_000))),
    ];
    assert!(bodies[0].len() <= MAX_PROBLEMS);
    assert!(bodies.iter().all(|told| !told.is_empty()));
    // Squares of these would take hours.
    assert!(clock.elapsed().as_secs() < 90, "{:?}", clock.elapsed());
    let many = format!(
        r#"{{"PatientBillMessageVO":{{"Person":{{}},"Composition":{{"BillServices":[{}7]}}}}}}"#,
        "7,".repeat(10_000)
    );
    let place = "/PatientBillMessageVO/Composition/BillServices".to_owned();
    assert!(told(&many).contains(&(TooManyLines, place)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn no_bytes_make_it_fail(
        name in proptest::sample::select(SAMPLES),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        words in proptest::collection::vec(
            (any::<prop::sample::Index>(), proptest::sample::select(&["null", "-1", "{}", "[]", "\"۱2\"", "\"\\u0001 ك\"", "99999999999999999999"][..])),
            0..6,
        ),
    ) {
        let mut body: Value = serde_json::from_str(&sample(name)).unwrap();
        for (at, word) in words {
            let mut leaves = 0;
            count(&mut body, &mut leaves, None);
            let at = at.index(leaves);
            count(&mut body, &mut 0, Some((at, word)));
        }
        let mut body = body.to_string().into_bytes();
        for (at, byte) in changes {
            let at = at.index(body.len());
            body[at] = byte;
        }
        let _ = recognise(None, &body);
        let told: Vec<(String, Vec<_>)> = match read(&sepas::FORMAT, &body, &crate::context()) {
            Ok(reading) => {
                for message in reading.messages.iter().filter_map(|read| read.outcome.as_ref().ok()) {
                    let written = native::write(message);
                    let again = read(&native::FORMAT, &written, &crate::context()).unwrap();
                    prop_assert_eq!(again.messages[0].outcome.as_ref(), Ok(message));
                }
                let read = reading.messages.into_iter();
                read.filter_map(|read| Some((read.place, read.outcome.err()?))).collect()
            }
            Err(problem) => vec![(String::new(), vec![problem])],
        };
        prop_assert!(told.iter().all(|(_, problems)| !problems.is_empty()));
        let faults: Vec<(&str, Vec<Fault<'_>>)> =
            told.iter().map(|(place, problems)| (place.as_str(), problems.iter().map(Fault::from).collect())).collect();
        let outcomes: Vec<Outcome<'_>> =
            faults.iter().map(|(place, faults)| Outcome { place, result: Err(faults) }).collect();
        let written = (sepas::FORMAT.answer)(&Reply { body: &body, hub: "", request: "", outcomes: &outcomes });
        prop_assert!(serde_json::from_slice::<Value>(&written.bytes).is_ok());
    }
}

/// Counts the leaves of a body, and puts a word in the place of one of them.
fn count(value: &mut Value, seen: &mut usize, change: Option<(usize, &str)>) {
    match value {
        Value::Object(members) => members
            .values_mut()
            .for_each(|own| count(own, seen, change)),
        Value::Array(items) => items.iter_mut().for_each(|own| count(own, seen, change)),
        leaf => {
            if let Some((at, word)) = change
                && at == *seen
            {
                *leaf = serde_json::from_str(word).unwrap();
            }
            *seen += 1;
        }
    }
}
