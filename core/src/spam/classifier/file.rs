//! `model.bin`: weights that judge, then the samples that they follow from. Little-endian; read and replaced whole.
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `MWMODEL2` |
//! | 4 + 4 | revision of the features, bits of the slots |
//! | 7 × 8 | id, generation, learned (ham, spam), ham with HTML, begun, saved |
//! | slots × 4 | weights, 32-bit floats |
//! | slots | messages with the feature, at most 255 |
//! | 8 | XXH3 of all before |
//! | 8 | number of samples |
//! | each | digest (16), class (1), number of features (4), each as a varint of the distance to the slot before and the family |
//! | 8 | XXH3 of the samples |

use super::{
    Class,
    features::{FAMILIES, FEATURES, REVISION, SLOT_BITS},
    model::{About, Model, SLOTS},
    samples::{self, Sample, Samples},
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
const MAGIC: &[u8; 8] = b"MWMODEL2";
const OLD_MAGIC: &[u8; 8] = b"MWMODEL1";
const HEADER: usize = 8 + 4 + 4 + 7 * 8;
const CHECKSUM: usize = 8;
/// Size of what judges. Unit: bytes.
const JUDGING: usize = HEADER + SLOTS * 5 + CHECKSUM;
/// Largest file. Unit: bytes. Source: as many samples as are kept, each of as many features as there may be.
const LARGEST: u64 = (JUDGING + 16 + 2 * (samples::MOST + samples::MOST / 8) * (21 + FEATURES * 4)) as u64;

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

/// Reads what judges.
///
/// # Errors
///
/// If the file cannot be read, is no model, is cut or damaged, or was made by another version.
pub fn read(path: &Path) -> Result<Model, FileError> {
    decode(&bytes(path, JUDGING as u64)?).map_err(|wrong| wrong.of(path))
}

/// Reads what judges and what was learned.
///
/// # Errors
///
/// As [`read`].
pub fn read_all(path: &Path) -> Result<(Model, Samples), FileError> {
    let bytes = bytes(path, LARGEST + 1)?;
    let both = || Ok((decode(&bytes)?, decode_samples(bytes.get(JUDGING..).unwrap_or_default())?));
    both().map_err(|wrong: Wrong| wrong.of(path))
}

fn bytes(path: &Path, most: u64) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::with_capacity(JUDGING);
    let read = File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes));
    read.map_err(|source| FileError::System { path: path.to_owned(), source })?;
    Ok(bytes)
}

/// Puts a model in the place of the file at once: a reader sees the old one or the new one, after a crash too.
///
/// # Errors
///
/// If the directory cannot be written. The old file is as it was then.
pub fn write(path: &Path, model: &Model, samples: &Samples) -> Result<(), FileError> {
    let new = path.with_extension(format!("new-{}", std::process::id()));
    let written = put(&new, &encode(model, samples)).and_then(|()| fs::rename(&new, path));
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

impl Wrong {
    fn of(self, path: &Path) -> FileError {
        let path = path.to_owned();
        match self {
            Wrong::Damaged(why) => FileError::Damaged { path, why },
            Wrong::Version => FileError::OtherVersion { path },
        }
    }
}

const CUT: Wrong = Wrong::Damaged("its size is wrong, it may have been cut");

fn encode(model: &Model, samples: &Samples) -> Vec<u8> {
    let about = &model.about;
    let mut out = Vec::with_capacity(JUDGING);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&REVISION.to_le_bytes());
    out.extend_from_slice(&SLOT_BITS.to_le_bytes());
    let [ham, spam] = about.learned;
    for number in [about.id, about.generation, ham, spam, about.html_ham] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    out.extend_from_slice(&about.begun.to_le_bytes());
    out.extend_from_slice(&about.saved.to_le_bytes());
    model.weights.iter().for_each(|weight| out.extend_from_slice(&weight.to_le_bytes()));
    out.extend_from_slice(&model.seen);
    out.extend_from_slice(&xxh3_64(&out).to_le_bytes());
    let start = out.len();
    // In the order of learning, by which the oldest are known.
    let mut rows: Vec<_> = samples.by_digest.iter().collect();
    rows.sort_unstable_by_key(|(_, (place, _))| *place);
    out.extend_from_slice(&(rows.len() as u64).to_le_bytes());
    for (digest, (_, sample)) in rows {
        out.extend_from_slice(digest);
        out.push(sample.class as u8);
        out.extend_from_slice(&(sample.slots.len() as u32).to_le_bytes());
        let mut before = 0;
        for packed in &sample.slots {
            let slot = packed & (SLOTS as u32 - 1);
            put_varint((slot - before) << 3 | packed >> SLOT_BITS, &mut out);
            before = slot;
        }
    }
    let checksum = xxh3_64(&out[start..]);
    out.extend_from_slice(&checksum.to_le_bytes());
    out
}

fn decode(bytes: &[u8]) -> Result<Model, Wrong> {
    let (head, rest) = bytes.split_at_checked(HEADER).ok_or(Wrong::Damaged("it is too short for a model"))?;
    if head.starts_with(OLD_MAGIC) {
        return Err(Wrong::Version);
    }
    if !head.starts_with(MAGIC) {
        return Err(Wrong::Damaged("it is no model"));
    }
    let word = |at: usize| head.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes);
    if (word(8), word(12)) != (REVISION, SLOT_BITS) {
        return Err(Wrong::Version);
    }
    let body = SLOTS * 5;
    let checksum =
        rest.get(body..body + CHECKSUM).and_then(|b| b.try_into().ok()).map(u64::from_le_bytes).ok_or(CUT)?;
    if bytes.get(..HEADER + body).map(xxh3_64) != Some(checksum) {
        return Err(Wrong::Damaged("its checksum is wrong"));
    }
    let number = |index: usize| {
        let at = 16 + index * 8;
        head.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
    };
    Ok(Model {
        weights: rest[..SLOTS * 4].as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
        seen: rest[SLOTS * 4..body].to_vec(),
        about: About {
            id: number(0),
            generation: number(1),
            learned: [number(2), number(3)],
            html_ham: number(4),
            begun: number(5) as i64,
            saved: number(6) as i64,
        },
    })
}

fn decode_samples(bytes: &[u8]) -> Result<Samples, Wrong> {
    let (body, checksum) = bytes.split_last_chunk::<CHECKSUM>().ok_or(CUT)?;
    if xxh3_64(body) != u64::from_le_bytes(*checksum) {
        return Err(Wrong::Damaged("what was learned is cut or its checksum is wrong"));
    }
    let mut rest = body;
    let count = u64::from_le_bytes(*take(&mut rest)?);
    let mut samples = Samples::default();
    for _ in 0..count {
        let digest = *take(&mut rest)?;
        let class = match take::<1>(&mut rest)? {
            [0] => Class::Ham,
            [1] => Class::Spam,
            _ => return Err(CUT),
        };
        let length = u32::from_le_bytes(*take(&mut rest)?) as usize;
        if length > FEATURES {
            return Err(CUT);
        }
        let mut slot = 0;
        let mut slots = Vec::with_capacity(length);
        for _ in 0..length {
            let packed = varint(&mut rest)?;
            slot += packed >> 3;
            if slot as usize >= SLOTS || (packed & 7) as usize >= FAMILIES {
                return Err(CUT);
            }
            slots.push((packed & 7) << SLOT_BITS | slot);
        }
        samples.put(digest, Sample { class, slots: slots.into() });
    }
    Ok(samples)
}

fn take<'b, const N: usize>(rest: &mut &'b [u8]) -> Result<&'b [u8; N], Wrong> {
    let (taken, after) = rest.split_first_chunk().ok_or(CUT)?;
    *rest = after;
    Ok(taken)
}

/// Seven bits a byte, the lowest first; the highest bit says that more follow.
fn put_varint(mut number: u32, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn varint(rest: &mut &[u8]) -> Result<u32, Wrong> {
    let mut number = 0;
    for shift in [0, 7, 14, 21] {
        let [byte] = *take(rest)?;
        number |= u32::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(CUT)
}
