//! RAR archives of all versions, read by the crate rars within its limits.

use crate::{Bound, Candidate, Sign, bytes::text, walk::Walk};
use rars::{Archive, ArchiveReadOptions, ArchiveReader, ErrorKind, ExtractionDecision};
use std::{
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

/// Most bytes of headers. Unit: bytes. Source: our own limit; a name and its numbers are some hundred bytes.
const HEADER_BYTES: u64 = 16 << 20;

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
                walk.may_try_costly()
                    .then(|| read(walk, content, Some(password)).ok().map(|archive| (archive, password)))?
            });
            match opened {
                Some((archive, password)) => (archive, Some(password)),
                None => return walk.sign(Sign::Encrypted, ""),
            }
        }
        Err(kind) => return walk.cut(bound_of(kind)),
    };
    let has_lock = archive.member_refs().any(|member| member.to_owned().meta.is_encrypted);
    let candidates: Vec<&Candidate> = opened_by.map_or_else(|| passwords.iter().collect(), |password| vec![password]);
    let mut opened_by = opened_by;
    if has_lock && opened_by.is_none() {
        opened_by = candidates
            .into_iter()
            .find(|password| walk.may_try_costly() && fits(walk, &archive, content.len(), password));
    }
    unpack(walk, &archive, content.len(), opened_by);
    match opened_by {
        Some(password) => {
            walk.sign(if password.told { Sign::PasswordTold } else { Sign::PasswordCommon }, &password.word)
        }
        None if has_lock => walk.sign(Sign::Encrypted, ""),
        None => {}
    }
}

fn read(walk: &Walk<'_>, content: &[u8], password: Option<&Candidate>) -> Result<Archive, ErrorKind> {
    let options = ArchiveReadOptions::with_optional_password(password.map(|password| password.word.as_bytes()))
        .with_max_header_count(walk.left_files() as u64 * 2 + 16)
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

fn unpack(walk: &mut Walk<'_>, archive: &Archive, packed: usize, password: Option<&Candidate>) {
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
        let content = Buffer::default();
        let locked = meta.is_encrypted && password.is_none();
        files.push(Unpacked { name: text(meta.name_bytes()).replace('\\', "/"), locked, content: content.clone() });
        Ok(if locked { ExtractionDecision::Skip } else { ExtractionDecision::Extract(Box::new(content)) })
    });
    if let Err(error) = result {
        walk.cut(bound_of(error.kind()));
    }
    if is_full {
        walk.cut(Bound::Files);
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
