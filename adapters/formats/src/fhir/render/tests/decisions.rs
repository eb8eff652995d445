//! Answers drawn at random. Each line's parts sum to what was asked, as the computation keeps it; all else
//! is as odd as the types allow.

use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng};
use takmil_domain::answer::{Answer, CoverAnswer, Letter};
use takmil_domain::date::{Date, Instant};
use takmil_domain::decision::{
    DecidedBy, Decision, InsurerShare, LineShare, Remainder, Totals, TraceEntry,
};
use takmil_domain::ids::{AccountId, LimitCode, MemberId, MessageId, ParticipantId, PlanId};
use takmil_domain::life::State;
use takmil_domain::limit::LimitKey;
use takmil_domain::message::{Kind, Message};
use takmil_domain::money::{Amount, Currency};
use takmil_domain::plan::{LimitKind, LimitPer, LimitUnit};
use takmil_domain::reason::Reason;

const INSURERS: &[&str] = &["ir-omid", "ir-pars", "MA.mutuelle_1"];
const CURRENCIES: &[&str] = &["IRR", "MAD", "KWD", "USD"];
const WORDS: &[&str] = &[
    "cosmetic surgery",
    "",
    "جراحی زیبایی",
    "a\u{1}b\nc",
    "<&\">",
];

/// Any answer.
pub(super) fn answers() -> impl Strategy<Value = Answer> {
    Just(()).prop_perturb(|(), rng| Draw(rng).answer())
}

/// A decision on these lines.
pub(super) fn of(lines: Vec<LineShare>) -> Decision {
    Decision {
        exchange: None,
        currency: Currency::parse("IRR").unwrap(),
        totals: Totals::of(&lines),
        lines,
        remainders: Vec::new(),
        basis: Vec::new(),
        decided_by: DecidedBy::Hub,
        reasons: Vec::new(),
        valid_until: None,
    }
}

/// An answer to a message, its bill's lines split at random.
pub(super) fn drawn_for(message: &Message) -> Answer {
    let mut draw = Draw(TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let bill = message.bill();
    let lines = bill.iter().flat_map(|bill| &bill.lines);
    let shares: Vec<LineShare> = lines
        .map(|line| LineShare {
            seq: line.seq,
            ..draw.line_of(line.asked().unwrap_or_default())
        })
        .collect();
    let decision = bill.is_some().then(|| Decision {
        currency: message.head.currency.unwrap_or(Currency::NONE),
        ..of(shares)
    });
    Answer {
        state: State::Decided,
        covers: draw.several(2, Draw::cover),
        decision,
        ..bare(message.kind())
    }
}

/// An answer that says nothing.
pub(super) fn bare(kind: Kind) -> Answer {
    let at = Instant(1_795_200_000_000_000);
    Answer {
        id: MessageId::new(at, [7; 10]),
        kind,
        state: State::Recorded,
        received_at: at,
        answered_at: at.plus_ms(12),
        reasons: Vec::new(),
        covers: Vec::new(),
        decision: None,
        findings: Vec::new(),
        notes: Vec::new(),
        appeals: Vec::new(),
        letter: None,
        unmapped: Vec::new(),
    }
}

struct Draw(TestRng);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0.next_u64() % bound
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()].clone()
    }

    fn some<T>(&mut self, draw: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.below(2) == 0).then(|| draw(self))
    }

    fn several<T>(&mut self, most: u64, mut draw: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = self.below(most + 1);
        (0..count).map(|_| draw(self)).collect()
    }

    fn up_to(&mut self, most: Amount) -> Amount {
        let bound = u64::try_from(most.get()).unwrap() + 1;
        let drawn = self.below(bound);
        // Nothing and everything are what goes wrong most often.
        let drawn = self.pick(&[0, drawn, drawn, bound - 1]);
        Amount::new(i64::try_from(drawn).unwrap()).unwrap()
    }

    fn insurer(&mut self) -> ParticipantId {
        ParticipantId::parse(self.pick(INSURERS)).unwrap()
    }

    fn reason(&mut self) -> Reason {
        self.pick(Reason::ALL)
    }

    fn day(&mut self) -> Date {
        let month = 1 + u8::try_from(self.below(12)).unwrap();
        Date::from_ymd(2026, month, 1 + u8::try_from(self.below(28)).unwrap()).unwrap()
    }

    fn answer(&mut self) -> Answer {
        let lines = self.several(5, Self::line);
        let plain = bare(Kind::Claim);
        Answer {
            state: self.pick(State::ALL),
            reasons: self.several(3, Self::reason),
            covers: self.several(2, Self::cover),
            decision: self.some(|draw| draw.decision(lines)),
            letter: self.some(Self::letter),
            unmapped: self.several(2, |draw| draw.pick(WORDS).to_owned()),
            ..plain
        }
    }

    fn decision(&mut self, lines: Vec<LineShare>) -> Decision {
        Decision {
            currency: Currency::parse(self.pick(CURRENCIES)).unwrap(),
            remainders: self.several(3, Self::remainder),
            decided_by: self.pick(&[
                DecidedBy::Hub,
                DecidedBy::Insurer,
                DecidedBy::StandIn,
                DecidedBy::Person,
            ]),
            reasons: self.several(2, Self::reason),
            valid_until: self.some(Self::day),
            ..of(lines)
        }
    }

    fn line(&mut self) -> LineShare {
        let billed = self.up_to(Amount::new(10_000_000_000).unwrap());
        self.line_of(billed)
    }

    fn line_of(&mut self, billed: Amount) -> LineShare {
        let mut open = billed;
        let mut take = |draw: &mut Self| {
            let part = draw.up_to(open);
            open -= part;
            part
        };
        let base = take(self);
        let written_off = take(self);
        let mut supplementary: Vec<InsurerShare> = Vec::new();
        for name in INSURERS {
            if self.below(3) > 0 {
                let insurer = ParticipantId::parse(name).unwrap();
                let amount = take(self);
                supplementary.push(self.share(insurer, amount));
            }
        }
        LineShare {
            seq: u32::try_from(self.below(5)).unwrap() + self.pick(&[0, 0, 1, u32::MAX - 4]),
            billed,
            allowed: self.up_to(billed),
            base,
            subsidy: self.up_to(base),
            supplementary,
            written_off,
            member: open,
            reasons: self.several(4, Self::reason),
            trace: self.several(6, Self::entry),
        }
    }

    fn share(&mut self, insurer: ParticipantId, amount: Amount) -> InsurerShare {
        InsurerShare {
            insurer,
            amount,
            allowed: amount,
            benefit: None,
            refused: self.some(Self::reason),
            pended: self.below(3) == 0,
        }
    }

    fn entry(&mut self) -> TraceEntry {
        let most = Amount::new(1_000_000).unwrap();
        TraceEntry {
            step: 8,
            insurer: self.some(Self::insurer),
            reason: self.reason(),
            rule: None,
            before: self.up_to(most),
            after: self.up_to(most),
            inputs: Vec::new(),
        }
    }

    fn remainder(&mut self) -> Remainder {
        let at = Instant(0);
        let ceiling = self.pick(&[0, 40_000_000, 12, i64::MAX]);
        let before = self.pick(&[ceiling, 0, -5, ceiling / 2]);
        Remainder {
            key: LimitKey {
                account: AccountId::new(at, [1; 10]),
                member: self.some(|_| MemberId::new(at, [2; 10])),
                insurer: self.insurer(),
                code: LimitCode::parse("dental").unwrap(),
                stretch: "life".into(),
            },
            kind: self.pick(&[
                LimitKind::Ceiling,
                LimitKind::Deductible,
                LimitKind::OutOfPocket,
            ]),
            unit: self.pick(&[LimitUnit::Money, LimitUnit::Count, LimitUnit::Days]),
            per: self.pick(&[
                LimitPer::Item,
                LimitPer::Visit,
                LimitPer::Day,
                LimitPer::Month,
                LimitPer::Year,
                LimitPer::Lifetime,
            ]),
            ceiling,
            before,
            after: before,
        }
    }

    fn cover(&mut self) -> CoverAnswer {
        let reason = self.some(Self::reason);
        CoverAnswer {
            insurer: self.insurer(),
            plan: PlanId::parse("gold").unwrap(),
            version: self.some(|_| 3),
            active: reason.is_none(),
            reason,
            start: self.day(),
            end: self.some(Self::day),
            stated: false,
            benefits: Vec::new(),
        }
    }

    fn letter(&mut self) -> Letter {
        Letter {
            number: self.pick(WORDS).to_owned(),
            valid_until: self.day(),
            exclusions: self.several(3, |draw| draw.pick(WORDS).to_owned()),
        }
    }
}
