//! The shape of the repository itself: who may depend on whom, whose licences are taken, nothing orphaned.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The architecture's drawing: who may depend on whom, for building and for tests alike.
/// `benches` may depend on anything. Tests of `insurers` talk to the simulators of `conformance`.
const MAY_DEPEND: &[(&str, &[&str])] = &[
    ("takmil-domain", &[]),
    ("takmil-proto", &[]),
    ("takmil-formats", &["takmil-domain"]),
    ("takmil-mappings", &["takmil-domain"]),
    ("takmil-store", &["takmil-domain", "takmil-conformance"]),
    (
        "takmil-insurers",
        &["takmil-proto", "takmil-domain", "takmil-conformance"],
    ),
    (
        "takmil-engine",
        &[
            "takmil-store",
            "takmil-domain",
            "takmil-formats",
            "takmil-mappings",
            "takmil-insurers",
            "takmil-conformance",
        ],
    ),
    (
        "takmil-portal",
        &["takmil-engine", "takmil-store", "takmil-domain"],
    ),
    (
        "takmil",
        &[
            "takmil-portal",
            "takmil-engine",
            "takmil-store",
            "takmil-domain",
            "takmil-formats",
            "takmil-mappings",
            "takmil-insurers",
            "takmil-proto",
            "takmil-conformance",
        ],
    ),
    ("takmil-conformance", &["takmil-proto"]),
];

/// Crates that only some may use: SQL stays in the store, faces stay in the gateway. The benches measure what a bare
/// database can do.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("sqlx", &["takmil-store", "takmil-benches"]),
    ("jsonschema", &["takmil-formats", "takmil"]),
    ("quick-xml", &["takmil-formats"]),
    ("governor", &["takmil"]),
    ("redis", &["takmil"]),
    ("utoipa", &["takmil"]),
];

/// The licences that the product may carry.
const LICENCES: &[&str] = &[
    "Apache-2.0",
    "MIT",
    "MIT-0",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "0BSD",
    "Unicode-3.0",
    "CC0-1.0",
    "BSL-1.0",
    "Unlicense",
    "CDLA-Permissive-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "MPL-2.0",
    "OpenSSL",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

fn metadata() -> Value {
    let rustc = Command::new("rustc")
        .arg("-vV")
        .output()
        .expect("rustc runs");
    let version = String::from_utf8(rustc.stdout).unwrap();
    let host = version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .expect("rustc names its host");
    // Of this platform alone: crates of others may never have been fetched.
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--offline",
            "--filter-platform",
            host,
        ])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

#[test]
fn crates_depend_on_each_other_only_as_the_architecture_draws() {
    let metadata = metadata();
    let mut seen = BTreeSet::new();
    for package in metadata["packages"].as_array().unwrap() {
        let name = text(package, "name");
        if package["source"].is_string() {
            continue;
        }
        seen.insert(name.to_owned());
        let allowed = MAY_DEPEND
            .iter()
            .find(|(own, _)| *own == name)
            .map(|(_, allowed)| *allowed);
        for dependency in package["dependencies"].as_array().unwrap() {
            let on = text(dependency, "name");
            if on.starts_with("takmil") && name != "takmil-benches" {
                assert!(
                    allowed.unwrap_or_default().contains(&on),
                    "{name} must not depend on {on}"
                );
            }
            let for_tests = dependency["kind"] == "dev";
            if let Some((_, users)) = ONLY_IN.iter().find(|(own, _)| *own == on && !for_tests) {
                assert!(users.contains(&name), "{name} must not use {on}");
            }
        }
    }
    let drawn: BTreeSet<String> = MAY_DEPEND
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .chain(["takmil-benches".to_owned()])
        .collect();
    assert_eq!(
        seen, drawn,
        "every crate of the drawing is there, and no other"
    );
}

/// An SPDX expression is fine where one of each alternative is taken.
fn is_taken(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ").replace(['(', ')'], " ");
    expression
        .split(" AND ")
        .all(|all| all.split(" OR ").any(|one| LICENCES.contains(&one.trim())))
}

#[test]
fn every_dependency_has_a_licence_that_the_product_may_carry() {
    let metadata = metadata();
    let mut refused = BTreeMap::new();
    for package in metadata["packages"].as_array().unwrap() {
        let licence = text(package, "license");
        if !is_taken(licence) {
            refused.insert(text(package, "name").to_owned(), licence.to_owned());
        }
    }
    assert!(refused.is_empty(), "{refused:#?}");
    assert!(!is_taken("GPL-3.0-only"), "the check can fail");
}

fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            files(&path, ending, found);
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
}

#[test]
fn no_source_file_is_orphaned_or_too_long_to_be_one_thing() {
    let mut sources = Vec::new();
    files(&root(), ".rs", &mut sources);
    assert!(sources.len() > 50, "the sources are found");
    for source in &sources {
        let content = std::fs::read_to_string(source).unwrap();
        assert!(
            content.starts_with("//!"),
            "{} does not say what it is",
            source.display()
        );
        let lines = content.lines().count();
        assert!(
            lines <= 700,
            "{} has {lines} lines: is it still one thing?",
            source.display()
        );
        if source.components().any(|part| part.as_os_str() == "src") {
            assert!(
                is_declared(source),
                "{} is part of no crate",
                source.display()
            );
        }
    }
}

/// Whether a module of this name is declared where Rust looks for it.
fn is_declared(source: &Path) -> bool {
    let stem = source.file_stem().unwrap().to_string_lossy();
    let folder = source.parent().unwrap();
    if matches!(stem.as_ref(), "lib" | "main") || folder.ends_with("bin") {
        return true;
    }
    let (name, home) = if stem == "mod" {
        (
            folder.file_name().unwrap().to_string_lossy(),
            folder.parent().unwrap(),
        )
    } else {
        (stem, folder)
    };
    let parents = ["lib.rs", "main.rs", "mod.rs"].map(|file| home.join(file));
    let beside = home.with_extension("rs");
    parents
        .iter()
        .chain([&beside])
        .filter_map(|parent| std::fs::read_to_string(parent).ok())
        .any(|content| {
            let declares = |line: &str| {
                line.trim_start()
                    .trim_start_matches("pub(crate) ")
                    .trim_start_matches("pub(super) ")
                    .trim_start_matches("pub ")
                    .starts_with(&format!("mod {name};"))
            };
            content.lines().any(declares)
        })
}

#[test]
fn every_format_has_samples_and_every_rule_is_registered() {
    let formats = root().join("adapters/formats");
    let registry = std::fs::read_to_string(formats.join("src/lib.rs")).unwrap();
    for entry in std::fs::read_dir(formats.join("src"))
        .unwrap()
        .map(Result::unwrap)
        // What all formats share has folders too.
        .filter(|entry| registry.contains(&format!("{}::FORMAT", entry.file_name().display())))
    {
        let samples = formats.join("samples").join(entry.file_name());
        let some = std::fs::read_dir(&samples).is_ok_and(|mut found| found.next().is_some());
        assert!(some, "format {:?} has no samples", entry.file_name());
    }
    let domain = root().join("hub/domain/src");
    every_rule_is_registered(&domain.join("share"), "pub(super) fn apply(", "apply");
    every_rule_is_registered(&domain.join("clinical"), "const RULE: Rule", "RULE");
}

/// Each file of a folder that holds a rule stands in the registry of its `mod.rs`.
fn every_rule_is_registered(folder: &Path, holds: &str, name: &str) {
    let registry = std::fs::read_to_string(folder.join("mod.rs")).unwrap();
    let mut rules = 0;
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let content = std::fs::read_to_string(entry.path()).unwrap();
        let stem = entry
            .path()
            .file_stem()
            .unwrap()
            .to_string_lossy()
            .into_owned();
        if content.contains(holds) {
            rules += 1;
            assert!(
                registry.contains(&format!("{stem}::{name},")),
                "rule {stem} is in no registry"
            );
        }
    }
    assert!(rules >= 8, "{rules} rules in {}", folder.display());
}

#[test]
fn the_repository_speaks_of_the_product_alone() {
    let mut prose = Vec::new();
    for ending in [".rs", ".md", ".toml", ".proto", ".sql", ".json", ".html"] {
        files(&root(), ending, &mut prose);
    }
    // Written in two halves, so that this file does not name them itself.
    let unwanted = [
        ["/work", "/"].concat(),
        ["crates", ".io"].concat(),
        ["TO", "DO"].concat(),
        ["FIX", "ME"].concat(),
    ];
    for file in prose {
        let content = std::fs::read_to_string(&file).unwrap();
        for word in &unwanted {
            assert!(!content.contains(word), "{} names {word}", file.display());
        }
    }
}
