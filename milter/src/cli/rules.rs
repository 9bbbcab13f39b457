//! `mailward rules`: the content rules and those of rule files, with the points that the configuration gives them.

use super::{exit, fail, load};
use mailward_core::{
    spam::{RULES, Rule, Settings, spamassassin},
    verdict::Points,
};
use std::{io::Write, path::PathBuf, process::ExitCode};

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List the content rules with their points, what they say and why they count.
    List(List),
}

#[derive(clap::Args)]
struct List {
    /// Print one JSON object a line for each rule.
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print the table of docs/rules.md.
    #[arg(long)]
    markdown: bool,
}

pub(super) fn run(arguments: Arguments, path: Option<PathBuf>) -> ExitCode {
    let Command::List(list) = arguments.command;
    let settings = match load(path.as_deref()) {
        Ok(config) => config.spam,
        Err(code) => return code,
    };
    let mut text = String::new();
    if list.markdown {
        text += "| Rule | Points | What it says | Why it counts |\n|---|--:|---|---|\n";
    }
    for rule in RULES.iter() {
        text += &line(rule, &settings, &list);
        text.push('\n');
    }
    if !list.markdown {
        match spamassassin::Rules::load(&settings.spamassassin) {
            Ok(rules) => rules.iter().flat_map(|rules| rules.list()).for_each(|rule| {
                text += &of_files(rule, list.json);
                text.push('\n');
            }),
            Err(problems) => return fail(exit::USAGE, problems.join("\n")),
        }
    }
    // A reader that has seen enough closes the pipe.
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

/// A rule of SpamAssassin's kind: id, points, description and place.
fn of_files((id, points, about, place): (String, Points, String, String), json: bool) -> String {
    if json {
        return serde_json::json!({ "id": id, "points": points, "enabled": true, "about": about, "source": place })
            .to_string();
    }
    format!("{id:32} {:>7}  {about}", points.to_string())
}

fn line(rule: &Rule, settings: &Settings, list: &List) -> String {
    let enabled = !settings.disabled.contains(rule.id);
    let points: Points = settings.overrides.get(rule.id).copied().unwrap_or(rule.weight);
    if list.json {
        let object = serde_json::json!({
            "id": rule.id, "points": points, "enabled": enabled, "about": rule.about, "source": rule.source,
        });
        return object.to_string();
    }
    if list.markdown {
        return format!("| `{}` | {points} | {} | {} |", rule.id, rule.about, rule.source);
    }
    let points = if enabled { points.to_string() } else { "off".to_owned() };
    format!("{:32} {points:>7}  {}", rule.id, rule.about)
}
