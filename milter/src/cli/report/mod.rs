//! What reports of several commands share.

pub(super) mod csv;
pub(super) mod page;
