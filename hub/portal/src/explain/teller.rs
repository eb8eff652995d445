//! Who tells a decision: each method makes the sentences of one part of an explanation.

use fluent_bundle::{FluentArgs, FluentValue};
use takmil_domain::clinical::Level;
use takmil_domain::decision::{Decision, LineShare, Remainder, TraceEntry};
use takmil_domain::ids::ParticipantId;
use takmil_domain::money::Amount;
use takmil_domain::plan::{LimitKind, LimitPer, LimitUnit};
use takmil_domain::reason::Reason;

use super::parts::{self, Part};
use super::words::{Words, args, count};
use super::{Explanation, FindingTold, Language, LineTold, ReasonTold, Sum, Titles};

/// A decision, and the words and names to tell it with.
pub(super) struct Teller<'a> {
    pub(super) words: Words,
    pub(super) titles: &'a Titles<'a>,
    decision: &'a Decision,
    /// Digits after the point of the decision's currency.
    exponent: u32,
}

/// Who pays what of a bill or a line.
struct Shares<'a> {
    billed: Amount,
    base: Amount,
    supplementary: Vec<(&'a ParticipantId, Amount)>,
    written_off: Amount,
    member: Amount,
}

impl<'a> Teller<'a> {
    /// Who tells `decision` in a language.
    pub(super) fn new(
        decision: &'a Decision,
        titles: &'a Titles<'a>,
        language: Language,
    ) -> Teller<'a> {
        Teller {
            words: Words::of(language),
            exponent: decision.currency.exponent(titles.day),
            decision,
            titles,
        }
    }

    /// The whole of it.
    pub(super) fn explanation(&self) -> Explanation {
        let Decision {
            totals,
            lines,
            remainders,
            reasons,
            ..
        } = self.decision;
        let mut parts = Vec::new();
        for line in lines {
            parts::add(&mut parts, &parts::of_line(line));
        }
        let supplementary = totals.supplementary.iter().map(|(own, sum)| (own, *sum));
        let shares = Shares {
            billed: totals.billed,
            base: totals.base,
            supplementary: supplementary.collect(),
            written_off: totals.written_off,
            member: totals.member,
        };
        let reserved = |until| args([("until", self.words.date(until).into())]);
        let reserved = self.decision.valid_until.map(reserved);
        Explanation {
            language: self.words.language,
            direction: self.words.language.direction(),
            summary: self.shares("summary", &shares),
            totals: self.sums(),
            member: self.member(totals.member, &parts),
            lines: lines.iter().map(|line| self.line(line)).collect(),
            limits: remainders
                .iter()
                .filter_map(|row| self.remainder(row))
                .collect(),
            findings: self.findings(),
            notes: reasons.iter().map(|reason| self.note(*reason)).collect(),
            reserved: reserved.map(|args| self.words.say("reserved", &args)),
        }
    }

    /// Each sentence once, however many findings it tells. What is only information is the prescriber's to read.
    fn findings(&self) -> Vec<FindingTold> {
        let mut told: Vec<FindingTold> = Vec::new();
        let findings = self.titles.findings.iter();
        for finding in findings.filter(|own| own.level > Level::Information) {
            match told.iter_mut().find(|own| own.rule == finding.rule) {
                Some(own) => own.lines.extend(&finding.lines),
                None => told.push(FindingTold {
                    rule: finding.rule,
                    lines: finding.lines.clone(),
                    text: self.words.say(finding.rule.code(), &FluentArgs::new()),
                }),
            }
        }
        for own in &mut told {
            own.lines.sort_unstable();
            own.lines.dedup();
        }
        told
    }

    fn sums(&self) -> Vec<Sum> {
        let totals = &self.decision.totals;
        let sum = |name: &'static str, insurer: Option<&ParticipantId>, amount: Amount| {
            let args = args([
                ("amount", self.money(amount).into()),
                ("insurer", self.insurer(insurer)),
            ]);
            Sum {
                name,
                insurer: insurer.cloned(),
                amount,
                text: self.words.say(&format!("total-{name}"), &args),
            }
        };
        let mut sums = vec![
            sum("billed", None, totals.billed),
            sum("allowed", None, totals.allowed),
            sum("base", None, totals.base),
        ];
        for (insurer, amount) in &totals.supplementary {
            sums.push(sum("supplementary", Some(insurer), *amount));
        }
        if !totals.written_off.is_zero() {
            sums.push(sum("written_off", None, totals.written_off));
        }
        sums.push(sum("member", None, totals.member));
        sums
    }

    fn line(&self, line: &LineShare) -> LineTold {
        let item = self.titles.line(line.seq).map(|own| &own.item);
        let code = item
            .and_then(|item| item.effective())
            .map(|(_, code)| code)
            .filter(|code| !code.is_empty());
        let number = || {
            let number = count(&line.seq.to_string());
            self.words.say("line", &args([("number", number)]))
        };
        let supplementary = line.supplementary.iter();
        let shares = Shares {
            billed: line.billed,
            base: line.base,
            supplementary: supplementary
                .map(|own| (&own.insurer, own.amount))
                .collect(),
            written_off: line.written_off,
            member: line.member,
        };
        LineTold {
            seq: line.seq,
            code: code.map(str::to_owned),
            title: item
                .and_then(|item| item.label())
                .map_or_else(number, str::to_owned),
            shares: self.shares("line-shares", &shares),
            reasons: self.reasons(line),
            member: self.member(line.member, &parts::of_line(line)),
        }
    }

    /// A sentence for each entry of the trace, then for what the line is told of beside it.
    fn reasons(&self, line: &LineShare) -> Vec<ReasonTold> {
        let of_entry = |entry: &TraceEntry| {
            let args = self.figures(line, entry);
            let code = entry.reason;
            match self.words.say_if(code.code(), "told", &args) {
                Some(text) => ReasonTold { code, text },
                None => self.in_general(code, entry.insurer.as_ref()),
            }
        };
        // That a line is one of a package comes first: it says whose figures the others are.
        let mut trace: Vec<&TraceEntry> = line.trace.iter().collect();
        trace.sort_by_key(|entry| entry.reason != Reason::InPackage);
        let mut told: Vec<ReasonTold> = trace.into_iter().map(of_entry).collect();
        for reason in &line.reasons {
            if !told.iter().any(|own| own.code == *reason) {
                told.push(self.in_general(*reason, None));
            }
        }
        told
    }

    /// What concerns the whole bill.
    fn note(&self, code: Reason) -> ReasonTold {
        let exchange = self.decision.exchange.as_ref();
        let told = exchange
            .filter(|_| code == Reason::Exchanged)
            .and_then(|rate| {
                let worth = self.words.worth(&rate.rate.to_string(), rate.to);
                let args = args([
                    ("on", self.words.date(rate.on).into()),
                    ("one", self.words.worth("1", rate.from).into()),
                    ("worth", worth.into()),
                ]);
                self.words.say_if(code.code(), "told", &args)
            });
        match told {
            Some(text) => ReasonTold { code, text },
            None => self.in_general(code, None),
        }
    }

    /// A reason without the figures of an entry.
    fn in_general(&self, code: Reason, insurer: Option<&ParticipantId>) -> ReasonTold {
        let args = args([("insurer", self.insurer(insurer))]);
        let text = self.words.say(code.code(), &args);
        // A sentence may begin with "your insurer"; a name is written as its owner writes it.
        let text = match insurer {
            Some(_) => text,
            None => capitalised(&text),
        };
        ReasonTold { code, text }
    }

    /// The name of an insurer, or what every member calls theirs.
    pub(super) fn insurer(&self, id: Option<&ParticipantId>) -> FluentValue<'static> {
        match id {
            Some(id) => self.titles.insurer(id).to_owned().into(),
            None => self.words.say("your-insurer", &args([])).into(),
        }
    }

    fn shares(&self, id: &str, shares: &Shares<'_>) -> String {
        let pays = |id: &str, amount: Amount, insurer: Option<&ParticipantId>| {
            let args = args([
                ("amount", self.money(amount).into()),
                ("insurer", self.insurer(insurer)),
            ]);
            self.words.say(id, &args)
        };
        let mut payers = Vec::new();
        if !shares.base.is_zero() {
            payers.push(pays("base-pays", shares.base, None));
        }
        for (insurer, amount) in &shares.supplementary {
            let id = match amount.is_zero() {
                true => "insurer-pays-nothing",
                false => "insurer-pays",
            };
            payers.push(pays(id, *amount, Some(insurer)));
        }
        if !shares.written_off.is_zero() {
            payers.push(pays("provider-waives", shares.written_off, None));
        }
        payers.push(match shares.member.is_zero() {
            true => self.words.say("you-pay-nothing", &args([])),
            false => pays("you-pay", shares.member, None),
        });
        let billed = self.money(shares.billed).into();
        let payers = self.joined(&payers).into();
        self.words
            .say(id, &args([("billed", billed), ("payers", payers)]))
    }

    /// "a, b and c", as the language joins them.
    fn joined(&self, items: &[String]) -> String {
        match items {
            [before @ .., last] if !before.is_empty() => {
                let before = self.words.list(before, "then").into();
                let last = last.clone().into();
                self.words
                    .say("and", &args([("before", before), ("last", last)]))
            }
            _ => items.concat(),
        }
    }

    /// What the member pays, and of what parts.
    fn member(&self, amount: Amount, parts: &[Part]) -> String {
        let label = |part: &Part| {
            let of_reason = |reason: Reason| self.words.say_if(reason.code(), "part", &args([]));
            part.reason
                .and_then(of_reason)
                .unwrap_or_else(|| self.words.say("part-other", &args([])))
        };
        let amount = self.money(amount).into();
        let part = |part: &Part| {
            let amount = self.money(part.amount).into();
            let label = label(part).into();
            self.words
                .say("member-part", &args([("amount", amount), ("part", label)]))
        };
        match parts {
            [] => self.words.say("member-pays-nothing", &args([])),
            [one] => {
                let label = label(one).into();
                self.words
                    .say("member-pays", &args([("amount", amount), ("part", label)]))
            }
            several => {
                let parts: Vec<String> = several.iter().map(part).collect();
                let parts = parts.join(" + ").into();
                let args = args([("amount", amount), ("parts", parts)]);
                self.words.say("member-pays-sum", &args)
            }
        }
    }

    /// What is left of a limit. What a visit leaves open of itself is no limit to a member: what is asked once a visit
    /// is told where it is asked.
    fn remainder(&self, row: &Remainder) -> Option<String> {
        let id = match (row.kind, row.unit) {
            (LimitKind::Copay | LimitKind::LeastShare, _) => return None,
            (_, LimitUnit::Visits) if row.per == LimitPer::Visit => return None,
            (LimitKind::Deductible, _) => "left-deductible",
            (LimitKind::OutOfPocket, _) => "left-out-of-pocket",
            (LimitKind::Ceiling, LimitUnit::Money) => "left-money",
            (LimitKind::Ceiling, LimitUnit::Count) => "left-count",
            (LimitKind::Ceiling, LimitUnit::Days) => "left-days",
            (LimitKind::Ceiling, LimitUnit::Visits) => "left-visits",
        };
        let number = |number: i64| match (row.unit, Amount::new(number)) {
            (LimitUnit::Money, Some(amount)) => self.money(amount).into(),
            _ => count(&number.to_string()),
        };
        let limit = self.titles.limit(&row.key.insurer, &row.key.code);
        let args = args([
            ("insurer", self.insurer(Some(&row.key.insurer))),
            ("limit", limit.to_owned().into()),
            ("ceiling", number(row.ceiling)),
            ("before", number(row.before)),
            ("after", number(row.after)),
        ]);
        Some(self.words.say(id, &args))
    }

    pub(super) fn money(&self, amount: Amount) -> String {
        self.words
            .money(amount, self.decision.currency, self.exponent)
    }
}

/// A sentence whose first letter is a capital, where its script has them.
fn capitalised(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut letters = text.chars();
    for letter in letters.by_ref() {
        shown.extend(letter.to_uppercase());
        if letter.is_alphanumeric() {
            break;
        }
    }
    shown.extend(letters);
    shown
}
