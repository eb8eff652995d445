//! The clinical rules on history: where a plan's clinical terms are changed, what they refuse is found anew on either side
//! of the change.

use rustc_hash::FxHashMap;

use super::Corrupt;
use super::change::View;
use super::history::{History, Past, Place};
use crate::clinical::{self, Tables, Terms, check};

/// What the members of a group had before, by the messages of the extract.
#[derive(Debug)]
pub(super) struct Memory<'r> {
    tables: &'r Tables,
    after: &'r View<'r>,
    kept: FxHashMap<u32, Vec<Kept>>,
}

/// What a message tells later ones.
#[derive(Debug)]
struct Kept {
    sender: u32,
    rows: Vec<clinical::Past>,
}

impl<'r> Memory<'r> {
    pub(super) fn new(after: &'r View<'r>, tables: &'r Tables) -> Memory<'r> {
        Memory {
            tables,
            after,
            kept: FxHashMap::default(),
        }
    }

    /// Says in a message which lines the terms of its covers refuse, before the change and after it. Messages come in their
    /// order.
    pub(super) fn look_over<'b>(
        &mut self,
        history: &History<'b>,
        place: &Place,
        past: &mut Past<'b>,
    ) -> Result<(), Corrupt> {
        let Some((sender, mut case)) = history.clinical(place, past)? else {
            return Ok(());
        };
        let tables = self.tables;
        let kept = self.kept.entry(past.member).or_default();
        let others = kept
            .iter()
            .map(|own| (own.sender == sender, own.rows.as_slice()));
        let leaves = case.leaves();
        let before = clinical::Past::beside(&leaves, others);
        case.past = &before;
        let refused = |terms: &Terms| case.refused(&check(&case, tables, terms));
        for cover in &mut past.covers {
            if let Some((was, is)) = self.after.changed_terms(cover) {
                cover.refused = refused(was);
                cover.refused_anew = Some(refused(is));
            }
        }
        let terms = self.after.all_changed_terms();
        let is_kept = |row: &clinical::Past| row.kept_until(tables, &terms).is_some();
        let rows: Vec<_> = leaves.into_iter().filter(is_kept).collect();
        if !rows.is_empty() {
            kept.push(Kept { sender, rows });
        }
        Ok(())
    }
}
