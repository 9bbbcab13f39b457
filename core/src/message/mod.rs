//! Bytes to parts, text, links and attachments, within bounds.

mod facts;

pub use facts::{AttachmentFacts, MessageFacts};
