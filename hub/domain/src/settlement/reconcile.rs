//! Three-way reconciliation: what the hub, an insurer's core and a provider state of the same claims and limits, and
//! the message behind every difference.
//!
//! A claim's difference names the claim. A limit's is traced by the entries that the insurer stated with it, or by what
//! of its hub has not reached the insurer yet; where nothing accounts for it to the unit, it is told as unexplained,
//! with what might be behind it.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

use crate::ids::MessageId;

/// How many candidates are tried together: 4,096 sums for one difference.
pub const MAX_CANDIDATES: usize = 12;

/// What a figure is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Item {
    /// A claim: what is owed for it.
    Claim(MessageId),
    /// A limit, by its key in the ledger: what is used of it.
    Limit(String),
}

/// What one side states.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    /// Of what.
    pub item: Item,
    /// How much, in smallest units of its currency or unit.
    pub amount: i64,
    /// How far a claim has come, where the side says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// What a limit's figure is made of, where the side says so: the claims, and how much each used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<(MessageId, i64)>,
}

/// What the sides state; `None` for one that has stated nothing yet, which is then not compared.
#[derive(Debug, Clone, Copy)]
pub struct Sides<'a> {
    /// The hub.
    pub hub: &'a [Figure],
    /// The insurer's core.
    pub insurer: Option<&'a [Figure]>,
    /// The provider. It states claims alone.
    pub provider: Option<&'a [Figure]>,
}

/// Something that may be behind a difference: by so much does the hub's figure lie above the other's because of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// The message.
    pub message: MessageId,
    /// Why.
    pub why: Why,
    /// By how much; below zero where the hub's figure lies below.
    pub amount: i64,
}

/// Why a message may be behind a difference; the likelier first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The insurer's own entry says otherwise than the hub's.
    Entry,
    /// Its delivery is on its way.
    Undelivered,
    /// Its delivery was refused for good.
    Dead,
    /// The insurer has objected, and a person looks at it.
    UnderReview,
    /// It was reversed that day.
    Reversed,
    /// The insurer posted it itself that day.
    Posted,
}

/// In what two sides differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceKind {
    /// The insurer lacks a claim.
    MissingAtInsurer,
    /// The provider lacks it.
    MissingAtProvider,
    /// Only others have it.
    MissingAtHub,
    /// The amounts differ.
    Amount,
    /// The states do.
    State,
    /// The use of a limit does.
    Limit,
}

/// A difference between what sides state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// In what.
    pub kind: DifferenceKind,
    /// Of what.
    pub item: Item,
    /// What the hub states; `None` where it has no such thing, as for the others.
    pub hub: Option<i64>,
    /// What the insurer states.
    pub insurer: Option<i64>,
    /// What the provider states.
    pub provider: Option<i64>,
    /// What is behind it.
    pub cause: Cause,
}

/// What is behind a difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// These messages account for it to the unit.
    Found(Vec<Candidate>),
    /// Nothing known accounts for it, or several things would equally. These may have to do with it.
    Unexplained(Vec<Candidate>),
}

impl Difference {
    /// The messages that it names: the claim it is about, and what is behind it.
    pub fn messages(&self) -> BTreeSet<MessageId> {
        let claim = match &self.item {
            Item::Claim(message) => Some(*message),
            Item::Limit(_) => None,
        };
        let behind = match &self.cause {
            Cause::Found(behind) => behind.iter().map(|one| one.message).collect(),
            Cause::Unexplained(_) => Vec::new(),
        };
        claim.into_iter().chain(behind).collect()
    }
}

/// What comes of comparing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Reconciled {
    /// The claims of which all three sides state the same.
    pub agreed: Vec<MessageId>,
    /// Everything else, in the order of items.
    pub differences: Vec<Difference>,
}

/// Compares what three sides state. `candidates` are what may be behind differences, each with the item that it
/// touches. Of several figures of a side about one item the last counts.
pub fn reconcile(sides: Sides<'_>, candidates: &[(Item, Candidate)]) -> Reconciled {
    let by_item = |figures: &'_ [Figure]| -> BTreeMap<Item, Figure> {
        let own = figures.iter();
        own.map(|figure| (figure.item.clone(), figure.clone()))
            .collect()
    };
    let hub = by_item(sides.hub);
    let insurer = sides.insurer.map(by_item);
    let provider = sides.provider.map(by_item);
    let mut items: BTreeSet<&Item> = hub.keys().collect();
    items.extend(insurer.iter().flat_map(BTreeMap::keys));
    items.extend(provider.iter().flat_map(BTreeMap::keys));
    let mut touching: BTreeMap<&Item, Vec<Candidate>> = BTreeMap::new();
    for (item, candidate) in candidates {
        touching.entry(item).or_default().push(*candidate);
    }
    let mut reconciled = Reconciled::default();
    for item in items {
        let row = Row {
            item,
            hub: hub.get(item),
            insurer: insurer.as_ref().map(|side| side.get(item)),
            provider: provider.as_ref().map(|side| side.get(item)),
            candidates: touching.get(item).map_or(&[], Vec::as_slice),
        };
        let before = reconciled.differences.len();
        match item {
            Item::Claim(_) => row.compare_claim(&mut reconciled.differences),
            Item::Limit(_) => row.compare_limit(&mut reconciled.differences),
        }
        let agrees = reconciled.differences.len() == before;
        if let (Item::Claim(message), Some(_), Some(Some(_)), Some(Some(_)), true) =
            (item, row.hub, row.insurer, row.provider, agrees)
        {
            reconciled.agreed.push(*message);
        }
    }
    reconciled
}

/// What the sides state of one item. Of the others: nothing where the side has stated nothing at all, and nothing
/// within where it lacks the item.
struct Row<'a> {
    item: &'a Item,
    hub: Option<&'a Figure>,
    insurer: Option<Option<&'a Figure>>,
    provider: Option<Option<&'a Figure>>,
    candidates: &'a [Candidate],
}

impl Row<'_> {
    fn compare_claim(&self, differences: &mut Vec<Difference>) {
        let sides = [
            (DifferenceKind::MissingAtInsurer, self.insurer),
            (DifferenceKind::MissingAtProvider, self.provider),
        ];
        let Some(hub) = self.hub else {
            let stated = sides.iter().filter_map(|(_, side)| (*side)?);
            if let Some(amount) = stated.map(|figure| figure.amount).find(|sum| *sum != 0) {
                let lacking = -i128::from(amount);
                differences.push(self.difference(DifferenceKind::MissingAtHub, lacking));
            }
            return;
        };
        let mut lacking = None;
        for (missing, side) in sides {
            match side {
                // Who lacks a claim of which nothing is owed states the same.
                Some(None) if hub.amount != 0 => {
                    differences.push(self.difference(missing, hub.amount.into()));
                }
                Some(Some(figure)) if figure.amount != hub.amount => {
                    lacking.get_or_insert(i128::from(hub.amount) - i128::from(figure.amount));
                }
                _ => {}
            }
        }
        if let Some(lacking) = lacking {
            differences.push(self.difference(DifferenceKind::Amount, lacking));
        }
        let differs = |side: Option<Option<&Figure>>| {
            let its = side.flatten().and_then(|figure| figure.state.as_ref());
            matches!((&hub.state, its), (Some(own), Some(its)) if own != its)
        };
        if lacking.is_none() && sides.iter().any(|(_, side)| differs(*side)) {
            differences.push(self.difference(DifferenceKind::State, 0));
        }
    }

    fn compare_limit(&self, differences: &mut Vec<Difference>) {
        let Some(stated) = self.insurer else {
            return;
        };
        let value = |figure: Option<&Figure>| figure.map_or(0, |figure| i128::from(figure.amount));
        let lacking = value(self.hub) - value(stated);
        if lacking != 0 {
            differences.push(self.difference(DifferenceKind::Limit, lacking));
        }
    }

    /// A difference, with what is behind it: by `lacking` lies the hub's figure above the other's.
    fn difference(&self, kind: DifferenceKind, lacking: i128) -> Difference {
        let amount = |side: Option<&Figure>| side.map(|figure| figure.amount);
        Difference {
            kind,
            item: self.item.clone(),
            hub: amount(self.hub),
            insurer: amount(self.insurer.flatten()),
            provider: amount(self.provider.flatten()),
            cause: self.cause(lacking),
        }
    }

    fn cause(&self, lacking: i128) -> Cause {
        let entries = self.entries();
        let accounted: i128 = entries.iter().map(|entry| i128::from(entry.amount)).sum();
        // What an entry tells already is not looked for a second time.
        let told: BTreeSet<MessageId> = entries.iter().map(|entry| entry.message).collect();
        let others = self.candidates.iter().copied();
        let mut others: Vec<Candidate> =
            others.filter(|one| !told.contains(&one.message)).collect();
        others.sort_by_key(|one| (one.why, one.message));
        let left = lacking.saturating_sub(accounted);
        if !entries.is_empty() && left == 0 {
            return Cause::Found(entries);
        }
        match subset(&others, left) {
            Some(found) => Cause::Found([entries, found].concat()),
            None => Cause::Unexplained([entries, others].concat()),
        }
    }

    /// The entries in which the hub and the insurer differ, where both state what the limit's use is made of.
    fn entries(&self) -> Vec<Candidate> {
        let stated = self.insurer.flatten().filter(|one| !one.entries.is_empty());
        let (Some(hub), Some(stated), Item::Limit(_)) = (self.hub, stated, self.item) else {
            return Vec::new();
        };
        let mut differing: BTreeMap<MessageId, i128> = BTreeMap::new();
        for (message, amount) in &hub.entries {
            *differing.entry(*message).or_default() += i128::from(*amount);
        }
        for (message, amount) in &stated.entries {
            *differing.entry(*message).or_default() -= i128::from(*amount);
        }
        let entry = |(message, amount): (MessageId, i128)| Candidate {
            message,
            why: Why::Entry,
            // Beyond 64 bits nothing adds up any more, and is told as unexplained.
            amount: i64::try_from(amount).unwrap_or(i64::MAX),
        };
        let differing = differing.into_iter().filter(|(_, amount)| *amount != 0);
        differing.map(entry).collect()
    }
}

/// The candidates that come to `lacking`: the fewest, of equally many the likeliest. `None` where none do, or where
/// others would account for it equally well: then nobody knows.
fn subset(candidates: &[Candidate], lacking: i128) -> Option<Vec<Candidate>> {
    let moving = candidates.iter().filter(|one| one.amount != 0);
    let tried: Vec<&Candidate> = moving.take(MAX_CANDIDATES).collect();
    let chosen = |mask: u32| {
        let bits = tried.iter().enumerate();
        bits.filter(move |(bit, _)| mask >> bit & 1 == 1)
            .map(|(_, one)| **one)
    };
    let mut best: Option<((usize, usize), u32)> = None;
    let mut is_alone = false;
    for mask in 1..(1_u32 << tried.len()) {
        if chosen(mask).map(|one| i128::from(one.amount)).sum::<i128>() != lacking {
            continue;
        }
        let rank = (
            chosen(mask).count(),
            chosen(mask).map(|one| one.why as usize).sum(),
        );
        match best {
            Some((least, _)) if rank > least => {}
            Some((least, _)) if rank == least => is_alone = false,
            _ => (best, is_alone) = (Some((rank, mask)), true),
        }
    }
    let (_, mask) = best.filter(|_| is_alone)?;
    Some(chosen(mask).collect())
}

#[cfg(test)]
mod tests;
