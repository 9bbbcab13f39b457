//! Manual pages, completions, and what `make install` lays out.

use std::path::{Path, PathBuf};
use std::process::Command;

use mailward_tests::mailward as program_under_test;
use mailward_tests::process::{program, run};
use mailward_tests::scratch::Scratch;

use super::mailward;

/// The subcommands that `--help` lists.
fn subcommands(folder: &Path) -> Vec<String> {
    let (_, text, _) = mailward(folder, &["--help"]);
    let lines = text.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1);
    let entries = lines.take_while(|line| !line.trim().is_empty());
    // Long explanations go on in further lines, deeper indented.
    let first = |line: &str| line.split_whitespace().next().map(str::to_owned);
    let names: Vec<String> = entries
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(first)
        .filter(|name| name != "help")
        .collect();
    assert!(names.len() >= 7, "{text}");
    names
}

#[test]
fn every_subcommand_has_a_manual_page() {
    let scratch = Scratch::new();
    let dir = scratch.dir("man");
    let (code, _, errors) = mailward(scratch.path(), &["man", dir.to_str().expect("UTF-8")]);
    assert_eq!((code, errors.as_str()), (0, ""));
    let page = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    for name in subcommands(scratch.path()) {
        let text = page(&format!("mailward-{name}.1"));
        assert!(text.contains(".TH") && text.contains(".SH DESCRIPTION"), "{name}: {text}");
    }
    assert!(page("mailward.1").contains("mailward\\-check(1)"), "the first page leads to the others");
    assert!(page("mailward.toml.5").contains("[metrics]"), "the configuration has a page");
}

#[test]
fn completions_are_sound_and_know_every_subcommand() {
    let scratch = Scratch::new();
    let subcommands = subcommands(scratch.path());
    for shell in ["bash", "zsh", "fish"] {
        let (code, text, errors) = mailward(scratch.path(), &["completions", shell]);
        assert_eq!((code, errors.as_str()), (0, ""), "{shell}");
        let missing: Vec<_> = subcommands.iter().filter(|name| !text.contains(name.as_str())).collect();
        assert!(missing.is_empty(), "{shell} does not know {missing:?}");
        assert!(!text.contains("hidden") && text.len() > 1_000, "{shell}: {text}");
        if shell == "bash" {
            let file = scratch.file("completions", &text);
            run(Command::new(program("bash", "bash")).arg("-n").arg(file));
        }
    }
}

/// `make install` for a release of systemd; gives the root.
fn install(scratch: &Scratch, systemd: &str) -> PathBuf {
    let root = scratch.dir(&format!("root-{systemd}"));
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    run(Command::new(program("make", "make"))
        .arg("install")
        .arg(format!("DESTDIR={}", root.display()))
        .arg("PREFIX=/opt/mail")
        .arg(format!("PROGRAM={}", program_under_test::binary().display()))
        .arg(format!("SYSTEMD_VERSION={systemd}"))
        .current_dir(repository));
    root
}

#[test]
fn install_lays_out_program_units_pages_and_documents() {
    let scratch = Scratch::new();
    let root = install(&scratch, "253");
    for file in [
        "opt/mail/bin/mailward",
        "opt/mail/lib/systemd/system/mailward.service",
        "opt/mail/lib/systemd/system/mailward.socket",
        "opt/mail/lib/sysusers.d/mailward.conf",
        "opt/mail/share/man/man1/mailward.1",
        "opt/mail/share/man/man1/mailward-check.1",
        "opt/mail/share/man/man5/mailward.toml.5",
        "opt/mail/share/bash-completion/completions/mailward",
        "opt/mail/share/zsh/vendor-completions/_mailward",
        "opt/mail/share/fish/vendor_completions.d/mailward.fish",
        "opt/mail/share/doc/mailward/docs/operations.md",
        "opt/mail/share/doc/mailward/postfix-conf/main.cf",
        "opt/mail/share/doc/mailward/grafana/mailward.json",
        "etc/mailward/mailward.toml",
    ] {
        assert!(root.join(file).metadata().is_ok_and(|data| data.len() > 0), "{file}");
    }
    let config = root.join("etc/mailward/mailward.toml");
    let (code, output, errors) = mailward(scratch.path(), &["config", "check", config.to_str().expect("UTF-8")]);
    assert_eq!(code, 0, "{output}{errors}");

    let unit = |root: &Path| {
        let file = root.join("opt/mail/lib/systemd/system/mailward.service");
        let text = std::fs::read_to_string(file).expect("the unit");
        let line = |key: &str| text.lines().filter(|l| l.starts_with(key)).map(str::to_owned).collect::<Vec<_>>();
        (line("Type="), line("ExecStart="), line("ExecReload="))
    };
    let start = vec!["ExecStart=/opt/mail/bin/mailward milter".to_owned()];
    let check = "ExecReload=/opt/mail/bin/mailward config check".to_owned();
    assert_eq!(unit(&root), (vec!["Type=notify-reload".to_owned()], start.clone(), vec![check.clone()]));
    // systemd of Debian 12 does not know notify-reload.
    let hangup = "ExecReload=/bin/kill -HUP $MAINPID".to_owned();
    assert_eq!(unit(&install(&scratch, "252")), (vec!["Type=notify".to_owned()], start, vec![check, hangup]));
}
