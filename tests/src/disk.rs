//! A disk of a few hundred kilobytes, to be filled or made read-only. Needs root, because it mounts.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{program, run};
use crate::scratch::Scratch;

/// A mounted tmpfs. Dropping it unmounts it; declare it after whatever keeps files open on it.
#[derive(Debug)]
pub struct TinyDisk {
    path: PathBuf,
    _scratch: Scratch,
}

impl TinyDisk {
    /// Mounts an empty one of this size.
    pub fn mount(scratch: &Scratch, kilobytes: u32) -> TinyDisk {
        let path = scratch.dir("disk");
        run(tool("mount").args(["-t", "tmpfs", "-o", &format!("size={kilobytes}k,mode=755"), "tmpfs"]).arg(&path));
        TinyDisk { path, _scratch: scratch.clone() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes until there is no room for one more byte.
    pub fn fill(&self) {
        let mut file = File::options().create(true).append(true).open(self.filler()).expect("the filler can be made");
        for size in [4096, 1] {
            while file.write_all(&[0x55; 4096][..size]).is_ok() {}
        }
    }

    /// Undoes [`TinyDisk::fill`].
    pub fn free(&self) {
        let _ = std::fs::remove_file(self.filler());
    }

    /// Nothing can be written any more. Nobody may hold a file open for writing at that moment.
    pub fn make_read_only(&self) {
        run(tool("mount").args(["-o", "remount,ro"]).arg(&self.path));
    }

    fn filler(&self) -> PathBuf {
        self.path.join("filler")
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        let _ = tool("umount").arg("-l").arg(&self.path).status();
    }
}

fn tool(name: &str) -> Command {
    Command::new(program(name, "mount"))
}
