//! The text of sendmail.mc: a base for the test bench, our own part as it is shipped, and overrides of times, ports and
//! paths; m4 makes sendmail.cf of it.

use std::path::Path;
use std::process::Command;

use super::{Builder, Ports, unpacked};
use crate::postfix::HOST;
use crate::process::{program, run};
use crate::scratch::{make_dir, write as write_file};

pub(super) const PART: &str = include_str!("../../../postfix-conf/sendmail.mc");

/// Writes everything below `mail/`, and sendmail.cf.
pub(super) fn write(folder: &Path, ports: Ports, builder: &Builder) {
    let mail = folder.join("mail");
    make_dir(&mail, 0o755);
    write_file(&mail.join("aliases"), "");
    write_file(&mail.join("local-host-names"), format!("{HOST}\n"));
    write_file(&mail.join("service.switch"), "hosts files\naliases files\n");
    write_file(&folder.join("statistics"), "");
    map(&mail.join("access"), &builder.access);
    map(&mail.join("virtusertable"), &builder.virtual_users);
    write_file(&mail.join("mailward.mc"), part(folder, ports, builder));
    let cf = build(folder, &text(folder, ports, builder));
    write_file(&folder.join("sendmail.cf"), cf);
    write_file(&folder.join("submit.cf"), build(folder, &submission_program(folder, ports)));
}

/// Runs m4 over lines of sendmail.mc.
pub(super) fn build(folder: &Path, mc: &str) -> String {
    let source = folder.join("source.mc");
    write_file(&source, mc);
    let macros = unpacked("usr/share/sendmail/cf");
    let mut m4 = Command::new(program("m4", "m4"));
    m4.arg(format!("-D_CF_DIR_={}/", macros.display())).arg(macros.join("m4/cf.m4")).arg(source);
    String::from_utf8(run(&mut m4)).expect("a configuration is text")
}

fn map(file: &Path, entries: &[(String, String)]) {
    let source = file.with_extension("txt");
    write_file(&source, entries.iter().map(|(key, value)| format!("{key}\t{value}\n")).collect::<String>());
    let input = std::fs::File::open(&source).expect("it has just been written");
    let mut makemap = Command::new(unpacked("usr/libexec/sendmail/makemap"));
    let output = crate::process::output_of(makemap.args(["-C", "/dev/null", "hash"]).arg(file).stdin(input));
    assert!(output.status.success(), "makemap: {}", String::from_utf8_lossy(&output.stderr));
}

/// What makes a Sendmail run from a private folder, count no clients and take mail however busy the machine is.
fn text(folder: &Path, ports: Ports, builder: &Builder) -> String {
    let (folder, sink) = (folder.display(), builder.deliver_to.port());
    let mut mc = format!(
        "divert(0)dnl
OSTYPE(`linux')dnl
define(`QUEUE_DIR', `{folder}/queue')dnl
define(`confPID_FILE', `{folder}/sendmail.pid')dnl
define(`STATUS_FILE', `{folder}/statistics')dnl
define(`HELP_FILE', `')dnl
define(`ALIAS_FILE', `{folder}/mail/aliases')dnl
define(`confCW_FILE', `{folder}/mail/local-host-names')dnl
define(`confSERVICE_SWITCH_FILE', `{folder}/mail/service.switch')dnl
define(`confDOMAIN_NAME', `{HOST}')dnl
define(`confDONT_PROBE_INTERFACES', `True')dnl
define(`confTO_IDENT', `0')dnl
define(`confCONNECTION_RATE_THROTTLE', `0')dnl
define(`confDEF_USER_ID', `mail:mail')dnl
define(`confTRUSTED_USER', `root')dnl
define(`confLOG_LEVEL', `14')dnl
define(`confREFUSE_LA', `1000')dnl
define(`confQUEUE_LA', `1000')dnl
define(`RELAY_MAILER_ARGS', `TCP $h {sink}')dnl
define(`ESMTP_MAILER_ARGS', `TCP $h {sink}')dnl
define(`SMART_HOST', `relay:[127.0.0.1]')dnl
FEATURE(`nocanonify')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`no_default_msa')dnl
FEATURE(`virtusertable', `hash {folder}/mail/virtusertable')dnl
VIRTUSER_DOMAIN(`virtual.test')dnl
RELAY_DOMAIN(`virtual.test')dnl
DAEMON_OPTIONS(`Name=MTA, Family=inet, Addr=127.0.0.1, Port={smtp}')dnl
DAEMON_OPTIONS(`Name=MTA-v6, Family=inet6, Addr=::1, Port={smtp}')dnl
",
        smtp = ports.smtp
    );
    for (name, value) in [("MAILWARD_SOCKET", &builder.milter), ("MAILWARD_WAITS", &builder.waits)] {
        if let Some(value) = value {
            mc.push_str(&format!("define(`{name}', `{value}')dnl\n"));
        }
    }
    mc.push_str(&format!("include(`{folder}/mail/mailward.mc')dnl\n"));
    if builder.milter.is_none() {
        mc.push_str("undefine(`confINPUT_MAIL_FILTERS')dnl\n");
    }
    mc.push_str("define(`confMIN_QUEUE_AGE', `0')dnl\ndefine(`confMIN_FREE_BLOCKS', `100')dnl\n");
    for line in &builder.lines {
        mc.push_str(&format!("{line}\n"));
    }
    mc + "MAILER(`local')dnl\nMAILER(`smtp')dnl\n"
}

/// The shipped part with the optional lines that this instance needs.
fn part(folder: &Path, ports: Ports, builder: &Builder) -> String {
    let mut part = PART.to_owned();
    uncomment(&mut part, "FEATURE(`access_db'");
    uncomment(&mut part, "FEATURE(`blocklist_recipients'");
    let access = folder.join("mail/access");
    replace(&mut part, "<TMPF> /etc/mail/access", &format!("<TMPF> {}", access.display()));
    if let Some((identity, ca_file)) = &builder.identity {
        let folder = ca_file.parent().unwrap_or(ca_file);
        for (setting, shipped, value) in [
            ("define(`confSERVER_CERT'", "/etc/mail/tls/mx.pem", identity.certificate.as_path()),
            ("define(`confSERVER_KEY'", "/etc/mail/tls/mx.key", &identity.key),
            ("define(`confCACERT'", "/etc/ssl/certs/ca-certificates.crt", ca_file),
            ("define(`confCACERT_PATH'", "/etc/ssl/certs'", folder),
        ] {
            uncomment(&mut part, setting);
            let end = if shipped.ends_with('\'') { "'" } else { "" };
            replace(&mut part, shipped, &format!("{}{end}", value.display()));
        }
    }
    if builder.user.is_some() {
        for setting in ["define(`confAUTH_OPTIONS'", "define(`confAUTH_MECHANISMS'", "TRUST_AUTH_MECH("] {
            uncomment(&mut part, setting);
        }
        uncomment(&mut part, "DAEMON_OPTIONS(`Port=submission");
        replace(&mut part, "Port=submission", &format!("Addr=127.0.0.1, Port={}", ports.submission));
    }
    part
}

/// The configuration of the program that users call, which hands its mail to the daemon (submit.cf).
fn submission_program(folder: &Path, ports: Ports) -> String {
    let (folder, port) = (folder.display(), ports.smtp);
    format!(
        "divert(0)dnl
OSTYPE(`linux')dnl
define(`MSP_QUEUE_DIR', `{folder}/client-queue')dnl
define(`confDOMAIN_NAME', `{HOST}')dnl
define(`confRUN_AS_USER', `mail:mail')dnl
define(`STATUS_FILE', `{folder}/client-statistics')dnl
define(`confTO_IDENT', `0')dnl
define(`confSERVICE_SWITCH_FILE', `{folder}/mail/service.switch')dnl
define(`RELAY_MAILER_ARGS', `TCP $h {port}')dnl
define(`LOCAL_MAILER_ARGS', `TCP $h {port}')dnl
FEATURE(`msp', `[127.0.0.1]')dnl
"
    )
}

/// Makes the optional line `dnl setting…` of the shipped file an active one.
fn uncomment(part: &mut String, setting: &str) {
    replace(part, &format!("\ndnl {setting}"), &format!("\n{setting}"));
}

fn replace(part: &mut String, from: &str, to: &str) {
    assert_eq!(part.matches(from).count(), 1, "{from} stands once in the shipped file");
    *part = part.replace(from, to);
}
