//! What a host tells of its client: structs that grow.

use crate::{
    error::Failure,
    text::{Sized1st, Text},
};
use mailward_core::{
    engine,
    session::{Login, Tls},
};
use std::time::{SystemTime, UNIX_EPOCH};

/// `mw_connect_facts_t`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ConnectFacts {
    /// Size of the struct as the caller knows it.
    pub struct_size: usize,
    /// IPv4 or IPv6 address in text form; empty if there is none.
    pub client_address: Text,
    /// Host name that the host found for the client; empty if it did not look.
    pub client_name: Text,
    /// Name of the receiving host.
    pub host_name: Text,
    /// Not 0: mail handed in by a program on the host itself.
    pub local_submission: i32,
}

/// `mw_mail_facts_t`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct MailFacts {
    /// Size of the struct as the caller knows it.
    pub struct_size: usize,
    /// User as whom the client has authenticated; empty if it has not.
    pub login: Text,
    /// SASL mechanism of that.
    pub login_mechanism: Text,
    /// As in `TLSv1.3`; empty if the connection is not encrypted.
    pub tls_version: Text,
    /// Cipher suite of that.
    pub tls_cipher: Text,
}

// SAFETY: `repr(C)`, its size first, and zeros are empty texts.
unsafe impl Sized1st for ConnectFacts {}
// SAFETY: `repr(C)`, its size first, and zeros are empty texts.
unsafe impl Sized1st for MailFacts {}

/// Unix seconds.
pub(crate) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().cast_signed())
}

impl ConnectFacts {
    /// The facts in the engine's own words.
    ///
    /// # Safety
    ///
    /// All texts are as [`Text::bytes`] asks.
    pub(crate) unsafe fn read(&self) -> Result<engine::ConnectFacts, Failure> {
        // SAFETY: the same promise.
        let (address, client_name, mta_name) = unsafe {
            (
                self.client_address.word("client_address")?,
                self.client_name.word("client_name")?,
                self.host_name.word("host_name")?,
            )
        };
        let no_address = |text: &String| Failure::argument(format!("client_address: \"{text}\" is no IP address"));
        let client_ip = address.map(|text| text.parse().map_err(|_| no_address(&text))).transpose()?;
        let local_submission = self.local_submission != 0;
        Ok(engine::ConnectFacts { time: now(), client_ip, client_name, mta_name, local_submission })
    }
}

impl MailFacts {
    /// Login and encryption of the client, if it has them.
    ///
    /// # Safety
    ///
    /// All texts are as [`Text::bytes`] asks.
    pub(crate) unsafe fn read(&self) -> Result<(Option<Login>, Option<Tls>), Failure> {
        // SAFETY: the same promise.
        let (name, mechanism, version, cipher) = unsafe {
            (
                self.login.word("login")?,
                self.login_mechanism.word("login_mechanism")?,
                self.tls_version.word("tls_version")?,
                self.tls_cipher.word("tls_cipher")?,
            )
        };
        let login = name.map(|name| Login { name, mechanism: mechanism.unwrap_or_default() });
        let tls = version.map(|version| Tls { version, cipher: cipher.unwrap_or_default() });
        Ok((login, tls))
    }
}
