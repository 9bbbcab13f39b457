//! The methods of a folder (Methods.txt of the LZMA SDK), each over what the one before made.

use super::{
    super::compression,
    START,
    header::{AES, Archive, Coder, Folder},
};
use crate::{Bound, bytes::up_to, walk::Walk};
use aes::cipher::{Array, BlockCipherDecrypt, KeyInit};
use lzma_rust2::{
    Lzma2Reader,
    filter::{bcj::BcjReader, bcj2::Bcj2Reader, delta::DeltaReader},
};
use sha2::{Digest, Sha256};
use std::{
    borrow::Cow,
    io::{Cursor, Error, ErrorKind, Read, Result},
};

/// Most rounds of the key derivation, as a power of two. Source: our own limit; 7-Zip takes 19, about 50 ms.
const ROUNDS: u32 = 20;

/// The method that puts branches of x86 programs together from four streams.
const BCJ2: &[u8] = b"\x03\x03\x01\x1b";

/// A folder unpacked, and whether that is all of it.
pub(super) fn unpack(
    walk: &mut Walk<'_>,
    content: &[u8],
    archive: &Archive,
    folder: &Folder,
    password: &str,
    key: &mut Key,
) -> std::result::Result<(Vec<u8>, bool), Bound> {
    let last = folder.last_output().ok_or(Bound::Damage)?;
    let held = walk.held();
    let mut way = Way { walk, content, archive, folder, password, key, whole: true, steps: folder.coders.len() };
    let out = way.output(last).map(|out| (out.into_owned(), way.whole));
    walk.release(held);
    out
}

/// A key, and what it was derived from.
#[derive(Default)]
pub(super) struct Key {
    password: String,
    rounds: u32,
    salt: Vec<u8>,
    key: Option<[u8; 32]>,
}

struct Way<'a, 'w> {
    walk: &'a mut Walk<'w>,
    content: &'a [u8],
    archive: &'a Archive,
    folder: &'a Folder,
    password: &'a str,
    key: &'a mut Key,
    whole: bool,
    /// Coders that may still run: bonds may form a circle.
    steps: usize,
}

impl<'a> Way<'a, '_> {
    /// What an output gives.
    fn output(&mut self, output: usize) -> std::result::Result<Cow<'a, [u8]>, Bound> {
        self.steps = self.steps.checked_sub(1).ok_or(Bound::Damage)?;
        let folder = self.folder;
        let (mut first_input, mut first_output) = (0, 0);
        for coder in &folder.coders {
            if (first_output..first_output + coder.outputs).contains(&output) {
                if coder.inputs != if coder.method == BCJ2 { 4 } else { 1 } {
                    return Err(Bound::Damage);
                }
                let held = self.walk.held();
                let mut inputs = Vec::new();
                for input in first_input..first_input + coder.inputs {
                    let input = self.input(input)?;
                    let owned = if matches!(input, Cow::Owned(_)) { input.len() } else { 0 };
                    if !self.walk.may_hold(owned) {
                        return Err(Bound::Bytes);
                    }
                    inputs.push(input);
                }
                let out = self.run(coder, inputs, folder.sizes[output]);
                self.walk.release(held);
                return out;
            }
            first_input += coder.inputs;
            first_output += coder.outputs;
        }
        Err(Bound::Damage)
    }

    /// What feeds an input.
    fn input(&mut self, input: usize) -> std::result::Result<Cow<'a, [u8]>, Bound> {
        if let Some((_, output)) = self.folder.bonds.iter().find(|(bound, _)| *bound == input) {
            return self.output(*output);
        }
        let place = self.folder.packed.iter().position(|packed| *packed == input).ok_or(Bound::Damage)?;
        let stream = self.folder.first_packed + place;
        let before =
            self.archive.packed_sizes.iter().take(stream).try_fold(0_usize, |sum, size| sum.checked_add(*size));
        let size = self.archive.packed_sizes.get(stream).ok_or(Bound::Damage)?;
        let start = before.and_then(|before| before.checked_add(self.archive.start)?.checked_add(START));
        Ok(Cow::Borrowed(up_to(self.content, start.ok_or(Bound::Damage)?, *size)))
    }

    fn run(
        &mut self,
        coder: &Coder,
        mut inputs: Vec<Cow<'a, [u8]>>,
        size: u64,
    ) -> std::result::Result<Cow<'a, [u8]>, Bound> {
        let packed: usize = inputs.iter().map(|input| input.len()).sum();
        if coder.method == BCJ2 {
            let inputs: Vec<_> = inputs.into_iter().map(Cursor::new).collect();
            return self.read(packed, Bcj2Reader::new(inputs, size)).map(Cow::Owned);
        }
        let input = inputs.pop().ok_or(Bound::Damage)?;
        match coder.method.as_slice() {
            b"\x00" => Ok(input),
            AES => {
                if !self.walk.may_work(packed) {
                    return Err(Bound::Bytes);
                }
                let out = decrypted(self.walk, input.into_owned(), &coder.properties, self.password, self.key);
                let mut out = out.ok_or(Bound::Method)?;
                // What fills the last block is no part of it.
                out.truncate(usize::try_from(size).unwrap_or(usize::MAX));
                Ok(Cow::Owned(out))
            }
            method => match unpacker(method, &coder.properties, &input, size, self.walk.dictionary_bytes()) {
                Ok(unpacker) => self.read(packed, unpacker.take(size)).map(Cow::Owned),
                Err(error) if error.kind() == ErrorKind::Unsupported => Err(Bound::Method),
                Err(error) if error.kind() == ErrorKind::OutOfMemory => Err(Bound::Dictionary),
                Err(_) => Err(Bound::Damage),
            },
        }
    }

    fn read(&mut self, packed: usize, unpacker: impl Read) -> std::result::Result<Vec<u8>, Bound> {
        match self.walk.read_quietly(packed, unpacker) {
            (out, None) => Ok(out),
            // A stream that breaks off: what came before counts, but a wrong password makes such streams too.
            (out, Some(Bound::Damage)) if !self.folder.is_locked() => {
                self.walk.cut(Bound::Damage);
                Ok(out)
            }
            (_, Some(Bound::Damage)) => Err(Bound::Damage),
            (out, Some(bound)) => {
                self.walk.cut(bound);
                self.whole = false;
                Ok(out)
            }
        }
    }
}

fn unpacker<'p>(
    method: &[u8],
    properties: &[u8],
    packed: &'p [u8],
    size: u64,
    most: usize,
) -> Result<Box<dyn Read + 'p>> {
    Ok(match method {
        b"\x03\x01\x01" => Box::new(compression::bare_lzma(packed, properties, Some(size), most)?),
        b"\x21" => {
            let exponent = u32::from(*properties.first().ok_or(ErrorKind::InvalidData)?);
            // A mantissa of two or three, and how far it is shifted.
            let dictionary =
                if exponent >= 40 { u64::from(u32::MAX) } else { (2 | u64::from(exponent & 1)) << (exponent / 2 + 11) };
            compression::within(dictionary, most)?;
            Box::new(Lzma2Reader::new(packed, dictionary as u32, None))
        }
        b"\x03" => {
            Box::new(DeltaReader::new(packed, usize::from(*properties.first().ok_or(ErrorKind::InvalidData)?) + 1))
        }
        b"\x04" | b"\x03\x03\x01\x03" => Box::new(BcjReader::new_x86(packed, 0)),
        b"\x05" | b"\x03\x03\x02\x05" => Box::new(BcjReader::new_ppc(packed, 0)),
        b"\x06" | b"\x03\x03\x04\x01" => Box::new(BcjReader::new_ia64(packed, 0)),
        b"\x07" | b"\x03\x03\x05\x01" => Box::new(BcjReader::new_arm(packed, 0)),
        b"\x08" | b"\x03\x03\x07\x01" => Box::new(BcjReader::new_arm_thumb(packed, 0)),
        b"\x09" | b"\x03\x03\x08\x05" => Box::new(BcjReader::new_sparc(packed, 0)),
        b"\x0a" => Box::new(BcjReader::new_arm64(packed, 0)),
        b"\x04\x01\x08" => Box::new(compression::deflate(packed)),
        b"\x04\x01\x09" => Box::new(compression::deflate64(packed)),
        b"\x04\x02\x02" => Box::new(compression::bzip2(packed)),
        b"\x04\xf7\x11\x01" => Box::new(compression::zstd(packed, most)),
        _ => return Err(Error::from(ErrorKind::Unsupported)),
    })
}

/// A key: many rounds of SHA-256 over salt, password and a counter.
fn derived(walk: &mut Walk<'_>, rounds: u32, salt: &[u8], password: &str) -> Option<[u8; 32]> {
    let password: Vec<u8> = password.encode_utf16().flat_map(u16::to_le_bytes).collect();
    if rounds == 0x3f {
        let mut key = [0; 32];
        let bytes = salt.iter().chain(&password).take(32);
        key.iter_mut().zip(bytes).for_each(|(key, byte)| *key = *byte);
        return Some(key);
    }
    if rounds > ROUNDS || !walk.may_try_costly() {
        return None;
    }
    let mut digest = Sha256::new();
    for round in 0..1_u64 << rounds {
        digest.update(salt);
        digest.update(&password);
        digest.update(round.to_le_bytes());
    }
    Some(digest.finalize().into())
}

/// AES-256 in CBC mode.
fn decrypted(
    walk: &mut Walk<'_>,
    mut data: Vec<u8>,
    properties: &[u8],
    password: &str,
    last: &mut Key,
) -> Option<Vec<u8>> {
    let (first, second) = (*properties.first()?, *properties.get(1).unwrap_or(&0));
    let salt_bytes = usize::from(first >> 7) + usize::from(second >> 4);
    let vector_bytes = usize::from(first >> 6 & 1) + usize::from(second & 0xf);
    let salt = up_to(properties, 2, salt_bytes);
    let mut vector = [0; 16];
    let given = up_to(properties, 2 + salt_bytes, vector_bytes.min(16));
    vector[..given.len()].copy_from_slice(given);
    let rounds = u32::from(first & 0x3f);
    let is_last = last.rounds == rounds && last.salt == salt && last.password == password;
    let key = match last.key.filter(|_| is_last) {
        Some(key) => key,
        None => {
            let key = derived(walk, rounds, salt, password)?;
            *last = Key { password: password.to_owned(), rounds, salt: salt.to_vec(), key: Some(key) };
            key
        }
    };
    let cipher = aes::Aes256::new_from_slice(&key).ok()?;
    data.truncate(data.len() / 16 * 16);
    for block in data.chunks_exact_mut(16) {
        let mut plain = Array::try_from(&*block).ok()?;
        let packed = plain;
        cipher.decrypt_block(&mut plain);
        block.iter_mut().zip(plain).zip(vector).for_each(|((byte, plain), mask)| *byte = plain ^ mask);
        vector.copy_from_slice(&packed);
    }
    Some(data)
}
