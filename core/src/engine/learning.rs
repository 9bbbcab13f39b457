//! Learning: messages in, another model in the state directory out.
//!
//! One learner at a time holds `model.lock`. Which messages a generation of the model has learned is noted in the
//! durable store before the model of that generation is saved; notes of a generation that never came to be are
//! forgotten when the next learner begins. So a crash loses a batch of learning, but never learns anything twice.

use crate::{
    message::{self, Bounds, Message},
    session::{Address, Connection, Direction, Recipient, ReversePath, push_with_crlf},
    spam::classifier::{
        Class, Features, Model, Samples,
        file::{self, FileError},
    },
    spam::{self, AtEnd},
    store::{Learned, Store, StoreError, random},
};
use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
};

/// Name of the lock in the state directory.
const LOCK: &str = "model.lock";

/// Why nothing was learned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LearningError {
    /// Another learner is at work.
    #[error("another `mailward learn` or `mailward model` is at work; wait until it has ended")]
    Busy,
    /// The lock cannot be taken.
    #[error("{}: {source}", path.display())]
    Lock {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The model cannot be read or written.
    #[error(transparent)]
    Model(#[from] FileError),
    /// The store cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What became of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Learnt {
    /// It is new.
    Learned,
    /// It was learned before as the same.
    Known,
    /// It was learned before as the other.
    Corrected,
    /// It was forgotten.
    Forgotten,
    /// It should be forgotten, but was not learned as this.
    Unknown,
    /// There is nothing in it to learn.
    Empty,
}

/// What was learned: the samples that the weights follow from, and what became of which message since the last save.
#[derive(Debug, Default)]
pub struct Lessons {
    samples: Samples,
    /// `None`: it was forgotten. By this a message is learned once.
    notes: HashMap<[u8; 16], Option<bool>>,
}

impl Lessons {
    /// Learns a message for a model that only memory has; says what became of it. It counts from the next
    /// [`Lessons::teach`] on.
    pub fn learn(&mut self, model: &mut Model, features: &Features, class: Class) -> Learnt {
        self.one(model, features, features.digest(), None, class, false)
    }

    /// Finds the weights that follow from all that was learned.
    pub fn teach(&self, model: &mut Model) {
        model.retrain(&self.samples);
    }

    /// `stored`: as what the message was learned before these lessons.
    fn one(
        &mut self,
        model: &mut Model,
        features: &Features,
        digest: [u8; 16],
        stored: Option<bool>,
        class: Class,
        forget: bool,
    ) -> Learnt {
        if features.is_empty() {
            return Learnt::Empty;
        }
        // What this run did stands above what the store knew before.
        let before = self.notes.get(&digest).copied().unwrap_or(stored);
        let spam = class == Class::Spam;
        if forget {
            if before != Some(spam) {
                return Learnt::Unknown;
            }
            self.samples.remove(&digest);
            count(model, class, -1);
            self.notes.insert(digest, None);
            return Learnt::Forgotten;
        }
        if before == Some(spam) {
            return Learnt::Known;
        }
        if before.is_some() {
            count(model, class.other(), -1);
        }
        self.samples.add(features, class);
        count(model, class, 1);
        self.notes.insert(digest, Some(spam));
        if before.is_some() { Learnt::Corrected } else { Learnt::Learned }
    }
}

fn count(model: &mut Model, class: Class, change: i64) {
    let learned = &mut model.about.learned[class as usize];
    *learned = learned.saturating_add_signed(change);
}

/// Learns messages into the model of a state directory, in memory until [`Learner::save`].
#[derive(Debug)]
pub struct Learner<'s> {
    path: PathBuf,
    store: &'s Store,
    model: Model,
    /// What was learned, and what changed since the last save.
    lessons: Lessons,
    _lock: File,
}

impl<'s> Learner<'s> {
    /// Takes the lock and reads the model; without one, begins with an empty one.
    ///
    /// # Errors
    ///
    /// If another learner is at work, or the model or the store cannot be read.
    pub async fn open(dir: &Path, store: &'s Store, now: i64) -> Result<Self, LearningError> {
        let lock = lock(dir)?;
        let path = dir.join(file::FILE);
        let (model, samples) = match path.exists() {
            true => file::read_all(&path)?,
            false => (Model::empty(number(), now), Samples::default()),
        };
        store.forget_learned_after(model.about.generation).await?;
        Ok(Learner { path, store, model, lessons: Lessons { samples, notes: HashMap::new() }, _lock: lock })
    }

    /// The model as it is now, with what was not saved yet.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Changes since the last save.
    pub fn unsaved(&self) -> usize {
        self.lessons.notes.len()
    }

    /// Learns messages, or forgets them; says what became of each.
    ///
    /// # Errors
    ///
    /// If the store cannot be read. Nothing of this batch was learned then.
    pub async fn learn(
        &mut self,
        batch: &[Features],
        class: Class,
        forget: bool,
    ) -> Result<Vec<Learnt>, LearningError> {
        let digests: Vec<_> = batch.iter().map(Features::digest).collect();
        let stored = self.store.learned(digests.clone()).await?;
        let each = batch.iter().zip(digests).zip(stored);
        Ok(each
            .map(|((features, digest), stored)| {
                self.lessons.one(&mut self.model, features, digest, stored, class, forget)
            })
            .collect())
    }

    /// Finds the weights anew and puts the model in the place of the one in the state directory. Running daemons read it
    /// within seconds.
    ///
    /// # Errors
    ///
    /// If store or model cannot be written: then nothing since the last save was learned.
    pub async fn save(&mut self, now: i64) -> Result<(), LearningError> {
        if self.lessons.notes.is_empty() {
            return Ok(());
        }
        let generation = self.model.about.generation + 1;
        let rows = self.lessons.notes.iter().map(|(digest, spam)| Learned { digest: *digest, spam: *spam, time: now });
        self.store.note_learned(rows.collect(), generation).await?;
        self.model.about.generation = generation;
        self.model.about.saved = now;
        self.lessons.teach(&mut self.model);
        file::write(&self.path, &self.model, &self.lessons.samples)?;
        self.lessons.notes.clear();
        Ok(())
    }
}

/// The features of a message, to be learned. Line ends are made those of the wire, where it will be judged.
pub fn features(raw: &[u8]) -> Features {
    let mut wire = Vec::with_capacity(raw.len() + raw.len() / 32);
    push_with_crlf(&mut wire, raw);
    let message = message::parse(&wire, &Bounds::default());
    Features::of(&message, &findings(&message))
}

/// What the content rules say of a message of which only the text is left: it was sent by its author to those whom it
/// names, and arrived when it was written.
fn findings(message: &Message<'_>) -> Vec<crate::verdict::Finding> {
    let address = |mailbox: &message::Mailbox| Address::parse(mailbox.address.as_bytes()).ok();
    let sender = message.from.first().and_then(address).map_or(ReversePath::Null, ReversePath::Mailbox);
    let recipients = message.to.iter().chain(&message.cc).filter_map(address);
    let recipients: Vec<Recipient> = recipients.map(|address| Recipient { address, groups: Vec::new() }).collect();
    let at_end = AtEnd {
        connection: &Connection::default(),
        sender: &sender,
        recipients: &recipients,
        direction: Direction::Inbound,
        message,
        now: message.date.unwrap_or_default(),
    };
    spam::judge(&spam::Settings::default(), &at_end)
}

/// Puts another model in the place of the one there is, or with `None` removes it. What was learned before may be
/// learned anew.
///
/// # Errors
///
/// If another learner is at work, or a file cannot be written.
pub async fn replace_model(dir: &Path, store: &Store, model: Option<(Model, Samples)>) -> Result<(), LearningError> {
    let _lock = lock(dir)?;
    let path = dir.join(file::FILE);
    store.forget_learned_after(0).await?;
    match model {
        Some((model, samples)) => file::write(&path, &model, &samples)?,
        None => match fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(FileError::System { path, source }.into());
            }
            _ => {}
        },
    }
    Ok(())
}

/// The lock ends with the process, whatever ends it.
fn lock(dir: &Path) -> Result<File, LearningError> {
    let path = dir.join(LOCK);
    let trouble = |source| LearningError::Lock { path: path.clone(), source };
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path).map_err(trouble)?;
    file::share(&path);
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(LearningError::Busy),
        Err(TryLockError::Error(source)) => Err(trouble(source)),
    }
}

fn number() -> u64 {
    let mut bytes = [0; 8];
    let _ = random::fill(&mut bytes);
    u64::from_le_bytes(bytes)
}
