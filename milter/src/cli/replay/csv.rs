//! A line for each message, as comma separated values (RFC 4180).

use super::row::{Label, Row};
use crate::{cli::report::csv::quoted, compared::Judged};

pub(super) const HEAD: &str =
    "file,label,domain,verdict,points,because,verdict_against,points_against,because_against,changed_by\r\n";

pub(super) fn line(row: &Row) -> String {
    let label = match row.label {
        Some(Label::Ham) => "ham",
        Some(Label::Spam) => "spam",
        None => "",
    };
    let side = |judged: Option<&Judged>| match judged {
        Some(judged) => [judged.verdict.clone(), judged.points.to_string(), judged.because.clone()],
        None => [String::new(), String::new(), String::new()],
    };
    let fields = [row.file.clone(), label.to_owned(), row.domain.clone()];
    let fields = fields.into_iter().chain(side(Some(&row.a))).chain(side(row.b.as_ref()));
    let fields: Vec<String> = fields.chain([row.changed_by.join("; ")]).map(|field| quoted(&field)).collect();
    fields.join(",") + "\r\n"
}
