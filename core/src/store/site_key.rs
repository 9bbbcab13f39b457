//! The secret of a site: what is kept under it can be looked up, but not read.

use super::{give_to_owner_of, hexadecimal, random};
use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    constant_time::verify_slices_are_equal,
    hmac,
};
use std::{
    fmt,
    fs::{self, OpenOptions},
    hash::{BuildHasher, RandomState},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

/// Name of the file in the state directory.
pub const FILE: &str = "site.key";

/// Length of the secret. Unit: bytes. Source: RFC 2104 §3, the length of the hash.
const BYTES: usize = 32;

/// Length of a pseudonym. Unit: bytes. Source: RFC 2104 §5 allows half of the hash; two of 2^32 names meet by chance once in
/// 2^64.
const PSEUDONYM: usize = 16;

/// Who may read the file: its owner and the group.
const MODE: u32 = 0o640;

/// A secret by which names become pseudonyms (HMAC-SHA-256).
#[derive(Clone)]
pub struct SiteKey(hmac::Key);

impl SiteKey {
    /// The secret of a state directory; made at first use. All processes that share the directory share it.
    ///
    /// # Errors
    ///
    /// If the file can neither be read nor made.
    pub fn open(dir: &Path) -> io::Result<Self> {
        let path = dir.join(FILE);
        let secret = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => create(dir, &path)?,
            read => read?,
        };
        match secret.len() {
            BYTES => Ok(SiteKey::of(&secret)),
            other => {
                let why =
                    format!("{}: {other} bytes instead of {BYTES}; remove it to have it made anew", path.display());
                Err(io::Error::new(io::ErrorKind::InvalidData, why))
            }
        }
    }

    /// A secret that nobody else has, for state in memory.
    pub fn in_memory() -> Self {
        // It lives no longer than the process, so the keys of the standard library's hashes will do.
        let words = [0, 1, 2, 3].map(|word: u64| RandomState::new().hash_one(word).to_le_bytes());
        SiteKey::of(words.as_flattened())
    }

    /// A given secret.
    pub fn of(secret: &[u8]) -> Self {
        SiteKey(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// The pseudonym of a few names together, in hexadecimal. The same names in the same order give the same one.
    pub fn pseudonym(&self, names: &[&str]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        for name in names {
            // The length first, so that no two lists read alike.
            context.update(&(name.len() as u64).to_le_bytes());
            context.update(name.as_bytes());
        }
        hexadecimal(&context.sign().as_ref()[..PSEUDONYM])
    }

    /// Whether `text` is the pseudonym of these names. It takes as long for a wrong one as for the right one.
    pub fn knows(&self, names: &[&str], text: &str) -> bool {
        verify_slices_are_equal(self.pseudonym(names).as_bytes(), text.as_bytes()).is_ok()
    }

    /// Text that only who has the secret can read (AES-256-GCM under a key derived from it, RFC 5116).
    ///
    /// # Errors
    ///
    /// If the generator of random numbers fails.
    pub(super) fn seal(&self, text: &[u8]) -> io::Result<Vec<u8>> {
        let mut sealed = text.to_vec();
        let failed = |_| io::Error::other("it could not be sealed");
        let nonce = self.cipher()?.seal_in_place_append_tag(Aad::empty(), &mut sealed).map_err(failed)?;
        Ok([&nonce.as_ref()[..], &sealed].concat())
    }

    /// What was sealed; `None` if it was changed, or sealed under another secret.
    pub(super) fn open_sealed(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut text = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = self.cipher().ok()?.open_in_place(nonce, Aad::empty(), &mut text).ok()?.len();
        text.truncate(length);
        Some(text)
    }

    fn cipher(&self) -> io::Result<RandomizedNonceKey> {
        let key = hmac::sign(&self.0, b"mailward sealed text 1");
        RandomizedNonceKey::new(&AES_256_GCM, key.as_ref()).map_err(|_| io::Error::other("no cipher"))
    }
}

impl fmt::Debug for SiteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SiteKey")
    }
}

/// Writes a new secret for the group of the directory. It appears whole or not at all; of several processes the first one
/// decides.
fn create(dir: &Path, path: &Path) -> io::Result<Vec<u8>> {
    let mut name = [0; 8];
    random::fill(&mut name)?;
    let draft = dir.join(format!(".{FILE}-{:016x}", u64::from_le_bytes(name)));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&draft)?;
    // Whatever the umask says: the group of the directory shares the state.
    file.set_permissions(fs::Permissions::from_mode(MODE))?;
    give_to_owner_of(dir, &draft)?;
    let mut secret = [0; BYTES];
    random::fill(&mut secret)?;
    file.write_all(&secret)?;
    file.sync_all()?;
    let linked = fs::hard_link(&draft, path);
    let _ = fs::remove_file(&draft);
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => fs::read(path),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::counters::scratch, *};

    #[test]
    fn processes_that_share_a_directory_share_the_pseudonyms_and_others_do_not() {
        let dir = scratch("site-key");
        let open = || SiteKey::open(&dir).expect("a key").pseudonym(&["a@x.test", "b@y.test"]);
        let threads: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(open)).collect();
            threads.into_iter().map(|thread| thread.join().expect("joined")).collect()
        });
        assert!(threads.iter().all(|pseudonym| *pseudonym == threads[0] && pseudonym.len() == 32), "{threads:?}");
        assert_ne!(SiteKey::in_memory().pseudonym(&["a@x.test", "b@y.test"]), threads[0]);
        let leftovers = std::fs::read_dir(&dir).expect("a folder").count();
        assert_eq!(leftovers, 1, "only the key is left");
        let _ = std::fs::remove_dir_all(dir);
    }

    #[test]
    fn lists_of_names_that_read_alike_have_different_pseudonyms() {
        let key = SiteKey::of(b"secret");
        assert_ne!(key.pseudonym(&["ab", "c"]), key.pseudonym(&["a", "bc"]));
        assert_ne!(key.pseudonym(&["a", "b"]), key.pseudonym(&["b", "a"]));
        assert_eq!(key.pseudonym(&["a"]), SiteKey::of(b"secret").pseudonym(&["a"]));
    }

    #[test]
    fn sealed_text_is_read_under_its_secret_only() {
        let key = SiteKey::of(b"secret");
        let sealed = key.seal(b"quarterly figures").expect("random numbers");
        assert_ne!(sealed, key.seal(b"quarterly figures").expect("random numbers"));
        assert!(!sealed.windows(6).any(|part| part == b"figure"));
        assert_eq!(key.open_sealed(&sealed).as_deref(), Some(&b"quarterly figures"[..]));
        let mut changed = sealed.clone();
        changed[20] ^= 1;
        assert_eq!([key.open_sealed(&changed), key.open_sealed(&sealed[..9])], [None, None]);
        assert_eq!(SiteKey::of(b"other").open_sealed(&sealed), None);
    }

    #[test]
    fn a_damaged_key_is_a_fault_and_no_weak_key() {
        let dir = scratch("site-key-damaged");
        std::fs::write(dir.join(FILE), b"short").expect("written");
        let why = SiteKey::open(&dir).expect_err("too short").to_string();
        assert!(why.contains("site.key") && why.contains("5 bytes"), "{why}");
        let _ = std::fs::remove_dir_all(dir);
    }
}
