//! Services that are priced together: what each of them is told, and what they come to.

use std::sync::Arc;

use takmil_domain::code::Code;
use takmil_domain::decision::{LineShare, RuleName};
use takmil_domain::money::Amount;
use takmil_domain::plan::CodeGroup;
use takmil_domain::reason::Reason;
use takmil_domain::tariff::{Package, Tariff};

use crate::sample::Sample;
use crate::setting::{case, cover, day, line, paid, plan, terms};
use crate::tape::Tape;

fn tariff(packages: serde_json::Value) -> Tariff {
    serde_json::from_value(serde_json::json!({
        "id": "national", "version": 2, "title": "", "currency": "IRR", "from": "2000-01-01",
        "prices": [{"code": {"code": "G1"}, "price": 900}],
        "packages": packages,
    }))
    .unwrap()
}

#[test]
fn a_package_is_paid_as_one_and_told_line_by_line() {
    let plan = plan(serde_json::json!({"tariff": "national", "benefits": [
        {"id": "surgery", "title": "", "codes": [{"prefix": "G"}], "rate": "0.1"},
        {"id": "rest", "title": "", "codes": [{"prefix": ""}]},
    ]}));
    let tariff = tariff(serde_json::json!([
        {"code": {"code": "G1"}, "title": "", "services": [{"codes": ["room", "gauze"]}]},
    ]));
    let cover = cover(day("2020-01-01"));
    let mut one = terms(&plan, &cover);
    one.tariff = Some(&tariff);
    let on = day("2024-05-17");
    let mut lines = vec![
        line(1, on, 333),
        line(2, on, 600),
        line(3, on, 301),
        line(4, on, 50),
    ];
    for (line, code) in lines.iter_mut().zip(["room", "G1", "gauze", "visit"]) {
        line.code = code;
    }
    let case = case(vec![one], lines);
    let (packed, packages) = case.pack().unwrap();
    assert_eq!(packed.lines.len(), 2, "the package, and the visit");
    let split = packed.split(|need| need.ceiling);
    assert_eq!(paid(&split.lines), [810, 50]);
    let lines = packages.share_out(split.lines);
    assert_eq!(lines, case.split(|need| need.ceiling).lines);
    let told: Vec<(u32, i64, i64, i64, i64)> = lines
        .iter()
        .map(|line| {
            let supplementary = line.supplementary_total();
            let parts = [line.billed, line.written_off, supplementary, line.member];
            let [billed, written_off, paid, member] = parts.map(Amount::get);
            (line.seq, billed, written_off, paid, member)
        })
        .collect();
    // 1,234 asked, 900 recognised, of which 90 are the member's.
    assert_eq!(
        told,
        [
            (2, 600, 163, 395, 42),
            (1, 333, 90, 218, 25),
            (3, 301, 81, 197, 23),
            (4, 50, 0, 50, 0)
        ]
    );
    for line in lines.iter().take(3) {
        assert!(line.reasons.contains(&Reason::InPackage), "{line:?}");
        let last = line.trace.last().unwrap();
        assert_eq!(last.rule, Some(RuleName::parse("national/2#G1")));
    }
}

#[test]
fn a_package_that_stands_alone_is_a_line_like_any_other() {
    let plan = plan(serde_json::json!({"tariff": "national"}));
    let tariff = tariff(serde_json::json!([
        {"code": {"code": "G1"}, "title": "", "services": [{"codes": ["room"]}]},
    ]));
    let cover = cover(day("2020-01-01"));
    let mut one = terms(&plan, &cover);
    one.tariff = Some(&tariff);
    let mut only = line(1, day("2024-05-17"), 1_000);
    only.code = "G1";
    let case = case(vec![one], vec![only]);
    let (packed, packages) = case.pack().unwrap();
    let lines = packed.split(|need| need.ceiling).lines;
    assert_eq!(packages.share_out(lines.clone()), lines);
    assert_eq!(paid(&lines), [900]);
}

/// Whatever is packed: no line says anything else than what was asked for it, and no payer another sum.
#[test]
fn the_parts_of_a_package_come_to_the_package() {
    let mut packed = 0;
    for seed in 0..20_000 {
        let mut sample = Sample::from_tape(&mut Tape::random(seed));
        let Some((system, code)) = sample.lines.first().map(|line| (line.system, line.code)) else {
            continue;
        };
        for insurer in &mut sample.insurers {
            let insurer = Arc::make_mut(insurer);
            if let Some(tariff) = &insurer.tariff {
                let mut document = tariff.document().clone();
                document.packages.push(Package {
                    code: Code::new(system, code),
                    title: String::new(),
                    services: vec![CodeGroup::Prefix {
                        system: None,
                        prefix: "A".to_owned(),
                    }],
                });
                insurer.tariff = Tariff::try_from(document).ok();
            }
        }
        let Some((bill, packages)) = sample.case().pack() else {
            continue;
        };
        let whole = bill.split(|need| sample.left(need)).lines;
        let apart = packages.share_out(whole.clone());
        packed += usize::from(apart.len() > whole.len());
        assert_eq!(apart.len(), sample.lines.len(), "seed {seed}");
        check(&whole, &apart, seed);
    }
    assert!(packed > 1_000, "{packed} bills with a package");
}

fn check(whole: &[LineShare], apart: &[LineShare], seed: u64) {
    for line in apart {
        let parts = [
            line.base,
            line.written_off,
            line.supplementary_total(),
            line.member,
        ];
        let sum: Amount = parts.into_iter().sum();
        assert_eq!(sum, line.billed, "seed {seed}: {line:#?}");
        let sound = parts.iter().all(|part| *part >= Amount::ZERO);
        assert!(sound && line.subsidy <= line.base, "seed {seed}: {line:#?}");
    }
    let sums = |lines: &[LineShare]| {
        let sum = |of: fn(&LineShare) -> Amount| -> Amount { lines.iter().map(of).sum() };
        let insurers = lines.first().map_or(0, |line| line.supplementary.len());
        let paid = (0..insurers).map(|at| -> Amount {
            let shares = lines.iter().filter_map(|line| line.supplementary.get(at));
            shares.map(|share| share.amount).sum()
        });
        let all = [
            sum(|line| line.billed),
            sum(|line| line.base),
            sum(|line| line.subsidy),
            sum(|line| line.written_off),
            sum(|line| line.member),
        ];
        (all, paid.collect::<Vec<_>>())
    };
    assert_eq!(sums(whole), sums(apart), "seed {seed}");
}
