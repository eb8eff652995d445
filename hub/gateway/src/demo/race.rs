//! A limit is raced: a hundred clients at once, each on a connection of its own, bill parts of one member's yearly
//! ceiling, together more than there is. What the hub promises is the ceiling exactly, and never more.

use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Instant;
use takmil_domain::coverage::EnrolledMember;
use takmil_domain::date::Date;
use takmil_domain::ids::{Identifier, MemberId, MessageId};
use takmil_domain::money::{Amount, Currency};
use takmil_domain::reason::Reason;
use takmil_store::{LimitStanding, Resolution, Scope};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::figures::in_ms;
use super::play::{micros, provider};
use super::reply::{self, Told};
use super::seed::{self, SampleCover, plus_days};
use super::standing::Standing;
use super::{World, table};
use crate::cli::Fatal;

/// How many bill at once.
const CLIENTS: usize = 100;
/// Who bills, whose plan it is, and which of its limits is raced.
const PROVIDER: &str = "ma-pharma";
const INSURER: &str = "ma-mutuelle";
const PLAN: &str = "ma-mutuelle-360";
const LIMIT: &str = "drugs";
/// What each bills, in centimes. The plan leaves a tenth of it to the member.
const BILLED: i64 = 2_000;
/// Since how many days the member is covered.
const COVERED_DAYS: i64 = 400;

/// What the race came to. Amounts are in the smallest unit.
pub(super) struct Race {
    currency: Currency,
    day: Date,
    /// The ceiling.
    limit: i64,
    /// What all bills together would have been paid without it.
    asked: i64,
    /// What the hub promised to all clients together.
    promised: i64,
    /// How many got all, a part, or nothing of what they asked.
    whole: usize,
    part: usize,
    nothing: usize,
    /// What the ledger says is used, and what is left.
    consumed: i64,
    left: i64,
    micros: u64,
}

impl Race {
    /// Whether the ceiling was promised exactly, and the ledger says the same.
    pub(super) fn is_exact(&self) -> bool {
        self.promised == self.limit && self.consumed == self.limit && self.left == 0
    }

    /// The race in JSON.
    pub(super) fn json(&self) -> Value {
        json!({
            "clients": CLIENTS,
            "currency": self.currency.as_str(),
            "limit": self.limit,
            "asked": self.asked,
            "promised": self.promised,
            "whole": self.whole,
            "part": self.part,
            "nothing": self.nothing,
            "consumed": self.consumed,
            "left": self.left,
            "exact": self.is_exact(),
            "ms": in_ms(self.micros),
        })
    }

    /// The race for people.
    pub(super) fn shown(&self) -> String {
        let money = |units| {
            let amount = Amount::new(units).unwrap_or(Amount::ZERO);
            table::money(amount, self.currency, self.day)
        };
        let verdict = if self.is_exact() {
            "exactly the limit, never above it"
        } else {
            "NOT the limit"
        };
        format!(
            "  {CLIENTS} clients at once bill one member's {limit} {currency} a year, together {asked}\n  \
             promised {promised}: {verdict}   ({whole} in full, {part} in part, {nothing} nothing; {ms} ms)\n  \
             ledger   {consumed} used, {left} left",
            limit = money(self.limit),
            currency = self.currency,
            asked = money(self.asked),
            promised = money(self.promised),
            whole = self.whole,
            part = self.part,
            nothing = self.nothing,
            ms = table::milliseconds(self.micros),
            consumed = money(self.consumed),
            left = money(self.left),
        )
    }
}

/// Runs the race on a member whom nobody has billed before.
pub(super) async fn run(world: &World) -> Result<Race, Fatal> {
    let number = format!("MA-RACE-{}", world.run);
    let member = enrol(world, &number).await?;
    let barrier = Arc::new(Barrier::new(CLIENTS));
    let progress = world.screen.progress("clients", CLIENTS);
    let mut clients = JoinSet::new();
    for place in 0..CLIENTS {
        let client = provider(world, PROVIDER).await?;
        let bill = bill(&number, &world.run, place, world.today);
        let barrier = Arc::clone(&barrier);
        clients.spawn(async move {
            barrier.wait().await;
            let began = Instant::now();
            let reply = client
                .send("/v1/claims", "application/json", bill, None)
                .await;
            (reply, began, Instant::now())
        });
    }
    let (mut shares, mut first, mut last) = (Vec::new(), None::<Instant>, None::<Instant>);
    while let Some(finished) = clients.join_next().await {
        let (reply, began, ended) = finished?;
        first = Some(first.map_or(began, |first| first.min(began)));
        last = Some(last.map_or(ended, |last| last.max(ended)));
        let reply = reply?;
        let Some(Told::Taken { id, .. }) = reply::read(&reply).into_iter().next() else {
            return Err(format!("a bill of the race was refused: {}", reply.status).into());
        };
        shares.push(share(world, id).await?);
        progress.step();
    }
    let (currency, wanted) = wanted(&shares)?;
    let limit = limit(world, member).await?;
    let took = first
        .zip(last)
        .map(|(first, last)| last.saturating_duration_since(first));
    let count = |fits: &dyn Fn(i64) -> bool| shares.iter().filter(|(_, paid)| fits(*paid)).count();
    Ok(Race {
        currency,
        day: world.today,
        limit: limit.standing.ceiling,
        asked: wanted.saturating_mul(i64::try_from(shares.len()).unwrap_or(i64::MAX)),
        promised: shares.iter().map(|(_, paid)| paid).sum(),
        whole: count(&|paid| paid == wanted),
        part: count(&|paid| paid > 0 && paid < wanted),
        nothing: count(&|paid| paid == 0),
        consumed: limit.standing.consumed,
        left: limit.standing.left(),
        micros: took.map_or(0, micros),
    })
}

/// Covers a fresh member, as its insurer does.
async fn enrol(world: &World, number: &str) -> Result<MemberId, Fatal> {
    let identifier = Identifier::new("urn:takmil:sample:member", number);
    let cover = SampleCover {
        insurer: INSURER,
        plan: PLAN,
        certificate: number,
        start: plus_days(world.today, -COVERED_DAYS),
        member: EnrolledMember {
            identifiers: vec![identifier.clone()],
            name: None,
            birth_date: Date::from_ymd(1990, 1, 1),
            sex: None,
        },
    };
    let cover = cover.enrolment()?;
    seed::enrol(&world.hub, &world.keys, &world.insurers, &[cover]).await?;
    let found = world
        .hub
        .store()
        .resolve_members(&[vec![identifier]])
        .await?;
    match found.first() {
        Some(Resolution::Known(member)) => Ok(*member),
        _ => Err("the race's member is not covered".into()),
    }
}

fn bill(member: &str, run: &str, place: usize, today: Date) -> Vec<u8> {
    let bill = json!({
        "kind": "claim",
        "identifiers": [{"system": "urn:takmil:demo:pharma:race", "value": format!("{run}-{place}")}],
        "occurred_on": today,
        "currency": "MAD",
        "member": {"identifiers": [{"system": "urn:takmil:sample:member", "value": member}]},
        "claim": {
            "bill": {
                "class": "pharmacy",
                "lines": [{
                    "seq": 1,
                    "item": {"source": {"system": "urn:takmil:synthetic:services", "code": "NR110"}},
                    "billed": BILLED,
                }],
            },
        },
    });
    bill.to_string().into_bytes()
}

/// What an answer would have paid without the limit, and what it pays.
type Share = ((Currency, i64), i64);

async fn share(world: &World, id: MessageId) -> Result<Share, Fatal> {
    let standing = Standing::of(world.hub.store(), id).await?;
    let decision = standing
        .answer
        .decision
        .ok_or("a bill of the race has no shares")?;
    let trace = decision.lines.iter().flat_map(|line| &line.trace);
    let before_limits = trace.filter(|entry| entry.reason == Reason::Share);
    let wanted = before_limits.map(|entry| entry.after.get()).sum();
    Ok((
        (decision.currency, wanted),
        decision.totals.supplementary_total().get(),
    ))
}

/// What each bill would have been paid without the limit: the same for all.
fn wanted(shares: &[Share]) -> Result<(Currency, i64), Fatal> {
    let (first, _) = shares.first().ok_or("nobody raced")?;
    match shares.iter().all(|(wanted, _)| wanted == first) {
        true => Ok(*first),
        false => Err("equal bills were judged differently".into()),
    }
}

async fn limit(world: &World, member: MemberId) -> Result<LimitStanding, Fatal> {
    let limits = world
        .hub
        .store()
        .standings_of_member(&Scope::Hub, member)
        .await?;
    let raced = limits
        .into_iter()
        .find(|limit| limit.key.code.as_str() == LIMIT);
    raced.ok_or_else(|| "nobody touched the limit".into())
}
