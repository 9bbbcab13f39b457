//! What the site says about itself and those it knows.

use crate::verdict::Points;
use std::collections::{BTreeMap, BTreeSet};

/// The `[phishing]` table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// People in whose name others might write, with their addresses.
    pub people: Vec<Person>,
    /// Names of the organisation, as they stand in senders' names.
    pub organisation: Vec<String>,
    /// Domains of the site beside those of the directory.
    pub own_domains: Vec<String>,
    /// Firms that are imitated here beside those of the table.
    pub brands: Vec<Brand>,
    /// Points by rule id that replace the weight of the table.
    pub overrides: BTreeMap<String, Points>,
    /// Rules that do not run.
    pub disabled: BTreeSet<String>,
}

/// Somebody whom the readers know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// First and last name, in any order.
    pub name: String,
    /// From where the person writes, lower case.
    pub addresses: Vec<String>,
}

/// A firm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brand {
    /// Its name.
    pub name: String,
    /// Its domains, lower case.
    pub domains: Vec<String>,
}
