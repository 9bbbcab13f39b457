//! In which writing a text is.

use serde::{Deserialize, Serialize};

/// A writing, by the names of Unicode Standard Annex #24. Japanese is written in `Hiragana`, `Katakana` and `Han`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names are those of Unicode")]
pub enum Script {
    Arabic,
    Armenian,
    Bengali,
    Cyrillic,
    Devanagari,
    Ethiopic,
    Georgian,
    Greek,
    Gujarati,
    Gurmukhi,
    Han,
    Hangul,
    Hebrew,
    Hiragana,
    Kannada,
    Katakana,
    Khmer,
    Lao,
    Latin,
    Malayalam,
    Mongolian,
    Myanmar,
    Sinhala,
    Tamil,
    Telugu,
    Thai,
    Tibetan,
}

/// All writings with their words, sorted.
pub const SCRIPTS: &[(&str, Script)] = &[
    ("arabic", Script::Arabic),
    ("armenian", Script::Armenian),
    ("bengali", Script::Bengali),
    ("cyrillic", Script::Cyrillic),
    ("devanagari", Script::Devanagari),
    ("ethiopic", Script::Ethiopic),
    ("georgian", Script::Georgian),
    ("greek", Script::Greek),
    ("gujarati", Script::Gujarati),
    ("gurmukhi", Script::Gurmukhi),
    ("han", Script::Han),
    ("hangul", Script::Hangul),
    ("hebrew", Script::Hebrew),
    ("hiragana", Script::Hiragana),
    ("kannada", Script::Kannada),
    ("katakana", Script::Katakana),
    ("khmer", Script::Khmer),
    ("lao", Script::Lao),
    ("latin", Script::Latin),
    ("malayalam", Script::Malayalam),
    ("mongolian", Script::Mongolian),
    ("myanmar", Script::Myanmar),
    ("sinhala", Script::Sinhala),
    ("tamil", Script::Tamil),
    ("telugu", Script::Telugu),
    ("thai", Script::Thai),
    ("tibetan", Script::Tibetan),
];

/// Blocks of letters, sorted. Source: Blocks.txt of the Unicode Character Database; what is no letter in a block does not
/// count anyway.
const BLOCKS: &[(u32, u32, Script)] = &[
    (0x41, 0x24F, Script::Latin),
    (0x250, 0x2B8, Script::Latin),
    (0x370, 0x3FF, Script::Greek),
    (0x400, 0x52F, Script::Cyrillic),
    (0x531, 0x58F, Script::Armenian),
    (0x5D0, 0x5F4, Script::Hebrew),
    (0x620, 0x6FF, Script::Arabic),
    (0x750, 0x77F, Script::Arabic),
    (0x870, 0x8FF, Script::Arabic),
    (0x900, 0x97F, Script::Devanagari),
    (0x980, 0x9FF, Script::Bengali),
    (0xA00, 0xA7F, Script::Gurmukhi),
    (0xA80, 0xAFF, Script::Gujarati),
    (0xB80, 0xBFF, Script::Tamil),
    (0xC00, 0xC7F, Script::Telugu),
    (0xC80, 0xCFF, Script::Kannada),
    (0xD00, 0xD7F, Script::Malayalam),
    (0xD80, 0xDFF, Script::Sinhala),
    (0xE00, 0xE7F, Script::Thai),
    (0xE80, 0xEFF, Script::Lao),
    (0xF00, 0xFFF, Script::Tibetan),
    (0x1000, 0x109F, Script::Myanmar),
    (0x10A0, 0x10FF, Script::Georgian),
    (0x1100, 0x11FF, Script::Hangul),
    (0x1200, 0x139F, Script::Ethiopic),
    (0x1780, 0x17FF, Script::Khmer),
    (0x1800, 0x18AF, Script::Mongolian),
    (0x1C80, 0x1C8F, Script::Cyrillic),
    (0x1C90, 0x1CBF, Script::Georgian),
    (0x1E00, 0x1EFF, Script::Latin),
    (0x1F00, 0x1FFF, Script::Greek),
    (0x2C60, 0x2C7F, Script::Latin),
    (0x2D00, 0x2D2F, Script::Georgian),
    (0x2DE0, 0x2DFF, Script::Cyrillic),
    (0x3005, 0x3007, Script::Han),
    (0x3041, 0x309F, Script::Hiragana),
    (0x30A1, 0x30FA, Script::Katakana),
    (0x30FD, 0x30FF, Script::Katakana),
    (0x3131, 0x318E, Script::Hangul),
    (0x31F0, 0x31FF, Script::Katakana),
    (0x3400, 0x4DBF, Script::Han),
    (0x4E00, 0x9FFF, Script::Han),
    (0xA640, 0xA69F, Script::Cyrillic),
    (0xA722, 0xA7FF, Script::Latin),
    (0xAC00, 0xD7A3, Script::Hangul),
    (0xF900, 0xFAFF, Script::Han),
    (0xFB1D, 0xFB4F, Script::Hebrew),
    (0xFB50, 0xFDFF, Script::Arabic),
    (0xFE70, 0xFEFC, Script::Arabic),
    (0xFF21, 0xFF5A, Script::Latin),
    (0xFF66, 0xFF9D, Script::Katakana),
    (0x20000, 0x3FFFF, Script::Han),
];

/// Text that is looked at. Unit: bytes. Source: our own limit, some thirty printed pages.
const TEXT_BYTES: usize = 64 << 10;

/// Fewest letters of which the writing is told. Unit: letters. Source: our own limit; a greeting says little.
const LETTERS: usize = 20;

impl Script {
    /// The word by which policies name it.
    pub fn word(self) -> &'static str {
        SCRIPTS[self as usize].0
    }
}

/// The writing that most letters of a text are in; of two with as many, the first by name. `None` for a text with few
/// letters.
pub(super) fn dominant(text: &str) -> Option<Script> {
    let mut counts = [0_usize; SCRIPTS.len()];
    for c in super::link::cut(text, TEXT_BYTES).chars().filter(|c| c.is_alphabetic()) {
        if let Some(script) = of_letter(c) {
            counts[script as usize] += 1;
        }
    }
    if counts.iter().sum::<usize>() < LETTERS {
        return None;
    }
    let (index, _) = counts.iter().enumerate().rev().max_by_key(|(_, count)| **count)?;
    Some(SCRIPTS[index].1)
}

fn of_letter(c: char) -> Option<Script> {
    if c.is_ascii() {
        return Some(Script::Latin);
    }
    let code = u32::from(c);
    let at = BLOCKS.partition_point(|&(first, ..)| first <= code).checked_sub(1)?;
    let (_, last, script) = BLOCKS[at];
    (code <= last).then_some(script)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_and_agree() {
        assert!(BLOCKS.is_sorted_by(|a, b| a.1 < b.0), "blocks do not overlap");
        assert!(SCRIPTS.is_sorted_by(|a, b| a.0 < b.0));
        for (index, (word, script)) in SCRIPTS.iter().enumerate() {
            assert_eq!(*script as usize, index, "{word}");
            assert_eq!(serde_json::to_string(script).expect("JSON"), format!("\"{word}\""));
        }
    }

    #[test]
    fn the_writing_of_most_letters_counts() {
        for (text, expected) in [
            ("Good morning, your parcel has arrived.", Some(Script::Latin)),
            ("Grüße aus Köln, schöne Straße überall", Some(Script::Latin)),
            ("Здравствуйте! Ваш заказ http://example.com готов", Some(Script::Cyrillic)),
            ("Καλημέρα σας, το δέμα σας έφτασε", Some(Script::Greek)),
            ("您好，您的包裹已经到达，请尽快领取，谢谢您的支持与配合。", Some(Script::Han)),
            ("お荷物が届きましたので、ご確認をおねがいいたします。", Some(Script::Hiragana)),
            ("안녕하세요 고객님 주문하신 상품이 도착했습니다", Some(Script::Hangul)),
            ("مرحبا بكم في موقعنا الجديد شكرا لكم", Some(Script::Arabic)),
            ("שלום רב, החבילה שלכם הגיעה היום", Some(Script::Hebrew)),
            ("สวัสดีครับ พัสดุของคุณมาถึงแล้ว", Some(Script::Thai)),
            ("Hello", None),
            ("1234 5678 !!! ... 9999 0000 1111", None),
            ("", None),
        ] {
            assert_eq!(dominant(text), expected, "{text}");
        }
    }
}
