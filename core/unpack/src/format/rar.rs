//! RAR archives of all versions, read by the crate rars within its limits.

mod names;

use crate::{Bound, Candidate, Sign, bytes::text, walk::Walk};
use rars::{Archive, ArchiveReadOptions, ArchiveReader, ErrorKind, ExtractionDecision};
use std::{
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

/// Most bytes of headers. Unit: bytes. Source: our own limit; a name and its numbers are some hundred bytes.
const HEADER_BYTES: u64 = 16 << 20;

/// Most rounds of the key derivation of RAR 5, as a power of two. Source: our own limit; RAR takes 15.
const ROUNDS: u8 = 18;
/// What a round hashes: two blocks of SHA-256. Unit: bytes.
const ROUND_BYTES: usize = 128;
/// What a key of earlier versions hashes: password, salt and a counter, 2^18 times. Unit: bytes.
const EARLIER_KEY_BYTES: usize = 8 << 20;
/// Most headers that are locked each by a key of its own, as before RAR 5. Source: our own limit.
const LOCKED_HEADERS: u64 = 64;

/// A file that is being unpacked.
struct Unpacked {
    name: String,
    locked: bool,
    content: Buffer,
}

/// Bytes that a writer and its owner share.
#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(super) fn open(walk: &mut Walk<'_>, content: &[u8]) {
    let passwords = walk.passwords();
    let (archive, opened_by) = match read(walk, content, None) {
        Ok(archive) => (archive, None),
        Err(ErrorKind::PasswordRequired | ErrorKind::BadPassword) => {
            // Names are locked too.
            let opened = passwords.iter().find_map(|password| {
                let may = walk.may_try_costly()
                    && (!names::is_of_this_kind(content)
                        || names::cost(content, &password.word).is_some_and(|bytes| walk.may_work(bytes)));
                may.then(|| read(walk, content, Some(password)).ok().map(|archive| (archive, password)))?
            });
            match opened {
                Some((archive, password)) => (archive, Some(password)),
                None => return walk.sign(Sign::Encrypted, ""),
            }
        }
        Err(kind) => return walk.cut(bound_of(kind)),
    };
    if !walk.may_hold(content.len()) {
        return;
    }
    let Some(key_bytes) = key_bytes(&archive) else {
        walk.cut(Bound::Method);
        return walk.sign(Sign::Encrypted, "");
    };
    let has_lock = archive.member_refs().any(|member| member.to_owned().meta.is_encrypted);
    let candidates: Vec<&Candidate> = opened_by.map_or_else(|| passwords.iter().collect(), |password| vec![password]);
    let mut opened_by = opened_by;
    if has_lock && opened_by.is_none() {
        opened_by = candidates.into_iter().find(|password| {
            walk.may_try_costly() && walk.may_work(key_bytes) && fits(walk, &archive, content.len(), password)
        });
    }
    unpack(walk, &archive, content.len(), opened_by, key_bytes);
    match opened_by {
        Some(password) => {
            walk.sign(if password.told { Sign::PasswordTold } else { Sign::PasswordCommon }, &password.word)
        }
        None if has_lock => walk.sign(Sign::Encrypted, ""),
        None => {}
    }
}

/// How many bytes are hashed for the key of a file; `None` if they are too many.
fn key_bytes(archive: &Archive) -> Option<usize> {
    let Some(archive) = archive.as_rar50() else { return Some(EARLIER_KEY_BYTES) };
    let rounds = archive.files().filter_map(|file| Some(file.encryption.as_ref()?.kdf_count));
    rounds.max().map_or(Some(0), hashed)
}

/// How many bytes are hashed for a key of RAR 5, by its rounds as a power of two; `None` if they are too many.
fn hashed(rounds: u8) -> Option<usize> {
    (rounds <= ROUNDS).then(|| ROUND_BYTES << rounds)
}

fn read(walk: &Walk<'_>, content: &[u8], password: Option<&Candidate>) -> Result<Archive, ErrorKind> {
    let has_own_keys = password.is_some() && !names::is_of_this_kind(content);
    let headers = if has_own_keys { LOCKED_HEADERS } else { walk.left_files() as u64 * 2 + 16 };
    let options = ArchiveReadOptions::with_optional_password(password.map(|password| password.word.as_bytes()))
        .with_max_header_count(headers)
        .with_max_header_bytes(HEADER_BYTES);
    ArchiveReader::read_with_options(content, options).map_err(|error| error.kind())
}

fn options<'o>(walk: &Walk<'_>, packed: usize, password: Option<&'o Candidate>) -> ArchiveReadOptions<'o> {
    let room = walk.room(packed).0 as u64;
    let memory = walk.dictionary_bytes() as u64;
    ArchiveReadOptions::with_optional_password(password.map(|password| password.word.as_bytes()))
        .with_max_total_output_bytes(room)
        .with_max_member_output_bytes(room)
        .with_rar50_dictionary_size_limit(memory)
        .with_rar50_buffered_decode_limit(memory)
        .with_max_reader_workspace_bytes(2 * memory)
}

/// Whether a password opens the first locked file.
fn fits(walk: &Walk<'_>, archive: &Archive, packed: usize, password: &Candidate) -> bool {
    let mut tried = false;
    let result = archive.extract_with_control(options(walk, packed, Some(password)), |member| {
        if tried {
            return Ok(ExtractionDecision::Stop);
        }
        tried = member.meta.is_encrypted;
        Ok(ExtractionDecision::Extract(Box::new(io::sink())))
    });
    result.is_ok()
}

fn unpack(walk: &mut Walk<'_>, archive: &Archive, packed: usize, password: Option<&Candidate>, key_bytes: usize) {
    let mut files: Vec<Unpacked> = Vec::new();
    let mut left = walk.left_files();
    let mut is_full = false;
    let result = archive.extract_with_control(options(walk, packed, password), |member| {
        let meta = &member.meta;
        if meta.is_directory || meta.is_redirection {
            return Ok(ExtractionDecision::Skip);
        }
        left = match left.checked_sub(1) {
            Some(left) => left,
            None => {
                is_full = true;
                return Ok(ExtractionDecision::Stop);
            }
        };
        let locked = meta.is_encrypted && password.is_none();
        // Each file has a key of its own.
        if meta.is_encrypted && !locked && !walk.may_work(key_bytes) {
            return Ok(ExtractionDecision::Stop);
        }
        let content = Buffer::default();
        files.push(Unpacked { name: text(meta.name_bytes()).replace('\\', "/"), locked, content: content.clone() });
        Ok(if locked { ExtractionDecision::Skip } else { ExtractionDecision::Extract(Box::new(content)) })
    });
    if let Err(error) = result {
        walk.cut(bound_of(error.kind()));
    }
    if is_full {
        walk.cut(Bound::Files);
    }
    let bytes = files.iter().map(|file| file.content.0.lock().unwrap_or_else(PoisonError::into_inner).len()).sum();
    if !walk.may_hold(bytes) {
        return;
    }
    for file in files {
        if walk.is_full() {
            return;
        }
        let content = std::mem::take(&mut *file.content.0.lock().unwrap_or_else(PoisonError::into_inner));
        if file.locked { walk.locked(&file.name) } else { walk.member(&file.name, &content) }
    }
}

fn bound_of(kind: ErrorKind) -> Bound {
    match kind {
        ErrorKind::ResourceLimit => Bound::Bytes,
        ErrorKind::UnsupportedFeature => Bound::Method,
        _ => Bound::Damage,
    }
}
