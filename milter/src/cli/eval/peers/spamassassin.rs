//! SpamAssassin with its stock rules and its Bayes, no network.

use super::{Folder, Said, run};
use std::{collections::HashMap, ffi::OsStr, path::PathBuf, thread, time::Duration};

pub(super) const PROGRAM: &str = "perl";
const SCRIPT: &str = include_str!("spamassassin.pl");
/// From here on it calls a message spam. Source: its default `required_score`.
const SPAM: f64 = 5.0;
/// Longest run. Source: our own limit; it takes 0.1 s a message, and some messages seconds.
const LIMIT: Duration = Duration::from_secs(4 * 3_600);

#[derive(Debug)]
pub(super) struct SpamAssassin<'f> {
    folder: &'f Folder,
    state: PathBuf,
}

impl<'f> SpamAssassin<'f> {
    /// One that has learned nothing.
    ///
    /// # Errors
    ///
    /// If there is no place for what it learns.
    pub(super) fn new(folder: &'f Folder) -> Result<Self, String> {
        Ok(SpamAssassin { folder, state: folder.state()? })
    }

    /// Learns ham and spam, judges the others in so many processes.
    pub(super) fn play(
        &self,
        learned: [&[usize]; 2],
        judge: &[usize],
        jobs: usize,
    ) -> Result<Vec<Option<Said>>, String> {
        let lessons = [self.folder.list("ham ", learned[0]), self.folder.list("spam ", learned[1])].concat();
        if !lessons.is_empty() {
            self.run(lessons)?;
        }
        let share = judge.len().div_ceil(jobs).max(1);
        let texts: Vec<Result<String, String>> = thread::scope(|scope| {
            let start = |part: &[usize]| {
                let list = self.folder.list("judge ", part);
                scope.spawn(|| self.run(list))
            };
            let running: Vec<_> = judge.chunks(share).map(start).collect();
            running
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|_| Err("it was not heard".to_owned())))
                .collect()
        });
        let mut scores: HashMap<usize, f64> = HashMap::new();
        for text in texts {
            scores.extend(text?.lines().filter_map(|line| {
                let (file, score) = line.rsplit_once(' ')?;
                Some((self.folder.number(file)?, score.parse::<f64>().ok()?))
            }));
        }
        let said = |number: &usize| scores.get(number).map(|&score| Said { score, is_spam: score >= SPAM });
        Ok(judge.iter().map(said).collect())
    }

    fn run(&self, lines: Vec<u8>) -> Result<String, String> {
        let arguments = [OsStr::new("-e"), OsStr::new(SCRIPT), self.state.as_os_str()];
        run(PROGRAM, &arguments, lines, LIMIT, &[0])
    }
}
