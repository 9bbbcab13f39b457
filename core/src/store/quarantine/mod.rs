//! `quarantine.db`: messages that policies keep, sealed, for each of their recipients.
//!
//! A file of its own: it grows by whole messages and is emptied again, has a quota, and its commits must not wait for those of
//! the history, nor these for it. What a client was told to be taken is committed with fsync (write-ahead log, `synchronous =
//! FULL`); messages that come at once share one commit.

mod keys;
mod seal;
mod table;
mod writer;

pub use keys::{KeyInForce, PrivateKeys};
pub use seal::SealError;
pub use table::{Filter, KeptMessage, KeptRecipient, State};

use super::{
    StoreError,
    sqlite::{self, Durability},
};
use crate::{session::Ticket, verdict::Points};
use bytes::Bytes;
use rusqlite::{Connection, TransactionBehavior};
use seal::PublicKey;
use serde::{Deserialize, Serialize};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;
use writer::{Order, Thread};

/// Name of the file in the state directory.
pub const FILE: &str = "quarantine.db";
/// Each text leads to the next schema version.
const MIGRATIONS: &[&str] = &[table::TABLES];
/// Longest wait for another process that writes. Unit: time. Source: SQLite's customary 5 s.
const LOCK_WAIT: Duration = Duration::from_secs(5);
/// How long a key that was read counts as the one in force. A row that was sealed to the key before is as good.
const KEY_LOOK: Duration = Duration::from_secs(10);
/// How hard content is compressed. Source: zstd's own default; three times as fast as 9 for some percent more.
const COMPRESSION: i32 = 3;
/// Most messages that are compressed and sealed at once, each with two copies beside the message. Unit: messages. Source: our own
/// limit; the disk is slower than four of them.
const SEALED_AT_ONCE: usize = 4;

/// A message that is to be kept.
#[derive(Debug, Clone)]
pub struct Parcel {
    /// Of its decision; by this people name it.
    pub reference: String,
    /// Stands for sender and content: the same message again joins the row of the first.
    pub digest: String,
    /// Unix seconds.
    pub time: i64,
    /// Envelope sender; empty for the null sender.
    pub sender: String,
    /// Address of the client.
    pub client_ip: String,
    /// The MTA's queue id.
    pub queue_id: String,
    /// Total of the card.
    pub points: Points,
    /// Ids of the findings.
    pub findings: Vec<String>,
    /// For whom, each once.
    pub recipients: Vec<KeptFor>,
    /// What lists and explanations show.
    pub summary: Summary,
    /// The message in wire form.
    pub raw: Bytes,
    /// Whether it has a release field that did not let it pass: a copy that was released waits again then.
    pub came_back: bool,
    /// Its place among the messages in flight: kept until it is written, as its bytes are.
    pub place: Option<Arc<Ticket>>,
}

/// One recipient of a message that is to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptFor {
    /// As the client wrote it, without brackets.
    pub address: String,
    /// The form by which addresses are compared.
    pub key: String,
    /// What decided.
    pub because: String,
    /// Unix seconds.
    pub expires: i64,
}

/// Words of the message that lists show. They are sealed apart from the content, which is larger.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Subject, decoded.
    pub subject: String,
    /// Addresses of the From field.
    pub from: Vec<String>,
    /// The explanation as JSON.
    pub explanation: String,
    /// Whether it was on its way out of the site: so it leaves when it is released.
    #[serde(default)]
    pub outbound: bool,
}

/// How much may be kept. Zero: no bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Unit: messages.
    pub messages: u64,
    /// As they are stored. Unit: bytes.
    pub bytes: u64,
    /// Waiting for one recipient. Unit: messages.
    pub of_recipient: u64,
}

/// What became of a message that was to be kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kept {
    /// It is on the disk.
    New,
    /// It was there already; its recipients are noted.
    Joined,
    /// There is no place.
    Full(Bound),
    /// It could not be written.
    Failed,
}

/// Which bound of the [`Quota`] is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// [`Quota::messages`].
    Messages,
    /// [`Quota::bytes`].
    Bytes,
    /// [`Quota::of_recipient`].
    Recipient,
}

/// A message as it is written.
#[derive(Debug)]
struct Sealed {
    /// Without its bytes.
    parcel: Parcel,
    /// Of the message. Unit: bytes.
    size: usize,
    key: String,
    summary: Vec<u8>,
    content: Vec<u8>,
}

/// Handle of the quarantine. No thread runs and no file is made until first use, so that a process may hold it before it
/// forks.
#[derive(Debug)]
pub struct Quarantine {
    path: PathBuf,
    private_keys: PrivateKeys,
    thread: OnceLock<Option<Thread>>,
    key: Mutex<Option<(Instant, PublicKey)>>,
    sealing: Arc<Semaphore>,
}

impl Quarantine {
    /// The quarantine of a state directory. `private_keys`: where the keys of rows are that people open.
    pub fn of(dir: &Path, private_keys: PrivateKeys) -> Self {
        let sealing = Arc::new(Semaphore::new(SEALED_AT_ONCE));
        Quarantine { path: dir.join(FILE), private_keys, thread: OnceLock::new(), key: Mutex::default(), sealing }
    }

    /// Makes file and key if there are none yet.
    ///
    /// # Errors
    ///
    /// If either cannot be made or used.
    pub fn prepare(&self) -> Result<(), StoreError> {
        let key = keys::in_force(&mut open(&self.path)?, &self.private_keys)?;
        *self.key.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), key));
        Ok(())
    }

    /// Has the first message sealed as fast as the others: the generator that sealing asks measures its entropy for some 60 ms
    /// before its first byte. For processes that serve many connections.
    pub fn warm_up(&self) {
        let key = self.key.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let _ = key.map(|(_, key)| seal::seal(&key, seal::SUMMARY, "", &[]));
    }

    /// Keeps a message: when this returns it is safe on disk.
    ///
    /// # Errors
    ///
    /// If it could not be sealed or written. It may be there nevertheless; then the same message joins it.
    pub async fn keep(&self, parcel: Parcel, quota: Quota) -> Result<Kept, StoreError> {
        let key = self.key_in_force().await?;
        let turn =
            Arc::clone(&self.sealing).acquire_owned().await.map_err(|_| StoreError::Busy("sealing has ended"))?;
        let sealing = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            seal_parcel(parcel, &key)
        });
        let sealed = sealing.await.map_err(|_| StoreError::Busy("sealing has failed"))??;
        let (reply, answer) = tokio::sync::oneshot::channel();
        self.send(Order::Keep(Box::new((sealed, quota)), reply))?;
        answer.await.unwrap_or(Err(StoreError::Busy("its thread has ended")))
    }

    async fn key_in_force(&self) -> Result<PublicKey, StoreError> {
        let known = self.key.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, key)) = known.filter(|(at, _)| at.elapsed() < KEY_LOOK) {
            return Ok(key);
        }
        let private_keys = self.private_keys.clone();
        let key = self.run(move |connection| keys::in_force(connection, &private_keys)).await?;
        *self.key.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), key.clone()));
        Ok(key)
    }

    /// Messages, latest first.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub async fn list(&self, filter: Filter) -> Result<Vec<KeptMessage>, StoreError> {
        self.run(move |connection| table::list(connection, &filter)).await
    }

    /// The message in wire form; `None` if there is none of this reference.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or the private key is not there.
    pub async fn content(&self, reference: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let name = reference.to_owned();
        let found = self.run(move |connection| table::content(connection, &name)).await?;
        let Some((key, sealed, size)) = found else { return Ok(None) };
        let compressed = seal::open(&self.private_keys.read(&key)?, seal::CONTENT, reference, &sealed)?;
        let raw = zstd::bulk::decompress(&compressed, size).map_err(|_| SealError::Damaged)?;
        Ok(Some(raw))
    }

    /// What lists show of a message.
    ///
    /// # Errors
    ///
    /// If its private key is not there.
    pub fn summary(&self, message: &KeptMessage) -> Result<Summary, StoreError> {
        let key = self.private_keys.read(&message.key)?;
        Ok(serde_json::from_slice(&seal::open(&key, seal::SUMMARY, &message.reference, &message.summary)?)?)
    }

    /// Puts a recipient's copy from one state into another; `false` if it is not in the first. Who begins a release or ends it is
    /// alone with that.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub async fn set_state(
        &self,
        reference: &str,
        key: &str,
        from_to: [State; 2],
        now: i64,
    ) -> Result<bool, StoreError> {
        let (reference, key) = (reference.to_owned(), key.to_owned());
        self.run(move |connection| table::set_state(connection, &reference, &key, from_to, now)).await
    }

    /// Notes that a release passes; gives how often it has by now. `expires`: when the note may go.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub async fn pass(&self, release: &str, expires: i64) -> Result<u32, StoreError> {
        let release = release.to_owned();
        self.run(move |connection| table::pass(connection, &release, expires)).await
    }

    /// Whether a release has passed.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub async fn has_passed(&self, release: &str) -> Result<bool, StoreError> {
        let release = release.to_owned();
        self.run(move |connection| table::has_passed(connection, &release)).await
    }

    /// Erases what is past its time, some at a time, so that messages which are to be kept come in between; gives the number
    /// of messages that are gone.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub async fn expire(&self, now: i64) -> Result<u64, StoreError> {
        let mut messages = 0;
        loop {
            let some = self.run(move |connection| {
                let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                let some = table::expire(&transaction, now, table::EXPIRED)?;
                transaction.commit()?;
                Ok(some)
            });
            let some = some.await?;
            messages += some.messages;
            if !some.more {
                return Ok(messages);
            }
        }
    }

    /// Number of messages, and their bytes as they are stored.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub async fn size(&self) -> Result<(u64, u64), StoreError> {
        self.run(|connection| table::total(connection)).await
    }

    /// The keys that were ever in force, latest first, with the number of messages sealed to each.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub async fn keys(&self) -> Result<Vec<KeyInForce>, StoreError> {
        self.run(|connection| keys::list(connection)).await
    }

    /// Makes a new key and puts it in force; gives its id. With `first_only` nothing happens if there is one.
    ///
    /// # Errors
    ///
    /// If either half cannot be written.
    pub async fn rotate_key(&self, first_only: bool) -> Result<Option<String>, StoreError> {
        let private_keys = self.private_keys.clone();
        self.run(move |connection| keys::rotate(connection, &private_keys, first_only)).await
    }

    /// Whether the file is there: nothing was ever kept without.
    pub fn exists(&self) -> bool {
        self.path.exists()
    }
}

fn open(path: &Path) -> Result<Connection, StoreError> {
    let connection = sqlite::open(path, Durability::Full, LOCK_WAIT, MIGRATIONS)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // What is deleted is overwritten where that costs no further write.
    connection.pragma_update(None, "secure_delete", "FAST")?;
    Ok(connection)
}

fn seal_parcel(mut parcel: Parcel, key: &PublicKey) -> Result<Sealed, StoreError> {
    let raw = std::mem::take(&mut parcel.raw);
    let compressed = zstd::bulk::compress(&raw, COMPRESSION).map_err(|_| SealError::Failed)?;
    let content = seal::seal(key, seal::CONTENT, &parcel.reference, &compressed)?;
    let summary = serde_json::to_vec(&parcel.summary)?;
    let summary = seal::seal(key, seal::SUMMARY, &parcel.reference, &summary)?;
    Ok(Sealed { parcel, size: raw.len(), key: key.id.clone(), summary, content })
}

#[cfg(test)]
mod tests;
