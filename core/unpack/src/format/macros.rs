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

/// Calls that start programs or fetch files, lower case.
const DANGEROUS: &[&str] = &[
    "shell(",
    "shell ",
    "shell\"",
    "wscript.shell",
    "shell.application",
    "shellexecute",
    "urldownloadtofile",
    "createprocess",
    "virtualalloc",
    "createthread",
    "powershell",
    "mshta",
    "rundll32",
    "regsvr32",
    "certutil",
    "bitsadmin",
    "cmd.exe",
    "cmd /c",
    "win32_process",
];

/// Calls that malware needs and ordinary add-ins have, too: they read pages, write files, move memory, ask for the computer's name. Lower case.
const AMBIGUOUS: &[&str] = &[
    "msxml2.xmlhttp",
    "msxml2.serverxmlhttp",
    "microsoft.xmlhttp",
    "winhttp.winhttprequest",
    "adodb.stream",
    "rtlmovememory",
    "winmgmts",
];

static FINDER: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let words = AUTOSTART.iter().chain(DANGEROUS).chain(AMBIGUOUS);
    AhoCorasick::builder().ascii_case_insensitive(true).match_kind(MatchKind::LeftmostLongest).build(words).ok()
});

/// What the modules of a project show.
#[derive(Default)]
pub(super) struct Macros {
    autostart: Option<&'static str>,
    dangerous: Option<&'static str>,
    ambiguous: Option<&'static str>,
}

/// Tells of macros, and what their source shows.
pub(super) fn judge(walk: &mut Walk<'_>, source: &[u8]) {
    let mut macros = Macros::default();
    macros.add(source);
    macros.tell(walk);
}

impl Macros {
    /// Reads a module.
    pub(super) fn add(&mut self, source: &[u8]) {
        let Macros { autostart, dangerous, ambiguous } = self;
        let Source { text, code } = Source::of(source);
        for found in FINDER.iter().flat_map(|finder| finder.find_iter(&text)) {
            let (start, end) = (found.start(), found.end());
            let word = found.pattern().as_usize();
            let Some(call) = word.checked_sub(AUTOSTART.len()) else {
                if is_procedure(&text, start, end) {
                    *autostart = autostart.or(Some(AUTOSTART[word]));
                }
                continue;
            };
            // A call, not the end of another word such as "nutshell ".
            if !is_start_of_word(&text, start) {
                continue;
            }
            match DANGEROUS.get(call) {
                Some(word) if SHELL.contains(word) && !is_call(&code, start, start + SHELL_BYTES) => {}
                Some(word) => *dangerous = dangerous.or(Some(*word)),
                None => *ambiguous = ambiguous.or(AMBIGUOUS.get(call - DANGEROUS.len()).copied()),
            }
        }
    }

    /// Tells what was read.
    pub(super) fn tell(self, walk: &mut Walk<'_>) {
        let Macros { autostart, dangerous, ambiguous } = self;
        walk.sign(Sign::Macro, "");
        if let Some(word) = autostart {
            walk.sign(Sign::MacroAutostart, word);
        }
        if let Some(word) = dangerous.or(ambiguous) {
            walk.sign(Sign::MacroDangerous, word.trim_end_matches(['(', ' ', '"']));
        }
        if autostart.is_some() && dangerous.is_some() {
            walk.sign(Sign::MacroDropper, "");
        }
    }
}

/// The function that starts a program. Its name is an ordinary word, so it counts where it is called; all others count in strings, too,
/// where names of objects, libraries and commands stand.
const SHELL: [&str; 3] = ["shell(", "shell ", "shell\""];
const SHELL_BYTES: usize = "shell".len();

/// Source of macros, in its length.
struct Source {
    /// Without comments.
    text: Vec<u8>,
    /// Without comments and what stands in strings.
    code: Vec<u8>,
}

impl Source {
    /// Blanks comments and strings (MS-VBAL 3.3.1, 3.3.4); neither goes past the end of its line.
    fn of(source: &[u8]) -> Source {
        let (mut text, mut code) = (source.to_vec(), source.to_vec());
        let mut from = 0;
        for line in source.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            // In brackets stand foreign names: `['Sheet 1'!A1]`.
            let (mut in_string, mut in_brackets) = (false, false);
            for (at, byte) in line.iter().enumerate() {
                let begins_comment = *byte == b'\'' || is_remark(line, at);
                match byte {
                    b']' if in_brackets => in_brackets = false,
                    _ if in_brackets => {}
                    b'[' if !in_string => in_brackets = true,
                    b'"' => in_string = !in_string,
                    _ if in_string => code[from + at] = b' ',
                    _ if begins_comment => {
                        let end = from + line.trim_ascii_end().len();
                        text[from + at..end].fill(b' ');
                        code[from + at..end].fill(b' ');
                        break;
                    }
                    _ => {}
                }
            }
            from += line.len();
        }
        Source { text, code }
    }
}

/// Whether `Rem` stands here as a statement.
fn is_remark(line: &[u8], at: usize) -> bool {
    let is_word = line.get(at..at + 4).is_some_and(|word| word.eq_ignore_ascii_case(b"rem "));
    is_word && line[..at].trim_ascii_end().last().is_none_or(|byte| *byte == b':')
}

/// Whether the word at this place is called, and neither given a value nor declared.
fn is_call(code: &[u8], start: usize, end: usize) -> bool {
    let behind = code.get(end..).unwrap_or_default();
    let behind = &behind[..memchr::memchr2(b'\n', b'\r', behind).unwrap_or(behind.len())];
    let next = behind.trim_ascii();
    let is_name = matches!(next.first(), None | Some(b'=' | b',' | b')' | b'.' | b':'))
        || next.get(..3).is_some_and(|word| word.eq_ignore_ascii_case(b"as "));
    code.get(start).is_some_and(|byte| *byte != b' ') && !is_name
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
