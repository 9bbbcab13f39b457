//! Starts the real programs that Mailward works with, each from a private folder on private loopback ports, so that
//! tests can play a site: Postfix, an SMTP server behind it, a directory, DNS with block lists, a virus scanner, and
//! the `mailward` daemon itself.
//!
//! Everything here is synchronous and belongs to one test: programs are children of the test, start in the foreground,
//! and die when their handle is dropped. A program that is not installed fails the test and names the Debian package.
//!
//! Declare a [`Scratch`](scratch::Scratch) first; every component keeps it alive, and it is removed when the last is
//! gone, unless the test failed: then it stays and its path is printed.

pub mod base64;
pub mod clamd;
pub mod clock;
pub mod disk;
pub mod dkim;
pub mod dns;
pub mod exim;
pub mod garbage;
pub mod library;
pub mod mailward;
pub mod milter;
pub mod mmdb;
pub mod nxdomain;
pub mod ports;
pub mod postfix;
pub mod process;
pub mod sasl;
pub mod scan;
pub mod scratch;
pub mod sendmail;
pub mod sink;
pub mod slapd;
pub mod smtp;
pub mod soak;
pub mod tls;
pub mod traffic;
