//! Configuration and rules, read once: a process that replaces another gets what that one had, whatever the files say by
//! then.

use mailward_core::{
    config::{self, Config},
    malware::{RuleFile, Scanner, Scanning, read_rules},
};
use std::{fs, path::Path};

/// What a process that scans needs.
pub(crate) struct Loaded {
    pub(crate) config: Config,
    name: String,
    text: String,
    rules: Vec<RuleFile>,
}

impl Loaded {
    /// Reads the configuration, or takes the built-in defaults, and the rules that it names. Faults are one a line.
    pub(crate) fn read(path: Option<&Path>) -> Result<Loaded, String> {
        let (name, text) = match path {
            None => ("built-in defaults".to_owned(), String::new()),
            Some(path) => {
                let name = path.display().to_string();
                let text = fs::read_to_string(path).map_err(|error| format!("{name}: cannot read: {error}"))?;
                (name, text)
            }
        };
        let config = parse(&name, &text)?;
        let (rules, faults) = read_rules(&config.malware);
        match faults.is_empty() {
            true => Ok(Loaded { config, name, text, rules }),
            false => Err(faults.join("\n")),
        }
    }

    /// The same from what [`Loaded::frames`] made of it.
    pub(crate) fn of_frames(frames: Vec<Vec<u8>>) -> Result<Loaded, String> {
        let mut frames = frames.into_iter();
        let mut word = || frames.next().map(|frame| String::from_utf8_lossy(&frame).into_owned()).unwrap_or_default();
        let (name, text) = (word(), word());
        let mut rules = Vec::new();
        while let (Some(name), Some(text)) = (frames.next(), frames.next()) {
            rules.push(RuleFile { name: String::from_utf8_lossy(&name).into_owned(), text });
        }
        Ok(Loaded { config: parse(&name, &text)?, name, text, rules })
    }

    /// For the processes that scan.
    pub(crate) fn frames(&self) -> Vec<Vec<u8>> {
        let mut frames = vec![self.name.clone().into_bytes(), self.text.clone().into_bytes()];
        for RuleFile { name, text } in &self.rules {
            frames.extend([name.clone().into_bytes(), text.clone()]);
        }
        frames
    }

    /// Compiles the rules. Faults are one a line.
    pub(crate) fn scanner(&self) -> Result<Scanner, String> {
        Scanner::of(&self.config.malware, &self.rules).map_err(|faults| faults.join("\n"))
    }

    /// Largest message that is taken. Unit: bytes. A door hands over what it judges, by limits of its own, which may be
    /// others; of what is scanned both have the same bound.
    pub(crate) fn message_bytes(&self) -> u64 {
        let limits = &self.config.limits;
        let judged = limits.message_bytes.saturating_add(limits.header_bytes);
        judged.max(self.config.malware.scan_bytes.saturating_mul(2)) as u64
    }
}

/// The configuration of a process that scans itself.
fn parse(name: &str, text: &str) -> Result<Config, String> {
    let faults = |faults: Vec<config::diagnostic::Diagnostic>| {
        faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let mut config = config::parse(name, text).map_err(faults)?;
    config.malware.scanning = Scanning::InProcess;
    Ok(config)
}
