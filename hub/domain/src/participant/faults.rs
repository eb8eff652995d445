//! What is wrong with an entry of a participant, and what is odd about it: its contract above all, by which the hub
//! answers for an insurer.

use super::{AnswerMode, Contract, EligibilitySource, Participant, Role, Transport};
use crate::lint::Remarks;
use crate::message::Kind;
use crate::money::Amount;

/// Whoever stands at a counter is answered within 20 seconds, as the operating rules of CAQH CORE ask of real-time
/// answers.
const LONG_DEADLINE_MS: u64 = 20_000;

/// The longest that an insurer may have for a message of one kind: a request is answered within a minute.
const MOST_DEADLINE_MS: u64 = 55_000;

/// No answer comes over a country's networks and back in less.
const SHORT_DEADLINE_MS: u64 = 50;

/// Seven days: what payers commonly have for a request that is not urgent.
const LONG_DECISION_HOURS: u32 = 7 * 24;

impl Participant {
    /// What makes the entry useless, each with a JSON pointer into it.
    pub fn faults(&self) -> Remarks {
        let mut faults = Vec::new();
        let mut fault = |pointer: &str, fault| faults.push((pointer.to_owned(), fault));
        if let Some(callback) = &self.callback {
            if !matches!(self.role, Role::Provider | Role::Register) {
                let detail =
                    "providers alone are told of their messages, and the register of its own";
                fault("/callback", detail);
            }
            if callback.transport != Transport::Rest {
                fault("/callback/transport", "expected rest: signed webhooks");
            }
            if callback.secret.is_none() {
                fault(
                    "/callback/secret",
                    "webhooks need a secret to be signed with",
                );
            }
        }
        let Some(contract) = &self.contract else {
            return faults;
        };
        if self.role != Role::Insurer {
            fault("/contract", "insurers alone have one");
        }
        if contract.ratified_by.as_ref() == Some(&self.id) {
            fault("/contract/ratified_by", "nobody ratifies their own plans");
        }
        for (kind, deadline_ms) in &contract.deadlines {
            if !(1..=MOST_DEADLINE_MS).contains(deadline_ms) {
                let pointer = format!("/contract/deadlines/{}", kind.as_str());
                fault(&pointer, "expected 1 to 55,000");
            }
        }
        if contract.eligibility == EligibilitySource::Live
            && (contract.mode == AnswerMode::Delegated || contract.endpoint.is_none())
        {
            let detail = "nobody is asked: the mode is delegated, or there is no endpoint";
            fault("/contract/eligibility", detail);
        }
        if let Some(hedge_ms) = contract.hedge_ms
            && !(1..contract.deadline_ms).contains(&hedge_ms)
        {
            fault(
                "/contract/hedge_ms",
                "expected 1 or more, and less than deadline_ms",
            );
        }
        if contract.ask_parallel == 0 {
            fault("/contract/ask_parallel", "expected 1 or more");
        }
        let delivery = &contract.delivery;
        if delivery.parallel == Some(0) {
            fault("/contract/delivery/parallel", "expected 1 or more");
        }
        if delivery.per_second == Some(0) {
            fault("/contract/delivery/per_second", "expected 1 or more");
        }
        if delivery.probe_ms == 0 || delivery.probe_ms > delivery.probe_most_ms {
            let detail = "expected 1 or more, and no more than probe_most_ms";
            fault("/contract/delivery/probe_ms", detail);
        }
        let Some(terms) = &contract.stand_in else {
            return faults;
        };
        if contract.mode != AnswerMode::StandIn {
            let detail = "the hub never answers in the insurer's place: the mode is another";
            fault("/contract/stand_in", detail);
        }
        for (name, most) in [("per_visit", terms.per_visit), ("per_day", terms.per_day)] {
            if most.is_some_and(|most| most < Amount::ZERO) {
                fault(&format!("/contract/stand_in/{name}"), "below zero");
            }
        }
        faults
    }

    /// What its author should look at, each with a JSON pointer into the entry. It can be used all the same.
    pub fn remarks(&self) -> Remarks {
        let Some(contract) = &self.contract else {
            return Vec::new();
        };
        let mut remarks = deadline_remarks(contract);
        let mut remark = |pointer: &str, what| remarks.push((pointer.to_owned(), what));
        match &contract.stand_in {
            None if contract.mode == AnswerMode::StandIn => {
                let detail = "without it the hub never answers in the insurer's place";
                remark("/contract/stand_in", detail);
            }
            Some(terms) => {
                if terms.per_visit.is_none() && terms.per_day.is_none() {
                    let detail = "the hub answers for any amount in the insurer's place";
                    remark("/contract/stand_in", detail);
                }
                if let (Some(visit), Some(day)) = (terms.per_visit, terms.per_day)
                    && day < visit
                {
                    let detail = "it never binds: the day's is used up first";
                    remark("/contract/stand_in/per_visit", detail);
                }
                let has_amounts = terms.per_visit.is_some() || terms.per_day.is_some();
                if self.currency.is_none() && has_amounts {
                    remark("/currency", "nothing says in what the amounts are");
                }
            }
            None => {}
        }
        remarks
    }
}

fn deadline_remarks(contract: &Contract) -> Remarks {
    let mut remarks = Vec::new();
    let mut remark = |place: &str, what| remarks.push((format!("/contract/{place}"), what));
    if contract.mode != AnswerMode::Delegated {
        let of_kind = |(kind, own): (&Kind, &u64)| (format!("deadlines/{}", kind.as_str()), *own);
        let for_all = ("deadline_ms".to_owned(), contract.deadline_ms);
        for (place, deadline_ms) in contract.deadlines.iter().map(of_kind).chain([for_all]) {
            if deadline_ms > LONG_DEADLINE_MS {
                remark(&place, "the member waits at the counter as long");
            }
            if deadline_ms < SHORT_DEADLINE_MS {
                remark(&place, "no answer comes so fast");
            }
        }
    }
    if contract.decision_hours > LONG_DECISION_HOURS {
        remark(
            "decision_hours",
            "more than the seven days of what is not urgent",
        );
    }
    remarks
}
