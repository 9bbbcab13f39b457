//! Images of disks: a FAT file system (Microsoft's FAT specification 1.03), alone, in a partition, or in a VHD.

mod vhd;

use crate::{
    Bound,
    bytes::{folder, text, u16_le, u32_le, up_to},
    walk::Walk,
};
use std::collections::HashSet;

/// Where partitions stand in the first sector, and how many.
const PARTITIONS: usize = 446;
/// Size of an entry of a folder. Unit: bytes.
const ENTRY: usize = 32;
/// Longest name. Unit: bytes in UTF-16. Source: FAT specification, "Long directory entries": 255 characters.
const NAME_BYTES: usize = 510;
/// Largest folder. Unit: bytes. Source: FAT specification: 65,536 entries.
const FOLDER_BYTES: usize = ENTRY << 16;
/// Deepest folder. Source: our own limit.
const FOLDERS: usize = 64;

pub(super) fn open(walk: &mut Walk<'_>, content: &[u8]) {
    if content.starts_with(b"conectix") {
        return match vhd::flat(walk, content) {
            Some(disk) if walk.may_hold(disk.len()) => volumes(walk, &disk),
            Some(_) => {}
            None => walk.cut(Bound::Damage),
        };
    }
    if content.starts_with(b"vhdxfile") {
        return walk.cut(Bound::Method);
    }
    volumes(walk, content);
}

fn volumes(walk: &mut Walk<'_>, disk: &[u8]) {
    if let Some(volume) = Fat::read(disk) {
        return volume.open(walk);
    }
    let starts = (0..4).filter_map(|n| u32_le(disk, PARTITIONS + 16 * n + 8)).filter(|start| *start > 0);
    let mut starts: Vec<u32> = starts.collect();
    starts.sort_unstable();
    starts.dedup();
    let mut found = false;
    for start in starts {
        let volume = disk.get((start as usize).saturating_mul(512)..).unwrap_or_default();
        if let Some(volume) = Fat::read(volume) {
            found = true;
            volume.open(walk);
        }
    }
    if !found {
        walk.cut(Bound::Method);
    }
}

/// A FAT file system.
struct Fat<'d> {
    volume: &'d [u8],
    table: &'d [u8],
    bits: usize,
    cluster_bytes: usize,
    data: usize,
    root: Root,
}

/// Where the first folder is.
enum Root {
    Fixed { start: usize, bytes: usize },
    Cluster(usize),
}

impl<'d> Fat<'d> {
    fn read(volume: &'d [u8]) -> Option<Self> {
        let sector = usize::from(u16_le(volume, 11)?);
        let cluster = usize::from(*volume.get(13)?);
        if ![512, 1_024, 2_048, 4_096].contains(&sector) || !cluster.is_power_of_two() {
            return None;
        }
        let (reserved, tables) = (usize::from(u16_le(volume, 14)?), usize::from(*volume.get(16)?));
        let root_entries = usize::from(u16_le(volume, 17)?);
        let small = |at, large| {
            Some(match u16_le(volume, at)? {
                0 => u32_le(volume, large)? as usize,
                number => usize::from(number),
            })
        };
        let (sectors, table_sectors) = (small(19, 32)?, small(22, 36)?);
        if reserved == 0 || !(1..=2).contains(&tables) || table_sectors == 0 {
            return None;
        }
        let root_start = (reserved + tables * table_sectors).checked_mul(sector)?;
        let root_bytes = (root_entries * ENTRY).next_multiple_of(sector);
        let data = root_start.checked_add(root_bytes)?;
        let clusters = sectors.checked_mul(sector)?.checked_sub(data)? / (cluster * sector);
        let bits = match clusters {
            0..4_085 => 12,
            4_085..65_525 => 16,
            _ => 32,
        };
        let root = match root_entries {
            0 => Root::Cluster(u32_le(volume, 44)? as usize),
            _ => Root::Fixed { start: root_start, bytes: root_bytes },
        };
        let bits = if root_entries == 0 { 32 } else { bits };
        let table = up_to(volume, reserved * sector, table_sectors.checked_mul(sector)?);
        Some(Fat { volume, table, bits, cluster_bytes: cluster * sector, data, root })
    }

    /// The cluster behind this one.
    fn next(&self, cluster: usize) -> Option<usize> {
        let (next, last) = match self.bits {
            12 => {
                let pair = usize::from(u16_le(self.table, cluster * 3 / 2)?);
                (if cluster.is_multiple_of(2) { pair & 0xfff } else { pair >> 4 }, 0xff7)
            }
            16 => (usize::from(u16_le(self.table, cluster * 2)?), 0xfff7),
            _ => (u32_le(self.table, cluster.checked_mul(4)?)? as usize & 0x0fff_ffff, 0x0fff_fff7),
        };
        (2..last).contains(&next).then_some(next)
    }

    /// The bytes of a cluster; the numbers begin with two.
    fn cluster(&self, number: usize) -> &'d [u8] {
        let at = number.checked_sub(2).and_then(|n| n.checked_mul(self.cluster_bytes)?.checked_add(self.data));
        at.map_or(&[], |at| up_to(self.volume, at, self.cluster_bytes))
    }

    fn chain(&self, start: usize, most: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let mut cluster = Some(start);
        while let Some(number) = cluster.filter(|_| out.len() < most) {
            let part = self.cluster(number);
            if part.is_empty() {
                break;
            }
            out.extend(part);
            cluster = self.next(number);
        }
        out.truncate(most);
        out
    }

    fn open(&self, walk: &mut Walk<'_>) {
        let root = match self.root {
            Root::Fixed { .. } => 0,
            Root::Cluster(cluster) => cluster,
        };
        let mut seen = HashSet::from([root]);
        let mut todo = vec![(root, String::new(), 0)];
        while let Some((start, path, depth)) = todo.pop() {
            let entries = match self.root {
                Root::Fixed { start, bytes } if depth == 0 => up_to(self.volume, start, bytes).to_vec(),
                _ => self.chain(start, FOLDER_BYTES),
            };
            if !walk.may_work(entries.len()) {
                return;
            }
            let mut long = Vec::new();
            for entry in entries.chunks_exact(ENTRY) {
                match (entry[0], entry[11]) {
                    (0, _) => break,
                    (0xe5, _) => {
                        long.clear();
                        continue;
                    }
                    (_, 0x0f) => {
                        // Pieces of a long name stand in reverse order, each in three places.
                        let piece = [&entry[1..11], &entry[14..26], &entry[28..32]].concat();
                        if long.len() > NAME_BYTES {
                            long.clear();
                        }
                        long.splice(0..0, piece);
                        continue;
                    }
                    _ => {}
                }
                let name = name_of(entry, &std::mem::take(&mut long));
                let (is_label, is_folder) = (entry[11] & 8 != 0, entry[11] & 0x10 != 0);
                if is_label || matches!(name.as_str(), "." | "..") {
                    continue;
                }
                let high = if self.bits == 32 { u16_le(entry, 20).unwrap_or(0) } else { 0 };
                let start = usize::from(high) << 16 | usize::from(u16_le(entry, 26).unwrap_or(0));
                if is_folder {
                    if depth < FOLDERS && !self.cluster(start).is_empty() && seen.insert(start) {
                        todo.push((start, folder(&path, &name), depth + 1));
                    }
                    continue;
                }
                let size = (u32_le(entry, 28).unwrap_or(0) as usize).min(self.volume.len());
                if !walk.may_take(size) {
                    return;
                }
                let content = self.chain(start, size);
                walk.member(&format!("{path}{name}"), &content);
            }
        }
    }
}

fn name_of(entry: &[u8], long: &[u8]) -> String {
    if !long.is_empty() {
        let units = long.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
        return String::from_utf16_lossy(&units.take_while(|unit| !matches!(unit, 0 | 0xffff)).collect::<Vec<_>>());
    }
    let (stem, extension) = (text(entry[..8].trim_ascii_end()), text(entry[8..11].trim_ascii_end()));
    if extension.is_empty() { stem } else { format!("{stem}.{extension}") }
}
