//! Autonomous systems of addresses, from a file in MaxMind's format.

use super::super::database::{Database, Field};
use std::{net::IpAddr, path::Path};

const FIELD: Field =
    Field { key: "reputation.learned.asn_database", path: &["autonomous_system_number"], example: "GeoLite2-ASN.mmdb" };

/// A database of autonomous systems, held in memory.
#[derive(Debug)]
pub struct AsnDatabase(Database);

impl AsnDatabase {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is of another format, or says nothing about autonomous systems.
    pub fn open(path: &Path) -> Result<Self, String> {
        Database::open::<u32>(path, FIELD).map(AsnDatabase)
    }

    /// The number of the autonomous system that announces an address.
    pub fn number(&self, ip: IpAddr) -> Option<u32> {
        self.0.find(ip)
    }
}
