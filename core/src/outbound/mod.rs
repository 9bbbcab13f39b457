//! What users who have logged in may send: under whose names, how much, and whether somebody else seems to use their
//! account. All of it is off by default. Signing stands in `authentication`.

mod account;
mod alarm;
mod authors;
mod rates;
mod rights;
mod settings;

pub use account::{Account, Books, Usage, note_message, note_recipient, note_refused, usage};
pub use alarm::{Alarm, list, release, sound};
pub use authors::{Authors, authors};
pub use rates::{Excess, excess};
pub use rights::{Named, Rights};
pub use settings::{AlarmMode, AlarmSettings, Mode, RateSettings, RightsSettings, Settings};
