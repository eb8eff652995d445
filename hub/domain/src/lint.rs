//! What is said of a document before it comes into force: of its place among the versions of the same document here,
//! of the rest beside each document.
//!
//! Every document that decisions go by says two things of itself: `faults`, what makes it useless, so that it is
//! refused where it enters and no admission ever meets it; and `remarks`, what its author should look at, though it can
//! be used all the same.

use crate::date::Date;
use crate::money::Currency;
use crate::plan::{BasePlan, Plan, Regulation};
use crate::tariff;

/// Places in a document, each as a JSON pointer, with what is to be said of it.
pub type Remarks = Vec<(String, &'static str)>;

/// A document of which one version follows another.
pub trait Versioned {
    /// Which version it is.
    fn as_version(&self) -> Version;

    /// Whether it may come after the versions that there are.
    ///
    /// A later version begins later, and not within a period that an earlier one ends itself.
    fn faults_after<'a>(&self, earlier: impl IntoIterator<Item = &'a Self>) -> Remarks
    where
        Self: 'a,
    {
        let earlier = earlier.into_iter().map(Self::as_version);
        self.as_version().faults_after(earlier)
    }
}

macro_rules! versioned {
    ($($document:ty),*) => {$(
        impl Versioned for $document {
            fn as_version(&self) -> Version {
                Version {
                    number: self.version,
                    from: self.from,
                    to: self.to,
                    currency: self.currency,
                }
            }
        }
    )*};
}

versioned!(Plan, BasePlan, Regulation, tariff::Document);

/// Which version of a document it is, and when it is in force.
#[derive(Debug, Clone, Copy)]
pub struct Version {
    /// Counts up from 1.
    pub number: u32,
    /// The first day.
    pub from: Date,
    /// The last day, where it ends.
    pub to: Option<Date>,
    /// The currency of its amounts.
    pub currency: Currency,
}

impl Version {
    /// What is wrong with it by itself.
    pub(crate) fn faults(self) -> Remarks {
        let mut faults = Vec::new();
        if self.number == 0 {
            faults.push(("/version".to_owned(), "versions count from 1"));
        }
        if self.to.is_some_and(|to| to < self.from) {
            faults.push(("/to".to_owned(), "ends before it begins"));
        }
        faults
    }

    fn faults_after(self, others: impl Iterator<Item = Version>) -> Remarks {
        let last = others.filter(|own| own.number != self.number);
        let Some(last) = last.max_by_key(|own| own.number) else {
            return Vec::new();
        };
        let mut faults = Vec::new();
        let mut fault = |pointer: &str, fault| faults.push((pointer.to_owned(), fault));
        if self.number < last.number {
            fault("/version", "a later version is kept");
        }
        if self.from <= last.from {
            fault("/from", "an earlier version begins on this day or later");
        } else if last.to.is_some_and(|to| self.from <= to) {
            fault("/from", "overlaps the period of an earlier version");
        }
        if self.currency != last.currency {
            fault(
                "/currency",
                "what goes by it goes on from version to version: the currency cannot change",
            );
        }
        faults
    }

    /// Whether both are in force on some day.
    pub(crate) fn overlaps(self, other: Version) -> bool {
        self.to.is_none_or(|to| other.from <= to) && other.to.is_none_or(|to| self.from <= to)
    }
}
