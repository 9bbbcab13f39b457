//! A private folder for one test.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::SystemTime;

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A folder under the system's temporary folder. Clones name the same folder; with the last clone it is removed,
/// unless the test is failing: then it stays and its path is printed.
#[derive(Clone, Debug)]
pub struct Scratch(Arc<Folder>);

#[derive(Debug)]
struct Folder(PathBuf);

impl Scratch {
    /// Makes a new folder. Daemons that drop to other users can look into it (mode 0755).
    #[allow(clippy::new_without_default, reason = "it makes a folder on disk")]
    pub fn new() -> Scratch {
        Scratch::below(&std::env::temp_dir())
    }

    /// A new folder outside all folders that everybody may write: Sendmail refuses sockets, certificates and keys there.
    pub fn for_sendmail() -> Scratch {
        Scratch::below(Path::new("/run"))
    }

    fn below(parent: &Path) -> Scratch {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("mailward-{}-{count}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        make_dir(&path, 0o755);
        Scratch(Arc::new(Folder(path)))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0.0
    }

    /// Makes a new folder in it (mode 0755), `name` with a number where that name is taken.
    pub fn dir(&self, name: &str) -> PathBuf {
        let path = (1..)
            .map(|n| self.path().join(if n == 1 { name.to_owned() } else { format!("{name}{n}") }))
            .find(|path| !path.exists())
            .expect("numbers do not run out");
        make_dir(&path, 0o755);
        path
    }

    /// Writes a file into it and returns its path.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        write(&path, content);
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the files of this failed test are in {}", self.0.display());
        } else {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// Writes a file or fails the test.
pub fn write(path: &Path, content: impl AsRef<[u8]>) {
    fs::write(path, content).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
}

/// The text of a log file, empty as long as there is none. Bytes that are not UTF-8 are replaced.
pub fn read_log(path: &Path) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// Sets when a file was changed last.
pub fn set_modified(path: &Path, time: SystemTime) {
    fs::File::options()
        .append(true)
        .open(path)
        .and_then(|file| file.set_modified(time))
        .unwrap_or_else(|error| panic!("cannot set the time of {}: {error}", path.display()));
}

/// Makes a folder with exactly this mode.
pub fn make_dir(path: &Path, mode: u32) {
    fs::create_dir_all(path).unwrap_or_else(|error| panic!("cannot make {}: {error}", path.display()));
    set_mode(path, mode);
}

/// Sets the mode of a file or folder.
pub fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .unwrap_or_else(|error| panic!("cannot set the mode of {}: {error}", path.display()));
}

/// Gives a file or folder to a system user, and to a system group if one is named. Needs root.
pub fn give_to(path: &Path, user: &str, group: Option<&str>) {
    let owner = system_id("/etc/passwd", user);
    let group = group.map(|group| system_id("/etc/group", group));
    chown(path, Some(owner), group)
        .unwrap_or_else(|error| panic!("cannot give {} to {user} (the tests need root): {error}", path.display()));
}

/// The number of a user in `/etc/passwd` or of a group in `/etc/group`.
pub(crate) fn system_id(file: &str, name: &str) -> u32 {
    let table = fs::read_to_string(file).unwrap_or_else(|error| panic!("cannot read {file}: {error}"));
    table
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields[0] == name)
        .and_then(|fields| fields.get(2)?.parse().ok())
        .unwrap_or_else(|| panic!("there is no {name} in {file}"))
}
