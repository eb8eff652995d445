//! Bodies that are read as they come: what they say, and where, is what they say when they are read at once.

use std::io;
use std::path::PathBuf;

use takmil_domain::money::Currency;
use takmil_formats::{Context, Format, Read, native, read, stream, x12};

/// A sender in the United States.
fn context() -> Context {
    Context {
        default_currency: Currency::parse("USD"),
        ..crate::context()
    }
}

/// A source that gives a few bytes at a time, as a slow connection does.
struct Slow<'b>(&'b [u8]);

impl io::Read for Slow<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = into.len().min(1_000);
        let into = into.get_mut(..count).unwrap_or_default();
        io::Read::read(&mut self.0, into)
    }
}

fn streamed(format: &Format, body: &[u8]) -> Vec<Read> {
    let mut found = Vec::new();
    let mut sink = |reading: takmil_formats::Reading| {
        found.extend(reading.messages);
        Ok(())
    };
    let mut source = io::BufReader::new(Slow(body));
    stream(format, &mut source, &context(), &mut sink).unwrap();
    found
}

/// An interchange of one transaction of so many claims of two subscribers in turn.
fn long(claims: usize) -> String {
    let isa = "ISA*00*          *00*          *ZZ*CLINIC         *ZZ*TAKMIL         *260601*1200*^*00501*000000001*0*P*:~";
    let mut text = format!("{isa}\nGS*HC*CLINIC*TAKMIL*20260601*1200*1*X*005010X222A1~\n");
    let mut segments = vec![
        "ST*837*0001*005010X222A1".to_owned(),
        "BHT*0019*00*1*20260601*1200*CH".to_owned(),
        "NM1*41*2*CLINIC*****46*CLINIC".to_owned(),
        "PER*IC*DESK*TE*5551234".to_owned(),
        "NM1*40*2*TAKMIL*****46*TAKMIL".to_owned(),
        "HL*1**20*1".to_owned(),
        "NM1*85*2*CLINIC*****XX*1234567893".to_owned(),
        "N3*1 MAIN ST".to_owned(),
        "N4*HOUSTON*TX*77001".to_owned(),
        "REF*EI*123456789".to_owned(),
    ];
    for claim in 0..claims {
        if claim % 3 == 0 {
            let person = claim / 3 + 2;
            segments.extend([
                format!("HL*{person}*1*22*0"),
                "SBR*P*18*GROUP******CI".to_owned(),
                format!("NM1*IL*1*DOE*JANE****MI*M{person}"),
                "N3*2 MAIN ST".to_owned(),
                "N4*HOUSTON*TX*77001".to_owned(),
                "DMG*D8*19800101*F".to_owned(),
                "NM1*PR*2*OMID*****PI*OMID".to_owned(),
            ]);
        }
        segments.extend([
            format!("CLM*C{claim}*100.5***11:B:1*Y*A*Y*Y"),
            "HI*ABK:J0390".to_owned(),
            "LX*1".to_owned(),
            "SV1*HC:99213*100.5*UN*1***1".to_owned(),
            "DTP*472*D8*20260530".to_owned(),
        ]);
    }
    segments.push(format!("SE*{}*0001", segments.len() + 1));
    for segment in segments {
        text.push_str(&segment);
        text.push_str("~\n");
    }
    text + "GE*1*1~\nIEA*1*000000001~\n"
}

#[test]
fn a_long_transaction_is_cut_between_its_claims_and_says_the_same() {
    // Some three megabytes: cut twice or more.
    let body = long(20_000);
    assert!(body.len() > 2_500_000 && body.len() < 8_000_000);
    let at_once = read(&x12::FORMAT, body.as_bytes(), &context()).unwrap();
    let streamed = streamed(&x12::FORMAT, body.as_bytes());
    assert_eq!(streamed.len(), 20_000);
    assert!(streamed.iter().all(|read| read.outcome.is_ok()));
    for (one, other) in at_once.messages.iter().zip(&streamed) {
        assert_eq!(one, other);
    }
}

#[test]
fn what_holds_a_stream_together_is_told_at_its_end() {
    let body = long(20_000)
        .replace("SE*", "SE*1")
        .replace("GE*1*", "GE*7*");
    let streamed = streamed(&x12::FORMAT, body.as_bytes());
    let problems: Vec<(&str, &str)> = streamed
        .iter()
        .filter_map(|read| Some((&*read.place, &*read.outcome.as_ref().err()?.first()?.detail)))
        .collect();
    assert_eq!(
        problems,
        [
            (
                "/interchange/1/group/1/transaction/1",
                "SE01 is not the number of segments (IK502 code 4)"
            ),
            (
                "/interchange/1/group/1",
                "GE01 is not the number of transactions (AK905 code 5)"
            ),
        ]
    );
    assert_eq!(streamed.len(), 20_002, "the claims were taken before");
}

#[test]
fn x12_of_others_says_the_same_as_it_comes() {
    let Some(root) = std::env::var_os("TAKMIL_CORPUS").map(PathBuf::from) else {
        eprintln!("TAKMIL_CORPUS is not set: no corpus is read");
        return;
    };
    let mut compared = 0;
    for source in ["x12-imsweb", "x12-lfh", "x12-oopfactory", "x12-hccinfhir"] {
        let files = root.join(source).read_dir().unwrap();
        let files = files.map(|file| file.unwrap().path());
        for path in files.filter(|path| path.is_file()) {
            let body = std::fs::read(&path).unwrap();
            let Ok(at_once) = read(&x12::FORMAT, &body, &context()) else {
                continue;
            };
            let taken = |messages: Vec<Read>| -> Vec<Read> {
                let taken = messages.into_iter().filter(|read| read.outcome.is_ok());
                taken.collect()
            };
            let is_whole = at_once.messages.iter().all(|read| read.outcome.is_ok());
            let expected = taken(at_once.messages);
            // Where an envelope is broken, what was read at once was refused whole.
            let found = taken(streamed(&x12::FORMAT, &body));
            assert!(found.len() >= expected.len(), "{}", path.display());
            if is_whole {
                assert!(found == expected, "{}", path.display());
                compared += 1;
            }
        }
    }
    assert!(compared > 50, "{compared}");
}

#[test]
fn lines_are_read_one_by_one_and_a_bad_one_leaves_the_others() {
    let message = r#"{"kind":"cancel","identifiers":[{"system":"s","value":"1"}],"correlates":[{"relation":"cancels","identifier":{"system":"s","value":"2"}}],"cancel":{}}"#;
    let body = format!("{message}\n\n{{\"kind\":\n{message}\n");
    let streamed = streamed(&native::FORMAT, body.as_bytes());
    let places: Vec<(&str, bool)> = streamed
        .iter()
        .map(|read| (&*read.place, read.outcome.is_ok()))
        .collect();
    assert_eq!(places, [("/0", true), ("/2", false), ("/3", true)]);
}
