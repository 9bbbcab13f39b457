//! What was looked at, what was seen, and what to do about it.

use serde_json::json;
use std::io::IsTerminal;

/// How good it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// As it should be.
    Ok,
    /// Nothing to look at, or no way to look.
    Skipped,
    /// Mail flows, but something wants attention.
    Warning,
    /// Mail is deferred, lost to filtering, or a protection does not work.
    Problem,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::Skipped => "skipped",
            State::Warning => "warning",
            State::Problem => "problem",
        }
    }

    /// ECMA-48 colour of the word.
    fn colour(self) -> &'static str {
        match self {
            State::Ok => "32",
            State::Skipped => "2",
            State::Warning => "33",
            State::Problem => "1;31",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Check {
    /// The part of the site: `dns`, `postfix` and so on.
    pub(super) area: &'static str,
    pub(super) state: State,
    /// What was seen.
    pub(super) says: String,
    /// What to do; empty if nothing is to be done.
    pub(super) advice: String,
}

impl Check {
    pub(super) fn ok(area: &'static str, says: impl Into<String>) -> Self {
        Check { area, state: State::Ok, says: says.into(), advice: String::new() }
    }

    pub(super) fn skipped(area: &'static str, says: impl Into<String>) -> Self {
        Check { area, state: State::Skipped, says: says.into(), advice: String::new() }
    }

    pub(super) fn warning(area: &'static str, says: impl Into<String>, advice: impl Into<String>) -> Self {
        Check { area, state: State::Warning, says: says.into(), advice: advice.into() }
    }

    pub(super) fn problem(area: &'static str, says: impl Into<String>, advice: impl Into<String>) -> Self {
        Check { area, state: State::Problem, says: says.into(), advice: advice.into() }
    }
}

/// One object a line.
pub(super) fn print_json(checks: &[Check]) {
    for check in checks {
        let mut line = json!({ "schema": 1, "check": check.area, "state": check.state.word(), "says": check.says });
        if !check.advice.is_empty() {
            line["advice"] = check.advice.clone().into();
        }
        println!("{line}");
    }
}

/// For people: a line for each check, its advice below, and the sum.
pub(super) fn print_text(checks: &[Check]) {
    let coloured = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    for check in checks {
        let word = format!("{:<8}", check.state.word());
        let word = if coloured { format!("\u{1b}[{}m{word}\u{1b}[0m", check.state.colour()) } else { word };
        println!("{word} {:<13} {}", check.area, check.says);
        if !check.advice.is_empty() {
            println!("{:23}→ {}", "", check.advice);
        }
    }
    let count = |state| checks.iter().filter(|check| check.state == state).count();
    println!(
        "\n{} ok, {} skipped, {} warnings, {} problems",
        count(State::Ok),
        count(State::Skipped),
        count(State::Warning),
        count(State::Problem)
    );
}
