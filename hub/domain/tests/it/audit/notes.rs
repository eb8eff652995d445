//! Notes, keys, checkpoints and policies, held against another implementation and against the specifications.

use signed_note::{Note as OtherNote, StandardSigner, StandardVerifier, VerifierList};
use takmil_domain::audit::{
    Algorithm, Checkpoint, KeyFault, MAX_SIGNATURES, Note, NoteFault, Policy, PolicyFault,
    Signature, Signer, TreeHash, VerifierKey,
};
use takmil_domain::date::Instant;

use super::files::{Keys, MINUTE, ORIGIN, START, checkpoint, log_key, name, witness_key};

/// From the documentation of Go's package for notes: a key, and what it signed.
const GO_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const GO_SECRET: &str =
    "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const GO_NOTE: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n\n\
    \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

#[test]
fn notes_of_others_are_read_checked_and_made_alike() {
    let key = VerifierKey::parse(GO_KEY).unwrap();
    let note = Note::parse(GO_NOTE).unwrap();
    assert!(key.verify(&note.text, &note.signatures[0]));
    assert!(!key.verify("another text\n", &note.signatures[0]));
    assert_eq!(note.to_string(), GO_NOTE);
    let signer = Signer::parse(GO_SECRET).unwrap();
    assert_eq!(signer.key(), &key);
    assert_eq!(key.to_string(), GO_KEY);
    assert_eq!(signer.sign(&note.text), note.signatures[0]);
    assert!(
        !format!("{signer:?}").contains("EKFALVFGyNhPJEMzD1QIDr"),
        "a secret is not shown"
    );
}

#[test]
fn others_read_our_keys_and_verify_our_checkpoints() {
    let seed = [42; 32];
    let log = Signer::of_seed(name(ORIGIN), Algorithm::Ed25519, &seed).unwrap();
    let leaf = TreeHash::of_leaf(b"leaf");
    let note = checkpoint(&[leaf], 3, &log, &[witness_key(11)]);
    let verifier = StandardVerifier::new(&log.key().to_string()).unwrap();
    let others = OtherNote::from_bytes(note.as_bytes()).unwrap();
    let known = VerifierList::new(vec![Box::new(verifier)]);
    let (verified, unknown) = others.verify(&known).unwrap();
    assert_eq!(
        (verified.len(), unknown.len()),
        (1, 2),
        "time and witness are unknown keys to it"
    );
    let read = tlog_tiles::Checkpoint::from_bytes(others.text()).unwrap();
    assert_eq!(
        (read.origin(), read.size(), read.hash().0),
        (ORIGIN, 1, leaf.0)
    );

    let secret = log.secret_text(&seed);
    let other = StandardSigner::new(&secret).unwrap();
    let mut theirs = OtherNote::new(others.text(), &[]).unwrap();
    theirs.add_sigs(&[&other]).unwrap();
    let theirs = Note::parse(std::str::from_utf8(&theirs.to_bytes()).unwrap()).unwrap();
    assert_eq!(
        theirs.signatures[0],
        Note::parse(&note).unwrap().signatures[0]
    );
}

#[test]
fn a_cosignature_is_over_the_time_and_the_text_as_specified() {
    let seed = [11; 32];
    let text =
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    let witness = Signer::of_seed(name("w.example/1"), Algorithm::Cosignature, &seed).unwrap();
    let cosignature = witness.sign_at(text, Instant(1_679_315_147_999_999));
    assert_eq!(cosignature.time(), Some(Instant(1_679_315_147_000_000)));
    assert_eq!(cosignature.bytes[..8], 1_679_315_147_u64.to_be_bytes());
    // The same key as one for plain notes, over the message that the specification spells out.
    let plain = Signer::of_seed(name("w.example/1"), Algorithm::Ed25519, &seed).unwrap();
    let message = format!("cosignature/v1\ntime 1679315147\n{text}");
    assert_eq!(cosignature.bytes[8..], plain.sign(&message).bytes);
    assert_ne!(plain.key().id(), witness.key().id());
    assert!(witness.key().verify(text, &cosignature));
    let mut later = cosignature.clone();
    later.bytes[7] ^= 1;
    assert!(!witness.key().verify(text, &later));
    let short = Signature {
        bytes: vec![0; 7],
        ..cosignature
    };
    assert!(!witness.key().verify(text, &short));
}

#[test]
fn what_is_no_note_no_key_and_no_checkpoint_is_refused() {
    let line = GO_NOTE.lines().last().unwrap();
    for wrong in [
        String::new(),
        "text\n".to_owned(),
        "text\n\n".to_owned(),
        format!("text\n{line}\n"),
        format!("text\n\n{line}"),
        format!("te\rxt\n\n{line}\n"),
        format!("text\n\n{line}\nnot a signature\n"),
        format!("text\n\n{}\n", line.replace('\u{2014}', "-")),
        format!("text\n\n{}\n", line.replace("nAM=", "nAN=")),
        "text\n\n\u{2014} name eDA4\n".to_owned(),
        format!("text\n\n{}", format!("{line}\n").repeat(MAX_SIGNATURES + 1)),
        format!("{}\n\n{line}\n", "x".repeat(64 * 1024)),
    ] {
        assert_eq!(Note::parse(&wrong), None, "{wrong:.60}");
    }
    assert!(
        Note::parse(&format!("a\n\nb\n\n{line}\n")).is_some(),
        "blank lines may be in a text"
    );
    let check =
        |text: &str, fault| assert_eq!(VerifierKey::parse(text).unwrap_err(), fault, "{text}");
    check("name", KeyFault::Form);
    check(
        "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        KeyFault::Form,
    );
    check(&GO_KEY.replace("c74f", "c74e"), KeyFault::Id);
    check(&GO_KEY.replace("Peter", "Paul"), KeyFault::Id);
    check(&GO_KEY.replace("+A", "+B"), KeyFault::Algorithm);
    check(&GO_KEY.replace("+c74f20a3", "+74f20a3"), KeyFault::Form);
    assert_eq!(Signer::parse(GO_KEY).unwrap_err(), KeyFault::Form);
    let root = TreeHash::of_nothing();
    let good = format!("a/b\n7\n{root}\n");
    assert_eq!(Checkpoint::parse(&good).unwrap().text(), good);
    for wrong in [
        format!("a/b\n07\n{root}\n"),
        format!("a/b\n-7\n{root}\n"),
        format!("a/b\n7\n{root}"),
        format!("a b\n7\n{root}\n"),
        format!("a/b\n7\n{root}\nmore\n"),
        format!("a/b\n7\n{}\n", root.to_string().replace('=', "")),
        "a/b\n7\n".to_owned(),
    ] {
        assert_eq!(Checkpoint::parse(&wrong), None, "{wrong}");
    }
}

#[test]
fn a_checkpoint_counts_as_witnessed_by_the_quorum_of_the_policy() {
    let keys = Keys::new();
    let [regulator, first, second] = keys.witnesses.as_slice() else {
        panic!()
    };
    let leaf = [TreeHash::of_leaf(b"leaf")];
    let check = |witnesses: &[&Signer], witnessed: bool| {
        let mut note = Note::parse(&checkpoint(&leaf, 0, &keys.log, &[])).unwrap();
        for witness in witnesses {
            note.signatures.push(witness.sign_at(&note.text, START));
        }
        let head = keys.policy.checkpoint(&note.to_string()).unwrap();
        assert_eq!(head.witnessed, witnessed, "{witnesses:?}");
        assert_eq!((head.size, head.root), (1, leaf[0]));
    };
    check(&[], false);
    check(&[regulator], false);
    check(&[first, second], false);
    check(&[regulator, &witness_key(99)], false);
    check(&[regulator, regulator], false);
    check(&[regulator, second], true);
    check(&[regulator, first, second], true);
}

#[test]
fn a_checkpoint_of_somebody_else_is_refused() {
    let keys = Keys::new();
    let leaf = [TreeHash::of_leaf(b"leaf")];
    let good = checkpoint(&leaf, 0, &keys.log, &keys.witnesses);
    let check = |note: &str, fault| assert_eq!(keys.policy.checkpoint(note), Err(fault), "{note}");
    let stranger = Signer::of_seed(name("evil.example"), Algorithm::Ed25519, &[3; 32]).unwrap();
    check(&checkpoint(&leaf, 0, &stranger, &[]), NoteFault::Origin);
    check(
        &checkpoint(&leaf, 0, &log_key(2), &keys.witnesses),
        NoteFault::Unsigned,
    );
    check(&good.replacen("\n1\n", "\n2\n", 1), NoteFault::Forged);
    check("nothing", NoteFault::Malformed);
    let without_time = |note: &str| {
        let mut note = Note::parse(note).unwrap();
        note.signatures.remove(1);
        note.to_string()
    };
    check(&without_time(&good), NoteFault::Unsigned);
    let mut forged = Note::parse(&good).unwrap();
    forged.signatures[3].bytes[20] ^= 1;
    check(&forged.to_string(), NoteFault::Forged);
}

#[test]
fn a_replaced_key_signs_nothing_more() {
    let (old, new) = (log_key(1), log_key(2));
    let id = |key: &Signer| format!("{}+{:08x}", key.key().name(), key.key().id());
    // The keys change ten minutes after the start.
    let change = START.0 + 10 * MINUTE;
    let change = jiff::Timestamp::from_microsecond(change).unwrap();
    let text = format!(
        "# Keys of a hub\nlog {}\nlog {} https://hub.example/audit\n#valid {} until {change}\n#valid {} from {change}\nquorum none\n",
        old.key(),
        new.key(),
        id(&old),
        id(&new)
    );
    let policy = Policy::parse(&text).unwrap();
    let leaf = [TreeHash::of_leaf(b"leaf")];
    let check = |key: &Signer, minutes, fault| {
        let found = policy.checkpoint(&checkpoint(&leaf, minutes, key, &[]));
        assert_eq!(found.err(), fault, "after {minutes} minutes");
    };
    check(&old, 9, None);
    check(&old, 10, Some(NoteFault::Expired));
    check(&new, 9, Some(NoteFault::Expired));
    check(&new, 10, None);
    let both = {
        let at = Instant(START.0 + 12 * MINUTE);
        let mut note = Note::parse(&checkpoint(&leaf, 12, &old, &[])).unwrap();
        note.signatures
            .extend([new.sign(&note.text), new.sign_at(&note.text, at)]);
        note.to_string()
    };
    assert!(policy.checkpoint(&both).is_ok(), "one good key is enough");
}

#[test]
fn a_policy_that_is_none_says_at_which_line() {
    let [log, other] = [1, 2].map(|seed| log_key(seed).key().to_string());
    let [w1, w2] = [11, 12].map(|seed| witness_key(seed).key().to_string());
    let alien = Signer::of_seed(name("else.example"), Algorithm::Ed25519, &[5; 32]).unwrap();
    let same = Signer::of_seed(name("same.example"), Algorithm::Cosignature, &[1; 32]).unwrap();
    let check = |lines: &[String], fault: PolicyFault| {
        let found = Policy::parse(&lines.join("\n")).unwrap_err();
        assert_eq!(found, fault, "{lines:?}");
    };
    let log = format!("log {log}");
    let line = |text: &str| text.to_owned();
    let none = line("quorum none");
    let [one, two] = [format!("witness a {w1}"), format!("witness b {w2}")];
    assert!(Policy::parse(&[log.clone(), none.clone()].join("\n")).is_ok());
    check(&[], PolicyFault::Incomplete);
    check(std::slice::from_ref(&log), PolicyFault::Incomplete);
    check(std::slice::from_ref(&none), PolicyFault::Incomplete);
    check(
        &[log.clone(), none.clone(), none.clone()],
        PolicyFault::Twice(3),
    );
    check(&[log.clone(), log.clone()], PolicyFault::Twice(2));
    check(
        &[log.clone(), format!("log {}", alien.key())],
        PolicyFault::Unknown(2),
    );
    check(
        &[log.clone(), format!("witness a {}", same.key())],
        PolicyFault::Twice(2),
    );
    let algorithm = |line| PolicyFault::Key {
        line,
        fault: KeyFault::Algorithm,
    };
    check(&[format!("log {w1}")], algorithm(1));
    check(&[log.clone(), format!("witness a {other}")], algorithm(2));
    check(
        &[one.clone(), format!("witness a {w2}")],
        PolicyFault::Twice(2),
    );
    check(&[format!("witness none {w2}")], PolicyFault::Twice(1));
    let group = |text: &str| [one.clone(), two.clone(), line(text)];
    check(&group("group g 3 a b"), PolicyFault::Form(3));
    check(&group("group g 0 a b"), PolicyFault::Form(3));
    check(&group("group g most a b"), PolicyFault::Form(3));
    check(&group("group g all"), PolicyFault::Form(3));
    check(&group("group g any a a"), PolicyFault::Twice(3));
    check(&group("group g any a c"), PolicyFault::Unknown(3));
    check(&group("group a any b"), PolicyFault::Twice(3));
    check(&group("quorum c"), PolicyFault::Unknown(3));
    check(&group("quorums a"), PolicyFault::Form(3));
    check(
        &[
            log.clone(),
            format!("#valid {ORIGIN}+00000000 from 2026-01-01T00:00:00Z"),
        ],
        PolicyFault::Unknown(2),
    );
    check(
        &[log, format!("#valid {ORIGIN}+00000000 since 2026-01-01")],
        PolicyFault::Form(2),
    );
}
