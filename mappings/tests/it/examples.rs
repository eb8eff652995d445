//! The packs' plans and tariffs give the seven published examples of a share.

use takmil_domain::bill::EncounterClass;
use takmil_domain::coverage::{Cover, Person};
use takmil_domain::date::Date;
use takmil_domain::ids::{AccountId, MemberId, TariffId};
use takmil_domain::limit::{LimitKey, LimitNeed};
use takmil_domain::money::{Amount, Quantity};
use takmil_domain::party::{InsurerRole, Sector, Sex};
use takmil_domain::plan::{FiledPlan, Plan, Relationship, Tier};
use takmil_domain::share::{AuthorisedLine, BillLine, Case, CoverTerms};
use takmil_domain::tariff::Tariff;
use takmil_mappings::packs::pack;
use takmil_mappings::systems::{SYNTHETIC_RVU, SYNTHETIC_SERVICES};

/// A bill of one line before plans of a pack.
#[derive(Clone, Copy)]
struct Trial<'a> {
    pack: &'a str,
    plans: &'a [&'a str],
    system: &'a str,
    code: &'a str,
    on: &'a str,
    cover_from: &'a str,
    prior_cover: bool,
    billed: i64,
    /// What the base insurer really paid.
    base_paid: Option<i64>,
    /// Whether the pack's base insurer is asked.
    base: bool,
    in_network: bool,
    sector: Sector,
    authorised: bool,
    /// What is left of the plans' limits, where it is less than their ceilings.
    left: &'a [(&'a str, i64)],
}

/// A trial before the Iranian plan of the examples, without base insurer.
const TRIAL: Trial<'_> = Trial {
    pack: "ir",
    plans: &["ir-omid-basic"],
    system: SYNTHETIC_RVU,
    code: "",
    on: "2026-11-01",
    cover_from: "2025-01-01",
    prior_cover: false,
    billed: 0,
    base_paid: None,
    base: false,
    in_network: true,
    sector: Sector::Private,
    authorised: false,
    left: &[],
};

impl Trial<'_> {
    /// Checks base share, supplementary shares, member share, and what is left of the limits drawn on.
    fn gives(&self, base: i64, supplementary: &[i64], member: i64, left_after: &[(&str, i64)]) {
        let pack = pack(self.pack).unwrap();
        let (plans, base_plans, tariffs) = (
            pack.plans().unwrap(),
            pack.base_plans().unwrap(),
            pack.tariffs().unwrap(),
        );
        let tariff = |id: &TariffId| tariffs.iter().find(|one| one.document().id == *id);
        let plan = |id: &&str| plans.iter().find(|plan| plan.id.as_str() == *id).unwrap();
        let plans: Vec<FiledPlan> = self
            .plans
            .iter()
            .map(|id| plan(id).clone().into())
            .collect();
        let covers: Vec<Cover> = plans.iter().map(|plan| self.cover(plan)).collect();
        let terms = |(plan, cover)| -> CoverTerms<'_> {
            let (plan, cover): (&FiledPlan, &Cover) = (plan, cover);
            CoverTerms {
                cover,
                plan,
                tariff: plan.tariff.as_ref().and_then(tariff),
                contract: None,
                said: None,
                refused: &[],
            }
        };
        let base_terms: Option<(_, &Tariff)> = base_plans
            .first()
            .filter(|_| self.base)
            .map(|plan| (plan, tariff(&plan.tariff).unwrap()));
        let case = Case {
            currency: pack.settings().unwrap().currency,
            person: Person {
                birth_date: Date::parse("1990-01-01"),
                sex: Some(Sex::Female),
            },
            visit: "visit",
            class: Some(EncounterClass::Outpatient),
            sector: Some(self.sector),
            base: base_terms,
            accident: false,
            diagnoses: Vec::new(),
            asks_leave: false,
            covers: plans.iter().zip(&covers).map(terms).collect(),
            lines: vec![self.line()],
        };
        let left = |need: &LimitNeed| self.left_of(&need.key, need.ceiling);
        let split = case.split(left);
        let left = split.after();

        let line = split.lines.first().unwrap();
        let paid: Vec<i64> = line
            .supplementary
            .iter()
            .map(|share| share.amount.get())
            .collect();
        assert_eq!(
            (line.base.get(), paid.as_slice(), line.member.get()),
            (base, supplementary, member),
            "{:?}",
            line.reasons
        );
        for (wanted_name, wanted) in left_after {
            let at = split
                .needs
                .iter()
                .position(|need| name(&need.key) == *wanted_name)
                .unwrap();
            assert_eq!(left[at], *wanted, "{wanted_name}");
        }
    }

    fn line(&self) -> BillLine<'_> {
        let tier = if self.in_network {
            Tier::FIRST
        } else {
            Tier::Outside
        };
        BillLine {
            seq: 1,
            system: self.system,
            code: self.code,
            date: Date::parse(self.on).unwrap(),
            quantity: Quantity::ONE,
            billed: Amount::new(self.billed),
            base_paid: self.base_paid.and_then(Amount::new),
            base_said_by: None,
            subsidy: Amount::ZERO,
            network: vec![tier; self.plans.len()],
            parts: Vec::new(),
            bilateral: false,
            reference_price: None,
            substitution_refused: false,
            authorised: vec![self.authorised.then(AuthorisedLine::default); self.plans.len()],
            circumstance: None,
        }
    }

    fn left_of(&self, limit: &LimitKey, ceiling: i64) -> i64 {
        self.left
            .iter()
            .find(|(known, _)| *known == name(limit))
            .map_or(ceiling, |(_, left)| *left)
    }

    fn cover(&self, plan: &Plan) -> Cover {
        Cover {
            account: AccountId::parse("00000000-0000-7000-8000-000000000001").unwrap(),
            member: MemberId::parse("00000000-0000-7000-8000-000000000002").unwrap(),
            insurer: plan.insurer.clone(),
            role: InsurerRole::Supplementary,
            order: 1,
            relationship: Relationship::Principal,
            plan: plan.id.clone(),
            start: Date::parse(self.cover_from).unwrap(),
            end: None,
            suspended: false,
            prior_cover: self.prior_cover,
            group_size: None,
            principal_born: None,
        }
    }
}

/// How the examples name a limit.
fn name(limit: &LimitKey) -> String {
    format!("{}/{}", limit.insurer, limit.code)
}

#[test]
fn example_1_a_visit_at_the_state_tariff() {
    let trial = Trial {
        code: "ZV0010",
        billed: 115_000,
        base: true,
        sector: Sector::Public,
        ..TRIAL
    };
    trial.gives(80_500, &[34_500], 0, &[("ir-omid/outpatient", 19_965_500)]);
}

#[test]
fn example_2_three_surgeries_use_up_a_ceiling() {
    let surgery = |code, billed, base, left| Trial {
        code,
        billed,
        base_paid: Some(base),
        left,
        ..TRIAL
    };
    surgery("ZS2020", 75_000_000, 18_000_000, &[]).gives(
        18_000_000,
        &[57_000_000],
        0,
        &[("ir-omid/hospital", 63_000_000)],
    );
    surgery(
        "ZS2030",
        60_000_000,
        22_500_000,
        &[("ir-omid/hospital", 63_000_000)],
    )
    .gives(
        22_500_000,
        &[37_500_000],
        0,
        &[("ir-omid/hospital", 25_500_000)],
    );
    surgery(
        "ZS1040",
        40_000_000,
        8_000_000,
        &[("ir-omid/hospital", 25_500_000)],
    )
    .gives(
        8_000_000,
        &[25_500_000],
        6_500_000,
        &[("ir-omid/hospital", 0)],
    );
}

#[test]
fn example_3_an_mri_outside_the_network() {
    let trial = Trial {
        code: "ZI3210",
        billed: 22_000_000,
        in_network: false,
        ..TRIAL
    };
    trial.gives(0, &[12_000_000], 10_000_000, &[("ir-omid/imaging", 0)]);
}

#[test]
fn example_4_two_insurers() {
    let plans = &["ir-omid-basic", "ir-pars-silver"];
    let trial = Trial {
        plans,
        code: "ZS1040",
        billed: 50_000_000,
        base_paid: Some(9_000_000),
        left: &[("ir-omid/hospital", 25_000_000)],
        ..TRIAL
    };
    trial.gives(
        9_000_000,
        &[25_000_000, 16_000_000],
        0,
        &[("ir-omid/hospital", 0), ("ir-pars/hospital", 84_000_000)],
    );
}

#[test]
fn example_5_maternity_waits_nine_months_of_the_persian_calendar() {
    let waiting = Trial {
        code: "ZM6020",
        billed: 40_000_000,
        base_paid: Some(20_000_000),
        on: "2024-12-05",
        cover_from: "2024-04-20",
        ..TRIAL
    };
    waiting.gives(
        20_000_000,
        &[0],
        20_000_000,
        &[("ir-omid/maternity", 40_000_000)],
    );
    Trial {
        prior_cover: true,
        ..waiting
    }
    .gives(
        20_000_000,
        &[20_000_000],
        0,
        &[("ir-omid/maternity", 20_000_000)],
    );
    // Excluded, and the base insurer pays nothing either.
    Trial {
        code: "ZC9010",
        billed: 8_000_000,
        prior_cover: true,
        ..TRIAL
    }
    .gives(0, &[0], 8_000_000, &[]);
}

#[test]
fn example_6_a_brand_at_the_price_of_its_generic() {
    let trial = Trial {
        pack: "ma",
        plans: &["ma-mutuelle-360"],
        system: SYNTHETIC_SERVICES,
        code: "NR100",
        billed: 18_000,
        base: true,
        ..TRIAL
    };
    trial.gives(6_685, &[1_910], 9_405, &[("ma-mutuelle/drugs", 98_090)]);
}

#[test]
fn example_7_a_stay_without_and_with_pre_authorisation() {
    let stay = Trial {
        pack: "mz",
        plans: &["mz-saude-a"],
        system: SYNTHETIC_SERVICES,
        code: "NH200",
        billed: 25_000_000,
        ..TRIAL
    };
    let authorised = Trial {
        authorised: true,
        ..stay
    };
    stay.gives(
        0,
        &[20_000_000],
        5_000_000,
        &[("mz-saude/hospital", 440_000_000)],
    );
    authorised.gives(0, &[25_000_000], 0, &[("mz-saude/hospital", 435_000_000)]);
}
