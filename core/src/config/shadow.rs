//! `[shadow]`: a configuration that judges beside the one in force and never acts.

use super::{diagnostic::Faults, reader::Table};
use std::path::PathBuf;

/// Reads the file that judges beside this one; `None`: no file does.
pub(super) fn read(root: &mut Table<'_>, faults: &mut Faults<'_>) -> Option<PathBuf> {
    let mut table = root.section("shadow", faults);
    let config = table.string("config", faults).map(|path| {
        if path.get_ref().trim().is_empty() {
            faults.at(path.span(), "shadow.config must be the path of a configuration file; leave it out for none");
        }
        PathBuf::from(path.into_inner())
    });
    table.finish(faults);
    config
}
