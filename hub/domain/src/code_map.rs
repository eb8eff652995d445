//! What an insurer calls in its own codes what the hub says in common ones: its plans, its commitments (the benefits of
//! a plan), its coverages (kinds of service within them), and single services, drugs and things.
//!
//! What goes to the insurer says both: the common code, and the insurer's own where its map has one. A level that the
//! map has no row of is one that the insurer does not use, so that nothing of it is missing.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::answer::Answer;
use crate::code::Code;
use crate::decision::LineShare;
use crate::ids::{BenefitId, ParticipantId, PlanId};
use crate::lint::Remarks;
use crate::message::Message;
use crate::plan::CodeGroup;

/// The longest own code.
const MOST_LENGTH: usize = 64;

/// A version of an insurer's own codes. The highest version counts, for whatever is sent from then on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", deny_unknown_fields)]
pub struct CodeMap {
    /// Whose codes they are.
    pub insurer: ParticipantId,
    /// Counts up from 1.
    pub version: u32,
    /// Its plans.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub plans: Vec<PlanCode>,
    /// Its commitments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub commitments: Vec<CommitmentCode>,
    /// Its coverages. Of several that hold a service, the one that says the most of it counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub coverages: Vec<CoverageCode>,
    /// Single services, drugs and things, in the order of their common codes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<ItemCode>,
}

/// The JSON form of a [`CodeMap`], in any order.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    insurer: ParticipantId,
    version: u32,
    #[serde(default)]
    plans: Vec<PlanCode>,
    #[serde(default)]
    commitments: Vec<CommitmentCode>,
    #[serde(default)]
    coverages: Vec<CoverageCode>,
    #[serde(default)]
    items: Vec<ItemCode>,
}

impl From<Written> for CodeMap {
    fn from(written: Written) -> CodeMap {
        let mut items = written.items;
        items.sort_by(|one, other| one.item.cmp(&other.item));
        CodeMap {
            insurer: written.insurer,
            version: written.version,
            plans: written.plans,
            commitments: written.commitments,
            coverages: written.coverages,
            items,
        }
    }
}

impl CodeMap {
    /// The version after this one, in which an item is called so.
    #[must_use]
    pub fn with_item(&self, item: ItemCode) -> CodeMap {
        let mut next = self.clone();
        next.version = self.version.saturating_add(1);
        match next.items.binary_search_by(|own| own.item.cmp(&item.item)) {
            Ok(place) => {
                if let Some(own) = next.items.get_mut(place) {
                    *own = item;
                }
            }
            Err(place) => next.items.insert(place, item),
        }
        next
    }
}

/// What an insurer calls a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanCode {
    /// The plan at the hub.
    pub plan: PlanId,
    /// The insurer's own code.
    pub code: String,
}

/// What an insurer calls a benefit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommitmentCode {
    /// The plan; every plan of the insurer's where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanId>,
    /// The benefit within it.
    pub benefit: BenefitId,
    /// The insurer's own code.
    pub code: String,
}

/// What an insurer calls a kind of service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoverageCode {
    /// Within this benefit alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub benefit: Option<BenefitId>,
    /// The common codes that are of the kind.
    pub codes: Vec<CodeGroup>,
    /// The insurer's own code.
    pub code: String,
}

/// What an insurer calls a single service, drug or thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemCode {
    /// The common code.
    pub item: Code,
    /// The insurer's own code.
    pub code: String,
}

/// A level of an insurer's own codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// A plan.
    Plan,
    /// A benefit.
    Commitment,
    /// A kind of service.
    Coverage,
    /// A single service, drug or thing.
    Item,
}

impl Level {
    /// The system under which missing codes are counted.
    pub fn system(self) -> &'static str {
        match self {
            Level::Plan => "urn:takmil:own:plan",
            Level::Commitment => "urn:takmil:own:commitment",
            Level::Coverage => "urn:takmil:own:coverage",
            Level::Item => "urn:takmil:own:item",
        }
    }
}

/// A message and its answer in an insurer's own codes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnCodes {
    /// Which version of the map they come from.
    pub version: u32,
    /// The member's plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// The lines of which something is said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<OwnLine>,
    /// What the map does not know, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmapped: Vec<Unmapped>,
}

/// A line in an insurer's own codes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnLine {
    /// The line, by the provider's number.
    pub seq: u32,
    /// The benefit that it fell under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commitment: Option<String>,
    /// The kind of service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<String>,
    /// The service itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
}

/// Something that a map does not know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unmapped {
    /// Of which level.
    pub level: Level,
    /// What, as the hub calls it: a plan's id, "plan/benefit", or "system|code".
    pub what: String,
}

impl CodeMap {
    /// What is wrong with it, each with a JSON pointer into it.
    pub fn faults(&self) -> Remarks {
        let mut faults = Vec::new();
        let mut fault = |pointer: String, fault| faults.push((pointer, fault));
        if self.version == 0 {
            fault("/version".to_owned(), "versions count from 1");
        }
        let mut check = |list: &str, codes: &mut dyn Iterator<Item = &String>| {
            for (at, code) in codes.enumerate() {
                if code.trim().is_empty() || code.len() > MOST_LENGTH {
                    let pointer = format!("/{list}/{at}/code");
                    fault(pointer, "expected 1 to 64 bytes");
                }
            }
        };
        check("plans", &mut self.plans.iter().map(|own| &own.code));
        check(
            "commitments",
            &mut self.commitments.iter().map(|own| &own.code),
        );
        check("coverages", &mut self.coverages.iter().map(|own| &own.code));
        check("items", &mut self.items.iter().map(|own| &own.code));
        let mut known = BTreeSet::new();
        for (at, own) in self.plans.iter().enumerate() {
            if !known.insert(&own.plan) {
                fault(format!("/plans/{at}/plan"), "the plan has a code already");
            }
        }
        let mut known = BTreeSet::new();
        for (at, own) in self.commitments.iter().enumerate() {
            if !known.insert((&own.plan, &own.benefit)) {
                let pointer = format!("/commitments/{at}/benefit");
                fault(pointer, "the benefit has a code already");
            }
        }
        for (at, own) in self.coverages.iter().enumerate() {
            if own.codes.is_empty() {
                let pointer = format!("/coverages/{at}/codes");
                fault(pointer, "without codes it holds nothing");
            }
            for (place, codes) in own.codes.iter().enumerate() {
                if codes.named().is_some() {
                    let pointer = format!("/coverages/{at}/codes/{place}");
                    fault(pointer, "there are no groups here to be named");
                }
            }
        }
        for pair in self.items.windows(2) {
            if let [one, other] = pair
                && one.item == other.item
            {
                fault("/items".to_owned(), "a service has two codes");
            }
        }
        faults
    }

    /// A message and its answer, as the insurer sees them, in its own codes.
    pub fn say(&self, message: &Message, answer: &Answer) -> OwnCodes {
        let mut unmapped = BTreeSet::new();
        let mut found = |is_used: bool, level, own: Option<&str>, what: &dyn Fn() -> String| {
            if is_used && own.is_none() {
                unmapped.insert(Unmapped {
                    level,
                    what: what(),
                });
            }
            own.map(str::to_owned)
        };
        let plan = self.plan_of(answer);
        let own_plan = plan.and_then(|plan| {
            let own = self.plans.iter().find(|own| own.plan == *plan);
            let own = own.map(|own| own.code.as_str());
            let is_used = !self.plans.is_empty();
            found(is_used, Level::Plan, own, &|| plan.to_string())
        });
        let bill = message.bill();
        let decided = answer.decision.iter().flat_map(|decision| &decision.lines);
        let mut lines = Vec::new();
        for share in decided {
            let Some(benefit) = self.benefit_of(share) else {
                continue;
            };
            let mut line = OwnLine {
                seq: share.seq,
                commitment: found(
                    !self.commitments.is_empty(),
                    Level::Commitment,
                    self.commitment(plan, benefit),
                    &|| format!("{}/{benefit}", plan.map_or("", PlanId::as_str)),
                ),
                coverage: None,
                item: None,
            };
            let mut billed = bill.iter().flat_map(|bill| &bill.lines);
            let item = billed.find(|line| line.seq == share.seq);
            if let Some((system, code)) = item.and_then(|line| line.item.effective()) {
                let what = || format!("{system}|{code}");
                let own = self.coverage(benefit, system, code);
                line.coverage = found(!self.coverages.is_empty(), Level::Coverage, own, &what);
                let own = self.item(system, code);
                line.item = found(!self.items.is_empty(), Level::Item, own, &what);
            }
            if line.commitment.is_some() || line.coverage.is_some() || line.item.is_some() {
                lines.push(line);
            }
        }
        OwnCodes {
            version: self.version,
            plan: own_plan,
            lines,
            unmapped: unmapped.into_iter().collect(),
        }
    }

    /// The plan that the insurer's part was decided by; else the member's first one.
    fn plan_of<'a>(&self, answer: &'a Answer) -> Option<&'a PlanId> {
        let mut basis = answer.decision.iter().flat_map(|decision| &decision.basis);
        let decided = basis.find(|own| own.insurer == self.insurer);
        let covered = answer.covers.iter().find(|own| own.insurer == self.insurer);
        decided
            .map(|own| &own.plan)
            .or_else(|| covered.map(|own| &own.plan))
    }

    fn benefit_of<'a>(&self, share: &'a LineShare) -> Option<&'a BenefitId> {
        let mut shares = share.supplementary.iter();
        shares
            .find(|own| own.insurer == self.insurer)?
            .benefit
            .as_ref()
    }

    fn commitment(&self, plan: Option<&PlanId>, benefit: &BenefitId) -> Option<&str> {
        let fitting = self.commitments.iter().filter(|own| {
            own.benefit == *benefit && own.plan.as_ref().is_none_or(|own| Some(own) == plan)
        });
        // The plan's own row counts over that of all plans.
        let own = fitting.max_by_key(|own| own.plan.is_some())?;
        Some(&own.code)
    }

    fn coverage(&self, benefit: &BenefitId, system: &str, code: &str) -> Option<&str> {
        let mut best: Option<(usize, bool, &str)> = None;
        for own in &self.coverages {
            if own.benefit.as_ref().is_some_and(|own| own != benefit) {
                continue;
            }
            let matches = own.codes.iter();
            let matches = matches.filter_map(|codes| codes.matches(system, code, &[]));
            let Some(length) = matches.max() else {
                continue;
            };
            let says = (length, own.benefit.is_some());
            if best.is_none_or(|best| says > (best.0, best.1)) {
                best = Some((says.0, says.1, &own.code));
            }
        }
        best.map(|(_, _, code)| code)
    }

    fn item(&self, system: &str, code: &str) -> Option<&str> {
        let of = |own: &ItemCode| {
            let Code {
                system: own_system,
                code: own_code,
            } = &own.item;
            (own_system.as_str(), own_code.as_str()).cmp(&(system, code))
        };
        let at = self.items.binary_search_by(of).ok()?;
        self.items.get(at).map(|own| own.code.as_str())
    }
}
