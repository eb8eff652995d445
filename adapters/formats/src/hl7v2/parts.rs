//! What messages of every kind have in common: the envelope, the patient, the visit, covers, diagnoses, notes.

use takmil_domain::bill::{Accident, Diagnosis, Encounter, EncounterClass};
use takmil_domain::code::Coded;
use takmil_domain::date::When;
use takmil_domain::ids::Identifier;
use takmil_domain::message::{Head, Supporting};
use takmil_domain::money::Quantity;
use takmil_domain::party::{CoverageClass, CoverageReference, Member, Party, Sex};
use takmil_domain::problem::ProblemCode;

use super::er7::Segment;
use super::values::{
    COMPARED, Reader, authority, coded, coded_in, entity, identifier, identifiers, is_among,
    listed, name, organisation, particular, period, person, table,
};

/// Segments that stand at most once in what the hub takes, prior visits and results of laboratory orders aside.
const ONCE: &[&str] = &["PID", "EVN"];

impl Reader<'_> {
    /// The head of a message, by its first segment.
    pub(super) fn head(&self, msh: &Segment<'_>, may_repeat: bool) -> Head {
        // Separators, security, type, processing, version, what kind of acknowledgement: the envelope's own.
        msh.skip(&[1, 2, 5, 6, 8, 9, 11, 12, 13, 15, 16, 17, 18, 20, 21]);
        for once in ONCE.iter().filter(|_| !may_repeat) {
            for again in self.all(once).skip(1) {
                let detail = format!("{once} stands once in a message");
                self.problem(ProblemCode::TooMany, again.place(), detail);
            }
        }
        let mut head = Head {
            identifiers: self.control(msh).into_iter().collect(),
            // Training and debugging messages are kept and checked, and have no effect.
            status: msh
                .text(11)
                .filter(|id| matches!(id.as_str(), "T" | "D"))
                .map(|_| "draft".to_owned()),
            created: self.when_in(msh, 7),
            currency: self.currency.get(),
            language: msh.text(19),
            provider: facility(msh, 4),
            submitted_by: facility(msh, 3),
            member: self.member(),
            ..Head::default()
        };
        self.origin("", msh.place());
        self.origin("/created", msh.place_of(7));
        if let Some(pid) = self.first("PID") {
            self.origin("/member", pid.place());
            self.origin("/member/birth_date", pid.place_of(7));
        }
        head.coverages = self.coverages();
        head.occurred_on = None;
        head.texts = self
            .all("NTE")
            .filter_map(|note| {
                note.skip(&[1, 2]);
                let words: Vec<String> = note
                    .field(3)
                    .repeats()
                    .filter_map(|part| part.words())
                    .collect();
                (!words.is_empty()).then(|| words.join("\n"))
            })
            .collect();
        head.supporting = self.observations();
        head.supporting.extend(self.guarantors());
        if let Some(event) = self.first("EVN") {
            event.skip(&[1, 2]);
        }
        head
    }

    /// The sender's number of the message. It is the sending application's own.
    fn control(&self, msh: &Segment<'_>) -> Option<Identifier> {
        let number = msh.text(10)?;
        let application = msh.text(3).unwrap_or_default();
        let facility = msh.text(4).unwrap_or_default();
        let system = table(&format!("control:{application}@{facility}"));
        Some(Identifier::new(system, number))
    }

    fn member(&self) -> Member {
        let Some(pid) = self.first("PID") else {
            return Member::default();
        };
        pid.skip(&[1]);
        let mut found: Vec<Identifier> = Vec::new();
        for field in [3, 2, 4] {
            found.extend(identifiers(pid, field));
        }
        let bare = |field: usize, kind: &str| {
            let value = pid.text(field)?;
            Some(Identifier::new(table(&format!("0203:{kind}")), value))
        };
        found.extend(bare(19, "SS"));
        found.extend(bare(20, "DL"));
        let mut seen: Vec<Identifier> = Vec::new();
        for own in found {
            if !is_among(&seen, &own) {
                seen.push(own);
            }
        }
        Member {
            identifiers: seen,
            name: pid.field(5).repeats().find_map(|repeat| name(repeat, 1)),
            birth_date: self.when_in(pid, 7),
            sex: pid
                .text(8)
                .map(|letter| match letter.to_ascii_uppercase().as_str() {
                    "F" => Sex::Female,
                    "M" => Sex::Male,
                    "U" => Sex::Unknown,
                    _ => Sex::Other,
                }),
        }
    }

    /// The visit or stay, where the message tells of one.
    pub(super) fn encounter(&self, place: &str) -> Option<Encounter> {
        let account = self
            .first("PID")
            .and_then(|pid| identifier(pid.field(18).first()));
        let Some(visit) = self.first("PV1") else {
            return account.map(|account| Encounter {
                identifiers: vec![account],
                ..Encounter::default()
            });
        };
        visit.skip(&[1]);
        let mut encounter = Encounter {
            identifiers: self.visit_numbers(visit),
            ..Encounter::default()
        };
        encounter.identifiers.extend(account);
        encounter.class = visit.text(2).and_then(|letter| match letter.as_str() {
            "I" => Some(EncounterClass::Inpatient),
            "O" | "R" => Some(EncounterClass::Outpatient),
            "E" => Some(EncounterClass::Emergency),
            "D" => Some(EncounterClass::Day),
            _ => None,
        });
        let kinds = [(2, "0004"), (4, "0007"), (10, "0069"), (18, "0018")];
        encounter.kinds = kinds
            .into_iter()
            .filter_map(|(field, list)| listed(visit, field, list))
            .collect();
        encounter.admission_source = listed(visit, 14, "0023");
        encounter.discharge = listed(visit, 36, "0112");
        encounter.period = period(self.when_in(visit, 44), self.when_in(visit, 45));
        self.origin(place, visit.place());
        self.origin(format!("{place}/period/start"), visit.place_of(44));
        self.origin(format!("{place}/period/end"), visit.place_of(45));
        (encounter != Encounter::default()).then_some(encounter)
    }

    /// The numbers of the visit: it is known by the first.
    pub(super) fn visit_numbers(&self, visit: &Segment<'_>) -> Vec<Identifier> {
        let number = |field: usize| {
            let mut own = identifier(visit.field(field).first())?;
            if own.system.is_empty() {
                own.system = table("0203:VN");
            }
            Some(own)
        };
        [19, 50].into_iter().filter_map(number).collect()
    }

    /// Who treats, by the visit; each with its number.
    pub(super) fn care_team(&self) -> Vec<Party> {
        let mut team = Vec::new();
        if let Some(visit) = self.first("PV1") {
            for (field, role) in [
                (7, "attending"),
                (8, "referring"),
                (9, "consulting"),
                (17, "admitting"),
            ] {
                for repeat in visit.field(field).repeats() {
                    if let Some(party) = person(repeat, role) {
                        enlist(&mut team, party);
                    }
                }
            }
        }
        team
    }

    /// Where the patient is.
    pub(super) fn facility(&self) -> Option<Party> {
        let visit = self.first("PV1")?;
        let location = visit.field(3).first();
        let place: Vec<String> = (1..=3)
            .filter_map(|at| location.component(at).text())
            .collect();
        let own = location.component(4);
        let (id, system) = (own.text(), authority(own));
        let serving = visit.text(39);
        if place.is_empty() && id.is_none() && serving.is_none() {
            return None;
        }
        Some(Party {
            identifiers: id
                .into_iter()
                .chain(serving)
                .map(|id| Identifier::new(if id == system { "" } else { system.as_str() }, id))
                .collect(),
            name: (!place.is_empty()).then(|| place.join(" ")),
            ..Party::default()
        })
    }

    fn coverages(&self) -> Vec<CoverageReference> {
        let mut covers: Vec<CoverageReference> = Vec::new();
        let named = |segment: &&Segment<'_>| matches!(segment.name, "IN1" | "IN2" | "IN3");
        for segment in self.segments.iter().filter(named) {
            match (segment.name, covers.last_mut()) {
                ("IN1", _) => {
                    let at = covers.len();
                    self.origin(format!("/coverages/{at}"), segment.place());
                    let cover = self.coverage(segment, at);
                    covers.push(cover);
                }
                ("IN2", Some(cover)) => {
                    for (field, kind) in [(61, "MB"), (6, "MC"), (8, "MA")] {
                        let mut numbers = identifiers(segment, field);
                        for number in &mut numbers {
                            if number.system.is_empty() {
                                number.system = table(&format!("0203:{kind}"));
                            }
                        }
                        cover.identifiers.extend(numbers);
                    }
                    cover.relationship = cover
                        .relationship
                        .take()
                        .or_else(|| listed(segment, 72, "0344"));
                }
                ("IN3", Some(cover)) => {
                    segment.skip(&[1]);
                    let number = identifier(segment.field(2).first());
                    cover.authorisations.extend(number.map(|own| own.value));
                }
                _ => {
                    let detail = "it stands before the IN1 that it belongs to";
                    self.problem(ProblemCode::Malformed, segment.place(), detail);
                }
            }
        }
        // Some senders repeat a cover for each of its orders.
        let mut kept: Vec<CoverageReference> = Vec::new();
        for cover in covers {
            let is_same = |own: &CoverageReference| {
                CoverageReference {
                    order: None,
                    ..own.clone()
                } == CoverageReference {
                    order: None,
                    ..cover.clone()
                }
            };
            if !kept.iter().rev().take(COMPARED).any(is_same) {
                kept.push(cover);
            }
        }
        kept
    }

    fn coverage(&self, own: &Segment<'_>, at: usize) -> CoverageReference {
        own.skip(&[1]);
        let insurer_numbers = identifiers(own, 3);
        let mut insurer = organisation(own.field(4).first()).unwrap_or_default();
        insurer.identifiers.splice(0..0, insurer_numbers);
        let number = |field: usize, kind: &'static str| {
            identifiers(own, field).into_iter().map(move |mut own| {
                if own.system.is_empty() {
                    own.system = table(&format!("0203:{kind}"));
                }
                own
            })
        };
        let mut classes = Vec::new();
        let mut class = |kind: &str, value: Option<String>, name: Option<String>| {
            let kind = Coded::new("http://terminology.hl7.org/CodeSystem/coverage-class", kind);
            if let Some(value) = value.or_else(|| name.clone()) {
                classes.push(CoverageClass { kind, value, name });
            }
        };
        let plan = own.field(2).first();
        class("plan", plan.component(1).text(), plan.component(2).text());
        class("group", own.text(8), own.text(9));
        class("class", own.text(35), None);
        let order = own.text(22).and_then(|text| text.parse().ok());
        let authorisation = own.field(14).first().component(1).text();
        let start = self.when_in(own, 12);
        let end = self.when_in(own, 13);
        CoverageReference {
            order: order.or_else(|| u32::try_from(at.saturating_add(1)).ok()),
            insurer: (insurer != Party::default()).then_some(insurer),
            identifiers: number(36, "MB").chain(number(49, "SN")).collect(),
            kind: listed(own, 15, "0086"),
            classes,
            relationship: listed(own, 17, "0063"),
            period: period(start, end),
            authorisations: authorisation.into_iter().collect(),
            ..CoverageReference::default()
        }
    }

    /// What the member suffers from, each once, numbered anew: senders repeat numbers within one message.
    pub(super) fn diagnoses(&self, list: &str) -> Vec<Diagnosis> {
        let mut found: Vec<Diagnosis> = Vec::new();
        for own in self.all("DG1") {
            own.skip(&[1]);
            let method = own.text(2);
            let mut concept = coded(own.field(3).first(), method.as_deref());
            if let Some(words) = own.field(4).first().words() {
                concept.get_or_insert_default().text.get_or_insert(words);
            }
            let Some(concept) = concept else {
                let detail = "a diagnosis has a code or words";
                self.problem(ProblemCode::Missing, own.place_of(3), detail);
                continue;
            };
            let mut roles: Vec<Coded> = listed(own, 6, "0052").into_iter().collect();
            roles.extend(listed(own, 15, "0359"));
            let when = self.when_in(own, 5);
            let before = found.len();
            let mut at = place_in(&mut found, concept.clone());
            // What comes on another day is a diagnosis of its own.
            let first = found.get(at).and_then(|own| own.when.clone());
            if at < before && when.is_some() && first.is_some() && first != when {
                let again = |own: &Diagnosis| own.coded == concept && own.when == when;
                let known = found.iter().enumerate().rev().take(COMPARED);
                let known = known
                    .into_iter()
                    .find(|(_, own)| again(own))
                    .map(|(at, _)| at);
                at = known.unwrap_or_else(|| add(&mut found, concept));
            }
            self.origin(format!("{list}/{at}"), own.place());
            if let Some(diagnosis) = found.get_mut(at) {
                for role in roles {
                    if !diagnosis.roles.contains(&role) {
                        diagnosis.roles.push(role);
                    }
                }
                let recorded = self.when_in(own, 19);
                diagnosis.when = diagnosis.when.take().or(when);
                diagnosis.recorded = diagnosis.recorded.take().or(recorded);
                diagnosis.present_on_admission = diagnosis
                    .present_on_admission
                    .take()
                    .or_else(|| listed(own, 26, "0895"));
                diagnosis.group = diagnosis.group.take().or_else(|| coded_in(own, 8));
            }
        }
        found
    }

    pub(super) fn accident(&self) -> Option<Accident> {
        let own = self.first("ACC")?;
        let kind = listed(own, 2, "0050");
        Some(Accident {
            when: self.when_in(own, 1),
            kind,
            place: own.field(3).first().words(),
        })
    }

    /// Findings, as far as they are values; documents stay in the body.
    fn observations(&self) -> Vec<Supporting> {
        let mut found = Vec::new();
        for own in self.all("OBX") {
            let kind = own.text(2).unwrap_or_default();
            if matches!(kind.as_str(), "ED" | "RP") {
                continue;
            }
            let coded = coded_in(own, 3);
            own.skip(&[1]);
            let values: Vec<String> = own
                .field(5)
                .repeats()
                .filter_map(|part| part.words())
                .collect();
            let number = match &values[..] {
                [one] if matches!(kind.as_str(), "NM" | "SN") => Quantity::parse(one),
                _ => None,
            };
            let unit = own.field(6).first();
            let text = (number.is_none() && !values.is_empty()).then(|| values.join("\n"));
            if coded.is_none() && number.is_none() && text.is_none() {
                continue;
            }
            found.push(Supporting {
                coded,
                timing: period(self.when_in(own, 14), None),
                quantity: number,
                unit: unit
                    .component(2)
                    .text()
                    .or_else(|| unit.component(1).text()),
                text,
                ..particular("OBX-5")
            });
        }
        found
    }

    /// Who stands for the bill, where the sender tells.
    fn guarantors(&self) -> Vec<Supporting> {
        let guarantor = |own: &Segment<'_>| {
            own.skip(&[1]);
            let number = identifier(own.field(2).first());
            let text = name(own.field(3).first(), 1);
            (number.is_some() || text.is_some()).then(|| Supporting {
                identifier: number,
                text,
                ..particular("GT1")
            })
        };
        self.all("GT1").filter_map(guarantor).collect()
    }

    /// Identifiers of an order: the placer's and the filler's.
    pub(super) fn order_numbers(&self, order: &Segment<'_>) -> Vec<Identifier> {
        let placer = entity(order.field(2).first(), "placer");
        placer
            .into_iter()
            .chain(entity(order.field(3).first(), "filler"))
            .collect()
    }
}

/// The place of a concept among the diagnoses, where it is put if it is new.
pub(super) fn place_in(found: &mut Vec<Diagnosis>, concept: Coded) -> usize {
    let is_same = |own: &Diagnosis| match (&own.coded.source, &concept.source) {
        (Some(ours), Some(theirs)) => ours.code == theirs.code && ours.system == theirs.system,
        _ => own.coded == concept,
    };
    let last = found.iter().enumerate().rev().take(COMPARED);
    if let Some((at, _)) = last.into_iter().find(|(_, own)| is_same(own)) {
        return at;
    }
    add(found, concept)
}

fn add(found: &mut Vec<Diagnosis>, concept: Coded) -> usize {
    found.push(Diagnosis {
        seq: u32::try_from(found.len().saturating_add(1)).ok(),
        coded: concept,
        roles: Vec::new(),
        present_on_admission: None,
        when: None::<When>,
        recorded: None,
        group: None,
    });
    found.len().saturating_sub(1)
}

/// Puts a person into the care team, if he is not there in that role, and gives his number in it.
pub(super) fn enlist(team: &mut Vec<Party>, mut party: Party) -> Option<u32> {
    let is_same = |own: &Party| {
        own.role == party.role && own.identifiers == party.identifiers && own.name == party.name
    };
    if let Some(own) = team.iter().rev().take(COMPARED).find(|own| is_same(own)) {
        return own.seq;
    }
    party.seq = u32::try_from(team.len().saturating_add(1)).ok();
    let seq = party.seq;
    team.push(party);
    seq
}

/// A facility or application (HD) that the envelope names.
fn facility(msh: &Segment<'_>, field: usize) -> Option<Party> {
    let own = msh.field(field).first();
    let short = own.component(1).text();
    let universal = own.component(2).text();
    let kind = own.component(3).text();
    let universal = universal.map(|id| match kind.as_deref() {
        Some("ISO") => Identifier::new("urn:ietf:rfc:3986", format!("urn:oid:{id}")),
        _ => Identifier::new("urn:ietf:rfc:3986", id),
    });
    let short = short.map(|id| Identifier::new("", id));
    let identifiers: Vec<Identifier> = short.into_iter().chain(universal).collect();
    (!identifiers.is_empty()).then(|| Party {
        identifiers,
        ..Party::default()
    })
}
