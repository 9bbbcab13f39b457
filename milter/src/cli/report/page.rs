//! Pages that need no other file: their beginning, and text in them.

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1d2733; --paper: #fff; --line: #d5dbe3; --ham: #2f7fb5; --spam: #c4512d; --other: #8a94a3 }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --paper: #14181e; --line: #333c48 } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; display: block; overflow-x: auto }
th, td { padding: .2rem .7rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap }
th:last-child, td:last-child { text-align: left; white-space: normal; overflow-wrap: anywhere }
.sides { display: flex; flex-wrap: wrap; gap: 2rem } .ham { fill: var(--ham) } .spam { fill: var(--spam) } .other { fill: var(--other) }
text { fill: currentColor; font-size: 11px } details { margin: 1rem 0 } summary { cursor: pointer; font-weight: 600 }
";

/// The page up to its heading.
pub(in crate::cli) fn head(title: &str, heading: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{}</title>\n<style>{STYLE}</style>\n<h1>{}</h1>\n",
        text(title),
        text(heading)
    )
}

/// Text for the page: what a message says cannot become markup.
pub(in crate::cli) fn text(text: &str) -> String {
    let clean = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut out = String::with_capacity(text.len());
    for c in text.chars().map(clean) {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}
