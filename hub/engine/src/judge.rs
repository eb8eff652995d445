//! What a message comes to: pure, on what was loaded for it. The lane loads before and writes after.

use std::collections::HashMap;

use takmil_domain::answer::{CoverAnswer, Letter, State};
use takmil_domain::bill::Bill;
use takmil_domain::date::Date;
use takmil_domain::decision::{DecidedBy, Decision, LineShare, Remainder, Totals};
use takmil_domain::ids::{LimitCode, MessageId, ParticipantId};
use takmil_domain::limit::{EntryKind, LimitKey, LimitNeed};
use takmil_domain::message::{Body, Kind, Message};
use takmil_domain::money::{Amount, Currency};
use takmil_domain::participant::{AnswerMode, Contract, Purpose};
use takmil_domain::plan::{LimitKind, LimitPer, LimitUnit};
use takmil_domain::reason::Reason;
use takmil_domain::share::{Frame, InsurerSays, Split};

use crate::basis::{Basis, MissingDocument, Said};
use crate::catalog::Catalog;
use crate::ledger::{Cause, Ledger, Unbalanced};

/// What a message does to limits once it is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing: a question, or an order that others will fill.
    None,
    /// Sets aside.
    Reserve,
    /// Uses up.
    Consume,
}

/// The effect of a kind of message.
pub(crate) fn effect(kind: Kind) -> Effect {
    match kind {
        Kind::Eligibility | Kind::Estimate | Kind::Prescription | Kind::Cancel => Effect::None,
        Kind::Admission | Kind::Preauthorization => Effect::Reserve,
        Kind::Claim | Kind::Dispense => Effect::Consume,
    }
}

/// What was heard of a consulted insurer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Its word.
    Says {
        says: InsurerSays,
        reference: Option<String>,
    },
    /// That it will decide later.
    Pends,
    /// Nothing in time.
    Silent,
    /// Something that cannot be used.
    Invalid,
}

/// What a message holds of limits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Holding {
    /// To which day.
    pub(crate) expires_on: Option<Date>,
    /// How much of which limit.
    pub(crate) parts: Vec<(LimitKey, i64)>,
}

/// A message before its decision.
pub(crate) struct Matter<'a> {
    pub(crate) id: MessageId,
    pub(crate) turn: u32,
    pub(crate) message: &'a Message,
    pub(crate) basis: &'a mut Basis,
    pub(crate) unmapped: bool,
    /// The hub's day.
    pub(crate) today: Date,
    /// For how many days a reservation stands.
    pub(crate) reserve_days: u32,
    /// What was heard of insurers since the last turn; empty on the first.
    pub(crate) heard: Vec<(ParticipantId, Heard)>,
}

impl Matter<'_> {
    fn cause(&self) -> Cause {
        Cause {
            message: self.id,
            turn: self.turn,
        }
    }
}

/// What a message came to.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    pub(crate) state: Option<State>,
    pub(crate) decision: Option<Decision>,
    pub(crate) reasons: Vec<Reason>,
    pub(crate) covers: Vec<CoverAnswer>,
    pub(crate) letter: Option<Letter>,
    /// Whom to ask now.
    pub(crate) asks: Vec<ParticipantId>,
    /// What becomes owed to insurers.
    pub(crate) owed: Vec<(ParticipantId, Purpose)>,
}

/// Why a message could not be judged: a defect or a document that went missing, never the sender's fault.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unjudged {
    #[error(transparent)]
    Missing(#[from] MissingDocument),
    #[error(transparent)]
    Unbalanced(#[from] Unbalanced),
}

/// For how many days a limit stays set aside for what nobody has decided yet: a hundred years, for it must not
/// be promised to others because an insurer is slow.
const UNDECIDED_DAYS: u32 = 36_525;

/// The limit on what the hub answers in an insurer's place for a member on a day.
const STAND_IN: &str = "stand-in";

/// The remainders that a message may touch, for loading.
pub(crate) fn needs(
    message: &Message,
    basis: &Basis,
    catalog: &Catalog,
    today: Date,
) -> Result<Vec<LimitNeed>, MissingDocument> {
    let mut needs = Vec::new();
    if effect(message.kind()) != Effect::None {
        needs.extend(basis.covers.iter().filter_map(|own| {
            let contract = catalog.participant(&own.cover.insurer)?.contract.as_ref()?;
            stand_in_need(&own.cover, contract, today)
        }));
    }
    if let Some(bill) = message.bill() {
        let case = basis.case(message.kind(), &message.head, &bill, catalog)?;
        needs.extend(Frame::new(&case).needs().iter().cloned());
    }
    Ok(needs)
}

fn stand_in_need(
    cover: &takmil_domain::coverage::Cover,
    contract: &Contract,
    today: Date,
) -> Option<LimitNeed> {
    let per_day = contract
        .stand_in
        .as_ref()
        .filter(|_| contract.mode == AnswerMode::StandIn)?
        .per_day?;
    Some(LimitNeed {
        key: LimitKey {
            account: cover.account,
            member: Some(cover.member),
            insurer: cover.insurer.clone(),
            code: LimitCode::parse(STAND_IN)?,
            stretch: format!("day:{today}"),
        },
        kind: LimitKind::Ceiling,
        unit: LimitUnit::Money,
        per: LimitPer::Day,
        ceiling: per_day.get(),
    })
}

/// Judges a message on its basis and the batch's ledger, and enters what it uses.
///
/// `holdings` are the open reservations of this message and of those it uses; what is used of them, or goes
/// back, is taken out of them.
pub(crate) fn judge(
    matter: &mut Matter<'_>,
    catalog: &Catalog,
    ledger: &mut Ledger,
    holdings: &mut HashMap<MessageId, Holding>,
) -> Result<Judged, Unjudged> {
    let mut judged = Judged {
        covers: cover_answers(matter.basis, catalog),
        ..Judged::default()
    };
    if matter.unmapped {
        judged.reasons.push(Reason::CodeUnmapped);
    }
    let supplementary = !matter.basis.covers.is_empty();
    if matter.basis.member.is_some() && !supplementary {
        judged.reasons.push(Reason::NoCover);
    }
    let bill = matter.message.bill();
    let Some(bill) = bill.filter(|_| matter.basis.member.is_some()) else {
        return Ok(recorded(matter, judged));
    };

    let mut bench = Bench {
        catalog,
        ledger,
        holdings,
        uses: Vec::new(),
    };
    bench.find_reservations(matter, &mut judged);
    hear(matter, &bill, &mut bench, &mut judged)?;
    let (split, needs, left) = bench.split(matter, &bill)?;
    if split
        .lines
        .iter()
        .all(|line| line.reasons.contains(&Reason::NoPrice))
    {
        judged.reasons.push(Reason::NotPriced);
        return Ok(recorded(matter, judged));
    }
    if bill
        .total
        .is_some_and(|total| total != split.lines.iter().map(|line| line.billed).sum())
    {
        judged.reasons.push(Reason::TotalDiffers);
    }

    let effect = effect(matter.message.kind());
    let open = if effect == Effect::None {
        Vec::new()
    } else {
        undecided(matter.basis, &split, catalog)
    };
    let waits = if matter.turn == 1 {
        pended(matter.basis, &split, effect)
    } else {
        [open.clone(), pended(matter.basis, &split, effect)].concat()
    };
    judged.asks = if matter.turn == 1 { open } else { Vec::new() };
    let state = match (judged.asks.is_empty(), waits.is_empty()) {
        (false, _) => State::Consulting,
        (true, false) => State::Pended,
        (true, true) => State::Decided,
    };
    let settled = state == State::Decided;
    let holds = effect != Effect::None && (!settled || effect == Effect::Reserve);
    if effect != Effect::None {
        let until = if settled {
            matter.today.add_days(matter.reserve_days)
        } else {
            matter.today.add_days(UNDECIDED_DAYS)
        };
        bench.enter(matter, &split, &needs, holds.then_some(until))?;
    }
    let remainders = bench.remainders(&split, &needs, &left);
    judged.letter = (settled && matter.message.kind() == Kind::Admission && supplementary)
        .then(|| letter(matter, catalog));
    judged.owed = owed(matter.basis, state, &waits);
    judged.state = Some(state);
    judged.decision = Some(Decision {
        currency: matter.message.head.currency.unwrap_or(Currency::NONE),
        totals: Totals::of(&split.lines),
        lines: split.lines,
        remainders,
        basis: matter.basis.plan_versions(),
        decided_by: decided_by(matter.basis),
        reasons: Vec::new(),
        valid_until: (holds && settled).then(|| matter.today.add_days(matter.reserve_days)),
    });
    Ok(judged)
}

/// A message with nothing to compute: kept, and told to the insurers of its member.
fn recorded(matter: &Matter<'_>, mut judged: Judged) -> Judged {
    let answered = matter.message.kind() == Kind::Eligibility && matter.basis.member.is_some();
    judged.state = Some(if answered {
        State::Decided
    } else {
        State::Recorded
    });
    judged.owed = owed(matter.basis, State::Decided, &[]);
    judged
}

/// What a judgement works on.
struct Bench<'b> {
    catalog: &'b Catalog,
    ledger: &'b mut Ledger,
    holdings: &'b mut HashMap<MessageId, Holding>,
    /// The messages whose holdings this one uses, its own earlier turn's first.
    uses: Vec<MessageId>,
}

impl Bench<'_> {
    fn find_reservations(&mut self, matter: &Matter<'_>, judged: &mut Judged) {
        if self.holdings.contains_key(&matter.id) {
            self.uses.push(matter.id);
        }
        for earlier in &matter.basis.uses {
            let held = self
                .holdings
                .get(earlier)
                .filter(|holding| !holding.parts.is_empty());
            if held.is_some_and(|holding| holding.expires_on.is_none_or(|day| matter.today <= day))
            {
                self.uses.push(*earlier);
            } else if matter.turn == 1 {
                judged.reasons.push(Reason::ReservationGone);
            }
        }
        if self.uses.iter().any(|id| *id != matter.id) {
            judged.reasons.push(Reason::ReservationUsed);
        }
    }

    fn held(&self, key: &LimitKey) -> i64 {
        let parts = self
            .uses
            .iter()
            .filter_map(|id| self.holdings.get(id))
            .flat_map(|holding| &holding.parts);
        parts
            .filter(|(held, _)| held == key)
            .map(|(_, amount)| amount)
            .sum()
    }

    /// The split by what is left, what is held for this message included.
    fn split(
        &self,
        matter: &Matter<'_>,
        bill: &Bill,
    ) -> Result<(Split, Vec<LimitNeed>, Vec<i64>), MissingDocument> {
        let case = matter.basis.case(
            matter.message.kind(),
            &matter.message.head,
            bill,
            self.catalog,
        )?;
        let frame = Frame::new(&case);
        let left: Vec<i64> = frame
            .needs()
            .iter()
            .map(|need| self.ledger.left(need) + self.held(&need.key))
            .collect();
        Ok((frame.split(&left), frame.needs().to_vec(), left))
    }

    /// Gives back what was held, then holds or uses what the split draws.
    fn enter(
        &mut self,
        matter: &Matter<'_>,
        split: &Split,
        needs: &[LimitNeed],
        holds_until: Option<Date>,
    ) -> Result<(), Unbalanced> {
        let (id, cause) = (matter.id, matter.cause());
        let mut drawn: Vec<(&LimitNeed, u32, i64)> = Vec::with_capacity(split.draws.len());
        for draw in &split.draws {
            let Some(need) = needs.get(draw.need) else {
                continue;
            };
            match drawn
                .iter_mut()
                .find(|(known, seq, _)| known.key == need.key && *seq == draw.seq)
            {
                Some((.., amount)) => *amount += draw.amount,
                None => drawn.push((need, draw.seq, draw.amount)),
            }
        }
        let interim = matches!(&matter.message.body, Body::Claim(claim) if claim.interim);
        for (place, held_by, key, amount) in self.give_back(id, interim, &drawn) {
            self.ledger.enter(
                &key,
                cause,
                place,
                EntryKind::Release,
                amount,
                Some(held_by),
            )?;
        }
        let kind = if holds_until.is_some() {
            EntryKind::Reserve
        } else {
            EntryKind::Consume
        };
        let mut parts: Vec<(LimitKey, i64)> = Vec::new();
        for (need, seq, amount) in drawn {
            let version = matter
                .basis
                .covers
                .iter()
                .find(|own| own.cover.insurer == need.key.insurer)
                .map_or(1, |own| own.version);
            self.ledger.open(need, version, cause)?;
            self.ledger
                .enter(&need.key, cause, seq, kind, amount, holds_until.map(|_| id))?;
            match parts.iter_mut().find(|(key, _)| *key == need.key) {
                Some((_, sum)) => *sum += amount,
                None => parts.push((need.key.clone(), amount)),
            }
        }
        let holding = self.holdings.entry(id).or_default();
        holding.parts = if holds_until.is_some() {
            parts
        } else {
            Vec::new()
        };
        holding.expires_on = holds_until;
        Ok(())
    }

    /// What goes back of the holdings used: all of it, or, for an interim bill, as much of others' as it draws.
    fn give_back(
        &mut self,
        id: MessageId,
        interim: bool,
        drawn: &[(&LimitNeed, u32, i64)],
    ) -> Vec<(u32, MessageId, LimitKey, i64)> {
        let mut back: Vec<(u32, MessageId, LimitKey, i64)> = Vec::new();
        // The ledger tells entries of one limit and turn apart by their line; here it counts the reservations.
        for (place, earlier) in (0..).zip(&self.uses) {
            let Some(holding) = self.holdings.get_mut(earlier) else {
                continue;
            };
            for (key, open) in &mut holding.parts {
                let already: i64 = back
                    .iter()
                    .filter(|(_, _, known, _)| known == key)
                    .map(|(.., amount)| amount)
                    .sum();
                let used: i64 = drawn
                    .iter()
                    .filter(|(need, ..)| need.key == *key)
                    .map(|(.., amount)| amount)
                    .sum();
                let amount = if interim && *earlier != id {
                    (*open).min((used - already).max(0))
                } else {
                    *open
                };
                *open -= amount;
                back.push((place, *earlier, key.clone(), amount));
            }
            holding.parts.retain(|(_, open)| *open > 0);
        }
        back
    }

    fn remainders(&self, split: &Split, needs: &[LimitNeed], left: &[i64]) -> Vec<Remainder> {
        let drawn = |at: usize| {
            split
                .draws
                .iter()
                .filter(|draw| draw.need == at)
                .map(|draw| draw.amount)
                .sum::<i64>()
        };
        let rows = needs.iter().zip(left).enumerate();
        rows.map(|(at, (need, before))| {
            Remainder::of(need, self.ledger.ceiling(need), *before, before - drawn(at))
        })
        .collect()
    }
}

/// Takes what was heard of insurers into the basis.
fn hear(
    matter: &mut Matter<'_>,
    bill: &Bill,
    bench: &mut Bench<'_>,
    judged: &mut Judged,
) -> Result<(), Unjudged> {
    let mut silent = Vec::new();
    for (insurer, heard) in std::mem::take(&mut matter.heard) {
        match heard {
            Heard::Says { says, reference } if is_usable(&says, bill) => {
                judged.reasons.push(match says {
                    InsurerSays::Approved => Reason::InsurerApproved,
                    InsurerSays::Adjusted(_) => Reason::InsurerAdjusted,
                    InsurerSays::Refused => Reason::InsurerRefused,
                });
                matter.basis.said.retain(|said| said.insurer != insurer);
                matter.basis.said.push(Said {
                    insurer,
                    says,
                    stand_in: false,
                    reference,
                });
            }
            Heard::Pends => judged.reasons.push(Reason::InsurerPended),
            Heard::Silent => {
                judged.reasons.push(Reason::InsurerSilent);
                silent.push(insurer);
            }
            Heard::Says { .. } | Heard::Invalid => {
                judged.reasons.push(Reason::InsurerInvalid);
                silent.push(insurer);
            }
        }
    }
    if !silent.is_empty() {
        let (split, ..) = bench.split(matter, bill)?;
        for insurer in silent {
            if stand_in(matter, bill, &split, &insurer, bench)? {
                judged.reasons.push(Reason::StandIn);
                matter.basis.said.push(Said {
                    insurer,
                    says: InsurerSays::Approved,
                    stand_in: true,
                    reference: None,
                });
            } else {
                judged.reasons.push(Reason::OverStandIn);
            }
        }
    }
    judged.reasons.dedup();
    Ok(())
}

/// Whether an insurer's word can be followed: it names lines of the bill, and amounts that were asked.
fn is_usable(says: &InsurerSays, bill: &Bill) -> bool {
    let InsurerSays::Adjusted(lines) = says else {
        return true;
    };
    lines.iter().all(|(seq, amount)| {
        let line = bill.lines.iter().find(|line| line.seq == *seq);
        line.is_some_and(|line| {
            *amount >= Amount::ZERO && line.asked().is_none_or(|asked| *amount <= asked)
        })
    })
}

/// Whether the hub may answer in a silent insurer's place; what it answers counts against the day's limit.
fn stand_in(
    matter: &Matter<'_>,
    bill: &Bill,
    split: &Split,
    insurer: &ParticipantId,
    bench: &mut Bench<'_>,
) -> Result<bool, Unbalanced> {
    let catalog = bench.catalog;
    let contract = catalog
        .participant(insurer)
        .and_then(|participant| participant.contract.as_ref());
    let Some(contract) = contract.filter(|contract| contract.mode == AnswerMode::StandIn) else {
        return Ok(false);
    };
    let Some(terms) = &contract.stand_in else {
        return Ok(false);
    };
    let amount = Totals::of(&split.lines)
        .supplementary
        .iter()
        .find(|(own, _)| own == insurer)
        .map_or(Amount::ZERO, |(_, amount)| *amount);
    let of_class = terms.classes.is_empty()
        || bill
            .class
            .is_some_and(|class| terms.classes.contains(&class));
    let small = terms.per_visit.is_none_or(|most| amount <= most);
    if !of_class || !small {
        return Ok(false);
    }
    let cover = matter
        .basis
        .covers
        .iter()
        .find(|own| own.cover.insurer == *insurer);
    let Some(need) = cover.and_then(|own| stand_in_need(&own.cover, contract, matter.today)) else {
        return Ok(true);
    };
    if bench.ledger.left(&need) < amount.get() {
        return Ok(false);
    }
    bench.ledger.open(&need, 1, matter.cause())?;
    bench.ledger.enter(
        &need.key,
        matter.cause(),
        0,
        EntryKind::Consume,
        amount.get(),
        None,
    )?;
    Ok(true)
}

/// The insurers whose contract wants them asked, that have not spoken, and whom a line concerns.
fn undecided(basis: &Basis, split: &Split, catalog: &Catalog) -> Vec<ParticipantId> {
    let consulted = basis
        .covers
        .iter()
        .map(|own| &own.cover.insurer)
        .filter(|insurer| {
            let contract = catalog
                .participant(insurer)
                .and_then(|participant| participant.contract.as_ref());
            contract.is_some_and(|contract| contract.mode != AnswerMode::Delegated)
        });
    let spoken = |insurer: &ParticipantId| basis.said.iter().any(|said| said.insurer == *insurer);
    consulted
        .filter(|insurer| is_concerned(split, insurer) && !spoken(insurer))
        .cloned()
        .collect()
}

/// Whether any line is for this insurer to pay.
fn is_concerned(split: &Split, insurer: &ParticipantId) -> bool {
    let shares = split.lines.iter().flat_map(|line| &line.supplementary);
    shares
        .into_iter()
        .any(|share| share.insurer == *insurer && share.refused.is_none())
}

/// The insurers whose plan wants leave given first, and that have not given it.
fn pended(basis: &Basis, split: &Split, effect: Effect) -> Vec<ParticipantId> {
    let mut waits: Vec<ParticipantId> = Vec::new();
    if effect != Effect::None {
        for share in split
            .lines
            .iter()
            .flat_map(|line: &LineShare| &line.supplementary)
            .filter(|share| share.pended)
        {
            if !waits.contains(&share.insurer)
                && !basis.said.iter().any(|said| said.insurer == share.insurer)
            {
                waits.push(share.insurer.clone());
            }
        }
    }
    waits
}

fn decided_by(basis: &Basis) -> DecidedBy {
    match (
        basis.said.iter().any(|said| said.stand_in),
        basis.said.is_empty(),
    ) {
        (true, _) => DecidedBy::StandIn,
        (false, false) => DecidedBy::Insurer,
        (false, true) => DecidedBy::Hub,
    }
}

/// What becomes owed to the member's insurers.
fn owed(basis: &Basis, state: State, waits: &[ParticipantId]) -> Vec<(ParticipantId, Purpose)> {
    let insurers = basis.covers.iter().map(|own| &own.cover.insurer);
    let purpose = |insurer: &ParticipantId| {
        let stood_in = basis
            .said
            .iter()
            .any(|said| said.insurer == *insurer && said.stand_in);
        match state {
            State::Consulting => None,
            State::Pended => waits.contains(insurer).then_some(Purpose::Review),
            _ if stood_in => Some(Purpose::Review),
            State::Cancelled => Some(Purpose::Cancelled),
            _ => Some(Purpose::Decided),
        }
    };
    let mut owed: Vec<(ParticipantId, Purpose)> = Vec::new();
    for insurer in insurers {
        if let Some(purpose) =
            purpose(insurer).filter(|_| !owed.iter().any(|(known, _)| known == insurer))
        {
            owed.push((insurer.clone(), purpose));
        }
    }
    owed
}

/// The covers as the member has them on the day.
fn cover_answers(basis: &Basis, catalog: &Catalog) -> Vec<CoverAnswer> {
    let answer = |own: &crate::basis::CoverBasis| {
        let cover = &own.cover;
        let in_time = cover.start <= basis.day && cover.end.is_none_or(|end| basis.day <= end);
        let reason = match (in_time, cover.suspended) {
            (false, _) => Some(Reason::CoverInactive),
            (true, true) => Some(Reason::CoverSuspended),
            (true, false) => None,
        };
        CoverAnswer {
            insurer: cover.insurer.clone(),
            plan: cover.plan.clone(),
            version: catalog
                .plan(&cover.plan, own.version)
                .map(|plan| plan.version),
            active: reason.is_none(),
            reason,
            start: cover.start,
            end: cover.end,
        }
    };
    basis.covers.iter().map(answer).collect()
}

fn letter(matter: &Matter<'_>, catalog: &Catalog) -> Letter {
    let plans = matter
        .basis
        .covers
        .iter()
        .filter_map(|own| catalog.plan(&own.cover.plan, own.version));
    Letter {
        number: matter.id.to_string(),
        valid_until: matter.today.add_days(matter.reserve_days),
        exclusions: plans
            .flat_map(|plan| &plan.exclusions)
            .map(|exclusion| exclusion.title.clone())
            .collect(),
    }
}
