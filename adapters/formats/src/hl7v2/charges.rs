//! Charges, accounts and stays: DFT and BAR as claims, ADT as admissions and their cancellation.

use takmil_domain::bill::{Bill, BillClass, EncounterClass, Line, Procedure};
use takmil_domain::code::{Coded, Coding};
use takmil_domain::date::When;
use takmil_domain::ids::Identifier;
use takmil_domain::message::{
    Admission, Body, Cancel, Claim, Correlate, Head, Relation, Supporting,
};
use takmil_domain::problem::ProblemCode;

use super::er7::Segment;
use super::parts::{enlist, place_in};
use super::values::{
    COMPARED, Reader, coded, coded_in, day, identifier, listed, particular, period, person, table,
};

impl Reader<'_> {
    /// A bill without its lines.
    fn bill(&self, path: &str) -> Bill {
        let encounter = self.encounter(&format!("{path}/encounter"));
        let class = encounter
            .as_ref()
            .and_then(|stay| stay.class)
            .map(|class| match class {
                EncounterClass::Outpatient => BillClass::Professional,
                _ => BillClass::Institutional,
            });
        Bill {
            class,
            diagnoses: self.diagnoses(&format!("{path}/diagnoses")),
            care_team: self.care_team(),
            accident: self.accident(),
            encounter,
            ..Bill::default()
        }
    }

    /// Financial transactions as a claim.
    pub(super) fn transactions(&self, head: &mut Head) -> Option<Body> {
        let path = "/claim/bill";
        let mut bill = self.bill(path);
        for own in self.all("FT1") {
            self.transaction(own, &mut bill, head);
        }
        self.procedures(&mut bill);
        if bill.lines.is_empty() {
            self.nothing("charge (FT1 of type CG, or none)");
            return None;
        }
        self.finish(&bill, head);
        Some(Body::Claim(Claim {
            interim: false,
            bill,
        }))
    }

    /// What all bills are told with.
    fn finish(&self, bill: &Bill, head: &mut Head) {
        head.facility = self.facility();
        let days = bill.lines.iter().filter_map(|line| line.serviced.as_ref());
        let first = days.filter_map(|period| day(period.start.as_ref())).min();
        let stay = bill
            .encounter
            .as_ref()
            .and_then(|stay| stay.period.as_ref());
        head.occurred_on = first.or_else(|| day(stay.and_then(|period| period.start.as_ref())));
        let place = self.first("FT1").map(|own| own.place_of(4));
        let place = place.or_else(|| self.first("PV1").map(|own| own.place_of(44)));
        self.origin("/occurred_on", place.unwrap_or_default());
    }

    fn transaction(&self, own: &Segment<'_>, bill: &mut Bill, head: &mut Head) {
        own.skip(&[1]);
        let kind = own.text(6).unwrap_or_default().to_ascii_uppercase();
        let item = self.charged(own);
        let amounts = (
            own.field(11).first().component(1),
            own.field(12).first().component(1),
        );
        if !matches!(kind.as_str(), "" | "CG" | "CD") {
            // Payments, copayments and adjustments are no charge; what they say supports the claim.
            let mut part = particular("FT1-6");
            part.reason = Some(Coded::new(table("0017"), kind));
            part.coded = item;
            part.amount = self.amount(amounts.0);
            part.timing = self.range(own, 4);
            let number = own.text(2);
            part.identifier = number.map(|own| Identifier::new(table("transaction"), own));
            head.supporting.push(part);
            let posted = self.when_in(own, 5);
            head.supporting.extend(posted.map(|when| Supporting {
                timing: period(Some(when), None),
                ..particular("FT1-5")
            }));
            return;
        }
        let at = bill.lines.len();
        let path = format!("/claim/bill/lines/{at}");
        self.origin(path.as_str(), own.place());
        self.origin(format!("{path}/serviced"), own.place_of(4));
        self.origin(format!("{path}/billed"), own.place_of(11));
        let Some(item) = item else {
            let detail = "the charge names no service: neither a transaction code nor a procedure";
            self.problem(ProblemCode::Missing, own.place_of(7), detail);
            return;
        };
        let mut line = Line {
            seq: u32::try_from(at.saturating_add(1)).unwrap_or(u32::MAX),
            item,
            modifiers: own
                .field(26)
                .repeats()
                .filter_map(|repeat| coded(repeat, Some("0340")))
                .collect(),
            revenue: coded_in(own, 13),
            place: own.text(16).map(Coded::words),
            serviced: self.range(own, 4),
            quantity: self.quantity(own.field(10).first().component(1)),
            billed: self.amount(amounts.0),
            unit_price: self.amount(amounts.1),
            // A credit takes a charge back: it stands for the record.
            cancelled: (kind == "CD").then_some(true),
            ..Line::default()
        };
        for diagnosis in own
            .field(19)
            .repeats()
            .filter_map(|repeat| coded(repeat, None))
        {
            let place = place_in(&mut bill.diagnoses, diagnosis);
            let seq = bill.diagnoses.get(place).and_then(|own| own.seq);
            line.diagnoses.extend(seq);
        }
        for (field, role) in [(20, "performer"), (21, "orderer")] {
            for repeat in own.field(field).repeats() {
                let number =
                    person(repeat, role).and_then(|party| enlist(&mut bill.care_team, party));
                line.practitioners.extend(number);
            }
        }
        let mut keep = |field: usize, fill: &dyn Fn(&mut Supporting)| {
            let mut part = particular(&format!("FT1-{field}"));
            fill(&mut part);
            line.particulars.push(part);
        };
        if let Some(number) = own.text(2) {
            keep(2, &|part| {
                part.identifier = Some(Identifier::new(table("transaction"), number.clone()))
            });
        }
        if let Some(posted) = self.when_in(own, 5) {
            keep(5, &|part| part.timing = period(Some(posted.clone()), None));
        }
        for field in [8, 9] {
            if let Some(words) = own.text(field) {
                keep(field, &|part| part.text = Some(words.clone()));
            }
        }
        for field in [14, 18] {
            if let Some(coded) = coded_in(own, field) {
                keep(field, &|part| part.coded = Some(coded.clone()));
            }
        }
        bill.lines.push(line);
    }

    /// What a transaction charges for: of the house's code, the procedure and the drug the first that names its
    /// system, with the others beside it.
    fn charged(&self, own: &Segment<'_>) -> Option<Coded> {
        let mut found: Vec<Coded> = [7, 25, 29]
            .into_iter()
            .filter_map(|field| coded_in(own, field))
            .collect();
        let names_system = |own: &Coded| {
            own.source
                .as_ref()
                .is_some_and(|own| !own.system.is_empty())
        };
        let first = found.iter().position(names_system).unwrap_or(0);
        if found.is_empty() {
            return None;
        }
        let mut item = found.remove(first);
        for other in found {
            let new = other
                .codings()
                .filter(|own| !item.codings().any(|ours| ours == *own));
            let new: Vec<Coding> = new.cloned().collect();
            item.others.extend(new);
        }
        Some(item)
    }

    /// What was done, each once; gives the places of its segments.
    fn procedures(&self, bill: &mut Bill) -> Vec<String> {
        let mut places = Vec::new();
        for own in self.all("PR1") {
            own.skip(&[1]);
            let method = own.text(2);
            let mut concept = coded(own.field(3).first(), method.as_deref());
            if let Some(words) = own.field(4).first().words() {
                concept.get_or_insert_default().text.get_or_insert(words);
            }
            let Some(concept) = concept else {
                let detail = "a procedure has a code or words";
                self.problem(ProblemCode::Missing, own.place_of(3), detail);
                continue;
            };
            let when = self.when_in(own, 5);
            for (field, role) in [(8, "anaesthetist"), (11, "surgeon"), (12, "performer")] {
                for repeat in own.field(field).repeats() {
                    if let Some(party) = person(repeat, role) {
                        enlist(&mut bill.care_team, party);
                    }
                }
            }
            let roles: Vec<Coded> = listed(own, 6, "0230")
                .into_iter()
                .chain(listed(own, 14, "0418"))
                .collect();
            let is_same = |old: &Procedure| old.coded == concept && old.when == when;
            if bill.procedures.iter().rev().take(COMPARED).any(is_same) {
                continue;
            }
            let at = bill.procedures.len();
            self.origin(format!("/claim/bill/procedures/{at}"), own.place());
            places.push(own.place());
            bill.procedures.push(Procedure {
                seq: u32::try_from(at.saturating_add(1)).ok(),
                coded: concept,
                when,
                until: None::<When>,
                roles,
                devices: Vec::new(),
            });
        }
        places
    }

    /// An account as a claim: its procedures are its lines, priced by tariff, because it names no prices.
    pub(super) fn account(&self, event: &str, head: &mut Head) -> Option<Body> {
        let mut bill = self.bill("/claim/bill");
        let places = self.procedures(&mut bill);
        for ((at, procedure), place) in bill.procedures.iter().enumerate().zip(places) {
            let seq = u32::try_from(at.saturating_add(1)).unwrap_or(u32::MAX);
            self.origin(format!("/claim/bill/lines/{at}"), place);
            bill.lines.push(Line {
                seq,
                item: procedure.coded.clone(),
                serviced: period(procedure.when.clone(), procedure.when.clone()),
                procedures: procedure.seq.into_iter().collect(),
                ..Line::default()
            });
        }
        if bill.lines.is_empty() {
            self.nothing("procedure (PR1) to be paid");
            return None;
        }
        // An account is added once and may be updated: the update replaces it.
        let account = self
            .first("PID")
            .and_then(|pid| identifier(pid.field(18).first()));
        match (event, account) {
            ("P05", Some(identifier)) => head.correlates.push(Correlate {
                relation: Relation::Replaces,
                identifier,
                coded: None,
            }),
            (_, account) => head.identifiers.extend(account),
        }
        self.finish(&bill, head);
        Some(Body::Claim(Claim {
            interim: false,
            bill,
        }))
    }

    /// The start of a visit or stay. It is known by the number of the visit, so that it can be taken back.
    pub(super) fn admission(&self, event: &str, head: &mut Head) -> Option<Body> {
        let Some(visit) = self.first("PV1") else {
            self.nothing("visit (PV1)");
            return None;
        };
        let mut bill = self.bill("/admission/bill");
        self.procedures(&mut bill);
        head.identifiers.extend(
            self.visit_numbers(visit)
                .into_iter()
                .map(|own| staged(own, event)),
        );
        let detail = self.first("PV2");
        let reason = detail.and_then(|own| coded_in(own, 3));
        let expected = detail.and_then(|own| self.whole(own.field(10).first().component(1)));
        self.finish(&bill, head);
        if head.occurred_on.is_none() {
            head.occurred_on = day(head.created.as_ref());
        }
        Some(Body::Admission(Admission {
            reason,
            base_confirmation: None,
            expected_days: expected,
            bill,
        }))
    }

    /// An admission that is taken back.
    pub(super) fn cancelled_admission(&self, event: &str, head: &mut Head) -> Option<Body> {
        let numbers = self
            .first("PV1")
            .map(|visit| self.visit_numbers(visit))
            .unwrap_or_default();
        if numbers.is_empty() {
            let place = self.first("PV1").map(|visit| visit.place_of(19));
            let place = place.unwrap_or_else(|| {
                self.segments
                    .first()
                    .map_or_else(String::new, Segment::place)
            });
            let detail = "the visit that is taken back is named by its number";
            self.problem(ProblemCode::Missing, place, detail);
            return None;
        }
        for number in numbers {
            head.correlates.push(Correlate {
                relation: Relation::Cancels,
                identifier: staged(number, event),
                coded: None,
            });
        }
        let reason = self.first("EVN").and_then(|own| listed(own, 4, "0062"));
        Some(Body::Cancel(Cancel {
            reason,
            prescription: None,
        }))
    }
}

/// The number under which a stay's start is known. A pre-admission is a message of its own beside the admission of the
/// same visit, and each is taken back for itself.
fn staged(number: Identifier, event: &str) -> Identifier {
    match event {
        "A05" | "A38" => Identifier::new(format!("{}#preadmission", number.system), number.value),
        _ => number,
    }
}
