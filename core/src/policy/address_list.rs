//! Lists of addresses in files, read at load and again when the file has changed.

use super::{AddressPattern, Nearness, Who, address_set::Patterns};
use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock},
};

/// One `[[list]]`: patterns in a file, one a line.
#[derive(Debug)]
pub struct AddressList {
    /// By which policies name it, in lower case.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    stamp: Option<Stamp>,
    patterns: Patterns,
}

/// By this a changed file shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

/// Largest file of a list. Unit: bytes. Source: our own limit, some two million addresses.
const FILE_BYTES: u64 = 64 << 20;

/// Most faults that are reported of one list. Unit: lines. Source: our own limit, one screen.
const FAULTS: usize = 20;

impl AddressList {
    /// A list that names nobody until it is read.
    pub fn new(name: String, path: PathBuf) -> Self {
        AddressList { name, path, state: RwLock::default() }
    }

    /// Reads the file.
    ///
    /// # Errors
    ///
    /// If it cannot be read or a line is no pattern: `file:line: …` for the first twenty.
    pub fn read(&self) -> Result<(), Vec<String>> {
        let stamp = stamp(&self.path).map_err(|why| vec![self.unreadable(&why)])?;
        self.read_as(Some(stamp))
    }

    /// Reads the file if it is another than before; says whether it was.
    ///
    /// # Errors
    ///
    /// As [`AddressList::read`], once for each version of the file. What was read before stays in force.
    pub fn refresh(&self) -> Result<bool, Vec<String>> {
        let (stamp, fault) = match stamp(&self.path) {
            Ok(stamp) => (Some(stamp), None),
            Err(why) => (None, Some(self.unreadable(&why))),
        };
        if self.state.read().unwrap_or_else(PoisonError::into_inner).stamp == stamp {
            return Ok(false);
        }
        match fault {
            None => self.read_as(stamp).map(|()| true),
            Some(fault) => {
                self.state.write().unwrap_or_else(PoisonError::into_inner).stamp = None;
                Err(vec![fault])
            }
        }
    }

    /// Number of patterns.
    pub fn len(&self) -> usize {
        self.state.read().unwrap_or_else(PoisonError::into_inner).patterns.len()
    }

    /// Whether it names nobody.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How near the nearest pattern is that means him; `None` if none does.
    pub fn nearest(&self, who: &Who) -> Option<Nearness> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).patterns.nearest(who)
    }

    fn read_as(&self, stamp: Option<Stamp>) -> Result<(), Vec<String>> {
        let read = self.patterns();
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.stamp = stamp;
        state.patterns = read?;
        Ok(())
    }

    fn patterns(&self) -> Result<Patterns, Vec<String>> {
        let bytes = fs::read(&self.path).map_err(|why| vec![self.unreadable(&why)])?;
        parse(&String::from_utf8_lossy(&bytes))
            .map_err(|faults| faults.iter().map(|fault| format!("{}:{fault}", self.path.display())).collect())
    }

    fn unreadable(&self, why: &io::Error) -> String {
        format!("{}: list \"{}\" cannot be read: {why}", self.path.display(), self.name)
    }
}

fn stamp(path: &Path) -> io::Result<Stamp> {
    let data = fs::metadata(path)?;
    if !data.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    if data.len() > FILE_BYTES {
        return Err(io::Error::other(format!("it is larger than {} MiB", FILE_BYTES >> 20)));
    }
    Ok(Stamp { inode: data.ino(), length: data.len(), modified: (data.mtime(), data.mtime_nsec()) })
}

/// One pattern a line. A `#` at the beginning of a line or after a blank starts a comment.
fn parse(text: &str) -> Result<Patterns, Vec<String>> {
    let (mut patterns, mut faults, mut more) = (Patterns::default(), Vec::new(), 0);
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let entry = without_comment(line).trim();
        if entry.is_empty() {
            continue;
        }
        match AddressPattern::parse(entry) {
            Ok(pattern) => patterns.push(pattern),
            Err(why) if faults.len() < FAULTS => {
                let shown: String = entry.chars().take(60).collect();
                faults.push(format!("{}: {shown:?} {why}", index + 1));
            }
            Err(_) => more += 1,
        }
    }
    if more > 0 {
        faults.push(format!(" and {more} more lines name nobody"));
    }
    if faults.is_empty() { Ok(patterns) } else { Err(faults) }
}

fn without_comment(line: &str) -> &str {
    let begins = |at: usize| line[..at].chars().next_back().is_none_or(char::is_whitespace);
    line.match_indices('#').find(|(at, _)| begins(*at)).map_or(line, |(at, _)| &line[..at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{session::ReversePath, store::counters::scratch};

    fn sender(address: &str) -> Who {
        Who::sender(&ReversePath::parse(address.as_bytes()).expect("a sender"))
    }

    #[test]
    fn a_list_is_read_line_by_line_and_its_faults_are_named() {
        let text = "\u{feff}# ours\n\nbob@example.com  # a friend\n  *@partner.example\t#x\na#b@example.com\n<>\n";
        let patterns = parse(text).expect("a list");
        assert_eq!(patterns.len(), 4);
        for yes in ["<bob@example.com>", "<x@partner.example>", "<a#b@example.com>", "<>"] {
            assert!(patterns.nearest(&sender(yes)).is_some(), "{yes}");
        }
        assert!(patterns.nearest(&sender("<a@example.com>")).is_none());
        let faults = parse("bob@example.com\nexample.com\nlist:more\n").expect_err("faults");
        assert!(faults[0].starts_with("2: \"example.com\" has no \"@\""), "{}", faults[0]);
        assert!(faults[1].starts_with("3: \"list:more\""), "{}", faults[1]);
        assert_eq!(parse(&"x\n".repeat(1000)).expect_err("faults").len(), FAULTS + 1);
    }

    #[test]
    fn a_changed_file_is_read_again_and_a_faulty_one_changes_nothing() {
        let dir = scratch("address-list");
        let file = dir.join("partners.txt");
        let list = AddressList::new("partners".into(), file.clone());
        assert!(list.read().expect_err("no file")[0].contains("partners.txt: list \"partners\" cannot be read"));
        let write = |text: &str| {
            let new = dir.join("new");
            fs::write(&new, text).expect("written");
            fs::rename(&new, &file).expect("renamed");
        };
        write("*@a.example\n");
        list.read().expect("a list");
        assert_eq!(list.refresh(), Ok(false), "nothing has changed");
        write("*@b.example\n");
        assert_eq!(list.refresh(), Ok(true));
        let names = |address: &str| list.nearest(&sender(address)).is_some();
        assert!(names("<x@b.example>") && !names("<x@a.example>"));

        write("b.example\n");
        let faults = list.refresh().expect_err("a faulty line");
        assert!(faults[0].contains("partners.txt:1: \"b.example\""), "{}", faults[0]);
        assert_eq!(list.refresh(), Ok(false), "reported once");
        assert!(names("<x@b.example>"), "the old version stays");

        fs::remove_file(&file).expect("removed");
        assert!(list.refresh().is_err());
        assert_eq!(list.refresh(), Ok(false), "reported once");
        assert!(names("<x@b.example>"));
        write("*@c.example\n");
        assert_eq!(list.refresh(), Ok(true));
        assert!(names("<x@c.example>"));
        let _ = fs::remove_dir_all(dir);
    }
}
