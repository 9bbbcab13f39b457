//! Notes in place of files.

use super::{DAMAGED, Piece, quoted, repeats_a_field, undamaged, unsealed};
use crate::message::parse::is_container;
use mail_parser::{Message, Source};
use std::collections::BTreeMap;

/// The notes in place of the parts of these places among the leaves. All of them are there, or it is an error.
pub(super) fn pieces<'m>(
    parsed: &'m Message<'m>,
    notices: &BTreeMap<usize, String>,
) -> Result<Vec<Piece<'m>>, &'static str> {
    let mut pieces = Vec::new();
    // Where a part has two types, another reader may find other files than we.
    if !notices.is_empty() && parsed.parts().any(|part| repeats_a_field(&part)) {
        return Err(DAMAGED);
    }
    for (place, part) in parsed.parts().filter(|part| !is_container(part)).enumerate() {
        let Some(notice) = notices.get(&place) else { continue };
        if part.message().container().is_some() {
            if !matches!(part.message().source(), Source::Raw) {
                return Err("the file is inside an encoded message");
            }
            let all: Vec<_> = parsed.parts().collect();
            unsealed(&all)?;
            undamaged(&all)?;
        }
        // A reader shows the last alternative that it can, so the note would hide the text.
        if part.parent().is_some_and(|parent| parent.is_content_type("multipart", "alternative")) {
            return Err("the file stands for the text");
        }
        pieces.push(Piece {
            part,
            content_type: "text/plain; charset=utf-8".to_owned(),
            disposition: Some("inline"),
            text: quoted(notice),
        });
    }
    if pieces.len() == notices.len() { Ok(pieces) } else { Err(DAMAGED) }
}
