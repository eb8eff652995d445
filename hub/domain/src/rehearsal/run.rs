//! The rehearsal itself: groups of messages that share limits, each in its order, side by side over threads.

use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;

use super::change::{Change, View};
use super::clinical::Memory;
use super::difference::{BeforeAfter, Difference, InsurerPart, Parts, reasons};
use super::history::{History, Past, Place};
use super::judging::judge;
use super::largest::{Explained, Largest};
use super::limits::Limits;
use super::tally::{MemberSum, Summary, Tally};
use super::writer::recorded;
use super::{Corrupt, Posted};
use crate::clinical::Tables;
use crate::date::Date;
use crate::decision::LineShare;
use crate::ids::ParticipantId;
use crate::money::{Amount, Currency};
use crate::reason::Reason;

/// Messages that a thread takes at once: enough that handing over costs nothing, few enough that progress is seen.
const MESSAGES_OF_CHUNK: usize = 2_048;

/// What is done may lie ready ahead of what is told by so many chunks for each thread.
const CHUNKS_AHEAD: usize = 8;

/// How another supplementary insurer is called before one that may not know its name.
const ANOTHER: &str = "another-insurer";

/// What the change is held against.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Baseline {
    /// What comes out today under the documents that were in force. Messages of which that is not what was recorded are
    /// counted apart, so that the difference shows the change alone.
    #[default]
    Recomputed,
    /// What was recorded. It takes half the time, tells no reasons, and mixes into the difference whatever the rules
    /// alone do not reproduce. Where nothing was recorded, it is recomputed.
    Recorded,
}

/// How to rehearse.
#[derive(Debug, Clone)]
pub struct Options {
    /// What the change is held against.
    pub baseline: Baseline,
    /// How many threads.
    pub threads: NonZeroUsize,
    /// The insurer who will read the outcome: others stay without a name.
    pub viewer: Option<ParticipantId>,
    /// What was earned in premiums in the period.
    pub premium: Option<Amount>,
    /// Messages decided before this day move limits, and are counted nowhere.
    pub from: Option<Date>,
    /// Messages decided after this day are left out.
    pub to: Option<Date>,
    /// How many of the largest differences are explained.
    pub largest: usize,
}

/// What is told while it runs.
#[derive(Debug)]
pub enum Told {
    /// So many messages are done.
    Progress(u64),
    /// A message whose shares move. They come in the order of groups.
    Difference(Difference),
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// The sums.
    pub summary: Summary,
    /// The largest differences, the largest first.
    pub largest: Vec<Explained>,
}

/// Why nothing came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// A message of the extract makes no sense.
    #[error("the extract cannot be used: {0}")]
    Corrupt(#[from] Corrupt),
    /// Whoever was told wants no more.
    #[error("it was stopped")]
    Stopped,
}

/// What every thread works with.
pub(super) struct Desk<'r> {
    pub(super) history: &'r History<'r>,
    pub(super) before: View<'r>,
    pub(super) after: View<'r>,
    pub(super) options: &'r Options,
    tables: &'r Tables,
    currency: Currency,
    another: Option<ParticipantId>,
}

/// What came of some groups.
#[derive(Default)]
struct Done {
    tally: Tally,
    differences: Vec<Difference>,
    largest: Largest,
}

/// Judges a history anew under changed documents, and tells what moves. The change is to be without problems, by itself
/// and with the history. `tables` are what the clinical rules go by, where a plan's clinical terms are changed.
///
/// # Errors
/// [`Failed`]
pub fn rehearse(
    history: &History<'_>,
    change: &Change,
    tables: &Tables,
    options: &Options,
    mut tell: impl FnMut(Told) -> ControlFlow<()>,
) -> Result<Outcome, Failed> {
    let none = Change::default();
    let desk = Desk {
        history,
        before: View::new(history.held(), &none),
        after: View::new(history.held(), change),
        options,
        tables,
        currency: change.currency().unwrap_or(Currency::NONE),
        another: ParticipantId::parse(ANOTHER),
    };
    let chunks = chunks(history.places());
    let next = AtomicUsize::new(0);
    let stopped = AtomicBool::new(false);
    let ahead = options.threads.get().saturating_mul(CHUNKS_AHEAD);
    let (done, finished) = sync_channel(ahead);
    let mut all = Done::default();
    std::thread::scope(|scope| {
        for _ in 0..options.threads.get().min(chunks.len()) {
            let done = done.clone();
            let (next, stopped, chunks, desk) = (&next, &stopped, &chunks, &desk);
            scope.spawn(move || {
                while !stopped.load(Ordering::Relaxed) {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(chunk) = chunks.get(at) else {
                        return;
                    };
                    if done.send((at, desk.chunk(chunk))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(done);
        let told = in_order(finished, |done: Result<Done, Corrupt>| {
            all.take(done?, options.largest, &mut tell)
        });
        stopped.store(true, Ordering::Relaxed);
        told
    })?;
    let held = history.held();
    let period = (
        options.from.map_or(held.from, |from| from.max(held.from)),
        options.to.map_or(held.to, |to| to.min(held.to)),
    );
    let viewer = options.viewer.as_ref();
    let summary = all
        .tally
        .summary(period, desk.currency, options.premium, viewer);
    Ok(Outcome {
        summary,
        largest: all.largest.explain(&desk)?,
    })
}

/// Takes what is done in the order of the chunks, whoever is done first. At an error nobody is listened to any more.
fn in_order<T>(
    finished: std::sync::mpsc::Receiver<(usize, T)>,
    mut take: impl FnMut(T) -> Result<(), Failed>,
) -> Result<(), Failed> {
    let mut early = BTreeMap::new();
    let mut turn = 0;
    for (at, done) in finished {
        early.insert(at, done);
        while let Some(done) = early.remove(&turn) {
            take(done)?;
            turn += 1;
        }
    }
    Ok(())
}

impl Done {
    fn take(
        &mut self,
        done: Done,
        most: usize,
        tell: &mut impl FnMut(Told) -> ControlFlow<()>,
    ) -> Result<(), Failed> {
        self.tally.add(done.tally);
        self.largest.add(done.largest, most);
        for difference in done.differences {
            if tell(Told::Difference(difference)).is_break() {
                return Err(Failed::Stopped);
            }
        }
        match tell(Told::Progress(self.tally.messages)) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Failed::Stopped),
        }
    }
}

/// Whole groups, some thousand messages each.
fn chunks(places: &[Place]) -> Vec<&[Place]> {
    let mut chunks = Vec::new();
    let mut rest = places;
    while !rest.is_empty() {
        let last = MESSAGES_OF_CHUNK.min(rest.len()) - 1;
        let group = rest.get(last).map(|own| own.group);
        let end = rest.partition_point(|own| Some(own.group) <= group);
        let (chunk, more) = rest.split_at(end);
        chunks.push(chunk);
        rest = more;
    }
    chunks
}

/// A message on both sides of the change.
pub(super) struct Sides {
    pub(super) before: Option<Vec<LineShare>>,
    pub(super) after: Vec<LineShare>,
}

impl Desk<'_> {
    fn chunk(&self, places: &[Place]) -> Result<Done, Corrupt> {
        let mut done = Done::default();
        for group in places.chunk_by(|one, other| one.group == other.group) {
            self.group(group, &mut done)?;
        }
        Ok(done)
    }

    fn group(&self, places: &[Place], done: &mut Done) -> Result<(), Corrupt> {
        let pasts = self.pasts(places)?;
        let mut members: FxHashMap<u32, MemberSum> = FxHashMap::default();
        for past in pasts.iter().filter(|past| self.counts(past)) {
            done.tally.messages += 1;
            let lines = u64::try_from(past.lines.len()).unwrap_or(u64::MAX);
            done.tally.lines = done.tally.lines.saturating_add(lines);
            done.tally.touched += u64::from(self.after.touches(past));
            members
                .entry(past.member)
                .or_insert_with(|| self.member(past));
        }
        // Where the change has to do with no message, none moves.
        if pasts.iter().any(|past| self.after.touches(past)) {
            self.replay(&pasts, places, |past, place, sides| {
                if !self.counts(past) {
                    return;
                }
                let change = self.compare(past, place, sides, done);
                if let Some(member) = members.get_mut(&past.member) {
                    member.change += change;
                }
            });
        } else {
            for past in pasts.iter().filter(|past| self.counts(past)) {
                self.unchanged(past, &mut done.tally);
            }
        }
        members
            .values()
            .for_each(|member| done.tally.add_member(member));
        Ok(())
    }

    /// The messages of a group, as far as `places` go.
    pub(super) fn pasts(&self, places: &[Place]) -> Result<Vec<Past<'_>>, Corrupt> {
        let mut pasts = Vec::with_capacity(places.len());
        for place in places {
            pasts.push(self.history.past(place)?);
        }
        if !self.after.all_changed_terms().is_empty() {
            let mut memory = Memory::new(&self.after, self.tables);
            for (place, past) in places.iter().zip(&mut pasts) {
                memory.look_over(self.history, place, past)?;
            }
        }
        Ok(pasts)
    }

    /// Whether a message lies in the period that is asked for.
    fn counts(&self, past: &Past<'_>) -> bool {
        let day = past.at.day();
        self.options.from.is_none_or(|from| from <= day)
            && self.options.to.is_none_or(|to| day <= to)
    }

    /// Judges the messages of a group one after another, on both sides.
    pub(super) fn replay(
        &self,
        pasts: &[Past<'_>],
        places: &[Place],
        mut judged: impl FnMut(&Past<'_>, &Place, Sides),
    ) {
        let (mut before, mut after) = (Limits::default(), Limits::default());
        let group = places.first().map_or(0, |place| place.group);
        let mut postings = self.history.postings(group).peekable();
        for (past, place) in pasts.iter().zip(places) {
            while let Some(posted) = postings.next_if(|posted: &&Posted| posted.at <= past.at) {
                before.post(posted);
                after.post(posted);
            }
            let is_needed =
                self.options.baseline == Baseline::Recomputed || past.recorded.is_none();
            let sides = Sides {
                before: is_needed.then(|| judge(past, &self.before, &mut before)),
                after: judge(past, &self.after, &mut after),
            };
            judged(past, place, sides);
        }
    }

    /// Counts what moves of a message, and gives the change of its member's part.
    fn compare(&self, past: &Past<'_>, place: &Place, sides: Sides, done: &mut Done) -> Amount {
        if self.after.currency(past) != self.currency {
            done.tally.other_currency += 1;
            return Amount::ZERO;
        }
        let recomputed = sides.before.as_deref();
        if let (Some(lines), Some(kept)) = (recomputed, &past.recorded)
            && recorded(lines) != *kept
        {
            done.tally.not_reproducible += 1;
            return Amount::ZERO;
        }
        let before = match (recomputed, &past.recorded) {
            (Some(lines), _) => Parts::of(lines),
            (None, Some(kept)) => Parts::of_recorded(kept),
            (None, None) => Parts::default(),
        };
        let after = Parts::of(&sides.after);
        let insurers = self.insurers(past);
        done.tally.add_parts(&before, &after, &insurers);
        let mut difference = self.difference(past, &before, &after, insurers);
        if !difference.is_any() {
            return Amount::ZERO;
        }
        let viewer = self.options.viewer.as_ref();
        if let Some(lines) = recomputed {
            let (was, is) = (reasons(lines, viewer), reasons(&sides.after, viewer));
            let only = |own: &[(u32, Reason)], other: &[(u32, Reason)]| {
                let own = own.iter().filter(|reason| !other.contains(reason));
                own.copied().collect()
            };
            difference.gained = only(&is, &was);
            difference.lost = only(&was, &is);
            let counts = |insurer: &ParticipantId| viewer.is_none_or(|viewer| insurer == viewer);
            let tally = &mut done.tally;
            tally.add_lines(&difference, lines, &sides.after, counts);
        }
        done.tally.moved += 1;
        let change = difference.member.change();
        done.largest.note(&difference, place, self.options.largest);
        done.differences.push(difference);
        change
    }

    /// Counts a message that the change has nothing to do with.
    fn unchanged(&self, past: &Past<'_>, tally: &mut Tally) {
        if self.after.currency(past) != self.currency {
            tally.other_currency += 1;
            return;
        }
        let parts = match &past.recorded {
            Some(kept) => Parts::of_recorded(kept),
            None => Parts::of(&judge(past, &self.before, &mut Limits::default())),
        };
        tally.add_parts(&parts, &parts, &self.insurers(past));
    }

    fn difference(
        &self,
        past: &Past<'_>,
        before: &Parts,
        after: &Parts,
        insurers: Vec<ParticipantId>,
    ) -> Difference {
        let pair = |before, after| BeforeAfter { before, after };
        let mut supplementary: Vec<InsurerPart> = Vec::with_capacity(insurers.len());
        for (at, insurer) in insurers.into_iter().enumerate() {
            let part = |parts: &Parts| parts.paid.get(at).copied().unwrap_or_default();
            let paid = pair(part(before), part(after));
            match supplementary.iter_mut().find(|own| own.insurer == insurer) {
                Some(own) => own.paid.add(paid),
                None => supplementary.push(InsurerPart { insurer, paid }),
            }
        }
        Difference {
            message: past.id,
            member_number: past.member,
            day: past.day,
            base: pair(before.base, after.base),
            supplementary,
            written_off: pair(before.written_off, after.written_off),
            member: pair(before.member, after.member),
            gained: Vec::new(),
            lost: Vec::new(),
        }
    }

    /// The insurers of a message's covers, as the viewer may know them.
    fn insurers(&self, past: &Past<'_>) -> Vec<ParticipantId> {
        let own = past.covers.iter().map(|own| &own.cover.insurer);
        own.map(|insurer| self.seen(insurer)).collect()
    }

    /// An insurer as the viewer may know it.
    pub(super) fn seen(&self, insurer: &ParticipantId) -> ParticipantId {
        let viewer = self.options.viewer.as_ref();
        match &self.another {
            Some(another) if viewer.is_some_and(|viewer| viewer != insurer) => another.clone(),
            _ => insurer.clone(),
        }
    }

    fn member(&self, past: &Past<'_>) -> MemberSum {
        let first_day = self.history.held().from;
        let viewer = self.options.viewer.as_ref();
        let mut covers = past.covers.iter().map(|own| &own.cover);
        let own = covers.find(|own| viewer.is_none_or(|viewer| own.insurer == *viewer));
        MemberSum {
            relationship: own.map(|own| own.relationship),
            age: past
                .person
                .birth_date
                .map(|birth| first_day.age_since(birth)),
            sex: past.person.sex,
            change: Amount::ZERO,
        }
    }
}
