//! The engine of Mailward: facts of a mail session go in, an explained verdict comes out.
//!
//! Start at `engine.rs`: it tells the way of a message from connect to verdict and is the only module that
//! names all others. The modules below stand in the order of the rooms of ARCHITECTURE.md; each may name
//! only those above it.

pub mod verdict;

pub mod session;

pub mod message;

pub mod lookup;

pub mod store;

pub mod reputation;

pub mod recipients;

pub mod authentication;

pub mod outbound;

pub mod malware;

pub mod spam;

pub mod score;

pub mod policy;

pub mod explain;

pub mod quarantine;

pub mod notices;

pub mod config;

pub mod engine;
