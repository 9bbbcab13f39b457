//! Makes the base model: reads DIR/{ham,spam} of each DIR, writes the file that is compiled into the library.
//!
//! The messages are taken as they are: what would give a collection away must have been taken off before.

use mailward_core::{
    engine::features,
    spam::classifier::{Class, Samples, base},
};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(out), dirs) = (arguments.next(), arguments.collect::<Vec<_>>()) else { usage() };
    if dirs.is_empty() {
        usage();
    }
    let mut samples = Samples::default();
    for dir in &dirs {
        for class in [Class::Ham, Class::Spam] {
            for file in files(&dir.join(class.word()))? {
                samples.add(&features(&fs::read(file)?), class);
            }
        }
    }
    let [ham, spam] = samples.count();
    fs::write(&out, base::train(&samples))?;
    println!("{}: trained on {ham} ham, {spam} spam", out.display());
    Ok(())
}

fn usage() -> ! {
    eprintln!("usage: base_model OUT DIR...    with DIR/{{ham,spam}}");
    std::process::exit(2);
}

/// The files of a directory, by name, so that each run sees the same.
fn files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let mut files: Vec<PathBuf> =
        fs::read_dir(dir)?.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    files.sort();
    Ok(files)
}
