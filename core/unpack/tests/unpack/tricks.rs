//! Tricks are told, and their harmless twins are not.

use crate::{made::*, report, report_of};
use mailward_unpack::{Bound, Bounds, FileKind, Found, Language, Sign, candidates, language, name};

#[test]
fn an_archive_without_directory_is_read_by_its_headers() {
    let members =
        [member("a.txt", MARKER), Member { streamed: true, ..member("b.exe", MARKER) }, member("c.txt", MARKER)];
    let report = report("a.zip", &zip_without_directory(&members));
    assert_eq!(report.marked, ["a.zip/a.txt", "a.zip/b.exe", "a.zip/c.txt"], "{report:?}");
    assert!(report.has(Sign::Inconsistent));
}

#[test]
fn a_member_that_the_directory_hides_is_found() {
    let hidden = Member { listed: false, ..member("b.exe", MARKER) };
    let report = report("a.zip", &zip_of(&[member("a.txt", b"words"), hidden, member("c.txt", b"words")]));
    assert_eq!(report.marked, ["a.zip/b.exe"], "{report:?}");
    assert!(report.has(Sign::Inconsistent));
}

#[test]
fn a_member_with_two_names_is_told() {
    let two = Member { local_name: Some("b.exe".into()), ..member("b.txt", MARKER) };
    let report = report("a.zip", &zip_of(&[two]));
    assert!(report.has(Sign::Inconsistent) && report.paths.contains(&"a.zip/b.exe".to_owned()), "{report:?}");
}

#[test]
fn an_ordinary_archive_is_no_trick() {
    // A stored archive in an archive: headers that the directory of the outer one does not list.
    let inner = zip_of(&[member("a.txt", MARKER), member("b.txt", b"words")]);
    let stored = Member { deflate: false, ..member("inner.zip", &inner) };
    let report = report("outer.zip", &zip_of(&[stored, member("c.txt", b"words")]));
    assert!(report.signs.is_empty() && report.cuts.is_empty(), "{report:?}");
    assert_eq!(report.marked, ["outer.zip/inner.zip", "outer.zip/inner.zip/a.txt"][1..]);
}

#[test]
fn an_archive_behind_another_file_is_found() {
    let archive = zip("a.txt", MARKER);
    for (outer, head) in [
        ("a.png", &b"\x89PNG\r\n\x1a\n picture"[..]),
        ("a.pdf", b"%PDF-1.4\n1 0 obj\n"),
        ("a.txt", b"words and words\n"),
    ] {
        let report = report(outer, &[head, &archive].concat());
        assert_eq!(report.marked.last(), Some(&format!("{outer}/a.txt")), "{report:?}");
        assert!(report.has(Sign::Polyglot), "{report:?}");
    }
    let program = report("a.exe", b"MZ program that reads archives: PK\x03\x04 PK\x01\x02 PK\x05\x06 and more words");
    assert!(program.signs.is_empty() && program.cuts.is_empty(), "{program:?}");
    let report = report("a.jpg", &[&b"\xff\xd8\xff picture"[..], &rar5("a.txt", MARKER)].concat());
    assert!(report.has(Sign::Polyglot) && report.marked.contains(&"a.jpg/a.txt".to_owned()), "{report:?}");
}

#[test]
fn an_archive_behind_an_archive_is_found() {
    let evil = zip("evil.txt", MARKER);
    let fixed = {
        // Offsets that count from the start of the whole file.
        let head = rar5("a.txt", b"words");
        let mut evil = evil.clone();
        let row = evil.windows(4).position(|window| window == b"PK\x01\x02").expect("a directory");
        evil[row + 42..row + 46].copy_from_slice(&(head.len() as u32).to_le_bytes());
        let end = evil.len() - 6;
        evil[end..end + 4].copy_from_slice(&((head.len() + row) as u32).to_le_bytes());
        [head, evil].concat()
    };
    let behind = |head: &[u8]| [head, &evil].concat();
    for file in [
        fixed,
        behind(&rar5("a.txt", b"words")),
        behind(include_bytes!("../fixtures/copy.7z")),
        behind(include_bytes!("../fixtures/store.cab")),
        behind(&compound(&[("a", b"words")])),
        behind(&tar("a.txt", b"words")),
        behind(&tnef("a.txt", b"words")),
    ] {
        let report = report("a.zip", &file);
        assert!(report.has(Sign::Polyglot) && report.marked.contains(&"a.zip/evil.txt".to_owned()), "{report:?}");
    }
    // One that is a member is none.
    for file in [rar5("b.zip", &evil), compound(&[("Package", &evil)]), tar("b.zip", &evil), tnef("b.zip", &evil)] {
        let report = report("a.bin", &file);
        assert_eq!((report.signs, report.cuts), (vec![], vec![]));
    }
}

#[test]
fn a_byte_before_an_archive_hides_nothing() {
    let sevenzip: &[u8] = include_bytes!("../fixtures/copy.7z");
    for archive in [&rar5("inner.txt", MARKER), sevenzip] {
        let report = report("a.bin", &[b"\0", archive].concat());
        assert!(report.has(Sign::Polyglot) && report.marked.contains(&"a.bin/inner.txt".to_owned()), "{report:?}");
    }
}

#[test]
fn containers_without_a_mark_are_known() {
    let mut old = tar("a.txt", MARKER);
    old[257..265].fill(0);
    old[148..156].fill(b' ');
    let sum: u32 = old[..512].iter().map(|byte| u32::from(*byte)).sum();
    old[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    assert_eq!(report("a.bin", &old).marked.last().map(String::as_str), Some("a.bin/a.txt"));
    let mut disk = vec![0; 4_096];
    disk[450] = 6;
    disk[454] = 1;
    disk[458] = 7;
    disk[510..512].copy_from_slice(b"\x55\xaa");
    assert_eq!(FileKind::of(&disk), FileKind::Disk);
    assert_eq!(FileKind::of(&[&[0; 4_096][..], b"conectix", &[0; 504]].concat()), FileKind::Vhd);
    assert_eq!(FileKind::of(&[0; 4_096]), FileKind::Data);
}

#[test]
fn what_no_password_opens_is_told_with_its_names() {
    let (name, content) = crate::samples::fixtures().find(|(name, _)| *name == "aes256.zip").expect("a fixture");
    let report = report_of(name, content, &candidates("no word for it"), &Bounds::default());
    assert!(report.has(Sign::Encrypted), "{report:?}");
    assert_eq!(report.locked, ["aes256.zip/inner.txt"]);
}

#[test]
fn macros_are_judged_by_what_they_do() {
    const STARTS: &str = "Sub AutoOpen()\r\n";
    const RUNS: &str = "x = Shell(\"calc\", 1)\r\n";
    const HARMLESS: &str = "Sub Total()\r\nMsgBox \"In a nutshell (see below): AutoOpen is a name\"\r\nEnd Sub\r\n";
    let signs = |source: &str| {
        let project = project(source);
        let old = report("a.doc", &project);
        let new = report("a.docm", &ooxml(&[("word/vbaProject.bin", &project)]));
        let of = |report: &crate::Report| report.signs.iter().map(|(_, sign)| *sign).collect::<Vec<_>>();
        assert_eq!(of(&old), of(&new));
        assert!(old.paths.contains(&"a.doc/Module1.bas".to_owned()), "{old:?}");
        of(&old)
    };
    assert_eq!(signs(HARMLESS), [Sign::Macro]);
    assert_eq!(signs(&format!("{STARTS}MsgBox 1\r\nEnd Sub")), [Sign::Macro, Sign::MacroAutostart]);
    assert_eq!(signs(&format!("Sub Total()\r\n{RUNS}End Sub")), [Sign::Macro, Sign::MacroDangerous]);
    for harmless in [
        "' the shell (of the program) starts\r\nRem Shell \"x\"\r\n",
        "MsgBox \"The shell is closed\"\r\n",
        "Dim shell As Object\r\nSet shell = x\r\nshell.Show\r\n",
    ] {
        let signs = signs(&format!("{STARTS}{harmless}End Sub"));
        assert_eq!(signs, [Sign::Macro, Sign::MacroAutostart], "{harmless}");
    }
    let add_in = "CreateObject(\"MSXML2.XMLHTTP\").Open\r\nRtlMoveMemory a, b, 4\r\n";
    assert_eq!(signs(&format!("{STARTS}{add_in}End Sub")), [Sign::Macro, Sign::MacroAutostart, Sign::MacroDangerous]);
    let all = [Sign::Macro, Sign::MacroAutostart, Sign::MacroDangerous, Sign::MacroDropper];
    for runs in [
        RUNS,
        "x = \"it's\": Shell \"calc\"\r\n",
        "x = ['Sheet 1'!A1]: Shell y\r\n",
        "Shell _\r\n \"calc\"\r\n",
        "CreateObject(\"WScript.Shell\").Run x\r\n",
    ] {
        assert_eq!(signs(&format!("{STARTS}{runs}End Sub")), all, "{runs}");
    }
}

#[test]
fn macros_of_open_document_files_are_judged() {
    let of = |module: &str, content: &str| {
        let module = format!("<?xml version=\"1.0\"?><script:module>{module}</script:module>");
        let members = [
            Member { deflate: false, ..member("mimetype", b"application/vnd.oasis.opendocument.text") },
            member("Basic/Standard/Module1.xml", module.as_bytes()),
            member("content.xml", content.as_bytes()),
        ];
        report("a.odt", &zip_of(&members)).signs.into_iter().map(|(_, sign)| sign).collect::<Vec<_>>()
    };
    let starts = "<script:event-listener script:event-name=\"dom:load\" xlink:href=\"vnd.sun.star.script:x\"/>";
    assert_eq!(of("Sub Main\nEnd Sub", "<office:text/>"), [Sign::Macro]);
    assert_eq!(
        of("Sub Main\nShell(\"x\")\nEnd Sub", starts),
        [Sign::Macro, Sign::MacroDangerous, Sign::MacroAutostart]
    );
}

#[test]
fn the_source_of_macros_is_unpacked() {
    let source = "Sub A()\r\n' MAILWARD-MARKER harmless and as long as it must be\r\nEnd Sub\r\n";
    let report = report("a.xls", &project(source));
    assert_eq!(report.marked, ["a.xls/Module1.bas"], "{report:?}");
}

#[test]
fn macros_of_excel_4_are_told() {
    let sheet = |kind: u8| {
        let mut stream = b"\x09\x08\x02\x00\x00\x06".to_vec();
        stream.extend([0x85, 0, 10, 0, 0, 0, 0, 0, 0, kind, 2, 0, b'S', b'1']);
        compound(&[("Workbook", &stream)])
    };
    assert!(report("a.xls", &sheet(1)).has(Sign::Xlm));
    assert!(!report("a.xls", &sheet(0)).has(Sign::Xlm));
    assert!(report("a.xlsm", &ooxml(&[("xl/macrosheets/sheet1.xml", b"<xm:macrosheet/>")])).has(Sign::Xlm));
    assert!(!report("a.xlsx", &ooxml(&[("xl/worksheets/sheet1.xml", b"<worksheet/>")])).has(Sign::Xlm));
}

#[test]
fn templates_from_elsewhere_are_told_and_links_are_not() {
    let rels = |kind: &str, target: &str| {
        let text = format!(
            "<Relationships><Relationship Id=\"r\" Type=\"http://schemas/{kind}\" Target=\"{target}\" TargetMode=\"External\"/></Relationships>"
        );
        report("a.docx", &ooxml(&[("word/_rels/settings.xml.rels", text.as_bytes())]))
    };
    assert!(rels("attachedTemplate", "https://x.test/t.dotm").has(Sign::Remote));
    assert!(rels("oleObject", "mhtml:https://x.test/t.html!x").has(Sign::Remote));
    assert!(rels("attachedTemplate", "&#104;ttps://x.test/t.dotm").has(Sign::Remote));
    for spelling in ["<r:Relationship ", "<Relationship\n", "<Relationship Id=\">\" "] {
        let text = format!("{spelling}Type=\"x/attachedTemplate\" Target=\"http://x.test/\" TargetMode=\"External\"/>");
        for bytes in [text.clone().into_bytes(), [&b"\xff\xfe"[..], &wide(&text)].concat()] {
            assert!(report("a.docx", &ooxml(&[("word/_rels/a.rels", &bytes)])).has(Sign::Remote), "{spelling}");
        }
    }
    assert!(!rels("hyperlink", "https://x.test/").has(Sign::Remote));
    assert!(rels("attachedTemplate", "\\\\8.8.8.8\\x\\t.dotm").has(Sign::Remote));
    assert!(rels("attachedTemplate", "file://///x.test@80/t.dotm").has(Sign::Remote));
    for local in ["Normal.dotm", "file:///C:\\Users\\x\\Letter.dotx", "file://C:/x.dotx", "C:\\x.dotx"] {
        assert_eq!(rels("attachedTemplate", local).signs, [], "{local}");
    }
    for share in ["file:///\\\\server\\x.xlsx", "\\\\10.1.2.3\\x.dotx", "file://server/x.dotx"] {
        let signs = rels("package", share).signs.into_iter().map(|(_, sign)| sign).collect::<Vec<_>>();
        assert_eq!(signs, [Sign::Share], "{share}");
    }
    assert!(report("a.rtf", b"{\\rtf1{\\*\\template \\\\\\\\server\\\\a.dot}}").has(Sign::Share));
    assert!(report("a.rtf", b"{\\rtf1{\\*\\template http://x.test/a}}").has(Sign::Remote));
    assert!(!report("a.rtf", b"{\\rtf1{\\*\\template C:\\\\Normal.dot}}").has(Sign::Remote));
}

#[test]
fn an_archive_is_no_document_by_an_empty_member() {
    let empty = zip_of(&[member("a.exe", b"MZ"), member("mimetype", b"")]);
    let document = zip_of(&[
        Member { deflate: false, ..member("mimetype", b"application/vnd.oasis.opendocument.text") },
        member("a.exe", b"MZ"),
    ]);
    for (file, expected) in [(empty, false), (document, true)] {
        let mut parts = Vec::new();
        let files = std::iter::once(("a.zip", file.as_slice()));
        mailward_unpack::unpack(files, &Vec::new, &Bounds::default(), &mut |_, found| {
            if let mailward_unpack::Found::File(file) = found {
                parts.extend((file.name == "a.exe").then_some(file.part_of_document));
            }
        });
        assert_eq!(parts, [expected]);
    }
}

#[test]
fn pages_in_disguise_are_read() {
    let page = format!("<html><script>var b = atob('{}');</script>", base64(&zip("a.txt", &[b'x'; 99])));
    let utf16 = [&b"\xff\xfe"[..], &wide(&page)].concat();
    for file in [format!("BM{page}").into_bytes(), format!("GIF8{page}").into_bytes(), utf16] {
        assert!(report("a.html", &file).has(Sign::Smuggled));
    }
}

#[test]
fn fields_that_start_programs_are_told() {
    let word = |text: &str| report("a.docx", &ooxml(&[("word/document.xml", text.as_bytes())]));
    assert!(
        word("<w:instrText>DDE</w:instrText><w:instrText xml:space=\"p\">AUTO c:\\cmd</w:instrText>").has(Sign::Dde)
    );
    assert!(word("<w:fldSimple w:instr=\" DDEAUTO cmd \"/>").has(Sign::Dde));
    assert!(!word("<w:instrText>PAGE</w:instrText><w:t>DDEAUTO is old</w:t>").has(Sign::Dde));
    let excel = |service: &str| {
        let text = format!("<externalLink><ddeLink ddeService=\"{service}\" ddeTopic=\"x\"/></externalLink>");
        report("a.xlsx", &ooxml(&[("xl/externalLinks/externalLink1.xml", text.as_bytes())]))
    };
    assert!(excel("cmd").has(Sign::Dde));
    assert!(!excel("Prices").has(Sign::Dde));
}

#[test]
fn torn_digits_of_an_object_are_put_together() {
    let whole = rtf("Package", &packager("a.txt", MARKER), |_| "");
    let text = String::from_utf8(whole).expect("digits");
    for (from, to) in [("objdata 0105", "objdata{0105"), ("\\objdata 0105", "\\objdata 0105{\\x\\*\\objdata 0105")] {
        let file = text.replace(from, to).replace("}}}}", "}}}}}");
        assert_eq!(report("a.doc", file.as_bytes()).marked, ["a.doc/a.txt"], "{to}");
    }
    for tear in ["\r\n", "{\\ignored 41}", "\\x ", "\\'41"] {
        let file = rtf("Package", &packager("a.txt", MARKER), |at| if at % 7 == 3 { tear } else { "" });
        let report = report("a.doc", &file);
        assert_eq!(report.marked, ["a.doc/a.txt"], "{tear}: {report:?}");
    }
}

#[test]
fn actions_of_a_pdf_are_told() {
    let of = |object: &str| report("a.pdf", &pdf(&[object.as_bytes().to_vec()]));
    assert!(of("<< /OpenAction << /S /JavaScript /JS (app.alert\\(1\\)) >> >>").has(Sign::PdfScript));
    assert!(of("<< /OpenAction << /S /Java#53cript /J#53 (app.alert) >> >>").has(Sign::PdfScript));
    assert!(of("<< /S /Launch /Win << /F (cmd.exe) >> >>").has(Sign::PdfLaunch));
    let link = of("<< /Type /Annot /A << /S /URI /URI (https://x.test/Launch) >> >>");
    assert!(link.signs.is_empty(), "{link:?}");
    let script = of("<< /S /JavaScript /JS (// MAILWARD-MARKER harmless) >>");
    assert_eq!(script.marked, ["a.pdf", "a.pdf/script-0.js"], "{script:?}");
    let packed = pdf(&[b"<< /S /JavaScript /JS 2 0 R >>".to_vec(), pdf_stream("/Filter /FlateDecode", &zlib(MARKER))]);
    assert_eq!(report("a.pdf", &packed).marked, ["a.pdf/script-2.js"]);
}

#[test]
fn streams_of_a_pdf_are_found_however_they_are_written() {
    let file = b"<< /Type /Filespec /F (a.txt) /EF << /F 2 0 R >> >>".to_vec();
    let long = format!("/X ({}) /Filter /FlateDecode", "x".repeat(9_000));
    for (dictionary, data) in [
        ("", MARKER.to_vec()),
        ("/Type /EmbeddedFile /Filter 7 0 R", zlib(MARKER)),
        ("/Type /EmbeddedFile /Filter%x\n/FlateDecode", zlib(MARKER)),
        ("/Type /EmbeddedFile", [&b"endstream endobj "[..], MARKER].concat()),
        (&long, zlib(MARKER)),
    ] {
        let report = report("a.pdf", &pdf(&[file.clone(), pdf_stream(dictionary, &data)]));
        assert!(report.marked.contains(&"a.pdf/a.txt".to_owned()), "{dictionary}: {report:?}");
    }
    // An object inside the data of a stream: the table may lead to it.
    let hidden = pdf_stream("", b"endstream endobj 5 0 obj << /S /Launch /F (cmd.exe) >>");
    assert!(report("a.pdf", &pdf(&[hidden])).has(Sign::PdfLaunch));
    // Objects behind a packed stream of junk.
    let packed = |content: &[u8]| pdf_stream("/Type /ObjStm /Filter /FlateDecode", &zlib(content));
    let report = report("a.pdf", &pdf(&[packed(&vec![b' '; 20 << 20]), packed(b"<< /S /Launch /F (cmd.exe) >>")]));
    assert!(report.has(Sign::PdfLaunch) && !report.cuts.is_empty(), "{report:?}");
}

#[test]
fn what_a_shortcut_runs_is_told() {
    let report_with = report("a.lnk", &shortcut("..\\cmd.exe", "/c start x"));
    assert!(report_with.has(Sign::ShortcutCommand) && report_with.paths == ["a.lnk/command"], "{report_with:?}");
    assert!(!report("a.lnk", &shortcut("..\\notes.txt", "")).has(Sign::ShortcutCommand));
}

#[test]
fn files_that_a_page_builds_are_told_and_pictures_are_not() {
    let page = |script: &str| report("a.html", format!("<html><script>{script}</script></html>").as_bytes());
    let archive = base64(&zip("a.txt", &[b'x'; 99]));
    assert!(page(&format!("var b = atob('{archive}');")).has(Sign::Smuggled));
    let picture = report("a.html", b"<html><img src=\"data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAE=\">");
    assert!(!picture.has(Sign::Smuggled) && picture.paths == ["a.html/embedded.image"], "{picture:?}");
    assert!(report("a.svg", b"<svg><script>alert(1)</script></svg>").has(Sign::PictureScript));
    assert!(!report("a.svg", b"<svg><path d=\"M0 0\"/></svg>").has(Sign::PictureScript));
}

#[test]
fn the_first_sign_of_each_kind_is_told_whatever_went_before() {
    let broken = (0..1_100).map(|n| member(&format!("{n}.gz"), b"\x1f\x8b\x08"));
    let dropper = project("Sub AutoOpen()\r\nShell(\"calc\")\r\nEnd Sub\r\n");
    let members: Vec<Member> = broken.chain([member("a.doc", &dropper), member("b.ace", b"1234567**ACE**")]).collect();
    let report = report("a.zip", &zip_of(&members));
    assert!(report.has(Sign::MacroDropper) && report.cuts.contains(&Bound::Method), "{:?}", report.signs);
    assert!(report.cuts.len() < 1_100);
}

#[test]
fn identifiers_in_links_are_no_files() {
    // `MZ` and ARJ's mark, as one in 30,000 identifiers begins.
    for start in [&b"MZ"[..], b"\x60\xea"] {
        let identifier = base64(&[start, &[0xb5; 96]].concat());
        let page =
            format!("<html><script type=\"application/ld+json\">{{}}</script><a href=\"https://x.test/{identifier}\">");
        let report = report("a.html", page.as_bytes());
        assert!(report.signs.is_empty() && report.cuts.is_empty(), "{report:?}");
    }
}

#[test]
fn a_directory_longer_than_the_bound_hides_nothing() {
    let members: Vec<Member> = (0..50).map(|n| member(&format!("{n}.txt"), b"words")).collect();
    let bounds = Bounds { files: 20, ..Bounds::default() };
    let report = report_of("a.zip", &zip_of(&members), &[], &bounds);
    assert_eq!((report.signs, report.cuts), (vec![], vec![Bound::Files]));
    // Folders count for none.
    let folders: Vec<Member> = (0..50).map(|n| Member { deflate: false, ..member(&format!("{n}/"), b"") }).collect();
    let all = [folders, vec![member("a.txt", MARKER)]].concat();
    assert_eq!(report_of("a.zip", &zip_of(&all), &[], &bounds).marked, ["a.zip/a.txt"]);
}

#[test]
fn what_breaks_off_is_read_as_far_as_it_goes() {
    let content = [MARKER, &vec![b'x'; 100_000]].concat();
    let whole: Vec<(&str, Vec<u8>)> =
        vec![("a.txt.gz", gzip(&content)), ("a.tar", tar("a.txt", &content)), ("a.zip", zip("a.txt", &content))];
    for (name, file) in whole {
        let report = report(name, &file[..file.len() * 2 / 3]);
        assert!(!report.marked.iter().all(|path| path == name), "{name}: {report:?}");
        assert!(report.cuts.contains(&Bound::Damage) || report.has(Sign::Inconsistent), "{name}: {report:?}");
    }
}

#[test]
fn an_unknown_method_is_told() {
    let report = report("ppmd.7z", include_bytes!("../fixtures/ppmd.7z"));
    assert_eq!((report.cuts, report.locked.len()), (vec![Bound::Method], 0));
    assert_eq!(report.paths, ["ppmd.7z/inner.txt"], "its name is told all the same");
    let mut unknown = zip("a.exe", MARKER);
    let row = unknown.windows(4).position(|window| window == b"PK\x01\x02").expect("a directory");
    (unknown[8], unknown[row + 10]) = (98, 98);
    let report = crate::report("a.zip", &unknown);
    assert_eq!((report.cuts, report.paths), (vec![Bound::Method], vec!["a.zip/a.exe".to_owned()]));
}

#[test]
fn names_cannot_break_out_of_their_path() {
    let report = report("a.zip", &zip("/../../x\r\n\u{202e}y.txt", MARKER));
    assert_eq!(report.marked, ["a.zip/../../x\u{fffd}\u{fffd}\u{202e}y.txt"]);
    assert!(name::has_bidi_override(&report.marked[0]));
    let long = "n".repeat(5_000) + ".exe";
    let report = crate::report("a.zip", &zip(&long, MARKER));
    assert!(report.marked[0].len() < 300 && report.marked[0].ends_with(".exe"));
}

#[test]
fn scripts_in_archives_are_known_by_their_content() {
    let script = b"@echo off\r\nstart x\r\n";
    assert_eq!((FileKind::of(script), language(script)), (FileKind::Text, Some(Language::Batch)));
}

#[test]
fn a_row_that_leads_beyond_all_numbers_loses_no_other() {
    // Behind something else, all offsets are moved: the largest of ZIP64 would overflow.
    let mut file = [b"before".as_slice(), &zip64("a.txt", MARKER)].concat();
    let row = file.windows(4).position(|window| window == b"PK\x01\x02").expect("a directory");
    file[row + 46 + 5 + 4 + 16..][..8].fill(0xff);
    file[row + 46 + 5 + 4 + 16] = 0xf0;
    let report = report("a.zip", &file);
    assert!(!report.cuts.contains(&Bound::Parser) && report.paths == ["a.zip/a.txt"], "{report:?}");
}

#[test]
fn a_panic_of_the_caller_is_not_taken_for_a_parsers() {
    let file = zip("a.zip", &zip("a.txt", MARKER));
    let result = std::panic::catch_unwind(|| {
        let mut each = |_, found: Found<'_>| {
            if let Found::File(file) = found
                && file.depth == 2
            {
                panic!("the rules");
            }
        };
        mailward_unpack::unpack(std::iter::once(("a.zip", file.as_slice())), &Vec::new, &Bounds::default(), &mut each);
    });
    assert!(result.is_err());
}
