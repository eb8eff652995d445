//! An insurer's decisions and their later revisions, repeated and out of order: the hub ends where it would have ended had
//! each come once and in its turn. Two hubs get the same claims and the same words, one straight, one tangled.

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
use super::world::{CURRENCY, INSURER, REVIEWED, World, bill, message};
use super::{Error, Run};

/// What each claim comes to, in the smallest unit, and how much there is: enough, so that no order matters to limits.
const BILLED: std::ops::Range<i64> = 500..4_000;
const CEILING: i64 = 900_000_000_000;
/// How many words an insurer has for one claim, at most.
const WORDS: usize = 3;
/// How many of a hundred decisions come twice, and how far one may move from its place.
const REPEATED: u32 = 30;
const MOVES: usize = 64;
/// How many requests are under way at once.
const AT_ONCE: usize = 64;

/// A claim and what the insurer says to it, the same for both hubs.
#[derive(Debug, Clone)]
struct Case {
    body: String,
    member: u32,
    words: Vec<Word>,
}

/// One word on a claim: the amount is what the insurer pays by it.
#[derive(Debug, Clone)]
struct Word {
    verdict: &'static str,
    amount: i64,
}

/// A word by the numbers of its claim and of itself.
type Named = (usize, usize);

/// What became of a claim: whether it is decided, who pays what of it, and what the insurer owes for it.
type End = (bool, Value, i64);

/// Has two hubs take in so many decisions, and compares where they end.
///
/// # Errors
/// [`Error`] where the test cannot be run; what it finds wrong stands in the report.
pub async fn decisions(run: &Run, messages: usize) -> Result<Report, Error> {
    let mut plan = plan(run, None);
    plan.world = World {
        yearly: CEILING,
        family: CEILING,
        ..plan.world
    };
    let mut random = StdRng::seed_from_u64(run.seed);
    let mut cases: Vec<Case> = Vec::new();
    let mut left = messages;
    while left > 0 {
        let most = WORDS.min(left);
        let case = case(cases.len(), random.random_range(1..=most), &mut random);
        left -= case.words.len();
        cases.push(case);
    }
    let cases = Arc::new(cases);
    let again = format!("--messages {messages}");
    let mut trial = Trial::new("decisions", run, &again, plan.clone()).await?;
    // First all first words, then all second ones: nobody's revision overtakes another.
    let of = |word: usize| {
        let with = cases.iter().enumerate();
        let with = with.filter(move |(_, case)| case.words.len() > word);
        with.map(move |(claim, _)| (claim, word)).collect()
    };
    let straight: Vec<Vec<Named>> = (0..WORDS).map(of).collect();
    let first = decide(&mut trial, &cases, &straight).await?;
    trial.move_to(plan).await?;
    let all = cases.iter().enumerate();
    let all = all.flat_map(|(claim, case)| (0..case.words.len()).map(move |word| (claim, word)));
    let mut tangled: Vec<Named> = all.collect();
    let repeats = tangled
        .iter()
        .filter(|_| random.random_ratio(REPEATED, 100));
    tangled.extend(repeats.copied().collect::<Vec<Named>>());
    tangled.sort_unstable();
    for near in tangled.chunks_mut(MOVES) {
        near.shuffle(&mut random);
    }
    let second = decide(&mut trial, &cases, std::slice::from_ref(&tangled)).await?;
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
    let last = cases.iter().map(|case| case.pays());
    let owed = first.iter().map(|(.., owed)| *owed);
    let unlike = last.zip(owed).filter(|(said, owed)| said != owed).count();
    if unlike > 0 {
        trial.fail(format!(
            "for {unlike} claims something else is owed than the last word says"
        ));
    }
    let undecided = first.iter().filter(|(decided, ..)| !decided).count();
    if undecided > 0 {
        trial.fail(format!("{undecided} claims are not decided"));
    }
    let report = &mut trial.report;
    report.count("claims of each hub", cases.len());
    report.count("decisions of the straight hub", messages);
    report.count("decisions of the tangled hub", tangled.len());
    report.count("claims that ended otherwise", differ.len());
    Ok(trial.end())
}

impl Case {
    /// What the insurer pays by its last word.
    fn pays(&self) -> i64 {
        self.words.last().map_or(0, |word| word.amount)
    }
}

fn case(number: usize, words: usize, random: &mut StdRng) -> Case {
    let billed = random.random_range(BILLED);
    let member = random.random_range(0..MEMBERS);
    let mut body = message("claim", &format!("decision-{number}"), member);
    if let Value::Object(body) = &mut body {
        body.insert("claim".to_owned(), json!({"bill": bill(REVIEWED, billed)}));
    }
    let mut word = |_| {
        let (verdict, amount) = match random.random_range(0..3) {
            0 => ("approve", billed),
            1 => ("adjust", random.random_range(0..billed)),
            _ => ("refuse", 0),
        };
        Word { verdict, amount }
    };
    Case {
        body: body.to_string(),
        member,
        words: (0..words).map(&mut word).collect(),
    }
}

/// Sends every claim, then the words, one round after the other, and tells where each claim ends.
async fn decide(
    trial: &mut Trial,
    cases: &Arc<Vec<Case>>,
    rounds: &[Vec<Named>],
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
    let said = |word: &Named| {
        let (own, named) = (Arc::clone(&own), Arc::clone(&named));
        say(insurer.clone(), own, named, *word)
    };
    for round in rounds {
        progress
            .each("decisions", round.iter(), AT_ONCE, said)
            .await?;
    }
    let (clinic, named) = (hub.clinic()?, Arc::clone(&ids));
    let ended = |number| end(clinic.clone(), Arc::clone(&named), number);
    let ends = progress.each("ends", 0..cases.len(), AT_ONCE, ended);
    let (ends, named): (Vec<End>, Vec<Option<String>>) = ends.await?.into_iter().unzip();
    // What counted twice would show here alone: a repeat leaves the claim itself as it is.
    let paid = sums(cases.iter().map(|case| (case.member, case.pays())));
    let named = cases.iter().zip(named);
    let members = named.filter_map(|(case, id)| Some((case.member, id?)));
    let members: BTreeMap<u32, String> = members.collect();
    let billed: BTreeSet<u32> = cases.iter().map(|case| case.member).collect();
    if members.len() != billed.len() {
        trial.fail(format!("limits are told of {} members", members.len()));
    }
    let insurer = hub.insurer()?;
    trial.limits((INSURER, &insurer), &paid, members).await?;
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
    (claim, number): Named,
) -> Result<(), Error> {
    let word = cases.get(claim).and_then(|case| case.words.get(number));
    let (Some(word), Some(id)) = (word, ids.get(claim)) else {
        return Ok(());
    };
    let mut body = json!({
        "message": id,
        "reference": format!("R-{claim}-{number}"),
        "verdict": word.verdict,
        "revision": number + 1,
    });
    if let (Value::Object(body), false) = (&mut body, word.verdict == "approve") {
        let line = json!({"seq": 1, "amount": word.amount, "reasons": ["by our own rules"]});
        body.insert("lines".to_owned(), json!([line]));
        body.insert("currency".to_owned(), json!(CURRENCY));
        body.insert("total".to_owned(), json!(word.amount));
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
    let dues = desk.get(&format!("/v1/dues?message={id}")).await?;
    let dues = dues.ok("what is owed for a claim")?;
    let dues = dues.get("dues").and_then(Value::as_array);
    let owed = |due: &Value| due.get("incurred").and_then(Value::as_i64);
    let owed = dues.into_iter().flatten().filter_map(owed).sum();
    let part = |pointer: &str| way.pointer(pointer).cloned().unwrap_or_default();
    let state = way.get("state").and_then(Value::as_str).unwrap_or_default();
    // Whether a decision was revised on the way is the order's to say; what it comes to is not.
    let is_decided = ["decided", "refused", "adjusted"].contains(&state);
    let end = (is_decided, part("/answer/decision/totals"), owed);
    let member = way.get("answer").and_then(member_id);
    Ok((end, member.map(str::to_owned)))
}
