//! Mailward against the real programs of a site. One module a topic; the first checks the rig itself.

mod authentication;
mod bounces;
mod classifier;
mod commands;
mod content;
mod dha;
mod doors;
mod exim;
mod faults;
mod floods;
mod greylist;
mod learned;
mod lifecycle;
mod limits;
mod mail_flow;
mod metrics;
mod policy;
mod recipients;
mod recording;
mod relay;
mod reputation;
mod rig;
mod scanning;
mod sendmail;
mod service;
mod site;
