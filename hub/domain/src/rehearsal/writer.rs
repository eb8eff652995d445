//! Making an extract: messages in any order, what was posted, and at the end the documents that decisions rest on.

use rustc_hash::FxHashMap;
use std::hash::Hash;
use uuid::Uuid;

use super::form::{
    self, Block, ClinicalRow, CoverRow, DiagnosisRow, End, LineRow, MAGIC, OrderRow, OrderedRow,
    PostingRow, RecordedRow, Row, RowsHead, Said, VERSION, day_number, tier_number,
};
use super::{Held, Posted};
use crate::clinical;
use crate::date::{Date, Instant};
use crate::decision::LineShare;
use crate::digest::Keyed;
use crate::exchange::ExchangeRate;
use crate::ids::{MemberId, MessageId};
use crate::message::Kind;
use crate::money::{Amount, Quantity};
use crate::share::{BillLine, Case, CoverTerms, InsurerSays};

/// Rows of one block: enough that their common texts cost little, and few enough to be held while they are made.
const ROWS_OF_BLOCK: u32 = 4_096;

/// A message as history has it.
#[derive(Debug)]
pub struct Entry<'a> {
    /// The message.
    pub id: MessageId,
    /// What it is.
    pub kind: Kind,
    /// When it was decided.
    pub at: Instant,
    /// The day that it is about.
    pub day: Date,
    /// The member.
    pub member: MemberId,
    /// What it was decided by. Amounts are as billed: not converted, lines not packed.
    pub case: &'a Case<'a>,
    /// By which rate its amounts are converted.
    pub exchange: Option<&'a ExchangeRate>,
    /// What was decided; `None` where nobody knows.
    pub recorded: Option<&'a [LineShare]>,
    /// Who sent it, by any name, and what the clinical rules look at; its past is what the earlier messages of the extract tell.
    pub clinical: Option<(&'a str, &'a clinical::Case<'a>)>,
}

/// Why a message or the extract cannot be written: there is more of it than the form can count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is more of it than an extract can hold")]
pub struct TooMuch;

/// Makes an extract. Members and accounts become numbers in the order in which they come, visits digests under a key
/// that is thrown away.
///
/// What is done is taken out with [`Writer::take`] as it comes. What stays in memory grows with the number of members
/// and accounts alone (some 40 bytes each).
#[derive(Debug)]
pub struct Writer {
    out: Vec<u8>,
    visits: Keyed,
    members: Numbers<Uuid>,
    accounts: Numbers<Uuid>,
    senders: Numbers<String>,
    held: Held,
    period: Option<(Date, Date)>,
    /// The first and the last day that messages are about.
    days: Option<(Date, Date)>,
    places: Places,
    rows: Vec<u8>,
    count: u32,
    names: Numbers<String>,
    quantities: Numbers<Quantity>,
    end: End,
}

/// Where documents stand in the extract, by their names and versions.
#[derive(Debug, Default)]
struct Places {
    plans: FxHashMap<(String, u32), u32>,
    base_plans: FxHashMap<(String, u32), u32>,
    tariffs: FxHashMap<(String, u32), u32>,
}

/// Numbers for things, in the order in which they come.
#[derive(Debug)]
struct Numbers<T>(FxHashMap<T, u32>);

impl<T> Default for Numbers<T> {
    fn default() -> Self {
        Self(FxHashMap::default())
    }
}

impl<T: Hash + Eq> Numbers<T> {
    fn of(&mut self, thing: T) -> Result<u32, TooMuch> {
        let next = self.len()?;
        Ok(*self.0.entry(thing).or_insert(next))
    }

    fn len(&self) -> Result<u32, TooMuch> {
        u32::try_from(self.0.len()).map_err(|_| TooMuch)
    }

    /// The things in the order of their numbers.
    fn in_order(&self) -> Vec<&T> {
        let mut all: Vec<(&T, u32)> = self.0.iter().map(|(own, at)| (own, *at)).collect();
        all.sort_by_key(|(_, at)| *at);
        all.into_iter().map(|(own, _)| own).collect()
    }
}

impl Numbers<String> {
    fn of_text(&mut self, text: &str) -> Result<u32, TooMuch> {
        match self.0.get(text) {
            Some(at) => Ok(*at),
            None => self.of(text.to_owned()),
        }
    }
}

impl Writer {
    /// An extract of the messages that came from one day to another; where no days are named, of those that its messages are
    /// about. `secret` is fresh random bits: by it alone two extracts could be held against each other by their visits.
    pub fn new(period: Option<(Date, Date)>, secret: &[u8; 32]) -> Writer {
        let mut out = MAGIC.to_vec();
        out.extend(VERSION.to_le_bytes());
        Writer {
            out,
            visits: Keyed::new(secret),
            members: Numbers::default(),
            accounts: Numbers::default(),
            senders: Numbers::default(),
            held: Held::default(),
            period,
            days: None,
            places: Places::default(),
            rows: Vec::new(),
            count: 0,
            names: Numbers::default(),
            quantities: Numbers::default(),
            end: End::default(),
        }
    }

    /// What is ready to be written away.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// How many messages it holds.
    pub fn messages(&self) -> u64 {
        self.end.rows
    }

    /// Adds a message.
    ///
    /// # Errors
    /// [`TooMuch`]
    pub fn push(&mut self, entry: &Entry<'_>) -> Result<(), TooMuch> {
        let clinical = match entry.clinical {
            None => Vec::new(),
            Some((sender, case)) => {
                let row = self.clinical(sender, case)?;
                postcard::to_stdvec(&row).map_err(|_| TooMuch)?
            }
        };
        let row = self.row(entry, &clinical)?;
        self.rows =
            postcard::to_extend(&row, std::mem::take(&mut self.rows)).map_err(|_| TooMuch)?;
        self.count += 1;
        self.end.rows += 1;
        let (first, last) = self.days.unwrap_or((entry.day, entry.day));
        self.days = Some((first.min(entry.day), last.max(entry.day)));
        if self.count >= ROWS_OF_BLOCK {
            self.close_rows()?;
        }
        Ok(())
    }

    /// Adds what was posted to limits, or was used of them before the period, after all messages. Of accounts and members
    /// whom no message has touched, nothing is kept.
    ///
    /// # Errors
    /// [`TooMuch`]
    pub fn post(&mut self, postings: &[Posted]) -> Result<(), TooMuch> {
        let stretches: Vec<String> = postings
            .iter()
            .map(|posted| self.stretch(&posted.key.stretch))
            .collect();
        let mut rows = Vec::with_capacity(postings.len());
        for (posted, stretch) in postings.iter().zip(&stretches) {
            let Some(account) = self.accounts.0.get(&posted.key.account.0) else {
                continue;
            };
            let known = |member: &MemberId| self.members.0.get(&member.0).copied();
            let member = posted.key.member.as_ref().map(known);
            // Who sent nothing uses nothing.
            if member == Some(None) {
                continue;
            }
            let member = member.flatten();
            rows.push(PostingRow {
                at: posted.at.0,
                account: *account,
                member,
                insurer: posted.key.insurer.as_str(),
                code: posted.key.code.as_str(),
                stretch,
                used: posted.used,
                room: posted.room,
            });
        }
        if rows.is_empty() {
            return Ok(());
        }
        self.end.postings += u64::try_from(rows.len()).map_err(|_| TooMuch)?;
        let payload = postcard::to_stdvec(&rows).map_err(|_| TooMuch)?;
        form::write_block(&mut self.out, Block::Postings, &payload).ok_or(TooMuch)
    }

    /// The rest of the extract.
    ///
    /// # Errors
    /// [`TooMuch`]
    pub fn finish(mut self) -> Result<Vec<u8>, TooMuch> {
        self.close_rows()?;
        if let Some((from, to)) = self.period.or(self.days) {
            (self.held.from, self.held.to) = (from, to);
        }
        let held = serde_json::to_vec(&self.held).map_err(|_| TooMuch)?;
        form::write_block(&mut self.out, Block::Documents, &held).ok_or(TooMuch)?;
        self.end.members = self.members.len()?;
        self.end.accounts = self.accounts.len()?;
        let end = postcard::to_stdvec(&self.end).map_err(|_| TooMuch)?;
        form::write_block(&mut self.out, Block::End, &end).ok_or(TooMuch)?;
        Ok(self.out)
    }

    fn close_rows(&mut self) -> Result<(), TooMuch> {
        if self.count == 0 {
            return Ok(());
        }
        let quantities: Vec<String> = self
            .quantities
            .in_order()
            .into_iter()
            .map(ToString::to_string)
            .collect();
        let head = RowsHead {
            rows: self.count,
            names: self
                .names
                .in_order()
                .into_iter()
                .map(String::as_str)
                .collect(),
            quantities: quantities.iter().map(String::as_str).collect(),
        };
        let mut payload = postcard::to_stdvec(&head).map_err(|_| TooMuch)?;
        payload.append(&mut self.rows);
        self.count = 0;
        self.names = Numbers::default();
        self.quantities = Numbers::default();
        form::write_block(&mut self.out, Block::Rows, &payload).ok_or(TooMuch)
    }

    fn row<'e>(&mut self, entry: &'e Entry<'_>, clinical: &'e [u8]) -> Result<Row<'e>, TooMuch> {
        let case = entry.case;
        let member = self.members.of(entry.member.0)?;
        let mut covers = Vec::with_capacity(case.covers.len());
        for terms in &case.covers {
            covers.push(self.cover(terms)?);
        }
        let mut lines = Vec::with_capacity(case.lines.len());
        for line in &case.lines {
            lines.push(self.line(line)?);
        }
        let mut diagnoses = Vec::with_capacity(case.diagnoses.len());
        for (system, code) in &case.diagnoses {
            diagnoses.push((self.names.of_text(system)?, self.names.of_text(code)?));
        }
        let base = match case.base {
            None => None,
            Some((plan, tariff)) => {
                let known = &mut self.places.base_plans;
                let key = (plan.id.to_string(), plan.version);
                let place = place(known, key, &mut self.held.base_plans, || plan.clone())?;
                Some((place, self.tariff(tariff)?))
            }
        };
        Ok(Row {
            id: entry.id.0.as_bytes(),
            kind: entry.kind,
            at: entry.at.0,
            day: day_number(entry.day),
            member,
            birth: case.person.birth_date.map(day_number),
            sex: case.person.sex,
            visit: self.visit(case.visit),
            class: case.class,
            sector: case.sector,
            accident: case.accident,
            asks_leave: case.asks_leave,
            currency: self.names.of_text(case.currency.as_str())?,
            exchange: self.rate(entry.exchange)?,
            diagnoses,
            base,
            covers,
            lines,
            recorded: entry.recorded.map(recorded),
            clinical,
        })
    }

    fn clinical(
        &mut self,
        sender: &str,
        case: &clinical::Case<'_>,
    ) -> Result<ClinicalRow, TooMuch> {
        let mut row = ClinicalRow {
            sender: self.senders.of_text(sender)?,
            stays: case.stays,
            order: order_row(case.order),
            diagnoses: Vec::with_capacity(case.diagnoses.len()),
            lines: Vec::with_capacity(case.lines.len()),
            procedures: Vec::with_capacity(case.procedures.len()),
        };
        for diagnosis in &case.diagnoses {
            row.diagnoses.push(DiagnosisRow {
                code: self.names.of_text(diagnosis.code)?,
                own: diagnosis.own,
                day: day_number(diagnosis.day),
                line: diagnosis.line,
            });
        }
        for procedure in &case.procedures {
            let system = self.names.of_text(procedure.system)?;
            let code = self.names.of_text(procedure.code)?;
            row.procedures
                .push((system, code, day_number(procedure.day)));
        }
        for line in &case.lines {
            row.lines.push(self.ordered(line)?);
        }
        Ok(row)
    }

    fn ordered(&mut self, line: &clinical::Line<'_>) -> Result<OrderedRow, TooMuch> {
        let mut ingredients = Vec::with_capacity(line.ingredients.len());
        for own in &line.ingredients {
            ingredients.push(self.names.of(own.to_string())?);
        }
        let dose = match &line.dose {
            None => None,
            Some(dose) => Some((self.quantities.of(dose.amount)?, dose.times, dose.days)),
        };
        Ok(OrderedRow {
            seq: line.seq,
            system: self.names.of_text(line.system)?,
            code: self.names.of_text(line.code)?,
            day: day_number(line.day),
            days: line.days,
            quantity: self.quantities.of(line.quantity)?,
            days_supply: line.days_supply,
            dose,
            ingredients,
            order: order_row(line.order),
        })
    }

    fn cover(&mut self, terms: &CoverTerms<'_>) -> Result<CoverRow, TooMuch> {
        let (cover, plan) = (terms.cover, terms.plan);
        let key = (plan.id.to_string(), plan.version);
        let known = &mut self.places.plans;
        Ok(CoverRow {
            account: self.accounts.of(cover.account.0)?,
            plan: place(known, key, &mut self.held.plans, || plan.clone().into())?,
            tariff: terms.tariff.map(|own| self.tariff(own)).transpose()?,
            contract: terms.contract.map(|own| self.tariff(own)).transpose()?,
            relationship: cover.relationship,
            start: day_number(cover.start),
            end: cover.end.map(day_number),
            suspended: cover.suspended,
            prior_cover: cover.prior_cover,
            group_size: cover.group_size,
            said: match terms.said {
                None => Said::Nothing,
                Some(InsurerSays::Approved) => Said::Approved,
                Some(InsurerSays::Refused) => Said::Refused,
                Some(InsurerSays::Adjusted(lines)) => {
                    Said::Adjusted(lines.iter().map(|(seq, own)| (*seq, own.get())).collect())
                }
            },
            refused: terms.refused.to_vec(),
        })
    }

    fn line(&mut self, line: &BillLine<'_>) -> Result<LineRow, TooMuch> {
        let mut authorised = Vec::with_capacity(line.authorised.len());
        for own in &line.authorised {
            authorised.push(match own {
                None => None,
                Some(own) => {
                    let quantity = own.quantity.map(|units| self.quantities.of(units));
                    Some((quantity.transpose()?, own.amount.map(Amount::get)))
                }
            });
        }
        let circumstance = line.circumstance.map(|own| self.names.of_text(own));
        Ok(LineRow {
            seq: line.seq,
            system: self.names.of_text(line.system)?,
            code: self.names.of_text(line.code)?,
            day: day_number(line.date),
            quantity: self.quantities.of(line.quantity)?,
            billed: line.billed.map(Amount::get),
            base_paid: line.base_paid.map(Amount::get),
            subsidy: line.subsidy.get(),
            network: line.network.iter().map(|own| tier_number(*own)).collect(),
            bilateral: line.bilateral,
            substitution_refused: line.substitution_refused,
            reference_price: line.reference_price.map(Amount::get),
            authorised,
            circumstance: circumstance.transpose()?,
        })
    }

    fn tariff(&mut self, tariff: &crate::tariff::Tariff) -> Result<u32, TooMuch> {
        let document = tariff.document();
        let key = (document.id.to_string(), document.version);
        let known = &mut self.places.tariffs;
        place(known, key, &mut self.held.tariffs, || tariff.clone())
    }

    fn rate(&mut self, rate: Option<&ExchangeRate>) -> Result<Option<u32>, TooMuch> {
        let Some(rate) = rate else {
            return Ok(None);
        };
        let known = self.held.exchange.iter().position(|own| own == rate);
        let at = known.unwrap_or(self.held.exchange.len());
        if known.is_none() {
            self.held.exchange.push(rate.clone());
        }
        u32::try_from(at).map(Some).map_err(|_| TooMuch)
    }

    fn visit(&self, visit: &str) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.visits.of(&[visit.as_bytes()]);
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }

    /// A stretch without what names a visit.
    fn stretch(&self, stretch: &str) -> String {
        const VISIT: &str = "visit:";
        match stretch.split_once(VISIT) {
            Some((front, visit)) => format!("{front}{VISIT}{}", self.visit(visit)),
            None => stretch.to_owned(),
        }
    }
}

/// Where a document stands; it is kept the first time.
fn place<T>(
    known: &mut FxHashMap<(String, u32), u32>,
    key: (String, u32),
    kept: &mut Vec<T>,
    document: impl FnOnce() -> T,
) -> Result<u32, TooMuch> {
    if let Some(at) = known.get(&key) {
        return Ok(*at);
    }
    let at = u32::try_from(kept.len()).map_err(|_| TooMuch)?;
    kept.push(document());
    known.insert(key, at);
    Ok(at)
}

fn order_row(order: clinical::Order) -> OrderRow {
    let day = |day: Option<Date>| day.map(day_number);
    (day(order.authored), day(order.from), day(order.until))
}

pub(super) fn recorded(lines: &[LineShare]) -> Vec<RecordedRow> {
    let row = |line: &LineShare| RecordedRow {
        seq: line.seq,
        billed: line.billed.get(),
        base: line.base.get(),
        written_off: line.written_off.get(),
        member: line.member.get(),
        paid: line
            .supplementary
            .iter()
            .map(|own| own.amount.get())
            .collect(),
    };
    lines.iter().map(row).collect()
}
