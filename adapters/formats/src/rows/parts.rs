//! What a bill lists once and its lines name by number: diagnoses, procedures, who treated.

use std::collections::HashMap;

use takmil_domain::bill::{Bill, Diagnosis, Procedure};
use takmil_domain::clinical::{ICD_10_CM, ICD_10_PCS};
use takmil_domain::code::Coded;
use takmil_domain::party::Party;

use super::dialect::day;
use super::table::{Column, Row, Table};

/// The system of parts that somebody has in a bill.
pub(super) const TEAM_ROLE: &str = "http://terminology.hl7.org/CodeSystem/claimcareteamrole";

const ICD_9_CM: &str = "http://hl7.org/fhir/sid/icd-9-cm";
const ICD_9_PROCEDURES: &str = "http://www.cms.gov/Medicare/Coding/ICD9";
const DIAGNOSIS_ROLE: &str = "http://terminology.hl7.org/CodeSystem/ex-diagnosistype";
const C4BB_DIAGNOSIS_ROLE: &str =
    "http://hl7.org/fhir/us/carin-bb/CodeSystem/C4BBClaimDiagnosisType";

/// The lists of a bill.
#[derive(Default)]
pub(super) struct Parts {
    diagnoses: Vec<Diagnosis>,
    by_code: HashMap<(String, String), usize>,
    /// The diagnoses by the numbers that rows give them.
    by_number: HashMap<String, u32>,
    procedures: Vec<Procedure>,
    team: Vec<Party>,
    by_party: HashMap<String, u32>,
}

/// The version of ICD that a code is of, as its row says.
fn version<'t>(table: &'t Table, row: &'t Row, column: &Column) -> Option<&'t str> {
    if column.name.contains("ICD9") {
        return Some("9");
    }
    let beside = column.name.replace("_CD", "_VRSN_CD");
    let own = table.named(row, &beside, column.number);
    own.or_else(|| table.named(row, "CLM_DGNS_PRCDR_ICD_IND", None))
}

/// The system of a code, by its version.
fn system(table: &Table, row: &Row, column: &Column, nine: &str, ten: &str) -> String {
    match version(table, row, column) {
        Some("9") => nine.to_owned(),
        Some("0") => ten.to_owned(),
        _ => table.dialect.list(&column.name),
    }
}

/// The part that a diagnosis has in its bill by the warehouse's letters.
fn part(letter: &str) -> &'static str {
    match letter {
        "A" => "admitting",
        "P" => "principal",
        "D" => "secondary",
        "E" | "1" => "externalcauseofinjury",
        "R" => "patientreasonforvisit",
        _ => "",
    }
}

fn role(code: &str) -> Coded {
    let system = match code {
        "principal" | "admitting" => DIAGNOSIS_ROLE,
        _ => C4BB_DIAGNOSIS_ROLE,
    };
    Coded::new(system, code)
}

fn sequence(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

impl Parts {
    /// The place of a diagnosis in the list, which it joins where it is new.
    fn place(&mut self, system: String, code: &str) -> usize {
        let key = (system, code.to_owned());
        if let Some(place) = self.by_code.get(&key) {
            return *place;
        }
        let place = self.diagnoses.len();
        self.diagnoses.push(Diagnosis {
            seq: Some(sequence(place + 1)),
            coded: Coded::new(key.0.as_str(), code),
            roles: Vec::new(),
            present_on_admission: None,
            when: None,
            recorded: None,
            group: None,
        });
        self.by_code.insert(key, place);
        place
    }

    /// A diagnosis of the bill; one that several columns name is one.
    pub(super) fn diagnosis(
        &mut self,
        table: &Table,
        row: &Row,
        column: &Column,
        code: &str,
        named: &str,
    ) {
        let system = system(table, row, column, ICD_9_CM, ICD_10_CM);
        let place = self.place(system, code);
        let number = table.named(row, "ROW_NUM", None);
        let number = number.or_else(|| table.named(row, "CLM_VAL_SQNC_NUM", None));
        if let Some(number) = number {
            let own = sequence(place + 1);
            self.by_number.entry(number.to_owned()).or_insert(own);
        }
        let Some(diagnosis) = self.diagnoses.get_mut(place) else {
            return;
        };
        let letter = table.named(row, "CLM_PROD_TYPE_CD", None);
        let named = letter.map(part).unwrap_or(named);
        if !named.is_empty() && !diagnosis.roles.contains(&role(named)) {
            diagnosis.roles.push(role(named));
        }
        let beside = match column.name.as_str() {
            "ICD_DGNS_CD" => "CLM_POA_IND_SW",
            "ICD_DGNS_E_CD" => "CLM_E_POA_IND_SW",
            "CLM_DGNS_CD" => "CLM_POA_IND",
            _ => return,
        };
        if let Some(present) = table.named(row, beside, column.number) {
            let present = Coded::new(table.dialect.list(beside), present);
            diagnosis.present_on_admission.get_or_insert(present);
        }
    }

    /// The number of the diagnosis that a line names by its code.
    pub(super) fn known(&mut self, table: &Table, row: &Row, column: &Column, code: &str) -> u32 {
        let system = system(table, row, column, ICD_9_CM, ICD_10_CM);
        sequence(self.place(system, code) + 1)
    }

    /// The number of the diagnosis that a line names by the number of its row.
    pub(super) fn numbered(&self, number: &str) -> Option<u32> {
        self.by_number.get(number).copied()
    }

    /// A procedure of the bill.
    ///
    /// # Errors
    /// The place of a day that is none.
    pub(super) fn procedure(
        &mut self,
        table: &Table,
        row: &Row,
        column: &Column,
        code: &str,
    ) -> Result<(), String> {
        let system = system(table, row, column, ICD_9_PROCEDURES, ICD_10_PCS);
        let at = [("PRCDR_DT", column.number), ("CLM_PRCDR_PRFRM_DT", None)];
        let named = at.iter().find_map(|(name, number)| {
            let text = table.named(row, name, *number)?;
            Some((*name, *number, text))
        });
        let when = match named {
            None => None,
            Some((name, number, text)) => match day(text) {
                Some(when) => Some(when),
                None => {
                    let mut columns = table.columns.iter();
                    let own = columns.find(|own| own.name == name && own.number == number);
                    return Err(own.map_or_else(|| row.place.clone(), |own| table.place(row, own)));
                }
            },
        };
        self.procedures.push(Procedure {
            seq: Some(sequence(self.procedures.len() + 1)),
            coded: Coded::new(system, code),
            when,
            until: None,
            roles: Vec::new(),
            devices: Vec::new(),
        });
        Ok(())
    }

    /// The number of somebody in the care team, who joins it where new.
    pub(super) fn practitioner(&mut self, party: Party) -> u32 {
        let key = format!(
            "{:?}",
            (
                &party.role,
                party
                    .identifiers
                    .iter()
                    .map(|own| (&own.system, &own.value))
                    .collect::<Vec<_>>(),
                party.organisation.as_ref().map(|whom| whom
                    .identifiers
                    .iter()
                    .map(|own| (&own.system, &own.value))
                    .collect::<Vec<_>>()),
            )
        );
        let next = sequence(self.team.len() + 1);
        let number = *self.by_party.entry(key).or_insert(next);
        if number == next {
            self.team.push(Party {
                seq: Some(number),
                ..party
            });
        }
        number
    }

    /// Gives a bill its lists.
    pub(super) fn give(self, bill: &mut Bill) {
        bill.diagnoses = self.diagnoses;
        bill.procedures = self.procedures;
        bill.care_team = self.team;
    }
}
