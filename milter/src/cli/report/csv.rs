//! Fields of comma separated values (RFC 4180).

/// A field; spreadsheets must not take it for a formula.
pub(in crate::cli) fn quoted(field: &str) -> String {
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
