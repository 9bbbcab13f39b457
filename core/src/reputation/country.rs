//! Countries of addresses, from a file in MaxMind's format.

use super::database::{Database, Field};
use std::{net::IpAddr, path::Path};

const FIELD: Field =
    Field { key: "networks.countries", path: &["country", "iso_code"], example: "GeoLite2-Country.mmdb" };

/// A database of countries, held in memory.
#[derive(Debug)]
pub(super) struct Countries(Database);

impl Countries {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is of another format, or says nothing about countries.
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        Database::open::<String>(path, FIELD).map(Countries)
    }

    /// The country of an address by ISO 3166-1, two capital letters.
    pub(super) fn find(&self, ip: IpAddr) -> Option<String> {
        self.0.find::<String>(ip).map(|code| code.to_ascii_uppercase())
    }
}
