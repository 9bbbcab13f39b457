//! `mailward config check|show|init`.

use super::{exit, fail, print_faults, runtime};
use mailward_core::{
    config::{self, TEMPLATE},
    engine::{Engine, Shared},
};
use std::{io::Write, path::PathBuf, process::ExitCode};

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Check a configuration file and report every fault with its place.
    Check {
        /// The file; else that of --config.
        file: Option<PathBuf>,
    },
    /// Print every key with the value in force.
    Show,
    /// Write a commented configuration file to start from.
    Init {
        /// Where to; standard output if not given. An existing file is never overwritten.
        file: Option<PathBuf>,
    },
}

pub(super) fn run(arguments: Arguments, path: Option<PathBuf>) -> ExitCode {
    match arguments.command {
        Command::Check { file } => check(file.or(path)),
        Command::Show => show(path),
        Command::Init { file } => init(file),
    }
}

fn check(path: Option<PathBuf>) -> ExitCode {
    let Some(path) = path else {
        println!("no configuration file: the built-in defaults hold");
        return ExitCode::SUCCESS;
    };
    let config = match config::load(&path) {
        Ok(config) => config,
        Err(faults) => {
            let code = print_faults(&faults);
            eprintln!("{} fault{} found", faults.len(), if faults.len() == 1 { "" } else { "s" });
            return code;
        }
    };
    // Lists, rules and directories that the file names are loaded too: what a start would stumble over shows here.
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    if let Some(Err(faults)) = config.shadow.as_deref().map(config::load) {
        return print_faults(&faults);
    }
    match runtime.block_on(Engine::build(config, Shared::in_memory(None))) {
        Ok(engine) => {
            if let Some(rules) = engine.spamassassin() {
                let (defined, understood) = rules.counts();
                rules.faults().iter().for_each(|fault| println!("warning: {fault}"));
                println!("SpamAssassin rules: {understood} of {defined} are understood");
            }
            println!("{}: good", path.display());
            ExitCode::SUCCESS
        }
        Err(problems) => {
            for problem in &problems {
                eprintln!("{problem}");
            }
            ExitCode::from(exit::USAGE)
        }
    }
}

fn show(path: Option<PathBuf>) -> ExitCode {
    match config::show(path.as_deref()) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(faults) => print_faults(&faults),
    }
}

fn init(file: Option<PathBuf>) -> ExitCode {
    let Some(path) = file else {
        print!("{TEMPLATE}");
        return ExitCode::SUCCESS;
    };
    let written = std::fs::File::create_new(&path).and_then(|mut f| f.write_all(TEMPLATE.as_bytes()));
    match written {
        Ok(()) => {
            println!("{} written; check it with: mailward config check {0}", path.display());
            ExitCode::SUCCESS
        }
        Err(error) => fail(exit::USAGE, format!("cannot write {}: {error}", path.display())),
    }
}
