//! Files of cases.

use super::{
    case::{ANSWERS, Case, Expect, Given},
    expect, given,
};
use mailward_core::config::{
    diagnostic::{Diagnostic, Faults, SourceText},
    reader::Table,
};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};
use toml::de::DeTable;

/// What a folder's case is called, and its message where the case names none.
const FOLDER_CASE: &str = "case.toml";
const FOLDER_MESSAGE: &str = "message.eml";
/// How the name of a file of cases ends.
const SUFFIX: &str = ".cases.toml";

/// The files of cases at a path: itself, or all below a folder, in the order of their names.
///
/// # Errors
///
/// If the path cannot be read.
pub(super) fn find(path: &Path) -> Result<Vec<PathBuf>, String> {
    if !path.is_dir() {
        return match path.exists() {
            true => Ok(vec![path.to_owned()]),
            false => Err(format!("{}: there is no such file", path.display())),
        };
    }
    let entries = fs::read_dir(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let mut entries: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    entries.sort();
    let mut files = Vec::new();
    for entry in entries {
        let name = entry.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if entry.is_dir() {
            files.extend(find(&entry)?);
        } else if name == FOLDER_CASE || name.ends_with(SUFFIX) {
            files.push(entry);
        }
    }
    Ok(files)
}

/// The folder that a file stands in.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Reads the cases of a file.
///
/// # Errors
///
/// All its faults.
pub(super) fn read(path: &Path) -> Result<Vec<Case>, Vec<Diagnostic>> {
    let name = path.display().to_string();
    let unreadable = |message: String| vec![Diagnostic { file: name.clone(), line: 1, column: 1, message }];
    let text = fs::read_to_string(path).map_err(|error| unreadable(format!("cannot read: {error}")))?;
    let source = SourceText { name: name.clone(), text };
    let mut faults = Faults::new(&source);
    let (document, errors) = DeTable::parse_recoverable(&source.text);
    for error in &errors {
        faults.at(error.span().unwrap_or(0..0), error.message().to_owned());
    }
    let mut cases = Vec::new();
    if errors.is_empty() {
        let editable = source.text.parse().map_err(|error: toml_edit::TomlError| unreadable(error.to_string()))?;
        cases = all(path, Table::root(document), &editable, &mut faults);
    }
    let faults = faults.into_diagnostics();
    if faults.is_empty() { Ok(cases) } else { Err(faults) }
}

/// The cases of a parsed file. What stands before the first `[[case]]` holds for all.
fn all(path: &Path, mut root: Table<'_>, editable: &toml_edit::DocumentMut, faults: &mut Faults<'_>) -> Vec<Case> {
    let folder = folder_of(path);
    let file: Arc<Path> = path.into();
    let mut base = Given::default();
    let message = folder.join(FOLDER_MESSAGE);
    if path.ends_with(FOLDER_CASE) && !root.has("message") && message.exists() {
        base.message = fs::read(message).ok();
    }
    let config = config_of(&mut root, folder, faults);
    root.take("set");
    let set: Vec<toml_edit::Table> = changes(editable.get("set")).into_iter().collect();
    let given = given::read(&mut root, &base, folder, faults);
    let mut cases = Vec::new();
    if root.has("case") {
        let mut names = BTreeSet::new();
        for (index, mut table) in root.tables("case", faults).into_iter().enumerate() {
            let span = table.span.clone();
            let name = table.string("name", faults).map(|name| name.into_inner().trim().to_owned());
            if name.as_ref().is_none_or(String::is_empty) {
                faults.at(span.clone(), "this case has no name; write name = \"what must happen\"");
            }
            let name = name.unwrap_or_default();
            if !names.insert(name.clone()) {
                faults.at(span.clone(), format!("the name \"{name}\" is taken by a case above; names are unique"));
            }
            let own_config = config_of(&mut table, folder, faults);
            let own = ANSWERS.into_iter().filter(|key| table.has(key)).collect();
            table.take("set");
            let changed = editable.get("case").and_then(|cases| cases.get(index)).and_then(|case| case.get("set"));
            let case = Case {
                name,
                file: Arc::clone(&file),
                line: faults.line_of(&span),
                index: Some(index),
                config: own_config.or_else(|| config.clone()),
                set: set.iter().cloned().chain(changes(changed)).collect(),
                given: given::read(&mut table, &given, folder, faults),
                own,
                expect: expectation(&mut table, faults),
            };
            table.finish(faults);
            cases.push(case);
        }
    } else {
        let name = root.string("name", faults).map(|name| name.into_inner());
        let expect = expectation(&mut root, faults);
        let name = name.unwrap_or_else(|| own_name(path));
        cases.push(Case { name, file, line: 1, index: None, config, set, given, own: ANSWERS.to_vec(), expect });
    }
    root.finish(faults);
    cases
}

fn config_of(table: &mut Table<'_>, folder: &Path, faults: &mut Faults<'_>) -> Option<PathBuf> {
    let config = table.string("config", faults)?;
    let path = folder.join(config.get_ref());
    if !path.is_file() {
        faults.at(config.span(), format!("there is no file {}; the path is relative to this file", path.display()));
    }
    Some(path)
}

fn expectation(table: &mut Table<'_>, faults: &mut Faults<'_>) -> Expect {
    table.table("expect", faults).map_or_else(Expect::default, |table| expect::read(table, faults))
}

/// A table of changed keys, however it is written.
fn changes(item: Option<&toml_edit::Item>) -> Option<toml_edit::Table> {
    item?.clone().into_table().ok()
}

/// The name of a case that has none: its folder, or its file.
fn own_name(path: &Path) -> String {
    let named = if path.ends_with(FOLDER_CASE) { path.parent().unwrap_or(path) } else { path };
    let name = named.file_name().unwrap_or_default().to_string_lossy();
    name.trim_end_matches(SUFFIX).trim_end_matches(".toml").replace(['-', '_'], " ")
}
