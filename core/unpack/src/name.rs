//! What the name of a file promises, and how it deceives.

use crate::FileKind;

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
pub fn extension(name: &str) -> String {
    let name = name.trim_end_matches(['.', ' ', '\u{a0}']);
    let base = name.rsplit(['/', '\\']).next().unwrap_or(name);
    base.rsplit_once('.').map(|(_, extension)| extension.trim().to_lowercase()).unwrap_or_default()
}

/// Whether a file of this name runs when it is opened.
pub fn is_program_name(name: &str) -> bool {
    PROGRAM_EXTENSIONS.binary_search(&extension(name).as_str()).is_ok()
}

/// Whether the name shows the extension of a document before that of a program: `invoice.pdf.exe`.
pub fn has_double_extension(name: &str) -> bool {
    let name = name.trim_end_matches(['.', ' ', '\u{a0}']);
    let Some((stem, _)) = name.rsplit_once('.') else { return false };
    is_program_name(name) && DOCUMENT_EXTENSIONS.binary_search(&extension(stem).as_str()).is_ok()
}

/// Whether the name holds a character that turns the direction of text, so that `exe.fdp` shows for `pdf.exe`.
pub fn has_bidi_override(name: &str) -> bool {
    name.contains(['\u{202a}', '\u{202b}', '\u{202d}', '\u{202e}', '\u{2066}', '\u{2067}', '\u{2068}'])
}

/// Whether blanks push the extension of a program out of sight: `invoice.pdf                .exe`. Forms have names such as
/// `Name__________.pdf`.
pub fn is_padded(name: &str) -> bool {
    let stem = name.rsplit_once('.').map_or("", |(stem, _)| stem);
    let blanks =
        stem.chars().rev().take_while(|c| c.is_whitespace() || matches!(c, '_' | '\u{2800}' | '\u{3164}')).count();
    blanks >= PADDING && is_program_name(name)
}

/// Blanks from which a name is padded. Source: our own limit; no honest name was seen with more than three.
const PADDING: usize = 10;

/// Whether the content contradicts what the name promises in a way that no ordinary program does.
pub fn contradicts(name: &str, kind: FileKind) -> bool {
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
        "docx" | "xlsx" | "pptx" | "zip" => hides,
        _ => false,
    }
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
    fn names_that_disguise_a_program_are_seen() {
        assert!(has_double_extension("Invoice.PDF.exe"));
        assert!(has_double_extension("invoice.pdf .scr. "));
        assert!(!has_double_extension("archive.tar.gz"));
        assert!(!has_double_extension("jquery.min.js"), "a program, but without disguise");
        assert!(is_program_name("a.JS "));
        assert!(is_padded("invoice.pdf                .exe") && !is_padded("a  b .exe"));
        assert!(is_padded("invoice__________.js") && !is_padded("Form__________.pdf"));
        assert!(has_bidi_override("photo\u{202e}gpj.exe"));
        assert!(contradicts("scan.pdf", FileKind::Exe));
        assert!(contradicts("scan.pdf", FileKind::Html));
        assert!(!contradicts("report.xls", FileKind::Html), "many reports are HTML in .xls");
    }
}
