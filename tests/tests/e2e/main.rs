//! Mailward against the real programs of a site. One module a topic; the first checks the rig itself.

mod rig;
