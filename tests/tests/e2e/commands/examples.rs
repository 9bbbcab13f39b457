//! `mailward test` on the example policies: their cases pass, and notice whatever is taken out of a policy.

use super::mailward;
use mailward_tests::scratch::{Scratch, write};
use std::{
    collections::BTreeSet,
    fs,
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// How the name of a file of cases ends.
const CASES: &str = ".cases.toml";

/// An example policy with its cases and their messages.
#[derive(Clone, Debug)]
struct Example {
    /// Below examples/policies: `school/mailward.toml`, `people.toml`.
    name: String,
    /// Lines of the policy, with their ends.
    lines: Vec<String>,
    /// Name and content of all other files that belong to it.
    beside: Vec<(String, Vec<u8>)>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/policies")
}

/// Names of the files or folders in a folder, in their order.
fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

/// All examples: files with `NAME.cases.toml` beside `NAME.toml`, and folders of one policy each.
fn examples() -> Vec<Example> {
    let mut examples = Vec::new();
    for entry in names(&folder()) {
        if folder().join(&entry).is_dir() {
            examples.push(Example::read(&entry, "mailward.toml", |_| true));
        } else if let Some(stem) = entry.strip_suffix(".toml").filter(|_| !entry.ends_with(CASES)) {
            examples.push(Example::read("", &entry, |name| name.starts_with(&format!("{stem}."))));
        }
    }
    examples
}

impl Example {
    /// A policy in a folder below that of all examples; `belongs` tells its other files by their names.
    fn read(below: &str, file: &str, belongs: impl Fn(&str) -> bool) -> Example {
        let folder = folder().join(below);
        let text = fs::read_to_string(folder.join(file)).unwrap_or_else(|error| panic!("{below}/{file}: {error}"));
        let others = names(&folder).into_iter().filter(|name| name != file && belongs(name));
        let content = |name: &String| fs::read(folder.join(name)).expect("a file of the example");
        Example {
            name: format!("{below}/{file}").trim_start_matches('/').to_owned(),
            lines: text.split_inclusive('\n').map(str::to_owned).collect(),
            beside: others.map(|name| (name.clone(), content(&name))).collect(),
        }
    }

    /// Each line that says something, and each whole table. Line numbers from 0.
    fn cuts(&self) -> Vec<Range<usize>> {
        let says = |line: &String| !line.trim().is_empty() && !line.trim_start().starts_with('#');
        let lines = (0..self.lines.len()).filter(|&at| says(&self.lines[at])).map(|at| at..at + 1);
        let heads = (0..self.lines.len()).filter(|&at| self.lines[at].starts_with('['));
        let heads: Vec<usize> = heads.chain([self.lines.len()]).collect();
        lines.chain(heads.windows(2).map(|pair| pair[0]..pair[1])).collect()
    }

    /// Where and what was cut out.
    fn place(&self, cut: &Range<usize>) -> String {
        let what = if cut.len() > 1 { "the whole table " } else { "" };
        format!("{}:{}: {what}{}", self.name, cut.start + 1, self.lines[cut.start].trim_end())
    }

    /// Exit code and output of the cases on the policy without some of its lines.
    fn play(&self, scratch: &Scratch, without: &Range<usize>) -> (i32, String) {
        let folder = scratch.path().join(self.name.replace('/', "-"));
        if !folder.exists() {
            fs::create_dir(&folder).expect("a folder can be made");
            self.beside.iter().for_each(|(name, content)| write(&folder.join(name), content));
        }
        let left = self.lines.iter().enumerate().filter(|(at, _)| !without.contains(at)).map(|(_, line)| line.as_str());
        let file = Path::new(&self.name).file_name().expect("a name");
        write(&folder.join(file), left.collect::<String>());
        let (code, output, errors) = mailward(&folder, &["test", "--fail-fast", "."]);
        (code, output + &errors)
    }
}

/// The places at which something can be cut out, and all cases pass as before.
fn unnoticed(examples: &[Example]) -> Vec<String> {
    let cuts: Vec<(&Example, Range<usize>)> =
        examples.iter().flat_map(|example| example.cuts().into_iter().map(move |cut| (example, cut))).collect();
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let scratch = Scratch::new();
                while let Some((example, cut)) = cuts.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match example.play(&scratch, cut) {
                        (1, _) => {}
                        (0, _) => found.lock().expect("no thread fails").push(example.place(cut)),
                        (code, output) => panic!("{}: exit code {code}\n{output}", example.place(cut)),
                    }
                }
            });
        }
    });
    found.into_inner().expect("no thread fails")
}

#[test]
fn every_example_policy_has_cases_and_they_pass() {
    for example in examples() {
        let has_cases = example.beside.iter().any(|(name, _)| name.ends_with(CASES));
        assert!(has_cases, "{} has no cases; write them into a file that ends in {CASES}", example.name);
    }
    let scratch = Scratch::new();
    let folder = folder();
    let (code, output, errors) = mailward(scratch.path(), &["test", folder.to_str().expect("UTF-8")]);
    assert_eq!(code, 0, "{output}{errors}");
}

#[test]
fn no_line_of_an_example_policy_can_be_deleted_unnoticed() {
    let unnoticed = unnoticed(&examples());
    assert!(unnoticed.is_empty(), "no case fails without these lines:\n{}", unnoticed.join("\n"));
}

#[test]
fn a_line_that_no_case_needs_is_told() {
    let mut example = Example::read("", "first-weeks.toml", |name| name.starts_with("first-weeks."));
    let number = example.lines.len();
    example.lines.extend(["[score]\n", "tag = 5\n"].map(str::to_owned));
    let place = |line: usize, text: &str| format!("first-weeks.toml:{}: {text}", number + line);
    let expected = [place(1, "the whole table [score]"), place(2, "tag = 5")];
    assert_eq!(unnoticed(&[example]).into_iter().collect::<BTreeSet<_>>(), BTreeSet::from(expected));
}
