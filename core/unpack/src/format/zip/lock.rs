//! Members that are locked by a password: the legacy way (APPNOTE 6.1) and WinZip's AES.

use super::{Entry, unpacker};
use crate::{Bound, Sign, bytes::u16_le, walk::Walk};
use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};
use flate2::Crc;
use hmac::{Hmac, Mac};
use sha1::Sha1;

/// Rounds of the key derivation. Source: WinZip's AES encryption specification, "Key generation".
const ROUNDS: u32 = 1_000;
/// Bytes of the code that proves the content. Source: the same, "Authentication code".
const CODE_BYTES: usize = 10;

/// What is known about the lock of an archive, from member to member.
#[derive(Debug, Default)]
pub(super) struct Lock {
    /// Index of the password that has opened a member.
    opened_by: Option<usize>,
    /// Whether no password opened a member.
    failed: bool,
}

impl Lock {
    /// Content of a member, unlocked and unpacked.
    pub(super) fn open(&mut self, walk: &mut Walk<'_>, entry: &Entry<'_>) -> Option<Vec<u8>> {
        let passwords = walk.passwords();
        // Members have one password as a rule: after a first failure none is tried again.
        let order = self.opened_by.into_iter().chain((0..passwords.len()).filter(|_| !self.failed));
        for index in order.collect::<Vec<_>>() {
            if !walk.may_try() {
                break;
            }
            if let Some(content) = open_with(walk, entry, passwords[index].word.as_bytes()) {
                self.opened_by = Some(index);
                return Some(content);
            }
        }
        self.failed = true;
        None
    }

    /// Tells how the archive was locked.
    pub(super) fn tell(&self, walk: &mut Walk<'_>) {
        if let Some(password) = self.opened_by.and_then(|index| walk.passwords().get(index)) {
            walk.sign(if password.told { Sign::PasswordTold } else { Sign::PasswordCommon }, &password.word);
        }
        if self.failed {
            walk.sign(Sign::Encrypted, "");
        }
    }
}

fn open_with(walk: &mut Walk<'_>, entry: &Entry<'_>, password: &[u8]) -> Option<Vec<u8>> {
    match super::directory::field(entry.extra, 0x9901) {
        Some(aes) => {
            let packed = aes_decrypted(entry.data, password, *aes.get(4)?)?;
            unpacked(walk, entry, u16_le(aes, 5)?, &packed).map(|(content, _)| content)
        }
        None => {
            let packed = legacy_decrypted(entry, password)?;
            // The one byte that the lock itself checks is right by chance for one password of 256.
            let (content, whole) = unpacked(walk, entry, entry.method, &packed)?;
            let mut crc = Crc::new();
            crc.update(&content);
            (!whole || crc.sum() == entry.crc).then_some(content)
        }
    }
}

/// The content, and whether all of it is there.
fn unpacked(walk: &mut Walk<'_>, entry: &Entry<'_>, method: u16, packed: &[u8]) -> Option<(Vec<u8>, bool)> {
    let unpacker = unpacker(method, packed, entry, walk.dictionary_bytes()).ok()?;
    match walk.read_quietly(packed.len(), unpacker) {
        (_, Some(Bound::Damage)) => None,
        (content, Some(bound)) => {
            walk.cut(bound);
            Some((content, false))
        }
        (content, None) => Some((content, true)),
    }
}

/// The three keys of the legacy lock (APPNOTE 6.1.5).
struct Keys(u32, u32, u32);

impl Keys {
    fn new(password: &[u8]) -> Self {
        let mut keys = Keys(0x1234_5678, 0x2345_6789, 0x3456_7890);
        password.iter().for_each(|byte| keys.update(*byte));
        keys
    }

    fn update(&mut self, byte: u8) {
        self.0 = CRC_TABLE[usize::from(self.0 as u8 ^ byte)] ^ self.0 >> 8;
        self.1 = self.1.wrapping_add(self.0 & 0xff).wrapping_mul(0x0808_8405).wrapping_add(1);
        self.2 = CRC_TABLE[usize::from(self.2 as u8 ^ (self.1 >> 24) as u8)] ^ self.2 >> 8;
    }

    fn decrypt(&mut self, byte: u8) -> u8 {
        let mask = self.2 as u16 | 2;
        let plain = byte ^ (u32::from(mask).wrapping_mul(u32::from(mask ^ 1)) >> 8) as u8;
        self.update(plain);
        plain
    }
}

/// The table of CRC-32 (polynomial of ISO 3309, reflected).
const CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let (mut crc, mut bit) = (index as u32, 0);
        while bit < 8 {
            crc = if crc & 1 != 0 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
};

fn legacy_decrypted(entry: &Entry<'_>, password: &[u8]) -> Option<Vec<u8>> {
    let (head, body) = entry.data.split_at_checked(12)?;
    let mut keys = Keys::new(password);
    let last = head.iter().map(|byte| keys.decrypt(*byte)).last()?;
    let is_streamed = entry.flags & 8 != 0;
    let expected = [(entry.crc >> 24) as u8, (entry.time >> 8) as u8];
    let fits = last == expected[0] || is_streamed && last == expected[1];
    fits.then(|| body.iter().map(|byte| keys.decrypt(*byte)).collect())
}

/// WinZip's AES: salt, two bytes that check the password, content in counter mode, code. `strength`: 1, 2 or 3.
fn aes_decrypted(data: &[u8], password: &[u8], strength: u8) -> Option<Vec<u8>> {
    let key_bytes = match strength {
        1 => 16,
        2 => 24,
        3 => 32,
        _ => return None,
    };
    let (salt, rest) = data.split_at_checked(key_bytes / 2)?;
    let (check, rest) = rest.split_at_checked(2)?;
    let (body, code) = rest.split_at_checked(rest.len().checked_sub(CODE_BYTES)?)?;
    let mut derived = [0; 66];
    let derived = &mut derived[..2 * key_bytes + 2];
    pbkdf2::pbkdf2::<Hmac<Sha1>>(password, salt, ROUNDS, derived).ok()?;
    if derived[2 * key_bytes..] != *check {
        return None;
    }
    let mut prover = Hmac::<Sha1>::new_from_slice(&derived[key_bytes..2 * key_bytes]).ok()?;
    prover.update(body);
    if prover.finalize().into_bytes()[..CODE_BYTES] != *code {
        return None;
    }
    let key = &derived[..key_bytes];
    let mut plain = body.to_vec();
    match key_bytes {
        16 => counter_mode(&aes::Aes128::new_from_slice(key).ok()?, &mut plain),
        24 => counter_mode(&aes::Aes192::new_from_slice(key).ok()?, &mut plain),
        _ => counter_mode(&aes::Aes256::new_from_slice(key).ok()?, &mut plain),
    }
    Some(plain)
}

/// Counter mode whose counter is little endian and begins with one.
fn counter_mode(cipher: &impl BlockCipherEncrypt<BlockSize = aes::cipher::consts::U16>, bytes: &mut [u8]) {
    for (number, block) in (1_u128..).zip(bytes.chunks_mut(16)) {
        let mut mask = Array::from(number.to_le_bytes());
        cipher.encrypt_block(&mut mask);
        block.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
    }
}
