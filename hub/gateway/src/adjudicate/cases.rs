//! Case files of the share computation: small neutral plans with bills and what must come out.
//!
//! A case names rates, ceilings and remainders in its own short form; here it is read into the hub's model and
//! judged by the same [`Frame`] as every admission.

mod shape;

use takmil_domain::bill::EncounterClass;
use takmil_domain::clinical;
use takmil_domain::code::Code;
use takmil_domain::coverage::{Cover, Person};
use takmil_domain::date::Date;
use takmil_domain::decision::LineShare;
use takmil_domain::ids::{AccountId, LimitCode, MemberId, ParticipantId, PlanId, TariffId};
use takmil_domain::limit::LimitNeed;
use takmil_domain::money::{Amount, Currency, Quantity};
use takmil_domain::party::{InsurerRole, Sex};
use takmil_domain::plan::{
    AuthorisationRule, BasePlan, BaseRate, Benefit, CodeGroup, Exception, Exclusion, FiledPlan,
    Limit, LimitKind, LimitOwner, LimitPer, LimitUnit, Plan, Relationship, Rounding, Tier, Waiver,
    YearStart,
};
use takmil_domain::reason::Reason;
use takmil_domain::share::{AuthorisedLine, BillLine, Case, CoverTerms};
use takmil_domain::tariff::{self, Price, Tariff};
use uuid::Uuid;

use shape::{
    CaseBenefit, CaseExclusion, CaseFile, CaseInsurer, CaseLeft, CaseLine, CaseLineResult,
    CasePlan, CasePrice, CaseResult, CaseRule,
};

/// The case's names for what is left of deductible and out-of-pocket maximum.
const DEDUCTIBLE: &str = "deductible";
const OUT_OF_POCKET: &str = "out-of-pocket";

/// Judges one case. `None` where a name or number in it cannot stand in the hub's model.
pub(crate) fn judge(file: &CaseFile) -> Option<CaseResult> {
    let insurers = file
        .insurers
        .iter()
        .map(|insurer| Terms::of(insurer, file))
        .collect::<Option<Vec<_>>>()?;
    let base = base_terms(file)?;
    let case = Case {
        currency: file.currency,
        person: Person {
            birth_date: Some(file.member.birth_date),
            sex: sex(&file.member.sex),
        },
        visit: &file.case,
        class: None::<EncounterClass>,
        sector: None,
        base: file.base.used.then_some((&base.0, &base.1)),
        accident: false,
        diagnoses: Vec::new(),
        asks_leave: false,
        covers: insurers.iter().map(Terms::borrow).collect(),
        lines: file
            .lines
            .iter()
            .map(|line| bill_line(line, insurers.len()))
            .collect(),
    };
    let split = case.split(|need| left_before(need, &insurers));
    let after = split.after();
    let remaining = |insurer: &ParticipantId, code: &str| {
        let at = split
            .needs
            .iter()
            .position(|need| need.key.insurer == *insurer && need.key.code.as_str() == code);
        at.and_then(|at| after.get(at).copied())
    };
    let lefts = insurers
        .iter()
        .map(|terms| (terms.plan.insurer.clone(), terms.left_after(&remaining)));
    Some(CaseResult {
        case: file.case.clone(),
        lines: split.lines.iter().map(line_result).collect(),
        left: lefts.collect(),
    })
}

/// An insurer's documents, owned.
struct Terms<'a> {
    cover: Cover,
    plan: FiledPlan,
    tariff: Tariff,
    contract: Tariff,
    case: &'a CasePlan,
}

impl<'a> Terms<'a> {
    fn of(insurer: &'a CaseInsurer, file: &CaseFile) -> Option<Terms<'a>> {
        let cover = file.member.covers.get(&insurer.id)?;
        let plan = plan(insurer, file.currency)?;
        let prices = |pick: fn(&CasePrice) -> Option<Amount>| {
            tariff(
                insurer
                    .plan
                    .prices
                    .iter()
                    .filter_map(|(code, price)| Some((code, pick(price)?))),
                file.currency,
            )
        };
        Some(Terms {
            cover: Cover {
                account: AccountId(Uuid::nil()),
                member: MemberId(Uuid::nil()),
                insurer: insurer.id.clone(),
                role: InsurerRole::Supplementary,
                order: 1,
                relationship: Relationship::Principal,
                plan: plan.id.clone(),
                start: cover.start,
                end: Some(cover.end),
                suspended: cover.suspended,
                prior_cover: cover.prior_cover,
                group_size: None,
                principal_born: None,
            },
            tariff: prices(|price| price.tariff)?,
            contract: prices(|price| price.contract)?,
            plan: plan.into(),
            case: &insurer.plan,
        })
    }

    fn borrow(&self) -> CoverTerms<'_> {
        CoverTerms {
            cover: &self.cover,
            plan: &self.plan,
            tariff: Some(&self.tariff),
            contract: Some(&self.contract),
            said: None,
            refused: &[],
        }
    }

    fn left_after(&self, remaining: &dyn Fn(&ParticipantId, &str) -> Option<i64>) -> CaseLeft {
        let left = |code: &str| remaining(&self.plan.insurer, code);
        let yearly = self
            .case
            .limits
            .iter()
            .filter_map(|limit| Some((limit, limit.left?)));
        CaseLeft {
            limits: yearly
                .map(|(limit, before)| {
                    (
                        limit.id.to_string(),
                        left(limit.id.as_str()).unwrap_or(before),
                    )
                })
                .collect(),
            deductible_left: left(DEDUCTIBLE).unwrap_or(self.case.deductible_left),
            oop_left: self
                .case
                .oop_left
                .map(|before| left(OUT_OF_POCKET).unwrap_or(before)),
        }
    }
}

fn left_before(need: &LimitNeed, insurers: &[Terms<'_>]) -> i64 {
    let plan = insurers
        .iter()
        .find(|terms| terms.plan.insurer == need.key.insurer)
        .map(|terms| terms.case);
    let limit = plan.and_then(|plan| plan.limits.iter().find(|limit| limit.id == need.key.code));
    limit.and_then(|limit| limit.left).unwrap_or(need.ceiling)
}

fn plan(insurer: &CaseInsurer, currency: Currency) -> Option<Plan> {
    let case = &insurer.plan;
    let mut limits: Vec<Limit> = case
        .limits
        .iter()
        .map(|limit| {
            own_limit(
                limit.id.clone(),
                LimitKind::Ceiling,
                limit.unit,
                limit.per,
                limit.ceiling,
            )
        })
        .collect();
    let money = |code, kind, ceiling| {
        Some(own_limit(
            LimitCode::parse(code)?,
            kind,
            LimitUnit::Money,
            LimitPer::Lifetime,
            ceiling,
        ))
    };
    limits.push(money(
        DEDUCTIBLE,
        LimitKind::Deductible,
        case.deductible_left,
    )?);
    if let Some(left) = case.oop_left {
        limits.push(money(OUT_OF_POCKET, LimitKind::OutOfPocket, left)?);
    }
    Some(Plan {
        id: PlanId::parse(insurer.id.as_str())?,
        version: 1,
        insurer: insurer.id.clone(),
        title: String::new(),
        currency,
        from: Date::from_ymd(1, 1, 1)?,
        to: None,
        calendar: takmil_domain::date::Calendar::Gregorian,
        year: YearStart::Cover,
        mode: case.mode,
        coordination: insurer.cob,
        rounding: Rounding::default(),
        tariff: None,
        groups: Vec::new(),
        benefits: case.benefits.iter().map(benefit).collect(),
        exclusions: case.exclusions.iter().map(exclusion).collect(),
        limits,
        age_out: Vec::new(),
        procedures: Vec::new(),
        clinical: clinical::Terms::default(),
    })
}

/// A case has one year, so that a yearly limit is the lifetime's.
fn own_limit(
    id: LimitCode,
    kind: LimitKind,
    unit: LimitUnit,
    per: LimitPer,
    ceiling: i64,
) -> Limit {
    let per = if per == LimitPer::Year {
        LimitPer::Lifetime
    } else {
        per
    };
    Limit {
        id,
        title: String::new(),
        kind,
        unit,
        per,
        owner: LimitOwner::Member,
        within: None,
        ceiling,
    }
}

fn benefit(case: &CaseBenefit) -> Benefit {
    Benefit {
        id: case.id.clone(),
        title: String::new(),
        codes: groups(&case.codes),
        rate: case.rate,
        copay: case.copay,
        tiers: Vec::new(),
        deductible: case.deductible,
        waiting_months: case.waiting_months,
        waiver: Waiver {
            prior_cover: case.waiver_prior_cover,
            group_over: None,
        },
        authorisation: match case.authorisation {
            CaseRule::None => AuthorisationRule::Pay,
            CaseRule::Refuse => AuthorisationRule::Refuse,
            CaseRule::Penalty => AuthorisationRule::Penalty {
                rate: case.penalty_rate,
            },
        },
        authorisation_over: Amount::ZERO,
        max_quantity: case.max_quantity.map(Quantity::whole),
        age_min: Some(case.age_min),
        age_max: Some(case.age_max),
        sex: case.sex.as_deref().and_then(sex),
        classes: Vec::new(),
        diagnoses: Vec::new(),
        limits: case.limits.clone(),
    }
}

fn exclusion(case: &CaseExclusion) -> Exclusion {
    Exclusion {
        title: String::new(),
        codes: groups(&case.codes),
        diagnoses: Vec::new(),
        unless: case
            .unless
            .as_deref()
            .map(circumstance)
            .into_iter()
            .collect(),
    }
}

fn circumstance(named: &str) -> Exception {
    Exception {
        circumstance: Some(named.to_owned()),
        ..Exception::default()
    }
}

fn groups(prefixes: &[String]) -> Vec<CodeGroup> {
    prefixes.iter().map(|prefix| group(prefix)).collect()
}

fn sex(letter: &str) -> Option<Sex> {
    match letter {
        "F" => Some(Sex::Female),
        "M" => Some(Sex::Male),
        _ => None,
    }
}

fn base_terms(file: &CaseFile) -> Option<(BasePlan, Tariff)> {
    let tariff = tariff(
        file.base.tariff.iter().map(|(code, price)| (code, *price)),
        file.currency,
    )?;
    let plan = BasePlan {
        id: PlanId::parse("base")?,
        version: 1,
        insurer: ParticipantId::parse("base")?,
        title: String::new(),
        currency: file.currency,
        from: Date::from_ymd(1, 1, 1)?,
        to: None,
        tariff: tariff.document().id.clone(),
        groups: Vec::new(),
        rates: vec![BaseRate {
            codes: group(""),
            class: None,
            rate: file.base.rate,
        }],
    };
    Some((plan, tariff))
}

fn tariff<'a>(
    prices: impl Iterator<Item = (&'a String, Amount)>,
    currency: Currency,
) -> Option<Tariff> {
    let price = |(code, price): (&String, Amount)| Price {
        code: Code::new("", code.as_str()),
        sector: None,
        price: Some(price),
        relative: None,
        reference: None,
    };
    let document = tariff::Document {
        id: TariffId::parse("case")?,
        version: 1,
        title: String::new(),
        currency,
        from: Date::from_ymd(1, 1, 1)?,
        to: None,
        contract: None,
        k: Vec::new(),
        prices: prices.map(price).collect(),
        packages: Vec::new(),
        generics: Vec::new(),
    };
    Tariff::try_from(document).ok()
}

fn group(prefix: &str) -> CodeGroup {
    CodeGroup::Prefix {
        system: None,
        prefix: prefix.to_owned(),
    }
}

fn bill_line(line: &CaseLine, covers: usize) -> BillLine<'_> {
    let billed = line.quantity.times(line.unit_price);
    BillLine {
        quantity: line.quantity,
        base_paid: line.base_paid,
        network: vec![tier(line.in_network); covers],
        reference_price: line.reference_price,
        substitution_refused: line.substitution_refused,
        authorised: {
            let own = line.authorisation.as_ref().map(|own| AuthorisedLine {
                quantity: own.quantity,
                amount: own.amount,
            });
            vec![own; covers]
        },
        circumstance: line.circumstance.as_deref(),
        ..BillLine::new(line.seq, ("", &line.code), line.date, Some(billed))
    }
}

fn tier(inside: bool) -> Tier {
    if inside { Tier::FIRST } else { Tier::Outside }
}

fn line_result(share: &LineShare) -> CaseLineResult {
    let of = |insurer: &ParticipantId| {
        let entries = share
            .trace
            .iter()
            .filter(|entry| entry.insurer.as_ref() == Some(insurer));
        let mut names: Vec<&'static str> = entries
            .filter_map(|entry| case_reason(entry.reason))
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    };
    let refused = share
        .supplementary
        .iter()
        .filter_map(|own| Some((own.insurer.clone(), case_refusal(own.refused?))));
    let payers = share
        .supplementary
        .iter()
        .filter(|own| own.refused.is_none());
    CaseLineResult {
        seq: share.seq,
        allowed: share.allowed,
        written_off: share.written_off,
        base: share.base,
        supplementary: share
            .supplementary
            .iter()
            .map(|own| (own.insurer.clone(), own.amount))
            .collect(),
        member: share.member,
        refused: refused.collect(),
        reasons: payers
            .map(|own| (own.insurer.clone(), of(&own.insurer)))
            .filter(|(_, names)| !names.is_empty())
            .collect(),
    }
}

/// The case files' short names of refusals.
fn case_refusal(reason: Reason) -> &'static str {
    match reason {
        Reason::CoverInactive => "COVER_INACTIVE",
        Reason::CoverSuspended => "SUSPENDED",
        Reason::NoBenefit => "NO_BENEFIT",
        Reason::Excluded => "EXCLUDED",
        Reason::Waiting => "WAITING",
        Reason::AgeOutside | Reason::SexOutside => "AGE_SEX",
        Reason::AuthorisationMissing => "AUTH_MISSING",
        Reason::QuantityUsed => "QUANTITY",
        other => other.code(),
    }
}

/// The case files' short names of other reasons; `None` for those that they do not name.
fn case_reason(reason: Reason) -> Option<&'static str> {
    match reason {
        Reason::AuthorisationPenalty => Some("AUTH_PENALTY"),
        Reason::QuantityCapped => Some("QUANTITY"),
        Reason::OverContract | Reason::OverTariff => Some("OVER_TARIFF"),
        Reason::OverReference => Some("REFERENCE_PRICE"),
        Reason::AuthorisedAmount => Some("AUTH_AMOUNT"),
        Reason::OutOfPocket => Some("OOP_RELIEF"),
        Reason::LimitReached => Some("LIMIT"),
        _ => None,
    }
}
