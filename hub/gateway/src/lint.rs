//! What is said of documents before they come into force, by themselves and beside the others that there are: what is
//! wrong with one keeps it out, so that no admission ever meets it; what is only odd is told whoever answers for it.

use serde::Serialize;
use takmil_domain::code::Code;
use takmil_domain::code_map::CodeMap;
use takmil_domain::date::Date;
use takmil_domain::ids::TariffId;
use takmil_domain::lint::{Remarks, Versioned as _};
use takmil_domain::money::Currency;
use takmil_domain::participant::{Participant, Role};
use takmil_domain::plan::{BasePlan, Plan, Regulation};
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_domain::tariff::{self, Contract};
use takmil_engine::Catalog;
use takmil_formats::MAX_PROBLEMS;
use takmil_mappings::{Lookup, Tables};

/// Something odd about a document that can be used all the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Remark {
    /// Where, as a JSON pointer into the document.
    pub(crate) pointer: String,
    /// What.
    pub(crate) detail: String,
}

impl Remark {
    pub(crate) fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Remark {
        Remark {
            pointer: pointer.into(),
            detail: detail.into(),
        }
    }
}

/// What documents are held against, beside themselves.
pub(crate) struct Beside<'a> {
    /// The documents in force.
    pub(crate) catalog: &'a Catalog,
    /// The codes of the common scheme.
    pub(crate) tables: &'a Tables,
}

/// A document that is looked over before it comes into force.
pub(crate) trait Linted {
    /// What is wrong with it, by itself and beside the others.
    fn problems_beside(&self, beside: &Beside<'_>) -> Vec<Problem>;

    /// What its author, and whoever approves it, should look at.
    fn remarks_beside(&self, beside: &Beside<'_>) -> Vec<Remark>;
}

impl Linted for Plan {
    fn problems_beside(&self, beside: &Beside<'_>) -> Vec<Problem> {
        let catalog = beside.catalog;
        let mut problems = faults(self.faults());
        let earlier = catalog.plan_versions(&self.id).iter();
        problems.extend(faults(self.faults_after(earlier.map(|own| &***own))));
        if let Some(tariff) = &self.tariff {
            problems.extend(tariff_problem(tariff, self.from, self.currency, catalog));
        }
        for regulation in catalog.regulations() {
            let breaches = regulation.breaches(self).into_iter();
            problems.extend(breaches.map(|breach| {
                let detail = format!("{}: {}", breach.requirement, breach.detail);
                Problem::new(ProblemCode::BadValue, breach.pointer, detail)
            }));
        }
        problems
    }

    fn remarks_beside(&self, beside: &Beside<'_>) -> Vec<Remark> {
        let mut remarks = odd(self.remarks());
        if let Some(tariff) = &self.tariff {
            remarks.extend(tariff_remark(tariff, (self.from, self.to), beside.catalog));
        }
        remarks
    }
}

impl Linted for BasePlan {
    fn problems_beside(&self, beside: &Beside<'_>) -> Vec<Problem> {
        let mut problems = faults(self.faults());
        let tariff = tariff_problem(&self.tariff, self.from, self.currency, beside.catalog);
        problems.extend(tariff);
        problems
    }

    fn remarks_beside(&self, beside: &Beside<'_>) -> Vec<Remark> {
        let mut remarks = odd(self.remarks());
        remarks.extend(tariff_remark(
            &self.tariff,
            (self.from, self.to),
            beside.catalog,
        ));
        remarks
    }
}

impl Linted for tariff::Document {
    fn problems_beside(&self, beside: &Beside<'_>) -> Vec<Problem> {
        let catalog = beside.catalog;
        let mut problems = faults(self.faults());
        let at_ends = [self.from, last_day(self.from, self.to)];
        let earlier = at_ends.map(|day| catalog.tariff_on(&self.id, day));
        let earlier = earlier.iter().flatten().map(|own| own.document());
        problems.extend(faults(self.faults_after(earlier)));
        let Some(contract) = &self.contract else {
            return problems;
        };
        problems.extend(party_problems(contract, self.currency, catalog));
        let Contract { provider, insurer } = contract;
        let beside = at_ends.iter().find_map(|day| {
            let other = catalog.agreed_tariff_on(provider, insurer, *day)?;
            let overlap = faults(self.faults_beside(other.document()));
            (!overlap.is_empty()).then_some(overlap)
        });
        problems.extend(beside.into_iter().flatten());
        problems
    }

    fn remarks_beside(&self, beside: &Beside<'_>) -> Vec<Remark> {
        let mut remarks = odd(self.remarks());
        let agreed = self.contract.as_ref().map(|own| &own.insurer);
        let agreed = agreed.and_then(|insurer| beside.catalog.contract(insurer));
        if agreed.is_some_and(|agreed| agreed.price_notice_days == 0) {
            let detail = "the insurer's contract asks for no notice of changes";
            remarks.push(Remark::new("/contract/insurer", detail));
        }
        let prices = self.prices.iter().map(|row| &row.code).enumerate();
        let prices = prices.map(|(at, code)| (format!("/prices/{at}/code"), code));
        let packages = self.packages.iter().map(|own| &own.code).enumerate();
        let packages = packages.map(|(at, code)| (format!("/packages/{at}/code"), code));
        let unknown = prices.chain(packages).filter_map(|(pointer, code)| {
            let detail = unknown_code(code, beside.tables)?;
            Some(Remark::new(pointer, detail))
        });
        remarks.extend(unknown);
        remarks
    }
}

impl Linted for Participant {
    fn problems_beside(&self, _: &Beside<'_>) -> Vec<Problem> {
        faults(self.faults())
    }

    fn remarks_beside(&self, _: &Beside<'_>) -> Vec<Remark> {
        odd(self.remarks())
    }
}

impl Linted for Regulation {
    fn problems_beside(&self, _: &Beside<'_>) -> Vec<Problem> {
        faults(self.faults())
    }

    fn remarks_beside(&self, _: &Beside<'_>) -> Vec<Remark> {
        Vec::new()
    }
}

impl Linted for CodeMap {
    fn problems_beside(&self, beside: &Beside<'_>) -> Vec<Problem> {
        let catalog = beside.catalog;
        let mut problems = faults(self.faults());
        let insurer = catalog.participant(&self.insurer);
        if insurer.is_none_or(|known| known.role != Role::Insurer) {
            let detail = "there is no such insurer";
            problems.push(Problem::new(
                ProblemCode::DanglingReference,
                "/insurer",
                detail,
            ));
        }
        let kept = catalog.code_map(&self.insurer);
        if kept.is_some_and(|kept| self.version < kept.version) {
            let detail = "a later version is kept";
            problems.push(Problem::new(ProblemCode::BadValue, "/version", detail));
        }
        problems
    }

    fn remarks_beside(&self, beside: &Beside<'_>) -> Vec<Remark> {
        let mut remarks = Vec::new();
        for (at, row) in self.plans.iter().enumerate() {
            let versions = beside.catalog.plan_versions(&row.plan);
            if versions.iter().all(|plan| plan.insurer != self.insurer) {
                let detail = "the insurer has no such plan";
                remarks.push(Remark::new(format!("/plans/{at}/plan"), detail));
            }
        }
        let items = self.items.iter().enumerate();
        remarks.extend(items.filter_map(|(at, row)| {
            let detail = unknown_code(&row.item, beside.tables)?;
            Some(Remark::new(format!("/items/{at}/item"), detail))
        }));
        remarks
    }
}

/// Why a price list of which notice is given `today` begins too soon; `None` where it does not.
pub(crate) fn too_soon(list: &tariff::Document, catalog: &Catalog, today: Date) -> Option<String> {
    let contract = list.contract.as_ref()?;
    let agreed = catalog.contract(&contract.insurer);
    let notice = agreed.map_or(0, |agreed| agreed.price_notice_days);
    let earliest = today.add_days(notice);
    let detail = format!("notice is given {notice} days ahead: not before {earliest}");
    (list.from < earliest).then_some(detail)
}

/// What makes a document useless, as problems: no more of them than an answer tells.
pub(crate) fn faults(faults: Remarks) -> Vec<Problem> {
    let bad =
        |(pointer, detail): (String, &str)| Problem::new(ProblemCode::BadValue, pointer, detail);
    faults.into_iter().take(MAX_PROBLEMS).map(bad).collect()
}

/// What is odd about a document.
pub(crate) fn odd(remarks: Remarks) -> Vec<Remark> {
    let remark = |(pointer, detail): (String, &str)| Remark::new(pointer, detail);
    remarks.into_iter().map(remark).collect()
}

/// The last day on which a document is in force; the last of all where it has no end.
fn last_day(from: Date, to: Option<Date>) -> Date {
    to.or(Date::from_ymd(9999, 12, 31)).unwrap_or(from)
}

/// A plan whose tariff would price nothing: it is not in force when the plan begins, or in another currency.
fn tariff_problem(
    id: &TariffId,
    from: Date,
    currency: Currency,
    catalog: &Catalog,
) -> Option<Problem> {
    let Some(tariff) = catalog.tariff_on(id, from) else {
        let detail = format!("no version of it is in force on {from}");
        return Some(Problem::new(
            ProblemCode::DanglingReference,
            "/tariff",
            detail,
        ));
    };
    let document = tariff.document();
    let detail = format!("its tariff is in {}", document.currency);
    let differs = document.currency != currency;
    differs.then(|| Problem::new(ProblemCode::BadValue, "/currency", detail))
}

/// A plan that outlives its tariff.
fn tariff_remark(
    id: &TariffId,
    (from, to): (Date, Option<Date>),
    catalog: &Catalog,
) -> Option<Remark> {
    let detail = "no version of it is in force at the plan's end";
    let at_end = catalog.tariff_on(id, last_day(from, to));
    at_end.is_none().then(|| Remark::new("/tariff", detail))
}

/// Parties of a price list that are none, or use another currency.
fn party_problems(contract: &Contract, currency: Currency, catalog: &Catalog) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (place, id, role) in [
        ("provider", &contract.provider, Role::Provider),
        ("insurer", &contract.insurer, Role::Insurer),
    ] {
        let known = catalog.participant(id);
        if known.is_none_or(|known| known.role != role) {
            let detail = format!("there is no such {}", role.as_str());
            let pointer = format!("/contract/{place}");
            problems.push(Problem::new(
                ProblemCode::DanglingReference,
                pointer,
                detail,
            ));
        }
    }
    let insurer = catalog.participant(&contract.insurer);
    let agreed = insurer.and_then(|insurer| insurer.currency);
    if let Some(agreed) = agreed.filter(|agreed| *agreed != currency) {
        let detail = format!("the insurer's contract is in {agreed}");
        problems.push(Problem::new(ProblemCode::BadValue, "/currency", detail));
    }
    problems
}

/// Why no bill is priced by a code.
fn unknown_code(code: &Code, tables: &Tables) -> Option<String> {
    match tables.common(&code.system, &code.code) {
        Lookup::Mapped(mapped) if mapped.common == *code => None,
        Lookup::Mapped(mapped) => {
            let Code { system, code } = mapped.common;
            let detail = format!("bills have it as {code} of {system}, and find no price here");
            Some(detail)
        }
        Lookup::Unmapped(gap) => {
            let gap = gap.reason.code();
            Some(format!("the common scheme does not know it ({gap})"))
        }
    }
}
