//! Headers of RAR 5 that are locked (RAR 5.0 archive format, "Archive encryption header"), read for what the keys of the files cost:
//! the crate derives one for each header while it reads them.

use super::hashed;
use crate::bytes::{slice, up_to};
use aes::cipher::{Array, BlockCipherDecrypt, KeyInit};
use hmac::Hmac;
use sha2::Sha256;

const MARK: &[u8] = b"Rar!\x1a\x07\x01\x00";
/// Types of headers.
const FILE: u64 = 2;
const SERVICE: u64 = 3;
const ENCRYPTION: u64 = 4;
const END: u64 = 5;
/// Flags of headers: extra records and content follow.
const HAS_EXTRA: u64 = 1;
const HAS_DATA: u64 = 2;
/// Type of the extra record that tells how a file is locked.
const LOCK: u64 = 1;
/// Largest header. Unit: bytes. Source: the format's own limit.
const HEADER_BYTES: usize = 2 << 20;
const BLOCK: usize = 16;

/// Whether the headers of this archive may be locked so.
pub(super) fn is_of_this_kind(content: &[u8]) -> bool {
    content.starts_with(MARK)
}

/// How many bytes are hashed for the keys of all files; `None` if the password is wrong, a header is damaged, or a key costs too much.
pub(super) fn cost(content: &[u8], password: &str) -> Option<usize> {
    let (lock, mut at) = plain_header(content, MARK.len())?;
    let Head { kind, mut rest, .. } = head(lock)?;
    if kind != ENCRYPTION {
        return None;
    }
    let (_version, _flags) = (number(&mut rest)?, number(&mut rest)?);
    let (rounds, salt) = (*rest.first()?, slice(rest, 1, 16)?);
    hashed(rounds)?;
    let mut key = [0; 32];
    pbkdf2::pbkdf2::<Hmac<Sha256>>(password.as_bytes(), salt, 1 << rounds, &mut key).ok()?;
    let cipher = aes::Aes256::new_from_slice(&key).ok()?;
    let mut cost = 0_usize;
    while at < content.len() {
        let (vector, packed) = (slice(content, at, BLOCK)?, content.get(at + BLOCK..)?);
        let first = decrypted(&cipher, vector, slice(packed, 0, BLOCK)?)?;
        let mut rest = &first[4..];
        let length = usize::try_from(number(&mut rest)?).ok().filter(|length| *length <= HEADER_BYTES)?;
        let whole = (BLOCK - rest.len() + length).next_multiple_of(BLOCK);
        let plain = decrypted(&cipher, vector, slice(packed, 0, whole)?)?;
        let header = slice(&plain, BLOCK - rest.len(), length)?;
        let Head { kind, extra, data, .. } = head(header)?;
        if matches!(kind, FILE | SERVICE) {
            cost += rounds_of(header, extra).map_or(Some(0), hashed)?;
        }
        if kind == END {
            break;
        }
        at = at.checked_add(BLOCK + whole)?.checked_add(data)?;
    }
    Some(cost)
}

/// A header that is not locked, behind its checksum and length, and where the next begins.
fn plain_header(content: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let mut rest = content.get(at + 4..)?;
    let length = usize::try_from(number(&mut rest)?).ok()?;
    let header = slice(rest, 0, length)?;
    Some((header, content.len() - rest.len() + length))
}

/// What all headers begin with, and what follows.
struct Head<'h> {
    kind: u64,
    /// Bytes of extra records, at the end of the header.
    extra: usize,
    /// Bytes of content, behind the header.
    data: usize,
    rest: &'h [u8],
}

fn head(mut header: &[u8]) -> Option<Head<'_>> {
    let (kind, flags) = (number(&mut header)?, number(&mut header)?);
    let extra = if flags & HAS_EXTRA != 0 { number(&mut header)? } else { 0 };
    let data = if flags & HAS_DATA != 0 { number(&mut header)? } else { 0 };
    Some(Head { kind, extra: usize::try_from(extra).ok()?, data: usize::try_from(data).ok()?, rest: header })
}

/// The rounds that a file's own lock asks for, as a power of two: the highest, if it has several.
fn rounds_of(header: &[u8], extra: usize) -> Option<u8> {
    let mut records = header.get(header.len().checked_sub(extra)?..)?;
    let mut rounds = None;
    while let Some(length) = number(&mut records) {
        let mut record = up_to(records, 0, usize::try_from(length).ok()?);
        records = &records[record.len()..];
        if number(&mut record) == Some(LOCK) {
            let (_version, _flags) = (number(&mut record)?, number(&mut record)?);
            rounds = rounds.max(record.first().copied());
        }
    }
    rounds
}

/// A number of groups of seven bits, lowest first.
fn number(bytes: &mut &[u8]) -> Option<u64> {
    let length = bytes.iter().take(10).position(|byte| byte & 0x80 == 0)? + 1;
    let (taken, rest) = bytes.split_at(length);
    *bytes = rest;
    Some(taken.iter().rev().fold(0, |number, byte| number << 7 | u64::from(byte & 0x7f)))
}

/// AES-256 in CBC mode over whole blocks.
fn decrypted(cipher: &aes::Aes256, vector: &[u8], packed: &[u8]) -> Option<Vec<u8>> {
    let mut before = vector;
    let mut out = Vec::with_capacity(packed.len());
    for block in packed.chunks_exact(BLOCK) {
        let mut plain = Array::try_from(block).ok()?;
        cipher.decrypt_block(&mut plain);
        out.extend(plain.iter().zip(before).map(|(byte, mask)| byte ^ mask));
        before = block;
    }
    Some(out)
}
