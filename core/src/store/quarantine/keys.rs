//! The keys of the quarantine: public halves in its file, private halves each in a file of its own, which a careful site
//! moves to where only people who look at mail can read them.

use super::{
    super::{StoreError, give_to_owner_of, hexadecimal},
    seal::{self, PrivateKey, PublicKey, SealError},
};
use aws_lc_rs::digest::{SHA256, digest};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

/// Name of the folder in the state directory, unless the configuration names another.
const FOLDER: &str = "quarantine.keys";
/// Length of a private key. Unit: bytes. Source: RFC 9180 §7.1, X25519.
const BYTES: usize = 32;
/// Length of an id. Unit: bytes. Source: our own limit; a site has a few keys.
const ID_BYTES: usize = 6;

/// A key of the list.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct KeyInForce {
    /// Its id; the private half is in a file of this name.
    pub id: String,
    /// When it was made. Unix seconds.
    pub made: i64,
    /// Messages sealed to it.
    pub messages: u64,
}

/// The folder of the private halves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivateKeys(PathBuf);

impl PrivateKeys {
    /// This folder, or that of the state directory.
    pub fn of(dir: &Path, folder: Option<&Path>) -> Self {
        PrivateKeys(folder.map_or_else(|| dir.join(FOLDER), Path::to_owned))
    }

    /// The file of a key.
    pub fn file(&self, id: &str) -> PathBuf {
        self.0.join(format!("{id}.key"))
    }

    /// Reads the private half of a key.
    pub(super) fn read(&self, id: &str) -> Result<PrivateKey, StoreError> {
        let path = self.file(id);
        let missing = |why: &dyn std::fmt::Display| SealError::NoKey(format!("{}: {why}", path.display()));
        let text = fs::read_to_string(&path).map_err(|error| missing(&error))?;
        let line = text.lines().find(|line| !line.starts_with('#')).unwrap_or_default();
        let bytes = from_hexadecimal(line.trim()).filter(|bytes| bytes.len() == BYTES);
        Ok(PrivateKey::of(bytes.ok_or_else(|| missing(&"it holds no key"))?))
    }

    /// Writes the private half for its owner alone.
    fn write(&self, id: &str, key: &PrivateKey) -> io::Result<()> {
        if !self.0.is_dir() {
            DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
            if let Some(parent) = self.0.parent() {
                give_to_owner_of(parent, &self.0)?;
                fs::File::open(parent)?.sync_all()?;
            }
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(self.file(id))?;
        give_to_owner_of(&self.0, &self.file(id))?;
        writeln!(file, "# Mailward, private key {id} of the quarantine\n{}", hexadecimal(key.bytes()))?;
        file.sync_all()?;
        fs::File::open(&self.0)?.sync_all()
    }
}

/// The key to which messages are sealed: the latest; made, if there is none.
pub(super) fn in_force(connection: &mut Connection, private_keys: &PrivateKeys) -> Result<PublicKey, StoreError> {
    if let Some(key) = latest(connection)? {
        return Ok(key);
    }
    rotate(connection, private_keys, true)?;
    latest(connection)?.ok_or(StoreError::Busy("there is no key"))
}

fn latest(connection: &Connection) -> Result<Option<PublicKey>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT id, public FROM key ORDER BY number DESC LIMIT 1")?;
    let read = |row: &rusqlite::Row<'_>| Ok(PublicKey { id: row.get(0)?, bytes: row.get(1)? });
    Ok(statement.query_row([], read).optional()?)
}

/// Makes a pair and puts it in force; gives its id. The private half is on disk before anything is sealed to it.
pub(super) fn rotate(
    connection: &mut Connection,
    private_keys: &PrivateKeys,
    first_only: bool,
) -> Result<Option<String>, StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if first_only && latest(&transaction)?.is_some() {
        return Ok(None);
    }
    let (public, private) = seal::generate()?;
    let id = hexadecimal(&digest(&SHA256, &public).as_ref()[..ID_BYTES]);
    private_keys.write(&id, &private).map_err(|source| StoreError::File { path: private_keys.file(&id), source })?;
    let made = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs() as i64);
    transaction.execute("INSERT INTO key (id, public, made) VALUES (?1, ?2, ?3)", params![id, public, made])?;
    transaction.commit()?;
    Ok(Some(id))
}

pub(super) fn list(connection: &Connection) -> Result<Vec<KeyInForce>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT id, made, (SELECT COUNT(*) FROM message WHERE message.key = key.id) FROM key ORDER BY number DESC",
    )?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok(KeyInForce { id: row.get(0)?, made: row.get(1)?, messages: row.get::<_, i64>(2)?.unsigned_abs() })
    };
    Ok(statement.query_map([], read)?.collect::<Result<_, _>>()?)
}

fn from_hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16)?.try_into().ok()).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}
