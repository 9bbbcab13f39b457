//! The results as JUnit XML, which CI systems read.

use super::Result;
use std::fmt::Write;

/// One test suite, one test case for each case.
pub(super) fn xml(results: &[Result]) -> String {
    let failed = results.iter().filter(|result| !result.passed()).count();
    let seconds: f64 = results.iter().map(|result| result.ms / 1e3).sum();
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuite name=\"mailward test\" tests=\"{}\" failures=\"{failed}\" time=\"{seconds:.3}\">\n",
        results.len()
    );
    for result in results {
        let (file, name) = (text(&result.case.file.display().to_string()), text(&result.case.name));
        let time = result.ms / 1e3;
        let _ = write!(
            out,
            "  <testcase classname=\"{file}\" name=\"{name}\" line=\"{}\" time=\"{time:.3}\"",
            result.case.line
        );
        if result.passed() {
            out.push_str("/>\n");
            continue;
        }
        let why = result.lines().join("\n");
        let first = why.lines().next().unwrap_or_default();
        let _ = writeln!(out, ">\n    <failure message=\"{}\">{}</failure>\n  </testcase>", text(first), text(&why));
    }
    out.push_str("</testsuite>\n");
    out
}

/// Text for content and attributes; characters that XML 1.0 does not have (§2.2) are replaced.
fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn what_a_message_says_cannot_break_the_file() {
        assert_eq!(text("<a href=\"x\">&\u{1b}\n"), "&lt;a href=&quot;x&quot;&gt;&amp;\u{fffd}&#10;");
    }
}
