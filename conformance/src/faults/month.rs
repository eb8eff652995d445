//! A month of claims between some insurers and many providers: decided, revised, taken back, corrected, appealed, argued
//! about, and paid in every way that a payment can go. Every party keeps a record of its own, and at the end every account
//! of every book is what those records come to, to the smallest unit, and every insurer's month is closed.

mod check;
mod record;
mod words;
mod world;

use std::time::{SystemTime, UNIX_EPOCH};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use takmil_proto::v1;

use super::desk::Desk;
use super::hub::Hub;
use super::place::Faked;
use super::report::Report;
use super::trial::{Trial, count, plan};
use super::world::{CURRENCY, REVIEWED, SERVICE};
use super::{Error, Run};
use crate::insurer::{HubClient, Setup, Simulator, Wire};
use record::{Claim, Dispute, Payment, Record, Said, Stage};
use words::{body, call, tell};
use world::World;

/// The month, which no clock has reached, and its first moment in milliseconds.
const MONTH: &str = "2031-05";
const BEGINS_MS: i64 = 1_935_360_000_000;
const DAYS: i64 = 31;
const HOUR_MS: i64 = 3_600_000;

/// How many claims are sent at once.
const AT_ONCE: usize = 16;
/// What a line comes to, in the smallest unit, and how many lines a claim may have.
const BILLED: std::ops::Range<i64> = 300..6_000;
const LINES: usize = 3;

/// Of a hundred claims: how many the insurer has to decide.
const REVIEW: u32 = 40;
/// Of a hundred that wait, or are decided, what becomes of how many each day.
const DECIDE: u32 = 60;
const REVISE: u32 = 1;
const TAKE_BACK: u32 = 1;
const CORRECT: u32 = 1;
const APPEAL: u32 = 2;
const ARGUE: u32 = 1;
/// Of a hundred: how many statements are paid the day after, and what providers say of a payment each day.
const PAY: u32 = 50;
const ARRIVES: u32 = 30;
const BOUNCES: u32 = 4;
/// How many disputes of a hundred are decided each day.
const RULE: u32 = 30;

/// How large the month is.
#[derive(Debug, Clone, Copy)]
pub struct Month {
    /// How many insurers there are.
    pub insurers: usize,
    /// How many providers.
    pub providers: usize,
    /// How many claims they send over the month.
    pub claims: usize,
}

/// Has a month go by, and closes it.
///
/// # Errors
/// [`Error`] where the test cannot be run; what it finds wrong stands in the report.
pub async fn month(run: &Run, size: Month) -> Result<Report, Error> {
    let Month {
        insurers,
        providers,
        claims,
    } = size;
    let again = format!("--insurers {insurers} --providers {providers} --claims {claims}");
    let plan = plan(run, Some(Faked::Clock));
    let trial = Trial::new("month", run, &again, plan).await?;
    let world = World {
        insurers,
        providers,
    };
    let mut town = Town::found(trial, world).await?;
    for day in 1..=DAYS {
        town.trial
            .progress
            .round(day.unsigned_abs(), DAYS.unsigned_abs());
        // What is left over comes on the last days.
        let to_come = claims.saturating_sub(town.record.claims.len());
        let left = usize::try_from(DAYS - day).unwrap_or_default() + 1;
        town.set_clock(day, 9 * HOUR_MS)?;
        town.bill(day, to_come.div_ceil(left)).await?;
        town.take_back().await?;
        town.correct(day).await?;
        town.decide(day == DAYS).await?;
        town.appeal().await?;
        town.argue().await?;
        town.pay(day).await?;
        town.hear().await?;
        // The hub does it by itself as well: whoever comes second has nothing left to do.
        town.set_clock(day + 1, 3 * HOUR_MS)?;
        town.trial.place.settle().await?;
    }
    town.end().await
}

/// An insurer: what it listens with, and its ways to the hub.
struct Insurer {
    id: String,
    /// Held so that deliveries are taken.
    _simulator: Simulator,
    desk: Desk,
    /// The first one speaks gRPC alone where there is a call for it.
    calls: Option<HubClient>,
    /// Of the persons who close its month.
    finance: Desk,
    approver: Desk,
}

/// Everybody, and what they know.
struct Town {
    trial: Trial,
    world: World,
    hub: Hub,
    insurers: Vec<Insurer>,
    providers: Vec<(String, Desk)>,
    random: StdRng,
    record: Record,
}

impl Town {
    /// Founds it, and starts the hub on the month's first day.
    async fn found(mut trial: Trial, world: World) -> Result<Town, Error> {
        let mut simulators = Vec::new();
        for number in 0..world.insurers {
            let setup = Setup::new(world::insurer(number), Wire::Grpc);
            simulators.push(Simulator::start(setup).await?);
        }
        let urls: Vec<String> = simulators.iter().map(Simulator::url).collect();
        let folder = trial.place.folder().join("month");
        world.write(&folder, &urls)?;
        trial.place.import(&folder).await?;
        set_clock(&trial, 1, 0)?;
        let hub = trial.place.start().await?;
        let mut insurers = Vec::new();
        for (number, simulator) in simulators.into_iter().enumerate() {
            let id = world::insurer(number);
            let key = trial.place.key(&id).await?;
            let person = async |role| Desk::new(hub.url(), &trial.place.person(&id, role).await?);
            let calls = match number {
                0 => Some(HubClient::new(hub.url(), None, &key)?),
                _ => None,
            };
            insurers.push(Insurer {
                _simulator: simulator,
                desk: Desk::new(hub.url(), &key)?,
                calls,
                finance: person("finance").await?,
                approver: person("approver").await?,
                id,
            });
        }
        let mut providers = Vec::new();
        trial.progress.begin("providers", world.providers);
        for number in 0..world.providers {
            let id = world::provider(number);
            let desk = Desk::new(hub.url(), &trial.place.key(&id).await?)?;
            providers.push((id, desk));
            trial.progress.done(1);
        }
        let random = StdRng::seed_from_u64(trial.report.seed);
        trial.round = 1;
        Ok(Town {
            trial,
            world,
            hub,
            insurers,
            providers,
            random,
            record: Record::default(),
        })
    }

    fn set_clock(&self, day: i64, ms: i64) -> Result<(), Error> {
        set_clock(&self.trial, day, ms)
    }

    fn insurer(&self, number: usize) -> Result<&Insurer, Error> {
        self.insurers.get(number).ok_or_else(|| missing("insurer"))
    }

    fn provider(&self, number: usize) -> Result<&(String, Desk), Error> {
        self.providers
            .get(number)
            .ok_or_else(|| missing("provider"))
    }

    fn claim(&mut self, number: usize) -> Result<&mut Claim, Error> {
        let claims = &mut self.record.claims;
        claims.get_mut(number).ok_or_else(|| missing("claim"))
    }

    /// Some of a hundred.
    fn some_of(&mut self, of: Vec<usize>, percent: u32) -> Vec<usize> {
        let random = &mut self.random;
        let chosen = of.into_iter();
        chosen
            .filter(|_| random.random_ratio(percent, 100))
            .collect()
    }

    /// So many new claims.
    async fn bill(&mut self, day: i64, claims: usize) -> Result<(), Error> {
        let fresh: Vec<(Claim, String)> = (0..claims)
            .map(|offset| {
                let place = self.record.claims.len() + offset;
                self.draw(place, day, None)
            })
            .collect();
        self.send(fresh).await.map(drop)
    }

    /// A claim by its place in the record, or one that replaces another's.
    fn draw(&mut self, place: usize, day: i64, replaced: Option<&Claim>) -> (Claim, String) {
        let random = &mut self.random;
        let member = match replaced {
            Some(claim) => claim.member,
            None => random.random_range(0..self.world.members().max(1)),
        };
        let provider = match replaced {
            Some(claim) => claim.provider,
            None => random.random_range(0..self.world.providers.max(1)),
        };
        let service = match random.random_ratio(REVIEW, 100) {
            true => REVIEWED,
            false => SERVICE,
        };
        let lines = (0..random.random_range(1..=LINES)).map(|_| random.random_range(BILLED));
        let claim = Claim {
            id: String::new(),
            key: format!("month-{place}"),
            insurer: self.world.pays(member),
            provider,
            member,
            lines: lines.collect(),
            stage: Stage::Waits,
            owed: 0,
            words: 0,
            disputed: 0,
            dismissed: 0,
        };
        let body = body(&claim, service, day, replaced);
        (claim, body)
    }

    /// Sends claims and notes what is answered.
    async fn send(&mut self, fresh: Vec<(Claim, String)>) -> Result<(), Error> {
        let desks: Vec<Desk> = self
            .providers
            .iter()
            .map(|(_, desk)| desk.clone())
            .collect();
        let send = |(mut claim, body): (Claim, String)| {
            let desk = desks.get(claim.provider).cloned();
            async move {
                let desk = desk.ok_or_else(|| missing("provider"))?;
                let reply = desk.post("/v1/claims", &claim.key, &body).await?;
                claim.id = reply.text("/id").to_owned();
                claim.told(&reply.ok("a claim")?);
                Ok(claim)
            }
        };
        let progress = self.trial.progress.clone();
        let sent = progress.each("claims", fresh.into_iter(), AT_ONCE, send);
        self.record.claims.extend(sent.await?);
        Ok(())
    }

    /// Insurers decide some of what waits for them, and decide some anew that they had decided; `all` of what waits.
    async fn decide(&mut self, all: bool) -> Result<(), Error> {
        let waiting = self.record.at(Stage::Waits);
        let mut chosen = self.some_of(waiting, if all { 100 } else { DECIDE });
        let decided = self.record.at(Stage::Decided);
        let said = |number: &usize| {
            let claim = self.record.claims.get(*number);
            claim.is_some_and(|claim| claim.words > 0)
        };
        let decided = decided.into_iter().filter(said).collect();
        chosen.extend(self.some_of(decided, REVISE));
        self.trial.progress.begin("decisions", chosen.len());
        for number in chosen {
            self.say(number).await?;
            self.trial.progress.done(1);
        }
        Ok(())
    }

    /// The insurer's next word on a claim.
    async fn say(&mut self, number: usize) -> Result<(), Error> {
        let draw = self.random.random_range(0..4);
        let claim = self.claim(number)?;
        claim.words += 1;
        let claim = claim.clone();
        let lines: Vec<i64> = match draw {
            0 => vec![0; claim.lines.len()],
            1 => claim
                .lines
                .iter()
                .map(|billed| self.random.random_range(0..=*billed))
                .collect(),
            _ => Vec::new(),
        };
        let verdict = match draw {
            0 => v1::Verdict::Refuse,
            1 => v1::Verdict::Adjust,
            _ => v1::Verdict::Approve,
        };
        let insurer = self.insurer(claim.insurer)?;
        match &insurer.calls {
            Some(hub) => call(hub, &claim, verdict, &lines).await?,
            None => tell(&insurer.desk, &claim, verdict, &lines).await?,
        }
        self.trial.report.count("words of insurers", 1);
        self.look(number).await
    }

    /// What its provider is told of a claim now.
    async fn look(&mut self, number: usize) -> Result<(), Error> {
        let claim = self.claim(number)?;
        let (path, provider) = (format!("/v1/messages/{}", claim.id), claim.provider);
        let (_, desk) = self.provider(provider)?;
        let way = desk.get(&path).await?.ok("a claim")?;
        let answer = way.get("answer").cloned().unwrap_or_default();
        self.claim(number)?.told(&answer);
        Ok(())
    }

    /// Providers take some claims back, those that are paid among them.
    async fn take_back(&mut self) -> Result<(), Error> {
        let decided = self.record.at(Stage::Decided);
        for number in self.some_of(decided, TAKE_BACK) {
            let claim = self.claim(number)?;
            let (path, provider) = (format!("/v1/claims/{}/cancel", claim.id), claim.provider);
            let key = format!("{}-back", claim.key);
            let (_, desk) = self.provider(provider)?;
            desk.post(&path, &key, "{}").await?.ok("a taking back")?;
            self.look(number).await?;
            let gone = self.claim(number)?.stage == Stage::Gone;
            self.insist(gone, "a claim that was taken back stands");
            self.trial.report.count("claims taken back", 1);
        }
        Ok(())
    }

    /// Providers replace some claims by others.
    async fn correct(&mut self, day: i64) -> Result<(), Error> {
        let decided = self.record.at(Stage::Decided);
        for number in self.some_of(decided, CORRECT) {
            let old = self.claim(number)?.clone();
            let fresh = self.draw(self.record.claims.len(), day, Some(&old));
            self.send(vec![fresh]).await?;
            self.look(number).await?;
            let gone = self.claim(number)?.stage == Stage::Gone;
            self.insist(gone, "a claim that was replaced stands");
            self.trial.report.count("claims replaced", 1);
        }
        Ok(())
    }

    /// Providers appeal against some decisions, and the insurers decide again.
    async fn appeal(&mut self) -> Result<(), Error> {
        let decided = self.record.at(Stage::Decided).into_iter();
        let less = decided.filter(|number| {
            let claim = self.record.claims.get(*number);
            claim.is_some_and(|claim| claim.words == 1 && claim.owed < claim.billed())
        });
        let less = less.collect();
        for number in self.some_of(less, APPEAL) {
            let claim = self.claim(number)?;
            let (path, provider) = (format!("/v1/messages/{}/appeals", claim.id), claim.provider);
            let body =
                json!({"reference": format!("{}-appeal", claim.key), "text": "more was agreed"});
            let (_, desk) = self.provider(provider)?;
            let reply = desk.tell(&path, &body.to_string()).await?;
            reply.ok("an appeal")?;
            self.say(number).await?;
            self.trial.report.count("appeals", 1);
        }
        Ok(())
    }

    /// Insurers argue about some of what they owe, and providers decide some of what is argued about.
    async fn argue(&mut self) -> Result<(), Error> {
        let decided = self.record.at(Stage::Decided);
        for number in self.some_of(decided, ARGUE) {
            let claim = self.claim(number)?.clone();
            if claim.owed == 0 {
                continue;
            }
            let amount = (claim.owed / 3).max(1);
            let insurer = self.insurer(claim.insurer)?;
            let body = json!({"message": claim.id, "amount": amount, "reason": "billed twice"});
            let reply = insurer.desk.tell("/v1/disputes", &body.to_string()).await?;
            // What is paid, or on its way, is not argued about.
            if reply.status == 422 && reply.text("/code") == "PAY-OVER" {
                continue;
            }
            let id = reply.text("/id").to_owned();
            reply.ok("a dispute")?;
            self.claim(number)?.disputed += amount;
            self.record.disputes.push(Dispute {
                id,
                claim: number,
                amount,
            });
            self.trial.report.count("disputes", 1);
        }
        let open = std::mem::take(&mut self.record.disputes);
        for dispute in open {
            if !self.random.random_ratio(RULE, 100) {
                self.record.disputes.push(dispute);
                continue;
            }
            let is_dismissed = self.random.random();
            let outcome = if is_dismissed { "dismissed" } else { "upheld" };
            let provider = self.claim(dispute.claim)?.provider;
            let (_, desk) = self.provider(provider)?;
            let path = format!("/v1/disputes/{}/decide", dispute.id);
            let body = json!({"outcome": outcome, "note": "looked at"});
            let reply = desk.tell(&path, &body.to_string()).await?;
            reply.ok("a ruling")?;
            let claim = self.claim(dispute.claim)?;
            claim.disputed -= dispute.amount;
            if is_dismissed {
                claim.dismissed += dispute.amount;
            }
        }
        Ok(())
    }

    /// Insurers pay some of those to whom they owe: a statement, whatever is open, or claims and lines by name; exactly, in
    /// part, or too much.
    async fn pay(&mut self, day: i64) -> Result<(), Error> {
        let owed: Vec<_> = self.record.sums().into_iter().collect();
        self.trial.progress.begin("payments", owed.len());
        for ((insurer, provider), sums) in owed {
            self.trial.progress.done(1);
            let open = sums.open();
            if open <= 0 || !self.random.random_ratio(PAY, 100) {
                continue;
            }
            let amount = match self.random.random_range(0..3) {
                0 => open,
                1 => (open / 2).max(1),
                _ => open + open / 10,
            };
            let mut notice = json!({
                "reference": format!("month-{}", self.record.payments.len()),
                "provider": world::provider(provider), "currency": CURRENCY, "amount": amount,
                "paid_on": date(day),
            });
            match self.random.random_range(0..3) {
                0 => {
                    if let Some(number) = self.statement(insurer, provider).await? {
                        extend(&mut notice, "statement", number);
                    }
                }
                1 => {
                    let rows = self.rows(insurer, provider);
                    extend(&mut notice, "allocations", rows);
                }
                _ => {}
            }
            self.notify((insurer, provider), amount, day, &notice)
                .await?;
        }
        Ok(())
    }

    /// The last statement of the two.
    async fn statement(&self, insurer: usize, provider: usize) -> Result<Option<Value>, Error> {
        let path = format!("/v1/statements?provider={}", world::provider(provider));
        let statements = check::all(&self.insurer(insurer)?.desk, &path, "statements").await?;
        let last = statements.last().and_then(|last| last.get("number"));
        Ok(last.cloned())
    }

    /// A claim of the two by name, and a line of another.
    fn rows(&mut self, insurer: usize, provider: usize) -> Value {
        let claims = self.record.claims.iter();
        let own = claims.filter(|claim| {
            (claim.insurer, claim.provider) == (insurer, provider) && claim.stage == Stage::Decided
        });
        let own: Vec<&Claim> = own.collect();
        let whole = own.choose(&mut self.random).map(|claim| &claim.id);
        let line = own.choose(&mut self.random).map(|claim| &claim.id);
        match (whole, line) {
            (Some(whole), Some(line)) if whole != line => {
                json!([{"message": whole}, {"message": line, "line": 1, "amount": 1}])
            }
            (Some(whole), _) => json!([{"message": whole}]),
            _ => json!([]),
        }
    }

    /// Gives notice of a payment.
    async fn notify(
        &mut self,
        (insurer, provider): (usize, usize),
        amount: i64,
        day: i64,
        notice: &Value,
    ) -> Result<(), Error> {
        let desk = &self.insurer(insurer)?.desk;
        let reply = desk.tell("/v1/payments", &notice.to_string()).await?;
        // Rows that come to more than what is paid are refused, as they should be.
        if reply.status == 422 && reply.text("/code") == "PAY-SUM" {
            return Ok(());
        }
        let receipt = reply.ok("a payment")?;
        let part = |name: &str| receipt.get(name).and_then(Value::as_i64).unwrap_or(0);
        let is_whole = part("allocated") + part("prepaid") == amount;
        self.insist(
            is_whole,
            format!("{amount} was paid, and told is {receipt}"),
        );
        let id = receipt.get("payment").and_then(Value::as_str);
        self.record.payments.push(Payment {
            id: id.unwrap_or_default().to_owned(),
            insurer,
            provider,
            amount,
            day,
            said: Said::Nothing,
        });
        self.trial.report.count("payments", 1);
        Ok(())
    }

    /// Providers say of some payments that they arrived, and of some that they bounced, whatever they said before.
    async fn hear(&mut self) -> Result<(), Error> {
        let mut said = Vec::new();
        for (number, payment) in self.record.payments.iter().enumerate() {
            let arrives = payment.said == Said::Nothing && self.random.random_ratio(ARRIVES, 100);
            let bounces = payment.said == Said::Nothing && self.random.random_ratio(BOUNCES, 100);
            match (arrives, bounces) {
                (_, true) => said.push((number, Said::Bounced, "bounce")),
                (true, false) => said.push((number, Said::Arrived, "confirm")),
                (false, false) => {}
            }
        }
        for (number, what, path) in said {
            let Some(payment) = self.record.payments.get(number) else {
                continue;
            };
            let path = format!("/v1/payments/{}/{path}", payment.id);
            let (_, desk) = self.provider(payment.provider)?;
            desk.tell(&path, "{}").await?.ok("a word on a payment")?;
            if let Some(payment) = self.record.payments.get_mut(number) {
                payment.said = what;
            }
            if what == Said::Bounced {
                self.trial.report.count("payments that bounced", 1);
            }
        }
        Ok(())
    }

    /// Notes what should not be.
    fn insist(&mut self, is_so: bool, else_told: impl std::fmt::Display) {
        if !is_so {
            self.trial.fail(else_told);
        }
    }

    /// Looks at every account, closes every month, and reports.
    async fn end(mut self) -> Result<Report, Error> {
        let ids: Vec<String> = self
            .record
            .claims
            .iter()
            .map(|own| own.id.clone())
            .collect();
        self.check_dues().await?;
        self.check_payments().await?;
        self.check_limits().await?;
        self.check_books().await?;
        self.trial.progress.begin("the hub's own check", 0);
        self.trial.report.sent += count(ids.len());
        self.trial.report.acknowledged += count(ids.len());
        self.trial.check_up(&ids).await?;
        self.hub.kill().await?;
        Ok(self.trial.end())
    }
}

/// Sets the hub's clock to a moment of the month.
fn set_clock(trial: &Trial, day: i64, ms: i64) -> Result<(), Error> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |now| i64::try_from(now.as_millis()).unwrap_or(i64::MAX));
    let wanted = BEGINS_MS + (day - 1) * 24 * HOUR_MS + ms;
    match &trial.place.shim {
        Some(shim) => shim.shift_clock(wanted - now),
        None => Ok(()),
    }
}

fn date(day: i64) -> String {
    format!("{MONTH}-{day:02}")
}

fn missing(what: &str) -> Error {
    Error::Answer(format!("there is no such {what}"))
}

fn extend(object: &mut Value, name: &str, value: Value) {
    if let Value::Object(object) = object {
        object.insert(name.to_owned(), value);
    }
}
