//! `mailward milter`: run the daemon.

use super::{exit, fail, load};
use mailward_core::config::{
    Config,
    sections::{ListenAddress, LogFormat, LogSettings},
};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};
use tracing_subscriber::{EnvFilter, util::SubscriberInitExt};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Write each session with the answers of its lookups to this directory, for `mailward check`. The files hold
    /// whole messages: use it for tests only.
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
    /// Print the lines that connect Postfix and Sendmail to this daemon.
    #[arg(long)]
    hints: bool,
}

pub(super) fn run(arguments: Arguments, path: Option<PathBuf>) -> ExitCode {
    let config = match load(path.as_deref()) {
        Ok(config) => config,
        Err(code) => return code,
    };
    start_log(&config.log);
    if let Some(dir) = &arguments.record
        && let Err(error) = std::fs::create_dir_all(dir)
    {
        return fail(exit::USAGE, format!("cannot make {}: {error}", dir.display()));
    }
    if arguments.hints {
        print_hints(&config, path.as_deref());
    }
    // Connections have threads of their own; this one is for signals, reloads, metrics.
    match tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build() {
        Ok(runtime) => runtime.block_on(crate::daemon::run(config, path, arguments.record)),
        Err(error) => fail(exit::TROUBLE, format!("cannot start threads: {error}")),
    }
}

/// Logs go to standard error, where systemd and containers collect them.
fn start_log(settings: &LogSettings) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| {
        // What libraries say below a warning helps their authors, not a mail administrator.
        EnvFilter::new(format!("warn,mailward={0},mailward_core={0}", settings.level))
    });
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match settings.format {
        LogFormat::Json => subscriber.json().flatten_event(true).finish().try_init(),
        LogFormat::Text => {
            subscriber.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).finish().try_init()
        }
    };
    if let Err(error) = started {
        eprintln!("mailward: cannot start the log: {error}");
    }
}

fn print_hints(config: &Config, path: Option<&Path>) {
    let Some(listener) = config.milter.listeners.first() else { return };
    let (postfix, sendmail) = match &listener.address {
        ListenAddress::Inet(address) => {
            let (host, port) = address.rsplit_once(':').unwrap_or((address, "8891"));
            // Sendmail does not take the brackets of an address of IPv6.
            let six = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
            let sendmail = six.map_or(format!("inet:{port}@{host}"), |host| format!("inet6:{port}@{host}"));
            (format!("inet:{address}"), sendmail)
        }
        ListenAddress::Unix(socket) => (format!("unix:{}", socket.display()), format!("local:{}", socket.display())),
    };
    let source = path.map_or("built-in defaults".to_owned(), |p| p.display().to_string());
    println!("Configuration: {source}\n");
    println!("Postfix, in main.cf (more in postfix-conf/main.cf):");
    println!("    smtpd_milters = {{ {postfix}, default_action=tempfail }}");
    println!("    milter_protocol = 6\n");
    println!("Sendmail, in sendmail.mc (more in postfix-conf/sendmail.mc):");
    println!("    INPUT_MAIL_FILTER(`mailward', `S={sendmail}, F=T, T=C:10s;S:10s;R:20s;E:60s')dnl\n");
}
