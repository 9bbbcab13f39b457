//! What the source of macros does.

use crate::{Sign, walk::Walk};
use aho_corasick::{AhoCorasick, MatchKind};
use std::sync::LazyLock;

/// Procedures that Office runs by itself, lower case. Source: the documentation of Office, "Auto Macros" and the events of
/// `Document`, `Workbook` and the controls that are painted when a document is opened.
const AUTOSTART: &[&str] = &[
    "autoopen",
    "auto_open",
    "autoexec",
    "autoclose",
    "auto_close",
    "autoexit",
    "autonew",
    "document_open",
    "document_close",
    "document_new",
    "documentopen",
    "workbook_open",
    "workbook_activate",
    "workbook_beforeclose",
    "workbook_close",
    "_painted",
    "_layout",
    "frame1_layout",
    "multipage1_layout",
];

/// Calls that start programs, fetch files or place code in memory, lower case.
const DANGEROUS: &[&str] = &[
    "shell(",
    "shell ",
    "shell\"",
    "wscript.shell",
    "shell.application",
    "shellexecute",
    "urldownloadtofile",
    "msxml2.xmlhttp",
    "msxml2.serverxmlhttp",
    "microsoft.xmlhttp",
    "winhttp.winhttprequest",
    "adodb.stream",
    "createprocess",
    "virtualalloc",
    "rtlmovememory",
    "createthread",
    "powershell",
    "mshta",
    "rundll32",
    "regsvr32",
    "certutil",
    "bitsadmin",
    "cmd.exe",
    "cmd /c",
    "winmgmts",
    "win32_process",
];

static FINDER: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let words = AUTOSTART.iter().chain(DANGEROUS);
    AhoCorasick::builder().ascii_case_insensitive(true).match_kind(MatchKind::LeftmostLongest).build(words).ok()
});

/// Tells of macros, and what their source shows.
pub(super) fn judge(walk: &mut Walk<'_>, source: &[u8]) {
    walk.sign(Sign::Macro, "");
    let (mut autostart, mut dangerous) = (None, None);
    for found in FINDER.iter().flat_map(|finder| finder.find_iter(source)) {
        let word = found.pattern().as_usize();
        match word.checked_sub(AUTOSTART.len()) {
            None if is_procedure(source, found.start(), found.end()) => autostart = autostart.or(Some(AUTOSTART[word])),
            None => {}
            // A call, not the end of another word such as "nutshell ".
            Some(call) if is_start_of_word(source, found.start()) => dangerous = dangerous.or(Some(DANGEROUS[call])),
            Some(_) => {}
        }
    }
    if let Some(word) = autostart {
        walk.sign(Sign::MacroAutostart, word);
    }
    if let Some(word) = dangerous {
        walk.sign(Sign::MacroDangerous, word.trim_end_matches(['(', ' ', '"']));
    }
    if autostart.is_some() && dangerous.is_some() {
        walk.sign(Sign::MacroDropper, "");
    }
}

fn is_start_of_word(source: &[u8], at: usize) -> bool {
    !at.checked_sub(1)
        .and_then(|before| source.get(before))
        .is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// How far before its name a declaration may begin. Unit: bytes. Source: our own limit; it is two words.
const DECLARATION_BYTES: usize = 100;

/// Whether the word at this place is the name in `Sub name(`.
fn is_procedure(source: &[u8], start: usize, end: usize) -> bool {
    let before = &source[start.saturating_sub(DECLARATION_BYTES)..start];
    let line = &before[memchr::memrchr(b'\n', before).map_or(0, |at| at + 1)..];
    let is_declared = line.trim_ascii_start().to_ascii_lowercase();
    let is_declared = ["sub ", "private sub ", "public sub ", "function ", "public function ", "private function "]
        .iter()
        .any(|words| is_declared.starts_with(words.as_bytes()));
    let behind = source.get(end..).unwrap_or_default().trim_ascii_start();
    is_declared && matches!(behind.first(), None | Some(b'(' | b'\'' | b':'))
}
