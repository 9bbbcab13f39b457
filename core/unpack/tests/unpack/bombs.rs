//! Bombs: what is unpacked stays within the bounds, and the bound is told. Bytes are counted, not time.

use crate::{made::*, report, report_of};
use mailward_unpack::{Bound, Bounds, candidates};
use std::io::Write;

/// Small bounds, so that the tests are quick; the rules are the same.
const BOUNDS: Bounds = Bounds { depth: 6, files: 200, bytes: 40 << 20, file_bytes: 20 << 20, ratio: 100 };

fn within(report: &crate::Report) {
    assert!(report.bytes <= BOUNDS.bytes && report.largest <= BOUNDS.file_bytes, "{} {}", report.bytes, report.largest);
    assert!(report.paths.len() <= BOUNDS.files, "{}", report.paths.len());
}

fn zeros(bytes: usize) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let block = vec![0; 1 << 20];
    (0..bytes >> 20).for_each(|_| encoder.write_all(&block).expect("memory"));
    encoder.finish().expect("memory")
}

#[test]
fn a_file_that_grows_too_much_is_cut() {
    let bomb = zeros(60 << 20);
    let report = report_of("a.gz", &bomb, &[], &BOUNDS);
    within(&report);
    assert_eq!(report.cuts, [Bound::Ratio], "{report:?}");
    let bounds = Bounds { ratio: 100_000, ..BOUNDS };
    assert_eq!(report_of("a.gz", &bomb, &[], &bounds).cuts, [Bound::FileBytes]);
}

#[test]
fn many_files_that_grow_share_one_bound() {
    let content = vec![b'a'; 3 << 20];
    let members: Vec<Member> = (0..50).map(|n| member(&format!("{n}.txt"), &content)).collect();
    let report = report_of("a.zip", &zip_of(&members), &[], &BOUNDS);
    within(&report);
    assert!(report.cuts.contains(&Bound::Bytes), "{:?}", report.cuts);
}

#[test]
fn nested_archives_end_at_the_depth() {
    let nested = |levels: usize| (0..levels).fold(MARKER.to_vec(), |inner, _| gzip(&inner));
    let report = report_of("a.gz", &nested(20), &[], &BOUNDS);
    assert_eq!((report.cuts.as_slice(), report.paths.len()), (&[Bound::Depth][..], BOUNDS.depth - 1));
    assert_eq!(report_of("a.gz", &nested(5), &[], &BOUNDS).marked.len(), 1);
}

#[test]
fn archives_of_archives_of_archives_end_at_the_files() {
    let leaf: Vec<Member> = (0..16).map(|n| member(&format!("{n}.txt"), &[b'a'; 9_000])).collect();
    let bomb = (0..4).fold(zip_of(&leaf), |inner, _| {
        zip_of(&(0..16).map(|n| member(&format!("{n}.zip"), &inner)).collect::<Vec<_>>())
    });
    let report = report_of("42.zip", &bomb, &[], &BOUNDS);
    within(&report);
    assert!(report.cuts.contains(&Bound::Files), "{:?}", report.cuts);
}

#[test]
fn an_archive_that_holds_itself_ends() {
    // A stored member whose content is the whole archive, as far as a header can say that.
    let mut quine = zip_of(&[Member { deflate: false, ..member("a.zip", &[b' '; 600]) }]);
    let directory = quine.windows(4).position(|window| window == b"PK\x01\x02").expect("a directory");
    quine[directory + 42..directory + 46].copy_from_slice(&0_u32.to_le_bytes());
    for _ in 0..3 {
        let copy = quine.clone();
        quine.splice(35..35, copy);
    }
    within(&report_of("a.zip", &quine, &[], &BOUNDS));
    // Members of a chain of sectors that leads to itself.
    let mut circle = compound(&[("a", &[b'x'; 9_000])]);
    (512 * 3..512 * 4).step_by(4).for_each(|at| circle[at..at + 4].copy_from_slice(&1_u32.to_le_bytes()));
    within(&report_of("a.doc", &circle, &[], &BOUNDS));
}

#[test]
fn members_that_overlap_are_counted_each_time() {
    // One stretch of packed bytes for all rows of the directory (Fifield, "A better zip bomb", 2019).
    let content = vec![0; 4 << 20];
    let one = zip("a", &content);
    let at = one.windows(4).position(|window| window == b"PK\x01\x02").expect("a directory");
    let row = one[at..at + 47].to_vec();
    let mut bomb = one[..at].to_vec();
    (0..500).for_each(|_| bomb.extend(&row));
    let start = at as u32;
    bomb.extend(b"PK\x05\x06\x00\x00\x00\x00\xf4\x01\xf4\x01");
    bomb.extend((500 * row.len() as u32).to_le_bytes());
    bomb.extend(start.to_le_bytes());
    bomb.extend([0; 2]);
    let report = report_of("a.zip", &bomb, &[], &BOUNDS);
    within(&report);
    assert!(
        report.cuts.contains(&Bound::Bytes) && report.has(mailward_unpack::Sign::Inconsistent),
        "{:?}",
        report.cuts
    );
}

#[test]
fn streams_that_hold_nothing_are_bounded_too() {
    // Deflate blocks of no bytes: long to read, and nothing comes out.
    let nothing = [0, 0, 0, 0xff, 0xff].repeat(200_000);
    let member = Member { deflate: false, ..member("a", &nothing) };
    let mut file = zip_of(&[member]);
    file[8] = 8;
    let at = file.windows(4).rposition(|window| window == b"PK\x01\x02").expect("a directory");
    file[at + 10] = 8;
    let row = file[at..at + 47].to_vec();
    let end = file.len() - 22;
    (0..199).for_each(|_| drop(file.splice(end..end, row.iter().copied())));
    let size = (200 * row.len() as u32).to_le_bytes();
    let end = file.len() - 10;
    file[end..end + 4].copy_from_slice(&size);
    let report = report_of("a.zip", &file, &[], &BOUNDS);
    assert!(report.cuts.contains(&Bound::Bytes), "{report:?}");
}

#[test]
fn a_dictionary_that_is_too_large_is_not_made() {
    let mut lzma = b"\x5d\x00\x00\x00\xff".to_vec();
    lzma.extend([0xff; 8]);
    lzma.extend([0; 50]);
    assert_eq!(report("a.lzma", &lzma).cuts, [Bound::Dictionary]);
    // A frame of Zstandard that wants a window of 3 TB.
    assert_eq!(report("a.zst", b"\x28\xb5\x2f\xfd\x00\xff\x01\x00\x00").cuts, [Bound::Dictionary]);
}

#[test]
fn entities_of_xml_are_not_expanded() {
    let laughs: String =
        (1..10).map(|n| format!("<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10))).collect();
    let bomb = format!("<?xml version=\"1.0\"?><!DOCTYPE l [<!ENTITY l0 \"ha\">{laughs}]><l>&l9;</l>");
    let report = report_of("a.docx", &ooxml(&[("word/document.xml", bomb.as_bytes())]), &[], &BOUNDS);
    assert!(report.bytes < 10_000 && report.cuts.is_empty(), "{report:?}");
}

#[test]
fn mail_in_mail_ends() {
    let mut nested = MARKER.to_vec();
    for level in 0..200 {
        nested =
            [format!("From: a@x.test\r\nSubject: {level}\r\nContent-Type: message/rfc822\r\n\r\n").as_bytes(), &nested]
                .concat();
    }
    within(&report_of("a.eml", &nested, &[], &BOUNDS));
    let encoded = (0..12).fold(MARKER.to_vec(), |inner, _| mail("a.eml", &inner));
    let report = report_of("a.eml", &encoded, &[], &BOUNDS);
    within(&report);
}

#[test]
fn macros_that_grow_are_cut() {
    // Copies of the longest kind: 20 bytes become 4,096.
    let mut chunk = vec![0];
    chunk.extend(b"Attribut");
    chunk.push(0b10);
    chunk.extend([b'e']);
    chunk.extend([0xf0, 0x0f]);
    let head = (0xb000 | (chunk.len() as u16 - 1)).to_le_bytes();
    let packed = [&[1][..], &[head.as_slice(), &chunk].concat().repeat(100_000)].concat();
    let module =
        [vec![0x55; 40], crate::made::packed_source("Attribute VB_Name\r\nSub A()\r\nShell(\"x\")\r\nEnd Sub\r\n")]
            .concat();
    let report = report_of("a.doc", &compound(&[("Junk", &packed), ("Module1", &module)]), &[], &BOUNDS);
    within(&report);
    assert_eq!(report.cuts, [Bound::FileBytes]);
    assert!(report.has(mailward_unpack::Sign::MacroDangerous), "what comes behind is judged: {report:?}");
}

/// An archive of RAR 5 whose keys take 2^24 rounds, each some seconds.
#[test]
fn keys_that_cost_too_much_are_not_derived() {
    let fixture = |wanted: &str| {
        let (_, content) = crate::samples::fixtures().find(|(name, _)| *name == wanted).expect("a fixture");
        content.to_vec()
    };
    // The header that tells of the lock: checksum, length, type, flags, version, flags, rounds.
    let mut names = fixture("locked-names.rar");
    assert_eq!((names[13], names[17]), (4, 15));
    names[17] = 24;
    let end = 13 + usize::from(names[12]);
    let sum = crc(&names[12..end]).to_le_bytes();
    names[8..12].copy_from_slice(&sum);
    let of_names = report("a.rar", &names);
    assert!(of_names.has(mailward_unpack::Sign::Encrypted) && of_names.marked.is_empty(), "{of_names:?}");
    // The header of the file, and its record: type, version, flags, rounds.
    let mut files = fixture("locked.rar");
    let (start, at) = (0x42, 0x5f);
    assert_eq!(files[at..at + 4], [1, 0, 3, 15]);
    files[at + 3] = 24;
    let end = start + 5 + usize::from(files[start + 4]);
    let sum = crc(&files[start + 4..end]).to_le_bytes();
    files[start..start + 4].copy_from_slice(&sum);
    let of_files = report("a.rar", &files);
    assert!(of_files.has(mailward_unpack::Sign::Encrypted) && of_files.cuts == [Bound::Method], "{of_files:?}");
}

/// Marks that repeat millions of times: whatever looked from each to the end would not come back within minutes.
#[test]
fn marks_that_repeat_take_linear_work() {
    const BYTES: usize = 3 << 20;
    let repeated = |head: &[u8], mark: &[u8]| [head, &mark.repeat(BYTES / mark.len())].concat();
    let streamed = b"PK\x03\x04\x14\x00\x08\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00a";
    let lying = b"PK\x03\x04\x14\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\x0f\xff\xff\xff\x0f\x01\x00\x00\x00a";
    let part = |name: &str, mark: &[u8]| ooxml(&[(name, &repeated(b"<?xml version=\"1.0\"?>", mark))]);
    let files = [
        ("a.zip", repeated(b"", streamed)),
        ("a.zip", repeated(b"", lying)),
        ("a.pdf", repeated(b"%PDF-1.7\n", b"/JS(")),
        ("a.pdf", repeated(b"%PDF-1.7\n", b"/EF/F 1 0 R")),
        ("a.pdf", repeated(b"%PDF-1.7\n", b"stream\n")),
        ("a.pdf", repeated(b"%PDF-1.7\n", b" /Launch")),
        ("a.rtf", repeated(b"{\\rtf1", b"\\objdata ")),
        ("a.rtf", repeated(b"{\\rtf1", b"{\\objdata 01}")),
        ("a.html", repeated(b"<html>", b"atob(")),
        ("a.html", repeated(b"<html>", b";base64,")),
        ("a.html", repeated(b"<html><script>", b"[1,")),
        ("a.txt", repeated(b"words\n", b"begin 644 a\n")),
        ("a.txt", repeated(b"words\n", b"begin-base64 644 a\n")),
        ("a.txt", repeated(b"words\n", b"=ybegin name=a\n")),
        ("a.ics", repeated(b"BEGIN:VCALENDAR\n", b"ATTACH;X=Y:z\n")),
        ("a.eml", repeated(b"From: a\nSubject: b\nContent-Type: multipart/mixed; boundary=b\n\n", b"--b\n")),
        ("a.docx", part("word/_rels/a.rels", b"<Relationship ")),
        ("a.docx", part("word/document.xml", b"<w:instrText")),
        (
            "a.odt",
            zip_of(&[
                Member { deflate: false, ..member("mimetype", b"application/vnd.oasis.opendocument.text") },
                member("Basic/a.xml", &repeated(b"<script:module>", b"autoopen(")),
            ]),
        ),
        ("a.one", repeated(&onenote(b""), b"\xe7\x16\xe3\xbd\x65\x26\x11\x45\xa4\xc4\x8d\x4d\x0b\x7a\x9e\xac")),
        ("a.tar", repeated(&tar_header("a", 0, b'0'), &[0; 512])),
        ("a.7z", repeated(b"7z\xbc\xaf\x27\x1c", b"\x17\x06")),
    ];
    for (name, content) in &files {
        within(&report_of(name, content, &candidates(&"password ".repeat(50_000)), &BOUNDS));
    }
}
