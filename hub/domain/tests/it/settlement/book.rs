//! A whole book in memory: what a hub keeps in its store, moved by the same rules.

use std::collections::{BTreeMap, BTreeSet};

use takmil_domain::date::{Date, Instant};
use takmil_domain::decision::{DecidedBy, Decision, InsurerShare, LineShare, Totals};
use takmil_domain::ids::{DifferenceId, DisputeId, ParticipantId};
use takmil_domain::money::Amount;
use takmil_domain::settlement::dispute::Dispute;
use takmil_domain::settlement::period::{Closed, Closing, Hindrance, PairBook};
use takmil_domain::settlement::{
    Account, Balances, Due, Folio, Pair, Refused, Says, Statement, Transfer, Word, due,
};

use super::month::{Event, Month, What, calendar_month, currency};

/// One pair's page, with everything that was ever booked on it.
pub(crate) struct Page {
    pub(crate) folio: Folio,
    pub(crate) transfers: Vec<Transfer>,
    /// How many of the transfers are in statements.
    pub(crate) stated: usize,
    pub(crate) statements: Vec<Statement>,
}

#[derive(Default)]
pub(crate) struct Book {
    claims: Vec<super::month::Claim>,
    pub(crate) pages: BTreeMap<Pair, Page>,
    pub(crate) disputes: BTreeMap<DisputeId, Dispute>,
    days_run: BTreeSet<Date>,
    pub(crate) refusals: BTreeSet<Refused>,
}

impl Book {
    pub(crate) fn new(month: &Month) -> Book {
        Book {
            claims: month.claims.clone(),
            ..Book::default()
        }
    }

    /// The month as it went, with the statements of its days.
    pub(crate) fn run(&mut self, month: &Month) {
        let on_time = month.events.len().saturating_sub(month.late);
        let (events, late) = month.events.split_at(on_time);
        let mut events = events.iter().peekable();
        for day in calendar_month().days() {
            while let Some(event) = events.next_if(|event| event.day <= day) {
                self.happen(event);
            }
            if !month.skipped.contains(&day) {
                self.state(day);
            }
        }
        for event in late {
            self.happen(event);
        }
    }

    /// Something happens, perhaps twice. Gives the transfers of each time.
    pub(crate) fn happen(&mut self, event: &Event) -> Vec<Vec<Transfer>> {
        let times = if event.twice { 2 } else { 1 };
        (0..times).map(|_| self.act(event)).collect()
    }

    pub(crate) fn act(&mut self, event: &Event) -> Vec<Transfer> {
        let at = event.at;
        let done = match &event.what {
            What::Decided {
                claim,
                turn,
                shares,
            } => self.decide(*claim, *turn, shares.as_deref(), event.day, at),
            What::Noticed { notice, stated, id } => self.page(&notice.pair, |folio| {
                Ok(folio.notice(notice, stated, *id, at)?.1)
            }),
            What::Confirmed(pair, id) => self.page(pair, |folio| folio.confirm(*id, at)),
            What::Bounced(pair, id) => self.page(pair, |folio| folio.bounce(*id, at)),
            What::TookPrepaid(pair) => self.page(pair, |folio| folio.take_prepaid(at)),
            What::Disputed(pair, objection, id) => match self.disputes.contains_key(id) {
                // The store has a dispute's id once.
                true => Ok(Vec::new()),
                false => {
                    let mut opened = None;
                    let done = self.page(pair, |folio| {
                        let (dispute, book) = folio.dispute(*objection, *id, at)?;
                        opened = Some(dispute);
                        Ok(book)
                    });
                    self.disputes.extend(opened.map(|dispute| (*id, dispute)));
                    done
                }
            },
            What::Ruled(pair, id, ruling, by) => match self.disputes.remove(id) {
                None => Err(Refused::Unknown),
                Some(mut dispute) => {
                    let done = self.page(pair, |folio| folio.rule(&mut dispute, *ruling, *by, at));
                    self.disputes.insert(*id, dispute);
                    done
                }
            },
        };
        done.unwrap_or_else(|refused| {
            self.refusals.insert(refused);
            Vec::new()
        })
    }

    fn page(
        &mut self,
        pair: &Pair,
        act: impl FnOnce(&mut Folio) -> Result<Vec<Transfer>, Refused>,
    ) -> Result<Vec<Transfer>, Refused> {
        let page = self.pages.entry(pair.clone()).or_insert_with(|| Page {
            folio: Folio::open(pair.clone(), [], []).unwrap(),
            transfers: Vec::new(),
            stated: 0,
            statements: Vec::new(),
        });
        let book = act(&mut page.folio)?;
        page.transfers.extend(book.iter().cloned());
        Ok(book)
    }

    fn decide(
        &mut self,
        claim: usize,
        turn: u32,
        shares: Option<&[(ParticipantId, Vec<Amount>)]>,
        day: Date,
        at: Instant,
    ) -> Result<Vec<Transfer>, Refused> {
        let claim = self.claims[claim].clone();
        let decision = shares.map(decision);
        let word = Word {
            message: claim.message,
            provider: &claim.provider,
            payee: claim.payee,
            says: decision.as_ref().map_or(Says::Nothing, Says::Owes),
            is_reviewed: turn.is_multiple_of(3),
            turn,
            day,
            at,
        };
        let booked: Vec<Due> = self
            .pages
            .values()
            .filter_map(|page| page.folio.due(claim.message).cloned())
            .collect();
        let mut book = Vec::new();
        for change in due::changes(&word, &booked, |_| 30)? {
            let pair = change.due.pair.clone();
            book.extend(self.page(&pair, |folio| {
                folio.put(change.due)?;
                Ok(change.transfer.into_iter().collect())
            })?);
        }
        Ok(book)
    }

    /// Makes the statements of a day. Gives how many.
    pub(crate) fn state(&mut self, day: Date) -> usize {
        self.days_run.insert(day);
        let mut made = 0;
        for (pair, page) in &mut self.pages {
            let last = page.statements.last();
            let unstated = &page.transfers[page.stated..];
            let drawn = Statement::draw(pair, day, last, unstated, Instant(0)).unwrap();
            if let Some(statement) = drawn {
                page.statements.push(statement);
                page.stated = page.transfers.len();
                made += 1;
            }
        }
        made
    }

    pub(crate) fn close(
        &self,
        month: &Month,
        differences: &[(DifferenceId, i64)],
    ) -> Result<Closed, Vec<Hindrance>> {
        let book = |(pair, page): (&Pair, &Page)| PairBook {
            pair: pair.clone(),
            statements: page.statements.clone(),
            unstated: (page.transfers.len() - page.stated) as u64,
            stated: Balances::of(&page.transfers[..page.stated]),
            transfers: Balances::of(&page.transfers),
            dues: page.folio.balances(),
        };
        let books: Vec<PairBook> = self.pages.iter().map(book).collect();
        let closing = Closing {
            month: calendar_month(),
            today: calendar_month().last().add_days(1 + month.late as u32),
            days_run: &self.days_run,
            books: &books,
            differences,
            tolerance: 0,
        };
        closing.close()
    }

    /// What is payable all in all.
    pub(crate) fn balances(&self) -> Balances {
        let mut all = Balances::default();
        for page in self.pages.values() {
            all.add_all(&Balances::of(&page.transfers));
        }
        all
    }

    pub(crate) fn pairs(&self) -> usize {
        self.pages.len()
    }

    pub(crate) fn transfers(&self) -> usize {
        self.pages.values().map(|page| page.transfers.len()).sum()
    }

    pub(crate) fn statements(&self) -> usize {
        self.pages.values().map(|page| page.statements.len()).sum()
    }

    pub(crate) fn unstated(&self) -> usize {
        let pages = self.pages.values();
        pages.map(|page| page.transfers.len() - page.stated).sum()
    }

    pub(crate) fn payable(&self) -> i128 {
        self.balances().get(Account::Payable)
    }
}

/// A decision by which insurers pay so much of each line.
fn decision(shares: &[(ParticipantId, Vec<Amount>)]) -> Decision {
    let many = shares.iter().map(|(_, lines)| lines.len()).max();
    let line = |at: usize| LineShare {
        seq: at as u32 + 1,
        billed: Amount::MAX,
        allowed: Amount::MAX,
        base: Amount::ZERO,
        subsidy: Amount::ZERO,
        supplementary: shares
            .iter()
            .filter_map(|(insurer, lines)| Some((insurer.clone(), *lines.get(at)?)))
            .map(|(insurer, amount)| InsurerShare {
                insurer,
                amount,
                allowed: amount,
                benefit: None,
                refused: None,
                pended: false,
            })
            .collect(),
        written_off: Amount::ZERO,
        member: Amount::ZERO,
        reasons: Vec::new(),
        trace: Vec::new(),
    };
    let lines: Vec<LineShare> = (0..many.unwrap_or(0)).map(line).collect();
    Decision {
        currency: currency(),
        totals: Totals::of(&lines),
        lines,
        remainders: Vec::new(),
        basis: Vec::new(),
        exchange: None,
        decided_by: DecidedBy::Hub,
        reasons: Vec::new(),
        valid_until: None,
    }
}
