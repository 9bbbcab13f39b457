//! A file of every format, each with the marker in it.

use super::made::*;

macro_rules! fixture {
    ($name:literal) => {
        ($name, include_bytes!(concat!("../fixtures/", $name)).as_slice())
    };
}

/// Archives by other programs, and where the marker is in them.
pub(crate) const FIXTURES: &[((&str, &[u8]), &str)] = &[
    (fixture!("copy.7z"), "copy.7z/inner.txt"),
    (fixture!("lzma.7z"), "lzma.7z/inner.txt"),
    (fixture!("lzma2.7z"), "lzma2.7z/inner.txt"),
    (fixture!("bzip2.7z"), "bzip2.7z/inner.txt"),
    (fixture!("deflate.7z"), "deflate.7z/inner.txt"),
    (fixture!("delta.7z"), "delta.7z/long.txt"),
    (fixture!("bcj2.7z"), "bcj2.7z/long.txt"),
    (fixture!("locked.7z"), "locked.7z/inner.txt"),
    (fixture!("locked-names.7z"), "locked-names.7z/inner.txt"),
    (fixture!("copy.zip"), "copy.zip/long.txt"),
    (fixture!("deflate.zip"), "deflate.zip/long.txt"),
    (fixture!("deflate64.zip"), "deflate64.zip/long.txt"),
    (fixture!("bzip2.zip"), "bzip2.zip/long.txt"),
    (fixture!("lzma.zip"), "lzma.zip/long.txt"),
    (fixture!("legacy.zip"), "legacy.zip/inner.txt"),
    (fixture!("aes128.zip"), "aes128.zip/inner.txt"),
    (fixture!("aes256.zip"), "aes256.zip/inner.txt"),
    (fixture!("store.cab"), "store.cab/inner.txt"),
    (fixture!("mszip.cab"), "mszip.cab/long.txt"),
    (fixture!("inner.txt.bz2"), "inner.txt.bz2/inner.txt"),
    (fixture!("inner.txt.lz"), "inner.txt.lz/inner.txt"),
    (fixture!("inner.txt.lzma"), "inner.txt.lzma/inner.txt"),
    (fixture!("inner.txt.xz"), "inner.txt.xz/inner.txt"),
    (fixture!("inner.txt.zst"), "inner.txt.zst/inner.txt"),
    (fixture!("joliet.iso.zst"), "joliet.iso.zst/joliet.iso/sub/inner.txt"),
    (fixture!("plain.iso.zst"), "plain.iso.zst/plain.iso/sub/inner.txt"),
    (fixture!("udf-alone.iso.zst"), "udf-alone.iso.zst/udf-alone.iso/sub/inner.txt"),
    (fixture!("fat12.img.zst"), "fat12.img.zst/fat12.img/SUB/a longer name of the file.txt"),
    (fixture!("fat16.img.zst"), "fat16.img.zst/fat16.img/INNER.TXT"),
    (fixture!("fat32.img.zst"), "fat32.img.zst/fat32.img/INNER.TXT"),
    (fixture!("fat12.vhd.zst"), "fat12.vhd.zst/fat12.vhd/SUB/a longer name of the file.txt"),
    (fixture!("mbr.img.zst"), "mbr.img.zst/mbr.img/SUB/a longer name of the file.txt"),
    (fixture!("rar4.rar"), "rar4.rar/inner.txt"),
    (fixture!("rar5.rar"), "rar5.rar/long.txt"),
    (fixture!("locked.rar"), "locked.rar/inner.txt"),
    (fixture!("locked-names.rar"), "locked-names.rar/inner.txt"),
    (fixture!("locked4.rar"), "locked4.rar/inner.txt"),
];

/// The same without the places.
pub(crate) fn fixtures() -> impl Iterator<Item = (&'static str, &'static [u8])> {
    FIXTURES.iter().map(|(file, _)| *file)
}

/// Formats that are built here: name, content, path of the marker behind the name.
pub(crate) fn built() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let streamed = Member { streamed: true, ..member("a.txt", MARKER) };
    let stored = Member { deflate: false, ..member("a.txt", MARKER) };
    let long_name = [
        tar_header("././@LongLink", 120, b'L'),
        {
            let mut name = vec![b'n'; 119];
            name.resize(512, 0);
            name
        },
        tar("short", MARKER),
    ];
    let mail_in_outlook = compound(&[("__substg1.0_37010102", MARKER), ("__substg1.0_3707001F", &wide("notes.txt"))]);
    let html = |script: String| format!("<html><body><script>{script}</script></body></html>").into_bytes();
    let gz = gzip(MARKER);
    let numbers: Vec<String> = zip("a.txt", MARKER).iter().map(u8::to_string).collect();
    let page = pdf(&[
        b"<< /Type /Catalog /Names << /EmbeddedFiles << /Names [(a.txt) 2 0 R] >> >> >>".to_vec(),
        b"<< /Type /Filespec /F (a.txt) /EF << /F 3 0 R >> >>".to_vec(),
        pdf_stream("/Type /EmbeddedFile /Filter /FlateDecode", &zlib(MARKER)),
    ]);
    let packed_objects = pdf(&[
        pdf_stream(
            "/Type /ObjStm /N 1 /First 4 /Filter /FlateDecode",
            &zlib(b"2 0 << /F (b.txt) /EF << /F 2 0 R >> >>"),
        ),
        pdf_stream("/Type /EmbeddedFile /Filter [/ASCIIHexDecode]", hex(MARKER).as_bytes()),
    ]);
    vec![
        ("deflated.zip", zip("a.txt", MARKER), "/a.txt"),
        ("stored.zip", zip_of(&[stored]), "/a.txt"),
        ("streamed.zip", zip_of(&[streamed]), "/a.txt"),
        ("large.zip", zip64("a.txt", MARKER), "/a.txt"),
        ("a.txt.gz", gz.clone(), "/a.txt"),
        ("a.tgz", gzip(&tar("x/a.txt", MARKER)), "/a.tar/x/a.txt"),
        ("a.tar", tar("a.txt", MARKER), "/a.txt"),
        ("gnu.tar", long_name.concat(), "/nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"),
        ("stored.rar", rar5("a.txt", MARKER), "/a.txt"),
        ("a.eml", mail("a.txt", MARKER), "/a.txt"),
        ("old.txt", uuencode("a.txt", MARKER), "/a.txt"),
        ("news.txt", yenc("a.txt", MARKER), "/a.txt"),
        ("winmail.dat", tnef("a longer name.txt", MARKER), "/a longer name.txt"),
        ("a.msg", mail_in_outlook, "/notes.txt"),
        ("package.doc", compound(&[("WordDocument", &[0; 40]), ("\u{1}Ole10Native", &native("a.txt", MARKER))]), "/a.txt"),
        ("large-stream.doc", compound(&[("a.txt", &[MARKER, &[b' '; 9_000]].concat())]), "/a.txt"),
        ("embedded.docx", ooxml(&[("word/embeddings/oleObject1.bin", &compound(&[("\u{1}Ole10Native", &native("a.txt", MARKER))]))]), "/word/embeddings/oleObject1.bin/a.txt"),
        ("a.odt", zip_of(&[member("mimetype", b"application/vnd.oasis.opendocument.text"), member("Object 1", MARKER)]), "/Object 1"),
        ("package.rtf", rtf("Package", &packager("a.txt", MARKER), |_| ""), "/a.txt"),
        ("object.rtf", rtf("Word.Document.8", &compound(&[("a.txt", MARKER)]), |_| ""), "/Word.Document.8/a.txt"),
        ("a.chm", help("page.htm", MARKER), "/page.htm"),
        ("a.one", onenote(MARKER), "/embedded.text"),
        ("page.pdf", page, "/a.txt"),
        ("packed.pdf", packed_objects, "/b.txt"),
        ("uri.html", format!("<html><a href=\"data:text/plain;base64,{}\">", base64(MARKER)).into_bytes(), "/embedded.text"),
        ("atob.html", html(format!("var x = atob(\"{}\");", base64(&gzip(&[MARKER, [b'x'; 60].as_slice()].concat())))), "/embedded.gzip/embedded"),
        ("numbers.html", html(format!("new Uint8Array([{}])", numbers.join(", "))), "/embedded.zip/a.txt"),
        ("picture.svg", format!("<svg onload=x><image href='data:a/b;base64,{}'/></svg>", base64(MARKER)).into_bytes(), "/embedded.text"),
        (
            "meeting.ics",
            format!("BEGIN:VCALENDAR\r\nATTACH;ENCODING=BASE64;VALUE=BINARY;X-FILENAME=\"a.txt\":{}\r\n {}\r\nEND:VCALENDAR\r\n", &base64(MARKER)[..8], &base64(MARKER)[8..]).into_bytes(),
            "/a.txt",
        ),
    ]
}
