//! Keys that notes are signed with, in C2SP's spelling: `name+id+key`, and `PRIVATE+KEY+name+id+key` for the secret.

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use std::fmt;

use super::hash::{from_base64, sha256, to_base64};
use super::note::Signature;
use crate::date::Instant;

/// The name of a log or a witness: an address without its scheme, such as `hub.example/audit`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

impl KeyName {
    /// Reads a name: anything without spaces, control characters and `+`.
    pub fn parse(text: &str) -> Option<KeyName> {
        let odd = |letter: char| letter.is_whitespace() || letter.is_control() || letter == '+';
        (!text.is_empty() && !text.contains(odd)).then(|| KeyName(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a signature is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Ed25519 over the text of the note.
    Ed25519,
    /// Ed25519 over the time in seconds and the text: C2SP's `cosignature/v1`.
    Cosignature,
}

impl Algorithm {
    fn code(self) -> u8 {
        match self {
            Algorithm::Ed25519 => 0x01,
            Algorithm::Cosignature => 0x04,
        }
    }

    /// What is signed, for a text and a time in seconds.
    fn message(self, text: &str, seconds: u64) -> String {
        match self {
            Algorithm::Ed25519 => text.to_owned(),
            Algorithm::Cosignature => format!("cosignature/v1\ntime {seconds}\n{text}"),
        }
    }
}

/// Why a text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// It is not `name+id+key`.
    #[error("a key is written name+id+key, a secret one PRIVATE+KEY+name+id+key")]
    Form,
    /// It is of an algorithm that is not used here.
    #[error("the key's algorithm is not Ed25519")]
    Algorithm,
    /// The id is not that of name and key: one of them was changed.
    #[error("the key's id does not belong to its name and key")]
    Id,
}

/// The public half of a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VerifierKey {
    name: KeyName,
    algorithm: Algorithm,
    public: [u8; 32],
    id: u32,
}

impl VerifierKey {
    /// A key by its parts.
    pub fn new(name: KeyName, algorithm: Algorithm, public: [u8; 32]) -> VerifierKey {
        let named = [
            name.as_str().as_bytes(),
            b"\n",
            &[algorithm.code()],
            &public,
        ]
        .concat();
        let [a, b, c, d, ..] = sha256(&named);
        VerifierKey {
            name,
            algorithm,
            public,
            id: u32::from_be_bytes([a, b, c, d]),
        }
    }

    /// Reads `name+id+key`.
    ///
    /// # Errors
    /// What it is not.
    pub fn parse(text: &str) -> Result<VerifierKey, KeyFault> {
        let (name, id, algorithm, public) = parts(text)?;
        let key = VerifierKey::new(name, algorithm, public);
        match key.id == id {
            true => Ok(key),
            false => Err(KeyFault::Id),
        }
    }

    /// Whose it is.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// Its short id, which is none without the name.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// What its signatures are over.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The same key for signatures over something else.
    pub fn for_algorithm(&self, algorithm: Algorithm) -> VerifierKey {
        VerifierKey::new(self.name.clone(), algorithm, self.public)
    }

    /// Whether the two wrap one key, whatever their names.
    pub fn is_same_secret(&self, other: &VerifierKey) -> bool {
        self.public == other.public
    }

    /// Whether a signature claims to be by this key.
    pub fn is_named_by(&self, signature: &Signature) -> bool {
        signature.name == self.name && signature.id == self.id
    }

    /// Whether a signature is by this key over this text.
    pub fn verify(&self, text: &str, signature: &Signature) -> bool {
        let (seconds, bytes) = match (self.algorithm, signature.stamp()) {
            (Algorithm::Ed25519, _) => (0, signature.bytes.as_slice()),
            (Algorithm::Cosignature, Some(stamped)) => stamped,
            (Algorithm::Cosignature, None) => return false,
        };
        let message = self.algorithm.message(text, seconds);
        self.is_named_by(signature)
            && UnparsedPublicKey::new(&ED25519, &self.public)
                .verify(message.as_bytes(), bytes)
                .is_ok()
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}",
            spelled(&self.name, self.id, self.algorithm, &self.public)
        )
    }
}

/// A key that signs. `Debug` masks the secret.
pub struct Signer {
    /// What the key was made for.
    algorithm: Algorithm,
    plain: VerifierKey,
    stamped: VerifierKey,
    pair: Ed25519KeyPair,
}

impl Signer {
    /// The key that a secret of 32 random bytes makes: for a log with [`Algorithm::Ed25519`], for a witness with
    /// [`Algorithm::Cosignature`].
    ///
    /// # Errors
    /// [`KeyFault::Form`] where the library refuses the secret.
    pub fn of_seed(
        name: KeyName,
        algorithm: Algorithm,
        seed: &[u8; 32],
    ) -> Result<Signer, KeyFault> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| KeyFault::Form)?;
        let public = pair.public_key().as_ref().try_into();
        let public = public.map_err(|_| KeyFault::Form)?;
        let plain = VerifierKey::new(name, Algorithm::Ed25519, public);
        Ok(Signer {
            algorithm,
            stamped: plain.for_algorithm(Algorithm::Cosignature),
            plain,
            pair,
        })
    }

    /// Reads `PRIVATE+KEY+name+id+key`.
    ///
    /// # Errors
    /// What it is not.
    pub fn parse(text: &str) -> Result<Signer, KeyFault> {
        let text = text.trim().strip_prefix("PRIVATE+KEY+");
        let (name, id, algorithm, seed) = parts(text.ok_or(KeyFault::Form)?)?;
        let signer = Signer::of_seed(name, algorithm, &seed)?;
        match signer.key().id == id {
            true => Ok(signer),
            false => Err(KeyFault::Id),
        }
    }

    /// The text that [`Signer::parse`] reads, for the file that keeps the secret of a new key.
    pub fn secret_text(&self, seed: &[u8; 32]) -> String {
        let VerifierKey { name, id, .. } = self.key();
        format!("PRIVATE+KEY+{}", spelled(name, *id, self.algorithm, seed))
    }

    /// The public half, for what the key was made for.
    pub fn key(&self) -> &VerifierKey {
        match self.algorithm {
            Algorithm::Ed25519 => &self.plain,
            Algorithm::Cosignature => &self.stamped,
        }
    }

    /// Signs the text of a note.
    pub fn sign(&self, text: &str) -> Signature {
        let signature = self.pair.sign(text.as_bytes());
        Signature {
            name: self.plain.name.clone(),
            id: self.plain.id,
            bytes: signature.as_ref().to_vec(),
        }
    }

    /// Signs the text of a note and the time, in whole seconds.
    pub fn sign_at(&self, text: &str, at: Instant) -> Signature {
        let seconds = u64::try_from(at.0.div_euclid(1_000_000)).unwrap_or(0);
        let message = Algorithm::Cosignature.message(text, seconds);
        let signature = self.pair.sign(message.as_bytes());
        Signature {
            name: self.stamped.name.clone(),
            id: self.stamped.id,
            bytes: [seconds.to_be_bytes().as_slice(), signature.as_ref()].concat(),
        }
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.key())
    }
}

fn spelled(name: &KeyName, id: u32, algorithm: Algorithm, key: &[u8; 32]) -> String {
    let key = [&[algorithm.code()], key.as_slice()].concat();
    format!("{name}+{id:08x}+{}", to_base64(&key))
}

/// Name, id, algorithm and the 32 bytes of a key.
fn parts(text: &str) -> Result<(KeyName, u32, Algorithm, [u8; 32]), KeyFault> {
    let (name, rest) = text.split_once('+').ok_or(KeyFault::Form)?;
    let (id, key) = rest.split_once('+').ok_or(KeyFault::Form)?;
    let name = KeyName::parse(name).ok_or(KeyFault::Form)?;
    let is_id = id.len() == 8 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = u32::from_str_radix(id, 16).ok().filter(|_| is_id);
    let bytes = from_base64(key).ok_or(KeyFault::Form)?;
    let (code, bytes) = bytes.split_first().ok_or(KeyFault::Form)?;
    let algorithm = [Algorithm::Ed25519, Algorithm::Cosignature]
        .into_iter()
        .find(|algorithm| algorithm.code() == *code)
        .ok_or(KeyFault::Algorithm)?;
    let bytes = bytes.try_into().map_err(|_| KeyFault::Form)?;
    Ok((name, number.ok_or(KeyFault::Form)?, algorithm, bytes))
}
