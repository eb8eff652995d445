//! Makes samples from tapes. Choices are weighted so that nearly half of the bills are paid in part, and every
//! rule has its say often; [`crate::reach`] counts.

use std::sync::Arc;

use takmil_domain::bill::EncounterClass;
use takmil_domain::code::Code;
use takmil_domain::coverage::{Cover, Person};
use takmil_domain::date::{Calendar, Date};
use takmil_domain::ids::{
    AccountId, BenefitId, GroupId, LimitCode, MemberId, ParticipantId, PlanId, TariffId,
};
use takmil_domain::money::{Amount, Currency, Quantity, Rate};
use takmil_domain::party::{InsurerRole, Sector, Sex};
use takmil_domain::plan::{
    AgeOut, AuthorisationRule, BasePlan, BaseRate, Benefit, CodeGroup, Coordination, Exception,
    Exclusion, Group, Limit, LimitKind, LimitOwner, LimitPer, LimitUnit, Mode, Plan, ProcedureRule,
    Relationship, Rounding, RoundingWay, Tier, TierTerms, Waiver, YearStart,
};
use takmil_domain::share::{AuthorisedLine, BillLine, InsurerSays};
use takmil_domain::tariff::{self, KValues, Price, RelativeValues, Tariff};
use uuid::Uuid;

use crate::sample::{Insurer, Sample};
use crate::tape::Tape;

const SYSTEMS: &[&str] = &["s", "t"];
const CODES: &[&str] = &["A1", "A10", "A2", "B1", "C9", ""];
const PREFIXES: &[&str] = &["", "", "", "A", "A1", "A10", "B", "C"];
const RATES: &[&str] = &["0", "0.1", "0.2", "1/3", "2/7", "0.123456789", "0.999", "1"];
const QUANTITIES: &[&str] = &[
    "1",
    "2",
    "3",
    "10",
    "2.5",
    "0.001",
    "7.333333333",
    "999999999.999999999",
];
const CALENDARS: &[Calendar] = &[Calendar::Gregorian, Calendar::Persian, Calendar::Hijri];
const PERS: &[LimitPer] = &[
    LimitPer::Year,
    LimitPer::Item,
    LimitPer::Visit,
    LimitPer::Day,
    LimitPer::Month,
    LimitPer::Lifetime,
];

pub(crate) struct Maker<'t> {
    tape: &'t mut Tape,
    /// Amounts lie below this.
    scale: u64,
}

impl<'t> Maker<'t> {
    /// A maker that reads `tape`.
    pub(crate) fn new(tape: &'t mut Tape) -> Maker<'t> {
        let scale = tape.pick(&[1_000, 1_000, 5_000_000_000, Amount::MAX.get() as u64]);
        Maker { tape, scale }
    }

    /// The sample that the tape tells.
    pub(crate) fn sample(&mut self) -> Sample {
        let many = 1 + self.tape.pick(&[0, 0, 1, 1, 2, 3]);
        let insurers: Vec<Arc<Insurer>> = (0..many).map(|at| Arc::new(self.insurer(at))).collect();
        let lines = self.tape.pick(&[1, 2, 3, 4, 6, 2, 3, 4, 6, 3, 2, 0]);
        Sample {
            currency: currency("IRR"),
            person: Person {
                birth_date: self
                    .tape
                    .pick(&[Some("1988-02-29"), None, Some("2010-07-01")])
                    .map(day),
                sex: self.tape.pick(&[
                    None,
                    Some(Sex::Female),
                    Some(Sex::Male),
                    Some(Sex::Unknown),
                ]),
            },
            class: self.tape.pick(&[
                None,
                Some(EncounterClass::Inpatient),
                Some(EncounterClass::Day),
            ]),
            sector: self
                .tape
                .pick(&[None, Some(Sector::Private), Some(Sector::Public)]),
            diagnoses: self
                .tape
                .pick(&[
                    &[][..],
                    &[("icd", "E11")],
                    &[("icd", "O80"), ("icd", "E11")],
                ])
                .to_vec(),
            base: self.tape.once_in(2).then(|| Arc::new(self.base())),
            asks_leave: self.tape.once_in(8),
            lines: (1..=lines).map(|seq| self.line(seq, &insurers)).collect(),
            insurers,
            salt: if self.tape.once_in(4) {
                0
            } else {
                self.tape.below(1 << 40)
            },
        }
    }

    fn amount(&mut self) -> Amount {
        let value = match self.tape.below(12) {
            0 => 0,
            1 => self.scale,
            2 => self.scale - 1,
            _ => self.tape.below(self.scale),
        };
        Amount::new(value as i64).unwrap()
    }

    /// An amount that leaves most of another one.
    fn small(&mut self) -> Amount {
        Amount::new(self.amount().get() / 8).unwrap()
    }

    fn quantity(&mut self) -> Quantity {
        let weighted = self.tape.below(2 * QUANTITIES.len() as u64) as usize;
        Quantity::parse(QUANTITIES.get(weighted).copied().unwrap_or("2")).unwrap()
    }

    fn rate(&mut self) -> Rate {
        Rate::parse(self.tape.pick(RATES)).unwrap()
    }

    fn insurer(&mut self, at: usize) -> Insurer {
        // Now and then the same policy twice: then both covers share their limits.
        let twin = at > 0 && self.tape.once_in(12);
        let own = if twin { 0 } else { at };
        let insurer = ParticipantId::parse(&format!("ins-{own}")).unwrap();
        let plan = self.plan(insurer.clone());
        let start = day("2023-01-15").add_days(self.tape.pick(&[0, 1, 2, 300, 400, 400, 430]));
        let cover = Cover {
            account: AccountId(Uuid::from_u128(own as u128)),
            member: MemberId(Uuid::from_u128(9)),
            insurer,
            role: InsurerRole::Supplementary,
            order: at as u32 + 1,
            relationship: self
                .tape
                .pick(&[Relationship::Principal, Relationship::Son]),
            plan: plan.id.clone(),
            start,
            end: self
                .tape
                .maybe(8, |tape| start.add_days(tape.pick(&[700, 365, 200]))),
            suspended: self.tape.once_in(25),
            prior_cover: self.tape.once_in(4),
            group_size: self.tape.pick(&[None, Some(100), Some(1_000)]),
            principal_born: None,
        };
        Insurer {
            cover,
            tariff: self.tape.once_in(2).then(|| self.tariff("national")),
            contract: self.tape.once_in(3).then(|| self.tariff("contract")),
            said: self.tape.once_in(8).then(|| self.says()),
            plan: plan.into(),
        }
    }

    fn says(&mut self) -> InsurerSays {
        match self.tape.below(3) {
            0 => InsurerSays::Approved,
            1 => InsurerSays::Refused,
            _ => InsurerSays::Adjusted(vec![(1, self.amount()), (3, self.amount())]),
        }
    }

    fn rounding(&mut self) -> Rounding {
        let ways = &[RoundingWay::HalfUp, RoundingWay::Down, RoundingWay::Up];
        match self.tape.once_in(5) {
            true => Rounding {
                to: Amount::new(self.tape.pick(&[10, 1, 1_000])).unwrap(),
                way: self.tape.pick(ways),
            },
            false => Rounding::default(),
        }
    }

    fn plan(&mut self, insurer: ParticipantId) -> Plan {
        let limits = self.limits();
        let benefits = 1 + self.tape.pick(&[0, 1, 2, 3]);
        Plan {
            id: PlanId::parse(&format!("plan-{insurer}")).unwrap(),
            version: 1,
            insurer,
            title: String::new(),
            currency: currency(if self.tape.once_in(40) { "USD" } else { "IRR" }),
            from: day("2020-01-01"),
            to: None,
            calendar: self.tape.pick(CALENDARS),
            year: self.tape.pick(&[YearStart::Cover, YearStart::Calendar]),
            mode: self.tape.pick(&[Mode::Offset, Mode::Waive, Mode::Additive]),
            coordination: self
                .tape
                .pick(&[Coordination::Standard, Coordination::CarveOut]),
            rounding: self.rounding(),
            tariff: None,
            groups: vec![named_group()],
            benefits: (0..benefits).map(|at| self.benefit(at, &limits)).collect(),
            exclusions: self.tape.maybe(5, exclusion).into_iter().collect(),
            age_out: self.tape.maybe(6, age_out).into_iter().collect(),
            clinical: takmil_domain::clinical::Terms::default(),
            procedures: self.tape.maybe(5, procedures).into_iter().collect(),
            limits,
        }
    }

    fn limits(&mut self) -> Vec<Limit> {
        let ceilings = self.tape.pick(&[0, 1, 2, 3, 4]);
        let mut limits: Vec<Limit> = (0..ceilings)
            .map(|at| {
                let unit = self.tape.pick(&[
                    LimitUnit::Money,
                    LimitUnit::Money,
                    LimitUnit::Count,
                    LimitUnit::Days,
                    LimitUnit::Visits,
                ]);
                let limit = self.limit(&format!("L{at}"), LimitKind::Ceiling, unit);
                let outer = (at > 0 && self.tape.once_in(4)).then(|| format!("L{}", at - 1));
                Limit {
                    within: outer.and_then(|outer| LimitCode::parse(&outer)),
                    ..limit
                }
            })
            .collect();
        let money = [
            ("deductible", LimitKind::Deductible, 2),
            ("second", LimitKind::Deductible, 8),
            ("most", LimitKind::OutOfPocket, 2),
            ("once", LimitKind::Copay, 3),
            ("least", LimitKind::LeastShare, 3),
        ];
        for (id, kind, times) in money {
            if self.tape.once_in(times) {
                limits.push(self.limit(id, kind, LimitUnit::Money));
            }
        }
        limits
    }

    fn limit(&mut self, id: &str, kind: LimitKind, unit: LimitUnit) -> Limit {
        let per = match (kind, unit, self.tape.pick(PERS)) {
            (_, LimitUnit::Visits, LimitPer::Item | LimitPer::Visit)
            | (LimitKind::Copay | LimitKind::LeastShare, _, LimitPer::Item) => LimitPer::Year,
            (.., per) => per,
        };
        let owner = self.tape.pick(&[LimitOwner::Member, LimitOwner::Account]);
        Limit {
            id: LimitCode::parse(id).unwrap(),
            title: String::new(),
            kind,
            unit,
            per,
            owner: if per == LimitPer::Item {
                LimitOwner::Member
            } else {
                owner
            },
            within: None,
            ceiling: match (kind, unit) {
                (LimitKind::Deductible | LimitKind::Copay | LimitKind::LeastShare, _) => {
                    self.small().get()
                }
                (_, LimitUnit::Money) => self.amount().get(),
                _ => self.tape.pick(&[5, 2, 1, 30, 0]),
            },
        }
    }

    fn benefit(&mut self, at: usize, limits: &[Limit]) -> Benefit {
        let named = limits.iter().filter(|limit| limit.kind.is_named());
        Benefit {
            id: BenefitId::parse(&format!("b{at}")).unwrap(),
            title: String::new(),
            codes: vec![group(self.tape)],
            rate: self.rate(),
            copay: if self.tape.once_in(3) {
                self.small()
            } else {
                Amount::ZERO
            },
            deductible: self.tape.once_in(2),
            waiting_months: self.tape.pick(&[0, 0, 0, 0, 3, 9]),
            waiver: Waiver {
                prior_cover: self.tape.once_in(3),
                group_over: self.tape.pick(&[None, Some(250)]),
            },
            authorisation: match self.tape.below(8) {
                5 => AuthorisationRule::Pend,
                6 => AuthorisationRule::Penalty { rate: self.rate() },
                7 => AuthorisationRule::Refuse,
                _ => AuthorisationRule::Pay,
            },
            max_quantity: self.tape.once_in(4).then(|| self.quantity()),
            age_min: self.tape.pick(&[None, None, None, None, Some(18)]),
            age_max: self.tape.pick(&[None, None, None, None, Some(30)]),
            sex: self.tape.pick(&[None, None, None, None, Some(Sex::Female)]),
            tiers: self.tape.maybe(4, tier_terms).into_iter().collect(),
            authorisation_over: if self.tape.once_in(8) {
                self.small()
            } else {
                Amount::ZERO
            },
            classes: self
                .tape
                .maybe(60, |_| EncounterClass::Inpatient)
                .into_iter()
                .collect(),
            diagnoses: self.tape.maybe(60, |_| diagnosis()).into_iter().collect(),
            limits: named
                .filter(|_| !self.tape.once_in(3))
                .map(|limit| limit.id.clone())
                .collect(),
        }
    }

    fn base(&mut self) -> (BasePlan, Tariff) {
        let tariff = self.tariff("base");
        let rate = |maker: &mut Self| BaseRate {
            codes: group(maker.tape),
            class: maker.tape.pick(&[None, Some(EncounterClass::Inpatient)]),
            rate: maker.rate(),
        };
        let plan = BasePlan {
            id: PlanId::parse("base").unwrap(),
            version: 1,
            insurer: ParticipantId::parse("base").unwrap(),
            title: String::new(),
            currency: tariff.document().currency,
            from: day("2020-01-01"),
            to: None,
            tariff: tariff.document().id.clone(),
            groups: Vec::new(),
            rates: vec![rate(self), rate(self)],
        };
        (plan, tariff)
    }

    fn tariff(&mut self, id: &str) -> Tariff {
        let mut prices = Vec::new();
        for system in SYSTEMS {
            for code in CODES {
                for sector in [None, Some(Sector::Private)] {
                    if self.tape.once_in(if sector.is_none() { 2 } else { 16 }) {
                        prices.push(self.price(system, code, sector));
                    }
                }
            }
        }
        let k = |maker: &mut Self, sector| KValues {
            sector,
            professional: maker.amount(),
            technical: maker.amount(),
            anaesthesia: maker.amount(),
        };
        let document = tariff::Document {
            id: TariffId::parse(id).unwrap(),
            version: 1,
            title: String::new(),
            currency: currency(if self.tape.once_in(60) { "USD" } else { "IRR" }),
            from: day("2020-01-01"),
            to: None,
            contract: None,
            k: vec![k(self, None), k(self, Some(Sector::Private))],
            prices,
            packages: Vec::new(),
            generics: Vec::new(),
        };
        Tariff::try_from(document).unwrap()
    }

    fn price(&mut self, system: &str, code: &str, sector: Option<Sector>) -> Price {
        let relative = self.tape.once_in(3).then(|| RelativeValues {
            professional: self.quantity(),
            technical: self.tape.once_in(2).then(|| self.quantity()),
            anaesthesia: self.tape.once_in(2).then(|| self.quantity()),
        });
        Price {
            code: Code::new(system, code),
            sector,
            price: if relative.is_none() {
                Some(self.amount())
            } else {
                None
            },
            relative,
            reference: self.tape.once_in(4).then(|| self.amount()),
        }
    }

    fn line(&mut self, seq: u32, insurers: &[Arc<Insurer>]) -> BillLine<'static> {
        let inside = !self.tape.once_in(3);
        let mixed = self.tape.once_in(4);
        BillLine {
            seq,
            system: self.tape.pick(SYSTEMS),
            code: self.tape.pick(CODES),
            date: day("2024-03-19").add_days(self.tape.pick(&[0, 0, 1, 2, 35, 300, 366])),
            quantity: self.quantity(),
            billed: if self.tape.once_in(10) {
                None
            } else {
                Some(self.amount())
            },
            base_paid: self.tape.once_in(5).then(|| self.amount()),
            base_said_by: None,
            subsidy: if self.tape.once_in(6) {
                self.amount()
            } else {
                Amount::ZERO
            },
            network: insurers
                .iter()
                .map(|_| match (mixed, inside) {
                    (true, _) => self
                        .tape
                        .pick(&[Tier::FIRST, Tier::Outside, Tier::Inside(2)]),
                    (false, true) => Tier::FIRST,
                    (false, false) => Tier::Outside,
                })
                .collect(),
            parts: Vec::new(),
            bilateral: self.tape.once_in(6),
            reference_price: self.tape.once_in(6).then(|| self.amount()),
            substitution_refused: self.tape.once_in(4),
            authorised: insurers
                .iter()
                .map(|_| {
                    self.tape.once_in(6).then(|| AuthorisedLine {
                        quantity: self.tape.once_in(2).then(|| self.quantity()),
                        amount: self.tape.once_in(2).then(|| self.amount()),
                    })
                })
                .collect(),
            circumstance: self
                .tape
                .pick(&[None, Some("accident"), Some("therapeutic")]),
        }
    }
}

fn group(tape: &mut Tape) -> CodeGroup {
    let system = tape.pick(&[None, None, None, Some("s")]).map(str::to_owned);
    match tape.below(12) {
        9 => CodeGroup::Named(GroupId::parse("g").unwrap().into()),
        10 => CodeGroup::Listed {
            system,
            codes: ["A1", "C9"].map(str::to_owned).into(),
        },
        11 => CodeGroup::Range {
            system,
            from: "A2".to_owned(),
            to: "B".to_owned(),
        },
        _ => CodeGroup::Prefix {
            system,
            prefix: tape.pick(PREFIXES).to_owned(),
        },
    }
}

fn named_group() -> Group {
    let part = |prefix: &str| CodeGroup::Prefix {
        system: None,
        prefix: prefix.to_owned(),
    };
    Group {
        id: GroupId::parse("g").unwrap(),
        title: String::new(),
        codes: vec![part("A"), part("B")],
        except: vec![part("A2")],
    }
}

fn diagnosis() -> CodeGroup {
    CodeGroup::Prefix {
        system: Some("icd".to_owned()),
        prefix: "O".to_owned(),
    }
}

fn procedures(tape: &mut Tape) -> ProcedureRule {
    let ranks = tape.pick(&[&["1", "0.5", "0.25"][..], &["1", "1/3"], &["0.8"]]);
    ProcedureRule {
        codes: vec![group(tape)],
        ranks: ranks
            .iter()
            .map(|rank| Rate::parse(rank).unwrap())
            .collect(),
    }
}

fn tier_terms(tape: &mut Tape) -> TierTerms {
    TierTerms {
        tier: tape.pick(&[Tier::Outside, Tier::Inside(2)]),
        rate: tape.pick(&[None, Some("0.4")]).and_then(Rate::parse),
        copay: tape.pick(&[None, Some(50)]).and_then(Amount::new),
        refused: tape.once_in(12),
    }
}

fn exclusion(tape: &mut Tape) -> Exclusion {
    Exclusion {
        title: String::new(),
        codes: vec![group(tape)],
        diagnoses: tape.maybe(8, |_| diagnosis()).into_iter().collect(),
        unless: tape.maybe(2, exception).into_iter().collect(),
    }
}

fn exception(tape: &mut Tape) -> Exception {
    Exception {
        circumstance: tape.pick(&[Some("accident"), None]).map(str::to_owned),
        age_min: tape.pick(&[None, Some(18)]),
        age_max: tape.pick(&[None, None, Some(30)]),
        diagnoses: tape.maybe(6, |_| diagnosis()).into_iter().collect(),
    }
}

fn age_out(tape: &mut Tape) -> AgeOut {
    AgeOut {
        relationship: Relationship::Son,
        age: tape.pick(&[22, 12]) as u32,
    }
}

fn currency(code: &str) -> Currency {
    Currency::parse(code).unwrap()
}

fn day(text: &str) -> Date {
    Date::parse(text).unwrap()
}
