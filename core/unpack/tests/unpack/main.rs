//! Every format and trick by an example of its own. `fixtures/` holds small archives that other programs have made (7-Zip, gcab,
//! xorriso, genisoimage, mtools, qemu-img, lzip, xz, zstd, bzip2, Info-ZIP); the rest is built here.

mod bombs;
mod formats;
mod made;
mod mutations;
mod samples;
mod tricks;

use made::MARKER;
use mailward_unpack::{Bound, Bounds, Candidate, Found, Sign, candidates, unpack};

/// What was found in one file.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Paths of files, the given one apart.
    pub(crate) paths: Vec<String>,
    /// Paths of those that hold the marker.
    pub(crate) marked: Vec<String>,
    pub(crate) locked: Vec<String>,
    pub(crate) signs: Vec<(String, Sign)>,
    pub(crate) cuts: Vec<Bound>,
    /// Bytes of all files together.
    pub(crate) bytes: usize,
    /// Bytes of the largest.
    pub(crate) largest: usize,
}

impl Report {
    pub(crate) fn has(&self, sign: Sign) -> bool {
        self.signs.iter().any(|(_, found)| *found == sign)
    }
}

pub(crate) fn report_of(name: &str, content: &[u8], passwords: &[Candidate], bounds: &Bounds) -> Report {
    let mut report = Report::default();
    unpack(std::iter::once((name, content)), &|| passwords.to_vec(), bounds, &mut |_, found| match found {
        Found::File(file) => {
            if file.depth > 0 {
                report.paths.push(file.path.to_owned());
                report.bytes += file.content.len();
                report.largest = report.largest.max(file.content.len());
            }
            if file.locked {
                report.locked.push(file.path.to_owned());
            }
            let is_marked = file.content.windows(MARKER.len() - 2).any(|window| window == &MARKER[..MARKER.len() - 2]);
            if is_marked {
                report.marked.push(file.path.to_owned());
            }
        }
        Found::Sign { path, sign, .. } => report.signs.push((path.to_owned(), sign)),
        Found::Cut { bound, .. } => report.cuts.push(bound),
    });
    report
}

pub(crate) fn report(name: &str, content: &[u8]) -> Report {
    report_of(name, content, &candidates("The password is Sommer-23."), &Bounds::default())
}
