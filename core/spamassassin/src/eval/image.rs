//! Questions about pictures.

use super::{Evaluation, Function};

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("image_count", |e, call| call.number(1).is_some() && call.reaches_up_to(e.images().count(call.text(0)), 1)),
    ("pixel_coverage", |e, call| call.number(1).is_some() && call.reaches_up_to(e.images().area(call.text(0)), 1)),
    ("image_to_text_ratio", |e, call| {
        let (text, area) =
            (e.message.texts.body.iter().map(Vec::len).sum::<usize>() as f64, e.images().area(call.text(0)));
        text > 0.0 && area > 0.0 && call.reaches_below(text / area, 1)
    }),
    ("image_named", |e, call| e.images().0.iter().any(|image| image.name.as_deref() == Some(call.text(0)))),
    ("image_size_exact", |e, call| {
        e.images().of(call.text(0)).any(|image| {
            image.height > 0
                && call.number(1) == Some(f64::from(image.height))
                && call.number(2) == Some(f64::from(image.width))
        })
    }),
    ("image_size_range", |e, call| {
        e.images().of(call.text(0)).any(|image| {
            let (height, width) = (f64::from(image.height), f64::from(image.width));
            image.height > 0
                && call.number(1).is_some_and(|low| height >= low)
                && call.number(2).is_some_and(|low| width >= low)
                && call.number(3).is_none_or(|high| height <= high)
                && call.number(4).is_none_or(|high| width <= high)
        })
    }),
];

#[derive(Debug, Default)]
pub(super) struct Images(Vec<Image>);

#[derive(Debug)]
struct Image {
    kind: &'static str,
    name: Option<String>,
    /// Unit: pixels; 0 if it cannot be told.
    width: u32,
    height: u32,
}

impl Images {
    fn of<'i>(&'i self, kind: &'i str) -> impl Iterator<Item = &'i Image> {
        self.0.iter().filter(move |image| kind == "all" || image.kind == kind)
    }

    fn count(&self, kind: &str) -> f64 {
        self.of(kind).count() as f64
    }

    fn area(&self, kind: &str) -> f64 {
        self.of(kind).map(|image| f64::from(image.width) * f64::from(image.height)).sum()
    }
}

impl Evaluation<'_> {
    fn images(&self) -> &Images {
        self.images.get_or_init(|| {
            let tree = &self.message.tree;
            let images = tree.leaves().into_iter().filter_map(|index| {
                let part = &tree.parts[index];
                let kind = match part.content_type.kind.as_str() {
                    "image/gif" => "gif",
                    "image/png" => "png",
                    "image/jpeg" | "image/jpg" => "jpeg",
                    _ => return None,
                };
                let encoding = part.fields.last("content-transfer-encoding").unwrap_or_default();
                if !encoding.eq_ignore_ascii_case(b"base64") {
                    return None;
                }
                let (width, height) = size(kind, &tree.decoded(index)).unwrap_or_default();
                Some(Image { kind, name: part.name.clone(), width, height })
            });
            Images(images.collect())
        })
    }
}

/// Width and height as the file says.
fn size(kind: &str, file: &[u8]) -> Option<(u32, u32)> {
    let big = |at: usize| Some(u32::from_be_bytes(file.get(at..at + 4)?.try_into().ok()?));
    match kind {
        "gif" => {
            let little = |at: usize| Some(u32::from(u16::from_le_bytes(file.get(at..at + 2)?.try_into().ok()?)));
            file.starts_with(b"GIF8").then_some(())?;
            Some((little(6)?, little(8)?))
        }
        "png" => {
            (file.starts_with(b"\x89PNG\r\n\x1a\n") && file.get(12..16) == Some(b"IHDR")).then_some(())?;
            Some((big(16)?, big(20)?))
        }
        _ => jpeg(file),
    }
}

fn jpeg(file: &[u8]) -> Option<(u32, u32)> {
    let short = |at: usize| Some(u16::from_be_bytes(file.get(at..at + 2)?.try_into().ok()?));
    file.starts_with(b"\xff\xd8").then_some(())?;
    let mut at = 2;
    loop {
        let (mark, length) = (*file.get(at + 1)?, usize::from(short(at + 2)?));
        if file[at] != 0xff || matches!(mark, 0xd9 | 0xda) || length < 2 {
            return None;
        }
        // Start of frame: ITU T.81, table B.1.
        if (0xc0..=0xcf).contains(&mark) && !matches!(mark, 0xc4 | 0xc8 | 0xcc) {
            return Some((u32::from(short(at + 7)?), u32::from(short(at + 5)?)));
        }
        at += 2 + length;
    }
}
