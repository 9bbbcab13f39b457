//! `mailward rules`: the rules over content and phishing and those of rule files, with the points that the configuration gives them.

use super::{exit, fail, load};
use mailward_core::{
    config::Config,
    phishing,
    spam::{self, spamassassin},
    verdict::{Attack, Points},
};
use std::{io::Write, path::PathBuf, process::ExitCode};

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List the rules over content and phishing with their points, what they say and why they count.
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
    let config = match load(path.as_deref()) {
        Ok(config) => config,
        Err(code) => return code,
    };
    let mut text = String::new();
    if list.markdown {
        text += "| Rule | Points | What it says | Why it counts |\n|---|--:|---|---|\n";
    }
    for row in rows(&config) {
        text += &line(&row, &list);
        text.push('\n');
    }
    if !list.markdown {
        match spamassassin::Rules::load(&config.spam.spamassassin) {
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

/// A rule of either table, as this site has it.
struct Row {
    id: &'static str,
    points: Points,
    enabled: bool,
    attack: Option<Attack>,
    about: &'static str,
    source: &'static str,
}

/// All rules, sorted by id.
fn rows(config: &Config) -> Vec<Row> {
    let content = spam::RULES.iter().map(|rule| Row {
        id: rule.id,
        points: config.spam.overrides.get(rule.id).copied().unwrap_or(rule.weight),
        enabled: !config.spam.disabled.contains(rule.id),
        attack: rule.attack(),
        about: rule.about,
        source: rule.source,
    });
    let phishing = phishing::RULES.iter().map(|rule| Row {
        id: rule.id,
        points: config.phishing.overrides.get(rule.id).copied().unwrap_or(rule.weight),
        enabled: !config.phishing.disabled.contains(rule.id),
        attack: Some(rule.attack),
        about: rule.about,
        source: rule.source,
    });
    let mut rows: Vec<Row> = content.chain(phishing).collect();
    rows.sort_by_key(|row| row.id);
    rows
}

/// A rule of SpamAssassin's kind: id, points, description and place.
fn of_files((id, points, about, place): (String, Points, String, String), json: bool) -> String {
    if json {
        return serde_json::json!({ "id": id, "points": points, "enabled": true, "about": about, "source": place })
            .to_string();
    }
    format!("{id:32} {:>7}  {about}", points.to_string())
}

fn line(row: &Row, list: &List) -> String {
    let Row { id, points, enabled, attack, about, source } = row;
    if list.json {
        let mut object = serde_json::json!({
            "id": id, "points": points, "enabled": enabled, "about": about, "source": source,
        });
        if let Some(attack) = attack {
            object["attack"] = attack.word().into();
        }
        return object.to_string();
    }
    if list.markdown {
        return format!("| `{id}` | {points} | {about} | {source} |");
    }
    let points = if *enabled { points.to_string() } else { "off".to_owned() };
    format!("{id:32} {points:>7}  {about}")
}
