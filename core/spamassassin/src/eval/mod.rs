//! Functions that rules call: `eval:check_for_mime('mime_qp_long_line')`.

mod body;
mod freemail;
mod header;
mod html;
mod image;
mod lists;
mod mime;
mod relay;

pub(crate) use lists::fits;

use crate::{message::Message, pattern::Pattern};
use std::cell::OnceCell;

/// A call of a function.
#[derive(Debug)]
pub(crate) struct Call {
    function: Function,
    pub(crate) arguments: Vec<String>,
    /// The argument that is a pattern.
    pub(crate) pattern: Option<Pattern>,
}

type Function = fn(&Evaluation<'_>, &Call) -> bool;

/// A message, with what several functions ask of it found once.
pub(crate) struct Evaluation<'m> {
    pub(crate) message: &'m Message<'m>,
    mime: OnceCell<mime::MimeFacts>,
    uppercase: OnceCell<f64>,
    difference: OnceCell<body::Difference>,
    date: OnceCell<i64>,
    images: OnceCell<image::Images>,
    freemail: OnceCell<Option<Vec<String>>>,
}

/// What a function is to us.
pub(crate) enum Known {
    Here(Function),
    /// It asks the network, or what SpamAssassin has learned: never a hit here.
    Elsewhere,
}

/// Beginnings of names of functions that ask others. Mailward asks DNS, checks signatures and learns by itself.
const ELSEWHERE: &[&str] = &[
    "check_rbl",
    "check_uridnsbl",
    "check_bayes",
    "check_dkim",
    "check_arc",
    "check_for_spf",
    "check_for_def_spf",
    "check_for_dkim",
    "check_for_def_dkim",
    "check_dmarc",
    "check_dcc",
    "check_pyzor",
    "check_razor2",
    "check_hashbl",
    "check_dns_sender",
    "check_senders_reputation",
    "check_from_in_auto_w",
    "check_shortcircuit",
    "check_access_database",
    "check_microsoft_executable",
    "check_suspect_name",
    "check_language",
    "short_url",
    "pdf_",
    "check_fromname",
    "check_txrep",
    "check_asn",
    "check_phishing",
    "check_olemacro",
    "check_olertf",
    "check_uri_local_bl",
    "check_geo",
    "check_body_8bits",
    "check_antivirus",
    "check_accessdb",
];

/// Looks a function up by its name.
pub(crate) fn function(name: &str) -> Option<Known> {
    let tables = [
        html::FUNCTIONS,
        mime::FUNCTIONS,
        header::FUNCTIONS,
        relay::FUNCTIONS,
        body::FUNCTIONS,
        image::FUNCTIONS,
        lists::FUNCTIONS,
        freemail::FUNCTIONS,
    ];
    let here = tables.iter().flat_map(|table| table.iter()).find(|(known, _)| *known == name);
    match here {
        Some((_, function)) => Some(Known::Here(*function)),
        None => ELSEWHERE.iter().any(|start| name.starts_with(start)).then_some(Known::Elsewhere),
    }
}

impl Call {
    /// A call with these arguments; the error says what is wrong with them.
    pub(crate) fn of(name: &str, function: Function, arguments: Vec<String>) -> Result<Call, String> {
        let at = match name {
            "html_text_match" | "html_text_not_match" | "check_freemail_header" => Some(1),
            "check_freemail_body" | "check_freemail_from" => Some(0),
            _ => None,
        };
        let pattern = match at.and_then(|at| arguments.get(at)) {
            Some(text) => Some(Pattern::new(text.as_bytes(), crate::pattern::Flags::default())?),
            None => None,
        };
        Ok(Call { function, arguments, pattern })
    }

    pub(crate) fn hits(&self, evaluation: &Evaluation<'_>) -> bool {
        (self.function)(evaluation, self)
    }

    fn text(&self, index: usize) -> &str {
        self.arguments.get(index).map_or("", String::as_str)
    }

    /// A number; none for `undef`, `inf` and what is missing.
    fn number(&self, index: usize) -> Option<f64> {
        self.arguments.get(index)?.parse().ok().filter(|number: &f64| number.is_finite())
    }

    /// Whether a value lies above the first bound and at most at the second, counted from this argument.
    fn above_up_to(&self, value: f64, index: usize) -> bool {
        self.number(index).is_none_or(|low| value > low) && self.number(index + 1).is_none_or(|high| value <= high)
    }

    /// Whether a value reaches the first bound and stays below the second.
    fn reaches_below(&self, value: f64, index: usize) -> bool {
        self.number(index).is_none_or(|low| value >= low) && self.number(index + 1).is_none_or(|high| value < high)
    }

    /// Whether a value reaches the first bound and stays within the second.
    fn reaches_up_to(&self, value: f64, index: usize) -> bool {
        self.number(index).is_none_or(|low| value >= low) && self.number(index + 1).is_none_or(|high| value <= high)
    }

    /// Whether a comparison such as `>= 2` holds, written in this argument.
    fn compares(&self, value: f64, index: usize) -> bool {
        let text = self.text(index).trim();
        let end = text.find(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | ' ')).unwrap_or(text.len());
        let Ok(bound) = text[end..].trim().parse::<f64>() else { return false };
        match &text[..end] {
            ">" => value > bound,
            ">=" => value >= bound,
            "<" => value < bound,
            "<=" => value <= bound,
            "==" => value == bound,
            "!=" => value != bound,
            _ => false,
        }
    }
}

impl<'m> Evaluation<'m> {
    pub(crate) fn of(message: &'m Message<'m>) -> Self {
        Evaluation {
            message,
            mime: OnceCell::new(),
            uppercase: OnceCell::new(),
            difference: OnceCell::new(),
            date: OnceCell::new(),
            images: OnceCell::new(),
            freemail: OnceCell::new(),
        }
    }
}

#[cfg(test)]
mod tests;
