//! The facts of X12 by a table of what its elements hold: cut at the separators, no rule of any guide but which loop
//! stands in which.

use takmil_domain::money::{Amount, Currency};

use super::{Fact, FactKind, Record, pair};
use crate::Context;

/// What an element says.
#[derive(Clone, Copy)]
enum Says {
    /// Money.
    Money,
    /// A code of the list of X12's that has this number; each repetition and each component is one.
    Listed(&'static str),
    /// A code of another body's list.
    Of(&'static str),
    /// An identifier that names no system.
    Number,
    /// An identifier, by the qualifier in another element.
    Qualified(usize, fn(&str) -> String),
    /// A code, by the qualifier in another element.
    Drug(usize),
    /// A day or two, by the format in another element, 0 for none.
    Day(usize),
    /// Qualifier, code, up to four modifiers.
    Service,
    /// A line, whatever stands there.
    Line,
}

const ICD_10: &str = "http://hl7.org/fhir/sid/icd-10-cm";
const ICD_9: &str = "http://hl7.org/fhir/sid/icd-9-cm";
const HCPCS: &str = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets";
const NPI: &str = "http://hl7.org/fhir/sid/us-npi";
const SSN: &str = "http://hl7.org/fhir/sid/us-ssn";
const EIN: &str = "urn:oid:2.16.840.1.113883.4.4";
const REVENUE: &str = "https://www.nubc.org/CodeSystem/RevenueCodes";
const PLACE: &str =
    "https://www.cms.gov/Medicare/Coding/place-of-service-codes/Place_of_Service_Code_Set";

/// Segment, element, what it says.
const SAYS: &[(&str, usize, Says)] = &[
    ("BHT", 3, Says::Number),
    ("BHT", 4, Says::Day(0)),
    ("NM1", 9, Says::Qualified(8, party)),
    ("REF", 2, Says::Qualified(1, reference)),
    ("PRV", 3, Says::Of("http://nucc.org/provider-taxonomy")),
    ("SBR", 2, Says::Listed("1069")),
    ("SBR", 3, Says::Number),
    ("SBR", 9, Says::Listed("1032")),
    ("PAT", 1, Says::Listed("1069")),
    ("INS", 2, Says::Listed("1069")),
    ("DMG", 2, Says::Day(1)),
    ("CLM", 1, Says::Number),
    ("CLM", 2, Says::Money),
    ("CLM", 7, Says::Listed("1359")),
    ("CLM", 8, Says::Listed("1073")),
    ("CLM", 9, Says::Listed("1363")),
    ("DTP", 3, Says::Day(2)),
    ("CL1", 1, Says::Listed("1315")),
    ("CL1", 2, Says::Listed("1314")),
    ("CL1", 3, Says::Listed("1352")),
    ("AMT", 1, Says::Listed("522")),
    ("AMT", 2, Says::Money),
    ("QTY", 1, Says::Listed("673")),
    ("CN1", 2, Says::Money),
    ("HCP", 1, Says::Listed("1473")),
    ("HCP", 2, Says::Money),
    ("HCP", 3, Says::Money),
    ("HCP", 4, Says::Number),
    ("OI", 3, Says::Listed("1073")),
    ("OI", 6, Says::Listed("1363")),
    ("LX", 1, Says::Line),
    ("SV1", 1, Says::Service),
    ("SV1", 2, Says::Money),
    ("SV1", 3, Says::Listed("355")),
    ("SV1", 5, Says::Of(PLACE)),
    ("SV2", 1, Says::Of(REVENUE)),
    ("SV2", 2, Says::Service),
    ("SV2", 3, Says::Money),
    ("SV2", 4, Says::Listed("355")),
    ("SV2", 6, Says::Money),
    ("SV2", 7, Says::Money),
    ("SV3", 1, Says::Service),
    ("SV3", 2, Says::Money),
    ("SV3", 3, Says::Of(PLACE)),
    ("SV3", 4, Says::Listed("1361")),
    ("SV3", 5, Says::Listed("1358")),
    ("TOO", 2, Says::Of("http://www.ada.org/tooth")),
    ("TOO", 3, Says::Listed("1369")),
    ("LIN", 3, Says::Drug(2)),
    ("CTP", 3, Says::Money),
    ("CTP", 5, Says::Listed("355")),
    ("SVD", 1, Says::Number),
    ("SVD", 2, Says::Money),
    ("SVD", 3, Says::Service),
    ("CAS", 2, Says::Listed("1034")),
    ("CAS", 3, Says::Money),
    ("CAS", 5, Says::Listed("1034")),
    ("CAS", 6, Says::Money),
    ("CAS", 8, Says::Listed("1034")),
    ("CAS", 9, Says::Money),
    ("TRN", 2, Says::Number),
    ("EQ", 2, Says::Service),
    ("EQ", 3, Says::Listed("1207")),
    ("UM", 1, Says::Listed("1525")),
    ("UM", 2, Says::Listed("1322")),
    ("UM", 6, Says::Listed("1338")),
    ("HSD", 1, Says::Listed("673")),
];

/// Every claim, question and request of a body, in the order in which they stand.
pub(super) fn records(body: &[u8], context: &Context) -> Vec<Record> {
    let text = crate::encoding::decode(body, None);
    let text = text.unwrap_or_else(|_| String::from_utf8_lossy(body));
    let mut rest: &str = text.trim_start();
    let mut walk = Walk {
        context,
        cut: None,
        at: [0; 4],
        kind: "",
        version: String::new(),
        currency: context.default_currency,
        levels: Vec::new(),
        is_open: false,
        found: Vec::new(),
    };
    while !rest.is_empty() {
        let isa = rest.get(..ISA).filter(|isa| isa.starts_with("ISA"));
        if let Some(isa) = isa {
            let at = |place: usize| isa.as_bytes().get(place).copied().map_or(' ', char::from);
            walk.cut = Some(Cut {
                element: at(3),
                // Versions before 4020 have a letter there and no repetitions.
                repetition: Some(at(82)).filter(|mark| !mark.is_alphanumeric()),
                component: at(104),
                terminator: at(105),
            });
            walk.at = [walk.at[0] + 1, 0, 0, 0];
            rest = rest.get(ISA..).unwrap_or_default().trim_start();
            continue;
        }
        let Some(cut) = walk.cut else { break };
        let Some((segment, after)) = rest.split_once(cut.terminator) else {
            break;
        };
        let elements: Vec<&str> = segment.split(cut.element).map(str::trim).collect();
        walk.segment(cut, &elements);
        rest = after.trim_start();
    }
    walk.found
}

/// How long an ISA is.
const ISA: usize = 106;

/// The separators of an interchange.
#[derive(Clone, Copy)]
struct Cut {
    element: char,
    repetition: Option<char>,
    component: char,
    terminator: char,
}

struct Walk<'c> {
    context: &'c Context,
    cut: Option<Cut>,
    /// The numbers of interchange, group, transaction and segment.
    at: [usize; 4],
    /// The transaction's number: 837.
    kind: &'static str,
    version: String,
    currency: Option<Currency>,
    /// The loops that are open: number and facts; the first is the transaction's head.
    levels: Vec<(String, Vec<Fact>)>,
    /// Whether what comes next belongs to the last record.
    is_open: bool,
    found: Vec<Record>,
}

impl Walk<'_> {
    fn segment(&mut self, cut: Cut, elements: &[&str]) {
        let element = |number: usize| elements.get(number).copied().unwrap_or_default();
        self.at[3] += 1;
        match element(0) {
            "GS" => {
                self.at = [self.at[0], self.at[1] + 1, 0, 0];
                self.version = element(8).to_owned();
            }
            "ST" => {
                self.at = [self.at[0], self.at[1], self.at[2] + 1, 1];
                let known = KINDS.iter().find(|kind| **kind == element(1));
                self.kind = known.copied().unwrap_or_default();
                if !element(3).is_empty() {
                    self.version = element(3).to_owned();
                }
                self.currency = self.context.default_currency;
                self.levels = vec![(String::new(), Vec::new())];
                self.is_open = false;
            }
            "SE" => {
                self.kind = "";
                self.is_open = false;
            }
            // An answer to a request for review, and no request.
            "BHT" if self.kind == "278" && element(2) == "11" => self.kind = "",
            "CUR" => self.currency = Currency::parse(element(2)),
            // In 4010 the version of a claim stands here.
            "REF" if element(1) == "87" => self.version = element(2).to_owned(),
            _ if self.kind.is_empty() => {}
            "HL" if self.kind == "278" && self.is_open && element(3) == "SS" => {}
            "HL" => self.level(element(1), element(2), element(3)),
            name => {
                let starts = match self.kind {
                    "837" => name == "CLM",
                    "270" => name == "EQ" && !self.is_open,
                    "276" => name == "TRN" && !self.is_open,
                    _ => name == "UM" && !self.is_open,
                };
                if starts {
                    self.open();
                }
                let facts = self.facts(cut, elements);
                match self.found.last_mut().filter(|_| self.is_open) {
                    Some(record) => record.facts.extend(facts),
                    None => self
                        .levels
                        .iter_mut()
                        .last()
                        .into_iter()
                        .for_each(|(_, own)| own.extend(facts.iter().cloned())),
                }
            }
        }
    }

    fn level(&mut self, number: &str, parent: &str, code: &str) {
        self.is_open = false;
        let kept = self
            .levels
            .iter()
            .skip(1)
            .position(|(own, _)| own == parent);
        self.levels.truncate(kept.map_or(1, |kept| kept + 2));
        match self.kind == "278" && code == "EV" {
            true => self.open(),
            false => self.levels.push((number.to_owned(), Vec::new())),
        }
    }

    /// Starts a record that says all that the loops around it say.
    fn open(&mut self) {
        let [interchange, group, transaction, segment] = self.at;
        let has = |names: [&str; 2]| names.iter().any(|name| self.version.contains(name));
        let class = match () {
            () if has(["X222", "X098"]) => "P",
            () if has(["X223", "X096"]) => "I",
            () if has(["X224", "X097"]) => "D",
            () => "",
        };
        self.found.push(Record {
            place: format!(
                "/interchange/{interchange}/group/{group}/transaction/{transaction}/segment/{segment}"
            ),
            name: format!("{}{class}", self.kind),
            facts: self.levels.iter().flat_map(|(_, facts)| facts.clone()).collect(),
        });
        self.is_open = true;
    }

    fn facts(&self, cut: Cut, elements: &[&str]) -> Vec<Fact> {
        let element = |number: usize| elements.get(number).copied().unwrap_or_default();
        let mut facts = Vec::new();
        let name = element(0);
        for (_, number, says) in SAYS.iter().filter(|(own, ..)| *own == name) {
            let text = element(*number);
            if text.is_empty() {
                continue;
            }
            let mut code = |system: &str, code: &str| {
                let said = pair(Some(system), code);
                facts.push(Fact::new(FactKind::Code, said));
            };
            match says {
                Says::Money => facts.extend(self.money(text)),
                Says::Listed(list) => {
                    let codes =
                        text.split([cut.repetition.unwrap_or(cut.component), cut.component]);
                    for own in codes.filter(|own| !own.is_empty()) {
                        code(&format!("urn:x12:{list}"), own);
                    }
                }
                Says::Of(system) => code(system, text),
                Says::Number => {
                    facts.push(Fact::new(FactKind::Identifier, pair(None, text)));
                }
                Says::Qualified(by, system) => {
                    let system = system(element(*by));
                    let said = pair(Some(&system), text);
                    facts.push(Fact::new(FactKind::Identifier, said));
                }
                Says::Drug(by) => code(&service(element(*by)), text),
                Says::Day(by) => {
                    let format = if *by == 0 { "D8" } else { element(*by) };
                    facts.extend(days(format, text));
                }
                Says::Service => {
                    let parts: Vec<&str> = text.split(cut.component).collect();
                    let part = |at: usize| parts.get(at).copied().unwrap_or_default();
                    if !part(1).is_empty() {
                        code(&service(part(0)), part(1));
                    }
                    for at in (2..6).filter(|at| !part(*at).is_empty()) {
                        code("urn:x12:1339", part(at));
                    }
                }
                Says::Line => facts.push(Fact::new(FactKind::Line, "")),
            }
        }
        match name {
            "HI" => {
                for text in elements.iter().skip(1) {
                    let parts: Vec<&str> = text.split(cut.component).collect();
                    self.health(&parts, &mut facts);
                }
            }
            // 30 asks for the plan as a whole.
            "EQ" => {
                let kinds = element(1).split(|mark| Some(mark) == cut.repetition);
                let services = kinds.filter(|own| !own.is_empty() && *own != "30");
                for own in services {
                    let said = pair(Some("https://codesystem.x12.org/005010/1365"), own);
                    facts.push(Fact::new(FactKind::Code, said));
                    facts.push(Fact::new(FactKind::Line, ""));
                }
                if !element(2).is_empty() {
                    facts.push(Fact::new(FactKind::Line, ""));
                }
            }
            "SV1" | "SV2" | "SV3" if self.kind == "278" => {
                facts.push(Fact::new(FactKind::Line, ""));
            }
            "CLM" => {
                let parts: Vec<&str> = element(5).split(cut.component).collect();
                let part = |at: usize| parts.get(at).copied().unwrap_or_default();
                let is_place =
                    part(1) == "B" || (part(1).is_empty() && !self.version.contains("X223"));
                let system = if is_place {
                    PLACE
                } else {
                    "https://www.nubc.org/CodeSystem/TypeOfBill"
                };
                let said = [(system, part(0)), ("urn:x12:1325", part(2))];
                for (system, own) in said.into_iter().filter(|(_, own)| !own.is_empty()) {
                    facts.push(Fact::new(FactKind::Code, pair(Some(system), own)));
                }
                let causes = element(11).split(cut.component).take(3);
                for own in causes.filter(|own| !own.is_empty()) {
                    let said = pair(Some("urn:x12:1362"), own);
                    facts.push(Fact::new(FactKind::Code, said));
                }
            }
            _ => {}
        }
        facts
    }

    fn health(&self, parts: &[&str], facts: &mut Vec<Fact>) {
        let part = |at: usize| parts.get(at).copied().unwrap_or_default();
        if part(1).is_empty() {
            return;
        }
        let system = match part(0) {
            "ABK" | "ABF" | "ABJ" | "ABN" | "APR" => ICD_10.to_owned(),
            "BK" | "BF" | "BJ" | "BN" | "PR" | "ZZ" => ICD_9.to_owned(),
            "BBR" | "BBQ" => "http://www.cms.gov/Medicare/Coding/ICD10".to_owned(),
            "BR" | "BQ" => "http://www.cms.gov/Medicare/Coding/ICD9".to_owned(),
            "BP" | "BO" => HCPCS.to_owned(),
            other => format!("urn:x12:1271:{other}"),
        };
        facts.push(Fact::new(FactKind::Code, pair(Some(&system), part(1))));
        facts.extend(days(part(2), part(3)));
        if !part(4).is_empty() {
            facts.extend(self.money(part(4)));
        }
    }

    fn money(&self, text: &str) -> Option<Fact> {
        if text.starts_with('-') {
            let currency = self.currency?;
            let said = super::taken_back(text, currency.as_str());
            return Some(Fact::new(FactKind::Amount, said));
        }
        let exponent = self
            .currency
            .map_or(2, |own| own.exponent(self.context.today));
        let (amount, _) = Amount::from_decimal(text, exponent).ok()?;
        Some(Fact::new(FactKind::Amount, amount.get().to_string()))
    }
}

/// The transactions in which a sender tells or asks something.
const KINDS: &[&str] = &["837", "270", "278"];

/// The days of a text, as the canonical form writes them.
fn days(format: &str, text: &str) -> Vec<Fact> {
    let day = |text: &str| {
        let part = |from: usize, to: usize| text.get(from..to);
        let day = format!("{}-{}-{}", part(0, 4)?, part(4, 6)?, part(6, 8)?);
        let time = part(8, 12).map(|time| format!("T{}:{}", &time[..2], &time[2..]));
        Some(Fact::new(FactKind::Date, day + &time.unwrap_or_default()))
    };
    match format {
        "D8" | "DT" => day(text).into_iter().collect(),
        "RD8" => text.split('-').filter_map(day).collect(),
        _ => Vec::new(),
    }
}

/// The system of a service's code.
fn service(qualifier: &str) -> String {
    match qualifier {
        "HC" => HCPCS.to_owned(),
        "AD" => "http://www.ada.org/cdt".to_owned(),
        "N4" => "http://hl7.org/fhir/sid/ndc".to_owned(),
        "NU" => REVENUE.to_owned(),
        other => format!("urn:x12:235:{other}"),
    }
}

/// The system of a party's identifier.
fn party(qualifier: &str) -> String {
    match qualifier {
        "XX" => NPI.to_owned(),
        "24" | "FI" => EIN.to_owned(),
        "34" => SSN.to_owned(),
        "" => String::new(),
        other => format!("urn:x12:66:{other}"),
    }
}

/// The system of a reference.
fn reference(qualifier: &str) -> String {
    match qualifier {
        "EI" | "TJ" => EIN.to_owned(),
        "SY" => SSN.to_owned(),
        "HPI" => NPI.to_owned(),
        // Leaves and earlier claims have fields of their own, in which their number stands alone.
        "G1" | "F8" => String::new(),
        other => format!("urn:x12:128:{other}"),
    }
}
