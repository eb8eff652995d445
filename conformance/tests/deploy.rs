//! What stands under `deploy/` speaks of a hub that exists: its configuration, its metrics, its time to stop.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const DEFAULTS: &str = include_str!("../../hub/gateway/takmil.default.toml");

/// What a histogram's name is followed by, where collectors read it.
const SERIES: [&str; 3] = ["_bucket", "_count", "_sum"];

fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap().to_owned()
}

/// The files under a folder of the repository whose names end so, with what stands in them.
fn files(folder: &str, ending: &str) -> BTreeMap<PathBuf, String> {
    let (mut folders, mut found) = (vec![root().join(folder)], BTreeMap::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                let content = fs::read_to_string(&path).unwrap();
                found.insert(path, content);
            }
        }
    }
    assert!(
        !found.is_empty(),
        "nothing under {folder} ends with {ending}"
    );
    found
}

/// The words of a text that are made of letters, digits and underscores.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
}

/// `section.key` of every line that sets a key.
fn keys(toml: &str) -> BTreeSet<String> {
    let (mut section, mut found) = ("", BTreeSet::new());
    for line in toml.lines() {
        if let Some(named) = line.strip_prefix('[') {
            section = named.trim_end().trim_end_matches(']');
        } else if let Some((key, _)) = line.split_once(" = ")
            && !line.starts_with('#')
        {
            found.insert(format!("{section}.{key}"));
        }
    }
    found
}

/// The configurations that scripts write: what stands between `<<TOML` and `TOML`.
fn written_by(script: &str) -> impl Iterator<Item = &str> {
    let after = script.split("<<TOML\n").skip(1);
    after.map(|rest| rest.split("\nTOML\n").next().unwrap())
}

/// `section.key` of every variable `TAKMIL_SECTION__KEY`.
fn variables(text: &str) -> BTreeSet<String> {
    let named = words(text).filter_map(|word| word.strip_prefix("TAKMIL_")?.split_once("__"));
    named
        .map(|(section, key)| format!("{section}.{key}").to_lowercase())
        .collect()
}

/// `section.key` of every `[section] key` that prose speaks of.
fn mentioned(text: &str, sections: &BTreeSet<&str>) -> BTreeSet<String> {
    let after = text.split('[').skip(1);
    let pairs = after.filter_map(|rest| rest.split_once("] "));
    pairs
        .filter(|(section, _)| sections.contains(section))
        .filter_map(|(section, rest)| Some(format!("{section}.{}", words(rest).next()?)))
        .filter(|pair| !pair.ends_with('.'))
        .collect()
}

#[test]
fn every_key_under_deploy_is_one_of_the_hubs() {
    let known = keys(DEFAULTS);
    let sections: BTreeSet<&str> = known
        .iter()
        .filter_map(|key| key.split('.').next())
        .collect();
    let mut seen = 0_usize;
    for (file, content) in files("deploy", "") {
        let mut used = variables(&content);
        used.extend(mentioned(&content, &sections));
        if file.extension().is_some_and(|ending| ending == "toml") {
            used.extend(keys(&content));
        }
        written_by(&content).for_each(|toml| used.extend(keys(toml)));
        seen = seen.saturating_add(used.len());
        let unknown: Vec<_> = used.difference(&known).collect();
        assert!(unknown.is_empty(), "{}: {unknown:?}", file.display());
    }
    assert!(seen > 30, "the keys are found, not {seen} of them");
}

#[test]
fn a_key_that_the_hub_does_not_know_is_seen_wherever_it_stands() {
    assert!(keys("[store]\nno = 1\n# nor = 2").iter().eq(["store.no"]));
    assert!(variables("X=$TAKMIL_STORE__NO_FILE").contains("store.no_file"));
    let sections = BTreeSet::from(["store"]);
    let prose = "as [store] no, says; see [store]; and [of] that";
    assert!(mentioned(prose, &sections).iter().eq(["store.no"]));
    let script = "cat <<TOML\n[store]\nno = 1\nTOML\nrest = 1\n";
    assert!(written_by(script).eq(["[store]\nno = 1"]));
}

#[test]
fn every_metric_under_deploy_is_exported() {
    let mut exported = BTreeSet::new();
    for content in files("hub/gateway/src", ".rs").into_values() {
        let texts = content
            .split('"')
            .filter(|text| text.starts_with("takmil_"));
        exported.extend(texts.map(str::to_owned));
    }
    let mut seen = BTreeSet::new();
    for (file, content) in files("deploy/monitoring", "") {
        for name in words(&content).filter(|word| word.starts_with("takmil_")) {
            let base = SERIES.iter().find_map(|end| name.strip_suffix(end));
            let is_exported =
                exported.contains(name) || base.is_some_and(|it| exported.contains(it));
            assert!(is_exported, "{}: no metric {name}", file.display());
            seen.insert(name.to_owned());
        }
    }
    assert!(seen.len() > 5, "the metrics are found: {seen:?}");
}

/// The number that follows a text, the first time that it stands there.
fn number_after(content: &str, text: &str) -> u64 {
    let (_, rest) = content.split_once(text).expect(text);
    words(rest.trim_start())
        .next()
        .unwrap()
        .trim_end_matches('s')
        .parse()
        .expect(text)
}

#[test]
fn whoever_stops_a_hub_waits_for_longer_than_it_takes() {
    // Balancers hear of it first; then connections are drained, then the lanes.
    let drain_ms = 2 * number_after(DEFAULTS, "drain_ms =");
    let notice_ms = number_after(DEFAULTS, "notice_ms =");
    let of = |file: &str| fs::read_to_string(root().join("deploy").join(file)).unwrap();
    let in_cluster_ms = number_after(&of("kubernetes/takmil.toml"), "notice_ms =");
    for (file, key, notice_ms) in [
        ("systemd/takmil.service", "TimeoutStopSec=", notice_ms),
        ("compose/compose.yaml", "stop_grace_period:", notice_ms),
        (
            "kubernetes/hub.yaml",
            "terminationGracePeriodSeconds:",
            in_cluster_ms,
        ),
    ] {
        let wait_ms = 1_000 * number_after(&of(file), key);
        assert!(wait_ms > notice_ms + drain_ms, "{file}: {wait_ms} ms");
    }
}
