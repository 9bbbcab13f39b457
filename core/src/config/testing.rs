//! Reading of a text by one room's reader, for tests.

use super::{
    diagnostic::{Faults, SourceText},
    reader::Table,
};

/// The settings and the messages of all faults.
pub(crate) fn read_text<T>(text: &str, read: impl Fn(&mut Table<'_>, &mut Faults<'_>) -> T) -> (T, Vec<String>) {
    let source = SourceText { name: "test.toml".into(), text: text.into() };
    let mut faults = Faults::new(&source);
    let (root, errors) = toml::de::DeTable::parse_recoverable(&source.text);
    assert!(errors.is_empty(), "{errors:?}");
    let mut root = Table::root(root);
    let settings = read(&mut root, &mut faults);
    root.finish(&mut faults);
    (settings, faults.into_diagnostics().iter().map(ToString::to_string).collect())
}
