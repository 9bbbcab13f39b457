//! The configuration file: raw text to checked settings, with diagnostics. Each room owns its own settings struct.

pub mod diagnostic;
pub mod malware;
pub mod reader;
pub mod spam;
