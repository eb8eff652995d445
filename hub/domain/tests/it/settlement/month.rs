//! Makes months from tapes: claims, and what happens to them in which order. Nothing here knows the book: what it
//! would refuse happens, too.

use takmil_domain::date::{Calendar, Date, Instant};
use takmil_domain::ids::{DisputeId, MessageId, ParticipantId, PaymentId};
use takmil_domain::money::{Amount, Currency};
use takmil_domain::settlement::dispute::{Objection, Side};
use takmil_domain::settlement::payment::Row;
use takmil_domain::settlement::period;
use takmil_domain::settlement::state::DisputeEvent;
use takmil_domain::settlement::{Notice, Pair, PayeeKind, Reach};
use uuid::Uuid;

use crate::tape::Tape;

/// A month of everything that happens between some insurers and some providers.
#[derive(Debug)]
pub(crate) struct Month {
    pub(crate) claims: Vec<Claim>,
    pub(crate) events: Vec<Event>,
    /// Days on which no statements were made.
    pub(crate) skipped: Vec<Date>,
    /// How many of the last events come after the month's last statements.
    pub(crate) late: usize,
    /// What a difference that nobody settled is about.
    pub(crate) difference: Option<i64>,
    /// Numbers by which events of different strands are put in another order.
    pub(crate) order: Vec<u64>,
}

/// A claim.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    pub(crate) message: MessageId,
    pub(crate) provider: ParticipantId,
    pub(crate) payee: PayeeKind,
}

/// Something that happens.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) at: Instant,
    pub(crate) day: Date,
    /// Events of different strands have nothing to do with each other.
    pub(crate) strand: usize,
    pub(crate) what: What,
    /// Whether it happens twice.
    pub(crate) twice: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum What {
    /// A claim's turn, with what each insurer pays of each line; taken back where nothing is told.
    Decided {
        claim: usize,
        turn: u32,
        shares: Option<Vec<(ParticipantId, Vec<Amount>)>>,
    },
    Noticed {
        notice: Notice,
        stated: Vec<MessageId>,
        id: PaymentId,
    },
    Confirmed(Pair, PaymentId),
    Bounced(Pair, PaymentId),
    Disputed(Pair, Objection, DisputeId),
    Ruled(Pair, DisputeId, DisputeEvent, Side),
    TookPrepaid(Pair),
}

/// How large a month is.
pub(crate) struct Scale {
    pub(crate) insurers: usize,
    pub(crate) providers: usize,
    pub(crate) claims: usize,
}

pub(crate) fn calendar_month() -> period::Month {
    period::Month::parse("2026-03", Calendar::Gregorian).unwrap()
}

pub(crate) fn insurer(number: usize) -> ParticipantId {
    ParticipantId::parse(&format!("ins-{number}")).unwrap()
}

pub(crate) fn currency() -> Currency {
    Currency::parse("IRR").unwrap()
}

struct Maker<'t> {
    tape: &'t mut Tape,
    insurers: usize,
    providers: usize,
    claims: Vec<Claim>,
    turns: Vec<u32>,
    /// Strand, pair and id of each.
    payments: Vec<(usize, Pair, PaymentId)>,
    disputes: Vec<(usize, Pair, DisputeId)>,
    notices: Vec<What>,
    /// Providers whose payments name one claim each: then their claims have nothing to do with each other.
    quiet: Vec<bool>,
}

impl Month {
    /// A month small enough to be understood.
    pub(crate) fn small(tape: &mut Tape) -> Month {
        let scale = Scale {
            insurers: 1 + tape.below(3) as usize,
            providers: 1 + tape.below(3) as usize,
            claims: 1 + tape.below(9) as usize,
        };
        let many = tape.below(70) as usize;
        let mut maker = Maker::new(tape, &scale);
        let what: Vec<(usize, What)> = (0..many).map(|_| maker.anything()).collect();
        let mut month = maker.month(what);
        let days: Vec<Date> = calendar_month().days().collect();
        if tape.once_in(4) {
            month.skipped = (0..1 + tape.below(3)).map(|_| tape.pick(&days)).collect();
            month.skipped.sort_unstable();
            month.skipped.dedup();
        }
        month.late = if tape.once_in(4) {
            tape.below(1 + many as u64 / 2) as usize
        } else {
            0
        };
        month.difference = tape.maybe(6, |tape| tape.pick(&[1, -1, 7_000]));
        month.order = (0..many).map(|_| tape.below(1 << 30)).collect();
        month
    }

    /// A month as they are: every claim decided, some corrected or reversed, most paid in bulk, a few bounced.
    pub(crate) fn large(tape: &mut Tape, scale: &Scale) -> Month {
        let mut maker = Maker::new(tape, scale);
        maker.quiet.fill(false);
        let mut what = Vec::new();
        for claim in 0..scale.claims {
            what.push(maker.decide(claim, true));
            if maker.tape.once_in(8) {
                let other = maker.tape.below(1 + claim as u64) as usize;
                let stays = maker.tape.once_in(2);
                what.push(maker.decide(other, stays));
            }
            if maker.tape.once_in(12) {
                what.push(maker.notice());
            }
            if maker.tape.once_in(14) {
                what.push(maker.fate());
            }
            if maker.tape.once_in(33) {
                what.push(maker.dispute());
                what.push(maker.rule());
            }
        }
        maker.month(what)
    }
}

impl<'t> Maker<'t> {
    fn new(tape: &'t mut Tape, scale: &Scale) -> Maker<'t> {
        let mut claim = |number: usize| Claim {
            message: MessageId(Uuid::from_u128(number as u128 + 1)),
            provider: ParticipantId::parse(&format!("pro-{}", number % scale.providers)).unwrap(),
            payee: match tape.once_in(12) {
                true => PayeeKind::Member,
                false => PayeeKind::Provider,
            },
        };
        let claims: Vec<Claim> = (0..scale.claims).map(&mut claim).collect();
        let quiet = (0..scale.providers).map(|_| tape.once_in(3)).collect();
        Maker {
            turns: vec![0; claims.len()],
            claims,
            insurers: scale.insurers,
            providers: scale.providers,
            payments: Vec::new(),
            disputes: Vec::new(),
            notices: Vec::new(),
            quiet,
            tape,
        }
    }

    /// Spreads what happens over the month's days, in its order.
    fn month(&mut self, what: Vec<(usize, What)>) -> Month {
        let first = calendar_month().first();
        let many = what.len().max(1) as u64;
        let start = first.days_since(Instant(0).day()) * 86_400_000_000;
        let event = |(number, (strand, what)): (usize, (usize, What))| {
            let day = (number as u64 * 31 / many) as u32;
            Event {
                at: Instant(start + i64::from(day) * 86_400_000_000 + number as i64),
                day: first.add_days(day),
                strand,
                what,
                twice: number.is_multiple_of(3),
            }
        };
        Month {
            claims: std::mem::take(&mut self.claims),
            events: what.into_iter().enumerate().map(event).collect(),
            skipped: Vec::new(),
            late: 0,
            difference: None,
            order: Vec::new(),
        }
    }

    fn anything(&mut self) -> (usize, What) {
        match self.tape.below(16) {
            0..=4 => {
                let claim = self.claim();
                let stays = !self.tape.once_in(4);
                self.decide(claim, stays)
            }
            5..=8 => self.notice(),
            9..=10 => self.fate(),
            11 => self.dispute(),
            12 => self.rule(),
            13 if !self.notices.is_empty() => self.again(),
            _ => {
                let claim = self.claim();
                let pair = self.pair(claim);
                match self.is_quiet(claim) {
                    true => self.decide(claim, true),
                    false => (self.strand(claim), What::TookPrepaid(pair)),
                }
            }
        }
    }

    fn claim(&mut self) -> usize {
        self.tape.below(self.claims.len() as u64) as usize
    }

    fn is_quiet(&self, claim: usize) -> bool {
        self.quiet[claim % self.providers]
    }

    /// Claims of a quiet provider are strands of their own; all else of a provider is one.
    fn strand(&self, claim: usize) -> usize {
        match self.is_quiet(claim) {
            true => self.providers + claim,
            false => claim % self.providers,
        }
    }

    fn pair(&mut self, claim: usize) -> Pair {
        let claim = self.claims[claim].clone();
        Pair {
            insurer: insurer(self.tape.below(self.insurers as u64) as usize),
            provider: claim.provider,
            payee: claim.payee,
            currency: currency(),
        }
    }

    fn amount(&mut self) -> Amount {
        let value = match self.tape.below(12) {
            0 => 0,
            1 => Amount::MAX.get() as u64,
            2..=4 => 100,
            _ => self.tape.below(300),
        };
        Amount::new(value as i64).unwrap()
    }

    fn decide(&mut self, claim: usize, stays: bool) -> (usize, What) {
        self.turns[claim] += 1;
        // Now and then the word of a turn that has passed already.
        let passed = self.tape.once_in(10);
        let turn = self.turns[claim] - u32::from(passed && self.turns[claim] > 1);
        let shares = stays.then(|| {
            let insurers = 1 + self.tape.below(self.insurers as u64) as usize;
            let lines = 1 + self.tape.below(3) as usize;
            let from = self.tape.below(self.insurers as u64) as usize;
            (0..insurers)
                .map(|at| {
                    let amounts = (0..lines).map(|_| self.amount()).collect();
                    (insurer((from + at) % self.insurers), amounts)
                })
                .collect()
        });
        let what = What::Decided {
            claim,
            turn,
            shares,
        };
        (self.strand(claim), what)
    }

    fn notice(&mut self) -> (usize, What) {
        let claim = self.claim();
        let (strand, pair) = (self.strand(claim), self.pair(claim));
        let number = self.payments.len();
        let id = PaymentId(Uuid::from_u128(1_000_000 + number as u128));
        let stated: Vec<MessageId> = (0..self.tape.below(4))
            .map(|_| self.claims[self.tape.below(self.claims.len() as u64) as usize].message)
            .collect();
        let reach = match (self.is_quiet(claim), self.tape.below(4)) {
            (false, 0..=1) => Reach::Bulk,
            (false, 2) => Reach::Statement(number as u64),
            (quiet, _) => Reach::Named(
                (0..1 + self.tape.below(3))
                    .map(|_| {
                        let any = self.tape.below(self.claims.len() as u64) as usize;
                        self.row(if quiet { claim } else { any })
                    })
                    .collect(),
            ),
        };
        let amount = self.amount();
        let notice = Notice {
            reference: format!("pay {number}"),
            pair: pair.clone(),
            amount,
            paid_on: calendar_month()
                .first()
                .add_days(self.tape.below(31) as u32),
            instrument: None,
            reach,
        };
        self.payments.push((strand, pair, id));
        let what = What::Noticed { notice, stated, id };
        if strand < self.providers {
            self.notices.push(what.clone());
        }
        (strand, what)
    }

    fn row(&mut self, claim: usize) -> Row {
        let sign = if self.tape.once_in(4) { -1 } else { 1 };
        Row {
            message: self.claims[claim].message,
            line: self.tape.maybe(4, |tape| tape.below(4) as u32),
            amount: match self.tape.once_in(2) {
                true => Amount::new(sign * self.amount().get()),
                false => None,
            },
        }
    }

    /// A notice that was sent before, perhaps with another amount.
    fn again(&mut self) -> (usize, What) {
        let at = self.tape.below(self.notices.len() as u64) as usize;
        let mut what = self.notices[at].clone();
        if let What::Noticed { notice, id, .. } = &mut what {
            *id = PaymentId(Uuid::from_u128(2_000_000 + at as u128));
            if self.tape.once_in(2) {
                notice.amount = self.amount();
            }
            // The first one's strand: its provider's.
            let payments = self.payments.iter();
            let strand = payments
                .filter(|(_, pair, _)| *pair == notice.pair)
                .map(|(strand, ..)| *strand)
                .find(|strand| *strand < self.providers);
            return (strand.unwrap_or(0), what);
        }
        (0, what)
    }

    /// A payment arrives or does not; of a quiet provider, and of any.
    fn fate(&mut self) -> (usize, What) {
        if self.payments.is_empty() {
            return self.notice();
        }
        let at = self.tape.below(self.payments.len() as u64) as usize;
        let (strand, pair, id) = self.payments[at].clone();
        match self.tape.below(4) {
            0 => (strand, What::Bounced(pair, id)),
            _ => (strand, What::Confirmed(pair, id)),
        }
    }

    fn dispute(&mut self) -> (usize, What) {
        let claim = self.claim();
        let (strand, pair) = (self.strand(claim), self.pair(claim));
        let number = self.disputes.len() as u128;
        let id = DisputeId(Uuid::from_u128(3_000_000 + number));
        let objection = Objection {
            message: self.claims[claim].message,
            line: self.tape.maybe(3, |tape| tape.below(4) as u32),
            amount: match self.tape.once_in(2) {
                true => Some(self.amount()),
                false => None,
            },
            by: self.tape.pick(&[Side::Provider, Side::Insurer]),
        };
        self.disputes.push((strand, pair.clone(), id));
        (strand, What::Disputed(pair, objection, id))
    }

    fn rule(&mut self) -> (usize, What) {
        if self.disputes.is_empty() {
            return self.dispute();
        }
        let at = self.tape.below(self.disputes.len() as u64) as usize;
        let (strand, pair, id) = self.disputes[at].clone();
        let event = self.tape.pick(DisputeEvent::ALL);
        let by = self.tape.pick(&[Side::Insurer, Side::Provider]);
        (strand, What::Ruled(pair, id, event, by))
    }
}
