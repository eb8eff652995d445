//! Personal contents at rest: sealed with AES-256-GCM-SIV under a key of the person's own, so that erasing that
//! one key erases everything that was ever kept of the person, in backups too.
//!
//! RFC 8452 derives the key of every sealed part from the owner's key and the nonce, which is made of the
//! message's id and the part: each message has keys of its own, and nothing but the owner's key is to be kept.
//! The mode stays safe where a nonce comes again, as in a turn that is done anew. Owners' keys are kept wrapped
//! by a [`KeyProvider`]; no key stands in the clear in the database.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aes_gcm_siv::aead::{Aead, Payload};
use aes_gcm_siv::{Aes256GcmSiv, KeyInit, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use takmil_domain::digest::Keyed;
use uuid::Uuid;
use zeroize::{Zeroize, Zeroizing};

use crate::secret::{sync_folder_of, write_secret};

/// Bytes of a key.
const KEY_BYTES: usize = 32;

/// The form of a sealed part or a wrapped key, its first byte: AES-256-GCM-SIV.
const FORM: u8 = 1;

/// The part that a wrapped key is: no part of a message has this number.
const KEY_PART: u32 = u32::MAX;

/// What a fingerprint is of, beside the key, so that it is no digest of anything else.
const FINGERPRINT: &[u8] = b"takmil member key ";

/// What can go wrong with keys and sealed parts. Says nothing of what is inside.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// A key file cannot be read.
    #[error("the key file cannot be read")]
    File(#[source] std::io::Error),
    /// A line of a key file is no key.
    #[error("line {line} of the key file is not a number and 32 bytes in base64")]
    Line {
        /// Which line, from 1.
        line: usize,
    },
    /// A key file holds no key.
    #[error("the key file holds no key")]
    NoKey,
    /// What is wrapped needs a key that the provider does not have.
    #[error("the key numbered {number} is not at hand")]
    Missing {
        /// Its number.
        number: u32,
    },
    /// A line of the list of the forgotten is no id.
    #[error("line {line} of the list of erased owners is no id")]
    ErasedLine {
        /// Which line, from 1.
        line: usize,
    },
    /// The owner was forgotten: nothing of its own opens any more.
    #[error("the owner was erased")]
    Forgotten,
    /// What was sealed or wrapped has been changed, or belongs elsewhere.
    #[error("sealed contents do not open: changed, or of another owner or place")]
    Broken,
}

/// A key in the clear, for as long as it is used. It prints nothing of itself.
#[derive(Clone, PartialEq, Eq)]
pub struct OwnerKey(Zeroizing<[u8; KEY_BYTES]>);

impl std::fmt::Debug for OwnerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OwnerKey")
    }
}

impl OwnerKey {
    /// A key of random bits.
    pub fn new(mut bits: [u8; KEY_BYTES]) -> OwnerKey {
        let key = OwnerKey(Zeroizing::new(bits));
        bits.zeroize();
        key
    }

    /// Seals a part of a message. It opens under the same message and part alone.
    pub(crate) fn seal(
        &self,
        message: Uuid,
        part: u32,
        contents: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        let (nonce, place) = place(message, part);
        let payload = Payload {
            msg: contents,
            aad: &place,
        };
        let sealed = self
            .cipher()?
            .encrypt(&nonce, payload)
            .map_err(|_| SealError::Broken)?;
        let mut whole = Vec::with_capacity(1 + sealed.len());
        whole.push(FORM);
        whole.extend_from_slice(&sealed);
        Ok(whole)
    }

    /// Opens a sealed part.
    pub(crate) fn open(
        &self,
        message: Uuid,
        part: u32,
        sealed: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        let Some((&FORM, sealed)) = sealed.split_first() else {
            return Err(SealError::Broken);
        };
        let (nonce, place) = place(message, part);
        let payload = Payload {
            msg: sealed,
            aad: &place,
        };
        self.cipher()?
            .decrypt(&nonce, payload)
            .map_err(|_| SealError::Broken)
    }

    /// A digest under the key, to be a key for something else.
    pub(crate) fn digest(&self, purpose: &[u8]) -> [u8; 32] {
        Keyed::new(self.0.as_slice()).of(&[purpose])
    }

    fn cipher(&self) -> Result<Aes256GcmSiv, SealError> {
        Aes256GcmSiv::new_from_slice(self.0.as_slice()).map_err(|_| SealError::Broken)
    }
}

/// The nonce of a part, and the place that is authenticated with it: the whole id and the part's number.
///
/// The nonce takes the id's random bits and the finer part of its moment, its last twelve bytes, and the part in the
/// first four of them.
fn place(message: Uuid, part: u32) -> (Nonce, [u8; 20]) {
    let mut place = [0; 20];
    let bytes = message.into_bytes().into_iter().chain(part.to_be_bytes());
    for (to, from) in place.iter_mut().zip(bytes) {
        *to = from;
    }
    let [_, _, _, _, nonce @ ..] = (message.as_u128() ^ (u128::from(part) << 64)).to_be_bytes();
    (Nonce::from(nonce), place)
}

/// A future of a provider.
pub type KeyFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, SealError>> + Send + 'a>>;

/// Who keeps the key under which owners' keys are wrapped: a file here, a key management service elsewhere.
pub trait KeyProvider: Send + Sync {
    /// Wraps an owner's key.
    fn wrap<'a>(&'a self, owner: Uuid, key: &'a OwnerKey) -> KeyFuture<'a, Vec<u8>>;
    /// Opens a wrapped key; never again one of a forgotten owner.
    fn unwrap<'a>(&'a self, owner: Uuid, wrapped: &'a [u8]) -> KeyFuture<'a, OwnerKey>;
    /// Forgets an owner for good, durably: what comes back from a backup stays shut.
    fn forget(&self, owner: Uuid) -> KeyFuture<'_, ()>;
    /// Everybody who was forgotten.
    fn forgotten(&self) -> KeyFuture<'_, Vec<Uuid>>;
}

/// Wrapping keys from a file: a line each, `number key`, the key 32 bytes in base64. The highest number wraps;
/// the others open what they have wrapped. Whom it has forgotten stands in a second file, an id a line.
pub struct FileKeys {
    keys: BTreeMap<u32, OwnerKey>,
    list: PathBuf,
    forgotten: Mutex<BTreeSet<Uuid>>,
}

impl FileKeys {
    /// Reads a key file, and the list of the forgotten, which is empty where there is no such file.
    ///
    /// # Errors
    /// Where one cannot be read, or holds anything but keys or ids.
    pub fn read(path: &Path, list: PathBuf) -> Result<FileKeys, SealError> {
        let text = Zeroizing::new(std::fs::read_to_string(path).map_err(SealError::File)?);
        let forgotten = match std::fs::read_to_string(&list) {
            Ok(text) => ids(&text)?,
            Err(error) if error.kind() == ErrorKind::NotFound => BTreeSet::new(),
            Err(error) => return Err(SealError::File(error)),
        };
        Ok(FileKeys {
            keys: keys(&text)?,
            list,
            forgotten: Mutex::new(forgotten),
        })
    }

    /// Writes a key file with one key, readable by its owner alone. One that is there stays as it is.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn make(path: &Path, bits: [u8; KEY_BYTES]) -> Result<(), SealError> {
        let line = Zeroizing::new(format!("1 {}\n", STANDARD.encode(bits)));
        match write_secret(path, line.as_bytes()) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            other => other.map_err(SealError::File),
        }
    }

    /// By which each key is known without being shown: its number, and the beginning of a digest.
    pub fn fingerprints(&self) -> Vec<(u32, [u8; 8])> {
        let print = |key: &OwnerKey| {
            let bytes = Zeroizing::new([FINGERPRINT, key.0.as_slice()].concat());
            let [a, b, c, d, e, f, g, h, ..] = takmil_domain::digest::sha256(&bytes);
            [a, b, c, d, e, f, g, h]
        };
        let keys = self.keys.iter();
        keys.map(|(number, key)| (*number, print(key))).collect()
    }

    fn is_forgotten(&self, owner: Uuid) -> bool {
        self.names().contains(&owner)
    }

    fn names(&self) -> MutexGuard<'_, BTreeSet<Uuid>> {
        // A set is whole whoever panicked with it in hand.
        self.forgotten
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, owner: Uuid) -> std::io::Result<()> {
        let mut file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.list)?;
        // In one piece, so that lines of two hubs do not mix.
        file.write_all(format!("{owner}\n").as_bytes())?;
        file.sync_all()?;
        sync_folder_of(&self.list)
    }
}

/// The keys of a file's text. Empty lines, and lines that begin with `#`, say nothing.
fn keys(text: &str) -> Result<BTreeMap<u32, OwnerKey>, SealError> {
    let mut keys = BTreeMap::new();
    for (at, line) in said(text) {
        let (number, key) = key_line(line).ok_or(SealError::Line { line: at })?;
        keys.insert(number, key);
    }
    match keys.is_empty() {
        true => Err(SealError::NoKey),
        false => Ok(keys),
    }
}

fn ids(text: &str) -> Result<BTreeSet<Uuid>, SealError> {
    said(text)
        .map(|(line, id)| Uuid::parse_str(id).map_err(|_| SealError::ErasedLine { line }))
        .collect()
}

/// The lines of a text that say something, counted from 1.
fn said(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = (1..).zip(text.lines().map(str::trim));
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

fn key_line(line: &str) -> Option<(u32, OwnerKey)> {
    let (number, key) = line.split_once(char::is_whitespace)?;
    let bytes = Zeroizing::new(STANDARD.decode(key.trim()).ok()?);
    let bits: [u8; KEY_BYTES] = bytes.as_slice().try_into().ok()?;
    Some((number.parse().ok()?, OwnerKey::new(bits)))
}

impl KeyProvider for FileKeys {
    fn wrap<'a>(&'a self, owner: Uuid, key: &'a OwnerKey) -> KeyFuture<'a, Vec<u8>> {
        Box::pin(async move {
            let (number, wrapping) = self.keys.last_key_value().ok_or(SealError::NoKey)?;
            let sealed = wrapping.seal(owner, KEY_PART, key.0.as_slice())?;
            Ok(number.to_be_bytes().into_iter().chain(sealed).collect())
        })
    }

    fn unwrap<'a>(&'a self, owner: Uuid, wrapped: &'a [u8]) -> KeyFuture<'a, OwnerKey> {
        Box::pin(async move {
            if self.is_forgotten(owner) {
                return Err(SealError::Forgotten);
            }
            let (number, sealed) = wrapped.split_first_chunk().ok_or(SealError::Broken)?;
            let number = u32::from_be_bytes(*number);
            let wrapping = self
                .keys
                .get(&number)
                .ok_or(SealError::Missing { number })?;
            let bytes = Zeroizing::new(wrapping.open(owner, KEY_PART, sealed)?);
            let bits = bytes.as_slice().try_into().map_err(|_| SealError::Broken)?;
            Ok(OwnerKey::new(bits))
        })
    }

    fn forget(&self, owner: Uuid) -> KeyFuture<'_, ()> {
        Box::pin(async move {
            if !self.is_forgotten(owner) {
                self.note(owner).map_err(SealError::File)?;
                self.names().insert(owner);
            }
            Ok(())
        })
    }

    fn forgotten(&self) -> KeyFuture<'_, Vec<Uuid>> {
        Box::pin(async move { Ok(self.names().iter().copied().collect()) })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    const MESSAGE: Uuid = Uuid::from_u128(0x01a2_00fe_979e_7b3d_a51b_534b_6d13_91a3);
    const OWNER: Uuid = Uuid::from_u128(7);

    fn line(number: u32, bit: u8) -> String {
        format!("{number} {}\n", STANDARD.encode([bit; KEY_BYTES]))
    }

    #[test]
    fn a_part_opens_in_its_own_place_under_its_own_key_alone() {
        let key = OwnerKey::new([7; KEY_BYTES]);
        let sealed = key.seal(MESSAGE, 2, b"who and what").unwrap();
        assert_eq!(key.open(MESSAGE, 2, &sealed).unwrap(), b"who and what");
        assert!(!sealed.windows(3).any(|bytes| bytes == b"who"));

        let other = OwnerKey::new([8; KEY_BYTES]);
        let elsewhere = Uuid::from_u128(MESSAGE.as_u128() ^ 1);
        assert!(other.open(MESSAGE, 2, &sealed).is_err());
        assert!(key.open(elsewhere, 2, &sealed).is_err());
        assert!(key.open(MESSAGE, 3, &sealed).is_err());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key.open(MESSAGE, 2, &changed).is_err(), "byte {at}");
        }
        assert!(key.open(MESSAGE, 2, &[]).is_err());
    }

    /// What was sealed once opens for ever: the nonce and the place are part of the form.
    #[test]
    fn a_part_is_sealed_as_it_always_was() {
        let (nonce, place) = place(MESSAGE, 0x8102_0304);
        let hex =
            |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
        assert_eq!(hex(&nonce), "169c7839a51b534b6d1391a3");
        assert_eq!(hex(&place), "01a200fe979e7b3da51b534b6d1391a381020304");
    }

    #[tokio::test]
    async fn a_key_file_wraps_with_its_last_key_and_opens_with_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let file = |text: String| {
            std::fs::write(&path, text).unwrap();
            FileKeys::read(&path, path.with_extension("erased")).unwrap()
        };
        let key = OwnerKey::new([9; KEY_BYTES]);
        let old = file(line(1, 1));
        let wrapped = old.wrap(OWNER, &key).await.unwrap();
        let both = file(format!("# rotated\n{}\n{}", line(1, 1), line(2, 2)));
        assert_eq!(both.unwrap(OWNER, &wrapped).await.unwrap(), key);
        assert!(both.unwrap(Uuid::from_u128(8), &wrapped).await.is_err());
        let wrapped = both.wrap(OWNER, &key).await.unwrap();
        assert!(matches!(
            old.unwrap(OWNER, &wrapped).await,
            Err(SealError::Missing { number: 2 })
        ));
    }

    #[tokio::test]
    async fn whoever_was_forgotten_stays_so_for_all_who_read_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let read = || FileKeys::read(&path, folder.path().join("erased")).unwrap();
        FileKeys::make(&path, [1; KEY_BYTES]).unwrap();
        let keys = read();
        let wrapped = keys
            .wrap(OWNER, &OwnerKey::new([9; KEY_BYTES]))
            .await
            .unwrap();
        keys.forget(OWNER).await.unwrap();
        keys.forget(OWNER).await.unwrap();
        for keys in [keys, read()] {
            let opened = keys.unwrap(OWNER, &wrapped).await;
            assert!(matches!(opened, Err(SealError::Forgotten)));
            assert_eq!(keys.forgotten().await.unwrap(), [OWNER]);
        }
        // A key file that is there is never written over.
        FileKeys::make(&path, [2; KEY_BYTES]).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), line(1, 1));
    }

    #[test]
    fn a_file_that_is_no_key_file_is_told_by_its_line() {
        let check = |text: &str, expected: &str| {
            let error = keys(text).err().map(|error| error.to_string());
            assert_eq!(error.as_deref(), Some(expected), "{text}");
        };
        check("", "the key file holds no key");
        check(
            "\n1 c2hvcnQ=",
            "line 2 of the key file is not a number and 32 bytes in base64",
        );
        check(
            "x y",
            "line 1 of the key file is not a number and 32 bytes in base64",
        );
        assert!(ids("nobody").is_err());
    }
}
