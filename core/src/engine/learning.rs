//! Learning: messages in, another model in the state directory out.
//!
//! One learner at a time holds `model.lock`. Which messages a generation of the model has learned is noted in the
//! durable store before the model of that generation is saved; notes of a generation that never came to be are
//! forgotten when the next learner begins. So a crash loses a batch of learning, but never learns anything twice.

use crate::{
    message::{self, Bounds},
    session::push_with_crlf,
    spam::classifier::{
        Class, Features, Model,
        file::{self, FileError},
    },
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

/// What was learned of which message since the last save; `None`: it was forgotten. By this a message is learned once.
#[derive(Debug, Default)]
pub struct Lessons(HashMap<[u8; 16], Option<bool>>);

impl Lessons {
    /// Learns a message into a model that only memory has; says what became of it.
    pub fn learn(&mut self, model: &mut Model, features: &Features, class: Class) -> Learnt {
        self.one(model, features, features.digest(), None, class, false)
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
        let before = self.0.get(&digest).copied().unwrap_or(stored);
        let spam = class == Class::Spam;
        if forget {
            if before != Some(spam) {
                return Learnt::Unknown;
            }
            model.unlearn(features, class);
            self.0.insert(digest, None);
            return Learnt::Forgotten;
        }
        if before == Some(spam) {
            return Learnt::Known;
        }
        if before.is_some() {
            model.unlearn(features, class.other());
        }
        model.learn(features, class);
        self.0.insert(digest, Some(spam));
        if before.is_some() { Learnt::Corrected } else { Learnt::Learned }
    }
}

/// Learns messages into the model of a state directory, in memory until [`Learner::save`].
#[derive(Debug)]
pub struct Learner<'s> {
    path: PathBuf,
    store: &'s Store,
    model: Model,
    /// What changed since the last save.
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
        let model = match path.exists() {
            true => file::read(&path)?,
            false => Model::empty(number(), now),
        };
        store.forget_learned_after(model.about.generation).await?;
        Ok(Learner { path, store, model, lessons: Lessons::default(), _lock: lock })
    }

    /// The model as it is now, with what was not saved yet.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Changes since the last save.
    pub fn unsaved(&self) -> usize {
        self.lessons.0.len()
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

    /// Puts the model in the place of the one in the state directory. Running daemons read it within seconds.
    ///
    /// # Errors
    ///
    /// If store or model cannot be written: then nothing since the last save was learned.
    pub async fn save(&mut self, now: i64) -> Result<(), LearningError> {
        if self.lessons.0.is_empty() {
            return Ok(());
        }
        let generation = self.model.about.generation + 1;
        let rows = self.lessons.0.iter().map(|(digest, spam)| Learned { digest: *digest, spam: *spam, time: now });
        self.store.note_learned(rows.collect(), generation).await?;
        self.model.about.generation = generation;
        self.model.about.saved = now;
        file::write(&self.path, &self.model)?;
        self.lessons.0.clear();
        Ok(())
    }
}

/// The features of a message, to be learned. Line ends are made those of the wire, where it will be judged.
pub fn features(raw: &[u8]) -> Features {
    let mut wire = Vec::with_capacity(raw.len() + raw.len() / 32);
    push_with_crlf(&mut wire, raw);
    Features::of(&message::parse(&wire, &Bounds::default()))
}

/// Puts another model in the place of the one there is, or with `None` removes it. What was learned before may be
/// learned anew.
///
/// # Errors
///
/// If another learner is at work, or a file cannot be written.
pub async fn replace_model(dir: &Path, store: &Store, model: Option<Model>) -> Result<(), LearningError> {
    let _lock = lock(dir)?;
    let path = dir.join(file::FILE);
    store.forget_learned_after(0).await?;
    match model {
        Some(model) => file::write(&path, &model)?,
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
