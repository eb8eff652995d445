//! What the hub's book has to be at the end of the month: each sum of it held against the parties' own records.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use super::super::Error;
use super::super::book::{member_id, sums};
use super::super::desk::Desk;
use super::super::world::CURRENCY;
use super::record::{Said, Sums};
use super::{DAYS, MONTH, Town};

/// The day, after that of a payment, on which it counts as arrived.
const SILENT_DAYS: i64 = 8;

/// Every row of a list.
pub(super) async fn all(desk: &Desk, path: &str, name: &str) -> Result<Vec<Value>, Error> {
    let (mut rows, mut cursor) = (Vec::new(), String::new());
    let more = if path.contains('?') { '&' } else { '?' };
    loop {
        let path = format!("{path}{more}limit=1000{cursor}");
        let page = desk.get(&path).await?.ok("a list")?;
        let found = page.get(name).and_then(Value::as_array);
        rows.extend(found.into_iter().flatten().cloned());
        let Some(next) = page.get("next").and_then(Value::as_str) else {
            return Ok(rows);
        };
        cursor = format!("&cursor={next}");
    }
}

fn number(row: &Value, name: &str) -> i64 {
    row.get(name).and_then(Value::as_i64).unwrap_or(0)
}

fn text<'v>(row: &'v Value, name: &str) -> &'v str {
    row.get(name).and_then(Value::as_str).unwrap_or_default()
}

impl Town {
    /// What is owed for each claim is what its last answer says, less what was argued away, and its lines come to it.
    pub(super) async fn check_dues(&mut self) -> Result<(), Error> {
        self.trial
            .progress
            .begin("providers' dues", self.providers.len());
        let claims = self.record.claims.iter();
        let expected: HashMap<String, (usize, [i64; 3])> = claims
            .map(|own| {
                let sums = [own.incurred(), own.disputed, own.dismissed];
                (own.id.clone(), (own.provider, sums))
            })
            .collect();
        let mut wrong = Vec::new();
        let mut found = 0_usize;
        for (at, (_, desk)) in self.providers.iter().enumerate() {
            for due in all(desk, "/v1/dues", "dues").await? {
                found += 1;
                let sums = ["incurred", "disputed", "written_off"].map(|sum| number(&due, sum));
                if expected.get(text(&due, "message")) != Some(&(at, sums)) {
                    wrong.push(format!("{due}: {:?}", expected.get(text(&due, "message"))));
                }
                let paid = number(&due, "noticed") + number(&due, "confirmed");
                let [incurred, disputed, written_off] = sums;
                if incurred - paid - disputed - written_off != number(&due, "open") {
                    wrong.push(format!("what is open of {due}"));
                }
                let lines = due.get("lines").and_then(Value::as_array);
                let lines = lines.into_iter().flatten();
                let lines: i64 = lines.map(|line| number(line, "amount")).sum();
                if incurred != lines.max(disputed + written_off) {
                    wrong.push(format!("the lines of {due} come to {lines}"));
                }
            }
            self.trial.progress.done(1);
        }
        let owed = self.record.claims.iter().filter(|own| own.incurred() > 0);
        let least = owed.count();
        self.insist(least <= found, format!("{found} dues of {least} at least"));
        self.trial.report.count("claims owed for", least);
        self.tell(&wrong);
        Ok(())
    }

    /// Every payment is as its insurer and its provider said.
    pub(super) async fn check_payments(&mut self) -> Result<(), Error> {
        let mut told: HashMap<String, (i64, String)> = HashMap::new();
        for insurer in &self.insurers {
            for payment in all(&insurer.desk, "/v1/payments", "payments").await? {
                let state = text(&payment, "state").to_owned();
                let id = text(&payment, "id").to_owned();
                told.insert(id, (number(&payment, "amount"), state));
            }
        }
        let mut wrong = Vec::new();
        if told.len() != self.record.payments.len() {
            wrong.push(format!("{} payments in the book", told.len()));
        }
        for payment in &mut self.record.payments {
            // Who says nothing for a week has had it by the next night.
            let silent = payment.day + SILENT_DAYS;
            let expected = match payment.said {
                Said::Nothing if silent > DAYS + 1 => "noticed",
                Said::Nothing | Said::Arrived => "confirmed",
                Said::Bounced => "bounced",
            };
            // The last night belongs to the next month.
            if payment.said == Said::Nothing && silent <= DAYS {
                payment.said = Said::Arrived;
            }
            let found = told.get(&payment.id);
            let is_so = found.is_some_and(|(amount, state)| {
                (*amount, state.as_str()) == (payment.amount, expected)
            });
            if !is_so {
                wrong.push(format!("{payment:?} is {:?}", told.get(&payment.id)));
            }
        }
        self.tell(&wrong);
        Ok(())
    }

    /// What is spent of every limit is what the claims come to that stand.
    pub(super) async fn check_limits(&mut self) -> Result<(), Error> {
        let claims = self.record.claims.iter();
        let spent = sums(claims.map(|own| (own.member, own.owed)));
        let mut members: BTreeMap<usize, BTreeMap<u32, String>> = BTreeMap::new();
        for at in 0..self.record.claims.len() {
            let claim = self.claim(at)?.clone();
            let own = members.entry(claim.insurer).or_default();
            if own.contains_key(&claim.member) {
                continue;
            }
            let path = format!("/v1/messages/{}", claim.id);
            let (_, desk) = self.provider(claim.provider)?;
            let way = desk.get(&path).await?.ok("a claim")?;
            if let Some(id) = way.get("answer").and_then(member_id) {
                own.insert(claim.member, id.to_owned());
            }
        }
        for (insurer, members) in members {
            let insurer = self.insurer(insurer)?;
            let (id, desk) = (insurer.id.clone(), insurer.desk.clone());
            self.trial.limits((&id, &desk), &spent, members).await?;
        }
        Ok(())
    }

    /// Every account of every book is what the records come to; both sides state that; and every insurer's month closes.
    pub(super) async fn check_books(&mut self) -> Result<(), Error> {
        let sums = self.record.sums();
        let ends = self.check_statements().await?;
        self.state().await?;
        for (at, end) in ends.into_iter().enumerate() {
            let own = sums.iter().filter(|((insurer, _), _)| *insurer == at);
            let own: Vec<Sums> = own.map(|(_, sums)| *sums).collect();
            let paid = |said| {
                let payments = self.record.payments.iter();
                let own = payments.filter(|one| one.insurer == at && one.said == said);
                own.map(|one| one.amount).sum::<i64>()
            };
            let sum = |of: fn(&Sums) -> i64| own.iter().map(of).sum::<i64>();
            let expected = [
                ("cost", sum(|own| own.dismissed - own.incurred)),
                ("payable", end),
                // What was paid and reached no claim stands beside what is owed, below 0.
                ("payable and prepaid", sum(|own| own.open())),
                ("disputed", sum(|own| own.disputed)),
                ("in_transit", paid(Said::Nothing)),
                ("paid", paid(Said::Arrived)),
            ];
            self.close(at, &expected).await?;
        }
        Ok(())
    }

    /// The statements of each insurer and each provider go on from one another; what those of each insurer end with.
    async fn check_statements(&mut self) -> Result<Vec<i64>, Error> {
        let mut wrong = Vec::new();
        let mut made = 0;
        let mut ends = Vec::new();
        for insurer in &self.insurers {
            let mut last: BTreeMap<String, i64> = BTreeMap::new();
            for statement in all(&insurer.desk, "/v1/statements", "statements").await? {
                made += 1;
                let provider = text(&statement, "provider").to_owned();
                let closing = number(&statement, "closing");
                let before = last.insert(provider, closing).unwrap_or(0);
                if number(&statement, "opening") != before {
                    wrong.push(format!(
                        "{statement} opens with something else than {before}"
                    ));
                }
            }
            ends.push(last.values().sum());
        }
        self.trial.report.count("statements", made);
        self.tell(&wrong);
        Ok(ends)
    }

    /// Insurers and providers state what their own records say of each claim, and the hub finds no difference.
    async fn state(&mut self) -> Result<(), Error> {
        let claims = self.record.claims.iter().filter(|own| own.incurred() > 0);
        let row = |own: &super::Claim| {
            json!({
                "message": own.id, "insurer": super::world::insurer(own.insurer),
                "amount": own.incurred() - own.dismissed,
                "limits": {"yearly": own.owed, "family": own.owed},
            })
        };
        let rows: Vec<(usize, usize, Value)> = claims
            .map(|own| (own.insurer, own.provider, row(own)))
            .collect();
        let figures = |rows: Vec<Value>| {
            json!({
                "reference": "the month", "from": format!("{MONTH}-01"), "to": format!("{MONTH}-31"),
                "claims": rows,
            })
            .to_string()
        };
        for (at, insurer) in self.insurers.iter().enumerate() {
            let own = rows.iter().filter(|(insurer, ..)| *insurer == at);
            let body = figures(own.map(|(.., row)| row.clone()).collect());
            let reply = insurer.desk.tell("/v1/figures", &body).await?;
            reply.ok("an insurer's figures")?;
        }
        for (at, (_, desk)) in self.providers.iter().enumerate() {
            let own = rows.iter().filter(|(_, provider, _)| *provider == at);
            let body = figures(own.map(|(.., row)| row.clone()).collect());
            let reply = desk.tell("/v1/figures", &body).await?;
            reply.ok("a provider's figures")?;
        }
        self.trial.place.reconcile().await?;
        let mut wrong = Vec::new();
        for insurer in &self.insurers {
            let path = "/v1/differences?state=open&limit=5";
            let page = insurer.desk.get(path).await?.ok("differences")?;
            let rows = page.get("differences").and_then(Value::as_array);
            wrong.extend(rows.into_iter().flatten().map(Value::to_string));
        }
        self.tell(&wrong);
        Ok(())
    }

    /// Closes an insurer's month, and holds its trial balance against what its accounts have to come to.
    async fn close(&mut self, at: usize, expected: &[(&str, i64)]) -> Result<(), Error> {
        let insurer = self.insurer(at)?;
        let path = format!("/v1/periods/{MONTH}/close");
        let body = json!({"currency": CURRENCY}).to_string();
        let reply = insurer.finance.tell(&path, &body).await?;
        let (status, told) = (reply.status, reply.body.clone());
        let approve = format!("/v1/approvals/{}/approve", reply.text("/id"));
        let agreed = insurer.approver.tell(&approve, "{}").await?;
        let path = format!("/v1/periods/{MONTH}?currency={CURRENCY}");
        let month = insurer.desk.get(&path).await?.ok("a month")?;
        let id = insurer.id.clone();
        self.insist(
            status == 202 && agreed.status == 200,
            format!("the month of {id} does not close: {told} {}", agreed.body),
        );
        let is_closed = text(&month, "state") == "closed";
        self.insist(
            is_closed,
            format!("the month of {id} is not closed: {month}"),
        );
        let rows = month.get("balance").and_then(Value::as_array);
        let rows: Vec<&Value> = rows.into_iter().flatten().collect();
        let [debits, credits] =
            ["debits", "credits"].map(|side| rows.iter().map(|row| number(row, side)).sum::<i64>());
        self.insist(
            debits == credits && debits > 0,
            format!("the accounts of {id}: {debits} on one side, {credits} on the other"),
        );
        for (names, sum) in expected {
            let own = rows.iter().filter(|row| {
                names
                    .split(" and ")
                    .any(|name| name == text(row, "account"))
            });
            let is: i64 = own
                .map(|row| number(row, "credits") - number(row, "debits"))
                .sum();
            self.insist(
                is == *sum,
                format!("{names} of {id}: {is}, and by the records {sum}"),
            );
        }
        self.trial
            .report
            .count("months closed", i64::from(is_closed));
        self.trial.report.count("accounts compared", expected.len());
        Ok(())
    }

    /// Reports the first of what is wrong.
    fn tell(&mut self, wrong: &[String]) {
        if let Some(first) = wrong.first() {
            self.trial
                .fail(format!("{} wrong, the first: {first}", wrong.len()));
        }
    }
}
