//! The configuration file: raw text to checked settings, with diagnostics. Each room owns its own settings struct.

pub mod authentication;
pub mod diagnostic;
pub mod dns;
pub mod reader;
pub mod reputation;
#[cfg(test)]
pub(crate) mod testing;
