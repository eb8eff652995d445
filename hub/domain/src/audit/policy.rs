//! Whom a verifier trusts, by C2SP `tlog-policy`: the keys of one log, witnesses, and how many of them must have
//! signed a checkpoint.
//!
//! ```text
//! log hub.example/audit+3c4a5b6d+AQ…
//! #valid hub.example/audit+3c4a5b6d from 2026-01-01T00:00:00Z until 2027-01-01T00:00:00Z
//! witness regulator regulator.example/w1+0a1b2c3d+BA…
//! witness insurer-a insurer-a.example/w1+1b2c3d4e+BA…
//! witness insurer-b insurer-b.example/w1+2c3d4e5f+BA…
//! group insurers any insurer-a insurer-b
//! group both all regulator insurers
//! quorum both
//! ```
//!
//! `#valid` is the one thing added: it says from when and until when (not included) a key of the log may have signed,
//! so that a key that was replaced signs nothing more. To other tools it is a comment.

use std::collections::HashSet;

use super::checkpoint::Checkpoint;
use super::hash::TreeHash;
use super::key::{Algorithm, KeyFault, KeyName, VerifierKey};
use super::note::{Note, Signature};
use crate::date::Instant;

/// More lines than a policy of any country needs; a longer file is a mistake.
const MAX_LINES: usize = 10_000;

/// Whom a verifier trusts.
#[derive(Debug, Clone)]
pub struct Policy {
    origin: KeyName,
    logs: Vec<LogKey>,
    witnesses: Vec<(String, VerifierKey)>,
    groups: Vec<Group>,
    quorum: Option<Member>,
}

/// A key of the log, and when it may have signed.
#[derive(Debug, Clone)]
struct LogKey {
    plain: VerifierKey,
    stamped: VerifierKey,
    from: Option<Instant>,
    until: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Member {
    Witness(usize),
    Group(usize),
}

#[derive(Debug, Clone)]
struct Group {
    name: String,
    least: usize,
    members: Vec<Member>,
}

/// Why a text is no policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyFault {
    /// A line is not of the form that its first word asks for.
    #[error("line {0}: expected log, witness, group, quorum or #valid with what belongs to it")]
    Form(usize),
    /// A key is none, or not of the kind that is wanted here.
    #[error("line {line}: {fault}")]
    Key {
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        fault: KeyFault,
    },
    /// A key or a name is there twice.
    #[error("line {0}: the key or the name is there already")]
    Twice(usize),
    /// A name was not defined above, or its key is of another log.
    #[error("line {0}: the name is not known above, or of another log")]
    Unknown(usize),
    /// There is no log, or not one quorum.
    #[error("a policy names a log's key, and one quorum (or: quorum none)")]
    Incomplete,
}

/// A checkpoint whose signatures hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// How many entries the log has.
    pub size: u64,
    /// The root of their tree.
    pub root: TreeHash,
    /// When the log signed it, in whole seconds.
    pub at: Instant,
    /// Whether the witnesses whom the policy asks for have signed it.
    pub witnessed: bool,
}

/// Why a note is not a checkpoint, or a promise, of the log that a policy trusts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteFault {
    /// It is not spelled as one.
    #[error("it is not well-formed")]
    Malformed,
    /// It is another log's.
    #[error("it is of another log")]
    Origin,
    /// A signature in the name of a trusted key does not hold.
    #[error("a signature in the name of a trusted key does not hold")]
    Forged,
    /// No key of the log has signed it, or not with the time.
    #[error("no key of the log has signed it with the time")]
    Unsigned,
    /// The log's key was not valid when it signed.
    #[error("the log's key was not valid at that time")]
    Expired,
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// The first line that is wrong.
    pub fn parse(text: &str) -> Result<Policy, PolicyFault> {
        let mut draft = Draft::default();
        for (number, line) in (1..).zip(text.lines().take(MAX_LINES)) {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            match words.as_slice() {
                ["log", key] | ["log", key, _] => draft.log(number, key)?,
                ["#valid", key, times @ ..] => draft.valid(number, key, times)?,
                [] => {}
                [first, ..] if first.starts_with('#') => {}
                ["witness", name, key] | ["witness", name, key, _] => {
                    draft.witness(number, name, key)?;
                }
                ["group", name, least, members @ ..] => {
                    draft.group(number, name, least, members)?;
                }
                ["quorum", name] => draft.quorum(number, name)?,
                _ => return Err(PolicyFault::Form(number)),
            }
        }
        draft.finish()
    }

    /// The log that is trusted.
    pub fn origin(&self) -> &KeyName {
        &self.origin
    }

    /// The trusted witness whom a signature names.
    pub(super) fn witness(&self, signature: &Signature) -> Option<&VerifierKey> {
        let mut keys = self.witnesses.iter().map(|(_, key)| key);
        keys.find(|key| key.is_named_by(signature))
    }

    /// Reads a checkpoint and checks every signature on it whose key is known. One that does not hold makes the
    /// whole worthless; those of unknown keys are ignored.
    ///
    /// # Errors
    /// Why it is no checkpoint of the log.
    pub fn checkpoint(&self, note: &str) -> Result<Head, NoteFault> {
        let note = Note::parse(note).ok_or(NoteFault::Malformed)?;
        let checkpoint = Checkpoint::parse(&note.text).ok_or(NoteFault::Malformed)?;
        if checkpoint.origin != self.origin {
            return Err(NoteFault::Origin);
        }
        let mut seen = HashSet::new();
        for (index, (_, key)) in self.witnesses.iter().enumerate() {
            if signed(&note, key)?.is_some() {
                seen.insert(Member::Witness(index));
            }
        }
        Ok(Head {
            size: checkpoint.size,
            root: checkpoint.root,
            at: self.signed_by_log(&note)?,
            witnessed: self.is_quorum(seen),
        })
    }

    /// When the log signed a checkpoint, by a key that was valid then.
    fn signed_by_log(&self, note: &Note) -> Result<Instant, NoteFault> {
        let mut found = Err(NoteFault::Unsigned);
        for log in &self.logs {
            let plain = signed(note, &log.plain)?;
            let stamped = signed(note, &log.stamped)?.and_then(Signature::time);
            found = match (plain, stamped) {
                (Some(_), Some(at)) if log.is_valid(at) => found.or(Ok(at)),
                (Some(_), Some(_)) => found.or(Err(NoteFault::Expired)),
                _ => found,
            };
        }
        found
    }

    /// Checks that a note, which tells its time itself, is signed by a key of the log that was valid then.
    ///
    /// # Errors
    /// Why it is not.
    pub(super) fn signed_by_log_at(&self, note: &Note, at: Instant) -> Result<(), NoteFault> {
        let mut found = Err(NoteFault::Unsigned);
        for log in &self.logs {
            found = match signed(note, &log.plain)? {
                Some(_) if log.is_valid(at) => Ok(()),
                Some(_) => found.or(Err(NoteFault::Expired)),
                None => found,
            };
        }
        found
    }

    fn is_quorum(&self, signed: HashSet<Member>) -> bool {
        let mut seen = signed;
        // A group names only what stands above it, so one pass settles all.
        for (index, group) in self.groups.iter().enumerate() {
            let members = group.members.iter().filter(|member| seen.contains(member));
            if members.count() >= group.least {
                seen.insert(Member::Group(index));
            }
        }
        self.quorum.is_none_or(|member| seen.contains(&member))
    }
}

/// The signature of a key on a note, where there is one.
fn signed<'n>(note: &'n Note, key: &VerifierKey) -> Result<Option<&'n Signature>, NoteFault> {
    let mut own = note.signatures.iter().filter(|one| key.is_named_by(one));
    let first = own.clone().next();
    match own.all(|signature| key.verify(&note.text, signature)) {
        true => Ok(first),
        false => Err(NoteFault::Forged),
    }
}

impl LogKey {
    fn is_valid(&self, at: Instant) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until)
    }
}

/// A policy while it is read.
#[derive(Default)]
struct Draft {
    logs: Vec<LogKey>,
    witnesses: Vec<(String, VerifierKey)>,
    groups: Vec<Group>,
    used: HashSet<Member>,
    quorum: Option<Option<Member>>,
}

impl Draft {
    fn key(
        &self,
        line: usize,
        text: &str,
        algorithm: Algorithm,
    ) -> Result<VerifierKey, PolicyFault> {
        let key = VerifierKey::parse(text).map_err(|fault| PolicyFault::Key { line, fault })?;
        if key.algorithm() != algorithm {
            let fault = KeyFault::Algorithm;
            return Err(PolicyFault::Key { line, fault });
        }
        let logs = self.logs.iter().map(|log| &log.plain);
        let mut known = logs.chain(self.witnesses.iter().map(|(_, key)| key));
        match known.any(|known| known.is_same_secret(&key)) {
            true => Err(PolicyFault::Twice(line)),
            false => Ok(key),
        }
    }

    fn log(&mut self, line: usize, key: &str) -> Result<(), PolicyFault> {
        let plain = self.key(line, key, Algorithm::Ed25519)?;
        let first = self.logs.first();
        if first.is_some_and(|first| first.plain.name() != plain.name()) {
            return Err(PolicyFault::Unknown(line));
        }
        self.logs.push(LogKey {
            stamped: plain.for_algorithm(Algorithm::Cosignature),
            plain,
            from: None,
            until: None,
        });
        Ok(())
    }

    fn valid(&mut self, line: usize, key: &str, times: &[&str]) -> Result<(), PolicyFault> {
        let instant = |text: &str| {
            let time: jiff::Timestamp = text.parse().map_err(|_| PolicyFault::Form(line))?;
            Ok(Some(Instant(time.as_microsecond())))
        };
        let (from, until) = match times {
            ["from", from] => (instant(from)?, None),
            ["until", until] => (None, instant(until)?),
            ["from", from, "until", until] => (instant(from)?, instant(until)?),
            _ => return Err(PolicyFault::Form(line)),
        };
        let named =
            |log: &&mut LogKey| format!("{}+{:08x}", log.plain.name(), log.plain.id()) == key;
        let log = self.logs.iter_mut().find(named);
        let log = log.ok_or(PolicyFault::Unknown(line))?;
        (log.from, log.until) = (from, until);
        Ok(())
    }

    fn witness(&mut self, line: usize, name: &str, key: &str) -> Result<(), PolicyFault> {
        let key = self.key(line, key, Algorithm::Cosignature)?;
        self.fresh(line, name)?;
        self.witnesses.push((name.to_owned(), key));
        Ok(())
    }

    fn group(
        &mut self,
        line: usize,
        name: &str,
        least: &str,
        members: &[&str],
    ) -> Result<(), PolicyFault> {
        self.fresh(line, name)?;
        let mut found = Vec::new();
        for name in members {
            let member = self.member(name).ok_or(PolicyFault::Unknown(line))?;
            // So that nobody counts twice towards a quorum.
            if !self.used.insert(member) {
                return Err(PolicyFault::Twice(line));
            }
            found.push(member);
        }
        let least = match least {
            "any" => 1,
            "all" => found.len(),
            number => number.parse().map_err(|_| PolicyFault::Form(line))?,
        };
        if !(1..=found.len()).contains(&least) {
            return Err(PolicyFault::Form(line));
        }
        self.groups.push(Group {
            name: name.to_owned(),
            least,
            members: found,
        });
        Ok(())
    }

    fn quorum(&mut self, line: usize, name: &str) -> Result<(), PolicyFault> {
        let member = match name {
            "none" => None,
            name => Some(self.member(name).ok_or(PolicyFault::Unknown(line))?),
        };
        match self.quorum.replace(member) {
            None => Ok(()),
            Some(_) => Err(PolicyFault::Twice(line)),
        }
    }

    fn finish(self) -> Result<Policy, PolicyFault> {
        let first = self.logs.first().ok_or(PolicyFault::Incomplete)?;
        Ok(Policy {
            origin: first.plain.name().clone(),
            quorum: self.quorum.ok_or(PolicyFault::Incomplete)?,
            logs: self.logs,
            witnesses: self.witnesses,
            groups: self.groups,
        })
    }

    fn fresh(&self, line: usize, name: &str) -> Result<(), PolicyFault> {
        match name == "none" || self.member(name).is_some() {
            true => Err(PolicyFault::Twice(line)),
            false => Ok(()),
        }
    }

    fn member(&self, name: &str) -> Option<Member> {
        let witness = self.witnesses.iter().position(|(own, _)| own == name);
        let group = self.groups.iter().position(|group| group.name == name);
        witness.map(Member::Witness).or(group.map(Member::Group))
    }
}
