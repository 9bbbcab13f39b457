//! The facts of a mail session as the MTA gave them; bytes are kept, not judged.
//!
//! What lives as long as the connection ([`Connection`]) and what dies with the message ([`Transaction`]) are two
//! structs: a new MAIL, RSET or milter ABORT drops the second whole.

mod address;
mod connection;
mod domain;
mod in_flight;
mod limits;
mod raw_message;
mod recording;
mod transaction;

pub use address::{Address, AddressError, ReversePath};
pub use connection::{ClientNetwork, Connection, Login, RefuseAt, Tls};
pub use domain::registered;
pub use in_flight::{Full, Held, InFlight, Presence, Ticket};
pub use limits::Limits;
pub use raw_message::{Overflow, RawMessage, Watch, push_with_crlf};
pub use recording::{Bytes, Event, Recording, RecordingError};
pub use transaction::{Direction, Recipient, RefusedByMta, Transaction};
