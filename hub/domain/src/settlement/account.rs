//! The accounts of the book, the kinds of transfer between them, and their balances.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::state::PaymentState;
use super::{Pair, Refused, total};
use crate::date::Instant;
use crate::ids::MessageId;
use crate::money::Amount;

/// An account. Each pair has every one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Account {
    /// What the insurer bears.
    Cost,
    /// What it owes.
    Payable,
    /// What it owes and is argued about.
    Disputed,
    /// What it says it paid, and nobody has confirmed.
    InTransit,
    /// What has arrived.
    Paid,
    /// What it paid and no claim has taken yet.
    Prepaid,
}

impl Account {
    /// Every account, in the order of a trial balance.
    pub const ALL: &'static [Account] = &[
        Account::Cost,
        Account::Payable,
        Account::Disputed,
        Account::InTransit,
        Account::Paid,
        Account::Prepaid,
    ];

    /// The name in the book.
    pub fn as_str(self) -> &'static str {
        match self {
            Account::Cost => "cost",
            Account::Payable => "payable",
            Account::Disputed => "disputed",
            Account::InTransit => "in_transit",
            Account::Paid => "paid",
            Account::Prepaid => "prepaid",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Account> {
        Account::ALL
            .iter()
            .copied()
            .find(|account| account.as_str() == text)
    }
}

/// A sum that a claim's due keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Counter {
    /// What the insurer came to owe.
    Incurred,
    /// What is on its way.
    Noticed,
    /// What has arrived.
    Confirmed,
    /// What is argued about.
    Disputed,
    /// What was argued about, and is not paid.
    WrittenOff,
}

/// Whether transfers of a kind belong to a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfClaim {
    /// Each does.
    Always,
    /// Those of a payment's rest do not.
    Perhaps,
    /// None does: they move a payment's rest.
    Never,
}

/// What a kind of transfer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// The kind.
    pub kind: TransferKind,
    /// Its name in the book.
    pub name: &'static str,
    /// The account that it is taken from.
    pub debit: Account,
    /// The account that it goes to.
    pub credit: Account,
    /// Whether it belongs to a claim.
    pub claim: OfClaim,
    /// The sum of the claim's due that grows by it.
    pub adds: Option<Counter>,
    /// The sum that shrinks.
    pub takes: Option<Counter>,
}

macro_rules! kinds {
    ($($(#[$doc:meta])+ $kind:ident $name:literal: $debit:ident => $credit:ident, $claim:ident, $adds:expr, $takes:expr;)+) => {
        /// The kinds of transfer.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum TransferKind { $($(#[$doc])+ $kind,)+ }

        impl TransferKind {
            /// Every kind.
            pub const ALL: &'static [TransferKind] = &[$(TransferKind::$kind,)+];

            /// What it does.
            pub const fn rule(self) -> Rule {
                match self { $(TransferKind::$kind => Rule {
                    kind: self,
                    name: $name,
                    debit: Account::$debit,
                    credit: Account::$credit,
                    claim: OfClaim::$claim,
                    adds: $adds,
                    takes: $takes,
                },)+ }
            }
        }
    };
}

use Counter as C;

// One row a kind: debit => credit, whether it is a claim's, which sum of the due grows, which shrinks.
kinds! {
    /// A decision, or a better one.
    Incurred "incurred": Cost => Payable, Always, Some(C::Incurred), None;
    /// Taken back, or decided for less.
    Reversed "reversed": Payable => Cost, Always, None, Some(C::Incurred);
    /// For less after a review that the provider agreed to.
    Recovered "recovered": Payable => Cost, Always, None, Some(C::Incurred);
    /// A payment reaches the claim.
    Noticed "noticed": Payable => InTransit, Always, Some(C::Noticed), None;
    /// A payment's rest reaches no claim.
    Prepaid "prepaid": Prepaid => InTransit, Never, None, None;
    /// The claim takes of the rest of a payment that is on its way.
    Applied "applied": Payable => Prepaid, Always, Some(C::Noticed), None;
    /// The claim takes of the rest of a payment that has arrived.
    Drawn "drawn": Payable => Prepaid, Always, Some(C::Confirmed), None;
    /// What is on its way for the claim and no longer owed becomes rest again.
    Freed "freed": Prepaid => Payable, Always, None, Some(C::Noticed);
    /// What has arrived for the claim and is no longer owed becomes rest again.
    Netted "netted": Prepaid => Payable, Always, None, Some(C::Confirmed);
    /// The payment arrived.
    Confirmed "confirmed": InTransit => Paid, Perhaps, Some(C::Confirmed), Some(C::Noticed);
    /// It had not, after all, or was called back.
    Unconfirmed "unconfirmed": Paid => InTransit, Perhaps, Some(C::Noticed), Some(C::Confirmed);
    /// It did not arrive: the claim is owed again.
    Bounced "bounced": InTransit => Payable, Always, None, Some(C::Noticed);
    /// It did not arrive: its rest is gone.
    Returned "returned": InTransit => Prepaid, Never, None, None;
    /// One side argues.
    Disputed "disputed": Payable => Disputed, Always, Some(C::Disputed), None;
    /// It is owed as it was.
    Upheld "upheld": Disputed => Payable, Always, None, Some(C::Disputed);
    /// It is not paid.
    Dismissed "dismissed": Disputed => Cost, Always, Some(C::WrittenOff), Some(C::Disputed);
}

impl TransferKind {
    /// The name in the book.
    pub fn as_str(self) -> &'static str {
        self.rule().name
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<TransferKind> {
        TransferKind::ALL
            .iter()
            .copied()
            .find(|kind| kind.as_str() == text)
    }

    /// What it does to an account: 1 adds, -1 takes, 0 leaves it.
    pub fn sign(self, account: Account) -> i8 {
        let rule = self.rule();
        i8::from(rule.credit == account) - i8::from(rule.debit == account)
    }
}

/// One movement of money. Balanced by construction: what leaves one account enters another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// In whose book.
    pub pair: Pair,
    /// From which account to which.
    pub kind: TransferKind,
    /// How much; above zero.
    pub amount: Amount,
    /// For which claim; `None` for the rest of a payment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<MessageId>,
    /// For which of its lines, where one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The payment or dispute behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Uuid>,
    /// The turn of the claim behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<u32>,
    /// When.
    pub at: Instant,
}

impl Transfer {
    /// Whether it may stand in the book at all.
    ///
    /// # Errors
    /// [`Refused::Amount`] where nothing would be moved, [`Refused::Range`] where more than any real amount,
    /// [`Refused::Unknown`] where it lacks the claim that its kind is about, or names one that it is not about.
    pub fn check(&self) -> Result<(), Refused> {
        if self.amount <= Amount::ZERO {
            return Err(Refused::Amount);
        }
        if self.amount > Amount::MAX {
            return Err(Refused::Range);
        }
        let named = match (self.kind.rule().claim, self.message) {
            (OfClaim::Always, None) | (OfClaim::Never, Some(_)) => false,
            _ => self.message.is_some() || self.line.is_none(),
        };
        named.then_some(()).ok_or(Refused::Unknown)
    }
}

/// The balances of a pair's accounts: credits less debits, in smallest units. They sum to nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Balances([i128; Account::ALL.len()]);

impl Balances {
    /// What the transfers come to.
    pub fn of<'t>(transfers: impl IntoIterator<Item = &'t Transfer>) -> Balances {
        let mut balances = Balances::default();
        for transfer in transfers {
            balances.book(transfer.kind, transfer.amount.get().into());
        }
        balances
    }

    /// Adds a sum of transfers of one kind.
    pub fn book(&mut self, kind: TransferKind, value: i128) {
        let rule = kind.rule();
        self.add(rule.debit, -value);
        self.add(rule.credit, value);
    }

    /// Adds what a claim's due says: what was incurred, is on its way, has arrived, is argued about, was written off.
    pub fn add_due(&mut self, [incurred, noticed, confirmed, disputed, written_off]: [i128; 5]) {
        let borne = incurred - written_off;
        self.add(Account::Cost, -borne);
        self.add(Account::Payable, borne - noticed - confirmed - disputed);
        self.add(Account::Disputed, disputed);
        self.add(Account::InTransit, noticed);
        self.add(Account::Paid, confirmed);
    }

    /// Adds what a payment in a state has left over.
    pub fn add_rest(&mut self, state: PaymentState, rest: i128) {
        let holder = match state {
            PaymentState::Confirmed => Account::Paid,
            _ => Account::InTransit,
        };
        self.add(holder, rest);
        self.add(Account::Prepaid, -rest);
    }

    /// Adds to one account.
    pub fn add(&mut self, account: Account, value: i128) {
        if let Some(balance) = self.0.get_mut(account as usize) {
            *balance = balance.saturating_add(value);
        }
    }

    /// Adds another's.
    pub fn add_all(&mut self, other: &Balances) {
        for account in Account::ALL {
            self.add(*account, other.get(*account));
        }
    }

    /// One account's.
    pub fn get(&self, account: Account) -> i128 {
        self.0.get(account as usize).copied().unwrap_or(0)
    }

    /// One account's, as the book states it.
    ///
    /// # Errors
    /// [`Refused::Range`] where 64 bits do not hold it.
    pub fn stated(&self, account: Account) -> Result<i64, Refused> {
        total(self.get(account))
    }

    /// What all accounts come to together: nothing, in a book that balances.
    pub fn sum(&self) -> i128 {
        self.0.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a sum of the due is to what is still open.
    fn weight(counter: Counter) -> i8 {
        if counter == C::Incurred { 1 } else { -1 }
    }

    #[test]
    fn what_a_kind_does_to_the_due_is_what_it_does_to_the_accounts() {
        // Which account holds which sum of the due, and with which sign; confirmed and on their way together
        // with the rests of payments, which the due does not know.
        let held = |counter: Counter| match counter {
            C::Incurred => (Account::Cost, -1),
            C::WrittenOff => (Account::Cost, 1),
            C::Noticed => (Account::InTransit, 1),
            C::Confirmed => (Account::Paid, 1),
            C::Disputed => (Account::Disputed, 1),
        };
        for kind in TransferKind::ALL {
            let rule = kind.rule();
            assert_ne!(rule.debit, rule.credit, "{kind:?}");
            let effects = [(rule.adds, 1), (rule.takes, -1)];
            let effects = effects
                .into_iter()
                .filter_map(|(counter, sign)| Some((counter?, sign)));
            let open: i8 = effects
                .clone()
                .map(|(counter, sign)| weight(counter) * sign)
                .sum();
            assert_eq!(
                open,
                kind.sign(Account::Payable),
                "{kind:?}: open and payable"
            );
            // A rest of a payment lies in both of the payment's accounts and in prepaid, so that what goes from
            // a claim to a rest leaves the payment's accounts as they are.
            let by_rest = rule.debit == Account::Prepaid || rule.credit == Account::Prepaid;
            if !by_rest {
                for account in [Account::Cost, Account::Disputed] {
                    let by_due: i8 = effects
                        .clone()
                        .filter(|(counter, _)| held(*counter).0 == account)
                        .map(|(counter, sign)| held(counter).1 * sign)
                        .sum();
                    assert_eq!(by_due, kind.sign(account), "{kind:?}: {account:?}");
                }
            }
        }
    }

    #[test]
    fn names_are_read_back() {
        for kind in TransferKind::ALL {
            assert_eq!(TransferKind::parse(kind.as_str()), Some(*kind));
            assert_eq!(
                serde_json::to_value(kind).ok(),
                Some(kind.as_str().into()),
                "one name everywhere"
            );
        }
        for account in Account::ALL {
            assert_eq!(Account::parse(account.as_str()), Some(*account));
        }
        assert_eq!(TransferKind::parse(""), None);
        assert_eq!(Account::parse("Paid"), None);
    }

    #[test]
    fn every_booking_leaves_the_sum_of_accounts_at_nothing() {
        let mut balances = Balances::default();
        for (kind, value) in TransferKind::ALL
            .iter()
            .zip([1_i128, 7, i64::MAX.into(), 3].iter().cycle())
        {
            balances.book(*kind, *value);
            assert_eq!(balances.sum(), 0);
        }
        let mut balances = Balances::default();
        balances.book(TransferKind::Incurred, i128::from(i64::MAX) + 1);
        assert_eq!(balances.stated(Account::Payable), Err(Refused::Range));
    }
}
