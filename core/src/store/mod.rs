//! What outlives a session: counters that may be lost, and durable records.
//!
//! [`Counters`] (`counters.db`) is shared by all processes of a host and written through; losing it costs warm caches
//! and open blocks, never mail. [`Store`] (`mailward.db`) is durable: what [`Store::commit`] has returned survives a
//! crash. So is [`Quarantine`] (`quarantine.db`). Each has one thread that owns its SQLite connection; the threads start at first use, so that a process may
//! open both before it forks.

pub mod counters;
pub mod durable;
pub mod history;
pub mod learned;
pub mod ledger;
pub mod outbox;
pub mod quarantine;
pub(crate) mod random;
pub mod roster;
pub mod site_key;
mod sqlite;

pub use counters::{Answer, Counters, Entry, Op, Window};
pub use durable::Store;
pub use history::HistoryRow;
pub use learned::Learned;
pub use ledger::{Buckets, Ledger};
pub use outbox::{Letter, Waiting};
pub use quarantine::Quarantine;
pub use roster::{Member, Shrink};
pub use site_key::SiteKey;
pub use sqlite::StoreError;

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, chown},
    path::{Path, PathBuf},
};

/// Bytes as lower-case hexadecimal.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

/// Gives a file that root has made to the owner of its folder: the daemon does not run as root.
fn give_to_owner_of(folder: &Path, file: &Path) -> io::Result<()> {
    let (owner, made) = (fs::metadata(folder)?, fs::metadata(file)?);
    match made.uid() == 0 && owner.uid() != 0 {
        true => chown(file, Some(owner.uid()), Some(owner.gid())),
        false => Ok(()),
    }
}

/// Where state is kept, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Directory of `counters.db` and `mailward.db`. Its group decides who may share them.
    pub dir: PathBuf,
    /// How long history rows are kept. Unit: days. Source: design, "then for at most 30 days".
    pub history_days: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { dir: PathBuf::from("/var/lib/mailward"), history_days: 30 }
    }
}
