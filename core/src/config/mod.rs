//! The configuration file: raw text to checked settings, with diagnostics. Each room owns its own settings struct.

pub mod bounces;
pub mod dha;
pub mod diagnostic;
pub mod directory;
pub mod reader;
pub mod state;
