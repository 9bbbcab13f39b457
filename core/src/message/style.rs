//! Whether HTML text is shown, by inline styles and old attributes.

/// What an element passes on to the text inside it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Look {
    /// Taken off the page; nothing inside can undo it.
    removed: bool,
    /// Made invisible or too small; an element inside may undo it.
    invisible: bool,
    tiny: bool,
    from_right: bool,
    overrides_direction: bool,
    colour: Option<u32>,
    background: Option<u32>,
}

/// Smallest font that can be read. Unit: CSS pixels. Source: our own limit.
const READABLE_PIXELS: f32 = 2.0;
/// How much the channels of two colours must differ in sum to be told apart. Source: our own limit, of 765.
const COLOUR_DISTANCE: u32 = 24;

impl Look {
    /// Whether text with this look is not seen.
    pub(super) fn hides(self) -> bool {
        let same = match (self.colour, self.background) {
            (Some(text), Some(back)) => distance(text, back) < COLOUR_DISTANCE,
            _ => false,
        };
        self.removed || self.invisible || self.tiny || same
    }

    /// Whether Latin text with this look is displayed backwards.
    pub(super) fn reverses(self) -> bool {
        self.from_right && self.overrides_direction
    }

    /// Applies the element `bdo`, whose direction holds for every letter.
    pub(super) fn override_direction(&mut self) {
        self.overrides_direction = true;
    }

    /// Applies one attribute of an element.
    pub(super) fn attribute(&mut self, name: &[u8], value: &str) {
        match name {
            b"hidden" => self.removed = true,
            b"bgcolor" => self.background = colour(value),
            b"background" => self.background = None,
            b"color" | b"text" => self.colour = colour(value),
            b"dir" => self.from_right = value.trim().eq_ignore_ascii_case("rtl"),
            b"style" => self.style(value),
            _ => {}
        }
    }

    fn style(&mut self, style: &str) {
        let lower = style.to_ascii_lowercase();
        let (mut no_room, mut clipped) = (false, false);
        for declaration in lower.split(';') {
            let Some((property, value)) = declaration.split_once(':') else { continue };
            let value = value.trim().trim_end_matches("!important").trim();
            match property.trim() {
                "display" => self.removed |= value == "none",
                "visibility" => self.invisible = matches!(value, "hidden" | "collapse"),
                "opacity" => self.removed |= value.trim_end_matches('%').parse::<f32>().is_ok_and(|o| o < 0.05),
                "font-size" => self.tiny = pixels(value).is_some_and(|size| size < READABLE_PIXELS),
                "color" => self.colour = colour(value),
                "background-color" => self.background = colour(value),
                "background" | "background-image" => {
                    self.background = if value.contains("url(") { None } else { value.split(' ').find_map(colour) };
                }
                "height" | "max-height" | "width" | "max-width" => no_room |= pixels(value).is_some_and(|p| p < 1.0),
                "overflow" => clipped |= value == "hidden",
                "direction" => self.from_right = value == "rtl",
                "unicode-bidi" => self.overrides_direction = value.ends_with("override"),
                "text-indent" => self.removed |= pixels(value).is_some_and(|p| p < -500.0),
                _ => {}
            }
        }
        self.removed |= no_room && clipped;
    }
}

fn pixels(value: &str) -> Option<f32> {
    let end = value.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-'))).unwrap_or(value.len());
    let number: f32 = value[..end].parse().ok()?;
    match value[end..].trim() {
        "px" | "" => Some(number),
        "pt" => Some(number * 4.0 / 3.0),
        "em" | "rem" => Some(number * 16.0),
        _ if number == 0.0 => Some(0.0),
        _ => None,
    }
}

fn colour(value: &str) -> Option<u32> {
    let value = value.trim().to_ascii_lowercase();
    if let Some(hex) = value.strip_prefix('#') {
        let number = u32::from_str_radix(hex, 16).ok()?;
        return match hex.len() {
            3 => Some((number >> 8 & 15) * 0x11_0000 + (number >> 4 & 15) * 0x1100 + (number & 15) * 0x11),
            6 => Some(number),
            _ => None,
        };
    }
    if let Some(channels) = value.strip_prefix("rgb(").and_then(|v| v.strip_suffix(')')) {
        let mut parts = channels.split(',').map(|c| c.trim().parse::<u32>().ok().filter(|&c| c < 256));
        return Some(parts.next()?? << 16 | parts.next()?? << 8 | parts.next()??);
    }
    match value.as_str() {
        "white" => Some(0xff_ffff),
        "black" => Some(0),
        _ => None,
    }
}

fn distance(a: u32, b: u32) -> u32 {
    [16, 8, 0].iter().map(|shift| (a >> shift & 255).abs_diff(b >> shift & 255)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hides(style: &str) -> bool {
        let mut look = Look::default();
        look.attribute(b"style", style);
        look.hides()
    }

    #[test]
    fn styles_that_hide_text_are_seen_and_ordinary_ones_are_not() {
        for style in [
            "display:none",
            "DISPLAY : none !important; color: red",
            "font-size:1px",
            "font-size: 0",
            "color:#fff;background:#FEFEFE",
            "color:rgb(255,255,255); background-color: white",
            "max-height:0;overflow:hidden",
            "opacity:0",
            "text-indent:-9999px",
        ] {
            assert!(hides(style), "{style}");
        }
        for style in
            ["color:#fff", "font-size:12px", "color:#fff;background:url(x.png) #fff", "max-height:0", "height:1px"]
        {
            assert!(!hides(style), "{style}");
        }
    }

    #[test]
    fn latin_text_is_reversed_only_where_its_direction_is_overridden() {
        let reverses = |style: &str| {
            let mut look = Look::default();
            look.attribute(b"style", style);
            look.reverses()
        };
        assert!(reverses("unicode-bidi: bidi-override; direction: rtl"));
        assert!(!reverses("direction: rtl"), "ordinary Arabic and Hebrew mail");
        assert!(!reverses("unicode-bidi: embed; direction: rtl"));
    }

    #[test]
    fn a_readable_element_inside_a_zero_font_is_shown() {
        let mut look = Look::default();
        look.attribute(b"style", "font-size:0");
        look.attribute(b"style", "font-size:14px");
        assert!(!look.hides());
    }
}
