//! A private folder for peers: the messages as files, and what they learn.

use crate::cli::{eval::mail::Labelled, input::Place};
use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

/// It is removed with the value.
#[derive(Debug)]
pub(in crate::cli::eval) struct Folder {
    path: PathBuf,
    made: AtomicU32,
}

impl Folder {
    /// Makes it in the system's folder for temporary files, for this user alone.
    ///
    /// # Errors
    ///
    /// If it cannot be made.
    pub(in crate::cli::eval) fn new() -> Result<Self, String> {
        let path = std::env::temp_dir().join(format!("mailward-eval-{}", std::process::id()));
        let folder = Folder { path, made: AtomicU32::new(0) };
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&folder.path)
            .map_err(|error| format!("cannot make {}: {error}", folder.path.display()))?;
        Ok(folder)
    }

    /// Writes messages as files; those that are there already stay.
    ///
    /// # Errors
    ///
    /// If they cannot be written.
    pub(in crate::cli::eval) fn fill(&self, mail: &[Labelled], numbers: &BTreeSet<usize>) -> Result<(), String> {
        for &number in numbers.iter().filter(|&&number| !self.message(number).exists()) {
            let Place { file, .. } = &mail[number].place;
            // What has gone is missing for all alike.
            let raw = mail[number].place.read().unwrap_or_default();
            let cannot = |error: io::Error| format!("cannot copy {}: {error}", file.display());
            fs::write(self.message(number), raw).map_err(cannot)?;
        }
        Ok(())
    }

    /// The file of a message.
    pub(super) fn message(&self, number: usize) -> PathBuf {
        self.path.join(number.to_string())
    }

    /// The number of the message in a file.
    pub(super) fn number(&self, file: &str) -> Option<usize> {
        Path::new(file).strip_prefix(&self.path).ok()?.to_str()?.parse().ok()
    }

    /// A new folder for what a peer learns.
    ///
    /// # Errors
    ///
    /// If it cannot be made.
    pub(super) fn state(&self) -> Result<PathBuf, String> {
        let path = self.path.join(format!("state-{}", self.made.fetch_add(1, Ordering::Relaxed)));
        fs::create_dir(&path).map_err(|error| format!("cannot make {}: {error}", path.display()))?;
        Ok(path)
    }

    /// The files of messages, one a line, each behind a word.
    pub(super) fn list(&self, word: &str, numbers: &[usize]) -> Vec<u8> {
        numbers.iter().flat_map(|&n| format!("{word}{}\n", self.message(n).display()).into_bytes()).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}
