//! From a canonical message to the lines that the rules see.

use std::borrow::Cow;

use super::{AuthorisedLine, BillLine};
use crate::bill::{Bill, Line};
use crate::code::Coded;
use crate::date::{Date, Period, When};
use crate::message::{Body, Head, Message};
use crate::money::{Amount, Quantity};
use crate::plan::Tier;

impl Message {
    /// The bill of a message of any kind that has one: what was planned, asked, dispensed or ordered.
    pub fn bill(&self) -> Option<Cow<'_, Bill>> {
        match &self.body {
            Body::Estimate(bill) => Some(Cow::Borrowed(bill)),
            Body::Admission(admission) => Some(Cow::Borrowed(&admission.bill)),
            Body::Preauthorization(request) => Some(Cow::Borrowed(&request.bill)),
            Body::Claim(claim) => Some(Cow::Borrowed(&claim.bill)),
            Body::Eligibility(question) => question.bill.as_ref().map(Cow::Borrowed),
            Body::Dispense(dispense) => dispense.bill().map(Cow::Owned),
            Body::Prescription(prescription) => Some(Cow::Owned(prescription.bill())),
            Body::Cancel(_) => None,
        }
    }
}

/// The modifier of a procedure that was done on both sides, in CPT's and HCPCS's terms.
const BILATERAL: &str = "50";

/// What the rules need of a line beside the message.
#[derive(Debug, Clone, Default)]
pub struct LineTerms {
    /// For each cover, how the provider stands in its network.
    pub network: Vec<Tier>,
    /// For each cover, the insurer's pre-authorisation that the line goes by.
    pub authorised: Vec<Option<AuthorisedLine>>,
}

/// The lines of `bill` as the rules see them. A line with details is judged as one; one that the sender takes
/// back is not judged.
///
/// `day` stands in where nothing in the message says when a service was done; `terms` is asked once a line.
pub fn bill_lines<'a>(
    bill: &'a Bill,
    head: &Head,
    day: Date,
    mut terms: impl FnMut(&Line) -> LineTerms,
) -> Vec<BillLine<'a>> {
    let fallback = bill_day(bill, head).unwrap_or(day);
    let line = |line: &'a Line| {
        let (system, code) = line.item.effective().unwrap_or_default();
        let LineTerms {
            network,
            authorised,
        } = terms(line);
        let bilateral = |modifier: &Coded| {
            let named = modifier.effective();
            named.is_some_and(|(_, code)| code == BILATERAL)
        };
        BillLine {
            seq: line.seq,
            system,
            code,
            date: line
                .serviced
                .as_ref()
                .and_then(period_day)
                .unwrap_or(fallback),
            quantity: line
                .quantity
                .filter(|quantity| !quantity.is_zero())
                .unwrap_or(Quantity::ONE),
            billed: line.asked(),
            base_paid: line.base.as_ref().map(|base| base.paid),
            base_said_by: None,
            subsidy: line.subsidy.unwrap_or(Amount::ZERO),
            network,
            parts: Vec::new(),
            bilateral: line.modifiers.iter().any(bilateral),
            reference_price: None,
            substitution_refused: line.substitution_refused == Some(true),
            authorised,
            circumstance: line.circumstance.as_deref(),
        }
    };
    let asked = |line: &&Line| line.cancelled != Some(true);
    bill.lines.iter().filter(asked).map(line).collect()
}

/// The diagnoses of a bill, each by its system and code in the common scheme where it has one.
pub fn bill_diagnoses(bill: &Bill) -> Vec<(&str, &str)> {
    let diagnoses = bill.diagnoses.iter();
    diagnoses.filter_map(|own| own.coded.effective()).collect()
}

/// The day a bill is about, where its lines do not say.
pub fn bill_day(bill: &Bill, head: &Head) -> Option<Date> {
    let stay = bill
        .encounter
        .as_ref()
        .and_then(|encounter| encounter.period.as_ref());
    let periods = [bill.period.as_ref(), stay];
    let by_period = periods.into_iter().flatten().find_map(period_day);
    by_period
        .or(head.occurred_on)
        .or_else(|| head.created.as_ref().and_then(When::first_day))
}

fn period_day(period: &Period) -> Option<Date> {
    [&period.start, &period.end]
        .into_iter()
        .flatten()
        .find_map(When::first_day)
}
