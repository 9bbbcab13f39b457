//! The configuration under test: the file, with the keys that a case changes and the files that it brings.

use super::case::Case;
use mailward_core::config::{self, Config};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, DirBuilder, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicUsize, Ordering},
};
use toml_edit::{Array, DocumentMut, Item, Table, TableLike, Value};

/// A configuration under test.
pub(super) struct UnderTest {
    pub(super) config: Config,
    /// Files of the case that the configuration does not name, each as `files: name`.
    pub(super) unnamed: Vec<String>,
    /// Those that it names.
    pub(super) copies: Copies,
}

/// The configuration of a case. `default`: the file for cases that name none.
///
/// # Errors
///
/// The faults of the configuration, or why the files of the case cannot be copied.
pub(super) fn of(case: &Case, default: Option<&Path>) -> Result<UnderTest, Vec<String>> {
    let faults = |faults: Vec<_>| faults.iter().map(ToString::to_string).collect::<Vec<_>>();
    let path = case.config.as_deref().or(default);
    let files = &case.given.files;
    if case.set.is_empty() && files.is_empty() {
        let config = path.map(config::load).transpose().map_err(faults)?.unwrap_or_default();
        return Ok(UnderTest { config, unnamed: Vec::new(), copies: Copies::default() });
    }
    let name = path.map_or("built-in defaults".to_owned(), |path| path.display().to_string());
    let text = match path {
        Some(path) => fs::read_to_string(path).map_err(|error| vec![format!("cannot read {name}: {error}")])?,
        None => String::new(),
    };
    let mut document: DocumentMut = text.parse().map_err(|error| vec![format!("{name}: {error}")])?;
    for set in &case.set {
        merge(document.as_table_mut(), set);
    }
    let copies = Copies::of(files).map_err(|error| vec![format!("cannot copy the files of the case: {error}")])?;
    let mut places = Places { copies: &copies.by_name, named: BTreeSet::new() };
    places.in_item(document.as_item_mut());
    let unnamed = files.keys().filter(|file| !places.named.contains(*file)).map(|file| format!("files: {file}"));
    let unnamed = unnamed.collect();
    let name = if case.set.is_empty() { name } else { format!("{name} as changed by set") };
    let config = config::parse(&name, &document.to_string()).map_err(faults)?;
    Ok(UnderTest { config, unnamed, copies })
}

/// Copies of a case's files that only this user may read, as keys have to be. They go with this.
#[derive(Default)]
pub(super) struct Copies {
    /// By the name in the configuration.
    by_name: BTreeMap<String, PathBuf>,
    folder: Option<PathBuf>,
}

impl Copies {
    fn of(files: &BTreeMap<String, PathBuf>) -> io::Result<Copies> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let mut copies = Copies::default();
        if files.is_empty() {
            return Ok(copies);
        }
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("mailward-test-{}-{number}", process::id()));
        DirBuilder::new().mode(0o700).create(&folder)?;
        copies.folder = Some(folder.clone());
        for (number, (name, file)) in files.iter().enumerate() {
            let copy = folder.join(format!("{number}-{}", file.file_name().unwrap_or_default().to_string_lossy()));
            fs::copy(file, &copy)?;
            fs::set_permissions(&copy, Permissions::from_mode(0o600))?;
            copies.by_name.insert(name.clone(), copy);
        }
        Ok(copies)
    }

    /// A fault with the files as the configuration names them.
    pub(super) fn named_in(&self, fault: &str) -> String {
        let name = |fault: String, (name, copy): (&String, &PathBuf)| fault.replace(&*copy.to_string_lossy(), name);
        self.by_name.iter().fold(fault.to_owned(), name)
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        self.folder.iter().for_each(|folder| drop(fs::remove_dir_all(folder)));
    }
}

/// Tables are merged key by key; everything else, lists too, is replaced.
fn merge(into: &mut dyn TableLike, from: &Table) {
    for (key, item) in from {
        let below = item.clone().into_table();
        match (into.get_mut(key).and_then(Item::as_table_like_mut), below) {
            (Some(old), Ok(new)) => merge(old, &new),
            _ => {
                let item = match item.as_array().filter(|array| array.iter().any(Value::is_inline_table)) {
                    Some(_) => item.clone().into_array_of_tables().map_or(item.clone(), Item::ArrayOfTables),
                    None => item.clone(),
                };
                into.insert(key, item);
            }
        }
    }
}

/// The files of a case in the place of those that the configuration names.
struct Places<'a> {
    /// By the name in the configuration.
    copies: &'a BTreeMap<String, PathBuf>,
    /// Those that were found there.
    named: BTreeSet<String>,
}

impl Places<'_> {
    fn in_item(&mut self, item: &mut Item) {
        match item {
            Item::None => {}
            Item::Value(value) => self.in_value(value),
            Item::Table(table) => self.in_table(table),
            Item::ArrayOfTables(tables) => tables.iter_mut().for_each(|table| self.in_table(table)),
        }
    }

    fn in_table(&mut self, table: &mut Table) {
        table.iter_mut().for_each(|(_, item)| self.in_item(item));
    }

    fn in_value(&mut self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Some((name, file)) = self.copies.get_key_value(text.value()) {
                    self.named.insert(name.clone());
                    *value = file.display().to_string().into();
                }
            }
            Value::Array(values) => Array::iter_mut(values).for_each(|value| self.in_value(value)),
            Value::InlineTable(table) => table.iter_mut().for_each(|(_, value)| self.in_value(value)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_stand_in_the_place_of_those_that_the_configuration_names() {
        let files =
            ["/etc/key", "/etc/deny", "/etc/other"].map(|name| (name.to_owned(), format!("/case{name}").into()));
        let files = BTreeMap::from(files);
        let text = "a = \"/etc/key\"\n[b]\nc = [\"x\", \"/etc/deny\"]\n[[d]]\ne = { f = \"/etc/key\" } # /etc/key\n";
        let mut document: DocumentMut = text.parse().expect("TOML");
        let mut places = Places { copies: &files, named: BTreeSet::new() };
        places.in_item(document.as_item_mut());
        let expected = "a = \"/case/etc/key\"\n[b]\nc = [\"x\",\"/case/etc/deny\"]\n[[d]]\ne = { f =\"/case/etc/key\"} # /etc/key\n";
        let squeezed = |text: &str| text.replace(' ', "");
        assert_eq!(squeezed(&document.to_string()), squeezed(expected));
        assert_eq!(places.named.into_iter().collect::<Vec<_>>(), ["/etc/deny", "/etc/key"]);
    }
}
