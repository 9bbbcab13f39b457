//! Each format gives its file, by its path, also three levels deep.

use crate::{
    made::*,
    report,
    samples::{FIXTURES, built, fixtures},
};
use mailward_unpack::Sign;

#[test]
fn archives_of_other_programs_give_their_files() {
    for ((name, content), path) in FIXTURES {
        let report = report(name, content);
        assert!(report.marked.iter().any(|marked| marked == path), "{name}: {report:#?}");
    }
}

#[test]
fn formats_give_their_files() {
    for (name, content, path) in built() {
        let report = report(name, &content);
        assert!(report.marked.iter().any(|marked| marked.strip_prefix(name) == Some(path)), "{name}: {report:#?}");
        assert!(report.cuts.is_empty(), "{name}: {report:#?}");
    }
}

/// Every format inside mixed containers.
#[test]
fn files_are_found_three_levels_deep() {
    let files = built().into_iter().map(|(name, content, _)| (name, content));
    let all: Vec<(&str, Vec<u8>)> = files.chain(fixtures().map(|(name, content)| (name, content.to_vec()))).collect();
    for (name, content) in &all {
        let wrapped = [
            ("outer.zip", zip("mail.eml", &mail("in.tgz", &gzip(&tar(name, content))))),
            ("outer.one", onenote(&zip(name, &content[..]))),
            ("winmail.dat", tnef("b.rar", &rar5("c.zip", &zip(name, content)))),
            (
                "outer.docx",
                ooxml(&[("word/embeddings/a.bin", &compound(&[("\u{1}Ole10Native", &native(name, content))]))]),
            ),
        ];
        for (outer, wrapped) in wrapped {
            let report = report(outer, &wrapped);
            let found = report.marked.iter().any(|path| path.contains(name));
            assert!(found, "{name} in {outer}: {report:#?}");
        }
    }
}

#[test]
fn a_password_is_told_by_where_it_stands() {
    let [locked, common] = ["aes256.zip", "legacy.zip"].map(|wanted| {
        let (name, content) = fixtures().find(|(name, _)| *name == wanted).expect("a fixture");
        report(name, content)
    });
    assert!(locked.has(Sign::PasswordTold) && !locked.has(Sign::Encrypted), "{locked:?}");
    assert!(common.has(Sign::PasswordCommon), "{common:?}");
}
