//! bogofilter with its built-in defaults and word lists of its own.

use super::{Folder, Said, run};
use mailward_core::spam::classifier::Class;
use std::{collections::HashMap, ffi::OsStr, path::PathBuf, time::Duration};

pub(super) const PROGRAM: &str = "bogofilter";
/// From here on it calls a message spam. Source: its default `spam_cutoff`.
const SPAM: f64 = 0.99;
/// Longest run over many messages, and over one. Source: our own limit; it takes 0.3 ms a message.
const MANY: Duration = Duration::from_secs(1_800);
const ONE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(in crate::cli::eval) struct Bogofilter<'f> {
    folder: &'f Folder,
    lists: PathBuf,
}

impl<'f> Bogofilter<'f> {
    /// One that knows nothing.
    ///
    /// # Errors
    ///
    /// If there is no place for its lists.
    pub(in crate::cli::eval) fn new(folder: &'f Folder) -> Result<Self, String> {
        Ok(Bogofilter { folder, lists: folder.state()? })
    }

    /// Learns ham and spam, judges the others.
    pub(super) fn play(&self, learned: [&[usize]; 2], judge: &[usize]) -> Result<Vec<Option<Said>>, String> {
        for (numbers, option) in learned.into_iter().zip(["-n", "-s"]) {
            if !numbers.is_empty() {
                self.run(&[option, "-b"], self.folder.list("", numbers), MANY, &[0])?;
            }
        }
        if learned.iter().all(|numbers| numbers.is_empty()) {
            return Ok(vec![None; judge.len()]);
        }
        let lines = self.run(&["-TT", "-b"], self.folder.list("", judge), MANY, &[0, 1, 2])?;
        let scores: HashMap<usize, f64> = lines
            .lines()
            .filter_map(|line| {
                let (file, score) = line.rsplit_once(' ')?;
                Some((self.folder.number(file)?, score.parse().ok()?))
            })
            .collect();
        Ok(judge.iter().map(|number| scores.get(number).map(|score| said(*score))).collect())
    }

    /// Judges one message; `None` if it says nothing.
    ///
    /// # Errors
    ///
    /// If it fails.
    pub(in crate::cli::eval) fn judge_one(&self, raw: &[u8]) -> Result<Option<Said>, String> {
        // Ham, spam and unsure are exit codes.
        let score = self.run(&["-TT"], raw.to_vec(), ONE, &[0, 1, 2])?;
        Ok(score.trim().parse().ok().map(said))
    }

    /// Learns one message.
    ///
    /// # Errors
    ///
    /// If it fails.
    pub(in crate::cli::eval) fn learn_one(&self, raw: &[u8], class: Class) -> Result<(), String> {
        let option = match class {
            Class::Ham => "-n",
            Class::Spam => "-s",
        };
        self.run(&[option], raw.to_vec(), ONE, &[0]).map(drop)
    }

    fn run(&self, options: &[&str], input: Vec<u8>, limit: Duration, fine: &[i32]) -> Result<String, String> {
        let own = [OsStr::new("-C"), OsStr::new("-d"), self.lists.as_os_str()];
        let arguments: Vec<&OsStr> = own.into_iter().chain(options.iter().map(OsStr::new)).collect();
        run(PROGRAM, &arguments, input, limit, fine)
    }
}

fn said(score: f64) -> Said {
    Said { score, is_spam: score >= SPAM }
}
