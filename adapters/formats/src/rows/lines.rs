//! A line on its way into a bill.

use takmil_domain::bill::Line;
use takmil_domain::code::{Coded, Coding};
use takmil_domain::party::Party;

use super::parts::Parts;

/// A line, before its bill is whole.
pub(super) struct Draft {
    /// Where it stands.
    pub(super) place: String,
    /// The number that its row gives it.
    pub(super) number: Option<u32>,
    /// Whether anything is said of it.
    pub(super) is_said: bool,
    /// What is known of it already.
    pub(super) line: Line,
    /// What was done, in each of the systems that its row has.
    pub(super) items: Vec<Coding>,
    /// Who did it.
    pub(super) team: Vec<Party>,
    /// For whom they did it.
    pub(super) whom: Party,
    /// (Pointer into the line, place).
    pub(super) origins: Vec<(&'static str, String)>,
}

impl Draft {
    /// A line that stands in a row.
    pub(super) fn at(place: &str) -> Draft {
        Draft {
            place: place.to_owned(),
            number: None,
            is_said: false,
            line: Line::default(),
            items: Vec::new(),
            team: Vec::new(),
            whom: Party::default(),
            origins: Vec::new(),
        }
    }

    /// The line of this number. Where no service is named, the revenue centre is what is billed.
    pub(super) fn line(self, seq: u32, parts: &mut Parts) -> Line {
        let mut line = Line { seq, ..self.line };
        let mut items = self.items.into_iter();
        line.item = match (items.next(), &line.revenue) {
            (Some(first), _) => Coded {
                source: Some(first),
                others: items.collect(),
                ..Coded::default()
            },
            (None, Some(revenue)) => revenue.clone(),
            (None, None) => Coded::default(),
        };
        if let Some(period) = &mut line.serviced {
            period.end = period.end.take().or_else(|| period.start.clone());
        }
        let mut team = self.team;
        if !self.whom.identifiers.is_empty() {
            let whom = Some(Box::new(self.whom));
            match team.first_mut() {
                Some(first) => first.organisation = whom,
                None => team.extend(whom.map(|whom| *whom)),
            }
        }
        for party in team {
            let number = parts.practitioner(party);
            if !line.practitioners.contains(&number) {
                line.practitioners.push(number);
            }
        }
        line
    }
}
