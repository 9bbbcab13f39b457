//! Questions about MIME structure and encodings.

use super::{Evaluation, Function};
use std::collections::HashMap;

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("check_for_mime", |e, call| e.mime().facts.get(call.text(0)).is_some_and(|value| *value != 0.0)),
    ("check_for_mime_html", |e, _| is_html(e) || e.mime().fact("mime_body_html_count") > 0.0),
    ("check_for_mime_html_only", |e, _| {
        is_html(e) || (e.mime().fact("mime_body_html_count") > 0.0 && e.mime().fact("mime_body_text_count") == 0.0)
    }),
    ("check_mime_multipart_ratio", |e, call| call.reaches_below(e.mime().fact("mime_multipart_ratio"), 0)),
    ("check_for_ascii_text_illegal", |e, _| e.mime().fact("mime_ascii_text_illegal") > 0.0),
    ("check_abundant_unicode_ratio", |e, call| {
        call.number(0).is_some_and(|ratio| e.mime().fact("mime_text_unicode_ratio") >= ratio)
    }),
    ("check_qp_ratio", |e, call| call.number(0).is_some_and(|ratio| e.mime().fact("mime_qp_ratio") >= ratio)),
    ("check_msg_parse_flags", |e, call| {
        let odd = e.message.tree.oddities;
        match call.text(0) {
            "missing_head_body_separator" => odd.missing_head_body_separator,
            "missing_mime_head_body_separator" => odd.missing_mime_head_body_separator,
            "missing_mime_headers" => odd.missing_mime_headers,
            "mime_epilogue_exists" => odd.mime_epilogue_exists,
            "truncated_header" => odd.truncated_header,
            _ => false,
        }
    }),
    ("check_for_uppercase", |e, call| call.above_up_to(*e.uppercase.get_or_init(|| uppercase(e)), 0)),
    ("check_ma_non_text", |e, _| {
        let parts = &e.message.tree.parts;
        parts.iter().filter(|part| part.content_type.kind == "multipart/alternative").any(|part| {
            part.children.iter().map(|child| &parts[*child]).any(|child| {
                let kind = &child.content_type.kind;
                !child.is_container
                    && kind != "multipart/related"
                    && kind != "application/rtf"
                    && !kind.starts_with("text/")
            })
        })
    }),
    ("check_base64_length", |e, call| {
        let tree = &e.message.tree;
        let lines = tree.leaves().into_iter().filter(|part| {
            let part = &tree.parts[*part];
            let encoding = part.fields.last("content-transfer-encoding").unwrap_or_default();
            encoding.eq_ignore_ascii_case(b"base64") && part.content_type.kind != "application/ics"
        });
        let longest = lines.flat_map(|part| tree.raw(part).split_inclusive(|b| *b == b'\n').map(<[u8]>::len)).max();
        call.reaches_up_to(longest.unwrap_or(0) as f64, 0)
    }),
    ("check_for_faraway_charset", |_, _| false),
];

/// What is found in one pass over all parts; the names are those of `check_for_mime`.
#[derive(Debug, Default)]
pub(super) struct MimeFacts {
    pub(super) facts: HashMap<&'static str, f64>,
    /// Character sets of parts.
    charsets: Vec<String>,
}

impl MimeFacts {
    pub(super) fn fact(&self, name: &str) -> f64 {
        self.facts.get(name).copied().unwrap_or(0.0)
    }

    fn add(&mut self, name: &'static str, value: f64) {
        *self.facts.entry(name).or_insert(0.0) += value;
    }
}

/// Names of ASCII. Source: IANA's registry of character sets.
const ASCII: &[&str] = &[
    "us-ascii",
    "ansi_x3.4-1968",
    "iso-ir-6",
    "ansi_x3.4-1986",
    "iso_646.irv:1991",
    "ascii",
    "iso646-us",
    "us",
    "ibm367",
    "cp367",
    "csascii",
];

fn is_html(evaluation: &Evaluation<'_>) -> bool {
    evaluation.message.text("Content-Type").get(..9).is_some_and(|start| start.eq_ignore_ascii_case("text/html"))
}

impl Evaluation<'_> {
    pub(super) fn mime(&self) -> &MimeFacts {
        self.mime.get_or_init(|| facts(self))
    }
}

fn facts(evaluation: &Evaluation<'_>) -> MimeFacts {
    let tree = &evaluation.message.tree;
    let mut found = MimeFacts::default();
    found.facts.insert("mime_multipart_ratio", 1.0);
    let (mut qp_bytes, mut qp_count, mut plain, mut numbered) = (0.0, 0.0, 0.0, 0.0);
    let mut sizes: Vec<(String, Option<f64>)> = Vec::new();
    let mut alternative = false;
    for index in tree.all() {
        let part = &tree.parts[index];
        let lower = |name: &str| String::from_utf8_lossy(&part.fields.last(name).unwrap_or_default()).to_lowercase();
        let kind = crate::message::mime::ContentType::kind_of(&part.fields);
        let (encoding, disposition) = (lower("content-transfer-encoding"), lower("content-disposition"));
        let charset = part.content_type.charset.clone().unwrap_or_default().to_lowercase();
        alternative |= kind == "multipart/alternative";
        let is_text = kind.starts_with("text");
        if kind == "text/html" {
            found.add("mime_body_html_count", 1.0);
        } else if is_text {
            found.add("mime_body_text_count", 1.0);
        }
        if encoding.contains("base64") {
            found.add("mime_base64_count", 1.0);
        } else if encoding.contains("quoted-printable") {
            found.add("mime_qp_count", 1.0);
        }
        if disposition.contains("attachment") {
            found.add("mime_attachment", 1.0);
        }
        let says_ascii = charset.is_empty() || ASCII.iter().any(|name| charset.contains(name));
        if is_text
            && encoding.contains("base64")
            && says_ascii
            && !disposition.starts_with("attachment")
            && !disposition.starts_with("inline")
        {
            found.facts.insert("mime_base64_encoded_text", 1.0);
        }
        if charset.starts_with("iso-")
            && charset[4..].contains('-')
            && !["iso-8859-", "iso-2022-jp", "iso-2022-kr"].iter().any(|good| charset.starts_with(good))
        {
            found.facts.insert("mime_bad_iso_charset", 1.0);
        }
        if charset.bytes().any(|byte| byte.is_ascii_alphabetic()) {
            found.charsets.push(charset.clone());
        }
        if part.is_container {
            continue;
        }
        let attached = disposition.contains("attachment");
        let raw = tree.raw(index);
        let shown = kind == "text/plain" || kind == "text/html";
        sizes.push((kind.clone(), (!attached).then_some(if alternative && shown { raw.len() as f64 } else { 0.0 })));
        for line in raw.split_inclusive(|byte| *byte == b'\n') {
            if encoding == "quoted-printable" && !line.starts_with(b"SPAM: ") {
                if line.len() > 79 {
                    found.facts.insert("mime_qp_long_line", 1.0);
                }
                qp_bytes += line.len() as f64;
                qp_count += needless_escapes(line);
            }
            if kind == "text/plain"
                && (charset.is_empty() || charset == "us-ascii")
                && line.iter().any(|b| *b == 0 || *b == b'\r' || *b >= 0x80)
            {
                found.add("mime_ascii_text_illegal", 1.0);
            }
            if kind == "text/plain" && matches!(encoding.as_str(), "" | "7bit" | "8bit") {
                let escapes = numbered_characters(line);
                plain += line.len() as f64 - escapes * 8.0;
                numbered += escapes;
            }
        }
    }
    if qp_bytes > 0.0 {
        found.facts.insert("mime_qp_ratio", qp_count / qp_bytes);
        found.facts.insert("mime_qp_count", qp_count);
    }
    if plain > 0.0 {
        found.facts.insert("mime_text_unicode_ratio", numbered / plain);
    }
    if alternative {
        found.facts.insert("mime_multipart_alternative", 1.0);
        let size = |kind: &str| {
            sizes.iter().rev().find(|(known, size)| known == kind && size.is_some()).and_then(|(_, size)| *size)
        };
        if let (Some(text), Some(html)) = (size("text/plain"), size("text/html"))
            && html > 0.0
        {
            found.facts.insert("mime_multipart_ratio", text / html);
        }
    }
    if tree.oddities.missing_boundary {
        found.facts.insert("mime_missing_boundary", 1.0);
    }
    found
}

/// How many letters and digits of a line are written as `=41`, blanks at its end not counted.
fn needless_escapes(line: &[u8]) -> f64 {
    let code = |triple: &[u8]| -> Option<u8> {
        let [b'=', high, low] = triple else { return None };
        let is_digit = |b: &u8| matches!(b, b'0'..=b'9' | b'A'..=b'F');
        if !(is_digit(high) && is_digit(low)) {
            return None;
        }
        u8::from_str_radix(std::str::from_utf8(&triple[1..]).ok()?, 16).ok()
    };
    let needless = |byte: u8| {
        byte == 0x09
            || byte == 0x3b
            || byte == 0x3c
            || byte == 0x3e
            || byte == 0x3f
            || (0x30..=0x3a).contains(&byte)
            || (0x20..0x30).contains(&byte)
            || (0x40..0x7f).contains(&byte)
    };
    let count =
        memchr::memchr_iter(b'=', line).filter(|at| line.get(*at..at + 3).and_then(code).is_some_and(needless)).count();
    let mut end = line.trim_ascii_end();
    let mut trailing = 0;
    while end.len() >= 3 && matches!(&end[end.len() - 3..], b"=09" | b"=20") {
        end = &end[..end.len() - 3];
        trailing += 1;
    }
    count as f64 - f64::from(trailing)
}

/// How many characters are written as `&#xABCD;`.
fn numbered_characters(line: &[u8]) -> f64 {
    let is_one = |at: &usize| {
        line.get(at + 3..at + 8)
            .is_some_and(|rest| rest[4] == b';' && rest[..4].iter().all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F')))
    };
    memchr::memmem::find_iter(line, b"&#x").filter(is_one).count() as f64
}

/// Character sets whose bytes look like capital letters. Source: SpamAssassin.
fn looks_like_capitals(charset: &str) -> bool {
    let charset = charset.to_lowercase();
    [
        "iso-2022-",
        "koi8",
        "iso-8859-5",
        "windows-1251",
        "iso-ir-111",
        "cp125",
        "euc-kr",
        "big5",
        "gb2312",
        "x-mac",
        "hz-gb",
    ]
    .iter()
    .any(|start| charset.starts_with(start))
}

/// The share of capitals among letters and digits of the text. Unit: percent.
fn uppercase(evaluation: &Evaluation<'_>) -> f64 {
    let message = evaluation.message;
    let own = message.tree.parts[0].content_type.charset.clone();
    if own.iter().chain(&evaluation.mime().charsets).any(|charset| looks_like_capitals(charset)) {
        return 0.0;
    }
    let (mut length, mut lower, mut upper) = (0, 0, 0);
    for line in &message.texts.body {
        let words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        if words.clone().count() < 2 || words.take(2).all(|word| (60..=76).contains(&word.len())) {
            continue;
        }
        length += line.len();
        lower += line.iter().filter(|b| b.is_ascii_lowercase() || b.is_ascii_digit()).count();
        upper += line.iter().filter(|b| b.is_ascii_uppercase()).count();
    }
    if length < 200 || lower + upper == 0 { 0.0 } else { upper as f64 * 100.0 / (lower + upper) as f64 }
}
