//! `model.bin`: little-endian arrays behind a header, read whole and replaced whole.
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `MWMODEL1` |
//! | 4 + 4 | revision of the features, bits of the slots |
//! | 9 × 8 | id, generation, learned (ham, spam), weighed (ham, spam), learned since decay, begun, saved |
//! | slots × 2 × 2 | messages with the feature, ham and spam |
//! | 8 | XXH3 of all before |

use super::{
    features::{REVISION, SLOT_BITS},
    model::{About, Model, SLOTS},
};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown},
    path::{Path, PathBuf},
};
use xxhash_rust::xxh3::xxh3_64;

/// Name of the file in the state directory.
pub const FILE: &str = "model.bin";
const MAGIC: &[u8; 8] = b"MWMODEL1";
const HEADER: usize = 8 + 4 + 4 + 9 * 8;
const CHECKSUM: usize = 8;
/// Size of every model. Unit: bytes.
const SIZE: usize = HEADER + SLOTS * 4 + CHECKSUM;

/// Why a model cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The system refuses.
    #[error("{}: {source}", path.display())]
    System {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Not a model, or a damaged one.
    #[error("{}: {why}; restore it from an export, or begin anew with `mailward model reset`", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: &'static str,
    },
    /// Made by a version whose features differ.
    #[error(
        "{}: the model was made by another version of Mailward; begin anew with `mailward model reset` and learn again",
        path.display()
    )]
    OtherVersion {
        /// The file.
        path: PathBuf,
    },
}

/// Reads a model.
///
/// # Errors
///
/// If the file cannot be read, is no model, is cut or damaged, or was made by another version.
pub fn read(path: &Path) -> Result<Model, FileError> {
    let system = |source| FileError::System { path: path.to_owned(), source };
    let mut bytes = Vec::with_capacity(SIZE);
    // One byte more than there may be shows a file that is too long, however long it is.
    File::open(path).and_then(|file| file.take(SIZE as u64 + 1).read_to_end(&mut bytes)).map_err(system)?;
    decode(&bytes).map_err(|why| match why {
        Wrong::Damaged(why) => FileError::Damaged { path: path.to_owned(), why },
        Wrong::Version => FileError::OtherVersion { path: path.to_owned() },
    })
}

/// Puts a model in the place of the file at once: a reader sees the old one or the new one, after a crash too.
///
/// # Errors
///
/// If the directory cannot be written. The old file is as it was then.
pub fn write(path: &Path, model: &Model) -> Result<(), FileError> {
    let new = path.with_extension(format!("new-{}", std::process::id()));
    let written = put(&new, &encode(model)).and_then(|()| fs::rename(&new, path));
    written.map_err(|source| {
        let _ = fs::remove_file(&new);
        FileError::System { path: path.to_owned(), source }
    })?;
    // The rename is safe on disk when the directory is.
    let _ = path.parent().map(File::open).and_then(|dir| dir.and_then(|dir| dir.sync_all()).err());
    Ok(())
}

fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o660).open(path)?;
    share(path);
    file.write_all(bytes)?;
    file.sync_all()
}

/// Gives a file to the owner and group of its directory, as far as this user may: whoever teaches, the daemon can read.
/// The umask does not narrow it; who may enter is the directory's business.
pub(crate) fn share(path: &Path) {
    let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o660));
    if let Some(Ok(dir)) = path.parent().map(fs::metadata) {
        let _ = chown(path, Some(dir.uid()), Some(dir.gid()));
    }
}

#[derive(Debug)]
enum Wrong {
    Damaged(&'static str),
    Version,
}

fn encode(model: &Model) -> Vec<u8> {
    let about = &model.about;
    let mut out = Vec::with_capacity(SIZE);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&REVISION.to_le_bytes());
    out.extend_from_slice(&SLOT_BITS.to_le_bytes());
    let [ham, spam] = about.learned;
    let [weighed_ham, weighed_spam] = about.weighed;
    for number in [about.id, about.generation, ham, spam, weighed_ham, weighed_spam, about.since_decay] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    out.extend_from_slice(&about.begun.to_le_bytes());
    out.extend_from_slice(&about.saved.to_le_bytes());
    for [ham, spam] in &model.seen {
        out.extend_from_slice(&ham.to_le_bytes());
        out.extend_from_slice(&spam.to_le_bytes());
    }
    out.extend_from_slice(&xxh3_64(&out).to_le_bytes());
    out
}

fn decode(bytes: &[u8]) -> Result<Model, Wrong> {
    let (head, rest) = bytes.split_at_checked(HEADER).ok_or(Wrong::Damaged("it is too short for a model"))?;
    if head.get(..MAGIC.len()) != Some(MAGIC) {
        return Err(Wrong::Damaged("it is no model"));
    }
    let word = |at: usize| head.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes);
    if (word(8), word(12)) != (REVISION, SLOT_BITS) {
        return Err(Wrong::Version);
    }
    let body = SLOTS * 4;
    if rest.len() != body + CHECKSUM {
        return Err(Wrong::Damaged("its size is wrong, it may have been cut"));
    }
    let checksum = rest.get(body..).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes);
    if bytes.get(..HEADER + body).map(xxh3_64) != Some(checksum) {
        return Err(Wrong::Damaged("its checksum is wrong"));
    }
    let number = |index: usize| {
        let at = 16 + index * 8;
        head.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
    };
    let pair = |b: &[u8; 4]| [u16::from_le_bytes([b[0], b[1]]), u16::from_le_bytes([b[2], b[3]])];
    Ok(Model {
        seen: rest[..body].as_chunks().0.iter().map(pair).collect(),
        about: About {
            id: number(0),
            generation: number(1),
            learned: [number(2), number(3)],
            weighed: [number(4), number(5)],
            since_decay: number(6),
            begun: number(7) as i64,
            saved: number(8) as i64,
        },
    })
}
