//! The source of Visual Basic macros, compressed as MS-OVBA 2.4.1 says.

use memchr::memmem;

/// A module's source begins with `Attribute VB_Name`: its first eight letters stand as they are behind the head of the
/// compressed container, whatever the project's directory says.
const START: &[u8] = b"Attribut";
/// A chunk when it is unpacked. Unit: bytes. Source: MS-OVBA 2.4.1.
const CHUNK_BYTES: usize = 4_096;
/// Most source of one stream. Unit: bytes. Source: our own limit; a module has at most 64 KB of procedures each.
const SOURCE_BYTES: usize = 8 << 20;

/// Adds all sources that stand in a stream; `None` if there are more than fit.
pub(super) fn sources(stream: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (mut end, start_bytes) = (0, out.len());
    for at in memmem::find_iter(stream, START) {
        let Some(start) = at.checked_sub(4).filter(|start| *start >= end) else { continue };
        let is_container = stream[start] == 1 && stream[start + 2] & 0x70 == 0x30 && stream[at - 1] == 0;
        if is_container {
            let source = out.len();
            end = start + 1 + decompress(&stream[start + 1..], out);
            if out.len() - start_bytes > SOURCE_BYTES {
                out.truncate(source.max(start_bytes + SOURCE_BYTES));
                return None;
            }
        }
    }
    Some(())
}

/// Unpacks chunks until there are none; how many bytes they took.
fn decompress(chunks: &[u8], out: &mut Vec<u8>) -> usize {
    let (mut at, start) = (0, out.len());
    while let Some(head) = crate::bytes::u16_le(chunks, at) {
        if head >> 12 & 7 != 3 || out.len() - start > SOURCE_BYTES {
            break;
        }
        let length = usize::from(head & 0xfff) + 1;
        let data = crate::bytes::up_to(chunks, at + 2, length);
        match head >> 15 {
            0 => out.extend(&data[..data.len().min(CHUNK_BYTES)]),
            _ => drop(chunk(data, out)),
        }
        at += 2 + length;
    }
    at
}

/// Unpacks one chunk (MS-OVBA 2.4.1.3.2): flags, each with eight letters or copies.
fn chunk(data: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let start = out.len();
    let mut at = 0;
    while at < data.len() {
        let flags = data[at];
        at += 1;
        for bit in 0..8 {
            let is_copy = flags >> bit & 1 != 0;
            if !is_copy {
                out.push(*data.get(at)?);
                at += 1;
                continue;
            }
            let token = crate::bytes::u16_le(data, at)?;
            at += 2;
            let done = out.len() - start;
            // How many bits the distance has grows with what is there (2.4.1.3.19.1).
            let bits = (usize::BITS - done.max(1).saturating_sub(1).leading_zeros()).max(4);
            let length = usize::from(token & 0xffff >> bits) + 3;
            let distance = usize::from(token >> (16 - bits)) + 1;
            let from = out.len().checked_sub(distance).filter(|from| *from >= start)?;
            if done + length > CHUNK_BYTES {
                return None;
            }
            (from..from + length).for_each(|place| out.push(out[place]));
        }
    }
    Some(())
}
