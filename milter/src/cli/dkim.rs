//! `mailward dkim record|generate`.

use super::{exit, fail, load};
use mailward_core::authentication::signing::{
    KeySettings, PrivateKey, RsaBits, Sealer, Signers, generate_ed25519, generate_rsa,
};
use serde_json::json;
use std::{
    fs::OpenOptions,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Longest string of a TXT record. Unit: bytes. Source: RFC 1035 §3.3.
const STRING_BYTES: usize = 255;

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Print the DNS records that publish the configured keys.
    #[command(after_help = "Example: mailward dkim record example.com")]
    Record {
        /// Only keys of these domains.
        #[arg(value_name = "DOMAIN")]
        domains: Vec<String>,
        /// Print one JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Make a key, and print its DNS record and the lines for the configuration.
    #[command(
        after_help = "Example: mailward dkim generate example.com --selector 2026a --file /etc/mailward/2026a.pem"
    )]
    Generate {
        /// The domain that signs.
        domain: String,
        /// The name under which the key is published; a new one for each key.
        #[arg(long)]
        selector: String,
        /// The file to write, closed to others; DOMAIN.SELECTOR.pem in this directory if not given. A file that exists is
        /// never overwritten.
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// Size of the RSA key.
        #[arg(long, value_name = "BITS", default_value = "2048", value_parser = ["2048", "3072", "4096"])]
        rsa: String,
        /// Make an Ed25519 key; sign by an RSA key too, as many verifiers know no other.
        #[arg(long, conflicts_with = "rsa")]
        ed25519: bool,
    },
}

pub(super) fn run(arguments: Arguments, path: Option<PathBuf>) -> ExitCode {
    match arguments.command {
        Command::Record { domains, json } => record(path.as_deref(), &domains, json),
        Command::Generate { domain, selector, file, rsa, ed25519 } => {
            let file = file.unwrap_or_else(|| format!("{domain}.{selector}.pem").into());
            let key = match (ed25519, rsa.as_str()) {
                (true, _) => generate_ed25519(),
                (false, "4096") => generate_rsa(RsaBits::B4096),
                (false, "3072") => generate_rsa(RsaBits::B3072),
                (false, _) => generate_rsa(RsaBits::B2048),
            };
            generate(&domain, &selector, &file, key)
        }
    }
}

fn record(path: Option<&Path>, domains: &[String], json: bool) -> ExitCode {
    let config = match load(path) {
        Ok(config) => config,
        Err(code) => return code,
    };
    let signers = match Signers::load(config.dkim_keys) {
        Ok(signers) => signers,
        Err(faults) => return fail(exit::USAGE, faults.join("\n")),
    };
    let sealer = match config.arc.map(Sealer::load).transpose() {
        Ok(sealer) => sealer,
        Err(faults) => return fail(exit::USAGE, faults.join("\n")),
    };
    let wanted = |domain: &str| domains.is_empty() || domains.iter().any(|wanted| wanted.eq_ignore_ascii_case(domain));
    let signing = signers.all().iter().map(|signer| {
        let settings = signer.settings();
        (settings.domain.as_str(), settings.record_name(), signer.key().record())
    });
    let sealing = sealer.iter().map(|sealer| {
        let settings = sealer.settings();
        (settings.domain.as_str(), settings.record_name(), sealer.key().record())
    });
    let mut printed: Vec<String> = Vec::new();
    for (_, name, value) in signing.chain(sealing).filter(|(domain, ..)| wanted(domain)) {
        // One key may sign and seal.
        if printed.contains(&name) {
            continue;
        }
        match json {
            true => println!("{}", json!({ "schema": 1, "name": name, "type": "TXT", "value": value })),
            false => println!("{}", zone_line(&name, &value)),
        }
        printed.push(name);
    }
    match printed.len() {
        0 if domains.is_empty() => fail(exit::USAGE, "neither [[outbound.dkim]] nor [outbound.arc] is configured"),
        0 => fail(exit::USAGE, format!("no key has the domain {}", domains.join(" or "))),
        _ => ExitCode::SUCCESS,
    }
}

/// A line of a zone file (RFC 1035 §5.1).
fn zone_line(name: &str, value: &str) -> String {
    let mut strings = Vec::new();
    let mut rest = value;
    while !rest.is_empty() {
        let (string, behind) = rest.split_at(STRING_BYTES.min(rest.len()));
        strings.push(format!("\"{string}\""));
        rest = behind;
    }
    format!("{name}. IN TXT ( {} )", strings.join(" "))
}

fn generate(domain: &str, selector: &str, file: &Path, key: Result<String, String>) -> ExitCode {
    let pem = match key {
        Ok(pem) => pem,
        Err(error) => return fail(exit::TROUBLE, format!("cannot make a key: {error}")),
    };
    let lines = format!(
        "[[outbound.dkim]]\ndomain = {}\nselector = {}\nkey = {}\n",
        toml_text(domain),
        toml_text(selector),
        toml_text(&std::path::absolute(file).unwrap_or_else(|_| file.to_owned()).display().to_string()),
    );
    // What the configuration would refuse is not written.
    let config = match mailward_core::config::parse("the arguments", &lines) {
        Ok(config) => config,
        Err(faults) => return super::print_faults(&faults),
    };
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .and_then(|mut out| out.write_all(pem.as_bytes()).and_then(|()| out.sync_all()));
    if let Err(error) = written {
        return fail(exit::USAGE, format!("cannot write {}: {error}", file.display()));
    }
    let key = match PrivateKey::read(file) {
        Ok(key) => key,
        Err(why) => return fail(exit::TROUBLE, format!("{} {why}", file.display())),
    };
    let name = config.dkim_keys.first().map(KeySettings::record_name).unwrap_or_default();
    println!("# {} written; let the daemon's user read it: chown mailward {0}", file.display());
    println!("# Publish this, wait until it is seen everywhere, then add the lines below to the configuration.");
    println!("{}\n\n{lines}", zone_line(&name, &key.record()));
    ExitCode::SUCCESS
}

fn toml_text(text: &str) -> String {
    // Strings of JSON are basic strings of TOML (TOML 1.0, "String").
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_record_is_cut_into_strings_that_dns_can_hold() {
        let value = "x".repeat(2 * STRING_BYTES + 1);
        let line = zone_line("s._domainkey.x.test", &value);
        let strings: Vec<usize> = line.split('"').skip(1).step_by(2).map(str::len).collect();
        assert_eq!(strings, [STRING_BYTES, STRING_BYTES, 1]);
        assert!(line.starts_with("s._domainkey.x.test. IN TXT ( \"x"), "{line}");
    }
}
