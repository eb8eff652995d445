//! An insurer's decisions, repeated and out of order: the hub ends where it would have ended had each come once and in
//! its turn. Two hubs get the same claims and the same decisions, one straight, one tangled.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::book::{member_id, sums};
use super::desk::Desk;
use super::report::Report;
use super::trial::{MEMBERS, Trial, count, plan};
use super::world::{CURRENCY, REVIEWED, World, bill, message};
use super::{Error, Run};

/// What each claim comes to, in the smallest unit, and how much there is: enough, so that no order matters to limits.
const BILLED: std::ops::Range<i64> = 500..4_000;
const CEILING: i64 = 900_000_000_000;
/// How many of a hundred decisions come twice, and how far one may move from its place.
const REPEATED: u32 = 30;
const MOVES: usize = 64;
/// How many requests are under way at once.
const AT_ONCE: usize = 64;

/// A claim and what the insurer decides on it, the same for both hubs: the amount is what it pays.
#[derive(Debug, Clone)]
struct Case {
    body: String,
    member: u32,
    verdict: &'static str,
    amount: i64,
}

/// What became of a claim: its state, who pays what of it, and why.
type End = (String, Value, Value);

/// Has two hubs decide on `messages`, and compares where they end.
///
/// # Errors
/// [`Error`] where the test cannot be run; what it finds wrong stands in the report.
pub async fn decisions(run: &Run, messages: usize) -> Result<Report, Error> {
    let mut plan = plan(run, false);
    plan.world = World {
        yearly: CEILING,
        family: CEILING,
        ..plan.world
    };
    let mut random = StdRng::seed_from_u64(run.seed);
    let cases: Vec<Case> = (0..messages).map(|n| case(n, &mut random)).collect();
    let cases = Arc::new(cases);
    let again = format!("--messages {messages}");
    let mut trial = Trial::new("decisions", run, &again, plan.clone()).await?;
    let straight: Vec<usize> = (0..messages).collect();
    let first = decide(&mut trial, &cases, &straight).await?;
    trial.move_to(plan).await?;
    let mut tangled = straight.clone();
    let repeats = straight
        .iter()
        .filter(|_| random.random_ratio(REPEATED, 100));
    tangled.extend(repeats.copied().collect::<Vec<usize>>());
    tangled.sort_unstable();
    for near in tangled.chunks_mut(MOVES) {
        near.shuffle(&mut random);
    }
    let second = decide(&mut trial, &cases, &tangled).await?;
    let differ = first
        .iter()
        .zip(&second)
        .filter(|(one, other)| one != other);
    let differ: Vec<_> = differ.collect();
    if let Some((one, other)) = differ.first() {
        let many = differ.len();
        trial.fail(format!(
            "{many} claims ended otherwise, the first {one:?} and {other:?}"
        ));
    }
    let undecided = first
        .iter()
        .filter(|(state, ..)| !["decided", "refused"].contains(&state.as_str()))
        .count();
    if undecided > 0 {
        trial.fail(format!("{undecided} claims are not decided"));
    }
    let report = &mut trial.report;
    report.count("claims of each hub", messages);
    report.count("decisions of the straight hub", straight.len());
    report.count("decisions of the tangled hub", tangled.len());
    report.count("claims that ended otherwise", differ.len());
    Ok(trial.end())
}

fn case(number: usize, random: &mut StdRng) -> Case {
    let billed = random.random_range(BILLED);
    let member = random.random_range(0..MEMBERS);
    let mut body = message("claim", &format!("decision-{number}"), member);
    if let Value::Object(body) = &mut body {
        body.insert("claim".to_owned(), json!({"bill": bill(REVIEWED, billed)}));
    }
    let (verdict, amount) = match random.random_range(0..3) {
        0 => ("approve", billed),
        1 => ("adjust", random.random_range(0..billed)),
        _ => ("refuse", 0),
    };
    Case {
        body: body.to_string(),
        member,
        verdict,
        amount,
    }
}

/// Sends every claim, then the decisions in this order, and tells where each claim ends.
async fn decide(
    trial: &mut Trial,
    cases: &Arc<Vec<Case>>,
    order: &[usize],
) -> Result<Vec<End>, Error> {
    trial.round += 1;
    trial.progress.round(trial.round, 2);
    trial.progress.begin("the start", 0);
    let hub = trial.place.start().await?;
    let (clinic, own) = (hub.clinic()?, Arc::clone(cases));
    let progress = trial.progress.clone();
    let claimed = |number| claim(clinic.clone(), Arc::clone(&own), number);
    let ids = progress.each("claims", 0..cases.len(), AT_ONCE, claimed);
    let ids = Arc::new(ids.await?);
    let (insurer, own, named) = (hub.insurer()?, Arc::clone(cases), Arc::clone(&ids));
    let said = |number: &usize| {
        let (own, named) = (Arc::clone(&own), Arc::clone(&named));
        say(insurer.clone(), own, named, *number)
    };
    progress
        .each("decisions", order.iter(), AT_ONCE, said)
        .await?;
    let (clinic, named) = (hub.clinic()?, Arc::clone(&ids));
    let ended = |number| end(clinic.clone(), Arc::clone(&named), number);
    let ends = progress.each("ends", 0..cases.len(), AT_ONCE, ended);
    let (ends, named): (Vec<End>, Vec<Option<String>>) = ends.await?.into_iter().unzip();
    // What counted twice would show here alone: a repeat leaves the claim itself as it is.
    let paid = sums(cases.iter().map(|case| (case.member, case.amount)));
    let named = cases.iter().zip(named);
    let members = named.filter_map(|(case, id)| Some((case.member, id?)));
    let members: BTreeMap<u32, String> = members.collect();
    let billed: BTreeSet<u32> = cases.iter().map(|case| case.member).collect();
    if members.len() != billed.len() {
        trial.fail(format!("limits are told of {} members", members.len()));
    }
    trial.limits(&hub.insurer()?, &paid, members).await?;
    trial.report.sent += count(cases.len());
    trial.report.acknowledged += count(ids.len());
    trial.drained().await;
    trial.check_up(&ids).await?;
    hub.kill().await?;
    Ok(ends)
}

async fn claim(desk: Desk, cases: Arc<Vec<Case>>, number: usize) -> Result<String, Error> {
    let body = cases.get(number).map_or("", |case| &case.body);
    let key = format!("decision-{number}");
    let reply = desk.post("/v1/claims", &key, body).await?;
    if reply.status != 200 || reply.text("/state") != "pended" {
        return Err(Error::Answer(format!("a claim to review: {}", reply.body)));
    }
    Ok(reply.text("/id").to_owned())
}

async fn say(
    desk: Desk,
    cases: Arc<Vec<Case>>,
    ids: Arc<Vec<String>>,
    number: usize,
) -> Result<(), Error> {
    let (Some(case), Some(id)) = (cases.get(number), ids.get(number)) else {
        return Ok(());
    };
    let mut body =
        json!({"message": id, "reference": format!("R-{number}"), "verdict": case.verdict});
    if let (Value::Object(body), false) = (&mut body, case.verdict == "approve") {
        let line = json!({"seq": 1, "amount": case.amount, "reasons": ["by our own rules"]});
        body.insert("lines".to_owned(), json!([line]));
        body.insert("currency".to_owned(), json!(CURRENCY));
        body.insert("total".to_owned(), json!(case.amount));
    }
    let reply = desk.tell("/v1/decisions", &body.to_string()).await?;
    reply.ok("a decision").map(|_| ())
}

/// Where a claim ended, and the hub's id of its member, where the answer tells it.
async fn end(
    desk: Desk,
    ids: Arc<Vec<String>>,
    number: usize,
) -> Result<(End, Option<String>), Error> {
    let id = ids.get(number).map_or("", String::as_str);
    let way = desk.get(&format!("/v1/messages/{id}")).await?.ok("a way")?;
    let part = |pointer: &str| way.pointer(pointer).cloned().unwrap_or_default();
    let state = way.get("state").and_then(Value::as_str).unwrap_or_default();
    let totals = part("/answer/decision/totals");
    let end = (state.to_owned(), totals, part("/answer/reasons"));
    let member = way.get("answer").and_then(member_id);
    Ok((end, member.map(str::to_owned)))
}
