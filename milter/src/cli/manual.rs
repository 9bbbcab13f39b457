//! `mailward man DIR` and `mailward completions SHELL`: what a package installs beside the program.

use super::{exit, fail};
use clap::CommandFactory;
use clap_mangen::roff::{Roff, bold, roman};
use mailward_core::config::{self, TEMPLATE};
use std::{io::Write, path::PathBuf, process::ExitCode};

#[derive(clap::Args)]
pub(super) struct Man {
    /// Directory to write the pages to.
    dir: PathBuf,
}

#[derive(clap::Args)]
pub(super) struct Completions {
    /// The shell.
    shell: clap_complete::Shell,
}

/// Writes one page for each subcommand, and mailward.toml(5).
pub(super) fn man(arguments: &Man) -> ExitCode {
    let dir = &arguments.dir;
    let written = std::fs::create_dir_all(dir)
        .and_then(|()| clap_mangen::generate_to(super::Arguments::command(), dir))
        .and_then(|()| std::fs::write(dir.join("mailward.toml.5"), configuration_page()));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(exit::USAGE, format!("cannot write manual pages to {}: {error}", dir.display())),
    }
}

/// Prints the completions of a shell.
pub(super) fn completions(arguments: &Completions) -> ExitCode {
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut super::Arguments::command(), "mailward", &mut text);
    match std::io::stdout().write_all(&text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(exit::TROUBLE, error),
    }
}

/// mailward.toml(5): every key that the program knows with its default, and the commented template.
fn configuration_page() -> String {
    let version = concat!("mailward ", env!("CARGO_PKG_VERSION"));
    let keys = config::show(None).unwrap_or_default();
    let mut page = Roff::new();
    page.control("TH", ["mailward.toml", "5", "", version]);
    page.control("SH", ["NAME"]);
    page.text([roman("mailward.toml - configuration of mailward(1)")]);
    page.control("SH", ["SYNOPSIS"]);
    page.text([bold(super::DEFAULT_CONFIG)]);
    page.control("SH", ["DESCRIPTION"]);
    page.text([roman(
        "One TOML file for the daemon and all commands. The empty file is a working configuration; every default is \
         the recommended value; unknown keys are faults. `mailward config check` reports all faults with their places, \
         `mailward config show` prints every key in force. On SIGHUP the daemon reads the file again; a faulty one \
         leaves the configuration before it in force.",
    )]);
    page.control("SH", ["KEYS AND DEFAULTS"]);
    page.text([roman(
        "All keys as they are when the file is empty. Keys that have no value then are named at the end, with their \
         tables.",
    )]);
    verbatim(&mut page, &keys);
    page.control("SH", ["EXAMPLES"]);
    page.text([roman("What `mailward config init` writes:")]);
    verbatim(&mut page, TEMPLATE);
    page.control("SH", ["SEE ALSO"]);
    page.text([bold("mailward"), roman("(1), "), bold("mailward-config"), roman("(1)")]);
    page.render()
}

fn verbatim(page: &mut Roff, text: &str) {
    page.control("RS", ["4"]).control("nf", []);
    for line in text.lines() {
        page.text([roman(line)]);
    }
    page.control("fi", []).control("RE", []);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_the_configuration_names_every_key() {
        // roff writes a hyphen and a leading dot in its own way.
        let page = configuration_page().replace("\\-", "-").replace("\\&", "");
        let shown = config::show(None).expect("the defaults hold");
        let keys = shown.lines().filter_map(|line| line.split_once(" = ").map(|(key, _)| key));
        let (mut count, mut missing) = (0, Vec::new());
        for key in keys {
            count += 1;
            if !page.lines().any(|line| line.starts_with(&format!("{key} = "))) {
                missing.push(key.to_owned());
            }
        }
        assert!(count > 30 && missing.is_empty(), "{count} keys, without {missing:?}");
        for unset in ["metrics.listen", "milter.socket_group", "# Not set: "] {
            assert!(page.contains(unset), "{unset}: {page}");
        }
    }
}
