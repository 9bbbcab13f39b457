//! Builds the plugin against the library that was built with the tests.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::unpacked;
use crate::library;
use crate::process::{program, run};

/// How the plugin is called.
pub(super) const NAME: &str = "mailward-exim.so";

/// All of it, as `*.c` is in its README.
const SOURCES: [&str; 4] = ["connection.c", "envelope.c", "mailward_exim.c", "message.c"];

/// Compiles with all warnings as errors, but for those in Exim's own headers.
pub(super) fn build(folder: &Path) -> PathBuf {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the project");
    let library = open_to_all(library::path(), folder);
    let plugin = folder.join(NAME);
    let mut cc = Command::new(program("cc", "gcc"));
    cc.args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-isystem"])
        .arg(unpacked("usr/include/exim4"))
        .arg("-I")
        .arg(project.join("ffi/include"))
        .args(SOURCES.map(|name| project.join("examples/exim").join(name)))
        .arg(&library)
        .arg(format!("-Wl,-rpath,{}", library.parent().expect("a folder").display()))
        .arg("-o")
        .arg(&plugin);
    run(&mut cc);
    plugin
}

/// The library where Exim's user can read it: in place, or a copy if a folder above is closed to others.
fn open_to_all(library: PathBuf, folder: &Path) -> PathBuf {
    let mut above = library.ancestors().skip(1);
    if above.all(|folder| folder.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o001 != 0)) {
        return library;
    }
    let copy = folder.join("libmailward.so");
    fs::copy(&library, &copy).unwrap_or_else(|error| panic!("cannot copy {}: {error}", library.display()));
    copy
}
