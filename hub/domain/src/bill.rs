//! What is asked to be paid: lines, diagnoses, the stay they belong to.

use serde::{Deserialize, Serialize};

use crate::code::{Code, Coded};
use crate::date::{Period, When};
use crate::ids::Identifier;
use crate::message::Supporting;
use crate::money::{Amount, Quantity};
use crate::party::Party;

/// A bill, or the plan of one. Amounts are in the message's currency.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bill {
    /// Which kind of provider writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<BillClass>,
    /// Kind and subkind of the bill in the sender's own codes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<Coded>,
    /// The visit or stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encounter: Option<Encounter>,
    /// From when to when the bill reaches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
    /// What the member suffers from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diagnoses: Vec<Diagnosis>,
    /// What was done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub procedures: Vec<Procedure>,
    /// Who treated, prescribed, assisted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub care_team: Vec<Party>,
    /// Whether and when an accident was the cause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accident: Option<Accident>,
    /// What is billed, line by line.
    pub lines: Vec<Line>,
    /// The total that the sender states. The lines decide; a difference is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Amount>,
    /// Who is to be paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payee: Option<Payee>,
}

/// Which kind of provider writes a bill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BillClass {
    /// Doctors and therapists.
    Professional,
    /// Hospitals and clinics.
    Institutional,
    /// Pharmacies.
    Pharmacy,
    /// Dentists.
    Oral,
    /// Opticians and eye doctors.
    Vision,
}

/// A visit or stay.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encounter {
    /// The sender's numbers of it: bills of one visit share them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identifiers: Vec<Identifier>,
    /// How the member is treated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<EncounterClass>,
    /// Kind of visit in the sender's codes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<Coded>,
    /// From when to when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
    /// Where the member came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admission_source: Option<Coded>,
    /// Where the member went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discharge: Option<Coded>,
}

/// How a member is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EncounterClass {
    /// Comes and goes.
    Outpatient,
    /// Stays overnight.
    Inpatient,
    /// Stays for the day.
    Day,
    /// Comes as an emergency.
    Emergency,
}

/// One diagnosis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Diagnosis {
    /// The number by which lines name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u32>,
    /// What it is.
    pub coded: Coded,
    /// Its part in the bill: principal, secondary, admitting, cause.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<Coded>,
    /// Whether it was there on admission, in the sender's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub present_on_admission: Option<Coded>,
    /// When it began or was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
    /// When it was put on record, where that is told beside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<When>,
    /// The group that the sender's grouper put it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Coded>,
}

/// One procedure of a stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Procedure {
    /// The number by which lines name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u32>,
    /// What was done.
    pub coded: Coded,
    /// When, or when it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
    /// When it ended, where that is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<When>,
    /// Principal, secondary…
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<Coded>,
    /// Serial numbers of devices.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<Identifier>,
}

/// An accident as the cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accident {
    /// When it happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
    /// What kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Coded>,
    /// Where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}

/// Who is to be paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payee {
    /// Provider, member, representative, office.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Coded>,
    /// The party, where it is none of those that the message names already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub party: Option<Party>,
}

/// One line of a bill.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The sender's number of the line, unique among the lines of its bill.
    pub seq: u32,
    /// The service, drug or thing.
    pub item: Coded,
    /// Modifiers of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modifiers: Vec<Coded>,
    /// Programmes it is done under.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub programmes: Vec<Coded>,
    /// The sender's benefit category.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<Coded>,
    /// The sender's revenue or cost centre.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revenue: Option<Coded>,
    /// When it was done: a day, or from when to when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serviced: Option<Period>,
    /// Where it was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Coded>,
    /// How many; one where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Quantity>,
    /// Of what unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The unit's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_code: Option<Code>,
    /// The price of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_price: Option<Amount>,
    /// What the price is multiplied with beside the quantity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factor: Option<Quantity>,
    /// What is asked for the line. Where missing, the sum of the details, else price × quantity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billed: Option<Amount>,
    /// What the base insurer really paid, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<BasePaid>,
    /// A government subsidy on the line, a column of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subsidy: Option<Amount>,
    /// What the member has paid already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid_by_member: Option<Amount>,
    /// Part of the body, or the tooth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_site: Option<Coded>,
    /// Surfaces of the tooth, sides of the part.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sub_sites: Vec<Coded>,
    /// Who did it: numbers into the care team.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub practitioners: Vec<u32>,
    /// What for: numbers into the diagnoses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diagnoses: Vec<u32>,
    /// Numbers into the procedures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub procedures: Vec<u32>,
    /// Numbers into the supporting information.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub supporting: Vec<u32>,
    /// Serial numbers of devices.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<Identifier>,
    /// The pre-authorisation it goes by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorisation: Option<String>,
    /// A circumstance that plans may name in an exception: "accident", "therapeutic".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circumstance: Option<String>,
    /// Whether the prescriber ruled out a substitute and that was approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub substitution_refused: Option<bool>,
    /// Drugs: days that the quantity lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days_supply: Option<u32>,
    /// Whether the sender takes the line back: it stands here for the record and is not asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled: Option<bool>,
    /// What the sender says of the line beyond the fields here, each part named by its category.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub particulars: Vec<Supporting>,
    /// Parts of the line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Line>,
}

/// What the base insurer paid on a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BasePaid {
    /// The amount.
    pub paid: Amount,
    /// Who says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<String>,
}

impl Line {
    /// What is asked for the line: as stated, else the sum of the details that stand, else price × factor × quantity.
    /// `None` where the line names no money at all.
    pub fn asked(&self) -> Option<Amount> {
        let by_details = || {
            let parts = self
                .details
                .iter()
                .filter(|part| part.cancelled != Some(true))
                .map(Line::asked)
                .collect::<Option<Vec<_>>>()?;
            (!parts.is_empty()).then(|| parts.into_iter().sum())
        };
        let by_price = || {
            let one = self.unit_price?;
            let factored = self.factor.map_or(one, |factor| factor.times(one));
            Some(self.quantity.unwrap_or(Quantity::ONE).times(factored))
        };
        self.billed.or_else(by_details).or_else(by_price)
    }
}

impl Bill {
    /// Lines and details together, as deep as they go.
    pub fn line_count(&self) -> usize {
        fn count(lines: &[Line]) -> usize {
            lines.iter().map(|line| 1 + count(&line.details)).sum()
        }
        count(&self.lines)
    }
}
