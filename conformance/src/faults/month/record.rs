//! What the parties of the month know by themselves: what each claim was answered last, and what was paid and argued. What the
//! hub's book has to come to follows from it, and from nothing that the hub adds up.

use std::collections::BTreeMap;

use serde_json::Value;

/// A claim, as its provider knows it.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    /// The hub's id, and the sender's.
    pub(super) id: String,
    pub(super) key: String,
    pub(super) insurer: usize,
    pub(super) provider: usize,
    pub(super) member: u32,
    /// What each line asks for.
    pub(super) lines: Vec<i64>,
    pub(super) stage: Stage,
    /// What the insurer pays of it, by the last answer.
    pub(super) owed: i64,
    /// How many words its insurer has had.
    pub(super) words: usize,
    /// What of it is argued about, and what was argued away.
    pub(super) disputed: i64,
    pub(super) dismissed: i64,
}

/// How far a claim is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its insurer has to decide.
    Waits,
    /// What is owed for it is said.
    Decided,
    /// It was taken back, or replaced.
    Gone,
}

/// A payment, as its insurer knows it.
#[derive(Debug, Clone)]
pub(super) struct Payment {
    pub(super) id: String,
    pub(super) insurer: usize,
    pub(super) provider: usize,
    pub(super) amount: i64,
    /// The day of the month on which notice of it was given.
    pub(super) day: i64,
    pub(super) said: Said,
}

/// What a provider said of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    Nothing,
    Arrived,
    Bounced,
}

/// Something that is argued about.
#[derive(Debug, Clone)]
pub(super) struct Dispute {
    pub(super) id: String,
    pub(super) claim: usize,
    pub(super) amount: i64,
}

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) claims: Vec<Claim>,
    pub(super) payments: Vec<Payment>,
    /// What is argued about now.
    pub(super) disputes: Vec<Dispute>,
}

/// What one insurer and one provider have with each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) incurred: i64,
    pub(super) dismissed: i64,
    pub(super) disputed: i64,
    pub(super) paid: i64,
}

impl Sums {
    /// What is left to be paid and not argued about; below 0 where more was paid.
    pub(super) fn open(self) -> i64 {
        self.incurred - self.dismissed - self.disputed - self.paid
    }
}

impl Claim {
    /// Notes what an answer says of it.
    pub(super) fn told(&mut self, answer: &Value) {
        let state = answer.get("state").and_then(Value::as_str);
        self.stage = match state.unwrap_or_default() {
            "decided" | "refused" | "adjusted" | "appealed" | "paid" | "reconciled" => {
                Stage::Decided
            }
            "pended" | "consulting" | "queried" => Stage::Waits,
            _ => Stage::Gone,
        };
        let shares = answer.pointer("/decision/totals/supplementary");
        let shares = shares.and_then(Value::as_array).into_iter().flatten();
        let amounts = shares.filter_map(|share| share.get(1)?.as_i64());
        self.owed = match self.stage {
            Stage::Decided => amounts.sum(),
            Stage::Waits | Stage::Gone => 0,
        };
    }

    /// What the book has as owed for it: what is argued about stands in it until that is decided, and what was argued
    /// away for good, each against an account of its own.
    pub(super) fn incurred(&self) -> i64 {
        self.owed.max(self.disputed + self.dismissed)
    }

    /// What it asks for.
    pub(super) fn billed(&self) -> i64 {
        self.lines.iter().sum()
    }
}

impl Record {
    /// The claims at a stage, by their numbers.
    pub(super) fn at(&self, stage: Stage) -> Vec<usize> {
        let claims = self.claims.iter().enumerate();
        let own = claims.filter(|(_, claim)| claim.stage == stage);
        own.map(|(number, _)| number).collect()
    }

    /// What each insurer and each provider have with each other.
    pub(super) fn sums(&self) -> BTreeMap<(usize, usize), Sums> {
        let mut sums: BTreeMap<(usize, usize), Sums> = BTreeMap::new();
        for claim in &self.claims {
            let own = sums.entry((claim.insurer, claim.provider)).or_default();
            own.incurred += claim.incurred();
            own.dismissed += claim.dismissed;
            own.disputed += claim.disputed;
        }
        for payment in self.payments.iter().filter(|own| own.said != Said::Bounced) {
            let own = sums.entry((payment.insurer, payment.provider));
            own.or_default().paid += payment.amount;
        }
        sums
    }
}
