//! Steps 9 to 15: across lines and insurers.

use super::{BillLine, Case, CoverTerms, Frame, InsurerSays, Judging, RULES, Verdict};
use crate::decision::{Input, InsurerShare, LineShare, Remainder, RuleName, TraceEntry};
use crate::limit::LimitNeed;
use crate::money::{Amount, Quantity, Rate, round_half_up};
use crate::plan::{Coordination, LimitKind, LimitUnit, Mode};
use crate::reason::Reason;
use smol_str::SmolStr;

/// How many steps change something of most lines.
const FEW_STEPS: usize = 8;

/// The shares of a bill, and what they use up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// The lines, in the order in which they were judged.
    pub lines: Vec<LineShare>,
    /// The remainders that the bill may touch.
    pub needs: Vec<LimitNeed>,
    /// What was left of each of them.
    pub before: Vec<i64>,
    /// What is used of them, line by line.
    pub draws: Vec<Draw>,
}

/// So much of a remainder is used by a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw {
    /// The remainder, by its place among the needs.
    pub need: usize,
    /// The sender's number of the line.
    pub seq: u32,
    /// How much is used, in the remainder's unit.
    pub amount: i64,
}

/// What an insurer would pay for a line if it were alone.
struct Alone<'a> {
    judged: Judging<'a>,
    refused: Option<Reason>,
    /// N: what it would pay, within its limits once step 13 is done.
    share: Amount,
    /// What of the deductible is used.
    deductible: Amount,
    /// What counts towards the out-of-pocket maximum.
    out_of_pocket: Amount,
}

impl Split {
    /// What is left of each remainder afterwards.
    pub fn after(&self) -> Vec<i64> {
        let mut after = self.before.clone();
        for draw in &self.draws {
            if let Some(left) = after.get_mut(draw.need) {
                *left = left.saturating_sub(draw.amount);
            }
        }
        after
    }

    /// The remainders before and after; `ceiling` says what there is of one in all.
    pub fn remainders(&self, ceiling: impl Fn(&LimitNeed) -> i64) -> Vec<Remainder> {
        let rows = self.needs.iter().zip(self.before.iter().zip(self.after()));
        rows.map(|(need, (before, after))| Remainder::of(need, ceiling(need), *before, after))
            .collect()
    }
}

impl Case<'_> {
    /// Splits the bill on what `left` says is left of each remainder that it may touch.
    ///
    /// For each line: base + written off + Σ supplementary + member = billed, every part ≥ 0; no remainder
    /// goes below 0; a later line never changes an earlier one's shares. Services that are priced together are judged
    /// as one line, and each is given its part.
    pub fn split(&self, left: impl Fn(&LimitNeed) -> i64) -> Split {
        match self.pack() {
            None => Frame::new(self).split(left),
            Some((packed, packages)) => {
                let split = Frame::new(&packed).split(left);
                Split {
                    lines: packages.share_out(split.lines),
                    ..split
                }
            }
        }
    }

    /// The remainders that the bill may touch.
    pub fn needs(&self) -> Vec<LimitNeed> {
        Frame::new(self).needs
    }
}

impl<'a> Frame<'a> {
    fn split(self, left: impl Fn(&LimitNeed) -> i64) -> Split {
        let before: Vec<i64> = self.needs.iter().map(left).collect();
        let mut left = before.clone();
        let mut lines = Vec::with_capacity(self.order.len());
        let mut draws = Vec::with_capacity(2 * self.needs.len());
        for &at in &self.order {
            if let Some(line) = self.case.lines.get(at) {
                lines.push(self.split_line(at, line, &mut left, &mut draws));
            }
        }
        Split {
            lines,
            needs: self.needs,
            before,
            draws,
        }
    }

    fn split_line(
        &self,
        at: usize,
        line: &'a BillLine<'a>,
        left: &mut [i64],
        draws: &mut Vec<Draw>,
    ) -> LineShare {
        let Some(billed) = self.billed.get(at).copied().flatten() else {
            return unpriced(line, self);
        };
        let mut trace = Vec::with_capacity(FEW_STEPS);
        let (base, subsidy) = self.base_share(line, billed, &mut trace);
        let covers = 0..self.case.covers.len();
        let mut alone: Vec<Alone<'_>> = covers
            .filter_map(|cover| {
                // What the base insurer's step left stands before the first insurer's own.
                let trace = std::mem::take(&mut trace);
                self.judge(at, cover, line, (billed, base), left, trace)
            })
            .collect();

        let refuses = |one: &&Alone<'_>| {
            one.refused.is_some() || one.judged.terms.said == Some(&InsurerSays::Refused)
        };
        let payers = alone.iter().filter(|one| !refuses(one));
        let allowed = payers
            .map(|one| one.judged.allowed)
            .max()
            .unwrap_or_default();
        let mut open = allowed - base.min(allowed);
        let mut paid_before = Amount::ZERO;
        let mut shares = Vec::with_capacity(alone.len());
        for one in &mut alone {
            limit(one, left);
            let paid = coordinate(one, open, paid_before);
            draw(one, paid, left, draws);
            open -= paid;
            paid_before += paid;
            shares.push(InsurerShare {
                insurer: one.judged.terms.plan.insurer.clone(),
                amount: paid,
                allowed: if one.refused.is_some() {
                    Amount::ZERO
                } else {
                    one.judged.allowed
                },
                benefit: one.judged.benefit.map(|benefit| benefit.id.clone()),
                refused: one.refused,
                pended: one.judged.pended
                    && one.refused.is_none()
                    && one.judged.terms.said.is_none(),
            });
            match trace.is_empty() {
                true => trace = std::mem::take(&mut one.judged.trace),
                false => trace.append(&mut one.judged.trace),
            }
        }
        // Where the provider is in the network of one insurer and another recognises more than their price,
        // that one pays first: nobody waives what somebody pays.
        let written_off = written_off(&alone, base).min(billed - base - paid_before);
        if !written_off.is_zero() {
            trace.push(step(15, Reason::WrittenOff, Amount::ZERO, written_off));
        }
        // Step 15: the member is the residual.
        let member = billed - written_off - base - paid_before;
        debug_assert!(
            member >= Amount::ZERO,
            "INVARIANT: the member never pays less than nothing"
        );
        let reasons = reasons(&trace, &alone);
        LineShare {
            seq: line.seq,
            billed,
            allowed,
            base,
            subsidy,
            supplementary: shares,
            written_off,
            member,
            reasons,
            trace,
        }
    }

    /// Step 9: what the base insurer pays, subsidy included, never over what was billed.
    fn base_share(
        &self,
        line: &BillLine<'_>,
        billed: Amount,
        trace: &mut Vec<TraceEntry>,
    ) -> (Amount, Amount) {
        let insured = match (line.base_paid, line.base_said_by) {
            (Some(paid), None) => step(9, Reason::BasePaid, Amount::ZERO, paid),
            (Some(paid), Some(by)) => {
                let computed = self.base_by_tariff(line).after.min(billed).or_zero();
                TraceEntry {
                    inputs: vec![Input::new("said_by", by)],
                    ..step(9, Reason::BasePaid, computed, paid)
                }
            }
            (None, _) => self.base_by_tariff(line),
        };
        let insured = TraceEntry {
            after: insured.after.min(billed).or_zero(),
            ..insured
        };
        let paid = insured.after;
        let subsidy = line.subsidy.min(billed - paid).or_zero();
        if !paid.is_zero() || line.base_said_by.is_some() {
            trace.push(insured);
        }
        if !subsidy.is_zero() {
            trace.push(step(9, Reason::Subsidised, paid, paid + subsidy));
        }
        (paid + subsidy, subsidy)
    }

    /// What the base insurer pays by its own tariff and rate; nothing where it does not price the service, or
    /// not in the bill's currency.
    fn base_by_tariff(&self, line: &BillLine<'_>) -> TraceEntry {
        let nothing = step(9, Reason::BaseComputed, Amount::ZERO, Amount::ZERO);
        let base = self
            .case
            .base
            .filter(|(_, tariff)| tariff.document().currency == self.case.currency);
        let Some((plan, tariff)) = base else {
            return nothing;
        };
        let rate = plan.rate(line.system, line.code, self.case.class);
        let price = tariff.unit_price(line.system, line.code, self.case.sector);
        let (Some(rate), Some(price)) = (rate, price) else {
            return nothing;
        };
        TraceEntry {
            rule: Some(RuleName::new(&plan.id, plan.version, line.code.into())),
            after: rate.share_of(price.times(line.quantity)),
            inputs: vec![
                Input::new("rate", rate),
                Input::new("price", price.rounded()),
                Input::new("quantity", line.quantity),
            ],
            ..nothing
        }
    }

    /// Steps 2 to 12 for one insurer, as if it were alone.
    fn judge<'s>(
        &'s self,
        at: usize,
        cover: usize,
        line: &'s BillLine<'s>,
        (billed, base): (Amount, Amount),
        left: &[i64],
        trace: Vec<TraceEntry>,
    ) -> Option<Alone<'s>> {
        let terms = self.case.covers.get(cover)?;
        let place = self.places.get(at, cover);
        let mut judged = Judging {
            case: self.case,
            line,
            billed,
            terms,
            tier: line.tier(cover),
            authorised: line.authorised(cover),
            limits: self.open_limits(at, cover, left),
            benefit: place.and_then(|place| place.benefit),
            ranks: place
                .map(|place| place.ranks.as_slice())
                .unwrap_or_default(),
            rate: Rate::ZERO,
            copay: Amount::ZERO,
            quantity: Quantity::ZERO,
            asked: Amount::ZERO,
            by_price: Amount::ZERO,
            allowed: Amount::ZERO,
            pended: false,
            trace,
        };
        for rule in RULES {
            if let Verdict::Refuse(reason) = rule(&mut judged) {
                let part = judged.benefit.map(|own| SmolStr::from(&own.id));
                let rule = judged.rule(part.unwrap_or_default());
                judged.note(
                    step_of(reason),
                    reason,
                    rule,
                    billed,
                    Amount::ZERO,
                    Vec::new(),
                );
                return Some(Alone {
                    judged,
                    refused: Some(reason),
                    share: Amount::ZERO,
                    deductible: Amount::ZERO,
                    out_of_pocket: Amount::ZERO,
                });
            }
        }
        let base = base.min(judged.allowed);
        let cost = CostShare::of(&mut judged);
        let share = by_mode(&mut judged, &cost, base);
        let share = relieve(&mut judged, share, base);
        let out_of_pocket = judged.allowed - base - share;
        Some(Alone {
            judged,
            refused: None,
            share,
            deductible: cost.deductible,
            out_of_pocket,
        })
    }
}

/// The step that a refusal belongs to.
fn step_of(reason: Reason) -> u8 {
    match reason {
        Reason::NoBenefit | Reason::OutsideNetwork => 3,
        Reason::Excluded | Reason::ClinicallyRefused => 4,
        Reason::Waiting
        | Reason::AgeOutside
        | Reason::SexOutside
        | Reason::DiagnosisOutside
        | Reason::CareOutside => 5,
        Reason::AuthorisationMissing => 6,
        Reason::QuantityUsed => 7,
        _ => 2,
    }
}

/// Step 10: what the plan leaves with the member, exact: a number over the rate's denominator.
struct CostShare {
    deductible: Amount,
    exact: i128,
    denominator: i128,
}

impl CostShare {
    /// `d = min(A, deductible left)`; `F = d + copay + rate × (A − d)`, at least what the plan leaves to the member
    /// once in a stretch, and not over A.
    fn of(judged: &mut Judging<'_>) -> CostShare {
        let (allowed, denominator) = (judged.allowed, judged.rate.denominator());
        let deductible = judged
            .left_of(LimitKind::Deductible)
            .unwrap_or_default()
            .min(allowed);
        let rest = allowed - deductible;
        let copay = judged.copay;
        let once = judged.left_of(LimitKind::Copay).unwrap_or_default();
        let least = judged.left_of(LimitKind::LeastShare).unwrap_or_default();
        let exactly = |amount: Amount| i128::from(amount.get()) * denominator;
        let computed =
            (exactly(deductible + copay + once) + judged.rate.of(rest)).min(exactly(allowed));
        let exact = computed.max(exactly(least.min(allowed)));
        let mut so_far = Amount::ZERO;
        let rule = judged.rule_of_benefit();
        let parts = [
            (Reason::Deductible, deductible),
            (Reason::Copay, (deductible + copay).min(allowed)),
            (Reason::OnceCopay, (deductible + copay + once).min(allowed)),
            (Reason::Coinsurance, round_half_up(computed, denominator)),
            (Reason::LeastShare, round_half_up(exact, denominator)),
        ];
        for (reason, sum) in parts {
            if sum > so_far {
                let inputs = match reason {
                    Reason::Coinsurance => {
                        vec![Input::new("rate", judged.rate), Input::new("of", rest)]
                    }
                    Reason::LeastShare => vec![Input::new("least", least)],
                    _ => Vec::new(),
                };
                judged.note(10, reason, rule.clone(), so_far, sum, inputs);
                so_far = sum;
            }
        }
        CostShare {
            deductible,
            exact,
            denominator,
        }
    }
}

/// Step 11: franchise and base share meet; rounded half-up here, once per payer and line.
fn by_mode(judged: &mut Judging<'_>, cost: &CostShare, base: Amount) -> Amount {
    let exact = |amount: Amount| i128::from(amount.get()) * cost.denominator;
    let (allowed, paid) = (exact(judged.allowed), exact(base));
    let (share, mode) = match judged.terms.plan.mode {
        Mode::Offset => (allowed - cost.exact.max(paid), "offset"),
        Mode::Waive if base > Amount::ZERO => (allowed - paid, "waive"),
        Mode::Waive => (allowed - cost.exact, "waive"),
        Mode::Additive => ((allowed - paid - cost.exact).max(0), "additive"),
    };
    let (share, rounded) = (
        round_half_up(share, cost.denominator),
        judged.terms.plan.rounding.round(share, cost.denominator),
    );
    let inputs = vec![
        Input::new("mode", mode),
        Input::new("base", base),
        Input::new("cost_share", round_half_up(cost.exact, cost.denominator)),
    ];
    let rule = judged.rule("mode");
    let before = judged.allowed;
    judged.note(11, Reason::Share, rule, before, share, inputs);
    let rounded = rounded.min(judged.allowed - base).or_zero();
    if rounded != share {
        let rule = judged.rule("rounding");
        let inputs = vec![Input::new("to", judged.terms.plan.rounding.to)];
        judged.note(11, Reason::Rounded, rule, share, rounded, inputs);
    }
    rounded
}

/// Step 12: beyond the out-of-pocket maximum the insurer pays the member's cost share.
fn relieve(judged: &mut Judging<'_>, share: Amount, base: Amount) -> Amount {
    let Some(most) = judged.left_of(LimitKind::OutOfPocket) else {
        return share;
    };
    let raised = share.max(judged.allowed - base - most);
    if raised > share {
        let rule = limit_rule(judged, LimitKind::OutOfPocket);
        judged.note(
            12,
            Reason::OutOfPocket,
            rule,
            share,
            raised,
            vec![Input::new("left", most)],
        );
    }
    raised
}

/// Step 13: not more than any remainder that applies, as it is now: an earlier insurer's share of the same
/// line may have used it, where two covers of one account share it.
fn limit(one: &mut Alone<'_>, left: &[i64]) {
    for open in &mut one.judged.limits {
        let now = open.slot.and_then(|slot| left.get(slot).copied());
        open.left = now.unwrap_or(open.left);
    }
    let Some(most) = one.judged.left_of(LimitKind::Ceiling) else {
        return;
    };
    let share = one.share;
    if most < share {
        let rule = limit_rule(&one.judged, LimitKind::Ceiling);
        let inputs = vec![Input::new("left", most)];
        one.judged
            .note(13, Reason::LimitReached, rule, share, most, inputs);
        one.share = most;
    }
}

/// The limit of a kind that leaves least.
fn limit_rule(judged: &Judging<'_>, kind: LimitKind) -> Option<RuleName> {
    let limits = judged
        .limits
        .iter()
        .filter(|open| open.limit.kind == kind && open.limit.unit == LimitUnit::Money);
    let least = limits.min_by_key(|open| open.left)?;
    judged.rule(&least.limit.id)
}

/// Step 14: what the insurer pays after those before it, of what is still open; then what it said itself.
fn coordinate(one: &mut Alone<'_>, open: Amount, paid_before: Amount) -> Amount {
    let by_contract = match one.judged.terms.plan.coordination {
        Coordination::Standard => one.share,
        Coordination::CarveOut => (one.share - paid_before).or_zero(),
    };
    let paid = by_contract.min(open).or_zero();
    if paid < one.share {
        let inputs = vec![
            Input::new("paid_before", paid_before),
            Input::new("open", open),
        ];
        let rule = one.judged.rule("coordination");
        one.judged
            .note(14, Reason::Coordinated, rule, one.share, paid, inputs);
    }
    if one.refused.is_some() {
        Amount::ZERO
    } else {
        as_said(one, paid, open)
    }
}

fn as_said(one: &mut Alone<'_>, computed: Amount, open: Amount) -> Amount {
    let said = match one.judged.terms.said {
        None | Some(InsurerSays::Approved) => return computed,
        Some(InsurerSays::Refused) => {
            one.refused = Some(Reason::InsurerRefused);
            one.judged.note(
                14,
                Reason::InsurerRefused,
                None,
                computed,
                Amount::ZERO,
                Vec::new(),
            );
            return Amount::ZERO;
        }
        Some(InsurerSays::Adjusted(lines)) => adjusted(one.judged.line, lines, computed),
    };
    let Some(amount) = said else {
        return computed;
    };
    let most = one
        .judged
        .left_of(LimitKind::Ceiling)
        .unwrap_or(Amount::MAX)
        .min(open)
        .or_zero();
    let paid = amount.min(most).or_zero();
    if paid != computed {
        one.judged.note(
            14,
            Reason::InsurerAdjusted,
            None,
            computed,
            paid,
            vec![Input::new("said", amount)],
        );
    }
    paid
}

/// What an insurer has set for a line; of a line that stands for several, what it has set for some of them, and what
/// was computed for the rest.
fn adjusted(line: &BillLine<'_>, said: &[(u32, Amount)], computed: Amount) -> Option<Amount> {
    let of = |seq: u32| {
        said.iter()
            .find(|(own, _)| *own == seq)
            .map(|(_, amount)| *amount)
    };
    if line.parts.is_empty() {
        return of(line.seq);
    }
    let all: Amount = line.parts.iter().map(|(_, asked)| *asked).sum();
    let mut rest = all;
    let mut sum = None;
    for (seq, asked) in &line.parts {
        if let Some(amount) = of(*seq) {
            rest -= *asked;
            sum = Some(sum.unwrap_or(Amount::ZERO) + amount);
        }
    }
    let of_rest = i128::from(computed.get()).saturating_mul(rest.get().into());
    let of_rest = round_half_up(of_rest, i128::from(all.get()));
    sum.map(|sum| sum + of_rest)
}

/// Step 8's other half: what the provider waives, by the most generous insurer in whose network it is.
///
/// What the base insurer pays over an agreed price lowers the write-off, not the provider's income.
fn written_off(alone: &[Alone<'_>], base: Amount) -> Amount {
    let agreed = || {
        alone
            .iter()
            .filter(|one| one.refused.is_none() && one.judged.tier.is_inside())
    };
    let asked = agreed()
        .map(|one| one.judged.asked)
        .max()
        .unwrap_or_default();
    let by_price = agreed()
        .map(|one| one.judged.by_price)
        .max()
        .unwrap_or_default();
    (asked - by_price.max(base)).or_zero()
}

/// What to tell about a line, in the order of the steps, without repetition.
fn reasons(trace: &[TraceEntry], alone: &[Alone<'_>]) -> Vec<Reason> {
    let quiet = [Reason::BasePaid, Reason::BaseComputed, Reason::Share];
    let refused = alone.iter().filter_map(|one| one.refused);
    let noted = trace
        .iter()
        .map(|entry| entry.reason)
        .filter(|reason| !quiet.contains(reason));
    let mut reasons = Vec::with_capacity(trace.len());
    for reason in refused.chain(noted) {
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    reasons
}

fn step(step: u8, reason: Reason, before: Amount, after: Amount) -> TraceEntry {
    TraceEntry {
        step,
        insurer: None,
        reason,
        rule: None,
        before,
        after,
        inputs: Vec::new(),
    }
}

/// A line that nobody prices: nothing is asked, nothing is paid, and it is said.
fn unpriced(line: &BillLine<'_>, frame: &Frame<'_>) -> LineShare {
    let none = |terms: &CoverTerms<'_>| InsurerShare {
        insurer: terms.plan.insurer.clone(),
        amount: Amount::ZERO,
        allowed: Amount::ZERO,
        benefit: None,
        refused: Some(Reason::NoPrice),
        pended: false,
    };
    LineShare {
        seq: line.seq,
        billed: Amount::ZERO,
        allowed: Amount::ZERO,
        base: Amount::ZERO,
        subsidy: Amount::ZERO,
        supplementary: frame.case.covers.iter().map(none).collect(),
        written_off: Amount::ZERO,
        member: Amount::ZERO,
        reasons: vec![Reason::NoPrice],
        trace: Vec::new(),
    }
}

/// Uses up the remainders of a line before an insurer: all of them together.
fn draw(one: &Alone<'_>, paid: Amount, left: &mut [i64], draws: &mut Vec<Draw>) {
    if one.refused.is_some() {
        return;
    }
    for open in &one.judged.limits {
        let used = match (open.limit.kind, open.limit.unit) {
            (LimitKind::Deductible, _) => one.deductible.get(),
            (LimitKind::OutOfPocket, _) => one.out_of_pocket.get(),
            (LimitKind::Ceiling, LimitUnit::Money) => paid.get(),
            (LimitKind::Ceiling, LimitUnit::Count | LimitUnit::Days) => {
                one.judged.quantity.started_units()
            }
            (LimitKind::Ceiling, LimitUnit::Visits) => {
                // A visit uses its own remainder with the limit's; the next line finds it used.
                let own = open.visit.and_then(|visit| left.get(visit)).copied();
                let used = own.unwrap_or_default().min(1);
                take(one, open.visit, used, left, draws);
                used
            }
            // What is asked once in a stretch is done with, even where the line was too small for all of it.
            (LimitKind::Copay | LimitKind::LeastShare, _) => i64::MAX,
        };
        take(one, open.slot, used, left, draws);
    }
}

fn take(one: &Alone<'_>, slot: Option<usize>, used: i64, left: &mut [i64], draws: &mut Vec<Draw>) {
    let Some(slot) = slot else {
        return;
    };
    let Some(left) = left.get_mut(slot) else {
        return;
    };
    // What two covers of one account share is used once.
    let used = used.min(*left);
    if used > 0 {
        *left -= used;
        draws.push(Draw {
            need: slot,
            seq: one.judged.line.seq,
            amount: used,
        });
    }
}
