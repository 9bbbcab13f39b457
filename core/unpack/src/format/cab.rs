//! Windows cabinets (MS-CAB).

use crate::{
    Bound,
    bytes::{before_nul, slice, text, u16_le, u32_le, up_to},
    walk::Walk,
};
use lzxd::{Lzxd, WindowSize};
use miniz_oxide::inflate::core::{
    DecompressorOxide, decompress, inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};

/// Flags of the header (MS-CAB 2.1).
const HAS_PREVIOUS: u16 = 1;
const HAS_NEXT: u16 = 2;
const HAS_RESERVE: u16 = 4;
/// Largest block when it is unpacked. Unit: bytes. Source: MS-CAB 2.4.
const BLOCK: usize = 32_768;

/// A stretch of files that are packed as one (MS-CAB 2.2).
struct Folder {
    start: usize,
    blocks: u16,
    method: u16,
}

/// A file in a folder (MS-CAB 2.3).
struct Row {
    folder: usize,
    start: usize,
    size: usize,
    name: String,
}

pub(super) fn open(walk: &mut Walk<'_>, content: &[u8]) {
    let Some((folders, rows, block_reserve)) = directory(content, walk.left_files()) else {
        return walk.cut(Bound::Damage);
    };
    let held = walk.held();
    for (index, folder) in folders.iter().enumerate() {
        if !rows.iter().any(|row| row.folder == index) {
            continue;
        }
        walk.release(held);
        let unpacked = unpack(walk, content, folder, block_reserve);
        if !walk.may_work(unpacked.len()) || !walk.may_hold(unpacked.len()) {
            return;
        }
        for row in rows.iter().filter(|row| row.folder == index) {
            if walk.is_full() {
                return;
            }
            let data = up_to(&unpacked, row.start, row.size);
            if data.len() < row.size {
                walk.cut(Bound::Damage);
            }
            walk.member(&row.name, data);
        }
    }
}

/// Folders, files, and the size of what programs reserve before each block.
fn directory(content: &[u8], most: usize) -> Option<(Vec<Folder>, Vec<Row>, usize)> {
    let (mut row_at, flags) = (u32_le(content, 16)? as usize, u16_le(content, 30)?);
    let (folder_count, row_count) = (u16_le(content, 26)?, u16_le(content, 28)?);
    let mut at = 36;
    let (mut folder_reserve, mut block_reserve) = (0, 0);
    if flags & HAS_RESERVE != 0 {
        folder_reserve = usize::from(*content.get(38)?);
        block_reserve = usize::from(*content.get(39)?);
        at += 4 + usize::from(u16_le(content, 36)?);
    }
    for has in [HAS_PREVIOUS, HAS_NEXT] {
        if flags & has != 0 {
            // Name and disk.
            at += before_nul(content.get(at..)?).len() + 1;
            at += before_nul(content.get(at..)?).len() + 1;
        }
    }
    let mut folders = Vec::new();
    for _ in 0..folder_count {
        let Some(start) = u32_le(content, at) else { break };
        folders.push(Folder {
            start: start as usize,
            blocks: u16_le(content, at + 4)?,
            method: u16_le(content, at + 6)?,
        });
        at += 8 + folder_reserve;
    }
    let mut rows = Vec::new();
    for _ in 0..usize::from(row_count).min(most.saturating_add(1)) {
        let (Some(size), Some(start), Some(folder)) =
            (u32_le(content, row_at), u32_le(content, row_at + 4), u16_le(content, row_at + 8))
        else {
            break;
        };
        let name = before_nul(up_to(content, row_at + 16, 256));
        // Numbers from 0xfffd on are files that go on in another cabinet.
        let folder = match folder {
            0xfffd => 0,
            0xfffe | 0xffff => folders.len().saturating_sub(1),
            folder => usize::from(folder),
        };
        rows.push(Row { folder, start: start as usize, size: size as usize, name: text(name).replace('\\', "/") });
        row_at += 16 + name.len() + 1;
    }
    Some((folders, rows, block_reserve))
}

/// The bytes of a folder, as far as the bounds go.
fn unpack(walk: &mut Walk<'_>, content: &[u8], folder: &Folder, block_reserve: usize) -> Vec<u8> {
    let (room, bound) = walk.room(content.len());
    let mut lzx = None;
    if folder.method & 0xf == 3 {
        let Some(window) = window(folder.method >> 8 & 0x1f) else {
            walk.cut(Bound::Dictionary);
            return Vec::new();
        };
        lzx = match lzx_with(walk, window) {
            None => return Vec::new(),
            lzx => lzx,
        };
    }
    let mut out = Vec::new();
    let mut at = folder.start;
    for _ in 0..folder.blocks {
        let (Some(packed), Some(unpacked)) = (u16_le(content, at + 4), u16_le(content, at + 6)) else {
            walk.cut(Bound::Damage);
            break;
        };
        let unpacked = usize::from(unpacked).min(BLOCK);
        let Some(block) = slice(content, at + 8 + block_reserve, usize::from(packed)) else {
            walk.cut(Bound::Damage);
            break;
        };
        at += 8 + block_reserve + block.len();
        if out.len() + unpacked > room {
            walk.cut(bound);
            break;
        }
        let done = match (folder.method & 0xf, &mut lzx) {
            (0, _) => {
                out.extend(block);
                Some(())
            }
            (1, _) => ms_zip(block, unpacked, &mut out),
            (3, Some(lzx)) => lzx.decompress_next(block, unpacked).ok().map(|part| out.extend(part)),
            _ => {
                walk.cut(Bound::Method);
                break;
            }
        };
        if done.is_none() {
            walk.cut(Bound::Damage);
            break;
        }
    }
    out
}

/// A block of MSZIP (MS-MCI): Deflate, whose dictionary is the block before.
fn ms_zip(block: &[u8], unpacked: usize, out: &mut Vec<u8>) -> Option<()> {
    let packed = block.strip_prefix(b"CK")?;
    let history = out.len().min(BLOCK);
    let from = out.len() - history;
    let mut window = out[from..].to_vec();
    window.resize(history + unpacked, 0);
    let flags = TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let (_, _, written) = decompress(&mut DecompressorOxide::new(), packed, &mut window, history, flags);
    out.extend(&window[history..history + written]);
    (written == unpacked).then_some(())
}

/// An unpacker of LZX; making its window is work.
pub(super) fn lzx_with(walk: &mut Walk<'_>, window: WindowSize) -> Option<Lzxd> {
    walk.may_work(window as usize).then(|| Lzxd::new(window))
}

/// The window of LZX by its exponent (MS-CAB 2.2).
pub(super) fn window(exponent: u16) -> Option<WindowSize> {
    Some(match exponent {
        15 => WindowSize::KB32,
        16 => WindowSize::KB64,
        17 => WindowSize::KB128,
        18 => WindowSize::KB256,
        19 => WindowSize::KB512,
        20 => WindowSize::MB1,
        21 => WindowSize::MB2,
        _ => return None,
    })
}
