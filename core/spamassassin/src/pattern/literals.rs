//! Literals one of which must occur where a pattern matches.

use regex_syntax::hir::{Class, Hir, HirKind};
use std::collections::BTreeSet;

/// Texts in lower case (ASCII), of which every match holds at least one, in whatever case.
pub(super) type Literals = BTreeSet<Vec<u8>>;

/// Most literals kept for a pattern. Unit: literals. Source: measured; with 96, long lists of words were searched without any.
const LITERALS: usize = 400;
/// Most texts that a part of a pattern may stand for before it counts as no literal. Unit: texts. Source: our own limit.
const PRODUCT: usize = 48;
/// Longest literal. Unit: bytes. Source: our own limit; longer ones tell no more.
const LONGEST: usize = 24;
/// Shortest literal. Unit: bytes. Source: measured; what is shorter stands in nearly every text.
const SHORTEST: usize = 3;

/// The best set of literals of a pattern, if it has one.
pub(super) fn required(pattern: &Hir) -> Option<Literals> {
    let part = part(pattern);
    better(part.exact, part.needed).filter(|literals| shortest(literals) >= SHORTEST)
}

/// What is known of a part of a pattern.
#[derive(Default)]
struct Part {
    /// All texts that it matches, if they are few.
    exact: Option<Literals>,
    /// Literals of which every match holds one.
    needed: Option<Literals>,
}

fn shortest(literals: &Literals) -> usize {
    literals.iter().map(Vec::len).min().unwrap_or(0)
}

/// The one that tells more: longer, then fewer.
fn better(one: Option<Literals>, other: Option<Literals>) -> Option<Literals> {
    let worth = |literals: &Literals| {
        let length = shortest(literals);
        (length >= SHORTEST && literals.len() <= LITERALS)
            .then_some((length.min(6) * 100).saturating_sub(literals.len()))
    };
    match (one.as_ref().and_then(worth), other.as_ref().and_then(worth)) {
        (None, None) => None,
        (one_worth, other_worth) if one_worth >= other_worth => one,
        _ => other,
    }
}

fn part(hir: &Hir) -> Part {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Part { exact: Some([Vec::new()].into()), needed: None },
        HirKind::Literal(literal) => {
            let text = literal.0.to_ascii_lowercase();
            if text.len() <= LONGEST {
                Part { exact: Some([text].into()), needed: None }
            } else {
                Part { exact: None, needed: Some([text[..LONGEST].to_vec()].into()) }
            }
        }
        HirKind::Class(class) => Part { exact: of_class(class), needed: None },
        HirKind::Capture(capture) => part(&capture.sub),
        HirKind::Repetition(repetition) => {
            let inner = part(&repetition.sub);
            match (repetition.min, repetition.max) {
                (1, Some(1)) => inner,
                (0, Some(1)) => Part {
                    exact: inner.exact.map(|mut texts| {
                        texts.insert(Vec::new());
                        texts
                    }),
                    needed: None,
                },
                (0, _) => Part::default(),
                _ => Part { exact: None, needed: better(inner.exact, inner.needed) },
            }
        }
        HirKind::Alternation(branches) => alternation(branches),
        HirKind::Concat(parts) => concatenation(parts),
    }
}

fn of_class(class: &Class) -> Option<Literals> {
    let mut texts = Literals::new();
    match class {
        Class::Bytes(class) => {
            for range in class.ranges() {
                for byte in range.start()..=range.end() {
                    texts.insert(vec![byte.to_ascii_lowercase()]);
                    if texts.len() > PRODUCT {
                        return None;
                    }
                }
            }
        }
        Class::Unicode(_) => return None,
    }
    (!texts.is_empty()).then_some(texts)
}

fn alternation(branches: &[Hir]) -> Part {
    let mut exact = Some(Literals::new());
    let mut needed = Some(Literals::new());
    for branch in branches {
        let part = part(branch);
        let literals = better(part.exact.clone(), part.needed);
        exact = match (exact, part.exact) {
            (Some(mut all), Some(texts)) if all.len() + texts.len() <= PRODUCT * 2 => {
                all.extend(texts);
                Some(all)
            }
            _ => None,
        };
        needed = match (needed, literals) {
            (Some(mut all), Some(texts)) if all.len() + texts.len() <= LITERALS => {
                all.extend(texts);
                Some(all)
            }
            _ => None,
        };
    }
    Part { exact, needed }
}

fn concatenation(parts: &[Hir]) -> Part {
    let mut best = None;
    let mut running: Literals = [Vec::new()].into();
    let mut whole = true;
    for hir in parts {
        let part = part(hir);
        best = better(best, part.needed);
        let joined = part.exact.as_ref().and_then(|texts| product(&running, texts));
        match joined {
            Some(joined) => running = joined,
            None => {
                best = better(best, Some(running));
                whole = false;
                running = part.exact.unwrap_or_else(|| [Vec::new()].into());
            }
        }
    }
    if whole {
        return Part { needed: best, exact: Some(running) };
    }
    Part { exact: None, needed: better(best, Some(running)) }
}

/// Every text of the first followed by every text of the second, if these are few and short.
fn product(first: &Literals, second: &Literals) -> Option<Literals> {
    if first.len() * second.len() > PRODUCT {
        return None;
    }
    let mut texts = Literals::new();
    for one in first {
        for other in second {
            if one.len() + other.len() > LONGEST {
                return None;
            }
            texts.insert([one.as_slice(), other].concat());
        }
    }
    Some(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pattern: &str) -> Vec<String> {
        let hir = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern).expect(pattern);
        let literals = required(&hir).unwrap_or_default();
        literals.into_iter().map(|text| String::from_utf8(text).expect("ASCII")).collect()
    }

    #[test]
    fn every_match_holds_one_of_them() {
        assert_eq!(of(r"\bhello (?:world|there)\b"), ["hello there", "hello world"]);
        assert_eq!(of(r"(?i)click\s+here"), ["click"]);
        assert_eq!(
            of(r"\d+[%$] off|free gift"),
            ["free gift", "$ off", "% off"]
                .map(str::to_owned)
                .into_iter()
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect::<Vec<_>>()
        );
        assert_eq!(of(r"(?:viagra)?pills{2,3}"), ["pill", "viagrapill"]);
        assert!(of(r"a.b|\w+").is_empty());
        assert!(of(r"(?:long literal)?").is_empty());
    }
}
