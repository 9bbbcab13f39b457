//! A line for each message, as comma separated values (RFC 4180).

use super::row::{Label, Row};
use crate::compared::Judged;

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

/// A field; spreadsheets must not take it for a formula.
fn quoted(field: &str) -> String {
    let signed = field.starts_with(['+', '-']) && field.parse::<f64>().is_err();
    let field = match signed || field.starts_with(['=', '@', '\t', '\r']) {
        true => format!("'{field}"),
        false => field.to_owned(),
    };
    match field.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field,
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn fields_cannot_break_the_table() {
        assert_eq!(quoted("policy \"a, b\""), "\"policy \"\"a, b\"\"\"");
        assert_eq!(quoted("=HYPERLINK(1)"), "'=HYPERLINK(1)");
        assert_eq!((quoted("-3.10"), quoted("-spf.fail 1.00")), ("-3.10".into(), "'-spf.fail 1.00".into()));
    }
}
