//! The tables that the rules go by, in plain types: whoever has the files fills them.
//!
//! An empty table is one that is not here: the rules that need it say so.

use std::borrow::Borrow;

use super::case::Ingredient;
use super::key::{CodeKey, CodeRange};
use super::{RXNORM, Severity};
use crate::date::Date;
use crate::party::Sex;
use crate::text;

/// Every table.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    /// The diagnoses of ICD-10-CM.
    pub diagnoses: Diagnoses,
    /// At which ages and in which sex a diagnosis occurs.
    pub bearers: Lookup<CodeKey, Bearer>,
    /// The notes of ICD-10-CM on what stands beside what.
    pub notes: Lookup<CodeKey, Notes>,
    /// The most units of a service of HCPCS in a day.
    pub units: Lookup<CodeKey, u32>,
    /// The ingredients of drugs.
    pub drugs: Drugs,
    /// What a drug is given for, by its ingredient in RxNorm.
    pub indications: Lookup<u32, Box<[CodeRange]>>,
    /// Which drugs act on each other.
    pub interactions: Interactions,
    /// The organs that procedures of ICD-10-PCS remove.
    pub organs: Lookup<CodeKey, Organ>,
}

/// Keys with their values, sorted, searched by halving.
#[derive(Debug, Clone)]
pub struct Lookup<K, V>(Box<[(K, V)]>);

impl<K: Ord, V> Lookup<K, V> {
    /// The value of a key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let at = self
            .0
            .binary_search_by(|(own, _)| own.borrow().cmp(key))
            .ok()?;
        self.0.get(at).map(|(_, value)| value)
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the table is not here.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every key with its value, in order.
    pub fn iter(&self) -> impl Iterator<Item = &(K, V)> {
        self.0.iter()
    }
}

impl<V> Lookup<CodeKey, V> {
    /// The value of a diagnosis, else of the nearest category above it that has one.
    pub fn nearest(&self, key: CodeKey) -> Option<&V> {
        key.upward().find_map(|key| self.get(&key))
    }
}

impl<K, V> Default for Lookup<K, V> {
    fn default() -> Self {
        Lookup(Box::default())
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for Lookup<K, V> {
    /// Of rows with the same key the first counts.
    fn from_iter<I: IntoIterator<Item = (K, V)>>(rows: I) -> Self {
        let mut rows: Vec<(K, V)> = rows.into_iter().collect();
        rows.sort_by(|one, other| one.0.cmp(&other.0));
        rows.dedup_by(|one, other| one.0 == other.0);
        Lookup(rows.into())
    }
}

/// The codes of an edition.
#[derive(Debug, Clone, Default)]
pub struct Diagnoses {
    /// The day from which the edition holds. What is older is not judged by it.
    pub since: Option<Date>,
    /// Every code, and whether it may stand on a bill or is only the heading of more exact ones.
    pub codes: Lookup<CodeKey, bool>,
}

/// Who can have a diagnosis.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bearer {
    /// From and to which age in full years.
    pub ages: Option<(u32, u32)>,
    /// Of which sex.
    pub sex: Option<Sex>,
}

/// What ICD-10-CM says of a category beside its title. A note holds for all that stands below it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notes {
    /// What cannot stand beside it (Excludes1).
    pub excludes: Box<[CodeRange]>,
    /// What is to be coded before it.
    pub code_first: Box<[CodeRange]>,
    /// Whether it may not stand first: a cause is to be coded before it, whichever it is.
    pub never_first: bool,
    /// What is to be coded beside it.
    pub use_additional: Box<[CodeRange]>,
}

/// An organ that a procedure removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Organ {
    /// The first characters of every procedure that removes it.
    pub organ: CodeKey,
    /// The first characters of the transplantations after which it can be removed again.
    pub restored: Option<CodeKey>,
}

/// What is in drugs.
#[derive(Debug, Clone, Default)]
pub struct Drugs {
    composition: Lookup<u32, Box<[u32]>>,
    names: Lookup<Box<str>, u32>,
}

impl Drugs {
    /// From the ingredients of each drug of RxNorm, those of an ingredient being itself, and the names of
    /// ingredients, spelled by [`drug_name`].
    pub fn new(
        composition: impl IntoIterator<Item = (u32, Box<[u32]>)>,
        names: impl IntoIterator<Item = (Box<str>, u32)>,
    ) -> Drugs {
        Drugs {
            composition: composition.into_iter().collect(),
            names: names.into_iter().collect(),
        }
    }

    /// The ingredients of a drug; none where it is not known.
    pub fn ingredients(&self, system: &str, code: &str) -> &[u32] {
        let rxcui = (system == RXNORM).then(|| code.parse::<u32>().ok());
        let parts = rxcui
            .flatten()
            .and_then(|rxcui| self.composition.get(&rxcui));
        parts.map(AsRef::as_ref).unwrap_or_default()
    }

    /// The ingredient of exactly that name, spelled by [`drug_name`].
    pub fn named(&self, name: &str) -> Option<u32> {
        self.names.get(name).copied()
    }
}

/// One spelling of a drug's name.
pub fn drug_name(words: &str) -> String {
    text::normalise(words).to_lowercase()
}

/// Which drugs act on each other.
#[derive(Debug, Clone, Default)]
pub struct Interactions {
    pairs: Lookup<(Ingredient, Ingredient), Severity>,
    known: Lookup<Ingredient, ()>,
}

impl Interactions {
    /// From pairs in either order; of a pair that comes more than once the gravest counts.
    pub fn new(
        pairs: impl IntoIterator<Item = (Ingredient, Ingredient, Severity)>,
    ) -> Interactions {
        let mut pairs: Vec<((Ingredient, Ingredient), Severity)> = pairs
            .into_iter()
            .map(|(one, other, severity)| (sorted(one, other), severity))
            .collect();
        pairs.sort();
        let known = pairs
            .iter()
            .flat_map(|((one, other), _)| [(one.clone(), ()), (other.clone(), ())])
            .collect();
        Interactions {
            pairs: pairs.into_iter().collect(),
            known,
        }
    }

    /// How two ingredients act on each other.
    pub fn between(&self, one: &Ingredient, other: &Ingredient) -> Option<Severity> {
        self.pairs.get(&sorted(one.clone(), other.clone())).copied()
    }

    /// Whether an ingredient is in any pair.
    pub fn knows(&self, ingredient: &Ingredient) -> bool {
        self.known.get(ingredient).is_some()
    }

    /// Every pair, in order.
    pub fn iter(&self) -> impl Iterator<Item = &((Ingredient, Ingredient), Severity)> {
        self.pairs.iter()
    }

    /// Whether the table is not here.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }
}

fn sorted(one: Ingredient, other: Ingredient) -> (Ingredient, Ingredient) {
    if one <= other {
        (one, other)
    } else {
        (other, one)
    }
}

impl Tables {
    /// The ingredient that words name exactly, whether RxNorm has it or the table of interactions alone.
    pub fn ingredient_named(&self, words: &str) -> Option<Ingredient> {
        let name = drug_name(words);
        if let Some(rxcui) = self.drugs.named(&name) {
            return Some(Ingredient::RxNorm(rxcui));
        }
        let own = Ingredient::Named(name.into());
        self.interactions.knows(&own).then_some(own)
    }
}
