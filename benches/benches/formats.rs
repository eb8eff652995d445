//! From bytes to their format, to a checked message and to the canonical form that is kept, and from an answer to
//! bytes: the load generator's own admission in the hub's JSON, and a hospital's claim of six lines in both
//! syntaxes of FHIR. Then whole bodies of many messages: X12 claims, and an HL7 v2 order over and over.
#![expect(
    clippy::expect_used,
    reason = "a bench ends where its input is not as it should be"
)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use takmil_benches::bodies::Bodies;
use takmil_domain::answer::Answer;
use takmil_domain::date::{Date, Instant};
use takmil_domain::ids::MessageId;
use takmil_domain::life::State;
use takmil_domain::message::Message;
use takmil_domain::money::Currency;
use takmil_domain::share::Documents;
use takmil_formats::{
    Answered, Context, Format, Outcome, Reply, fhir, hl7v2, native, read, recognise, x12,
};
use takmil_mappings::packs::pack;
use uuid::Uuid;

/// The hub's own allocator: a third of a reader's time is spent in one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CLAIM_JSON: &str = include_str!("../samples/claim.json");
const CLAIM_XML: &str = include_str!("../samples/claim.xml");
const CLAIM_X12: &str =
    include_str!("../../adapters/formats/samples/x12/claims-houston-professional.x12");
const ORDER_HL7: &str =
    include_str!("../../adapters/formats/samples/hl7v2/prescription-shiraz.hl7");

/// How many messages a whole body holds.
const BATCH: usize = 200;

struct Sample {
    name: &'static str,
    format: &'static Format,
    body: String,
    message: Message,
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let samples = samples();
    let mut group = criterion.benchmark_group("read");
    for Sample {
        name,
        format,
        body,
        message,
    } in &samples
    {
        group.throughput(Throughput::Bytes(body.len() as u64));
        let media_type = format.media_types.first().copied();
        group.bench_function(BenchmarkId::new("recognised", name), |bencher| {
            bencher.iter(|| recognise(media_type, black_box(body.as_bytes())));
        });
        group.bench_function(BenchmarkId::new("kept", name), |bencher| {
            bencher.iter(|| native::write(black_box(message)));
        });
        group.bench_function(BenchmarkId::new("checked", name), |bencher| {
            bencher.iter(|| read(format, black_box(body.as_bytes()), &context()));
        });
    }
    group.finish();
    let mut group = criterion.benchmark_group("answer");
    for sample in &samples {
        let answer = answer(&sample.message);
        let answered = Answered {
            message: &sample.message,
            answer: &answer,
            json: None,
        };
        let outcomes = [Outcome {
            place: "",
            result: Ok(answered),
        }];
        let reply = Reply {
            body: sample.body.as_bytes(),
            hub: "https://hub.example",
            request: "bench",
            outcomes: &outcomes,
        };
        let written = (sample.format.answer)(&reply);
        group.throughput(Throughput::Bytes(written.bytes.len() as u64));
        group.bench_function(BenchmarkId::new("written", sample.name), |bencher| {
            bencher.iter(|| (sample.format.answer)(black_box(&reply)));
        });
    }
    group.finish();
    let mut group = criterion.benchmark_group("whole");
    for (name, format, body) in whole() {
        let kept = |body: &str| {
            let reading = read(format, body.as_bytes(), &context()).expect("the body can be read");
            let messages = reading.messages.into_iter();
            let messages = messages.map(|one| one.outcome.expect("each message is sound"));
            messages.fold((0, 0), |(count, bytes), message| {
                (count + 1, bytes + native::write(&message).len())
            })
        };
        let (count, _) = kept(&body);
        // The ceiling: the same bytes cut at their separators, and nothing made of the parts.
        let marks: &[u8] = match name {
            "x12 claims" => b"~*:",
            "hl7 v2 orders" => b"\r|^&",
            _ => b"\"",
        };
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(BenchmarkId::new(name, "cut"), |bencher| {
            let cut = |body: &str| {
                let parts = body.as_bytes().split(|byte| marks.contains(byte));
                parts.map(|part| part.len().min(1)).sum::<usize>()
            };
            bencher.iter(|| cut(black_box(&body)));
        });
        for (what, throughput) in [
            ("bytes", Throughput::Bytes(body.len() as u64)),
            ("messages", Throughput::Elements(count)),
        ] {
            group.throughput(throughput);
            group.bench_function(BenchmarkId::new(name, what), |bencher| {
                bencher.iter(|| kept(black_box(&body)));
            });
        }
    }
    group.finish();
    criterion.final_summary();
}

/// Bodies of which every message is read, checked and written in the canonical form.
fn whole() -> [(&'static str, &'static Format, String); 3] {
    let (head, rest) = CLAIM_X12
        .split_once("HL*2*")
        .expect("its subscriber follows its provider");
    let (claim, _) = rest.split_once("SE*").expect("it ends");
    let mut claims = head.to_owned();
    for number in 0..BATCH {
        claims.push_str(&format!("HL*{}*", number + 2));
        claims.push_str(&claim.replace("000918", &format!("{number:06}")));
    }
    let segments = claims.matches('~').count() - 1;
    claims.push_str(&format!("SE*{segments}*0001~GE*1*71~IEA*1*000000071~"));
    let order = ORDER_HL7.trim_end();
    let orders: Vec<String> = (0..BATCH)
        .map(|number| {
            let control = order.split('|').nth(9).expect("MSH-10 is there");
            order.replacen(control, &format!("{control}{number}"), 1)
        })
        .collect();
    [
        ("x12 claims", &x12::FORMAT, claims),
        ("hl7 v2 orders", &hl7v2::FORMAT, orders.join("\r")),
        ("fhir claim", &fhir::FORMAT, CLAIM_JSON.to_owned()),
    ]
}

fn samples() -> [Sample; 3] {
    let admission = Bodies::new("bench", today(), 1).admission().body;
    let sample = |name, format: &'static Format, body: String| {
        let message = message(format, &body);
        Sample {
            name,
            format,
            body,
            message,
        }
    };
    [
        sample("native admission", &native::FORMAT, admission),
        sample("fhir claim in JSON", &fhir::FORMAT, CLAIM_JSON.to_owned()),
        sample("fhir claim in XML", &fhir::FORMAT, CLAIM_XML.to_owned()),
    ]
}

/// The one message of a body.
fn message(format: &Format, body: &str) -> Message {
    let reading = read(format, body.as_bytes(), &context()).expect("the body can be read");
    let mut messages = reading.messages.into_iter();
    let message = messages.next().and_then(|read| read.outcome.ok());
    message
        .filter(|_| messages.next().is_none())
        .expect("it is one sound message")
}

/// An answer with a decision on every line, as the shipped plan of a sample insurer gives it.
fn answer(message: &Message) -> Answer {
    let pack = pack("ir").expect("the pack is shipped");
    let mut documents = Documents::from(pack.plans().expect("its plans are shipped"));
    documents.plans.truncate(1);
    documents.tariffs = pack.tariffs().expect("its tariffs are shipped");
    let decision = documents.judge(message).expect("it can be judged");
    assert!(decision.lines.len() >= 3, "every line is judged");
    Answer {
        id: MessageId(Uuid::nil()),
        kind: message.kind(),
        state: State::Decided,
        received_at: Instant(0),
        answered_at: Instant(0),
        reasons: Vec::new(),
        covers: Vec::new(),
        decision: Some(decision),
        findings: Vec::new(),
        notes: Vec::new(),
        appeals: Vec::new(),
        letter: None,
        unmapped: Vec::new(),
    }
}

fn context() -> Context {
    Context {
        default_currency: Currency::parse("USD"),
        today: today(),
    }
}

fn today() -> Date {
    Date::parse("2026-11-21").expect("it is a day")
}
