//! Who receives mail here: the directory, protection against harvesting it, and bounces.

pub mod bounces;
pub mod dha;
pub mod directory;
