//! The rig works: each component alone, and Postfix without any filter.

mod components;
mod postfix;
mod traffic;
