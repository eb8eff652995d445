//! Messages of every kind, drawn at random with every field now present, now absent. Codes and identifiers
//! are drawn as the hub spells them; names and free text as people write them. Links may dangle and dates
//! may run backwards: what is drawn is well-formed, not sound.

use proptest::prelude::*;
use proptest::test_runner::TestRng;
use takmil_domain::bill::{
    Accident, BasePaid, Bill, BillClass, Diagnosis, Encounter, EncounterClass, Line, Payee,
    Procedure,
};
use takmil_domain::code::{Code, Coded, Coding, Equivalence, Via};
use takmil_domain::date::{Date, Period, When};
use takmil_domain::ids::Identifier;
use takmil_domain::message::{
    Admission, Attachment, Body, Cancel, Claim, Correlate, Eligibility, Head, Kind, Message,
    Preauthorization, Relation, Supporting,
};
use takmil_domain::money::{Amount, Currency, Quantity};
use takmil_domain::party::{
    CoverageClass, CoverageReference, InsurerRole, Member, Party, Sector, Sex,
};
use takmil_domain::prescription::{
    Dispense, DispenseLine, Dosage, Ingredient, Measure, Prescription, PrescriptionLine, Product,
    Ratio, Substitution, Timing,
};

/// Any message of any kind.
pub(crate) fn messages() -> impl Strategy<Value = Message> {
    proptest::sample::select(Kind::ALL)
        .prop_perturb(|kind, rng| Draw { rng, depth: 0 }.message(kind))
}

/// A source of random parts.
struct Draw {
    rng: TestRng,
    /// How many parties, lines… the part being drawn lies within: deeper is sparser, so that it ends.
    depth: u64,
}

const WORDS: &[&str] = &[
    "E11.9",
    "x",
    "1405-88",
    "قلب ۱",
    "A/b~c",
    "\"q\"\\",
    "Ωß",
    "00123",
];
const NAMES: &[&str] = &[
    "علي كريمي",
    "می\u{200c}شود",
    "  two  spaces ",
    "Graça",
    "",
    "line\nend\ttab",
    "𝒳🙂",
    "۱۲۳",
];
const SYSTEMS: &[&str] = &[
    "",
    "urn:ir:national-id",
    "http://hl7.org/fhir/sid/icd-10",
    "LOCAL",
];

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.rng.next_u64() % bound
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        let index = usize::try_from(self.below(from.len() as u64)).unwrap();
        from[index].clone()
    }

    /// Something or nothing.
    fn maybe<T>(&mut self, draw: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let odds = 2 + self.depth;
        (self.below(odds) == 0).then(|| self.within(draw))
    }

    /// None, one or two.
    fn few<T>(&mut self, mut draw: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let odds = 2 + self.depth;
        let count = if self.below(odds) == 0 {
            1 + self.below(2)
        } else {
            0
        };
        (0..count).map(|_| self.within(&mut draw)).collect()
    }

    fn within<T>(&mut self, draw: impl FnOnce(&mut Self) -> T) -> T {
        self.depth += 1;
        let drawn = draw(self);
        self.depth -= 1;
        drawn
    }

    fn flag(&mut self) -> bool {
        self.below(2) == 0
    }

    fn number(&mut self) -> u32 {
        let small = u32::try_from(self.below(20)).unwrap();
        self.pick(&[small, small, 0, u32::MAX])
    }

    fn word(&mut self) -> String {
        takmil_domain::text::normalise(self.pick(WORDS)).into_owned()
    }

    fn name(&mut self) -> String {
        self.pick(NAMES).to_owned()
    }

    fn identifier(&mut self) -> Identifier {
        Identifier::new(self.pick(SYSTEMS), self.word())
    }

    fn date(&mut self) -> Date {
        let year = 1900 + i32::try_from(self.below(140)).unwrap();
        let month = 1 + u8::try_from(self.below(12)).unwrap();
        let day = 1 + u8::try_from(self.below(28)).unwrap();
        Date::from_ymd(year, month, day).unwrap()
    }

    fn when(&mut self) -> When {
        let day = self.date().to_string();
        let text = match self.below(6) {
            0 => day[..4].to_owned(),
            1 => day[..7].to_owned(),
            2 => format!("{day}T18:40:00+03:30"),
            3 => format!("{day}T18:40:59.123Z"),
            4 => format!("{day}T18:40"),
            _ => day,
        };
        When::parse(&text).unwrap()
    }

    fn period(&mut self) -> Period {
        Period {
            start: self.maybe(Self::when),
            end: self.maybe(Self::when),
        }
    }

    fn amount(&mut self) -> Amount {
        let value = i64::try_from(self.below(10_000_000)).unwrap();
        let value = self.pick(&[value, value, 0, Amount::MAX.get()]);
        Amount::new(value).unwrap()
    }

    fn quantity(&mut self) -> Quantity {
        Quantity::parse(self.pick(&["0", "1", "30", "2.5", "0.000000001", "1000000000"])).unwrap()
    }

    fn code(&mut self) -> Code {
        Code::new(self.pick(SYSTEMS), self.word())
    }

    fn coding(&mut self) -> Coding {
        Coding {
            system: self.pick(SYSTEMS).to_owned(),
            version: self.maybe(Self::word),
            code: self.word(),
            display: self.maybe(Self::name),
        }
    }

    fn coded(&mut self) -> Coded {
        Coded {
            source: self.maybe(Self::coding),
            others: self.few(Self::coding),
            text: self.maybe(Self::name),
            common: self.maybe(Self::code),
            via: self.maybe(|draw| Via {
                map: draw.word(),
                version: draw.word(),
                equivalence: draw.pick(&[
                    Equivalence::Equal,
                    Equivalence::Wider,
                    Equivalence::Unchecked,
                ]),
            }),
        }
    }

    fn party(&mut self) -> Party {
        Party {
            identifiers: self.few(Self::identifier),
            name: self.maybe(Self::name),
            role: self.maybe(Self::coded),
            specialty: self.maybe(Self::coded),
            sector: self.maybe(|draw| {
                draw.pick(&[Sector::Public, Sector::NonGovernmentPublic, Sector::Charity])
            }),
            organisation: self.maybe(|draw| Box::new(draw.party())),
            seq: self.maybe(Self::number),
            responsible: self.maybe(Self::flag),
        }
    }

    fn supporting(&mut self) -> Supporting {
        Supporting {
            seq: self.maybe(Self::number),
            category: self.maybe(Self::coded),
            coded: self.maybe(Self::coded),
            timing: self.maybe(Self::period),
            quantity: self.maybe(Self::quantity),
            unit: self.maybe(Self::name),
            unit_code: self.maybe(Self::code),
            identifier: self.maybe(Self::identifier),
            amount: self.maybe(Self::amount),
            text: self.maybe(Self::name),
            yes: self.maybe(Self::flag),
            reason: self.maybe(Self::coded),
        }
    }

    fn attachment(&mut self) -> Attachment {
        Attachment {
            media_type: self.maybe(|_| "application/pdf".to_owned()),
            title: self.maybe(Self::name),
            bytes: self.maybe(|draw| draw.below(1 << 40)),
            sha256: self.maybe(|_| "0a".repeat(32)),
            place: self.maybe(|_| "https://files.example.org/1".to_owned()),
        }
    }

    fn coverage(&mut self) -> CoverageReference {
        CoverageReference {
            role: self.maybe(|draw| draw.pick(&[InsurerRole::Base, InsurerRole::Supplementary])),
            order: self.maybe(Self::number),
            focal: self.maybe(Self::flag),
            insurer: self.maybe(Self::party),
            identifiers: self.few(Self::identifier),
            kind: self.maybe(Self::coded),
            classes: self.few(|draw| CoverageClass {
                kind: draw.coded(),
                value: draw.word(),
                name: draw.maybe(Self::name),
            }),
            relationship: self.maybe(Self::coded),
            period: self.maybe(Self::period),
            authorisations: self.few(Self::word),
            status: self.maybe(Self::word),
            particulars: self.few(Self::supporting),
        }
    }

    fn member(&mut self) -> Member {
        Member {
            identifiers: self.few(Self::identifier),
            name: self.maybe(Self::name),
            birth_date: self.maybe(Self::when),
            sex: self.maybe(|draw| draw.pick(&[Sex::Female, Sex::Male, Sex::Other, Sex::Unknown])),
        }
    }

    fn encounter(&mut self) -> Encounter {
        use EncounterClass::{Day, Emergency, Inpatient, Outpatient};
        Encounter {
            identifiers: self.few(Self::identifier),
            class: self.maybe(|draw| draw.pick(&[Outpatient, Inpatient, Day, Emergency])),
            kinds: self.few(Self::coded),
            period: self.maybe(Self::period),
            admission_source: self.maybe(Self::coded),
            discharge: self.maybe(Self::coded),
        }
    }

    fn diagnosis(&mut self) -> Diagnosis {
        Diagnosis {
            seq: self.maybe(Self::number),
            coded: self.coded(),
            roles: self.few(Self::coded),
            present_on_admission: self.maybe(Self::coded),
            when: self.maybe(Self::when),
            recorded: self.maybe(Self::when),
            group: self.maybe(Self::coded),
        }
    }

    fn procedure(&mut self) -> Procedure {
        Procedure {
            seq: self.maybe(Self::number),
            coded: self.coded(),
            when: self.maybe(Self::when),
            until: self.maybe(Self::when),
            roles: self.few(Self::coded),
            devices: self.few(Self::identifier),
        }
    }

    fn line(&mut self) -> Line {
        Line {
            seq: self.number(),
            item: self.coded(),
            modifiers: self.few(Self::coded),
            programmes: self.few(Self::coded),
            category: self.maybe(Self::coded),
            revenue: self.maybe(Self::coded),
            serviced: self.maybe(Self::period),
            place: self.maybe(Self::coded),
            quantity: self.maybe(Self::quantity),
            unit: self.maybe(Self::name),
            unit_code: self.maybe(Self::code),
            unit_price: self.maybe(Self::amount),
            factor: self.maybe(Self::quantity),
            billed: self.maybe(Self::amount),
            base: self.maybe(|draw| BasePaid {
                paid: draw.amount(),
                confirmation: draw.maybe(Self::word),
            }),
            subsidy: self.maybe(Self::amount),
            paid_by_member: self.maybe(Self::amount),
            body_site: self.maybe(Self::coded),
            sub_sites: self.few(Self::coded),
            practitioners: self.few(Self::number),
            diagnoses: self.few(Self::number),
            procedures: self.few(Self::number),
            supporting: self.few(Self::number),
            devices: self.few(Self::identifier),
            authorisation: self.maybe(Self::word),
            circumstance: self.maybe(Self::word),
            substitution_refused: self.maybe(Self::flag),
            days_supply: self.maybe(Self::number),
            cancelled: self.maybe(Self::flag),
            particulars: self.few(Self::supporting),
            details: self.few(Self::line),
        }
    }

    fn bill(&mut self) -> Bill {
        use BillClass::{Institutional, Oral, Pharmacy, Professional, Vision};
        Bill {
            class: self
                .maybe(|draw| draw.pick(&[Professional, Institutional, Pharmacy, Oral, Vision])),
            kinds: self.few(Self::coded),
            encounter: self.maybe(Self::encounter),
            period: self.maybe(Self::period),
            diagnoses: self.few(Self::diagnosis),
            procedures: self.few(Self::procedure),
            care_team: self.few(Self::party),
            accident: self.maybe(|draw| Accident {
                when: draw.maybe(Self::when),
                kind: draw.maybe(Self::coded),
                place: draw.maybe(Self::name),
            }),
            lines: self.few(Self::line),
            total: self.maybe(Self::amount),
            payee: self.maybe(|draw| Payee {
                kind: draw.maybe(Self::coded),
                party: draw.maybe(Self::party),
            }),
        }
    }

    fn measure(&mut self) -> Measure {
        Measure {
            value: self.maybe(Self::quantity),
            unit: self.maybe(Self::name),
            coded: self.maybe(Self::code),
        }
    }

    fn ratio(&mut self) -> Ratio {
        Ratio {
            numerator: self.maybe(Self::measure),
            denominator: self.maybe(Self::measure),
        }
    }

    fn product(&mut self) -> Product {
        Product {
            form: self.maybe(Self::coded),
            pack: self.maybe(Self::ratio),
            ingredients: self.few(|draw| Ingredient {
                item: draw.coded(),
                strength: draw.maybe(Self::ratio),
                active: draw.maybe(Self::flag),
            }),
            batch: self.maybe(Self::word),
            expires: self.maybe(Self::when),
        }
    }

    fn dosage(&mut self) -> Dosage {
        Dosage {
            text: self.maybe(Self::name),
            instructions: self.few(Self::coded),
            doses: self.few(Self::measure),
            dose_kind: self.maybe(Self::coded),
            rate: self.maybe(Self::ratio),
            timing: self.maybe(|draw| Timing {
                coded: draw.maybe(Self::coded),
                events: draw.few(Self::when),
                bounds: draw.maybe(Self::period),
                duration: draw.maybe(Self::measure),
                frequency: draw.maybe(Self::number),
                period: draw.maybe(Self::measure),
                count: draw.maybe(Self::number),
                when: draw.few(Self::word),
            }),
            as_needed: self.maybe(Self::flag),
            needed_for: self.maybe(Self::coded),
            route: self.maybe(Self::coded),
            site: self.maybe(Self::coded),
            method: self.maybe(Self::coded),
            maximum: self.maybe(Self::ratio),
        }
    }

    fn substitution(&mut self) -> Substitution {
        Substitution {
            allowed: self.maybe(Self::flag),
            coded: self.maybe(Self::coded),
            reasons: self.few(Self::coded),
        }
    }

    fn prescription(&mut self) -> Prescription {
        Prescription {
            authored: self.maybe(Self::when),
            valid: self.maybe(Self::period),
            prescriber: self.maybe(Self::party),
            dispenser: self.maybe(Self::party),
            encounter: self.maybe(Self::encounter),
            diagnoses: self.few(Self::diagnosis),
            lines: self.few(Self::prescription_line),
        }
    }

    fn prescription_line(&mut self) -> PrescriptionLine {
        PrescriptionLine {
            seq: self.number(),
            identifiers: self.few(Self::identifier),
            item: self.coded(),
            product: self.maybe(Self::product),
            status: self.maybe(Self::word),
            status_reason: self.maybe(Self::coded),
            authored: self.maybe(Self::when),
            valid: self.maybe(Self::period),
            intent: self.maybe(Self::word),
            do_not_perform: self.maybe(Self::flag),
            categories: self.few(Self::coded),
            course: self.maybe(Self::coded),
            dosage: self.few(Self::dosage),
            quantity: self.maybe(Self::measure),
            first_fill: self.maybe(Self::measure),
            days_supply: self.maybe(Self::measure),
            repeats: self.maybe(Self::number),
            interval: self.maybe(Self::measure),
            substitution: self.maybe(Self::substitution),
            reasons: self.few(Self::coded),
            authorisation: self.maybe(Self::word),
            unit_price: self.maybe(Self::amount),
            particulars: self.few(Self::supporting),
        }
    }

    fn dispense(&mut self) -> Dispense {
        Dispense {
            dispenser: self.maybe(Self::party),
            encounter: self.maybe(Self::identifier),
            lines: self.few(|draw| DispenseLine {
                line: draw.line(),
                identifiers: draw.few(Self::identifier),
                product: draw.maybe(Self::product),
                prescriptions: draw.few(Self::identifier),
                status: draw.maybe(Self::word),
                status_reason: draw.maybe(Self::coded),
                kind: draw.maybe(Self::coded),
                prepared: draw.maybe(Self::when),
                handed_over: draw.maybe(Self::when),
                dosage: draw.few(Self::dosage),
                substituted: draw.maybe(Self::flag),
                substitution: draw.maybe(Self::substitution),
            }),
            total: self.maybe(Self::amount),
        }
    }

    fn head(&mut self) -> Head {
        use Relation::{Admission, Cancels, Group, Replaces};
        Head {
            identifiers: self.few(Self::identifier),
            correlates: self.few(|draw| Correlate {
                relation: draw.pick(&[Admission, Replaces, Cancels, Group]),
                identifier: draw.identifier(),
                coded: draw.maybe(Self::coded),
            }),
            status: self.maybe(Self::word),
            priority: self.maybe(Self::coded),
            created: self.maybe(Self::when),
            occurred_on: self.maybe(Self::date),
            currency: self
                .maybe(|draw| Currency::parse(draw.pick(&["IRR", "MAD", "MZN", "XXX"])).unwrap()),
            language: self.maybe(Self::word),
            member: self.member(),
            provider: self.maybe(Self::party),
            facility: self.maybe(Self::party),
            submitted_by: self.maybe(Self::party),
            actor: self.maybe(Self::party),
            recipient: self.maybe(Self::party),
            coverages: self.few(Self::coverage),
            supporting: self.few(Self::supporting),
            attachments: self.few(Self::attachment),
            texts: self.few(Self::name),
            unread: self.few(Self::word),
        }
    }

    fn message(&mut self, kind: Kind) -> Message {
        let body = match kind {
            Kind::Eligibility => Body::Eligibility(Eligibility {
                purposes: self.few(Self::word),
                serviced: self.maybe(Self::period),
                bill: self.maybe(Self::bill),
            }),
            Kind::Estimate => Body::Estimate(self.bill()),
            Kind::Prescription => Body::Prescription(self.prescription()),
            Kind::Dispense => Body::Dispense(self.dispense()),
            Kind::Admission => Body::Admission(Admission {
                reason: self.maybe(Self::coded),
                base_confirmation: self.maybe(Self::word),
                expected_days: self.maybe(Self::number),
                bill: self.bill(),
            }),
            Kind::Preauthorization => {
                Body::Preauthorization(Preauthorization { bill: self.bill() })
            }
            Kind::Claim => Body::Claim(Claim {
                interim: self.flag(),
                bill: self.bill(),
            }),
            Kind::Cancel => Body::Cancel(Cancel {
                reason: self.maybe(Self::coded),
                prescription: self.maybe(Self::prescription),
            }),
        };
        Message {
            head: self.head(),
            body,
        }
    }
}
