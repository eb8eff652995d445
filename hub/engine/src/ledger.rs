//! The remainders that a batch of messages uses, in memory between their loading and their writing.
//!
//! Every change goes through [`Ledger::enter`], which keeps the domain's rule (nothing beyond a limit) and
//! leaves an entry behind.

use std::collections::HashMap;

use takmil_domain::ids::MessageId;
use takmil_domain::limit::{EntryKind, LimitKey, LimitNeed, Standing};
use takmil_domain::plan::{LimitKind, LimitPer, LimitUnit};

/// A limit with what the store keeps beside its standing.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) standing: Standing,
    pub(crate) kind: LimitKind,
    pub(crate) unit: LimitUnit,
    pub(crate) per: LimitPer,
    /// The message that found a later version of the plan.
    pub(crate) revised: Option<MessageId>,
    /// The message that uses it first; `None` where the store knows it already.
    pub(crate) first: Option<MessageId>,
    /// The ceiling that it was made with.
    pub(crate) first_ceiling: i64,
}

impl Account {
    /// A limit as the store has it. What the plan says of it is only needed to make one.
    pub(crate) fn stored(standing: Standing) -> Account {
        Account {
            standing,
            kind: LimitKind::default(),
            unit: LimitUnit::default(),
            per: LimitPer::default(),
            revised: None,
            first: None,
            first_ceiling: standing.ceiling,
        }
    }
}

/// One line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: LimitKey,
    pub(crate) message: MessageId,
    pub(crate) turn: u32,
    /// The line of the bill; 0 for the whole message.
    pub(crate) line: u32,
    pub(crate) kind: EntryKind,
    pub(crate) amount: i64,
    /// Whose reservation it adds to or takes from.
    pub(crate) reservation: Option<MessageId>,
}

/// Because of which message, in which of its turns, an entry is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cause {
    pub(crate) message: MessageId,
    pub(crate) turn: u32,
}

/// Where an entry would have broken the ledger's rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an entry of {amount} ({kind:?}) does not fit limit {key}")]
pub(crate) struct Unbalanced {
    pub(crate) key: LimitKey,
    pub(crate) kind: EntryKind,
    pub(crate) amount: i64,
}

/// The remainders of a batch.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    accounts: HashMap<LimitKey, Account>,
    entries: Vec<Entry>,
}

impl Ledger {
    /// Adds a limit as the store has it.
    pub(crate) fn load(&mut self, key: LimitKey, account: Account) {
        self.accounts.insert(key, account);
    }

    /// What is left of a limit: all of it where nobody has used it yet, as much as the plan in force leaves where
    /// that is a later one than the limit's.
    pub(crate) fn left(&self, need: &LimitNeed) -> i64 {
        let Some(account) = self.accounts.get(&need.key) else {
            return need.ceiling;
        };
        (account.standing.left() + change(account.standing, need)).max(0)
    }

    /// Whether anybody has used the limit yet.
    pub(crate) fn knows(&self, need: &LimitNeed) -> bool {
        self.accounts.contains_key(&need.key)
    }

    /// The ceiling of a limit under the plan in force.
    pub(crate) fn ceiling(&self, need: &LimitNeed) -> i64 {
        let Some(account) = self.accounts.get(&need.key) else {
            return need.ceiling;
        };
        account.standing.ceiling + change(account.standing, need)
    }

    /// Makes the limit known, and brings its ceiling to what a later version of the plan says.
    ///
    /// A ceiling that falls under what is used leaves what was promised: the difference is an override.
    pub(crate) fn open(&mut self, need: &LimitNeed, cause: Cause) -> Result<(), Unbalanced> {
        let Some(account) = self.accounts.get(&need.key) else {
            let standing = Standing {
                ceiling: need.ceiling,
                version: need.version,
                ..Standing::default()
            };
            let account = Account {
                standing,
                kind: need.kind,
                unit: need.unit,
                per: need.per,
                revised: None,
                first: Some(cause.message),
                first_ceiling: need.ceiling,
            };
            self.accounts.insert(need.key.clone(), account);
            return Ok(());
        };
        let standing = account.standing;
        if need.version <= standing.version {
            return Ok(());
        }
        let change = change(standing, need);
        let missing = (-(standing.left() + change)).max(0);
        self.enter(&need.key, cause, 0, EntryKind::Override, missing, None)?;
        self.enter(&need.key, cause, 0, EntryKind::Ceiling, change, None)?;
        if let Some(account) = self.accounts.get_mut(&need.key) {
            account.standing.version = need.version;
            account.revised = Some(cause.message);
        }
        Ok(())
    }

    /// Writes an entry of a limit that is known. Nothing for an amount of nothing.
    pub(crate) fn enter(
        &mut self,
        key: &LimitKey,
        cause: Cause,
        line: u32,
        kind: EntryKind,
        amount: i64,
        reservation: Option<MessageId>,
    ) -> Result<(), Unbalanced> {
        if amount == 0 {
            return Ok(());
        }
        let unbalanced = || Unbalanced {
            key: key.clone(),
            kind,
            amount,
        };
        let account = self.accounts.get_mut(key).ok_or_else(unbalanced)?;
        account.standing = account
            .standing
            .after(kind, amount)
            .ok_or_else(unbalanced)?;
        let Cause { message, turn } = cause;
        self.entries.push(Entry {
            key: key.clone(),
            message,
            turn,
            line,
            kind,
            amount,
            reservation,
        });
        Ok(())
    }

    /// What was entered so far, in order.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What is to be written: the limits that are new or revised, and the entries.
    pub(crate) fn finish(self) -> (Vec<(LimitKey, Account)>, Vec<Entry>) {
        let mut known: Vec<_> = self.accounts.into_iter().collect();
        known.retain(|(_, account)| account.first.is_some() || account.revised.is_some());
        known.sort_by(|(one, _), (other, _)| one.cmp(other));
        (known, self.entries)
    }
}

/// By how much the plan in force moves the ceiling of a limit that an earlier version set.
fn change(standing: Standing, need: &LimitNeed) -> i64 {
    if need.version > standing.version {
        need.ceiling - standing.ceiling
    } else {
        0
    }
}
