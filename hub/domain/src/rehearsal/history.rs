//! Reading an extract: which messages belong together, and each message as the rules see it.

use uuid::Uuid;

use super::form::{
    self, Block, ClinicalRow, CoverRow, DiagnosisRow, End, LineRow, MAGIC, OrderRow, OrderedRow,
    PostingRow, RecordedRow, Row, RowsHead, Said, VERSION, day_of, tier_of,
};
use super::{Corrupt, Held, Posted};
use crate::bill::EncounterClass;
use crate::clinical::{self, CodeKey, Ingredient};
use crate::coverage::{Cover, Person};
use crate::date::{Date, Instant};
use crate::ids::{AccountId, LimitCode, MemberId, MessageId, ParticipantId};
use crate::limit::LimitKey;
use crate::message::Kind;
use crate::money::{Amount, Currency, Quantity};
use crate::party::{InsurerRole, Sector};
use crate::share::{AuthorisedLine, BillLine, InsurerSays};

/// An extract that was read: its documents, and where its messages lie, those that share limits together and in the order
/// in which they were decided.
#[derive(Debug)]
pub struct History<'b> {
    held: Held,
    blocks: Vec<Rows<'b>>,
    /// In the order of (group, moment, place).
    places: Vec<Place>,
    /// In the order of (group, moment).
    postings: Vec<(u32, Posted)>,
    end: End,
}

/// A block of rows.
#[derive(Debug)]
struct Rows<'b> {
    at: usize,
    count: u32,
    names: Vec<&'b str>,
    quantities: Vec<Quantity>,
    rows: &'b [u8],
}

/// Where a message lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// What shares limits has the same number.
    pub(super) group: u32,
    at: i64,
    block: u32,
    offset: u32,
}

/// A message as the rules see it.
#[derive(Debug)]
pub(super) struct Past<'b> {
    pub(super) id: MessageId,
    pub(super) kind: Kind,
    pub(super) at: Instant,
    pub(super) day: Date,
    pub(super) member: u32,
    pub(super) person: Person,
    pub(super) visit: String,
    pub(super) class: Option<EncounterClass>,
    pub(super) sector: Option<Sector>,
    pub(super) accident: bool,
    pub(super) asks_leave: bool,
    pub(super) currency: Currency,
    pub(super) exchange: Option<usize>,
    pub(super) diagnoses: Vec<(&'b str, &'b str)>,
    pub(super) base: Option<(usize, usize)>,
    pub(super) covers: Vec<PastCover>,
    pub(super) lines: Vec<BillLine<'b>>,
    pub(super) recorded: Option<Vec<RecordedRow>>,
    /// What the clinical rules look at, as it is written.
    clinical: &'b [u8],
}

/// A cover with its documents, by their places.
#[derive(Debug)]
pub(super) struct PastCover {
    pub(super) cover: Cover,
    pub(super) plan: usize,
    pub(super) tariff: Option<usize>,
    pub(super) contract: Option<usize>,
    pub(super) said: Option<InsurerSays>,
    /// The lines that the plan's clinical terms refuse.
    pub(super) refused: Vec<u32>,
    /// Those that changed terms refuse.
    pub(super) refused_anew: Option<Vec<u32>>,
}

impl<'b> History<'b> {
    /// Reads an extract. Every sum is checked, and that nothing is missing.
    ///
    /// # Errors
    /// [`Corrupt`] with the place of the first block that cannot be read.
    pub fn read(bytes: &'b [u8]) -> Result<History<'b>, Corrupt> {
        let mut at = check_start(bytes)?;
        let (mut blocks, mut postings) = (Vec::new(), Vec::new());
        let (mut held, mut end) = (None, None);
        while end.is_none() {
            let (block, payload, next) = form::read_block(bytes, at)?;
            let wrong = || Corrupt::new(at, "what a block holds cannot be read");
            match block {
                Block::Rows => blocks.push(Rows::read(at, payload)?),
                Block::Postings => postings.push((at, payload)),
                Block::Documents => {
                    held = Some(serde_json::from_slice(payload).map_err(|_| wrong())?);
                }
                Block::End => end = Some(postcard::from_bytes(payload).map_err(|_| wrong())?),
            }
            at = next;
        }
        if at != bytes.len() {
            return Err(Corrupt::new(at, "something follows after the end"));
        }
        let missing = Corrupt::new(at, "the documents are missing");
        let (held, end): (Held, End) = (held.ok_or(missing)?, end.unwrap_or_default());
        let mut groups = Groups::of(&end, bytes.len(), at)?;
        let mut places = find_rows(&blocks, &mut groups, &end, at)?;
        for place in &mut places {
            place.group = groups.root(place.group);
        }
        places.sort_unstable_by_key(|own| (own.group, own.at, own.block, own.offset));
        let postings = read_postings(&postings, &mut groups, &end, at)?;
        Ok(History {
            held,
            blocks,
            places,
            postings,
            end,
        })
    }

    /// The documents, and the period.
    pub fn held(&self) -> &Held {
        &self.held
    }

    /// How many messages there are.
    pub fn messages(&self) -> u64 {
        self.end.rows
    }

    /// How many members have sent any.
    pub fn members(&self) -> u32 {
        self.end.members
    }

    /// Reads every message, and counts their lines: what reading alone costs.
    ///
    /// # Errors
    /// [`Corrupt`] where one makes no sense.
    pub fn lines(&self) -> Result<u64, Corrupt> {
        self.places.iter().try_fold(0_u64, |sum, place| {
            let lines = self.past(place)?.lines.len();
            Ok(sum.saturating_add(u64::try_from(lines).unwrap_or(u64::MAX)))
        })
    }

    pub(super) fn places(&self) -> &[Place] {
        &self.places
    }

    /// What was posted to the limits of a group, in order.
    pub(super) fn postings(&self, group: u32) -> impl Iterator<Item = &Posted> {
        let first = self.postings.partition_point(|(own, _)| *own < group);
        let own = self.postings.iter().skip(first);
        own.take_while(move |(own, _)| *own == group)
            .map(|(_, posted)| posted)
    }

    /// What the clinical rules look at in the message of a place, and the number of its sender; `None` where the
    /// extract does not say.
    pub(super) fn clinical(
        &self,
        place: &Place,
        past: &Past<'b>,
    ) -> Result<Option<(u32, clinical::Case<'b>)>, Corrupt> {
        if past.clinical.is_empty() {
            return Ok(None);
        }
        let block = self.block(place)?;
        let wrong = Corrupt::new(block.at, "a message makes no sense");
        block.clinical(past).map(Some).ok_or(wrong)
    }

    fn block(&self, place: &Place) -> Result<&Rows<'b>, Corrupt> {
        let block = usize::try_from(place.block).ok();
        let block = block.and_then(|at| self.blocks.get(at));
        block.ok_or(Corrupt::new(0, "a block is missing"))
    }

    pub(super) fn past(&self, place: &Place) -> Result<Past<'b>, Corrupt> {
        let block = self.block(place)?;
        let offset = usize::try_from(place.offset).unwrap_or(usize::MAX);
        let wrong = Corrupt::new(block.at, "a message makes no sense");
        let bytes = block.rows.get(offset..).ok_or(wrong)?;
        let row: Row<'b> = postcard::from_bytes(bytes).map_err(|_| wrong)?;
        block.past(row, &self.held).ok_or(wrong)
    }
}

fn check_start(bytes: &[u8]) -> Result<usize, Corrupt> {
    let rest = bytes.strip_prefix(MAGIC.as_slice());
    let rest = rest.ok_or(Corrupt::new(0, "this is no extract"))?;
    match rest.split_first_chunk::<2>() {
        Some((version, _)) if u16::from_le_bytes(*version) == VERSION => Ok(MAGIC.len() + 2),
        _ => Err(Corrupt::new(
            MAGIC.len(),
            "the extract is of another version: make it anew",
        )),
    }
}

/// Finds every message, and joins what shares a member or an account.
fn find_rows(
    blocks: &[Rows<'_>],
    groups: &mut Groups,
    end: &End,
    at: usize,
) -> Result<Vec<Place>, Corrupt> {
    let mut places = Vec::new();
    for (number, block) in (0_u32..).zip(blocks) {
        let wrong = Corrupt::new(block.at, "what a block holds cannot be read");
        let mut rest = block.rows;
        for _ in 0..block.count {
            let offset = block.rows.len() - rest.len();
            let (row, next): (Row<'_>, _) = postcard::take_from_bytes(rest).map_err(|_| wrong)?;
            rest = next;
            let member = groups.member(row.member).ok_or(wrong)?;
            for cover in &row.covers {
                let account = groups.account(cover.account).ok_or(wrong)?;
                groups.join(member, account);
            }
            places.push(Place {
                group: member,
                at: row.at,
                block: number,
                offset: u32::try_from(offset).map_err(|_| wrong)?,
            });
        }
        if !rest.is_empty() {
            return Err(wrong);
        }
    }
    if u64::try_from(places.len()) != Ok(end.rows) {
        return Err(Corrupt::new(at, "messages are missing"));
    }
    Ok(places)
}

fn read_postings(
    blocks: &[(usize, &[u8])],
    groups: &mut Groups,
    end: &End,
    at: usize,
) -> Result<Vec<(u32, Posted)>, Corrupt> {
    let mut postings = Vec::new();
    for (at, payload) in blocks {
        let wrong = Corrupt::new(*at, "what a block holds cannot be read");
        let rows: Vec<PostingRow<'_>> = postcard::from_bytes(payload).map_err(|_| wrong)?;
        for row in rows {
            let group = groups.account(row.account).ok_or(wrong)?;
            let key = LimitKey {
                account: account_id(row.account),
                member: row.member.map(member_id),
                insurer: ParticipantId::parse(row.insurer).ok_or(wrong)?,
                code: LimitCode::parse(row.code).ok_or(wrong)?,
                stretch: row.stretch.into(),
            };
            let posted = Posted {
                at: Instant(row.at),
                key,
                used: row.used,
                room: row.room,
            };
            postings.push((groups.root(group), posted));
        }
    }
    if u64::try_from(postings.len()) != Ok(end.postings) {
        return Err(Corrupt::new(at, "postings are missing"));
    }
    postings.sort_by(|(one, own), (other, posted)| (one, own.at).cmp(&(other, posted.at)));
    Ok(postings)
}

fn account_id(number: u32) -> AccountId {
    AccountId(Uuid::from_u128(number.into()))
}

fn member_id(number: u32) -> MemberId {
    MemberId(Uuid::from_u128(number.into()))
}

impl<'b> Rows<'b> {
    fn read(at: usize, payload: &'b [u8]) -> Result<Rows<'b>, Corrupt> {
        let wrong = Corrupt::new(at, "what a block holds cannot be read");
        let (head, rows): (RowsHead<'b>, _) =
            postcard::take_from_bytes(payload).map_err(|_| wrong)?;
        let quantities = head.quantities.iter().map(|text| Quantity::parse(text));
        Ok(Rows {
            at,
            count: head.rows,
            names: head.names,
            quantities: quantities.collect::<Option<_>>().ok_or(wrong)?,
            rows,
        })
    }

    fn name(&self, place: u32) -> Option<&'b str> {
        self.names.get(usize::try_from(place).ok()?).copied()
    }

    fn quantity(&self, place: u32) -> Option<Quantity> {
        self.quantities.get(usize::try_from(place).ok()?).copied()
    }

    /// A message; `None` where it names what is not there.
    fn past(&self, row: Row<'b>, held: &Held) -> Option<Past<'b>> {
        let member = member_id(row.member);
        let covers = row.covers.into_iter().zip(1..);
        let covers = covers.map(|(own, order)| past_cover(own, member, order, held));
        let names = |(system, code): &(u32, u32)| Some((self.name(*system)?, self.name(*code)?));
        let base = match row.base {
            None => None,
            Some((plan, tariff)) => Some((
                place_of(plan, &held.base_plans)?,
                place_of(tariff, &held.tariffs)?,
            )),
        };
        Some(Past {
            id: MessageId(Uuid::from_slice(row.id).ok()?),
            kind: row.kind,
            at: Instant(row.at),
            day: day_of(row.day)?,
            member: row.member,
            person: Person {
                birth_date: maybe(row.birth, day_of)?,
                sex: row.sex,
            },
            visit: row.visit.to_string(),
            class: row.class,
            sector: row.sector,
            accident: row.accident,
            asks_leave: row.asks_leave,
            currency: Currency::parse(self.name(row.currency)?)?,
            exchange: maybe(row.exchange, |at| place_of(at, &held.exchange))?,
            diagnoses: row.diagnoses.iter().map(names).collect::<Option<_>>()?,
            base,
            covers: covers.collect::<Option<_>>()?,
            lines: (row.lines.into_iter())
                .map(|own| self.line(own))
                .collect::<Option<_>>()?,
            recorded: row.recorded,
            clinical: row.clinical,
        })
    }

    /// What the clinical rules look at in a message, and the number of its sender.
    fn clinical(&self, past: &Past<'b>) -> Option<(u32, clinical::Case<'b>)> {
        let row: ClinicalRow = postcard::from_bytes(past.clinical).ok()?;
        let diagnosis = |own: &DiagnosisRow| {
            let code = self.name(own.code)?;
            Some(clinical::Diagnosis {
                code,
                key: CodeKey::parse(code),
                own: own.own,
                day: day_of(own.day)?,
                line: own.line,
            })
        };
        let procedure = |(system, code, day): &(u32, u32, u32)| {
            Some(clinical::Procedure {
                system: self.name(*system)?,
                code: self.name(*code)?,
                day: day_of(*day)?,
            })
        };
        let case = clinical::Case {
            person: past.person,
            diagnoses: row.diagnoses.iter().map(diagnosis).collect::<Option<_>>()?,
            lines: (row.lines.iter())
                .map(|own| self.ordered(own))
                .collect::<Option<_>>()?,
            procedures: row
                .procedures
                .iter()
                .map(procedure)
                .collect::<Option<_>>()?,
            stays: row.stays,
            order: order_of(row.order)?,
            past: &[],
        };
        Some((row.sender, case))
    }

    fn ordered(&self, row: &OrderedRow) -> Option<clinical::Line<'b>> {
        let dose = |(amount, times, days)| {
            let amount = self.quantity(amount)?;
            Some(clinical::Dose {
                amount,
                times,
                days,
            })
        };
        let ingredient = |own: &u32| Ingredient::parse(self.name(*own)?);
        Some(clinical::Line {
            seq: row.seq,
            system: self.name(row.system)?,
            code: self.name(row.code)?,
            day: day_of(row.day)?,
            days: row.days,
            quantity: self.quantity(row.quantity)?,
            days_supply: row.days_supply,
            dose: maybe(row.dose, dose)?,
            ingredients: row
                .ingredients
                .iter()
                .map(ingredient)
                .collect::<Option<_>>()?,
            order: order_of(row.order)?,
        })
    }

    fn line(&self, line: LineRow) -> Option<BillLine<'b>> {
        let mut authorised = Vec::with_capacity(line.authorised.len());
        for own in line.authorised {
            authorised.push(match own {
                None => None,
                Some((quantity, amount)) => Some(AuthorisedLine {
                    quantity: maybe(quantity, |at| self.quantity(at))?,
                    amount: maybe(amount, Amount::new)?,
                }),
            });
        }
        Some(BillLine {
            seq: line.seq,
            system: self.name(line.system)?,
            code: self.name(line.code)?,
            date: day_of(line.day)?,
            quantity: self.quantity(line.quantity)?,
            billed: maybe(line.billed, Amount::new)?,
            base_paid: maybe(line.base_paid, Amount::new)?,
            base_said_by: None,
            subsidy: Amount::new(line.subsidy)?,
            network: (line.network.into_iter())
                .map(tier_of)
                .collect::<Option<_>>()?,
            bilateral: line.bilateral,
            parts: Vec::new(),
            reference_price: maybe(line.reference_price, Amount::new)?,
            substitution_refused: line.substitution_refused,
            authorised,
            circumstance: maybe(line.circumstance, |at| self.name(at))?,
        })
    }
}

fn order_of((authored, from, until): OrderRow) -> Option<clinical::Order> {
    Some(clinical::Order {
        authored: maybe(authored, day_of)?,
        from: maybe(from, day_of)?,
        until: maybe(until, day_of)?,
    })
}

/// Nothing for nothing; `None` where there is something that cannot be read.
fn maybe<T, R>(value: Option<T>, read: impl FnOnce(T) -> Option<R>) -> Option<Option<R>> {
    match value {
        None => Some(None),
        Some(value) => read(value).map(Some),
    }
}

/// A place, where something stands there.
fn place_of<T>(place: u32, among: &[T]) -> Option<usize> {
    let place = usize::try_from(place).ok()?;
    among.get(place).map(|_| place)
}

fn past_cover(row: CoverRow, member: MemberId, order: u32, held: &Held) -> Option<PastCover> {
    let at = place_of(row.plan, &held.plans)?;
    let plan = held.plans.get(at)?;
    let tariff = |place| place_of(place, &held.tariffs);
    let said = match row.said {
        Said::Nothing => None,
        Said::Approved => Some(InsurerSays::Approved),
        Said::Refused => Some(InsurerSays::Refused),
        Said::Adjusted(lines) => {
            let line = |(seq, amount): (u32, i64)| Some((seq, Amount::new(amount)?));
            let lines: Option<Vec<_>> = lines.into_iter().map(line).collect();
            Some(InsurerSays::Adjusted(lines?))
        }
    };
    Some(PastCover {
        cover: Cover {
            account: account_id(row.account),
            member,
            insurer: plan.insurer.clone(),
            role: InsurerRole::Supplementary,
            order,
            relationship: row.relationship,
            plan: plan.id.clone(),
            start: day_of(row.start)?,
            end: maybe(row.end, day_of)?,
            suspended: row.suspended,
            prior_cover: row.prior_cover,
            group_size: row.group_size,
            principal_born: None,
        },
        plan: at,
        tariff: maybe(row.tariff, tariff)?,
        contract: maybe(row.contract, tariff)?,
        said,
        refused: row.refused,
        refused_anew: None,
    })
}

/// Which members and accounts hang together: disjoint sets of their numbers, members first.
#[derive(Debug)]
struct Groups {
    parents: Vec<u32>,
    members: u32,
    accounts: u32,
}

impl Groups {
    /// Everyone alone. No extract has more members than messages, or more accounts than bytes.
    fn of(end: &End, bytes: usize, at: usize) -> Result<Groups, Corrupt> {
        let wrong = Corrupt::new(at, "the counts at the end make no sense");
        let (members, accounts) = (end.members, end.accounts);
        let most = u64::try_from(bytes).unwrap_or(u64::MAX);
        let all = members.checked_add(accounts).ok_or(wrong)?;
        let is_possible = u64::from(members) <= end.rows.min(most) && u64::from(accounts) <= most;
        if !is_possible {
            return Err(wrong);
        }
        Ok(Groups {
            parents: (0..all).collect(),
            members,
            accounts,
        })
    }

    fn member(&self, number: u32) -> Option<u32> {
        (number < self.members).then_some(number)
    }

    fn account(&self, number: u32) -> Option<u32> {
        (number < self.accounts).then(|| self.members + number)
    }

    fn parent(&self, of: u32) -> u32 {
        let of = usize::try_from(of).ok();
        of.and_then(|of| self.parents.get(of)).copied().unwrap_or(0)
    }

    fn set_parent(&mut self, of: u32, parent: u32) {
        let of = usize::try_from(of).ok();
        if let Some(slot) = of.and_then(|of| self.parents.get_mut(of)) {
            *slot = parent;
        }
    }

    fn root(&mut self, of: u32) -> u32 {
        let mut own = of;
        loop {
            let parent = self.parent(own);
            if parent == own {
                return own;
            }
            // Half the way is cut for whoever comes next.
            let next = self.parent(parent);
            self.set_parent(own, next);
            own = next;
        }
    }

    /// The least number stays the root, so that the groups are the same in whatever order they were joined.
    fn join(&mut self, one: u32, other: u32) {
        let (one, other) = (self.root(one), self.root(other));
        self.set_parent(one.max(other), one.min(other));
    }
}
