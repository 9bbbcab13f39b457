//! The results for people and for programs.

use super::{Result, differences::Difference};
use std::{io::IsTerminal, time::Duration};

impl Result {
    /// Why it failed, a line each.
    pub(super) fn lines(&self) -> Vec<String> {
        match &self.outcome {
            Err(faults) => faults.clone(),
            Ok(_) => self.differences.iter().map(Difference::line).collect(),
        }
    }
}

impl Difference {
    fn place(&self) -> String {
        match &self.name {
            Some(name) => format!("{} \"{name}\"", self.key),
            None => self.key.to_owned(),
        }
    }

    fn line(&self) -> String {
        format!("{}: expected {}, got {}", self.place(), self.expected, self.got)
    }
}

/// A case that failed: where it stands, and each difference as a line taken away and a line put in its place.
pub(super) fn failure(result: &Result, verbose: bool) -> String {
    let paint = std::io::stdout().is_terminal();
    let case = &result.case;
    let mut out = format!("{} {}:{}: {}\n", painted("FAIL", "31", paint), case.file.display(), case.line, case.name);
    let outcome = match &result.outcome {
        Ok(outcome) => outcome,
        Err(faults) => {
            faults.iter().for_each(|fault| out.push_str(&format!("     {}\n", clean(fault))));
            return out;
        }
    };
    for difference in &result.differences {
        out.push_str(&format!("     {}\n", clean(&difference.place())));
        for (sign, text, colour) in [("-", &difference.expected, "31"), ("+", &difference.got, "32")] {
            for line in text.lines() {
                out.push_str(&painted(&format!("       {sign} {}", clean(line)), colour, paint));
                out.push('\n');
            }
        }
    }
    if let Some(explanation) = &outcome.explanation {
        let text = explanation.text(paint);
        let shown = text.lines().take(if verbose { usize::MAX } else { 1 });
        shown.for_each(|line| out.push_str(&format!("     {line}\n")));
    }
    out
}

/// One JSON object on one line.
pub(super) fn json(result: &Result) -> String {
    let case = &result.case;
    serde_json::json!({
        "schema": 1,
        "case": case.name,
        "file": case.file.display().to_string(),
        "line": case.line,
        "passed": result.passed(),
        "differences": result.differences,
        "faults": result.outcome.as_ref().err().cloned().unwrap_or_default(),
        "explanation": result.outcome.as_ref().ok().and_then(|outcome| outcome.explanation.as_ref()),
        "ms": (result.ms * 100.0).round() / 100.0,
    })
    .to_string()
}

/// The last line.
pub(super) fn totals(passed: usize, failed: usize, took: Duration) -> String {
    let paint = std::io::stdout().is_terminal();
    let failed = match failed {
        0 => "0 failed".to_owned(),
        some => painted(&format!("{some} failed"), "31", paint),
    };
    format!("{passed} passed, {failed}, in {:.2} s", took.as_secs_f64())
}

fn painted(text: &str, colour: &str, paint: bool) -> String {
    if paint { format!("\u{1b}[{colour}m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// What a message says must not move the cursor.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
