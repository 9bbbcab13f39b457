//! Scripts, known by their content.

use aho_corasick::AhoCorasick;
use std::sync::LazyLock;

/// A language that a desktop runs when a file in it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    /// JScript of the Windows script host.
    JScript,
    /// Visual Basic script.
    VbScript,
    /// PowerShell.
    PowerShell,
    /// An application of HTML.
    Hta,
    /// Batch file.
    Batch,
    /// File of the Windows script host (XML around scripts).
    Wsf,
}

impl Language {
    /// The word that findings use.
    pub fn word(self) -> &'static str {
        match self {
            Language::JScript => "jscript",
            Language::VbScript => "vbscript",
            Language::PowerShell => "powershell",
            Language::Hta => "hta",
            Language::Batch => "batch",
            Language::Wsf => "wsf",
        }
    }
}

/// How much of a file is looked at. Unit: bytes. Source: our own limit; what hides a script behind much else still begins as one.
const HEAD_BYTES: usize = 64 << 10;

/// Marks, lower case: language, words, weight. A language needs [`ENOUGH`].
const MARKS: &[(Language, &str, u32)] = &[
    (Language::Hta, "<hta:application", 4),
    (Language::Wsf, "<job", 2),
    (Language::Wsf, "<script language=", 1),
    (Language::Wsf, "<package>", 2),
    (Language::JScript, "new activexobject(", 4),
    (Language::JScript, "wscript.createobject(", 3),
    (Language::JScript, "var ", 1),
    (Language::JScript, "function ", 1),
    (Language::JScript, "wscript.", 2),
    (Language::VbScript, "wscript.", 2),
    (Language::VbScript, "createobject(\"", 3),
    (Language::VbScript, "on error resume next", 2),
    (Language::VbScript, "\ndim ", 2),
    (Language::VbScript, "end sub", 2),
    (Language::VbScript, "end function", 1),
    (Language::VbScript, "execute(", 1),
    (Language::PowerShell, "invoke-expression", 4),
    (Language::PowerShell, "invoke-webrequest", 3),
    (Language::PowerShell, "new-object ", 3),
    (Language::PowerShell, "[system.", 2),
    (Language::PowerShell, "-executionpolicy", 2),
    (Language::PowerShell, "start-process", 3),
    (Language::PowerShell, "$env:", 3),
    (Language::PowerShell, "iex(", 3),
    (Language::PowerShell, "param(", 1),
    (Language::Batch, "@echo off", 4),
    (Language::Batch, "\nset ", 1),
    (Language::Batch, "%~dp0", 3),
    (Language::Batch, "%comspec%", 3),
    (Language::Batch, "\nstart ", 1),
    (Language::Batch, "\ngoto ", 1),
];

/// Weight from which a text is of a language.
const ENOUGH: u32 = 4;

static FINDER: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let words = MARKS.iter().map(|(_, word, _)| word);
    AhoCorasick::builder().ascii_case_insensitive(true).build(words).ok()
});

/// The language that a text is written in, if a desktop runs it. Prose about scripts seldom has two different marks; a page of HTML is no script.
pub fn language(content: &[u8]) -> Option<Language> {
    let content = without_nul(&content[..content.len().min(HEAD_BYTES)]);
    let start = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&content).trim_ascii_start();
    let is_markup = start.first() == Some(&b'<');
    let mut seen = 0_u64;
    for found in FINDER.as_ref()?.find_overlapping_iter(&content[..]) {
        seen |= 1 << found.pattern().as_usize();
    }
    let weight = |language: Language| -> u32 {
        let marks = MARKS.iter().enumerate().filter(|(index, mark)| seen & 1 << index != 0 && mark.0 == language);
        marks.map(|(_, mark)| mark.2).sum()
    };
    let first = |languages: &[Language]| {
        let weights = languages.iter().map(|language| (*language, weight(*language)));
        weights.max_by_key(|(_, weight)| *weight).filter(|(_, weight)| *weight >= ENOUGH).map(|(language, _)| language)
    };
    match is_markup {
        true if weight(Language::Hta) >= ENOUGH => Some(Language::Hta),
        true => Some(Language::Wsf).filter(|_| weight(Language::Wsf) >= 3),
        false => first(&[Language::Batch, Language::PowerShell, Language::VbScript, Language::JScript]),
    }
}

/// Text in UTF-16 as text of single bytes.
fn without_nul(content: &[u8]) -> std::borrow::Cow<'_, [u8]> {
    if content.starts_with(b"\xff\xfe") || content.get(1) == Some(&0) {
        return content.iter().copied().filter(|byte| !matches!(byte, 0 | 0xff | 0xfe)).collect::<Vec<_>>().into();
    }
    content.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_known_by_their_words() {
        let utf16: Vec<u8> = "\u{feff}Invoke-Expression $x".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for (content, expected) in [
            (&b"var s = new ActiveXObject('WScript.Shell');"[..], Some(Language::JScript)),
            (b"On Error Resume Next\r\nDim a\r\nSet a = CreateObject(\"WScript.Shell\")", Some(Language::VbScript)),
            (b"@echo off\r\nstart x.exe", Some(Language::Batch)),
            (b"$p = New-Object Net.WebClient\n$x = $env:TEMP", Some(Language::PowerShell)),
            (&utf16, Some(Language::PowerShell)),
            (b"<html><hta:application id=x>", Some(Language::Hta)),
            (b"<?xml version='1.0'?><job id=a><script language=\"JScript\">", Some(Language::Wsf)),
            (b"Please use Invoke-WebRequest for this. Regards", None),
            (b"<html><script>var a = 1; function b() {}</script>", None),
            (b"function a() { var b = 1; }", None),
            (b"Dear all,\nset up a meeting\n", None),
        ] {
            assert_eq!(language(content), expected, "{}", String::from_utf8_lossy(content));
        }
    }
}
