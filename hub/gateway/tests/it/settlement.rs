//! The book of settlement over HTTP: what is owed, stated, paid, confirmed, argued about, and taken back.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};
use takmil_domain::date::{Calendar, Instant};
use takmil_domain::settlement::period::Month;
use takmil_store::{FileKeys, Place as StorePlace, Store, StoreConfig};

use crate::hub::{Answer, Hub, INSURER, OTHER_INSURER, OTHER_PROVIDER, PROVIDER, claim};
use crate::schemas::conforms;

/// Those who call, by their keys.
pub(crate) struct Parties {
    pub(crate) hub: Hub,
    pub(crate) provider: String,
    pub(crate) insurer: String,
}

impl Parties {
    pub(crate) fn new() -> Parties {
        Parties::on("")
    }

    /// With more settings.
    fn on(settings: &str) -> Parties {
        let hub = Hub::start(settings);
        Parties {
            provider: hub.place.key(PROVIDER),
            insurer: hub.place.key(INSURER),
            hub,
        }
    }

    /// Sends a claim, and gives its id and what the insurer owes for it.
    pub(crate) async fn claim(&self, number: &str) -> (String, i64) {
        let claim = claim(number, "MA-2001");
        let sent = self.post("/v1/claims", &self.provider, &claim).await.ok();
        let owed = &sent["decision"]["totals"]["supplementary"][0];
        assert_eq!(owed[0], json!(INSURER));
        let id = sent["id"].as_str().unwrap().to_owned();
        (id, owed[1].as_i64().unwrap())
    }

    async fn post(&self, path: &str, key: &str, body: &Value) -> Answer {
        self.hub.send(Method::POST, path, key, body).await
    }

    async fn get(&self, path: &str, key: &str, definition: &str) -> Value {
        let shown = self.hub.get(path, key).await.ok();
        conforms(definition, &shown);
        shown
    }

    /// Gives notice of a payment, and gives its receipt.
    async fn pay(&self, reference: &str, amount: i64, more: Value) -> Value {
        let paid = self
            .post(
                "/v1/payments",
                &self.insurer,
                &notice(reference, amount, more),
            )
            .await
            .ok();
        conforms("payment_receipt", &paid);
        paid
    }

    async fn settle(&self, paid: &Value, what: &str, key: &str) -> Answer {
        let path = format!("/v1/payments/{}/{what}", paid["payment"].as_str().unwrap());
        self.post(&path, key, &json!({})).await
    }

    /// What a provider gets in a form that it accepts.
    async fn written(&self, path: &str, form: &str) -> String {
        let key = format!("Bearer {}", self.provider);
        let headers = [("authorization", key.as_str()), ("accept", form)];
        let told = self.hub.raw(Method::GET, path, &headers, "").await;
        assert_eq!(told.status.as_u16(), 200, "{}", told.text);
        assert!(told.header("content-type").starts_with(form));
        told.text
    }

    /// What is owed for a claim: incurred, noticed, confirmed, disputed, open.
    async fn sums(&self, message: &str) -> [i64; 5] {
        let path = format!("/v1/dues?message={message}");
        let page = self.get(&path, &self.provider, "due_page").await;
        let due = &page["dues"][0];
        ["incurred", "noticed", "confirmed", "disputed", "open"]
            .map(|sum| due[sum].as_i64().unwrap())
    }

    /// The hub's store, beside the hub.
    async fn store(&self) -> Store {
        let place = &self.hub.place;
        let keys = place.path("takmil.member.keys");
        let config = StoreConfig {
            place: StorePlace::File(place.path("takmil.db")),
            readers: 1,
            random: Arc::new(rand::random),
            keys: Arc::new(FileKeys::read(&keys, keys.with_added_extension("erased")).unwrap()),
        };
        Store::open(&config).await.unwrap()
    }

    /// When the first thing was booked.
    async fn began(&self) -> Instant {
        let store = self.store().await;
        let began = store.first_unstated().await.unwrap().unwrap();
        store.close().await;
        began
    }

    /// Ends the book's day early, and makes its statements.
    pub(crate) async fn end_day(&self) {
        let store = self.store().await;
        let now = store.first_unstated().await.unwrap().unwrap();
        let later = now.plus_ms(3_600_000);
        assert_eq!(store.settle_day(now.day(), later, later).await.unwrap(), 1);
        store.close().await;
    }
}

fn notice(reference: &str, amount: i64, more: Value) -> Value {
    let mut notice = json!({
        "reference": reference, "provider": PROVIDER, "currency": "MAD", "amount": amount,
        "paid_on": "2026-03-31", "instrument": "transfer 7",
    });
    for (name, value) in more.as_object().unwrap() {
        notice[name] = value.clone();
    }
    notice
}

#[tokio::test]
async fn what_is_owed_is_stated_paid_and_confirmed() {
    let parties = Parties::new();
    let (first, owed) = parties.claim("S-1").await;
    let (second, _) = parties.claim("S-2").await;
    assert!(owed > 100, "{owed}");
    let (provider, insurer) = (&parties.provider, &parties.insurer);
    let page = parties
        .get("/v1/dues?open=true&limit=1", insurer, "due_page")
        .await;
    assert_eq!(page["dues"][0]["message"], json!(first));
    let next = format!("/v1/dues?cursor={}", page["next"].as_str().unwrap());
    let page = parties.get(&next, insurer, "due_page").await;
    assert_eq!(page["dues"][0]["message"], json!(second));
    for stranger in [OTHER_INSURER, OTHER_PROVIDER] {
        let key = parties.hub.place.key(stranger);
        let page = parties.get("/v1/dues", &key, "due_page").await;
        assert_eq!(page["dues"], json!([]), "{stranger}");
    }
    let aging = parties.get("/v1/aging", provider, "aging").await;
    assert_eq!(
        aging["aging"][0]["ages"]["not_due"]["open"],
        json!(2 * owed)
    );

    parties.end_day().await;
    let page = parties
        .get("/v1/statements", insurer, "statement_page")
        .await;
    let statement = &page["statements"][0];
    let number = statement["number"].as_u64().unwrap();
    assert_eq!(statement["closing"], json!(2 * owed));
    assert_eq!(statement["sums"], json!({"incurred": 2 * owed}));
    let path = format!("/v1/statements/{number}");
    let detail = parties.get(&path, provider, "statement_detail").await;
    let line = &detail["claims"][0]["lines"][0];
    assert_eq!(
        (&line["billed"], &line["amount"]),
        (&json!(15_000), &json!(owed))
    );
    let stranger = parties.hub.place.key(OTHER_PROVIDER);
    let foreign = parties.hub.get(&path, &stranger).await;
    foreign.is_problem(404, "API-NOT-FOUND");

    // A part of the statement; the same again; the same reference for something else.
    let of_statement = json!({"statement": number});
    let part = parties.pay("P-1", owed + 100, of_statement.clone()).await;
    assert_eq!(part["allocated"], json!(owed + 100));
    let again = parties.pay("P-1", owed + 100, of_statement.clone()).await;
    assert_eq!(again, part);
    let refused = [
        (notice("P-1", owed, json!({})), "PAY-REFERENCE"),
        (
            notice("P-9", owed, json!({"provider": INSURER})),
            "PAY-UNKNOWN",
        ),
        (
            notice("P-9", owed, json!({"statement": number + 1})),
            "PAY-UNKNOWN",
        ),
        (
            notice(
                "P-9",
                owed,
                json!({"statement": 1, "allocations": [{"message": first}]}),
            ),
            "VAL-VALUE",
        ),
        (notice("P-9", 0, json!({})), "VAL-RANGE"),
    ];
    for (notice, code) in refused {
        let answer = parties.post("/v1/payments", insurer, &notice).await;
        answer.is_problem(422, code);
    }
    let own = notice("P-9", owed, json!({}));
    let by_provider = parties.post("/v1/payments", provider, &own).await;
    by_provider.is_problem(403, "API-FORBIDDEN");
    assert_eq!(parties.sums(&first).await, [owed, owed, 0, 0, 0]);
    assert_eq!(parties.sums(&second).await, [owed, 100, 0, 0, owed - 100]);

    // Confirmed by the provider alone, and of its people by those who bill.
    let place = &parties.hub.place;
    let desk = place.person(PROVIDER, "Desk", "desk");
    let billing = place.person(PROVIDER, "Billing", "billing");
    for key in [insurer, &desk] {
        let refused = parties.settle(&part, "confirm", key).await;
        refused.is_problem(403, "API-FORBIDDEN");
    }
    let stranger = parties.settle(&part, "confirm", &stranger).await;
    stranger.is_problem(404, "API-NOT-FOUND");
    for _ in 0..2 {
        let confirmed = parties.settle(&part, "confirm", &billing).await.ok();
        conforms("payment", &confirmed);
        assert_eq!(confirmed["state"], json!("confirmed"));
        assert_eq!(confirmed["allocations"].as_array().unwrap().len(), 2);
    }
    assert_eq!(parties.sums(&first).await, [owed, 0, owed, 0, 0]);

    // Row by row: one beyond what is open, one that nobody knows, one that stands.
    let rows = json!({"allocations": [
        {"message": second, "amount": owed},
        {"message": "019abcde-0000-7000-8000-000000000001"},
        {"message": second, "line": 1, "amount": 50},
    ]});
    let named = parties.pay("P-2", 60, rows).await;
    let told = |row: usize| named["rows"][row]["refused"].clone();
    assert_eq!(
        [told(0), told(1), told(2)],
        [json!("PAY-OVER"), json!("PAY-UNKNOWN"), Value::Null]
    );
    assert_eq!(
        (&named["allocated"], &named["prepaid"]),
        (&json!(50), &json!(10))
    );
    let bounced = parties.settle(&named, "bounce", provider).await.ok();
    assert_eq!(bounced["state"], json!("bounced"));
    let late = parties.settle(&named, "confirm", provider).await;
    late.is_problem(409, "PAY-STATE");
    assert_eq!(parties.sums(&second).await, [owed, 0, 100, 0, owed - 100]);
    let bulk = parties.pay("P-3", owed, json!({})).await;
    assert_eq!(bulk["prepaid"], json!(100));
    let page = parties
        .get("/v1/payments?state=noticed", provider, "payment_page")
        .await;
    assert_eq!(page["payments"].as_array().unwrap().len(), 1);
    assert_eq!(page["payments"][0]["id"], bulk["payment"]);
    let path = format!("/v1/payments/{}", bulk["payment"].as_str().unwrap());
    parties.get(&path, insurer, "payment").await;
    let advice = parties.written(&path, "application/edi-x12").await;
    let paid = format!("BPR*I*{}.{:02}*C*CHK", owed / 100, owed % 100);
    assert!(advice.contains(&paid), "{paid}: {advice}");
    let path = format!("/v1/statements/{number}");
    let advice = parties.written(&path, "application/xml").await;
    for claim in [&first, &second] {
        let named = format!("<IDPayer>{claim}</IDPayer>");
        assert!(advice.contains(&named), "{advice}");
    }

    // A paid claim is taken back: what was paid for it is to be netted.
    let back = format!("/v1/claims/{first}/cancel");
    parties.post(&back, provider, &json!({})).await.ok();
    assert_eq!(parties.sums(&first).await, [0, 0, owed, 0, -owed]);
    let aged = parties.hub.place.json(&["settle", "aging"]);
    assert_eq!(aged["aging"][0]["aging"]["taken_back"], json!(owed));
    let settled = parties.hub.place.json(&["settle", "run"]);
    assert_eq!(settled["days"], json!([]), "the day that runs is not over");
    let doctor = parties.hub.place.run(&["doctor", "--json"], "");
    let found: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let found = found["findings"].as_array().unwrap();
    assert!(
        found
            .iter()
            .all(|one| one["what"] != "the book of settlement does not balance"),
        "{found:?}"
    );
}

#[tokio::test]
async fn a_dispute_is_opened_by_one_side_and_decided_by_the_other() {
    let parties = Parties::new();
    let (message, owed) = parties.claim("S-1").await;
    let (provider, insurer) = (&parties.provider, &parties.insurer);
    let open = async |key: &str, more: Value| {
        let mut objection = json!({"message": message, "reason": "billed twice"});
        for (name, value) in more.as_object().unwrap() {
            objection[name] = value.clone();
        }
        parties.post("/v1/disputes", key, &objection).await
    };
    let refused = [
        (json!({"line": 7}), "PAY-UNKNOWN"),
        (json!({"amount": owed + 1}), "PAY-OVER"),
        (
            json!({"message": "019abcde-0000-7000-8000-000000000001"}),
            "PAY-UNKNOWN",
        ),
        (json!({"reason": ""}), "VAL-VALUE"),
    ];
    for (more, code) in refused {
        open(insurer, more).await.is_problem(422, code);
    }
    let nobody = open(provider, json!({})).await;
    nobody.is_problem(422, "PAY-UNKNOWN");
    let first = open(insurer, json!({"line": 1, "amount": 40})).await.ok();
    conforms("dispute", &first);
    assert_eq!(parties.sums(&message).await, [owed, 0, 0, 40, owed - 40]);
    let decide = async |dispute: &Value, key: &str, outcome: &str| {
        let path = format!("/v1/disputes/{}/decide", dispute["id"].as_str().unwrap());
        let ruling = json!({"outcome": outcome, "note": "two visits"});
        parties.post(&path, key, &ruling).await
    };
    let alone = decide(&first, insurer, "dismissed").await;
    alone.is_problem(409, "PAY-STATE");
    let stranger = parties.hub.place.key(OTHER_PROVIDER);
    let foreign = decide(&first, &stranger, "upheld").await;
    foreign.is_problem(404, "API-NOT-FOUND");
    let upheld = decide(&first, provider, "upheld").await.ok();
    conforms("dispute", &upheld);
    assert_eq!(upheld["said"], json!("two visits"));
    let otherwise = decide(&first, provider, "dismissed").await;
    otherwise.is_problem(409, "PAY-STATE");
    let second = open(provider, json!({"insurer": INSURER, "amount": 30}))
        .await
        .ok();
    decide(&second, insurer, "dismissed").await.ok();
    assert_eq!(parties.sums(&message).await, [owed, 0, 0, 0, owed - 30]);
    let page = parties
        .get("/v1/disputes?state=dismissed", insurer, "dispute_page")
        .await;
    assert_eq!(page["disputes"][0]["id"], second["id"]);
    let aged = parties
        .get("/v1/aging?on=2099-01-01", provider, "aging")
        .await;
    assert_eq!(
        aged["aging"][0]["ages"]["over_90"]["open"],
        json!(owed - 30)
    );
}

#[tokio::test]
async fn a_month_is_closed_by_two_persons() {
    let parties = Parties::new();
    let (_, owed) = parties.claim("S-1").await;
    let place = &parties.hub.place;
    let finance = place.person(INSURER, "Finance", "finance");
    let approver = place.person(INSURER, "Approver", "approver");
    let now = parties.began().await;
    let running = Month::of(now.day(), Calendar::Gregorian).unwrap();
    let before = Instant(Instant::start_of(running.first()).0 - 1).day();
    let before = Month::of(before, Calendar::Gregorian).unwrap();
    let close = async |month: &str, key: &str| {
        let path = format!("/v1/periods/{month}/close");
        let closing = json!({"currency": "MAD", "accept_differences": true});
        parties.post(&path, key, &closing).await
    };
    let get = async |month: Month| {
        let path = format!("/v1/periods/{month}?currency=MAD");
        parties.get(&path, &finance, "book_month").await
    };
    let open = close(&running.to_string(), &finance).await;
    open.is_problem(409, "API-CONFLICT");
    assert!(open.text.contains("not over"), "{}", open.text);
    close("2026-13", &finance)
        .await
        .is_problem(404, "API-NOT-FOUND");
    for key in [&parties.insurer, &parties.provider, &approver] {
        let refused = close(&before.to_string(), key).await;
        refused.is_problem(403, "API-FORBIDDEN");
    }
    let unsettled = get(before).await;
    assert_eq!(
        unsettled["hindrances"].as_array().unwrap().len(),
        before.days().count()
    );

    let store = parties.store().await;
    for day in before.days() {
        let end = Instant(Instant::start_of(day.add_days(1)).0 - 1);
        assert_eq!(store.settle_day(day, end, now).await.unwrap(), 0);
    }
    store.close().await;
    let proposed = close(&before.to_string(), &finance).await;
    assert_eq!(proposed.status.as_u16(), 202, "{}", proposed.text);
    let proposed = proposed.json();
    conforms("approval", &proposed);
    let approve = format!("/v1/approvals/{}/approve", proposed["id"].as_str().unwrap());
    assert_eq!(
        get(before).await["state"],
        json!("open"),
        "nobody has agreed yet"
    );
    for _ in 0..2 {
        parties.post(&approve, &approver, &json!({})).await.ok();
        let closed = get(before).await;
        assert_eq!(
            (&closed["state"], &closed["debits"]),
            (&json!("closed"), &json!(0))
        );
        assert_eq!(closed["accepted"], json!({"count": 0, "amount": 0}));
    }
    let again = close(&before.to_string(), &finance).await;
    again.is_problem(409, "PAY-CLOSED");
    parties.end_day().await;
    let balance = get(running).await["balance"].clone();
    let row = |account: &str| {
        let rows = balance.as_array().unwrap().iter();
        rows.clone()
            .find(|row| row["account"] == account)
            .unwrap()
            .clone()
    };
    assert_eq!(row("cost")["debits"], json!(owed));
    assert_eq!(row("payable")["credits"], json!(owed));
}

#[tokio::test]
async fn what_all_three_state_of_a_paid_claim_reconciles_it() {
    let parties = Parties::new();
    let (first, owed) = parties.claim("S-1").await;
    let (second, _) = parties.claim("S-2").await;
    let (provider, insurer) = (&parties.provider, &parties.insurer);
    let paid = parties.pay("P-1", 2 * owed, json!({})).await;
    parties.settle(&paid, "confirm", provider).await.ok();
    let state = async |message: &str| {
        let path = format!("/v1/messages/{message}");
        let way = parties.hub.get(&path, provider).await.ok();
        assert_eq!(way["state"], way["answer"]["state"]);
        way["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(state(&first).await, "paid");
    let path = format!("/v1/payments/{}", paid["payment"].as_str().unwrap());
    parties.get(&path, insurer, "payment").await;
    let day = parties.get("/v1/aging", insurer, "aging").await["day"].clone();
    let figures = |reference: &str, claims: Value| json!({"reference": reference, "from": day, "to": day, "claims": claims});
    let row = |message: &str, amount: i64| json!({"message": message, "amount": amount});
    let stated = figures(
        "F-1",
        json!([
            row(&first, owed),
            row(&second, owed - 1),
            row("019abcde-0000-7000-8000-000000000001", 1)
        ]),
    );
    let taken = parties.post("/v1/figures", insurer, &stated).await.ok();
    conforms("figures_receipt", &taken);
    assert_eq!(
        taken["refused"],
        json!([{"pointer": "/claims/2", "refused": "PAY-UNKNOWN"}])
    );
    let again = parties.post("/v1/figures", insurer, &stated).await.ok();
    assert_eq!(again, taken);
    let other = figures("F-1", json!([]));
    let other = parties.post("/v1/figures", insurer, &other).await;
    other.is_problem(422, "PAY-REFERENCE");
    let wrong = figures("F-2", json!([{"message": first, "amount": -1}]));
    let wrong = parties.post("/v1/figures", insurer, &wrong).await;
    wrong.is_problem(422, "VAL-RANGE");
    let own = |message: &str| json!({"message": message, "amount": owed, "insurer": INSURER, "state": "paid"});
    let stated = figures("F-1", json!([own(&first), own(&second)]));
    parties.post("/v1/figures", provider, &stated).await.ok();

    let done = parties.hub.place.json(&["settle", "reconcile"]);
    assert_eq!(
        (&done["reconciled"], &done["differences"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(state(&first).await, "reconciled");
    let page = parties
        .get("/v1/differences?state=open", provider, "difference_page")
        .await;
    let found = &page["differences"][0];
    assert_eq!(
        (&found["message"], &found["kind"]),
        (&json!(second), &json!("amount"))
    );
    assert_eq!(found["insurers"], json!(owed - 1));
    let path = format!("/v1/differences/{}/resolve", found["id"].as_str().unwrap());
    let stranger = parties.hub.place.key(OTHER_PROVIDER);
    let note = json!({"note": "rounded down"});
    parties
        .post(&path, &stranger, &note)
        .await
        .is_problem(404, "API-NOT-FOUND");
    let said = parties.post(&path, insurer, &note).await.ok();
    conforms("difference_told", &said);
    assert_eq!(said["state"], json!("explained"));
    let stated = figures("F-3", json!([row(&second, owed)]));
    parties.post("/v1/figures", insurer, &stated).await.ok();
    parties.hub.place.json(&["settle", "reconcile"]);
    assert_eq!(state(&second).await, "reconciled");
    let page = parties
        .get("/v1/differences?state=settled", insurer, "difference_page")
        .await;
    assert_eq!(page["differences"][0]["id"], said["id"]);

    // A paid claim can still be taken back.
    let back = format!("/v1/claims/{first}/cancel");
    parties.post(&back, provider, &json!({})).await.ok();
    assert_eq!(state(&first).await, "reversed");
}

#[tokio::test]
async fn a_document_is_listed_under_the_stage_that_its_view_awaits() {
    let parties = Parties::on("[settlement]\ndeliver_hours = 0\n");
    let (first, owed) = parties.claim("W-1").await;
    let (second, _) = parties.claim("W-2").await;
    let (provider, insurer) = (&parties.provider, &parties.insurer);
    let documents = async |query: &str, key: &str| {
        let path = format!("/v1/stages{query}");
        parties.get(&path, key, "stage_page").await["documents"].clone()
    };
    let view = async |message: &str| {
        let path = format!("/v1/messages/{message}");
        parties.get(&path, provider, "message_way").await["stages"].clone()
    };
    let names = |documents: &Value| -> Vec<Value> {
        let listed = documents.as_array().unwrap().iter();
        listed.map(|own| own["message"].clone()).collect()
    };
    let all = documents("", insurer).await;
    assert_eq!(names(&all), [json!(first), json!(second)]);
    assert_eq!(
        view(&first).await,
        json!([all[0]]),
        "the view is the list's row"
    );
    let page = parties
        .get("/v1/stages?limit=1", provider, "stage_page")
        .await;
    let next = format!("?after={}", page["next"].as_str().unwrap());
    assert_eq!(names(&documents(&next, provider).await), [json!(second)]);

    // Nobody has fetched the deliveries, for which the settings leave no time.
    let late = documents("?stage=delivered&late=true", provider).await;
    assert_eq!(names(&late), [json!(first), json!(second)]);
    let told = |row: &Value, stage: &str| {
        let stages = row["stages"].as_array().unwrap().iter();
        let mut own = stages.filter(|own| own["stage"] == stage);
        own.next().unwrap().clone()
    };
    assert_eq!(told(&late[0], "delivered")["late"], json!(true));
    assert_eq!(told(&late[0], "noticed")["late"], json!(false));
    assert!(told(&late[0], "noticed")["deadline"].is_i64());
    let unpaid = documents("?stage=noticed&late=true", insurer).await;
    assert_eq!(unpaid, json!([]), "the days to pay are not over");
    for stranger in [OTHER_INSURER, OTHER_PROVIDER] {
        let key = parties.hub.place.key(stranger);
        assert_eq!(documents("", &key).await, json!([]), "{stranger}");
    }

    let named = json!({"allocations": [{"message": first}]});
    parties.pay("w-1", owed, named).await;
    let paid = view(&first).await;
    assert!(told(&paid[0], "noticed")["at"].is_i64(), "{paid}");
    let back = format!("/v1/claims/{second}/cancel");
    parties.post(&back, provider, &json!({})).await.ok();
    assert_eq!(
        names(&documents("?late=true", provider).await),
        [json!(first)],
        "what was taken back awaits nothing"
    );
    let wrong = parties.hub.get("/v1/stages?stage=lost", provider).await;
    wrong.is_problem(400, "API-PARAMETER");
}
