//! Memory: an allocator counts what lives at most while bombs are looked into. The only test of its program, so that nothing else is
//! counted.

use cap::Cap;
use mailward_unpack::{Bounds, candidates, unpack};
use std::{
    alloc::System,
    time::{Duration, Instant},
};

/// Ends the test if far more is asked for than it allows.
#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, 1 << 30);

#[path = "unpack/made.rs"]
#[allow(dead_code)]
mod made;

use made::*;

/// Unit: bytes. Source: three times [`Bounds::bytes`] of these tests, and what a vector takes that grows.
const MOST: usize = 3 * BOUNDS.bytes + (16 << 20);
/// A third of what is usual, so that the test is quick.
const BOUNDS: Bounds = Bounds { depth: 10, files: 10_000, bytes: 32 << 20, file_bytes: 20 << 20, ratio: 250 };
const FILE: usize = 12 << 20;
/// Work that is not linear takes hours. Source: some twenty times what the slowest takes without optimisation.
const LONGEST: Duration = Duration::from_secs(30);

fn repeated(head: &[u8], piece: &[u8]) -> Vec<u8> {
    let mut file = head.to_vec();
    file.extend(piece.repeat(FILE / piece.len()));
    file
}

/// An image whose folders have long names and lead to each other: each names all of them.
fn folders_in_folders() -> Vec<u8> {
    const SECTOR: usize = 2_048;
    let record = |sector: u32, bytes: u32, name: &[u8]| {
        let mut record = vec![0; 33];
        record[2..6].copy_from_slice(&sector.to_le_bytes());
        record[10..14].copy_from_slice(&bytes.to_le_bytes());
        record[25] = 2;
        record[32] = name.len() as u8;
        record.extend(name);
        record[0] = record.len() as u8;
        record
    };
    let mut image = vec![0; 18 * SECTOR];
    image[16 * SECTOR] = 1;
    image[16 * SECTOR + 1..16 * SECTOR + 6].copy_from_slice(b"CD001");
    let root = record(18, 2 << 20, b"\0");
    image[16 * SECTOR + 156..16 * SECTOR + 156 + root.len()].copy_from_slice(&root);
    image[17 * SECTOR] = 255;
    image[17 * SECTOR + 1..17 * SECTOR + 6].copy_from_slice(b"CD001");
    let mut next = 19;
    while image.len() < FILE {
        let mut sector = Vec::new();
        while sector.len() + 250 < SECTOR {
            sector.extend(record(next, 2 << 20, &[b'n'; 215]));
            next = 19 + (next * 31) % 6_000;
        }
        sector.resize(SECTOR, 0);
        image.extend(sector);
    }
    image
}

/// A 7-Zip header of a great many files of one byte in each of a great many folders.
fn many_sub_streams() -> Vec<u8> {
    let mut header = vec![1, 4, 6, 0, 0, 0, 7, 11];
    // Numbers above 127 take two bytes, the high half first.
    let number = |n: usize| [0x80 | (n >> 8) as u8, n as u8];
    header.extend(number(9_000));
    header.push(0);
    (0..9_000).for_each(|_| header.extend([1, 1, 0]));
    header.push(12);
    (0..9_000).for_each(|_| header.extend(number(9_000)));
    header.extend([0, 8, 13]);
    (0..9_000).for_each(|_| header.extend(number(9_000)));
    header.push(9);
    header.resize(FILE, 1);
    let mut file = b"7z\xbc\xaf\x27\x1c\0\x04".to_vec();
    file.resize(12, 0);
    file.extend(0_u64.to_le_bytes());
    file.extend((header.len() as u64).to_le_bytes());
    file.resize(32, 0);
    file.extend(header);
    file
}

#[test]
fn bombs_take_bounded_memory() {
    let zeros = vec![0; 15 << 20];
    let nested_gzip = (0..8).fold(gzip(&zeros), |inner, _| gzip(&[&inner[..], &[0; 1 << 20]].concat()));
    let nested_mail = (0..8).fold(vec![b'z'; 2 << 20], |inner, _| mail("a.eml", &inner));
    let nested_ole = (0..6).fold(vec![b'x'; 1 << 20], |inner, _| compound(&[("a", &inner), ("b", &[b'y'; 700_000])]));
    let expanding = pdf(&[pdf_stream("/Type /EmbeddedFile /Filter [/A85 /Fl]", &vec![b'z'; FILE])]);
    let files = [
        ("names.pdf", repeated(b"%PDF-1.7\n", b"#streamendstream")),
        ("scripts.pdf", repeated(b"%PDF-1.7\n", b"/JS()")),
        ("references.pdf", repeated(b"%PDF-1.7\n", b"/JS 1 0 R ")),
        ("hexadecimal.pdf", repeated(b"%PDF-1.7\n", b"/JS<")),
        ("zeros.pdf", expanding),
        ("folders.iso", folders_in_folders()),
        ("streams.7z", many_sub_streams()),
        ("nested.gz", nested_gzip),
        ("nested.eml", nested_mail),
        ("nested.doc", nested_ole),
    ];
    let mut failed = Vec::new();
    for (name, content) in &files {
        let (before, started) = (ALLOCATOR.allocated(), Instant::now());
        unpack(
            std::iter::once((*name, content.as_slice())),
            &|| candidates("The password is Sommer-23."),
            &BOUNDS,
            &mut |_, _| {},
        );
        let taken = ALLOCATOR.max_allocated().saturating_sub(before);
        println!("{name}: {} MB, {:?}", taken >> 20, started.elapsed());
        if taken > MOST || started.elapsed() > LONGEST {
            failed.push(format!("{name}: {} MB, {:?}", taken >> 20, started.elapsed()));
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
}
