//! Whose rows they are: by that the systems of their codes and numbers are called, and how they write a day.

use takmil_domain::code::{Coded, Coding};
use takmil_domain::date::When;

/// Whose rows they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Claims files of the US Medicare centres (RIF): a row for each line, cells parted by `|`.
    Files,
    /// The synthetic public use files (DE-SynPUF): a row for each bill or segment of one, its lines side by side.
    Public,
    /// Rows of the centres' data warehouse (IDR), as JSON.
    Warehouse,
}

/// The systems of amounts and of other information in what the centres make of claims files in FHIR.
const FILES: [&str; 2] = [
    "https://bluebutton.cms.gov/resources/codesystem/adjudication",
    "https://bluebutton.cms.gov/resources/codesystem/information",
];
/// The systems of amounts and of other information in what they make of their warehouse in FHIR.
const WAREHOUSE: [&str; 2] = [
    "https://bluebutton.cms.gov/fhir/CodeSystem/Adjudication",
    "https://bluebutton.cms.gov/fhir/CodeSystem/Supporting-Information",
];

/// HL7's terms of adjudication.
const ADJUDICATION: &str = "http://terminology.hl7.org/CodeSystem/adjudication";
/// Those that CARIN adds to them.
const C4BB: &str = "http://hl7.org/fhir/us/carin-bb/CodeSystem/C4BBAdjudication";

/// The months in days of claims files.
const MONTHS: &[&str] = &[
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

impl Dialect {
    /// The system of a column's codes.
    pub(super) fn list(self, column: &str) -> String {
        match self {
            Dialect::Files | Dialect::Public => variable(column),
            Dialect::Warehouse => {
                let name = column.replace('_', "-");
                format!("https://bluebutton.cms.gov/fhir/CodeSystem/{name}")
            }
        }
    }

    /// The system of a column's numbers.
    pub(super) fn issuer(self, column: &str) -> String {
        match self {
            Dialect::Files => variable(column),
            // Not the numbers of real members and bills.
            Dialect::Public => format!("urn:desynpuf:{}", column.to_ascii_lowercase()),
            Dialect::Warehouse => {
                let name = column.replace('_', "-");
                format!("https://bluebutton.cms.gov/identifiers/{name}")
            }
        }
    }

    /// Which information a column has.
    pub(super) fn information(self, column: &str) -> Coding {
        let [_, files] = FILES;
        let [_, warehouse] = WAREHOUSE;
        self.named(files, warehouse, column)
    }

    /// Which amount a column has; `term` is the term of adjudication, where it has one.
    pub(super) fn amount(self, column: &str, term: &str) -> Coded {
        let [files, _] = FILES;
        let [warehouse, _] = WAREHOUSE;
        let own = self.named(files, warehouse, column);
        let system = match term {
            "" => {
                return Coded {
                    source: Some(own),
                    ..Coded::default()
                };
            }
            "submitted" | "eligible" | "deductible" | "benefit" => ADJUDICATION,
            _ => C4BB,
        };
        let mut coded = Coded::new(system, term);
        coded.others.push(own);
        coded
    }

    fn named(self, files: &str, warehouse: &str, column: &str) -> Coding {
        let (system, code) = match self {
            Dialect::Files | Dialect::Public => (files, variable(column)),
            Dialect::Warehouse => (warehouse, column.to_owned()),
        };
        Coding {
            system: system.to_owned(),
            code,
            ..Coding::default()
        }
    }

    /// Whether a cell says that there is nothing to say.
    pub(super) fn is_blank(self, text: &str) -> bool {
        match self {
            Dialect::Files => text.is_empty(),
            Dialect::Public => text.is_empty() || text == "9999-12-31",
            Dialect::Warehouse => matches!(text, "" | "~" | "9999-12-31"),
        }
    }
}

/// The address of a column in the codebook.
fn variable(column: &str) -> String {
    let name = column.to_ascii_lowercase();
    format!("https://bluebutton.cms.gov/resources/variables/{name}")
}

/// A day as rows write it: `2015-05-30`, `20150530` or `30-May-2015`; a moment where it has a time.
pub(super) fn day(text: &str) -> Option<When> {
    if text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let (year, rest) = text.split_at_checked(4)?;
        let (month, day) = rest.split_at_checked(2)?;
        return When::parse(&format!("{year}-{month}-{day}"));
    }
    if let [day, month, year] = text.split('-').collect::<Vec<_>>()[..]
        && let Some(month) = MONTHS
            .iter()
            .position(|own| own.eq_ignore_ascii_case(month))
    {
        return When::parse(&format!("{year}-{:02}-{day:0>2}", month + 1));
    }
    When::parse(text).filter(|when| when.day().is_some())
}

#[cfg(test)]
mod tests {
    use super::day;

    #[test]
    fn a_day_is_read_in_each_of_its_forms() {
        let check = |text: &str, expected: Option<&str>| {
            let read = day(text);
            assert_eq!(read.as_ref().map(|when| when.as_str()), expected, "{text}");
        };
        for text in ["2015-05-30", "20150530", "30-May-2015", "30-MAY-2015"] {
            check(text, Some("2015-05-30"));
        }
        check("1-Jun-2015", Some("2015-06-01"));
        for text in [
            "30-Mai-2015",
            "31-Jun-2015",
            "20151330",
            "2015",
            "May",
            "--",
            "",
        ] {
            check(text, None);
        }
    }
}
