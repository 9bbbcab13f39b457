//! Questions about the text.

use super::{Call, Evaluation, Function};
use std::collections::{BTreeSet, HashMap};

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("multipart_alternative_difference", |e, call| {
        let percent = e.difference().percent;
        let low = call.number(0).unwrap_or(0.0);
        (low == 0.0 || percent > low) && call.number(1).is_none_or(|high| percent <= high)
    }),
    ("multipart_alternative_difference_count", |e, call| {
        let difference = e.difference();
        difference.html > call.number(1).unwrap_or(0.0)
            && difference.html > 0.0
            && call.number(0).is_some_and(|ratio| difference.text / difference.html > ratio)
    }),
    ("check_blank_line_ratio", blank_lines),
    ("tvd_vertical_words", |e, call| {
        let high = call.number(1).map(|high| if high >= 100.0 { 101.0 } else { high });
        let most = blanks_among_words(e);
        call.number(0).is_none_or(|low| most >= low) && high.is_none_or(|high| most < high)
    }),
    ("check_stock_info", |e, call| {
        let low = call.number(0).unwrap_or(0.0);
        low == 0.0 || stock_words(e) as f64 >= low
    }),
    ("check_body_length", |e, call| {
        let tree = &e.message.tree;
        call.number(0).is_some_and(|most| (tree.full().len() - tree.head.min(tree.full().len())) as f64 <= most)
    }),
    ("plaintext_body_length", |e, call| signature(e).is_some_and(|(body, _)| call.reaches_up_to(body, 0))),
    ("plaintext_sig_length", |e, call| signature(e).is_some_and(|(_, signature)| call.reaches_up_to(signature, 0))),
    ("plaintext_body_sig_ratio", |e, call| {
        signature(e).is_some_and(|(body, signature)| {
            let ratio = if signature > 0.0 { body / signature } else { 1e6 };
            call.reaches_up_to(ratio, 0)
        })
    }),
];

/// How the two sides of multipart/alternative differ.
#[derive(Debug, Default)]
pub(super) struct Difference {
    /// Words of the HTML that are not in the text. Unit: percent.
    percent: f64,
    /// Different words.
    html: f64,
    text: f64,
}

impl Evaluation<'_> {
    fn difference(&self) -> &Difference {
        self.difference.get_or_init(|| difference(self))
    }
}

fn difference(evaluation: &Evaluation<'_>) -> Difference {
    let message = evaluation.message;
    let parts = &message.tree.parts;
    let mut difference = Difference::default();
    for (index, part) in parts.iter().enumerate() {
        if part.content_type.kind != "multipart/alternative" {
            continue;
        }
        let kinds: Vec<&str> = part.children.iter().map(|child| parts[*child].content_type.kind.as_str()).collect();
        if index == 0 && kinds == ["text/html", "text/calendar"] {
            return Difference::default();
        }
        let inside = below(evaluation, index);
        let (mut html, mut text): (HashMap<&str, i64>, HashMap<&str, i64>) = Default::default();
        for shown in message.texts.shown.iter().filter(|shown| inside.contains(&shown.part)) {
            let is_word =
                |word: &&str| word.bytes().any(|b| b.is_ascii_alphanumeric() || b == b'_') || !word.is_ascii();
            match shown.page.map(|page| &message.texts.pages[page]) {
                Some(page) => {
                    page.text.split_whitespace().filter(is_word).for_each(|word| *html.entry(word).or_default() += 1);
                    if html.is_empty() && page.inside.contains_key("img") {
                        html.insert("\n", 1);
                    }
                }
                None => {
                    shown.plain.split_whitespace().filter(is_word).for_each(|word| *text.entry(word).or_default() += 1)
                }
            }
        }
        if html.is_empty() {
            continue;
        }
        difference.html = html.len() as f64;
        difference.text = text.len() as f64;
        html.retain(|word, count| text.get(word).is_none_or(|shared| *count > *shared));
        difference.percent = difference.percent.max(html.len() as f64 * 100.0 / difference.html);
    }
    difference
}

/// All parts below a part.
fn below(evaluation: &Evaluation<'_>, index: usize) -> BTreeSet<usize> {
    let parts = &evaluation.message.tree.parts;
    let (mut inside, mut stack) = (BTreeSet::new(), vec![index]);
    while let Some(part) = stack.pop() {
        inside.insert(part);
        stack.extend(&parts[part].children);
    }
    inside
}

fn blank_lines(evaluation: &Evaluation<'_>, call: &Call) -> bool {
    let (mut blank, mut lines) = (0.0, 0.0);
    for piece in &evaluation.message.texts.raw_body {
        for line in piece.split_inclusive(|byte| *byte == b'\n') {
            lines += 1.0;
            blank += f64::from(u8::from(line.trim_ascii().is_empty()));
        }
    }
    let needed = call.number(2).unwrap_or(1.0).max(1.0);
    let percent = if lines < needed { -1.0 } else { blank * 100.0 / lines };
    let (low, high) = (call.number(0).unwrap_or(0.0), call.number(1).unwrap_or(f64::INFINITY));
    (low == 0.0 || percent > low) && percent <= high
}

/// The largest share of blanks in a paragraph. Unit: percent of the other signs.
fn blanks_among_words(evaluation: &Evaluation<'_>) -> f64 {
    let mut most = -1.0_f64;
    for line in evaluation.message.texts.body.iter().filter(|line| line.len() > 5) {
        let blanks = memchr::memchr_iter(b' ', line).count();
        let others = line.len() - blanks;
        let percent = if blanks > others || others == 0 { 100 } else { 100 * blanks / others };
        most = most.max(percent as f64);
    }
    most
}

/// Labels of stock tips: beginnings of what stands before a colon.
const STOCK: &[&str] = &[
    "tradingdate",
    "tradedate",
    "company",
    "companyname",
    "stock",
    "symbol",
    "sym",
    "target",
    "ticker",
    "openingprice",
    "opening",
    "currentprice",
    "openingp",
    "currentp",
    "projected",
    "position",
    "expectations",
    "weekhigh",
    "weekshigh",
    "marketperformance",
    "yeartarget",
    "weektarget",
    "monthtarget",
    "daytarget",
    "pricetarget",
    "yearestimate",
    "priceestimate",
    "sector",
    "recommendation",
    "rating",
];

fn stock_words(evaluation: &Evaluation<'_>) -> usize {
    let first = evaluation.message.texts.shown.iter().find(|shown| shown.page.is_none());
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for line in first.map(|shown| shown.plain.as_str()).unwrap_or_default().lines() {
        let Some((label, value)) = line.trim_start().split_once(':') else { continue };
        if !(3..=30).contains(&label.trim_end().len()) || value.trim().is_empty() {
            continue;
        }
        let label: String = label.to_lowercase().chars().filter(char::is_ascii_lowercase).collect();
        seen.extend(STOCK.iter().copied().filter(|word| label.ends_with(word)).max_by_key(|word| word.len()));
    }
    seen.len()
}

/// Lengths of the first plain part and of the signature in it.
fn signature(evaluation: &Evaluation<'_>) -> Option<(f64, f64)> {
    let tree = &evaluation.message.tree;
    let part = tree.leaves().into_iter().find(|part| tree.parts[*part].content_type.kind == "text/plain")?;
    let text = tree.decoded(part);
    let (mut body, mut signature, mut at) = (text.len(), 0, 0);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let end = at + line.len();
        if matches!(line, b"-- \n" | b"--\n" | b"-- \r\n" | b"--\r\n") && text.len() - end > 3 {
            (body, signature) = (at, text.len() - end + 1);
        }
        at = end;
    }
    Some((body as f64, signature as f64))
}
