//! What a message comes to: pure, on what was loaded for it. The lane loads before and writes after.

mod base;
mod bench;
mod covers;
mod insurers;

use std::collections::HashMap;

use takmil_domain::answer::{CoverAnswer, Letter};
use takmil_domain::bill::Bill;
use takmil_domain::date::Date;
use takmil_domain::decision::{DecidedBy, Decision, Totals};
use takmil_domain::ids::{MessageId, ParticipantId};
use takmil_domain::life::State;
use takmil_domain::limit::{LimitKey, LimitNeed};
use takmil_domain::message::{Kind, Message};
use takmil_domain::money::{Amount, Quantity};
use takmil_domain::participant::{CoverStatement, Purpose};
use takmil_domain::reason::Reason;
use takmil_domain::share::{InsurerSays, Split};

use bench::Bench;
use covers::cover_answers;
use insurers::{hear, pended, stand_in_need, undecided};

pub(crate) use base::{asked as base_asked, is_of_base};

use crate::basis::{Basis, MissingDocument};
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
    /// Its decision.
    Says { says: InsurerSays, word: Word },
    /// That it will decide later.
    Pends(Word),
    /// A question to the provider.
    Asks(Word),
    /// Whether the member is covered.
    Covers {
        statement: Box<CoverStatement>,
        word: Word,
    },
    /// Nothing in time.
    Silent,
    /// Something that cannot be used.
    Invalid,
}

impl Heard {
    /// What an insurer said beside its decision, and whether it is a question.
    pub(crate) fn word(&self) -> Option<(&Word, bool)> {
        match self {
            Heard::Says { word, .. } | Heard::Pends(word) | Heard::Covers { word, .. } => {
                Some((word, false))
            }
            Heard::Asks(word) => Some((word, true)),
            Heard::Silent | Heard::Invalid => None,
        }
    }
}

/// What an insurer says beside its decision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Word {
    /// Its own reference.
    pub(crate) reference: Option<String>,
    /// In words.
    pub(crate) note: Option<String>,
    /// How many of a line it authorises, where that is not what was asked for.
    pub(crate) granted: Vec<(u32, Quantity)>,
    /// The last day on which that counts.
    pub(crate) valid_until: Option<Date>,
    /// Its place among the insurer's words.
    pub(crate) revision: u32,
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
    /// Whether insurers can still be asked before the answer is given.
    pub(crate) may_ask: bool,
}

impl Matter<'_> {
    fn cause(&self) -> Cause {
        Cause {
            message: self.id,
            turn: self.turn,
        }
    }

    /// The last day on which what it reserves or authorises stands: the earliest that an insurer has said, else the
    /// hub's own term.
    fn holds_until(&self) -> Date {
        let said = self.basis.said.iter().filter_map(|said| said.valid_until);
        let own = || self.today.add_days(self.reserve_days);
        said.min().unwrap_or_else(own)
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
    /// Whether those are asked first, and others on what they say.
    pub(crate) asks_first: bool,
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
            let contract = catalog.contract(&own.cover.insurer)?;
            stand_in_need(&own.cover, contract, today)
        }));
    }
    if let Some(bill) = message.bill() {
        let case = basis.case(message.kind(), &message.head, &bill, catalog)?;
        needs.extend(case.needs());
    }
    Ok(needs)
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
    let mut judged = Judged::default();
    covers::hear(matter, &mut judged);
    judged.covers = cover_answers(matter.basis, catalog);
    if matter.unmapped {
        judged.reasons.push(Reason::CodeUnmapped);
    }
    let supplementary = !matter.basis.covers.is_empty();
    if matter.basis.member.is_some() && !supplementary {
        judged.reasons.push(Reason::NoCover);
    }
    if is_inactive(matter.message) {
        judged.reasons.push(Reason::NotActive);
        return Ok(recorded(matter, judged, catalog));
    }
    let bill = matter.message.bill();
    let Some(bill) = bill.filter(|_| matter.basis.member.is_some()) else {
        return Ok(recorded(matter, judged, catalog));
    };

    let mut bench = Bench {
        catalog,
        ledger,
        holdings,
        uses: Vec::new(),
    };
    bench.find_reservations(matter, &mut judged);
    base::hear(matter, &bill, &bench, &mut judged)?;
    hear(matter, &bill, &mut bench, &mut judged)?;
    let split = bench.split(matter, &bill)?;
    if split
        .lines
        .iter()
        .all(|line| line.reasons.contains(&Reason::NoPrice))
    {
        judged.reasons.push(Reason::NotPriced);
        return Ok(recorded(matter, judged, catalog));
    }
    let billed: Amount = split.lines.iter().map(|line| line.billed).sum();
    match &matter.basis.exchange {
        // What the bill states is in its own currency.
        Some(_) => judged.reasons.push(Reason::Exchanged),
        None if bill.total.is_some_and(|total| total != billed) => {
            judged.reasons.push(Reason::TotalDiffers);
        }
        None => {}
    }

    let effect = effect(matter.message.kind());
    let open = if effect == Effect::None {
        Vec::new()
    } else {
        undecided(matter.basis, &split, catalog)
    };
    let pended = pended(matter.basis, &split, effect);
    let waits = match matter.may_ask {
        true => pended,
        false => [open.clone(), pended].concat(),
    };
    judged.asks = match matter.may_ask {
        true => next(matter, &bill, open, catalog, &mut judged.asks_first),
        false => Vec::new(),
    };
    let state = match (judged.asks.is_empty(), waits.is_empty()) {
        (false, _) => State::Consulting,
        (true, false) => State::Pended,
        (true, true) => State::Decided,
    };
    let settled = state == State::Decided;
    let state = match settled && effect != Effect::None && is_refused(&split) {
        true => State::Refused,
        false => state,
    };
    let holds = effect != Effect::None && (!settled || effect == Effect::Reserve);
    if effect != Effect::None {
        let until = if settled {
            matter.holds_until()
        } else {
            matter.today.add_days(UNDECIDED_DAYS)
        };
        bench.enter(matter, &split, holds.then_some(until))?;
    }
    let remainders = bench.remainders(&split);
    judged.letter = (settled && matter.message.kind() == Kind::Admission && supplementary)
        .then(|| letter(matter, catalog));
    judged.owed = owed(matter.basis, state, &waits);
    judged.state = Some(state);
    judged.decision = Some(Decision {
        currency: matter.basis.currency(&matter.message.head),
        exchange: matter.basis.exchange.clone(),
        totals: Totals::of(&split.lines),
        lines: split.lines,
        remainders,
        basis: matter.basis.plan_versions(),
        decided_by: decided_by(matter.basis),
        reasons: Vec::new(),
        valid_until: (holds && settled).then(|| matter.holds_until()),
    });
    Ok(judged)
}

/// Whom to ask next: the base insurer first, for the others' parts rest on its own; then those who have not spoken, all at
/// once; where a member's cover is asked about, those who want to say so themselves.
fn next(
    matter: &Matter<'_>,
    bill: &Bill,
    open: Vec<ParticipantId>,
    catalog: &Catalog,
    is_first: &mut bool,
) -> Vec<ParticipantId> {
    let kind = matter.message.kind();
    if kind == Kind::Eligibility {
        return covers::unstated(matter.basis, catalog);
    }
    let effects = effect(kind) != Effect::None;
    match base::to_be_asked(matter.basis, bill, catalog).filter(|_| effects) {
        Some(base) => {
            *is_first = true;
            vec![base]
        }
        None => open,
    }
}

/// All who may have been asked and whose time is over without a word.
pub(crate) fn silent(basis: &Basis, kind: Kind, catalog: &Catalog) -> Vec<(ParticipantId, Heard)> {
    let asked = match kind {
        Kind::Eligibility => covers::unstated(basis, catalog),
        _ => {
            let covers = basis.covers.iter().map(|own| own.cover.insurer.clone());
            let consulted = covers.filter(|insurer| catalog.is_asked(insurer));
            base::unheard(basis, catalog)
                .into_iter()
                .chain(consulted)
                .collect()
        }
    };
    let silent = |insurer| (insurer, Heard::Silent);
    asked.into_iter().map(silent).collect()
}

/// Whether every insurer that there is refuses all of a bill.
fn is_refused(split: &Split) -> bool {
    let mut shares = split
        .lines
        .iter()
        .flat_map(|line| &line.supplementary)
        .peekable();
    shares.peek().is_some() && shares.all(|share| share.refused.is_some())
}

/// Whether its sender says that a message is not meant to count (FHIR's words for it).
pub(crate) fn is_inactive(message: &Message) -> bool {
    let inactive = ["draft", "cancelled", "entered-in-error"];
    message
        .head
        .status
        .as_deref()
        .is_some_and(|status| inactive.contains(&status))
}

/// A message with nothing to compute: kept, and told to the insurers of its member.
fn recorded(matter: &Matter<'_>, mut judged: Judged, catalog: &Catalog) -> Judged {
    if matter.may_ask && matter.message.kind() == Kind::Eligibility {
        judged.asks = covers::unstated(matter.basis, catalog);
    }
    if !judged.asks.is_empty() {
        judged.state = Some(State::Consulting);
        return judged;
    }
    let answered = matter.message.kind() == Kind::Eligibility && matter.basis.member.is_some();
    judged.state = Some(if answered {
        State::Decided
    } else {
        State::Recorded
    });
    judged.owed = owed(matter.basis, State::Decided, &[]);
    judged
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
    // A base insurer that was asked is told what came of it.
    let insurers = insurers.chain(base::asked(basis));
    let purpose = |insurer: &ParticipantId| {
        let stood_in = basis
            .said
            .iter()
            .any(|said| said.insurer == *insurer && said.stand_in);
        match state {
            State::Consulting => None,
            State::Pended | State::Queried => waits.contains(insurer).then_some(Purpose::Review),
            _ if stood_in => Some(Purpose::Review),
            State::Cancelled | State::Reversed => Some(Purpose::Cancelled),
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

fn letter(matter: &Matter<'_>, catalog: &Catalog) -> Letter {
    let plans = matter
        .basis
        .covers
        .iter()
        .filter_map(|own| catalog.plan(&own.cover.plan, own.version));
    Letter {
        number: matter.id.to_string(),
        valid_until: matter.holds_until(),
        exclusions: plans
            .flat_map(|plan| &plan.exclusions)
            .map(|exclusion| exclusion.title.clone())
            .collect(),
    }
}
