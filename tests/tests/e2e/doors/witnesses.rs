//! What a door said about its sessions, and what others say about the recordings of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use mailward_tests::process::run;
use serde_json::Value;

use super::letters::Letter;

/// Explanations in their order, by the name of the recording.
type Told = BTreeMap<String, Vec<String>>;

/// One door, and its witnesses.
pub(super) struct Door {
    pub(super) name: &'static str,
    /// As the door gave them.
    said: Told,
    /// By `mailward check`.
    checked: Told,
    /// By `mw_engine_replay`.
    replayed: Told,
    /// Of its history, which leaves out words of the mail; sorted.
    history: Vec<String>,
}

impl Door {
    /// Asks all witnesses. `mailward` runs a command with the configuration of the door, `replay` is the C program.
    pub(super) fn new(
        name: &'static str,
        folder: &Path,
        config: &Path,
        replay: &Path,
        mailward: impl Fn(&[&str]) -> Output,
    ) -> Door {
        let mut files: Vec<PathBuf> = fs::read_dir(folder).expect("a folder").flatten().map(|e| e.path()).collect();
        files.sort();
        let said: Told = files.iter().map(|file| (name_of(&file.to_string_lossy()), said(file))).collect();
        let count = said.values().map(Vec::len).sum::<usize>();
        let checked = mailward(&["check", &folder.display().to_string(), "--json"]);
        assert!(checked.stderr.is_empty(), "{name}: {}", String::from_utf8_lossy(&checked.stderr));
        let history = mailward(&["explain", "--last", &(count + 100).to_string(), "--json"]);
        let replayed = run(Command::new(replay).arg(config).args(&files));
        let mut history: Vec<_> = lines(&history.stdout).map(|line| without_words(&split(&line).0)).collect();
        history.sort();
        Door {
            name,
            said: said.into_iter().filter(|(_, explanations)| !explanations.is_empty()).collect(),
            checked: told(lines(&checked.stdout).map(|line| {
                let (explanation, run) = split(&line);
                (name_of(run["file"].as_str().expect("a file")), explanation)
            })),
            replayed: told(lines(&replayed).map(|line| {
                let (file, explanation) = line.split_once('\t').expect("file and explanation");
                (name_of(file), explanation.to_owned())
            })),
            history,
        }
    }

    /// Where a witness says something else than the door did.
    pub(super) fn differences(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (witness, told) in [("mailward check", &self.checked), ("the C library", &self.replayed)] {
            for file in self.said.keys().chain(told.keys().filter(|file| !self.said.contains_key(*file))) {
                let (then, now) = (self.said.get(file), told.get(file));
                if then != now {
                    found.push(format!("{witness}, {file}:\n  then {then:?}\n  now  {now:?}"));
                }
            }
        }
        let said = self.without_words();
        found.extend(
            self.history
                .iter()
                .filter(|one| said.binary_search(one).is_err())
                .map(|one| format!("only in history: {one}")),
        );
        found
    }

    /// How many decisions history does not have: rows are written behind the answer, and may be lost.
    fn not_in_history(&self) -> usize {
        self.without_words().iter().filter(|one| self.history.binary_search(one).is_err()).count()
    }

    /// Letters about which nothing was said.
    pub(super) fn unexplained(&self, letters: &[Letter]) -> Vec<String> {
        let told = self.by_helo();
        letters.iter().map(Letter::helo).filter(|helo| !told.contains_key(helo)).collect()
    }

    pub(super) fn summary(&self, letters: &[Letter]) -> String {
        format!(
            "{}: {} sessions, {} messages explained at their end, {} transactions before; each by door, mailward check \
             and C library: {} differences; {} not in history",
            self.name,
            letters.len() - self.unexplained(letters).len(),
            self.explanations().filter(|explanation| explanation.contains("\"stage\":\"message\"")).count(),
            self.explanations().filter(|explanation| !explanation.contains("\"stage\":\"message\"")).count(),
            self.differences().len(),
            self.not_in_history()
        )
    }

    /// What was said, by the word of HELO.
    pub(super) fn by_helo(&self) -> BTreeMap<String, Vec<Value>> {
        let mut all: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for explanation in self.explanations() {
            let explanation: Value = serde_json::from_str(explanation).expect("JSON");
            let helo = explanation["client"]["helo"].as_str().unwrap_or_default().to_owned();
            all.entry(helo).or_default().push(explanation);
        }
        all
    }

    /// What was said as history keeps it, sorted.
    fn without_words(&self) -> Vec<String> {
        let mut said: Vec<_> = self.explanations().map(|explanation| without_words(explanation)).collect();
        said.sort();
        said
    }

    fn explanations(&self) -> impl Iterator<Item = &String> {
        self.said.values().flatten()
    }
}

/// The explanations in a recording.
fn said(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let lines = text.lines().filter(|line| line.starts_with("{\"explanation\":"));
    let parsed = lines.map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    parsed.map(|line| line["explanation"].as_str().expect("a text").to_owned()).collect()
}

/// The explanation as it stands in a line, and what belongs to the run.
fn split(line: &str) -> (String, Value) {
    let (explanation, run) = line.rsplit_once(",\"run\":").unwrap_or_else(|| panic!("no run in {line}"));
    let run = run.strip_suffix('}').expect("the end of the object");
    (format!("{explanation}}}"), serde_json::from_str(run).expect("JSON"))
}

/// As history keeps it: without texts, and without the values of changed header fields.
fn without_words(explanation: &str) -> String {
    let mut explanation: Value = serde_json::from_str(explanation).expect("JSON");
    crate::recording::remove_words(&mut explanation);
    for edit in explanation.get_mut("edits").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(change) = edit.get_mut("change-header") {
            change["value"] = "".into();
        }
    }
    explanation.to_string()
}

fn told(all: impl Iterator<Item = (String, String)>) -> Told {
    let mut told = Told::new();
    for (file, explanation) in all {
        told.entry(file).or_default().push(explanation);
    }
    told
}

fn lines(output: &[u8]) -> impl Iterator<Item = String> {
    String::from_utf8(output.to_vec()).expect("text").lines().map(str::to_owned).collect::<Vec<_>>().into_iter()
}

fn name_of(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).to_owned()
}
