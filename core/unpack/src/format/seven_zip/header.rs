//! The header of a 7-Zip archive: what is packed how, and the files in it.

use crate::bytes::{slice, u32_le};
use flate2::Crc;

/// Names of properties.
mod id {
    pub(super) const END: u64 = 0;
    pub(super) const HEADER: u64 = 1;
    pub(super) const ARCHIVE_PROPERTIES: u64 = 2;
    pub(super) const ADDITIONAL_STREAMS: u64 = 3;
    pub(super) const MAIN_STREAMS: u64 = 4;
    pub(super) const FILES: u64 = 5;
    pub(super) const PACK_INFO: u64 = 6;
    pub(super) const UNPACK_INFO: u64 = 7;
    pub(super) const SUB_STREAMS: u64 = 8;
    pub(super) const SIZE: u64 = 9;
    pub(super) const CRC: u64 = 10;
    pub(super) const FOLDER: u64 = 11;
    pub(super) const UNPACK_SIZE: u64 = 12;
    pub(super) const STREAM_COUNT: u64 = 13;
    pub(super) const EMPTY_STREAM: u64 = 14;
    pub(super) const NAMES: u64 = 17;
    pub(super) const PACKED_HEADER: u64 = 23;
}

/// Most coders of a folder, and streams of all of them. Source: 7-Zip itself has 32.
const CODERS: u64 = 32;
/// Method of encryption (Methods.txt of the LZMA SDK).
pub(super) const AES: &[u8] = b"\x06\xf1\x07\x01";

/// What the header is.
pub(super) enum Header {
    Plain(Archive),
    /// Packed by the first folder.
    Packed(Archive),
}

/// An archive as its header tells it.
#[derive(Debug, Default)]
pub(super) struct Archive {
    /// Where the packed streams begin, behind the first header. Unit: bytes.
    pub(super) start: usize,
    pub(super) packed_sizes: Vec<usize>,
    pub(super) folders: Vec<Folder>,
    pub(super) files: Vec<FileRow>,
}

/// Files that are packed as one.
#[derive(Debug, Default)]
pub(super) struct Folder {
    pub(super) coders: Vec<Coder>,
    /// Which input is fed by which output.
    pub(super) bonds: Vec<(usize, usize)>,
    /// Which inputs are fed by packed streams.
    pub(super) packed: Vec<usize>,
    /// Index of the first packed stream.
    pub(super) first_packed: usize,
    /// Size of each output.
    pub(super) sizes: Vec<u64>,
    crc: Option<u32>,
    /// Sizes of the files. Unit: bytes.
    pub(super) files: Vec<usize>,
}

/// One method of a folder.
#[derive(Debug)]
pub(super) struct Coder {
    pub(super) method: Vec<u8>,
    pub(super) properties: Vec<u8>,
    pub(super) inputs: usize,
    pub(super) outputs: usize,
}

#[derive(Debug, Default)]
pub(super) struct FileRow {
    pub(super) name: String,
    pub(super) has_content: bool,
}

impl Folder {
    pub(super) fn is_locked(&self) -> bool {
        self.coders.iter().any(|coder| coder.method == AES)
    }

    /// Whether the bytes are those that were packed; without a checksum they are.
    pub(super) fn fits(&self, bytes: &[u8]) -> bool {
        let mut crc = Crc::new();
        crc.update(bytes);
        self.crc.is_none_or(|expected| expected == crc.sum())
    }

    /// The output that feeds no input: that of the folder.
    pub(super) fn last_output(&self) -> Option<usize> {
        (0..self.sizes.len()).find(|output| !self.bonds.iter().any(|(_, bound)| bound == output))
    }
}

/// Reads a header; at most so many files and folders.
pub(super) fn read(bytes: &[u8], most: usize) -> Option<Header> {
    let mut rest = Rest { bytes, most };
    match rest.number()? {
        id::HEADER => rest.archive().map(Header::Plain),
        id::PACKED_HEADER => {
            let mut archive = Archive::default();
            rest.streams(&mut archive)?;
            Some(Header::Packed(archive))
        }
        _ => None,
    }
}

/// What is left of the header.
struct Rest<'h> {
    bytes: &'h [u8],
    most: usize,
}

impl<'h> Rest<'h> {
    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*byte)
    }

    fn take(&mut self, length: u64) -> Option<&'h [u8]> {
        let taken = slice(self.bytes, 0, usize::try_from(length).ok()?)?;
        self.bytes = &self.bytes[taken.len()..];
        Some(taken)
    }

    /// A number whose first byte tells how many follow.
    fn number(&mut self) -> Option<u64> {
        let first = self.byte()?;
        let more = first.leading_ones();
        let mut low = 0_u64;
        for place in 0..more {
            low |= u64::from(self.byte()?) << (8 * place);
        }
        let high = if more >= 7 { 0 } else { u64::from(first & (0x7f >> more)) << (8 * more) };
        Some(low | high)
    }

    /// A number of things, each of which takes a byte at least.
    fn count(&mut self) -> Option<usize> {
        let count = usize::try_from(self.number()?).ok()?;
        (count <= self.most.saturating_add(1)).then_some(count)
    }

    fn bits(&mut self, count: usize) -> Option<Vec<bool>> {
        let bytes = self.take(count.div_ceil(8) as u64)?;
        Some((0..count).map(|bit| bytes[bit / 8] & 0x80 >> (bit % 8) != 0).collect())
    }

    fn checksums(&mut self, count: usize) -> Option<Vec<Option<u32>>> {
        let defined = if self.byte()? != 0 { vec![true; count] } else { self.bits(count)? };
        defined.into_iter().map(|is| if is { self.take(4).map(|sum| u32_le(sum, 0)) } else { Some(None) }).collect()
    }

    /// The next section; each stands once, in the order of their numbers.
    fn section(&mut self, last: &mut u64) -> Option<u64> {
        let section = self.number()?;
        let is_next = section == id::END || section > *last;
        *last = section;
        is_next.then_some(section)
    }

    fn archive(&mut self) -> Option<Archive> {
        let mut archive = Archive::default();
        let mut last = 0;
        loop {
            match self.section(&mut last)? {
                id::END => return Some(archive),
                id::ARCHIVE_PROPERTIES => {
                    while self.number()? != id::END {
                        let length = self.number()?;
                        self.take(length)?;
                    }
                }
                id::ADDITIONAL_STREAMS => self.streams(&mut Archive::default())?,
                id::MAIN_STREAMS => self.streams(&mut archive)?,
                id::FILES => archive.files = self.files()?,
                _ => return None,
            }
        }
    }

    fn streams(&mut self, archive: &mut Archive) -> Option<()> {
        let mut last = 0;
        loop {
            match self.section(&mut last)? {
                id::END => return Some(()),
                id::PACK_INFO => self.packed(archive)?,
                id::UNPACK_INFO => self.folders(archive)?,
                id::SUB_STREAMS => self.sub_streams(archive)?,
                _ => return None,
            }
        }
    }

    fn packed(&mut self, archive: &mut Archive) -> Option<()> {
        archive.start = usize::try_from(self.number()?).ok()?;
        let count = self.count()?;
        let mut last = 0;
        loop {
            match self.section(&mut last)? {
                id::END => return Some(()),
                id::SIZE => {
                    for _ in 0..count {
                        archive.packed_sizes.push(usize::try_from(self.number()?).ok()?);
                    }
                }
                id::CRC => drop(self.checksums(count)?),
                _ => return None,
            }
        }
    }

    fn folders(&mut self, archive: &mut Archive) -> Option<()> {
        if self.number()? != id::FOLDER {
            return None;
        }
        let count = self.count()?;
        let is_elsewhere = self.byte()? != 0;
        if is_elsewhere {
            return None;
        }
        let mut first_packed = 0;
        for _ in 0..count {
            let mut folder = self.folder()?;
            folder.first_packed = first_packed;
            first_packed += folder.packed.len();
            archive.folders.push(folder);
        }
        if self.number()? != id::UNPACK_SIZE {
            return None;
        }
        for folder in &mut archive.folders {
            let outputs: usize = folder.coders.iter().map(|coder| coder.outputs).sum();
            for _ in 0..outputs {
                folder.sizes.push(self.number()?);
            }
        }
        let mut last = 0;
        loop {
            match self.section(&mut last)? {
                id::END => break,
                id::CRC => {
                    let sums = self.checksums(count)?;
                    archive.folders.iter_mut().zip(sums).for_each(|(folder, sum)| folder.crc = sum);
                }
                _ => return None,
            }
        }
        for folder in &mut archive.folders {
            let size = folder.last_output().and_then(|output| usize::try_from(folder.sizes[output]).ok())?;
            folder.files = vec![size];
        }
        Some(())
    }

    fn folder(&mut self) -> Option<Folder> {
        let mut folder = Folder::default();
        let coders = self.number().filter(|count| (1..=CODERS).contains(count))?;
        let (mut inputs, mut outputs) = (0, 0);
        for _ in 0..coders {
            let flags = self.byte()?;
            let method = self.take(u64::from(flags & 0xf))?.to_vec();
            let (is_complex, has_properties) = (flags & 0x10 != 0, flags & 0x20 != 0);
            let (from, to) = if is_complex { (self.number()?, self.number()?) } else { (1, 1) };
            if from > CODERS || to > CODERS {
                return None;
            }
            let length = if has_properties { self.number()? } else { 0 };
            let properties = self.take(length)?.to_vec();
            (inputs, outputs) = (inputs + from as usize, outputs + to as usize);
            if inputs.max(outputs) > CODERS as usize {
                return None;
            }
            folder.coders.push(Coder { method, properties, inputs: from as usize, outputs: to as usize });
        }
        // One key at most is derived for a folder.
        if folder.coders.iter().filter(|coder| coder.method == AES).count() > 1 {
            return None;
        }
        for _ in 1..outputs {
            let (input, output) = (self.number()? as usize, self.number()? as usize);
            folder.bonds.push((input, output));
        }
        let packed = inputs.checked_sub(folder.bonds.len())?;
        match packed {
            1 => folder.packed.extend((0..inputs).find(|input| !folder.bonds.iter().any(|(bound, _)| bound == input))),
            _ => {
                for _ in 0..packed {
                    folder.packed.push(self.number()? as usize);
                }
            }
        }
        Some(folder)
    }

    fn sub_streams(&mut self, archive: &mut Archive) -> Option<()> {
        let mut id = self.number()?;
        let mut counts = vec![1; archive.folders.len()];
        if id == id::STREAM_COUNT {
            let mut left = self.most.saturating_add(1);
            for count in &mut counts {
                *count = self.count()?;
                left = left.checked_sub(*count)?;
            }
            id = self.number()?;
        }
        for (folder, count) in archive.folders.iter_mut().zip(&counts) {
            let mut left = folder.files.first().copied().unwrap_or(0);
            folder.files.clear();
            for number in 0..*count {
                let size = if number + 1 == *count {
                    left
                } else if id == id::SIZE {
                    usize::try_from(self.number()?).ok()?
                } else {
                    return None;
                };
                left = left.checked_sub(size)?;
                folder.files.push(size);
            }
        }
        if id == id::SIZE {
            id = self.number()?;
        }
        if id == id::CRC {
            let unknown = archive.folders.iter().zip(&counts).filter(|(f, n)| **n != 1 || f.crc.is_none());
            let count = unknown.map(|(_, count)| count).sum();
            drop(self.checksums(count)?);
            id = self.number()?;
        }
        (id == id::END).then_some(())
    }

    fn files(&mut self) -> Option<Vec<FileRow>> {
        let count = self.count()?;
        let mut files: Vec<FileRow> = (0..count).map(|_| FileRow { has_content: true, ..FileRow::default() }).collect();
        loop {
            let property = self.number()?;
            if property == id::END {
                return Some(files);
            }
            let length = self.number()?;
            let mut data = Rest { bytes: self.take(length)?, most: self.most };
            match property {
                id::EMPTY_STREAM => {
                    let empty = data.bits(count)?;
                    files.iter_mut().zip(empty).for_each(|(file, empty)| file.has_content = !empty);
                }
                id::NAMES => {
                    let is_elsewhere = data.byte()? != 0;
                    if is_elsewhere {
                        return None;
                    }
                    let units = data.bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
                    let units: Vec<u16> = units.collect();
                    let names = units.split(|unit| *unit == 0).map(String::from_utf16_lossy);
                    files.iter_mut().zip(names).for_each(|(file, name)| file.name = name);
                }
                _ => {}
            }
        }
    }
}
