//! Every conflict that the real tables know is found in generated messages; what is no conflict is not.
//!
//! The messages are written as senders write them, normalised by the shipped tables and read by the rules, so that
//! the whole way is proven. They are the same in every run.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use takmil_domain::bill::{Bill, Diagnosis, Line};
use takmil_domain::clinical::{
    self, Case, ClinicalRule, Finding, Ingredient, Past, Severity, Tables as ClinicalTables, Terms,
};
use takmil_domain::code::Coded;
use takmil_domain::coverage::Person;
use takmil_domain::date::Date;
use takmil_domain::message::{Body, Claim, Head, Message};
use takmil_domain::money::Quantity;
use takmil_domain::party::Sex;
use takmil_domain::prescription::{Dispense, DispenseLine, Prescription, PrescriptionLine};
use takmil_mappings::shipped::SHIPPED;
use takmil_mappings::{Lookup, Tables};

use crate::corpus;

static CODES: LazyLock<Tables> = LazyLock::new(Tables::shipped);
static TABLES: LazyLock<ClinicalTables> =
    LazyLock::new(|| takmil_mappings::clinical::tables(&CODES).unwrap());

/// Numbers that look like chance and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).unwrap()
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// Codes with their edits, of a file `icd10cm,edit_no,edit`.
pub(crate) fn edits(source: &str) -> Vec<(String, String)> {
    let mut reader = csv::Reader::from_reader(source.as_bytes());
    let rows = reader.records().map(Result::unwrap);
    rows.map(|row| (row[0].to_owned(), row[2].to_owned()))
        .collect()
}

fn day(text: &str) -> Date {
    Date::parse(text).unwrap()
}

fn today() -> Date {
    day("2026-11-22")
}

/// As the hub's intake does it.
fn normalised(body: Body) -> Message {
    let mut message = Message {
        head: Head::default(),
        body,
    };
    message.visit_concepts(&mut |_, coded| {
        if let Lookup::Mapped(mapped) = CODES.concept(coded) {
            coded.common = Some(mapped.common);
            coded.via = Some(mapped.via);
        }
    });
    message
}

fn findings(body: Body, person: Person, past: &[Past], tables: &ClinicalTables) -> Vec<Finding> {
    let message = normalised(body);
    let case = Case {
        past,
        ..Case::of(&message, tables, person, today())
    };
    clinical::check(&case, tables, &Terms::default())
}

fn diagnosed(codes: &[&str], lines: Vec<PrescriptionLine>) -> Body {
    let diagnosis = |code: &&str| Diagnosis {
        seq: None,
        coded: Coded::new("icd-10-cm", *code),
        roles: Vec::new(),
        present_on_admission: None,
        when: None,
        recorded: None,
        group: None,
    };
    Body::Prescription(Prescription {
        diagnoses: codes.iter().map(diagnosis).collect(),
        lines,
        ..Prescription::default()
    })
}

fn order(seq: u32, item: Coded) -> PrescriptionLine {
    PrescriptionLine {
        seq,
        item,
        ..PrescriptionLine::default()
    }
}

fn names(finding: &Finding, rule: ClinicalRule, code: &str) -> bool {
    let plain = |code: &str| code.replace('.', "");
    finding.rule == rule
        && finding
            .evidence
            .iter()
            .any(|found| plain(&found.code) == plain(code))
}

/// Diagnoses that everybody can have.
const ANYBODY: &[&str] = &["I10", "E11.9", "J06.9", "K21.9", "M54.50", "N39.0", "R51.9"];

#[test]
fn every_age_conflict_is_found() {
    let Some(source) = corpus::plain("ref-edits-mce/icd10_age_edits.csv") else {
        return;
    };
    let mut dice = Dice(1);
    let (rows, mut found, mut alarms) = (edits(&source), 0, 0);
    for (code, edit) in &rows {
        let (from, to) = match edit.split_once(" (").unwrap().0 {
            "newborn" => (0, 0),
            "pediatric" => (0, 17),
            "maternity" => (12, 55),
            _ => (14, 100),
        };
        let outside: Vec<usize> = (0..=100).filter(|age| !(from..=to).contains(age)).collect();
        let within: Vec<usize> = (from..=to).collect();
        let mut alarm = |ages: &[usize]| {
            let age = *dice.pick(ages);
            let birth = day(&format!("{:04}-06-15", 2026 - age));
            let person = Person {
                birth_date: Some(birth),
                sex: None,
            };
            let other = *dice.pick(ANYBODY);
            let lines = vec![order(1, Coded::new("rxnorm", "6809"))];
            let told = findings(diagnosed(&[other, code], lines), person, &[], &TABLES);
            told.iter()
                .any(|finding| names(finding, ClinicalRule::Age, code))
        };
        found += usize::from(alarm(&outside));
        alarms += usize::from(alarm(&within));
    }
    println!(
        "age conflicts: {found} of {} rows found, {alarms} false",
        rows.len()
    );
    assert_eq!((rows.len(), found, alarms), (797, 797, 0));
}

#[test]
fn every_sex_conflict_is_found() {
    let Some(source) = corpus::plain("ref-edits-mce/icd10_sex_edits.csv") else {
        return;
    };
    let mut dice = Dice(2);
    let (rows, mut found, mut alarms) = (edits(&source), 0, 0);
    for (code, only) in &rows {
        let own = if only == "female" {
            Sex::Female
        } else {
            Sex::Male
        };
        let opposite = if only == "female" {
            Sex::Male
        } else {
            Sex::Female
        };
        let mut alarm = |sex| {
            let person = Person {
                birth_date: None,
                sex: Some(sex),
            };
            let other = *dice.pick(ANYBODY);
            let told = findings(diagnosed(&[code, other], Vec::new()), person, &[], &TABLES);
            told.iter()
                .any(|finding| names(finding, ClinicalRule::Sex, code))
        };
        found += usize::from(alarm(opposite));
        let others = [own, Sex::Other, Sex::Unknown];
        alarms += usize::from(others.into_iter().any(&mut alarm));
    }
    println!(
        "sex conflicts: {found} of {} rows found, {alarms} false",
        rows.len()
    );
    assert_eq!((rows.len(), found, alarms), (694, 694, 0));
}

#[test]
fn every_unit_over_the_maximum_is_found() {
    let Some(source) = corpus::plain("ref-ncci-mue/mue_hcpcs_level2.csv") else {
        return;
    };
    let mut dice = Dice(3);
    let mut reader = csv::Reader::from_reader(source.as_bytes());
    let rows: Vec<(String, u32)> = reader
        .records()
        .map(Result::unwrap)
        .map(|row| (row[0].to_owned(), row[1].parse().unwrap()))
        .collect();
    let (mut found, mut alarms) = (0, 0);
    for (code, most) in &rows {
        let mut alarm = |units: u32| {
            // On one line, or on two of the same day.
            let first = u32::try_from(dice.below(units as usize + 1)).unwrap();
            let parts = if dice.below(2) == 0 {
                vec![units]
            } else {
                vec![first, units - first]
            };
            let line = |(seq, units): (u32, u32)| Line {
                seq,
                item: Coded::new("x12:HC", code.to_lowercase()),
                quantity: Some(Quantity::whole(units)),
                ..Line::default()
            };
            let bill = Bill {
                lines: (1..).zip(parts).map(line).collect(),
                ..Bill::default()
            };
            let body = Body::Claim(Claim {
                interim: false,
                bill,
            });
            let told = findings(body, Person::default(), &[], &TABLES);
            told.iter()
                .any(|finding| names(finding, ClinicalRule::Units, code))
        };
        found += usize::from(alarm(most + 1));
        alarms += usize::from(alarm(*most));
    }
    println!(
        "units over the maximum: {found} of {} rows found, {alarms} false",
        rows.len()
    );
    assert_eq!((rows.len(), found, alarms), (3_698, 3_698, 0));
}

/// Drugs as senders code them, by the names of their ingredients.
struct Pharmacy {
    by_name: BTreeMap<String, Vec<String>>,
    names: Vec<String>,
}

impl Pharmacy {
    fn open() -> Pharmacy {
        let rxnorm = SHIPPED.iter().find(|shipped| shipped.id == "rxnorm");
        let table = rxnorm.unwrap().table().unwrap();
        let mut by_name: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in table.iter() {
            // A drug of one ingredient has its name; so has the ingredient itself.
            if let Some(name) = row.title("en").filter(|name| !name.contains(" / ")) {
                by_name
                    .entry(name.to_lowercase())
                    .or_default()
                    .push(row.code().to_owned());
            }
        }
        let names = by_name.keys().cloned().collect();
        Pharmacy { by_name, names }
    }

    /// A drug of that ingredient, by one of its codes, its salt's, or in words.
    fn drug(&self, name: &str, dice: &mut Dice) -> Coded {
        let name = name.to_lowercase();
        let salts = [format!("{name} carbonate"), format!("sodium {name}")];
        let mut named = [&name].into_iter().chain(&salts);
        match named.find_map(|name| self.by_name.get(name)) {
            Some(codes) => Coded::new("rxnorm", dice.pick(codes).as_str()),
            None => Coded::words(name.as_str()),
        }
    }
}

/// The pairs of a file of the corpus, with what stands in its fourth column.
fn pairs(path: &str) -> Option<Vec<(String, String, String)>> {
    let text = corpus::read(path)?;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let rows = reader.records().map(Result::unwrap);
    let row = |row: csv::StringRecord| {
        let level = row.get(3).unwrap_or_default().to_owned();
        (row[0].to_owned(), row[1].to_owned(), level)
    };
    Some(rows.map(row).collect())
}

fn with_interactions() -> Option<ClinicalTables> {
    let text = corpus::read("ref-ddi/crescenddi_ansm_pairs.csv.gz")?;
    let columns = "one=drug_a,other=drug_b,severity=ansm_level";
    let imported =
        takmil_mappings::clinical::interactions(text.as_bytes(), columns, &CODES).unwrap();
    assert_eq!((imported.read, imported.refused.len()), (9_279, 0));
    Some(ClinicalTables {
        interactions: imported.interactions,
        ..TABLES.clone()
    })
}

/// The findings on a pair: ordered together as lines 1 and 2 among other orders, or the one as line 1 while the
/// other is still at home.
fn on_pair(
    (one, other): (&str, &str),
    beside: usize,
    (pharmacy, tables, dice): (&Pharmacy, &ClinicalTables, &mut Dice),
) -> Vec<Finding> {
    let own = [one.to_lowercase(), other.to_lowercase()];
    let is_own = |name: &str| own.iter().any(|own| name.contains(own.as_str()));
    let (one, other) = (pharmacy.drug(one, dice), pharmacy.drug(other, dice));
    let mut lines = vec![order(1, one)];
    let names = std::iter::repeat_with(|| dice.pick(&pharmacy.names)).filter(|name| !is_own(name));
    let names: Vec<&String> = names.take(beside).collect();
    for (seq, name) in (3..).zip(names) {
        lines.push(order(seq, pharmacy.drug(name, dice)));
    }
    let mut past = Vec::new();
    if dice.below(2) == 0 {
        lines.insert(dice.below(lines.len() + 1), order(2, other));
    } else {
        let handed_out = Line {
            seq: 1,
            item: other,
            days_supply: Some(30),
            ..Line::default()
        };
        let earlier = normalised(Body::Dispense(Dispense {
            lines: vec![DispenseLine {
                line: handed_out,
                ..DispenseLine::default()
            }],
            ..Dispense::default()
        }));
        past = Case::of(&earlier, tables, Person::default(), day("2026-11-01")).leaves();
    }
    let mut told = findings(diagnosed(&["I10"], lines), Person::default(), &past, tables);
    told.retain(|finding| finding.rule == ClinicalRule::Interaction);
    told
}

#[test]
fn every_contraindicated_pair_is_found() {
    let (Some(tables), Some(rows)) = (
        with_interactions(),
        pairs("ref-ddi/crescenddi_ansm_pairs.csv.gz"),
    ) else {
        return;
    };
    let (pharmacy, mut dice) = (Pharmacy::open(), Dice(4));
    let mut found: BTreeMap<Severity, (usize, usize)> = BTreeMap::new();
    for (one, other, level) in &rows {
        let severity = takmil_mappings::clinical::severity(level).unwrap();
        let told = on_pair((one, other), 3, (&pharmacy, &tables, &mut dice));
        let is_it = |finding: &Finding| {
            let lines = if finding.past { &[1][..] } else { &[1, 2] };
            finding.severity == Some(severity) && finding.lines == lines
        };
        let (hits, all) = found.entry(severity).or_default();
        *hits += usize::from(told.iter().any(is_it));
        *all += 1;
    }
    println!("interactions found, of all rows: {found:?}");
    assert_eq!(found[&Severity::Contraindicated], (969, 969));
    assert!(found.values().all(|(hits, all)| hits == all), "{found:?}");
}

/// None: the source took its controls from outside its own pairs, and reading names as ingredients brings none of
/// them together. So this measures that reading, and not how complete the source is.
const FALSE_ALARMS: usize = 0;

#[test]
fn false_alarms_on_the_negative_controls_are_counted() {
    let (Some(tables), Some(controls)) = (
        with_interactions(),
        pairs("ref-ddi/crescenddi_negative_controls.csv.gz"),
    ) else {
        return;
    };
    let (pharmacy, mut dice) = (Pharmacy::open(), Dice(5));
    let mut alarms = Vec::new();
    for (one, other, _) in &controls {
        let told = on_pair((one, other), 0, (&pharmacy, &tables, &mut dice));
        alarms.extend(told.first().map(|finding| (one, other, finding.severity)));
    }
    println!(
        "negative controls: {} of {} rows raise an interaction: {alarms:?}",
        alarms.len(),
        controls.len()
    );
    assert_eq!((controls.len(), alarms.len()), (4_544, FALSE_ALARMS));
}

#[test]
fn an_ingredient_without_a_number_is_known_by_its_name() {
    let Some(tables) = with_interactions() else {
        return;
    };
    let named = |words: &str| tables.ingredient_named(words);
    assert_eq!(
        named("Domperidone"),
        Some(Ingredient::Named("domperidone".into()))
    );
    assert_eq!(named(" METFORMIN "), Some(Ingredient::RxNorm(6_809)));
    assert_eq!(named("no such drug"), None);
}
