//! Services that a tariff prices together: judged as one line, and told apart again afterwards.

use std::ops::Add;

use super::{BillLine, Case};
use crate::decision::{Input, InsurerShare, LineShare, RuleName, TraceEntry};
use crate::money::{Amount, Quantity};
use crate::reason::Reason;
use crate::tariff::{Package, Tariff};

/// Which lines of a case stand for several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Packages(Vec<Packed>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Packed {
    /// The line that names the package.
    seq: u32,
    /// What says so: tariff, version and code.
    rule: RuleName,
    /// All its lines, that one first, with what was asked for each.
    parts: Vec<(u32, Amount)>,
}

impl<'a> Case<'a> {
    /// Makes one line of each package on the bill: the line that names it, asking what all of them ask.
    ///
    /// The provider's contracts are asked for packages first, then the insurers' tariffs, then the base insurer's. A
    /// line goes to the first package that includes it. `None` where no tariff knows any.
    pub fn pack(&self) -> Option<(Case<'a>, Packages)> {
        let mut tariffs = self.tariffs();
        let known = tariffs.any(|tariff| !tariff.document().packages.is_empty());
        known.then(|| {
            let mut case = self.clone();
            let packages = case.merge_packages();
            (case, packages)
        })
    }

    fn merge_packages(&mut self) -> Packages {
        let mut packages = Packages::default();
        let mut order: Vec<(usize, &'a Tariff, &'a Package)> = (0..)
            .zip(&self.lines)
            .filter_map(|(at, line)| {
                let (tariff, package) = self.package_of(line)?;
                Some((at, tariff, package))
            })
            .collect();
        order.sort_by_key(|(at, ..)| self.lines.get(*at).map(|line| (line.date, line.seq)));
        let named: Vec<usize> = order.iter().map(|(at, ..)| *at).collect();
        let mut taken = vec![false; self.lines.len()];
        for (at, tariff, package) in order {
            let included: Vec<usize> = (0..self.lines.len())
                .filter(|other| !named.contains(other))
                .filter(|other| taken.get(*other) == Some(&false))
                .filter(|other| {
                    self.lines
                        .get(*other)
                        .is_some_and(|line| package.includes(line.system, line.code))
                })
                .collect();
            for other in &included {
                if let Some(taken) = taken.get_mut(*other) {
                    *taken = true;
                }
            }
            packages
                .0
                .extend(self.merge(at, &included, tariff, package));
        }
        let mut kept = taken.into_iter().map(|taken| !taken);
        self.lines.retain(|_| kept.next().unwrap_or(true));
        packages
    }

    /// The tariffs that may price a line, in the order in which they are asked.
    pub(super) fn tariffs(&self) -> impl Iterator<Item = &'a Tariff> + use<'a, '_> {
        let of_covers = self
            .covers
            .iter()
            .flat_map(|terms| [terms.contract, terms.tariff]);
        let base = self.base.map(|(_, tariff)| tariff);
        let known = of_covers.flatten().chain(base);
        known.filter(|tariff| tariff.document().currency == self.currency)
    }

    fn package_of(&self, line: &BillLine<'_>) -> Option<(&'a Tariff, &'a Package)> {
        let mut found = self.tariffs().filter_map(|tariff| {
            let package = tariff.package(line.system, line.code)?;
            Some((tariff, package))
        });
        found.next()
    }

    fn merge(
        &mut self,
        at: usize,
        included: &[usize],
        tariff: &Tariff,
        package: &Package,
    ) -> Option<Packed> {
        let parts: Vec<(u32, Option<Amount>, Option<Amount>, Amount)> = std::iter::once(&at)
            .chain(included)
            .filter_map(|at| self.lines.get(*at))
            .map(|line| (line.seq, line.billed, line.base_paid, line.subsidy))
            .collect();
        let line = self.lines.get_mut(at).filter(|_| !included.is_empty())?;
        // Nothing is asked or paid where no part says what.
        line.billed = parts.iter().filter_map(|part| part.1).reduce(Add::add);
        line.base_paid = parts.iter().filter_map(|part| part.2).reduce(Add::add);
        line.subsidy = parts.iter().map(|part| part.3).sum();
        line.parts = parts
            .iter()
            .map(|(seq, billed, ..)| (*seq, billed.unwrap_or_default()))
            .collect();
        let document = tariff.document();
        Some(Packed {
            seq: line.seq,
            rule: RuleName::new(
                &document.id,
                document.version,
                package.code.code.as_str().into(),
            ),
            parts: line.parts.clone(),
        })
    }
}

impl Packages {
    /// Gives each service of a package its part of the package's shares, in proportion to what was asked for it.
    ///
    /// For each line the parts still come to what was asked; for each payer they come to what it pays for the package.
    pub fn share_out(&self, lines: Vec<LineShare>) -> Vec<LineShare> {
        if self.0.is_empty() {
            return lines;
        }
        let mut all = Vec::with_capacity(lines.len());
        for line in lines {
            match self.0.iter().find(|packed| packed.seq == line.seq) {
                Some(packed) => all.extend(packed.apart(line)),
                None => all.push(line),
            }
        }
        all
    }
}

impl Packed {
    fn apart(&self, whole: LineShare) -> Vec<LineShare> {
        let mut asked: Vec<Amount> = self.parts.iter().map(|(_, asked)| *asked).collect();
        let all: Amount = asked.iter().copied().sum();
        // Where nothing was asked for any of them, the tariff's price is that of the line that names the package.
        if let Some(first) = asked.first_mut() {
            *first += whole.billed - all;
        }
        let mut open = asked.clone();
        let mut take = |amount: Amount| portions(amount, &asked, whole.billed, &mut open);
        let base = take(whole.base);
        let written_off = take(whole.written_off);
        let paid: Vec<Vec<Amount>> = whole
            .supplementary
            .iter()
            .map(|own| take(own.amount))
            .collect();
        // What is left of each line is the member's: together it is what the member pays for the package.
        let member = open;
        let allowed = portions(whole.allowed, &asked, whole.billed, &mut asked.clone());
        let subsidy = portions(whole.subsidy, &base, whole.base, &mut base.clone());
        let recognised: Vec<Vec<Amount>> = whole
            .supplementary
            .iter()
            .map(|own| portions(own.allowed, &asked, whole.billed, &mut asked.clone()))
            .collect();
        let of = |column: &[Amount], at: usize| column.get(at).copied().unwrap_or_default();
        let mut trace = Some((whole.trace, whole.reasons));
        let lines = self.parts.iter().enumerate().map(|(at, (seq, _))| {
            let entry = TraceEntry {
                step: 8,
                insurer: None,
                reason: Reason::InPackage,
                rule: Some(self.rule.clone()),
                before: of(&asked, at),
                after: of(&allowed, at),
                inputs: vec![Input::new("package", Quantity::whole(self.seq))],
            };
            let (mut steps, mut reasons) = trace.take().unwrap_or_default();
            steps.push(entry);
            reasons.push(Reason::InPackage);
            LineShare {
                seq: *seq,
                billed: of(&asked, at),
                allowed: of(&allowed, at),
                base: of(&base, at),
                subsidy: of(&subsidy, at),
                supplementary: (whole.supplementary.iter().zip(&paid).zip(&recognised))
                    .map(|((own, paid), recognised)| InsurerShare {
                        amount: of(paid, at),
                        allowed: of(recognised, at),
                        ..own.clone()
                    })
                    .collect(),
                written_off: of(&written_off, at),
                member: of(&member, at),
                reasons,
                trace: steps,
            }
        });
        lines.collect()
    }
}

/// Parts of `amount` in proportion to `asked`, none beyond what is `open` of its line; together they are `amount`
/// where so much is open. What they take is open no more.
fn portions(amount: Amount, asked: &[Amount], all: Amount, open: &mut [Amount]) -> Vec<Amount> {
    let whole = i128::from(all.get()).max(1);
    let mut rest = amount;
    let mut parts: Vec<Amount> = asked
        .iter()
        .zip(open.iter())
        .map(|(asked, open)| {
            let exact = i128::from(amount.get()) * i128::from(asked.get());
            let part = Amount::new(i64::try_from(exact.div_euclid(whole)).unwrap_or_default());
            let part = part.unwrap_or_default().min(*open);
            rest -= part;
            part
        })
        .collect();
    // Fractions of the smallest unit go to the first lines that have room.
    for (part, open) in parts.iter_mut().zip(open.iter_mut()) {
        let more = rest.min(*open - *part).or_zero();
        *part += more;
        rest -= more;
        *open -= *part;
    }
    parts
}
