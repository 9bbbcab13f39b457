//! The formats that hold files.

mod cab;
mod chm;
mod compression;
mod disk;
mod iso;
mod lnk;
mod macros;
mod mail;
mod office;
mod ole;
mod onenote;
mod package;
mod pdf;
mod polyglot;
mod rar;
mod rtf;
mod seven_zip;
mod stream;
mod tar;
mod text;
mod tnef;
mod vba;
mod zip;

use crate::{Bound, FileKind, walk::Walk};

/// Looks for files in a file.
pub(crate) fn open(walk: &mut Walk<'_>, kind: FileKind, content: &[u8]) {
    match kind {
        FileKind::Zip | FileKind::Ooxml => return zip::open(walk, content),
        FileKind::Gzip => stream::gzip(walk, content),
        FileKind::Bzip2 => stream::bzip2(walk, content),
        FileKind::Xz => stream::xz(walk, content),
        FileKind::Lzma => stream::lzma(walk, content),
        FileKind::Lzip => stream::lzip(walk, content),
        FileKind::Zstd => stream::zstd(walk, content),
        FileKind::Tar => tar::open(walk, content),
        FileKind::Rar => rar::open(walk, content),
        FileKind::SevenZip => seven_zip::open(walk, content),
        FileKind::Cab => cab::open(walk, content),
        FileKind::Iso => iso::open(walk, content),
        FileKind::Disk | FileKind::Vhd => disk::open(walk, content),
        FileKind::Ole => ole::open(walk, content),
        FileKind::Rtf => rtf::open(walk, content),
        FileKind::OneNote => onenote::open(walk, content),
        FileKind::Pdf => pdf::open(walk, content),
        FileKind::Lnk => lnk::open(walk, content),
        FileKind::Chm => chm::open(walk, content),
        FileKind::Tnef => tnef::open(walk, content),
        FileKind::Ace | FileKind::Arj | FileKind::Lha | FileKind::Wim => walk.cut(Bound::Method),
        FileKind::Text | FileKind::Html | FileKind::Xml | FileKind::Svg | FileKind::Script | FileKind::Data => {
            text::open(walk, kind, content);
        }
        FileKind::Exe | FileKind::Elf | FileKind::MachO | FileKind::Class | FileKind::Image | FileKind::Media => {}
    }
    polyglot::open(walk, kind, content);
}

/// Whether files of this kind are made to hold others.
pub(crate) fn may_hold_files(kind: FileKind) -> bool {
    !matches!(
        kind,
        FileKind::Text
            | FileKind::Html
            | FileKind::Xml
            | FileKind::Svg
            | FileKind::Script
            | FileKind::Data
            | FileKind::Exe
            | FileKind::Elf
            | FileKind::MachO
            | FileKind::Class
            | FileKind::Image
            | FileKind::Media
            | FileKind::Lnk
    )
}
