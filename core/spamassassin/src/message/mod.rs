//! A message as rules of SpamAssassin see it.

pub(crate) mod address;
mod color;
pub(crate) mod date;
pub(crate) mod domains;
mod encoding;
pub(crate) mod header;
mod html;
pub(crate) mod mime;
pub(crate) mod networks;
pub(crate) mod page;
pub(crate) mod received;
mod style;
mod text;
mod uri;
mod view;

pub(crate) use text::Texts;
pub(crate) use view::Message;
