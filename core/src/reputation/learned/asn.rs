//! Autonomous systems of addresses, from a file in MaxMind's format.

use maxminddb::{PathElement, Reader, WithinOptions};
use std::{fmt, net::IpAddr, path::Path};

/// The field that the file must have.
const FIELD: &str = "autonomous_system_number";

/// Records that are looked at to tell whether the file has the field. Unit: records. Source: our own limit; databases of
/// autonomous systems hold nothing else.
const TRIED: usize = 100;

/// A database of autonomous systems, held in memory.
pub struct AsnDatabase(Reader<Vec<u8>>);

impl AsnDatabase {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is of another format, or says nothing about autonomous systems.
    pub fn open(path: &Path) -> Result<Self, String> {
        let fault = |why: String| format!("reputation.learned.asn_database = \"{}\": {why}", path.display());
        let bytes = std::fs::read(path).map_err(|why| fault(format!("cannot be read: {why}")))?;
        let reader = Reader::from_source(bytes)
            .map_err(|why| fault(format!("is no database in MaxMind's format (GeoLite2-ASN.mmdb is one): {why}")))?;
        let database = AsnDatabase(reader);
        match database.knows_systems() {
            true => Ok(database),
            false => Err(fault(format!(
                "is a \"{}\" database without {FIELD}; GeoLite2-ASN.mmdb has it",
                database.0.metadata().database_type
            ))),
        }
    }

    /// The number of the autonomous system that announces an address.
    pub fn number(&self, ip: IpAddr) -> Option<u32> {
        self.0.lookup(ip.to_canonical()).ok()?.decode_path(&[PathElement::Key(FIELD)]).ok()?
    }

    fn knows_systems(&self) -> bool {
        let Ok(networks) = self.0.networks(WithinOptions::default()) else { return false };
        let has_field = |record: Result<maxminddb::LookupResult<'_, Vec<u8>>, _>| {
            let number = record.ok()?.decode_path::<u32>(&[PathElement::Key(FIELD)]);
            number.ok().flatten()
        };
        networks.take(TRIED).any(|record| has_field(record).is_some())
    }
}

impl fmt::Debug for AsnDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AsnDatabase({})", self.0.metadata().database_type)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_database_is_named_with_the_key_and_the_cure() {
        let dir = crate::store::counters::scratch("asn");
        let file = dir.join("x.mmdb");
        let fault = || AsnDatabase::open(&file).expect_err("no database");
        assert!(fault().contains("cannot be read"), "{}", fault());
        for bytes in [&b""[..], b"not a database", b"\xab\xcd\xefMaxMind.com", &[0xff; 4096]] {
            std::fs::write(&file, bytes).expect("written");
            let text = fault();
            for word in ["reputation.learned.asn_database", "x.mmdb", "GeoLite2-ASN"] {
                assert!(text.contains(word), "{word} in {text}");
            }
        }
        let _ = std::fs::remove_dir_all(dir);
    }
}
