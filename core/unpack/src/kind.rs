//! What a file is by its first bytes.

use crate::bytes;

/// What a file is by its content, not by its name or declared type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    /// Nothing of this table.
    #[default]
    Data,
    /// Nothing but printable text.
    Text,
    /// HTML.
    Html,
    /// XML, SVG apart.
    Xml,
    /// SVG, which may hold scripts.
    Svg,
    /// A script by its first line (`#!`).
    Script,
    /// Windows program or library (MZ).
    Exe,
    /// Unix program.
    Elf,
    /// macOS program.
    MachO,
    /// Windows shortcut.
    Lnk,
    /// Java class.
    Class,
    /// Compiled HTML help.
    Chm,
    /// ZIP archive.
    Zip,
    /// Office Open XML: a ZIP archive with a document in it.
    Ooxml,
    /// OLE compound file: old Office documents, MSI, encrypted OOXML.
    Ole,
    /// Rich text.
    Rtf,
    /// OneNote.
    OneNote,
    /// PDF.
    Pdf,
    /// RAR archive.
    Rar,
    /// 7-Zip archive.
    SevenZip,
    /// gzip.
    Gzip,
    /// bzip2.
    Bzip2,
    /// xz.
    Xz,
    /// Zstandard.
    Zstd,
    /// LZMA without a container.
    Lzma,
    /// lzip.
    Lzip,
    /// tar archive.
    Tar,
    /// Windows cabinet.
    Cab,
    /// ACE archive.
    Ace,
    /// ARJ archive.
    Arj,
    /// LHA archive.
    Lha,
    /// Windows imaging format.
    Wim,
    /// CD or DVD image (ISO 9660 or UDF).
    Iso,
    /// Image of a disk with a boot sector: FAT, NTFS or partitions.
    Disk,
    /// What Outlook packs attachments in (`winmail.dat`).
    Tnef,
    /// Virtual disk (VHD, VHDX).
    Vhd,
    /// A picture.
    Image,
    /// Sound or film.
    Media,
}

/// Magic numbers: offset, bytes, kind. Earlier rows win.
const MAGIC: &[(usize, &[u8], FileKind)] = &[
    (0, b"PK\x03\x04", FileKind::Zip),
    (0, b"PK\x05\x06", FileKind::Zip),
    (0, b"PK\x07\x08", FileKind::Zip),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", FileKind::Ole),
    (0, b"MZ", FileKind::Exe),
    (0, b"\x7fELF", FileKind::Elf),
    (0, b"\xcf\xfa\xed\xfe", FileKind::MachO),
    (0, b"\xce\xfa\xed\xfe", FileKind::MachO),
    (0, b"L\x00\x00\x00\x01\x14\x02\x00", FileKind::Lnk),
    (0, b"\xca\xfe\xba\xbe", FileKind::Class),
    (0, b"ITSF", FileKind::Chm),
    (0, b"Rar!\x1a\x07", FileKind::Rar),
    (0, b"7z\xbc\xaf\x27\x1c", FileKind::SevenZip),
    (0, b"\x1f\x8b\x08", FileKind::Gzip),
    (0, b"BZh", FileKind::Bzip2),
    (0, b"\xfd7zXZ\x00", FileKind::Xz),
    (0, b"\x28\xb5\x2f\xfd", FileKind::Zstd),
    (0, b"LZIP\x01", FileKind::Lzip),
    (0, b"MSCF", FileKind::Cab),
    (0, b"MSWIM\x00\x00\x00", FileKind::Wim),
    (0, b"\x60\xea", FileKind::Arj),
    (2, b"-lh", FileKind::Lha),
    (0, b"\x78\x9f\x3e\x22", FileKind::Tnef),
    (7, b"**ACE**", FileKind::Ace),
    (257, b"ustar", FileKind::Tar),
    (0x8001, b"CD001", FileKind::Iso),
    (0x8001, b"BEA01", FileKind::Iso),
    (0, b"vhdxfile", FileKind::Vhd),
    (0, b"conectix", FileKind::Vhd),
    (0, b"{\\rt", FileKind::Rtf),
    (0, b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3", FileKind::OneNote),
    (0, b"\x89PNG\r\n", FileKind::Image),
    (0, b"\xff\xd8\xff", FileKind::Image),
    (0, b"GIF87a", FileKind::Image),
    (0, b"GIF89a", FileKind::Image),
    (8, b"WEBP", FileKind::Image),
    (0, b"II*\x00", FileKind::Image),
    (0, b"MM\x00*", FileKind::Image),
    (0, b"ID3", FileKind::Media),
    (0, b"OggS", FileKind::Media),
    (0, b"RIFF", FileKind::Media),
    (4, b"ftyp", FileKind::Media),
    (0, b"#!", FileKind::Script),
];

/// How far text is looked at to tell HTML and XML. Unit: bytes. Source: the WHATWG MIME sniffing standard reads 1,445.
const TEXT_PREFIX: usize = 1_445;
/// Where a PDF may begin. Unit: bytes. Source: readers accept the mark within the first 1,024 (ISO 32000-1 annex H).
const PDF_PREFIX: usize = 1_024;

impl FileKind {
    /// What the content is.
    pub fn of(content: &[u8]) -> Self {
        for (offset, magic, kind) in MAGIC {
            if content.get(*offset..).is_some_and(|rest| rest.starts_with(magic)) {
                return *kind;
            }
        }
        if is_bitmap(content) {
            return FileKind::Image;
        }
        if is_tar_without_mark(content) {
            return FileKind::Tar;
        }
        if is_fixed_vhd(content) {
            return FileKind::Vhd;
        }
        if is_lzma(content) {
            return FileKind::Lzma;
        }
        if is_boot_sector(content) || is_partitioned(content) {
            return FileKind::Disk;
        }
        let head = &content[..content.len().min(PDF_PREFIX)];
        if find(head, b"%PDF-").is_some() {
            return FileKind::Pdf;
        }
        let head = &content[..content.len().min(TEXT_PREFIX)];
        match bytes::utf16_as_ascii(head) {
            Some(text) => FileKind::of_text(&text),
            None => FileKind::of_text(head),
        }
    }

    fn of_text(head: &[u8]) -> Self {
        let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
        let lower = head.to_ascii_lowercase();
        if lower.starts_with(b"<?xml") || lower.starts_with(b"<svg") {
            return match (find(&lower, b"<svg"), find(&lower, b"<html")) {
                (Some(_), _) => FileKind::Svg,
                (None, Some(_)) => FileKind::Html,
                (None, None) => FileKind::Xml,
            };
        }
        const HTML: [&[u8]; 12] = [
            b"<!doctype html",
            b"<html",
            b"<head",
            b"<body",
            b"<script",
            b"<iframe",
            b"<table",
            b"<meta",
            b"<div",
            b"<a ",
            b"<style",
            b"<title",
        ];
        if HTML.iter().any(|mark| lower.starts_with(mark)) || find(&lower, b"<html").is_some() {
            return FileKind::Html;
        }
        if !head.is_empty() && is_printable(head) { FileKind::Text } else { FileKind::Data }
    }

    /// Lower-case word for policies and logs.
    pub fn word(self) -> &'static str {
        match self {
            FileKind::Data => "data",
            FileKind::Text => "text",
            FileKind::Html => "html",
            FileKind::Xml => "xml",
            FileKind::Svg => "svg",
            FileKind::Script => "script",
            FileKind::Exe => "exe",
            FileKind::Elf => "elf",
            FileKind::MachO => "macho",
            FileKind::Lnk => "lnk",
            FileKind::Class => "class",
            FileKind::Chm => "chm",
            FileKind::Zip => "zip",
            FileKind::Ooxml => "ooxml",
            FileKind::Ole => "ole",
            FileKind::Rtf => "rtf",
            FileKind::OneNote => "onenote",
            FileKind::Pdf => "pdf",
            FileKind::Rar => "rar",
            FileKind::SevenZip => "7z",
            FileKind::Gzip => "gzip",
            FileKind::Bzip2 => "bzip2",
            FileKind::Xz => "xz",
            FileKind::Zstd => "zstd",
            FileKind::Lzma => "lzma",
            FileKind::Lzip => "lzip",
            FileKind::Tar => "tar",
            FileKind::Cab => "cab",
            FileKind::Ace => "ace",
            FileKind::Arj => "arj",
            FileKind::Lha => "lha",
            FileKind::Wim => "wim",
            FileKind::Iso => "iso",
            FileKind::Disk => "disk",
            FileKind::Tnef => "tnef",
            FileKind::Vhd => "vhd",
            FileKind::Image => "image",
            FileKind::Media => "media",
        }
    }

    /// Whether the content runs as a program when it is opened.
    pub fn is_program(self) -> bool {
        matches!(
            self,
            FileKind::Exe | FileKind::Elf | FileKind::MachO | FileKind::Lnk | FileKind::Class | FileKind::Chm
        )
    }
}

/// The header of a `.lzma` file: the usual properties, a dictionary of a round size, and a size that is unknown or small.
fn is_lzma(content: &[u8]) -> bool {
    let Some(header) = content.get(..13) else { return false };
    let size = &header[5..];
    header.starts_with(b"\x5d\x00\x00") && (size == [0xff; 8] || size[5..] == [0; 3])
}

/// A bitmap of Windows: two letters, a size, four zeros, and where the pixels begin. Words may begin with the letters, too.
fn is_bitmap(content: &[u8]) -> bool {
    content.starts_with(b"BM") && content.get(6..10) == Some(&[0; 4])
}

/// A header of tar as it was before POSIX (the Seventh Edition of Unix): a name, a mode, and a sum that fits.
fn is_tar_without_mark(content: &[u8]) -> bool {
    let Some(header) = content.get(..512) else { return false };
    let octal = |field: &[u8]| {
        let digits = field.split(|byte| matches!(byte, 0 | b' ')).find(|digits| !digits.is_empty());
        std::str::from_utf8(digits?).ok().and_then(|digits| u32::from_str_radix(digits, 8).ok())
    };
    let has_mode = octal(&header[100..108]).is_some() || header[100..108] == [0; 8];
    let Some(sum) = octal(&header[148..156]).filter(|_| has_mode) else { return false };
    let around: u32 = header[..148].iter().chain(&header[156..]).map(|byte| u32::from(*byte)).sum();
    header[0] != 0 && sum == around + 8 * u32::from(b' ')
}

/// A virtual disk of a fixed size: the disk as it is, and a footer (Virtual Hard Disk Image Format Specification 1.0).
fn is_fixed_vhd(content: &[u8]) -> bool {
    content.len() > 512 && content[content.len() - 512..].starts_with(b"conectix")
}

/// A first sector with a table of partitions, whatever a PC would start: each entry is empty, or has a kind, a place and a length, and
/// one has.
fn is_partitioned(content: &[u8]) -> bool {
    let Some(table) = content.get(446..510).filter(|_| content.get(510..512) == Some(b"\x55\xaa")) else {
        return false;
    };
    let is_used = |entry: &[u8]| entry[4] != 0 && entry[8..12] != [0; 4] && entry[12..] != [0; 4];
    let is_entry = |entry: &[u8]| matches!(entry[0], 0 | 0x80) && (is_used(entry) || *entry == [0; 16]);
    table.chunks_exact(16).all(is_entry) && table.chunks_exact(16).any(is_used)
}

/// A sector that a PC starts from: jump, and mark at its end.
fn is_boot_sector(content: &[u8]) -> bool {
    let jumps = matches!(content.first(), Some(0xeb | 0xe9 | 0x33 | 0xfa));
    jumps && content.get(510..512) == Some(b"\x55\xaa")
}

fn is_printable(head: &[u8]) -> bool {
    head.iter().all(|b| *b >= 0x20 && *b != 0x7f || matches!(b, b'\t' | b'\n' | b'\r' | 0x0c | 0x1b))
}

/// Whether content of this kind is no text: words may begin as a program does, but they hold no control characters.
pub fn is_beyond_text(content: &[u8], kind: FileKind) -> bool {
    !matches!(kind, FileKind::Data | FileKind::Text | FileKind::Html | FileKind::Xml | FileKind::Svg)
        && !is_printable(&content[..content.len().min(TEXT_PREFIX)])
}

fn find(head: &[u8], mark: &[u8]) -> Option<usize> {
    memchr::memmem::find(head, mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_known_by_its_first_bytes_not_by_its_name() {
        for (content, kind) in [
            (&b"MZ\x90\x00"[..], FileKind::Exe),
            (b"%PDF-1.7\n", FileKind::Pdf),
            (b"junk before\n%PDF-1.7\n", FileKind::Pdf),
            (b"\xef\xbb\xbf <!DOCTYPE HTML><p>", FileKind::Html),
            (b"<?xml version=\"1.0\"?><svg onload=x>", FileKind::Svg),
            (b"<?xml version=\"1.0\"?><invoice/>", FileKind::Xml),
            (b"BM<html><script>", FileKind::Html),
            (b"GIF8<html><script>", FileKind::Html),
            (b"\xff\xfe<\0h\0t\0m\0l\0>\0", FileKind::Html),
            (b"\xfe\xff\0<\0h\0t\0m\0l\0>", FileKind::Html),
            (b"just words\r\n", FileKind::Text),
            (b"\x00\x01\x02", FileKind::Data),
            (b"", FileKind::Data),
        ] {
            assert_eq!(FileKind::of(content), kind, "{content:?}");
        }
        let mut iso = vec![0; 0x8800];
        iso[0x8001..0x8006].copy_from_slice(b"CD001");
        assert_eq!(FileKind::of(&iso), FileKind::Iso);
    }
}
