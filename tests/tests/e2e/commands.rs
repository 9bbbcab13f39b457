//! The command line apart from the daemon.

mod cases;
mod check;
mod config;
mod directory;
mod doctor;
mod eval;
mod examples;
mod manual;
mod replay;
mod rules;
mod test;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use mailward_tests::mailward::{self, Mailward};
use mailward_tests::scratch::Scratch;

/// Exit code, standard output and standard error.
fn parts(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().expect("an exit code"), text(&output.stdout), text(&output.stderr))
}

/// `mailward ARGUMENTS` in a folder.
fn mailward(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    parts(&mailward::command(folder, arguments))
}

/// The same with a file as standard input.
fn mailward_reading(folder: &Path, arguments: &[&str], input: &Path) -> (i32, String, String) {
    let input = std::fs::File::open(input).expect("the input is there");
    let mut command = Command::new(mailward::binary());
    parts(&command.args(arguments).current_dir(folder).stdin(Stdio::from(input)).output().expect("the program starts"))
}

/// A configuration that asks nobody on the network and keeps its state in the scratch folder.
fn offline(scratch: &Scratch, more: &str) -> String {
    let state = scratch.path().join("state");
    format!("{more}\n[dns]\nservers = [\"127.0.0.1:1\"]\n[state]\ndir = \"{}\"\n", state.display())
}

const SUBCOMMANDS: [&[&str]; 22] = [
    &[],
    &["milter"],
    &["check"],
    &["test"],
    &["replay"],
    &["eval"],
    &["config"],
    &["config", "check"],
    &["config", "show"],
    &["config", "init"],
    &["directory"],
    &["directory", "import"],
    &["directory", "sync"],
    &["directory", "lookup"],
    &["dha"],
    &["batv"],
    &["batv", "tag"],
    &["batv", "check"],
    &["doctor"],
    &["explain"],
    &["rules"],
    &["rules", "list"],
];

#[test]
fn help_of_every_command_is_made_of_sentences() {
    let scratch = Scratch::new();
    for subcommand in SUBCOMMANDS {
        let (code, text, errors) = mailward(scratch.path(), &[subcommand, &["--help"]].concat());
        assert_eq!((code, errors.as_str()), (0, ""), "{subcommand:?}");
        let first = text.lines().next().unwrap_or_default();
        let is_sentence = first.chars().next().is_some_and(char::is_uppercase) && first.contains(' ');
        assert!(is_sentence, "{subcommand:?}: {first}");
        let options: Vec<_> = text.lines().filter(|line| line.trim_start().starts_with('-')).collect();
        for option in options {
            let explained = option.trim().split_once("  ").is_some() || text.contains(&format!("{option}\n          "));
            assert!(explained, "{subcommand:?}: no word about {option:?} in\n{text}");
        }
    }
    let (_, text, _) = mailward(scratch.path(), &["--help"]);
    assert!(text.contains("Exit codes: 0"), "{text}");
    for command in ["check", "explain"] {
        let (_, text, _) = mailward(scratch.path(), &[command, "--help"]);
        assert!(text.contains("Example"), "{command}: {text}");
    }
}

#[test]
fn wrong_arguments_end_with_code_2_and_advice() {
    let scratch = Scratch::new();
    for (arguments, advice) in [
        (vec!["chek"], "check"),
        (vec!["check"], "FILE"),
        (vec!["check", "--client", "x", "y"], "--client-ip"),
        (vec!["check", "missing.eml"], "missing.eml"),
        (vec!["explain", "not a reference"], "not a reference"),
        (vec!["--config", "missing.toml", "config", "show"], "missing.toml"),
        (vec!["milter", "--config", "missing.toml"], "missing.toml"),
    ] {
        let (code, output, errors) = mailward(scratch.path(), &arguments);
        assert_eq!(code, 2, "{arguments:?}: {output}{errors}");
        assert!(errors.contains(advice), "{arguments:?}: {errors}");
    }
}

#[test]
fn nothing_is_coloured_where_nobody_looks() {
    let scratch = Scratch::new();
    let file = scratch.file("mailward.toml", offline(&scratch, "[limits]\nx = 1\n"));
    scratch.file("mail.eml", "From: a@example.net\nSubject: x\n\nx\n");
    let file = file.to_str().expect("scratch paths are UTF-8");
    for arguments in
        [vec!["--help"], vec!["chek"], vec!["config", "check", file], vec!["check", "mail.eml", "--config", file]]
    {
        let (_, output, errors) = mailward(scratch.path(), &arguments);
        assert!(!format!("{output}{errors}").contains('\u{1b}'), "{arguments:?}: {output}{errors}");
    }
    let good = offline(&scratch, "");
    let (_, output, errors) = mailward(
        scratch.path(),
        &["check", "mail.eml", "--config", scratch.file("good.toml", good).to_str().expect("UTF-8")],
    );
    assert!(!format!("{output}{errors}").contains('\u{1b}') && output.contains("verdict"), "{output}{errors}");
}

#[test]
fn log_for_people_has_no_colours_in_a_file_either() {
    let scratch = Scratch::new();
    let mut daemon = Mailward::builder().config(offline(&scratch, "[log]\nformat = \"text\"")).start(&scratch);
    assert!(daemon.terminate().success());
    let log = daemon.output();
    assert!(log.contains("listening") && !log.contains('\u{1b}'), "{log}");
}

#[test]
fn reference_that_nobody_knows_is_told_with_code_1() {
    let scratch = Scratch::new();
    let config = scratch.file("mailward.toml", offline(&scratch, ""));
    let config = config.to_str().expect("scratch paths are UTF-8");
    std::fs::create_dir(scratch.path().join("state")).expect("a folder can be made");
    let (code, output, errors) = mailward(scratch.path(), &["explain", "k7q2m5x4dt", "--config", config]);
    assert_eq!((code, output.as_str()), (1, ""), "{errors}");
    assert!(errors.contains("k7q2m5x4dt") && errors.contains("30 days"), "{errors}");
}
