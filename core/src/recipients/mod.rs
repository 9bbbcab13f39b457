//! Who receives mail here: the directory, protection against harvesting it, greylisting, and
//! bounces.

pub mod batv;
pub mod bounces;
pub mod dha;
pub mod directory;
pub mod greylist;
