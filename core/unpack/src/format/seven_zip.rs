//! 7-Zip archives (7zFormat.txt of the LZMA SDK).

mod coder;
mod header;

use crate::{
    Bound, Sign,
    bytes::{u64_le, up_to},
    walk::Walk,
};
use header::{Archive, Folder, Header};

/// Where the packed streams begin. Unit: bytes.
const START: usize = 32;
/// How often a header may be packed in another. Source: our own limit; 7-Zip packs it once.
const HEADERS: usize = 4;

/// What opens the locked folders of an archive.
#[derive(Default)]
struct Lock {
    opened_by: Option<usize>,
    failed: bool,
    /// The key that was derived last: folders have the same as a rule.
    key: coder::Key,
}

pub(super) fn open(walk: &mut Walk<'_>, content: &[u8]) {
    let mut lock = Lock::default();
    let archive = read(walk, content, &mut lock);
    match archive {
        Ok(archive) => files(walk, content, &archive, &mut lock),
        Err(bound) if !lock.failed => walk.cut(bound),
        Err(_) => {}
    }
    if let Some(password) = lock.opened_by.and_then(|index| walk.passwords().get(index)) {
        walk.sign(if password.told { Sign::PasswordTold } else { Sign::PasswordCommon }, &password.word);
    }
    if lock.failed {
        walk.sign(Sign::Encrypted, "");
    }
}

/// The header, which is packed as a rule, and locked if names are to be hidden.
fn read(walk: &mut Walk<'_>, content: &[u8], lock: &mut Lock) -> Result<Archive, Bound> {
    let place = |at| u64_le(content, at).and_then(|number| usize::try_from(number).ok()).ok_or(Bound::Damage);
    let (offset, size) = (place(12)?, place(20)?);
    if size == 0 {
        return Ok(Archive::default());
    }
    let mut bytes = up_to(content, START.saturating_add(offset), size).to_vec();
    for _ in 0..HEADERS {
        match header::read(&bytes, walk.left_files()).ok_or(Bound::Damage)? {
            Header::Plain(archive) => return Ok(archive),
            Header::Packed(archive) => {
                let folder = archive.folders.first().ok_or(Bound::Damage)?;
                bytes = unlocked(walk, content, &archive, folder, lock)?;
                if !walk.may_hold(bytes.len()) {
                    return Err(Bound::Bytes);
                }
            }
        }
    }
    Err(Bound::Damage)
}

fn files(walk: &mut Walk<'_>, content: &[u8], archive: &Archive, lock: &mut Lock) {
    let mut files = archive.files.iter().filter(|file| file.has_content);
    let held = walk.held();
    for folder in &archive.folders {
        walk.release(held);
        let unpacked = unlocked(walk, content, archive, folder, lock);
        if !walk.may_hold(unpacked.as_ref().map_or(0, Vec::len)) {
            return;
        }
        if let Err(bound) = unpacked {
            let was_locked = folder.is_locked() && lock.failed;
            if !was_locked {
                walk.cut(bound);
            }
        }
        let mut rest = unpacked.as_deref().unwrap_or_default();
        for size in &folder.files {
            let name = files.next().map_or("", |file| file.name.as_str());
            if walk.is_full() {
                return;
            }
            if unpacked.is_err() {
                // What is not locked has a name all the same; why it was not looked into is told.
                if folder.is_locked() && lock.failed {
                    walk.locked(name)
                } else {
                    walk.member(name, &[])
                }
                continue;
            }
            let (data, behind) = rest.split_at(rest.len().min(*size));
            if data.len() < *size {
                walk.cut(Bound::Damage);
            }
            walk.member(name, data);
            rest = behind;
        }
    }
}

/// A folder unpacked; what is locked is opened by the password that opened the one before, else by trying.
fn unlocked(
    walk: &mut Walk<'_>,
    content: &[u8],
    archive: &Archive,
    folder: &Folder,
    lock: &mut Lock,
) -> Result<Vec<u8>, Bound> {
    if !folder.is_locked() {
        return coder::unpack(walk, content, archive, folder, "", &mut lock.key).map(|(out, _)| out);
    }
    let passwords = walk.passwords();
    let order: Vec<usize> = lock.opened_by.into_iter().chain((0..passwords.len()).filter(|_| !lock.failed)).collect();
    for index in order {
        if !walk.may_try() {
            break;
        }
        if let Ok((out, whole)) = coder::unpack(walk, content, archive, folder, &passwords[index].word, &mut lock.key)
            && (folder.fits(&out) || !whole)
        {
            lock.opened_by = Some(index);
            return Ok(out);
        }
    }
    lock.failed = true;
    Err(Bound::Method)
}
