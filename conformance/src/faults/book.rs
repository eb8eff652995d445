//! The clients' own book: what was sent under which key, what was answered, and what follows from it for limits and
//! deliveries. The hub is held against it; nothing in it comes from the hub but its answers.

use std::collections::{BTreeMap, HashMap};

use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::desk::Reply;
use super::world::{SERVICE, bill, family, message};
use crate::insurer::Received;

/// What a bill comes to, in the smallest unit.
const BILLED: std::ops::Range<i64> = 500..4_000;
/// The reason with which a message was taken back.
const CANCELLED: &str = "MSG-CANCELLED";

/// Something that was sent, once or more often.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) path: String,
    pub(super) body: String,
    pub(super) member: u32,
    pub(super) kind: Kind,
    /// What was answered first, once something was.
    pub(super) answer: Option<Answer>,
    /// Whether a taking back may have changed the answer that the hub keeps.
    touched: bool,
}

/// What was sent. Other entries are named by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Admission,
    Claim { of: Option<usize> },
    Cancel { of: usize },
}

/// What the hub answered.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    /// The hub's id of the message.
    pub(super) id: String,
    /// What the insurer is to pay.
    pub(super) promised: i64,
    body: Value,
}

impl Answer {
    fn read(body: Value) -> Answer {
        let id = body.get("id").and_then(Value::as_str).unwrap_or_default();
        let shares = body.pointer("/decision/totals/supplementary");
        let shares = shares.and_then(Value::as_array).into_iter().flatten();
        let amounts = shares.filter_map(|share| share.get(1)?.as_i64());
        Answer {
            id: id.to_owned(),
            promised: amounts.sum(),
            body,
        }
    }

    fn took_back(&self) -> bool {
        let reasons = self.body.get("reasons").and_then(Value::as_array);
        let mut reasons = reasons.into_iter().flatten();
        reasons.any(|reason| reason == CANCELLED)
    }
}

/// What came of holding an answer against the book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    /// The first answer, to something that was there already or not.
    First { replayed: bool },
    /// The same answer as before.
    Same,
    /// The hub could not serve, and said so.
    TurnedAway,
    /// What was acknowledged is gone, or is something else now.
    Lost(String),
    /// What no sound hub answers.
    Wrong(String),
}

/// What was promised, by the name of the limit and the member or family that owns it.
pub(super) type Promised = BTreeMap<(&'static str, u32), i64>;

/// The sums of what was promised to members.
pub(super) fn sums(amounts: impl Iterator<Item = (u32, i64)>) -> Promised {
    let mut sums = Promised::new();
    for (member, amount) in amounts {
        *sums.entry(("yearly", member)).or_default() += amount;
        *sums.entry(("family", family(member))).or_default() += amount;
    }
    sums
}

/// The book.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// Part of every key, so that no two books share one.
    name: String,
    members: u32,
    pub(super) entries: Vec<Entry>,
    /// By client: admissions and claims of its own that it may still claim or take back.
    open: Vec<Vec<usize>>,
    /// The hub's ids of members, as its answers tell them.
    pub(super) member_ids: BTreeMap<u32, String>,
}

impl Book {
    pub(super) fn new(name: String, members: u32, clients: usize) -> Book {
        Book {
            name,
            members,
            open: vec![Vec::new(); clients],
            ..Book::default()
        }
    }

    /// What a client sends next: something new, or something that was sent before.
    pub(super) fn draw(&mut self, client: usize, random: &mut StdRng) -> usize {
        let choice = random.random_range(0..100);
        if choice < 10 && !self.entries.is_empty() {
            return random.random_range(0..self.entries.len());
        }
        if choice < 40
            && let Some(of) = self.pick(client, random)
        {
            return match self.entries.get(of).map(|entry| entry.kind) {
                Some(Kind::Admission) if choice < 28 => self.claim(Some(of), random),
                _ => self.cancel(of),
            };
        }
        match choice < 65 {
            true => self.admission(random),
            false => self.claim(None, random),
        }
    }

    /// Something of a client's own, acknowledged, that has not been followed up yet.
    fn pick(&mut self, client: usize, random: &mut StdRng) -> Option<usize> {
        let open = self.open.get_mut(client)?;
        if open.is_empty() {
            return None;
        }
        Some(open.swap_remove(random.random_range(0..open.len())))
    }

    fn admission(&mut self, random: &mut StdRng) -> usize {
        let member = random.random_range(0..self.members);
        let billed = random.random_range(BILLED);
        self.bill("admission", Kind::Admission, member, billed, None)
    }

    /// A claim on its own, or for a stay that was admitted: then of the same bill.
    fn claim(&mut self, of: Option<usize>, random: &mut StdRng) -> usize {
        let admitted = of.and_then(|of| self.entries.get(of));
        let known = admitted.and_then(|entry| {
            let body: Value = serde_json::from_str(&entry.body).ok()?;
            let billed = body.pointer("/admission/bill/lines/0/billed")?.as_i64()?;
            let id = entry.answer.as_ref()?.id.clone();
            Some((entry.member, billed, id))
        });
        match known {
            Some((member, billed, id)) => {
                self.bill("claim", Kind::Claim { of }, member, billed, Some(&id))
            }
            None => {
                let member = random.random_range(0..self.members);
                let billed = random.random_range(BILLED);
                self.bill("claim", Kind::Claim { of: None }, member, billed, None)
            }
        }
    }

    /// Adds a claim of an amount for a member.
    pub(super) fn plain_claim(&mut self, member: u32, billed: i64) -> usize {
        self.bill("claim", Kind::Claim { of: None }, member, billed, None)
    }

    fn bill(
        &mut self,
        name: &str,
        kind: Kind,
        member: u32,
        billed: i64,
        admission: Option<&str>,
    ) -> usize {
        let key = self.next_key();
        let mut body = message(name, &key, member);
        if let Value::Object(body) = &mut body {
            body.insert(name.to_owned(), json!({"bill": bill(SERVICE, billed)}));
            if let Some(admission) = admission {
                let named = json!({"system": "urn:takmil:message", "value": admission});
                let correlates = json!([{"relation": "admission", "identifier": named}]);
                body.insert("correlates".to_owned(), correlates);
            }
        }
        self.add(key, format!("/v1/{name}s"), body.to_string(), member, kind)
    }

    /// Adds the taking back of an entry.
    pub(super) fn cancel(&mut self, of: usize) -> usize {
        let key = self.next_key();
        let (mut path, mut member) = (String::new(), 0);
        if let Some(target) = self.entries.get_mut(of) {
            target.touched = true;
            let id = target.answer.as_ref().map_or("", |answer| &answer.id);
            path = format!("{}/{id}/cancel", target.path);
            member = target.member;
        }
        let body = json!({"reason": "sent in error"}).to_string();
        self.add(key, path, body, member, Kind::Cancel { of })
    }

    fn next_key(&self) -> String {
        format!("{}-{}", self.name, self.entries.len())
    }

    fn add(&mut self, key: String, path: String, body: String, member: u32, kind: Kind) -> usize {
        self.entries.push(Entry {
            key,
            path,
            body,
            member,
            kind,
            answer: None,
            touched: false,
        });
        self.entries.len() - 1
    }

    /// Holds an answer to an entry against the book, and notes the first. `client` may follow up on it.
    pub(super) fn told(&mut self, number: usize, reply: Reply, client: Option<usize>) -> Told {
        let Some(entry) = self.entries.get_mut(number) else {
            return Told::Wrong("an entry that is not in the book".to_owned());
        };
        match reply.status {
            200 => {}
            503 if reply.text("/code") == "API-BUSY" => return Told::TurnedAway,
            status => {
                let said = format!("{} {}: {status} {}", entry.key, entry.path, reply.body);
                return match entry.answer {
                    Some(_) if status < 500 => Told::Lost(said),
                    _ => Told::Wrong(said),
                };
            }
        }
        let answer = Answer::read(reply.body);
        if let Some(known) = &entry.answer {
            let is_same = match entry.touched {
                false => *known == answer,
                true => {
                    let decision = |answer: &Answer| answer.body.get("decision").cloned();
                    known.id == answer.id && decision(known) == decision(&answer)
                }
            };
            return match is_same {
                true => Told::Same,
                false => Told::Lost(format!(
                    "{} was answered {} and now {}",
                    entry.key, known.body, answer.body
                )),
            };
        }
        let member = entry.member;
        if let Some(id) = member_id(&answer.body) {
            self.member_ids
                .entry(member)
                .or_insert_with(|| id.to_owned());
        }
        entry.answer = Some(answer);
        let may_follow = !matches!(entry.kind, Kind::Cancel { .. });
        if let Some(open) = client.and_then(|client| self.open.get_mut(client))
            && may_follow
        {
            open.push(number);
        }
        Told::First {
            replayed: reply.replayed,
        }
    }

    /// The entries that were sent and never answered, in their order.
    pub(super) fn unanswered(&self) -> Vec<usize> {
        let all = self.entries.iter().enumerate();
        let open = all.filter(|(_, entry)| entry.answer.is_none());
        open.map(|(number, _)| number).collect()
    }

    /// The hub's ids of what was answered.
    pub(super) fn ids(&self) -> Vec<String> {
        let answers = self
            .entries
            .iter()
            .filter_map(|entry| entry.answer.as_ref());
        answers.map(|answer| answer.id.clone()).collect()
    }

    /// How many were answered.
    pub(super) fn acknowledged(&self) -> usize {
        let answered = self.entries.iter().filter(|entry| entry.answer.is_some());
        answered.count()
    }

    /// What each entry holds of limits: nothing where it was taken back, or has gone on into a claim.
    fn holdings(&self) -> Vec<i64> {
        let promised = |entry: &Entry| entry.answer.as_ref().map_or(0, |answer| answer.promised);
        let mut holdings: Vec<i64> = self.entries.iter().map(promised).collect();
        for entry in &self.entries {
            let Some(answer) = &entry.answer else {
                continue;
            };
            let ended = match entry.kind {
                Kind::Claim { of } => of,
                Kind::Cancel { of } => Some(of).filter(|_| answer.took_back()),
                Kind::Admission => None,
            };
            if let Some(held) = ended.and_then(|of| holdings.get_mut(of)) {
                *held = 0;
            }
        }
        holdings
    }

    /// What the hub has promised.
    pub(super) fn promised(&self) -> Promised {
        let members = self.entries.iter().map(|entry| entry.member);
        sums(members.zip(self.holdings()))
    }

    /// What the insurer has to have been given, and has not; and what it was given in the wrong order.
    pub(super) fn check_deliveries(&self, received: &[Received]) -> Deliveries {
        let given: HashMap<(&str, &str), &Received> = received
            .iter()
            .map(|own| ((own.message_id.as_str(), own.purpose.as_str()), own))
            .collect();
        let mut missing = Vec::new();
        let mut owed = |id: &str, purpose: &str| {
            if !given.contains_key(&(id, purpose)) {
                missing.push(format!("{purpose} of {id}"));
            }
        };
        // The claim that a message belongs to goes by its first one.
        let mut chains: HashMap<&str, usize> = HashMap::new();
        for (number, entry) in self.entries.iter().enumerate() {
            let Some(answer) = &entry.answer else {
                continue;
            };
            match entry.kind {
                Kind::Cancel { of } if answer.took_back() => {
                    let target = self.entries.get(of).and_then(|entry| entry.answer.as_ref());
                    owed(target.map_or("", |target| &target.id), "cancelled");
                }
                Kind::Cancel { .. } => {}
                Kind::Admission | Kind::Claim { .. } => {
                    owed(&answer.id, "decided");
                    let first = match entry.kind {
                        Kind::Claim { of: Some(of) } => of,
                        _ => number,
                    };
                    chains.insert(&answer.id, first);
                }
            }
        }
        let mut latest: HashMap<usize, i64> = HashMap::new();
        let mut disordered = Vec::new();
        for own in received {
            let Some(chain) = chains.get(own.message_id.as_str()) else {
                continue;
            };
            let latest = latest.entry(*chain).or_insert(own.sequence);
            if own.sequence < *latest {
                disordered.push(format!("{} of {}", own.purpose, own.message_id));
            }
            *latest = own.sequence.max(*latest);
        }
        let known = |own: &&Received| !chains.contains_key(own.message_id.as_str());
        Deliveries {
            missing,
            disordered,
            strange: received.iter().filter(known).count(),
        }
    }
}

/// How what the insurer was given compares with the book.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Deliveries {
    pub(super) missing: Vec<String>,
    pub(super) disordered: Vec<String>,
    /// Deliveries of messages that are not in the book.
    pub(super) strange: usize,
}

/// The hub's id of the member, in an answer that tells of limits.
pub(super) fn member_id(answer: &Value) -> Option<&str> {
    let rows = answer.pointer("/decision/remainders")?.as_array()?;
    rows.iter()
        .find_map(|row| row.pointer("/key/member")?.as_str())
}

/// A limit as the hub tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) code: String,
    pub(super) spent: i64,
    pub(super) most: i64,
}

/// The limits that a member has with an insurer, in what the hub answers to the question for its remainders.
pub(super) fn standings(body: &Value, insurer: &str) -> Vec<Standing> {
    let rows = body.get("remainders").and_then(Value::as_array);
    let number = |row: &Value, name: &str| row.get(name).and_then(Value::as_i64).unwrap_or(0);
    let own = |row: &&Value| row.pointer("/key/insurer").is_some_and(|id| id == insurer);
    let standing = |row: &Value| Standing {
        code: row
            .pointer("/key/code")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        spent: number(row, "consumed") + number(row, "reserved"),
        most: number(row, "ceiling") + number(row, "overdraft"),
    };
    let rows = rows.into_iter().flatten().filter(own);
    rows.map(standing).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::super::world::INSURER;
    use super::*;

    fn reply(id: &str, promised: i64, reasons: &[&str]) -> Reply {
        Reply {
            status: 200,
            replayed: false,
            body: json!({
                "id": id, "reasons": reasons,
                "decision": {"totals": {"supplementary": [[INSURER, promised]]}},
            }),
        }
    }

    fn received(message: &str, purpose: &str, sequence: i64) -> Received {
        Received {
            delivery_id: format!("{message}-{purpose}"),
            message_id: message.to_owned(),
            purpose: purpose.to_owned(),
            kind: String::new(),
            sequence,
            decided_by: String::new(),
            currency: String::new(),
            share: 0,
            place: 1,
            at: std::time::Instant::now(),
            times: 1,
            document: None,
        }
    }

    /// A stay of member 5 that was billed and taken back, and a claim of member 6.
    fn book() -> Book {
        let mut book = Book::new("t".to_owned(), 8, 1);
        book.bill("admission", Kind::Admission, 5, 900, None);
        book.told(0, reply("a", 900, &[]), None);
        book.bill("claim", Kind::Claim { of: Some(0) }, 5, 900, Some("a"));
        book.told(1, reply("c", 900, &[]), None);
        book.plain_claim(6, 70);
        book.told(2, reply("d", 70, &[]), None);
        book
    }

    #[test]
    fn a_reservation_counts_until_it_is_billed_and_a_bill_until_it_is_taken_back() {
        let mut book = book();
        let sums = |book: &Book| {
            let sums = book.promised();
            let of = |key| sums.get(&key).copied();
            (of(("yearly", 5)), of(("yearly", 6)), of(("family", 1)))
        };
        assert_eq!(sums(&book), (Some(900), Some(70), Some(970)));
        let cancel = book.cancel(1);
        book.told(cancel, reply("x", 0, &["MSG-FINAL"]), None);
        assert_eq!(sums(&book).0, Some(900), "what stays final stays promised");
        let cancel = book.cancel(1);
        book.told(cancel, reply("y", 0, &[CANCELLED]), None);
        assert_eq!(sums(&book), (Some(0), Some(70), Some(70)));
    }

    #[test]
    fn another_answer_to_what_was_acknowledged_is_a_loss() {
        let mut book = book();
        assert_eq!(book.told(2, reply("d", 70, &[]), None), Told::Same);
        for wrong in [reply("e", 70, &[]), reply("d", 71, &[])] {
            assert!(matches!(book.told(2, wrong, None), Told::Lost(_)));
        }
        let gone = Reply {
            status: 404,
            ..reply("", 0, &[])
        };
        assert!(matches!(book.told(2, gone, None), Told::Lost(_)));
    }

    #[test]
    fn deliveries_are_missed_and_held_against_the_order_of_their_claim() {
        let book = book();
        let mut given = vec![
            received("c", "decided", 2),
            received("a", "decided", 1),
            received("z", "decided", 3),
        ];
        let found = book.check_deliveries(&given);
        assert_eq!(found.missing, ["decided of d"]);
        assert_eq!(found.disordered, ["decided of a"]);
        assert_eq!(found.strange, 1);
        given.swap(0, 1);
        assert!(book.check_deliveries(&given).disordered.is_empty());
    }

    #[test]
    fn a_limit_is_read_with_all_that_may_be_drawn() {
        let body = json!({"remainders": [
            {"key": {"insurer": INSURER, "code": "yearly"}, "ceiling": 10, "overdraft": 2, "consumed": 3, "reserved": 4},
            {"key": {"insurer": "another", "code": "yearly"}, "ceiling": 1, "consumed": 1, "reserved": 0},
        ]});
        let expected = Standing {
            code: "yearly".to_owned(),
            spent: 7,
            most: 12,
        };
        assert_eq!(standings(&body, INSURER), [expected]);
    }
}
