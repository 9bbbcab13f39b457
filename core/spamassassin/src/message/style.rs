//! How text looks on a page: colours, size, and whether it is hidden.

use super::color::{self, Color};

/// How text looks inside an element.
#[derive(Debug, Clone)]
pub(super) struct Style {
    pub(super) tag: &'static str,
    pub(super) foreground: Color,
    pub(super) background: Color,
    pub(super) size: i64,
    pub(super) hidden: bool,
}

/// What a `style` attribute says of text.
pub(super) fn css(value: &str, style: &mut Style, parent: Option<&Style>) {
    for (property, value) in value.split(';').filter_map(|part| part.split_once(':')) {
        let value = value.trim().to_lowercase();
        let value = value
            .strip_suffix("important")
            .map_or(value.as_str(), |rest| rest.trim_end().trim_end_matches('!').trim_end());
        match property.trim().to_lowercase().as_str() {
            "color" => match value {
                "inherit" => {}
                "transparent" => style.foreground = style.background,
                _ => style.foreground = css_color(value),
            },
            "background-color" => match value {
                "inherit" => {}
                "transparent" => style.background = parent.map_or(style.background, |parent| parent.background),
                _ => style.background = css_color(value),
            },
            "background" => {
                // The last layer may end in a colour.
                let layer = value.rsplit_once("),").map_or(value, |(_, layer)| layer);
                if let Some(color) = words_outside_brackets(layer).find_map(color::color) {
                    style.background = Some(color);
                }
            }
            "display" => style.hidden = value == "none",
            "visibility" => style.hidden = value == "hidden",
            _ => {}
        }
    }
}

fn css_color(value: &str) -> Color {
    if value.contains("rgb") {
        let numbers: String = value.chars().filter(|c| c.is_ascii_digit() || *c == ',').collect();
        return color::of_numbers(&numbers);
    }
    color::color(value)
}

fn words_outside_brackets(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_i32;
    text.split(move |c: char| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c.is_ascii_whitespace() && depth <= 0
    })
    .filter(|word| !word.is_empty())
}
