//! The law of every format that is written: what it says of a message it says again, and nothing else.

use std::path::{Path, PathBuf};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use takmil_domain::message::Kind;
use takmil_formats::{FORMATS, native, read, recognise, write};

use crate::context;
use crate::draw::messages;

/// How many messages are drawn.
const DRAWN: usize = 4_000;

#[test]
fn what_a_format_says_of_a_message_is_said_again_whole() {
    let writable = FORMATS.iter().filter(|format| format.write.is_some());
    for format in writable {
        let mut runner = TestRunner::deterministic();
        let mut said = 0;
        for _ in 0..DRAWN {
            let message = messages().new_tree(&mut runner).unwrap().current();
            // Kinds that the format has no message for, and messages that are not sound, are told to be so.
            let Ok(first) = write(format, &message, &context()) else {
                continue;
            };
            if format.name == native::FORMAT.name {
                assert_eq!((&first.unsaid, &first.added), (&vec![], &vec![]));
            }
            let bytes = &first.written.bytes;
            let again = read(format, bytes, &context()).unwrap().messages.remove(0);
            let again = again.outcome.unwrap();
            let second = write(format, &again, &context()).unwrap();
            assert!(
                second.unsaid.is_empty(),
                "{}: {:?}",
                format.name,
                second.unsaid
            );
            assert!(
                second.added.is_empty(),
                "{}: {:?}",
                format.name,
                second.added
            );
            said += 1;
        }
        assert!(said >= 20, "{}: {said} of {DRAWN}", format.name);
    }
}

/// Parts of a bill that decide what is paid: a format that has bills says them, whoever wrote the message.
const DECIDES: &[&str] = &[
    "lines/#/seq",
    "lines/#/item",
    "lines/#/modifiers",
    "lines/#/quantity",
    "lines/#/unit_price",
    "lines/#/billed",
    "lines/#/base",
    "lines/#/subsidy",
    "lines/#/paid_by_member",
    "lines/#/line/item",
    "lines/#/line/quantity",
    "lines/#/line/unit_price",
    "lines/#/line/base",
    "lines/#/authorisation",
    "lines/#/cancelled",
    "diagnoses/#/coded",
    "procedures/#/coded",
    "total",
];

/// Whatever its sender spoke, a message is said in FHIR whole in what decides. Dispensings of Germany's invoices alone
/// lose the details of a compound.
#[test]
fn messages_of_others_are_said_in_fhir_with_all_that_decides() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let mut folders = vec![own];
    match std::env::var_os("TAKMIL_CORPUS").map(PathBuf::from) {
        Some(root) => folders.push(root),
        None => eprintln!("TAKMIL_CORPUS is not set: the samples alone are read"),
    }
    let has_corpus = folders.len() > 1;
    let fhir = FORMATS.iter().find(|own| own.name == "fhir").unwrap();
    let (mut said, mut lost) = (0, Vec::new());
    while let Some(path) = folders.pop() {
        if path.is_dir() {
            folders.extend(path.read_dir().unwrap().map(|own| own.unwrap().path()));
            continue;
        }
        let body = std::fs::read(&path).unwrap();
        let Some(format) = recognise(None, &body) else {
            continue;
        };
        let Ok(reading) = read(format, &body, &context()) else {
            continue;
        };
        for message in reading
            .messages
            .into_iter()
            .filter_map(|own| own.outcome.ok())
        {
            if message.kind() == Kind::Admission {
                assert!(write(fhir, &message, &context()).is_err());
                continue;
            }
            let told = write(fhir, &message, &context());
            let told = told.unwrap_or_else(|problem| panic!("{}: {problem:?}", path.display()));
            said += 1;
            lost.extend(
                told.unsaid
                    .iter()
                    .filter(|at| decides(at))
                    .map(|at| format!("{} {at}", path.display())),
            );
        }
    }
    assert!(lost.is_empty(), "{lost:#?}");
    assert!(said > if has_corpus { 480 } else { 20 }, "{said}");
}

fn decides(at: &str) -> bool {
    let steps = at.split('/').map(|step| match step.parse::<usize>() {
        Ok(_) => "#",
        Err(_) => step,
    });
    let plain = steps.collect::<Vec<_>>().join("/");
    DECIDES.iter().any(|own| {
        let found = plain.split_once(own).map(|(before, after)| {
            before.ends_with('/') && (after.is_empty() || after.starts_with('/'))
        });
        found == Some(true)
    })
}
