//! What a file is by its first bytes, and what its name promises.

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
    /// tar archive.
    Tar,
    /// Windows cabinet.
    Cab,
    /// ACE archive.
    Ace,
    /// CD or DVD image (ISO 9660 or UDF).
    Iso,
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
    (0, b"MSCF", FileKind::Cab),
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
    (0, b"GIF8", FileKind::Image),
    (8, b"WEBP", FileKind::Image),
    (0, b"II*\x00", FileKind::Image),
    (0, b"MM\x00*", FileKind::Image),
    (0, b"BM", FileKind::Image),
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
        let head = &content[..content.len().min(PDF_PREFIX)];
        if find(head, b"%PDF-").is_some() {
            return FileKind::Pdf;
        }
        FileKind::of_text(&content[..content.len().min(TEXT_PREFIX)])
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
            FileKind::Tar => "tar",
            FileKind::Cab => "cab",
            FileKind::Ace => "ace",
            FileKind::Iso => "iso",
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

fn is_printable(head: &[u8]) -> bool {
    head.iter().all(|b| *b >= 0x20 && *b != 0x7f || matches!(b, b'\t' | b'\n' | b'\r' | 0x0c | 0x1b))
}

/// Whether content of this kind is no text: words may begin as a program does, but they hold no control characters.
pub(super) fn is_beyond_text(content: &[u8], kind: FileKind) -> bool {
    !matches!(kind, FileKind::Data | FileKind::Text | FileKind::Html | FileKind::Xml | FileKind::Svg)
        && !is_printable(&content[..content.len().min(TEXT_PREFIX)])
}

/// Extensions that Windows, macOS or a common runtime executes when the file is opened. Source: the lists of blocked
/// attachments that Outlook and Gmail document, without those that are ordinary mail (such as `.crt`).
const PROGRAM_EXTENSIONS: &[&str] = &[
    "app",
    "appinstaller",
    "application",
    "appref-ms",
    "appx",
    "bat",
    "chm",
    "cmd",
    "com",
    "cpl",
    "dll",
    "exe",
    "gadget",
    "hta",
    "inf",
    "ins",
    "iqy",
    "isp",
    "jar",
    "jnlp",
    "js",
    "jse",
    "lnk",
    "msc",
    "msi",
    "msix",
    "msp",
    "mst",
    "pif",
    "ps1",
    "psm1",
    "reg",
    "scf",
    "scr",
    "sct",
    "settingcontent-ms",
    "shb",
    "slk",
    "vb",
    "vbe",
    "vbs",
    "wll",
    "ws",
    "wsc",
    "wsf",
    "wsh",
    "xll",
];

/// Extensions of documents and pictures: what a disguised program pretends to be.
const DOCUMENT_EXTENSIONS: &[&str] = &[
    "bmp", "csv", "doc", "docx", "gif", "jpeg", "jpg", "mp3", "mp4", "odt", "pdf", "png", "ppt", "pptx", "rtf", "tif",
    "tiff", "txt", "xls", "xlsx", "zip",
];

/// The extension of a file name, lower case, as Windows sees it: trailing dots and blanks do not count.
pub(super) fn extension(name: &str) -> String {
    let name = name.trim_end_matches(['.', ' ', '\u{a0}']);
    let base = name.rsplit(['/', '\\']).next().unwrap_or(name);
    base.rsplit_once('.').map(|(_, extension)| extension.trim().to_lowercase()).unwrap_or_default()
}

/// Whether a file of this name runs when it is opened.
pub(super) fn is_program_name(name: &str) -> bool {
    PROGRAM_EXTENSIONS.binary_search(&extension(name).as_str()).is_ok()
}

/// Whether the name shows the extension of a document before that of a program: `invoice.pdf.exe`.
pub(super) fn has_double_extension(name: &str) -> bool {
    let name = name.trim_end_matches(['.', ' ', '\u{a0}']);
    let Some((stem, _)) = name.rsplit_once('.') else { return false };
    is_program_name(name) && DOCUMENT_EXTENSIONS.binary_search(&extension(stem).as_str()).is_ok()
}

/// Whether the name holds a character that turns the direction of text, so that `exe.fdp` shows for `pdf.exe`.
pub(super) fn has_bidi_override(name: &str) -> bool {
    name.contains(['\u{202a}', '\u{202b}', '\u{202d}', '\u{202e}', '\u{2066}', '\u{2067}', '\u{2068}'])
}

/// Whether the content contradicts what the name promises in a way that no ordinary program does.
pub(super) fn contradicts(name: &str, kind: FileKind) -> bool {
    let extension = extension(name);
    if kind.is_program() {
        return DOCUMENT_EXTENSIONS.binary_search(&extension.as_str()).is_ok();
    }
    let hides = matches!(
        kind,
        FileKind::Html
            | FileKind::Rar
            | FileKind::SevenZip
            | FileKind::Ace
            | FileKind::Iso
            | FileKind::Vhd
            | FileKind::Rtf
    );
    match extension.as_str() {
        "pdf" | "jpg" | "jpeg" | "png" | "gif" | "mp3" | "mp4" => hides || kind == FileKind::Zip,
        "docx" | "xlsx" | "pptx" => hides,
        _ => false,
    }
}

fn find(head: &[u8], mark: &[u8]) -> Option<usize> {
    memchr::memmem::find(head, mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_for_binary_search() {
        assert!(PROGRAM_EXTENSIONS.is_sorted());
        assert!(DOCUMENT_EXTENSIONS.is_sorted());
    }

    #[test]
    fn content_is_known_by_its_first_bytes_not_by_its_name() {
        for (content, kind) in [
            (&b"MZ\x90\x00"[..], FileKind::Exe),
            (b"%PDF-1.7\n", FileKind::Pdf),
            (b"junk before\n%PDF-1.7\n", FileKind::Pdf),
            (b"\xef\xbb\xbf <!DOCTYPE HTML><p>", FileKind::Html),
            (b"<?xml version=\"1.0\"?><svg onload=x>", FileKind::Svg),
            (b"<?xml version=\"1.0\"?><invoice/>", FileKind::Xml),
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

    #[test]
    fn names_that_disguise_a_program_are_seen() {
        assert!(has_double_extension("Invoice.PDF.exe"));
        assert!(has_double_extension("invoice.pdf .scr. "));
        assert!(!has_double_extension("archive.tar.gz"));
        assert!(!has_double_extension("jquery.min.js"), "a program, but without disguise");
        assert!(is_program_name("a.JS "));
        assert!(has_bidi_override("photo\u{202e}gpj.exe"));
        assert!(contradicts("scan.pdf", FileKind::Exe));
        assert!(contradicts("scan.pdf", FileKind::Html));
        assert!(!contradicts("report.xls", FileKind::Html), "many reports are HTML in .xls");
    }
}
