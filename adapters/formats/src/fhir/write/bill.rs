//! Claims of every use, and questions about cover.

use takmil_domain::bill::{Bill, BillClass, Diagnosis, Line, Procedure};
use takmil_domain::code::{Coded, Coding};
use takmil_domain::message::{Attachment, Correlate, Eligibility, Head, Relation, Supporting};
use takmil_domain::money::Amount;
use takmil_domain::party::Party;

use super::party::As;
use super::{
    Writer, code, concept, concepts, listed, moment, named, number, period, pointer, quantity,
    reference, sequences, span,
};
use crate::fhir::datatypes::{Object, coded, date, words};
use crate::fhir::tree::Node;
use crate::fhir::{AMOUNTS, BASE_CONFIRMATION, ELEMENT};

/// The code system of kinds of claims.
const CLAIM_TYPES: &str = "http://terminology.hl7.org/CodeSystem/claim-type";

/// The code system of kinds of supporting information.
const INFORMATION: &str = "http://terminology.hl7.org/CodeSystem/claiminformationcategory";

/// The code system of how claims are related.
const RELATED: &str = "http://terminology.hl7.org/CodeSystem/ex-relatedclaimrelationship";

/// Da Vinci's extensions of lines.
const GUIDE: &str = "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/";

/// R5's element for the visit of a claim.
const ENCOUNTER: &str = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Claim.encounter";

/// How deeply lines are nested: item, detail and sub-detail, with their structures.
const LEVELS: [(&str, &str); 3] = [
    ("item", "Claim.item"),
    ("detail", "Claim.item.detail"),
    ("subDetail", "Claim.item.detail.subDetail"),
];

impl Writer {
    /// A bill as a Claim.
    pub(super) fn claim(&mut self, head: &Head, bill: &Bill, purpose: &'static str) -> Object {
        const KIND: &str = "Claim";
        let subject = self.member(&head.member);
        let mut kinds = bill.kinds.iter();
        let kind = kinds.next().cloned();
        let kind = classified(kind, bill.class);
        let subkind = concept(kinds.next());
        // A claim without a period is about the day it was made on.
        let told = head.created.as_ref().and_then(|when| when.first_day());
        let day = head.occurred_on.filter(|day| Some(*day) != told);
        let day = day.map(|day| Object::new().put("start", day.to_string()).into());
        let own = named(KIND, &head.identifiers)
            .maybe("language", code(head.language.as_deref()))
            .put(
                "status",
                listed(KIND, "status", head.status.as_deref(), "active"),
            )
            .maybe("type", concept(kind.as_ref()))
            .maybe("subType", subkind)
            .put("use", purpose)
            .maybe("patient", subject.clone())
            .maybe("billablePeriod", period(bill.period.as_ref()).or(day))
            .maybe("created", moment(head.created.as_ref()))
            .maybe("enterer", self.party(head.actor.as_ref(), As::Person))
            .maybe("insurer", self.party(head.recipient.as_ref(), As::Body))
            .maybe("provider", self.either(head.provider.as_ref()))
            .maybe("priority", concept(head.priority.as_ref()))
            .list("related", related(head, bill))
            .maybe("prescription", earlier(head, Relation::Prescription))
            .maybe("referral", earlier(head, Relation::Referral))
            .maybe("facility", self.party(head.facility.as_ref(), As::Place));
        let payee = bill.payee.as_ref().map(|payee| {
            let party = self.either(payee.party.as_ref());
            let own = Object::new().maybe("type", concept(payee.kind.as_ref()));
            own.maybe("party", party)
        });
        let accident = bill.accident.as_ref().map(|accident| {
            let place = accident.place.as_deref().and_then(words);
            Object::new()
                .maybe("date", accident.when.as_ref().and_then(date))
                .maybe("type", concept(accident.kind.as_ref()))
                .maybe(
                    "locationAddress",
                    place.map(|text| Object::new().put("text", text)),
                )
        });
        // One that names nothing would be none.
        let named = bill
            .diagnoses
            .iter()
            .filter(|own| coded(&own.coded).is_some());
        let named: Vec<&Diagnosis> = named.collect();
        let seqs = sequences_of(&named, |own| own.seq);
        let diagnoses = named.into_iter().zip(seqs);
        let diagnoses: Vec<_> = diagnoses
            .map(|(own, seq)| self.diagnosis(seq, own, subject.as_ref()))
            .collect();
        let named = bill
            .procedures
            .iter()
            .filter(|own| coded(&own.coded).is_some());
        let named: Vec<&Procedure> = named.collect();
        let seqs = sequences_of(&named, |own| own.seq);
        let procedures = named.into_iter().zip(seqs);
        let procedures: Vec<_> = procedures
            .map(|(own, seq)| self.procedure(seq, own, subject.as_ref()))
            .collect();
        let seqs = sequences_of(&bill.care_team, |own| own.seq);
        let carers = bill.care_team.iter().zip(seqs);
        let carers: Vec<_> = carers.map(|(own, seq)| self.carer(seq, own)).collect();
        let covers = self.insurances(head, subject.as_ref(), true);
        let lines = self.lines(&bill.lines, 0);
        let visit = bill.encounter.as_ref();
        let visit = visit.and_then(|visit| self.encounter(visit, subject.as_ref()));
        let (own, left) = self.restore_some(own, KIND, &head.supporting, visit_of(visit));
        let information = supporting(&left, &head.attachments);
        own.maybe("payee", payee.and_then(Object::filled))
            .list("careTeam", carers)
            .list("supportingInfo", information)
            .list("diagnosis", diagnoses)
            .list("procedure", procedures)
            .list("insurance", covers)
            .maybe("accident", accident.and_then(Object::filled))
            .list(LEVELS[0].0, lines)
            .maybe("total", self.amount(bill.total))
    }

    /// A question about cover.
    pub(super) fn question(&mut self, head: &Head, asked: &Eligibility) -> Object {
        const KIND: &str = "CoverageEligibilityRequest";
        let subject = self.member(&head.member);
        let own = named(KIND, &head.identifiers)
            .maybe("language", code(head.language.as_deref()))
            .put(
                "status",
                listed(KIND, "status", head.status.as_deref(), "active"),
            )
            .maybe("priority", concept(head.priority.as_ref()))
            .list(
                "purpose",
                asked.purposes.iter().filter_map(|own| code(Some(own))),
            )
            .maybe("patient", subject.clone())
            .maybe("created", moment(head.created.as_ref()))
            .maybe("enterer", self.party(head.actor.as_ref(), As::Person))
            .maybe("provider", self.either(head.provider.as_ref()))
            .maybe("insurer", self.party(head.recipient.as_ref(), As::Body))
            .maybe("facility", self.party(head.facility.as_ref(), As::Place));
        let own = span(
            own,
            ["servicedDate", "servicedPeriod"],
            asked.serviced.as_ref(),
        );
        let covers = self.insurances(head, subject.as_ref(), false);
        let (own, left) = self.restore_some(own, KIND, &head.supporting, None);
        let mut numbers = Numbers::after(&left);
        let information = left.iter().filter_map(|part| {
            let what = pointer(part.identifier.as_slice(), part.text.as_deref())?;
            let own = Object::new().maybe("sequence", numbers.of(part.seq));
            Some(own.put("information", what).into())
        });
        let own = own.list("supportingInfo", information);
        let empty = Bill::default();
        let bill = asked.bill.as_ref().unwrap_or(&empty);
        let lines: Vec<_> = bill
            .lines
            .iter()
            .map(|line| self.wanted(line, bill, subject.as_ref()))
            .collect();
        own.list("insurance", covers).list("item", lines)
    }

    /// A service of a question about cover, which names its diagnoses and its provider itself.
    fn wanted(
        &mut self,
        line: &Line,
        bill: &Bill,
        subject: Option<&Node<'static>>,
    ) -> Node<'static> {
        let mut carers = bill.care_team.iter();
        let carer = line.practitioners.first();
        let carer = carers.find(|own| own.seq.is_some() && own.seq.as_ref() == carer);
        let reasons = line.diagnoses.iter().filter_map(|seq| {
            let mut known = bill.diagnoses.iter();
            let found = known.find(|own| own.seq == Some(*seq))?;
            Some(self.reason(found, subject)?.into())
        });
        let reasons: Vec<Node<'static>> = reasons.collect();
        let place = line.place.as_ref().and_then(|place| {
            let source = place.source.as_ref()?;
            let number = takmil_domain::ids::Identifier::new(&source.system, &source.code);
            pointer(&[number], place.text.as_deref())
        });
        let own = Object::new()
            .list("supportingInfoSequence", sequences(&line.supporting))
            .maybe("provider", self.either(carer));
        let own = self
            .priced(own, line)
            .maybe("facility", place)
            .list("diagnosis", reasons);
        let beside = self.told_beside(line, line.billed, None);
        const KIND: &str = "CoverageEligibilityRequest.item";
        let (own, _) = self.restore_some(own, KIND, &line.particulars, beside);
        own.into()
    }

    /// A diagnosis, as a concept or by reference.
    fn reason(&mut self, told: &Diagnosis, subject: Option<&Node<'static>>) -> Option<Object> {
        if told.when.is_some() || told.recorded.is_some() {
            let condition = self.condition(told, subject)?;
            return Some(Object::new().put("diagnosisReference", condition));
        }
        Some(Object::new().put("diagnosisCodeableConcept", coded(&told.coded)?))
    }

    fn diagnosis(
        &mut self,
        seq: Option<u32>,
        told: &Diagnosis,
        subject: Option<&Node<'static>>,
    ) -> Node<'static> {
        let own = self.reason(told, subject).unwrap_or_default();
        numbered(own, seq)
            .list("type", concepts(&told.roles))
            .maybe("onAdmission", concept(told.present_on_admission.as_ref()))
            .maybe("packageCode", concept(told.group.as_ref()))
            .into()
    }

    fn procedure(
        &mut self,
        seq: Option<u32>,
        told: &Procedure,
        subject: Option<&Node<'static>>,
    ) -> Node<'static> {
        let own = numbered(Object::new(), seq).list("type", concepts(&told.roles));
        let devices = told.devices.iter();
        let devices = devices.filter_map(reference);
        let own = match told.until {
            None => own
                .maybe("date", moment(told.when.as_ref()))
                .maybe("procedureCodeableConcept", coded(&told.coded)),
            Some(_) => {
                let time = takmil_domain::date::Period {
                    start: told.when.clone(),
                    end: told.until.clone(),
                };
                let procedure = Object::resource("Procedure")
                    .put("status", "completed")
                    .maybe("code", coded(&told.coded))
                    .maybe("subject", subject.cloned())
                    .maybe("performedPeriod", period(Some(&time)));
                own.maybe("procedureReference", self.refer(procedure))
            }
        };
        own.list("udi", devices).into()
    }

    fn carer(&mut self, seq: Option<u32>, told: &Party) -> Node<'static> {
        // The role and the training are told beside the reference.
        let party = Party {
            role: None,
            specialty: None,
            ..told.clone()
        };
        numbered(Object::new(), seq)
            .maybe("provider", self.party(Some(&party), As::Person))
            .maybe("responsible", told.responsible)
            .maybe("role", concept(told.role.as_ref()))
            .maybe("qualification", concept(told.specialty.as_ref()))
            .into()
    }

    fn lines(&mut self, lines: &[Line], level: usize) -> Vec<Node<'static>> {
        lines.iter().map(|line| self.line(line, level)).collect()
    }

    fn line(&mut self, line: &Line, level: usize) -> Node<'static> {
        let own = Object::new().maybe("sequence", number(line.seq));
        let own = self
            .priced(own, line)
            .maybe("revenue", concept(line.revenue.as_ref()))
            .list("programCode", concepts(&line.programmes))
            .maybe("factor", quantity_value(line.factor))
            .maybe("net", self.amount(line.billed))
            .list("udi", line.devices.iter().filter_map(reference));
        let own = match level {
            0 => span(
                own,
                ["servicedDate", "servicedPeriod"],
                line.serviced.as_ref(),
            )
            .list("careTeamSequence", sequences(&line.practitioners))
            .list("diagnosisSequence", sequences(&line.diagnoses))
            .list("procedureSequence", sequences(&line.procedures))
            .list("informationSequence", sequences(&line.supporting))
            .maybe("locationCodeableConcept", concept(line.place.as_ref()))
            .maybe("bodySite", concept(line.body_site.as_ref()))
            .list("subSite", concepts(&line.sub_sites)),
            _ => own,
        };
        let mark = line.cancelled.map(|gone| {
            let url = format!("{GUIDE}modifierextension-infoCancelled");
            Object::new()
                .put("url", url)
                .put("valueBoolean", gone)
                .into()
        });
        let own = own.list("modifierExtension", mark);
        let leave = line.authorisation.as_deref().and_then(words).map(|leave| {
            let url = format!("{GUIDE}extension-authorizationNumber");
            Object::new()
                .put("url", url)
                .put("valueString", leave)
                .into()
        });
        let beside = self.told_beside(line, None, None).into_iter().chain(leave);
        let (_, structure) = LEVELS.get(level).copied().unwrap_or(LEVELS[2]);
        let (own, _) = self.restore_some(own, structure, &line.particulars, beside);
        let deeper = level.saturating_add(1);
        match LEVELS.get(deeper) {
            Some((key, _)) => own.list(key, self.lines(&line.details, deeper)).into(),
            None => own.into(),
        }
    }

    /// What R4 has no element for of a line: what was paid by others, and where its kind of line has none, what is asked
    /// for it and the price of one.
    pub(super) fn told_beside(
        &self,
        line: &Line,
        asked: Option<Amount>,
        price: Option<Amount>,
    ) -> Vec<Node<'static>> {
        let base = line.base.as_ref();
        let paid = base.map(|base| base.paid);
        let amounts = [asked, price, paid, line.subsidy, line.paid_by_member];
        let told = AMOUNTS.into_iter().zip(amounts);
        let told = told.filter_map(|(url, amount)| self.amount_as(url, amount));
        let said_by = base.and_then(|base| words(base.confirmation.as_deref()?));
        let said_by = said_by.map(|name| {
            let own = Object::new().put("url", BASE_CONFIRMATION);
            own.put("valueString", name).into()
        });
        told.chain(said_by).collect()
    }

    /// An amount as the extension of that name.
    pub(super) fn amount_as(
        &self,
        url: &'static str,
        amount: Option<Amount>,
    ) -> Option<Node<'static>> {
        let value = self.amount(amount)?;
        Some(
            Object::new()
                .put("url", url)
                .put("valueMoney", value)
                .into(),
        )
    }

    /// What a line of any bill says: what, how much of it, for what price.
    fn priced(&self, into: Object, line: &Line) -> Object {
        let unit = line.unit.as_deref();
        into.maybe("category", concept(line.category.as_ref()))
            .maybe("productOrService", coded(&line.item))
            .list("modifier", concepts(&line.modifiers))
            .maybe(
                "quantity",
                quantity(line.quantity, unit, line.unit_code.as_ref()),
            )
            .maybe("unitPrice", self.amount(line.unit_price))
    }
}

fn quantity_value(value: Option<takmil_domain::money::Quantity>) -> Option<Node<'static>> {
    value.map(|value| Node::number(value.to_string()))
}

/// The visit of a claim, as the extension that names it.
fn visit_of(visit: Option<Node<'static>>) -> Option<Node<'static>> {
    let visit = visit?;
    let own = Object::new().put("url", ENCOUNTER);
    Some(own.put("valueReference", visit).into())
}

/// Adds the number by which lines name a part.
fn numbered(own: Object, seq: Option<u32>) -> Object {
    own.maybe("sequence", seq.and_then(number))
}

/// The numbers of the parts of a list: their own, or their places where none has one.
fn sequences_of<T>(list: &[T], own: impl Fn(&T) -> Option<u32>) -> Vec<Option<u32>> {
    let valid = |part| own(part).filter(|seq| number(*seq).is_some());
    let has_none = list.iter().all(|part| valid(part).is_none());
    let numbers = list.iter().zip(1..);
    numbers
        .map(|(part, place)| valid(part).or(has_none.then_some(place)))
        .collect()
}

/// The kind of a claim, with HL7's word for its class where the sender's do not tell it.
fn classified(kind: Option<Coded>, class: Option<BillClass>) -> Option<Coded> {
    let name = match class {
        None => return kind,
        Some(BillClass::Professional) => "professional",
        Some(BillClass::Institutional) => "institutional",
        Some(BillClass::Pharmacy) => "pharmacy",
        Some(BillClass::Oral) => "oral",
        Some(BillClass::Vision) => "vision",
    };
    let mut kind = kind.unwrap_or_default();
    if !kind.codings().any(|own| own.code == name) {
        let coding = Coding {
            system: CLAIM_TYPES.to_owned(),
            code: name.to_owned(),
            ..Coding::default()
        };
        match kind.source {
            None => kind.source = Some(coding),
            Some(_) => kind.others.push(coding),
        }
    }
    Some(kind)
}

/// A reference to the first earlier message that is so related.
fn earlier(head: &Head, relation: Relation) -> Option<Node<'static>> {
    let found = super::earlier(head, relation)?;
    reference(&found.identifier)
}

/// The earlier messages that have no element of their own, and that no line names by the number of a review.
fn related(head: &Head, bill: &Bill) -> impl Iterator<Item = Node<'static>> {
    let firsts = [Relation::Prescription, Relation::Referral].map(|own| super::earlier(head, own));
    let numbers = bill.lines.iter().flat_map(|line| {
        let particulars = line.particulars.iter();
        let texts = particulars.filter_map(|part| part.text.as_deref());
        texts.chain(line.authorisation.as_deref())
    });
    let numbers: Vec<&str> = numbers.collect();
    let others = head.correlates.iter().filter(move |own| {
        let is_on_line = numbers.contains(&own.identifier.value.as_str());
        !firsts.contains(&Some(*own)) && !is_on_line && !is_leave(own)
    });
    others.filter_map(|own: &Correlate| {
        let word = own.coded.clone().or_else(|| {
            let replaces = own.relation == Relation::Replaces;
            replaces.then(|| Coded::new(RELATED, "replaces"))
        });
        let claim = reference(&own.identifier)?;
        let related = Object::new().put("claim", claim);
        Some(related.maybe("relationship", concept(word.as_ref())).into())
    })
}

/// Whether an earlier message is named by the number of leave under a cover.
pub(super) fn is_leave(own: &Correlate) -> bool {
    let source = own.coded.as_ref().and_then(|own| own.source.as_ref());
    source.is_some_and(|own| own.system == ELEMENT && own.code == "Claim.insurance.preAuthRef")
}

/// Numbers of supporting information: its own, or the next ones that nothing has.
struct Numbers(u32);

impl Numbers {
    fn after(parts: &[&Supporting]) -> Self {
        let taken = parts.iter().filter_map(|part| part.seq);
        let taken = taken.filter(|seq| number(*seq).is_some());
        Self(taken.max().unwrap_or(0))
    }

    fn of(&mut self, own: Option<u32>) -> Option<Node<'static>> {
        own.and_then(number).or_else(|| {
            self.0 = self.0.saturating_add(1);
            number(self.0)
        })
    }
}

/// What supports a claim. A document is told where its title or place is, or at the end.
fn supporting(parts: &[&Supporting], documents: &[Attachment]) -> Vec<Node<'static>> {
    let mut documents: Vec<&Attachment> = documents.iter().collect();
    let mut list = Vec::new();
    let document = Coded::new(INFORMATION, "attachment");
    let mut numbers = Numbers::after(parts);
    for part in parts {
        let own = Object::new()
            .maybe("sequence", numbers.of(part.seq))
            .maybe("category", concept(part.category.as_ref()))
            .maybe("code", concept(part.coded.as_ref()));
        let own = span(own, ["timingDate", "timingPeriod"], part.timing.as_ref());
        let named = |own: &&Attachment| {
            let name = own.title.as_ref().or(own.place.as_ref());
            let is_told = name.is_some() || part.category.as_ref() == Some(&document);
            is_told && name == part.text.as_ref()
        };
        let own = if part.quantity.is_some() {
            let unit = part.unit.as_deref();
            own.maybe(
                "valueQuantity",
                quantity(part.quantity, unit, part.unit_code.as_ref()),
            )
        } else if part.identifier.is_some() {
            let value = pointer(part.identifier.as_slice(), part.text.as_deref());
            own.maybe("valueReference", value)
        } else if let Some(yes) = part.yes {
            own.put("valueBoolean", yes)
        } else if let Some(found) = documents.iter().position(named) {
            own.maybe("valueAttachment", attachment(documents.remove(found)))
        } else {
            own.maybe("valueString", part.text.as_deref().and_then(words))
        };
        list.push(own.maybe("reason", concept(part.reason.as_ref())).into());
    }
    for left in documents {
        let own = Object::new()
            .maybe("sequence", numbers.of(None))
            .maybe("category", coded(&document));
        list.push(own.maybe("valueAttachment", attachment(left)).into());
    }
    list
}

fn attachment(document: &Attachment) -> Option<Object> {
    let size = document.bytes.and_then(|bytes| u32::try_from(bytes).ok());
    Object::new()
        .maybe("contentType", code(document.media_type.as_deref()))
        .maybe("url", document.place.as_deref().and_then(words))
        .maybe("size", size.and_then(number))
        .maybe("title", document.title.as_deref().and_then(words))
        .filled()
}
