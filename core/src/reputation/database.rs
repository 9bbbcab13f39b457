//! Facts about addresses from files in MaxMind's format.

use maxminddb::{PathElement, Reader, WithinOptions};
use serde::de::DeserializeOwned;
use std::{fmt, net::IpAddr, path::Path};

/// Records that are looked at to tell whether a file has a field. Unit: records. Source: our own limit; databases of one
/// kind hold nothing else.
const TRIED: usize = 100;

/// What a file must tell.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    /// Configuration key that names the file, for faults.
    pub(super) key: &'static str,
    /// Path within a record.
    pub(super) path: &'static [&'static str],
    /// A file that has it, for faults.
    pub(super) example: &'static str,
}

/// A file held in memory, and the field that is read from it.
pub(super) struct Database {
    reader: Reader<Vec<u8>>,
    field: Field,
}

impl Database {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is of another format, or none of its first records has the field.
    pub(super) fn open<T: DeserializeOwned>(file: &Path, field: Field) -> Result<Self, String> {
        let fault = |why: String| format!("{} = \"{}\": {why}", field.key, file.display());
        let bytes = std::fs::read(file).map_err(|why| fault(format!("cannot be read: {why}")))?;
        let reader = Reader::from_source(bytes)
            .map_err(|why| fault(format!("is no database in MaxMind's format ({} is one): {why}", field.example)))?;
        let database = Database { reader, field };
        match database.has_field::<T>() {
            true => Ok(database),
            false => Err(fault(format!(
                "is a \"{}\" database without {}; {} has it",
                database.reader.metadata().database_type,
                field.path.join("."),
                field.example
            ))),
        }
    }

    /// What the file says about an address.
    pub(super) fn find<T: DeserializeOwned>(&self, ip: IpAddr) -> Option<T> {
        self.reader.lookup(ip.to_canonical()).ok()?.decode_path(&self.path()).ok()?
    }

    fn has_field<T: DeserializeOwned>(&self) -> bool {
        let Ok(networks) = self.reader.networks(WithinOptions::default()) else { return false };
        let value = |record: Result<maxminddb::LookupResult<'_, Vec<u8>>, _>| {
            let value = record.ok()?.decode_path::<T>(&self.path());
            value.ok().flatten()
        };
        networks.take(TRIED).any(|record| value(record).is_some())
    }

    fn path(&self) -> Vec<PathElement<'static>> {
        self.field.path.iter().map(|key| PathElement::Key(key)).collect()
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Database({})", self.reader.metadata().database_type)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_database_is_named_with_the_key_and_the_cure() {
        let dir = crate::store::counters::scratch("database");
        let file = dir.join("x.mmdb");
        let field =
            Field { key: "networks.countries", path: &["country", "iso_code"], example: "GeoLite2-Country.mmdb" };
        let fault = || Database::open::<String>(&file, field).expect_err("no database");
        assert!(fault().contains("cannot be read"), "{}", fault());
        for bytes in [&b""[..], b"not a database", b"\xab\xcd\xefMaxMind.com", &[0xff; 4096]] {
            std::fs::write(&file, bytes).expect("written");
            let text = fault();
            for word in ["networks.countries", "x.mmdb", "GeoLite2-Country"] {
                assert!(text.contains(word), "{word} in {text}");
            }
        }
        let _ = std::fs::remove_dir_all(dir);
    }
}
