//! The configuration file: raw text to checked settings, with diagnostics. Each room owns its own settings struct.

pub mod diagnostic;
pub mod policy;
pub mod reader;
pub mod score;
