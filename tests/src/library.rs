//! `libmailward` as it was built with the tests, and C programs that use it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{program, run};

/// The library: beside the test or one folder above, whichever is newer.
pub fn path() -> PathBuf {
    let test = std::env::current_exe().expect("a process knows its program");
    let folders = test.ancestors().skip(1).take(2);
    let built = folders.map(|folder| folder.join("libmailward.so")).filter(|file| file.exists());
    built
        .max_by_key(|file| file.metadata().and_then(|metadata| metadata.modified()).ok())
        .expect("no libmailward.so: run `cargo build -p mailward-ffi`")
}

/// Compiles a program of `ffi/tests/c` and returns its path.
pub fn compile(name: &str, folder: &Path) -> PathBuf {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the project");
    let (library, made) = (path(), folder.join(name));
    let mut cc = Command::new(program("cc", "gcc"));
    cc.args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-I"])
        .arg(project.join("ffi/include"))
        .arg(project.join("ffi/tests/c").join(name).with_extension("c"))
        .arg(&library)
        // An rpath, which goes before the LD_LIBRARY_PATH that cargo sets: there may be an older build.
        .arg(format!("-Wl,--disable-new-dtags,-rpath,{}", library.parent().expect("a folder").display()))
        .arg("-o")
        .arg(&made);
    run(&mut cc);
    made
}
