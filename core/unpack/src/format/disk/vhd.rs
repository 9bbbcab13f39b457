//! Virtual disks that grow (Microsoft's Virtual Hard Disk Image Format Specification 1.0).

use crate::{bytes::slice, walk::Walk};

/// Unit of places. Unit: bytes.
const SECTOR: usize = 512;
/// A block that is not there.
const ABSENT: u32 = u32::MAX;

/// The start of the disk that the image stands for, as far as the bounds go.
pub(super) fn flat(walk: &mut Walk<'_>, content: &[u8]) -> Option<Vec<u8>> {
    let number = |at| slice(content, at, 4)?.try_into().ok().map(u32::from_be_bytes);
    let header = SECTOR;
    if slice(content, header, 8)? != b"cxsparse" {
        return None;
    }
    let table = usize::try_from(u64::from(number(header + 16)?) << 32 | u64::from(number(header + 20)?)).ok()?;
    let (blocks, block_bytes) = (number(header + 28)? as usize, number(header + 32)? as usize);
    if block_bytes == 0 || block_bytes % SECTOR != 0 {
        return None;
    }
    // A map of its sectors stands before each block.
    let map_bytes = (block_bytes / SECTOR).div_ceil(8).next_multiple_of(SECTOR);
    let (room, bound) = walk.room(content.len());
    let mut disk = Vec::new();
    let mut held = 0;
    for block in 0..blocks {
        let Some(place) = block.checked_mul(4).and_then(|at| at.checked_add(table)).and_then(number) else { break };
        if place == ABSENT {
            continue;
        }
        let from = (place as usize).checked_mul(SECTOR)?.checked_add(map_bytes)?;
        let start = block.checked_mul(block_bytes)?;
        let data = crate::bytes::up_to(content, from, block_bytes);
        held += data.len();
        if start.checked_add(data.len())? > room || held > room {
            walk.cut(bound);
            break;
        }
        disk.resize(start.max(disk.len()), 0);
        disk.truncate(start);
        disk.extend(data);
    }
    Some(disk)
}
