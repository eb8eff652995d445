//! X12 from outside: the corpus, broken envelopes, other separators, any bytes, answers read back.

use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use takmil_domain::message::{Body, Message};
use takmil_domain::money::Currency;
use takmil_domain::problem::Problem;
use takmil_formats::{Context, Fault, Outcome, Read, Reading, Reply, read, recognise, x12};

fn context() -> Context {
    Context {
        default_currency: Currency::parse("USD"),
        ..crate::context()
    }
}

fn sample(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/x12");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

/// Good files of the corpus that break X12 all the same: a component separator that is not the one declared, a version that
/// was made unreadable with the sender's name, a creation date of six digits.
const BROKEN: &[&str] = &[
    "837_005010X222A2_demo_example12_837.x12",
    "837P_4010_FromNth_837_DeIdent_02.x12.gz",
    "INS_837I_4010_Spec_4.2.1_HomeownersCasualtyClaim.x12",
    "INS_837I_5010_Spec_3.1.1.x12",
    "INS_837I_5010_Spec_3.1.3_PPORepricedClaim.x12",
    "INS_837I_5010_Spec_3.1.4_OutOfNetworkRepricedClaim.x12",
];

const CLAIM: &str = "claims-houston-professional.x12";
const QUESTIONS: &str = "eligibility-and-review.x12";

/// Every file of the corpus under `x12-…` whose bytes are text, with its path; none where there is no corpus.
fn corpus() -> Vec<(String, Vec<u8>)> {
    let Some(root) = std::env::var_os("TAKMIL_CORPUS").map(PathBuf::from) else {
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: TAKMIL_CORPUS names no folder of samples"
        );
        return Vec::new();
    };
    let index = std::fs::read_to_string(root.join("index.csv")).unwrap();
    let paths = index
        .lines()
        .skip(1)
        .filter_map(|line| line.split(',').next());
    let ours = paths.filter(|path| path.ends_with(".x12") || path.ends_with(".x12.gz"));
    ours.map(|path| {
        let stored = std::fs::read(root.join(path)).unwrap();
        let mut body = Vec::new();
        if path.ends_with(".gz") {
            let mut decoder = flate2::read::MultiGzDecoder::new(stored.as_slice());
            decoder.read_to_end(&mut body).unwrap();
        } else {
            body = stored;
        }
        (path.to_owned(), body)
    })
    .collect()
}

fn messages(body: &str) -> Vec<Message> {
    let reading = read(&x12::FORMAT, body.as_bytes(), &context()).unwrap();
    reading
        .messages
        .into_iter()
        .map(|one| one.outcome.unwrap())
        .collect()
}

fn reply<'a>(body: &'a [u8], outcomes: &'a [Outcome<'a>]) -> String {
    let reply = Reply {
        body,
        hub: "https://hub.example",
        request: "r",
        outcomes,
    };
    String::from_utf8((x12::FORMAT.answer)(&reply).bytes).unwrap()
}

/// The answer to a body of which every message is refused as it was read.
fn refusal(body: &[u8]) -> String {
    let reading: Result<Reading, Problem> = read(&x12::FORMAT, body, &context());
    let whole = |problem: Problem| Read {
        place: String::new(),
        outcome: Err(vec![problem]),
        origins: Vec::new(),
    };
    let reads = reading.map_or_else(|problem| vec![whole(problem)], |reading| reading.messages);
    let faults: Vec<(String, Vec<Problem>)> = reads
        .into_iter()
        .filter_map(|one| Some((one.place, one.outcome.err()?)))
        .collect();
    let told: Vec<(&str, Vec<Fault<'_>>)> = faults
        .iter()
        .map(|(place, problems)| (place.as_str(), problems.iter().map(Fault::from).collect()))
        .collect();
    let outcomes: Vec<Outcome<'_>> = told
        .iter()
        .map(|(place, faults)| Outcome {
            place,
            result: Err(faults),
        })
        .collect();
    reply(body, &outcomes)
}

/// Whether all counts and control numbers of a body are right, by a count of our own.
fn counts_hold(body: &str) -> bool {
    let Some(start) = body.find("ISA") else {
        return false;
    };
    let letter = |at: usize| body.as_bytes()[start..][at] as char;
    let (element, end) = (letter(3), letter(105));
    let segments = body[start..].split(end).map(str::trim);
    let (mut open, mut held) = (Vec::new(), true);
    let mut known = BTreeSet::new();
    for segment in segments.filter(|segment| !segment.is_empty()) {
        let parts: Vec<&str> = segment.split(element).collect();
        let part = |at: usize| parts.get(at).copied().unwrap_or_default();
        // What encloses others: how many of them, and under which number.
        let (opens, number) = match parts[0] {
            "ISA" => (true, 13),
            "GS" => (true, 6),
            "ST" => (true, 2),
            "IEA" | "GE" | "SE" => (false, 2),
            _ => {
                if let Some((_, count)) = open.last_mut() {
                    *count += 1;
                }
                continue;
            }
        };
        if opens {
            if let Some((_, count)) = open.last_mut() {
                *count += 1;
            }
            let path: Vec<String> = open
                .iter()
                .map(|(path, _): &(String, usize)| path.clone())
                .collect();
            let path = format!("{path:?}{}", part(number));
            held &= parts[0] == "ISA" || known.insert(path.clone());
            // A transaction counts its own two segments.
            let own = if parts[0] == "ST" { 2 } else { 0 };
            open.push((part(number).to_owned(), own));
            continue;
        }
        let Some((number, count)) = open.pop() else {
            return false;
        };
        held &= part(2) == number && part(1).parse() == Ok(count);
    }
    held && open.is_empty()
}

/// What a body is, where it asks something of the hub.
fn asks(body: &str) -> Option<&'static str> {
    let start = body.find("ISA")?;
    let element = body[start..].get(3..4)?;
    let kinds = ["837", "270", "278"].into_iter();
    let mut kinds = kinds.filter(|kind| body.contains(&format!("ST{element}{kind}{element}")));
    // A 278 of an insurer answers one of a provider.
    kinds
        .next()
        .filter(|kind| *kind != "278" || body.contains(&format!("BHT{element}0007{element}13")))
}

#[test]
fn every_request_of_the_corpus_is_read_and_every_broken_envelope_refused() {
    let mut counts: BTreeMap<&str, (usize, usize, usize)> = BTreeMap::new();
    let mut told = String::new();
    let files = corpus();
    for (path, body) in &files {
        let text = String::from_utf8_lossy(body);
        let Some(kind) = asks(&text).filter(|_| !path.contains("/invalid/")) else {
            continue;
        };
        let reads = read(&x12::FORMAT, body, &context()).map(|reading| reading.messages);
        let reads = reads.unwrap_or_else(|problem| {
            told.push_str(&format!("{path}: {problem}\n"));
            Vec::new()
        });
        let is_broken = BROKEN.iter().any(|name| path.ends_with(name));
        if is_broken || !counts_hold(&text) {
            let refused = reads.iter().filter(|one| one.outcome.is_err()).count();
            assert!(
                refused > 0 || reads.is_empty(),
                "{path} is broken, and read"
            );
            counts.entry(kind).or_default().2 += 1;
            continue;
        }
        let count = counts.entry(kind).or_default();
        count.1 += reads.len().max(1);
        for one in reads {
            match one.outcome {
                Ok(_) => count.0 += 1,
                Err(problems) => {
                    told.push_str(&format!("{path} {}: {}\n", one.place, problems[0]));
                }
            }
        }
    }
    for (kind, (read, all, broken)) in &counts {
        println!("{kind}: {read} of {all} read; {broken} files are broken, and refused");
        assert!(read * 100 >= all * 99, "{kind}: {read} of {all}\n{told}");
    }
    for (path, body) in &files {
        let broken = [
            "bad_first_line",
            "UnicodeExample",
            "TechnicalAcknowledgment",
        ];
        if broken.iter().any(|name| path.contains(name)) {
            let told = read(&x12::FORMAT, body, &context());
            let is_refused = told.as_ref().map_or(true, |reading| {
                let mut messages = reading.messages.iter();
                messages.all(|one| one.outcome.is_err())
            });
            assert!(is_refused, "{path}: {told:?}");
        }
    }
}

#[test]
fn a_claim_is_read_with_what_the_base_insurer_paid_of_each_line() {
    let found = messages(&sample(CLAIM));
    let [message] = found.as_slice() else {
        panic!()
    };
    let Body::Claim(claim) = &message.body else {
        panic!()
    };
    assert_eq!(message.head.identifiers[0].value, "CLM-000918");
    assert_eq!(message.head.coverages.len(), 2);
    assert_eq!(claim.bill.total.unwrap().get(), 35_000);
    let base: Vec<i64> = claim
        .bill
        .lines
        .iter()
        .map(|line| line.base.as_ref().unwrap().paid.get())
        .collect();
    assert_eq!(base, [6_000, 12_000]);
    assert_eq!(claim.bill.lines[0].diagnoses, [1, 2]);
    assert_eq!(claim.bill.lines[1].item.others[0].code, "00026063512");
    assert_eq!(message.head.attachments.len(), 1);
}

#[test]
fn questions_and_requests_of_one_interchange_are_read_each_as_what_it_is() {
    let found = messages(&sample(QUESTIONS));
    let [asked, review] = found.as_slice() else {
        panic!("{}", found.len())
    };
    let Body::Eligibility(asked) = &asked.body else {
        panic!()
    };
    assert_eq!(asked.bill.as_ref().unwrap().lines.len(), 2);
    let Body::Preauthorization(review) = &review.body else {
        panic!()
    };
    assert_eq!(review.bill.lines.len(), 1);
    assert_eq!(review.bill.lines[0].billed.unwrap().get(), 180_000);
}

#[test]
fn a_voided_claim_takes_back_and_a_replacement_names_what_it_replaces() {
    for (frequency, kind) in [("8", "cancel"), ("7", "claim")] {
        let body = sample(CLAIM).replace("11:B:1", &format!("11:B:{frequency}"));
        let found = messages(&body);
        assert_eq!(found[0].kind().as_str(), kind);
        assert_eq!(found[0].head.correlates[0].identifier.value, "CLM-000918");
    }
}

#[test]
fn other_separators_change_nothing() {
    let body = sample(CLAIM);
    let same: String = body
        .chars()
        .map(|letter| match letter {
            '*' => '|',
            ':' => '>',
            '~' => '\u{1d}',
            '^' => '!',
            '\n' => '\r',
            other => other,
        })
        .collect();
    assert_eq!(messages(&format!("\u{feff}{same}")), messages(&body));
    let bare = body.replace('\n', "");
    assert_eq!(messages(&bare), messages(&body));
    let indented = body.replace('\n', "\r\n    ");
    assert_eq!(messages(indented.trim_end()), messages(&body));
}

#[test]
fn what_is_wrong_with_an_envelope_is_told_as_ta1_and_999_tell_it() {
    let body = sample(CLAIM);
    let check = |from: &str, to: &str, told: &[&str]| {
        let broken = body.replace(from, to);
        assert_ne!(broken, body, "{from}");
        let answer = refusal(broken.as_bytes());
        for part in told {
            assert!(answer.contains(part), "{part} in {answer}");
        }
    };
    check(
        "IEA*1*000000071~\n",
        "",
        &["TA1*000000071*261118*0915*R*023~"],
    );
    check("IEA*1*000000071", "IEA*1*000000072", &["*R*001~"]);
    check("IEA*1*", "IEA*2*", &["*R*021~"]);
    check(
        "SE*44*0001",
        "SE*43*0001",
        &["AK2*837*0001*005010X222A1~", "IK5*R*4~", "AK9*R*1*1*0~"],
    );
    check("SE*44*0001", "SE*44*0002", &["IK5*R*3~"]);
    check("SE*44*0001~\n", "", &["IK5*R*2~"]);
    check("GE*1*71", "GE*2*71", &["AK9*R*2*1*0*5~"]);
    check("GE*1*71", "GE*1*72", &["AK9*R*1*1*0*4~"]);
    check("NTE*ADD", "XYZ*ADD", &["IK3*XYZ*22**1~", "IK5*R*5~"]);
    check(
        "DMG*D8*19581203",
        "DMG*D8*19581303",
        &["IK3*DMG*16**8~", "IK4*2**8~"],
    );
    check(
        "SV1*HC:99213:25*100",
        "SV1*HC:99213:25*10x",
        &["IK3*SV1*32**8~", "IK4*2**6~"],
    );
    check("ST*837", "ST*835", &["IK5*R*1~"]);
}

#[test]
fn an_answer_is_an_interchange_that_holds() {
    for (path, body) in corpus() {
        let answer = refusal(&body);
        let first = answer.get(..3);
        assert_eq!(first, Some("ISA"), "{path}");
        let again = read(&x12::FORMAT, answer.as_bytes(), &context());
        if let Ok(reading) = again {
            for one in reading.messages {
                let problems = one.outcome.unwrap_err();
                assert!(
                    problems.iter().all(|one| one.code.code() == "FMT-KIND"
                        || one.detail.contains("note 025")
                        || one.detail.contains("note 003")),
                    "{path}: {problems:?}\n{answer}"
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn no_bytes_make_it_panic(
        changes in prop::collection::vec((0..2_000_usize, any::<u8>()), 0..12),
        cut in 0..2_500_usize,
    ) {
        let mut body = sample(CLAIM).into_bytes();
        for (at, byte) in changes {
            let length = body.len();
            body[at % length] = byte;
        }
        body.truncate(cut);
        recognise(None, &body);
        refusal(&body);
    }
}

mod remittance {
    use super::*;
    use takmil_domain::date::{Date, Instant};
    use takmil_domain::ids::{MessageId, ParticipantId, PaymentId};
    use takmil_domain::money::Amount;
    use takmil_domain::settlement::state::PaymentState;
    use takmil_domain::settlement::{Due, DueLine, Pair, PayeeKind, Payment, Receipt};

    const NOW: Instant = Instant(1_760_000_000_000_000);

    fn amount(value: i64) -> Amount {
        Amount::new(value).unwrap()
    }

    fn pair() -> Pair {
        Pair {
            insurer: ParticipantId::parse("alpha").unwrap(),
            provider: ParticipantId::parse("clinic").unwrap(),
            payee: PayeeKind::Provider,
            currency: Currency::parse("MAD").unwrap(),
        }
    }

    fn due(claim: u8, lines: &[(i64, i64, i64)]) -> Due {
        let day = Date::parse("2026-03-31").unwrap();
        let numbered = lines.iter().zip(1_u32..);
        Due {
            pair: pair(),
            message: MessageId::new(NOW, [claim; 10]),
            turn: 1,
            on_day: day,
            due_on: day,
            incurred: lines.iter().map(|line| amount(line.2)).sum(),
            noticed: Amount::ZERO,
            confirmed: Amount::ZERO,
            disputed: Amount::ZERO,
            written_off: Amount::ZERO,
            lines: numbered
                .map(|((rest, base, own), seq)| DueLine {
                    seq,
                    billed: amount(rest + base + own),
                    base: amount(*base),
                    amount: amount(*own),
                    held: Amount::ZERO,
                })
                .collect(),
        }
    }

    fn cents(text: &str) -> i64 {
        let negative = text.starts_with('-');
        let (whole, part) = text.trim_start_matches('-').split_once('.').unwrap();
        let value = whole.parse::<i64>().unwrap() * 100 + part.parse::<i64>().unwrap();
        if negative { -value } else { value }
    }

    /// Splits by itself, and adds up as the guide of the 835 does.
    fn balances(text: &str) -> Result<(), String> {
        let rows: Vec<Vec<&str>> = text
            .split('~')
            .map(|row| row.split('*').collect())
            .collect();
        let find = |name: &'static str| rows.iter().filter(move |row| row[0] == name);
        let adjusted = |row: &[&str]| -> i64 {
            let amounts = row.iter().skip(3).step_by(3);
            amounts.map(|text| cents(text)).sum()
        };
        let mut claims = 0;
        let mut open: Option<(i64, i64, i64)> = None;
        let close = |open: Option<(i64, i64, i64)>| match open {
            Some((charge, paid, less)) if charge - less != paid => {
                Err(format!("{charge} - {less} is not {paid}"))
            }
            _ => Ok(()),
        };
        for row in &rows {
            match row[0] {
                "CLP" => {
                    close(open)?;
                    claims += cents(row[4]);
                    open = Some((cents(row[3]), cents(row[4]), 0));
                }
                "CAS" => {
                    if let Some(open) = &mut open {
                        open.2 += adjusted(row);
                    }
                }
                _ => {}
            }
        }
        close(open)?;
        let ahead: i64 = find("PLB").map(|row| cents(row[4])).sum();
        let paid = cents(find("BPR").next().unwrap()[2]);
        if paid != claims - ahead {
            return Err(format!("{paid} is not {claims} - {ahead}"));
        }
        let st = rows.iter().position(|row| row[0] == "ST").unwrap();
        let se = rows.iter().position(|row| row[0] == "SE").unwrap();
        assert_eq!(rows[se][1], (se - st + 1).to_string());
        Ok(())
    }

    proptest! {
        #[test]
        fn a_remittance_balances_whatever_was_paid(
            lines in prop::collection::vec((0..90_000_i64, 0..90_000_i64, 0..90_000_i64), 1..6),
            rows in prop::collection::vec((0..3_u8, 0..7_u32, -50_000..90_000_i64), 0..8),
            rest in 0..5_000_i64,
        ) {
            let mut allocations = BTreeMap::new();
            for (claim, line, value) in rows {
                let line = (line > 0).then_some(line);
                allocations.insert((MessageId::new(NOW, [claim; 10]), line), amount(value));
            }
            let allocated: Amount = allocations.values().copied().sum();
            let id = PaymentId(MessageId::new(NOW, [9; 10]).0);
            let payment = Payment {
                id,
                pair: pair(),
                reference: "P*1~".to_owned(),
                digest: [0; 32],
                amount: allocated + amount(rest),
                paid_on: Date::parse("2026-03-31").unwrap(),
                instrument: None,
                state: PaymentState::Noticed,
                noticed_at: NOW,
                settled_at: None,
                allocations,
                receipt: Receipt { payment: id, allocated, prepaid: amount(rest), rows: Vec::new() },
            };
            let written = x12::payment(&payment, &[due(0, &lines), due(1, &lines)]);
            let text = String::from_utf8(written.bytes).unwrap();
            prop_assert_eq!(balances(&text), Ok(()), "{}", text);
            // The hub's own reader takes the envelope, and says that it is no request.
            let reading = read(&x12::FORMAT, text.as_bytes(), &context()).unwrap();
            let problems = reading.messages[0].outcome.as_ref().unwrap_err();
            prop_assert_eq!(problems[0].code.code(), "FMT-KIND");
        }
    }
}

const STATUS: &str = "ISA*00*          *00*          *ZZ*BAYOUORTHO     *ZZ*TAKMIL         *261118*0915*^*00501*000000072*1*T*:~\
GS*HR*BAYOUORTHO*TAKMIL*20261118*0915*72*X*005010X212~ST*276*0001*005010X212~BHT*0010*13*ASK72*20261118*0915~\
HL*1**20*1~NM1*PR*2*GULF COAST SUPPLEMENTAL*****PI*GULF01~HL*2*1*21*1~NM1*41*2*BAYOU ORTHOPEDICS*****46*BAYOUORTHO~\
HL*3*2*19*1~NM1*1P*2*BAYOU ORTHOPEDICS*****XX*1234567893~HL*4*3*22*0~DMG*D8*19581203*M~\
NM1*IL*1*TEHRANI*REZA****MI*W918273645~TRN*1*T-1~REF*EJ*CLM-000918~AMT*T3*350~DTP*472*D8*20261117~TRN*1*T-2~\
REF*1K*01981c30-8a80-7000-8000-000000000001~TRN*1*T-3~DTP*472*D8*20261317~SE*20*0001~GE*1*72~IEA*1*000000072~";

/// UTF-16 as X12 senders on such machines write it.
fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[test]
fn a_status_inquiry_is_an_example_of_the_claims_that_it_asks_about() {
    let asked = x12::inquiries(STATUS.as_bytes(), &context()).unwrap();
    let [first, second, third] = &asked.messages[..] else {
        panic!("three questions")
    };
    let base = "/interchange/1/group/1/transaction/1/segment";
    assert_eq!(first.place, format!("{base}/12"));
    let example = first.outcome.as_ref().unwrap();
    let number = |own: &takmil_domain::ids::Identifier| (own.system.clone(), own.value.clone());
    let numbers: Vec<_> = example.head.identifiers.iter().map(number).collect();
    assert_eq!(numbers, [(String::new(), "CLM-000918".to_owned())]);
    let member: Vec<_> = example.head.member.identifiers.iter().map(number).collect();
    assert_eq!(member[0].1, "W918273645");
    let bill = example.bill().unwrap();
    assert_eq!(
        bill.period
            .as_ref()
            .unwrap()
            .start
            .as_ref()
            .unwrap()
            .as_str(),
        "2026-11-17"
    );
    let named = second.outcome.as_ref().unwrap();
    assert_eq!(
        named.head.correlates[0].identifier.system,
        "urn:takmil:message"
    );
    let wrong = third.outcome.as_ref().unwrap_err();
    assert_eq!(wrong[0].pointer, format!("{base}/19/element/3"));

    // It is no message, and no claim is a question.
    let reading = read(&x12::FORMAT, STATUS.as_bytes(), &context()).unwrap();
    let refused = reading.messages[0].outcome.as_ref().unwrap_err();
    assert!(refused[0].detail.contains("$inquire"), "{refused:?}");
    let claims = x12::inquiries(sample(CLAIM).as_bytes(), &context()).unwrap();
    assert!(claims.messages.iter().all(|one| one.outcome.is_err()));
}

#[test]
fn a_277_tells_each_question_what_was_found_or_that_nothing_was() {
    let base = "/interchange/1/group/1/transaction/1/segment";
    let asked = x12::inquiries(STATUS.as_bytes(), &context()).unwrap();
    let problems = asked.messages[2].outcome.as_ref().unwrap_err();
    let faults: Vec<Fault<'_>> = problems.iter().map(Fault::from).collect();
    let third = format!("{base}/18");
    let outcomes = [Outcome {
        place: &third,
        result: Err(&faults),
    }];
    let answer = reply(STATUS.as_bytes(), &outcomes);
    for told in [
        "ST*277*0001*005010X212~",
        "BHT*0010*08*ASK72*20261118*0915*DG~",
        "NM1*1P*2*BAYOU ORTHOPEDICS*****XX*1234567893~",
        "TRN*2*T-1~STC*D0:35*20261118~TRN*2*T-2~STC*D0:35*20261118~TRN*2*T-3~STC*E0:21*20261118~",
        "IK3*DTP*19**8~",
    ] {
        assert!(answer.contains(told), "{told} in {answer}");
    }
    assert!(!answer.contains("DMG"), "{answer}");
    // One that was refused as a whole has no 277.
    let reading = read(&x12::FORMAT, STATUS.as_bytes(), &context()).unwrap();
    let problems = reading.messages[0].outcome.as_ref().unwrap_err();
    let faults: Vec<Fault<'_>> = problems.iter().map(Fault::from).collect();
    let outcomes = [Outcome {
        place: &reading.messages[0].place,
        result: Err(&faults),
    }];
    let answer = reply(STATUS.as_bytes(), &outcomes);
    assert!(
        answer.contains("IK5*R*1~") && !answer.contains("ST*277"),
        "{answer}"
    );
}

#[test]
fn utf_16_is_read_as_utf_8_is() {
    let plain = sample(CLAIM);
    let body = wide(&plain);
    assert_eq!(recognise(None, &body).unwrap().name, "x12");
    let reading = read(&x12::FORMAT, &body, &context()).unwrap();
    let read: Vec<Message> = reading
        .messages
        .into_iter()
        .map(|one| one.outcome.unwrap())
        .collect();
    assert_eq!(read, messages(&plain));
    let marked = wide(&format!("\u{feff}{plain}"));
    assert_eq!(recognise(None, &marked).unwrap().name, "x12");
}
