//! `[quarantine]`, `[submission]` and `[notices]`.

use super::{diagnostic::Faults, policy::then::full_address, reader::Table};
use crate::{
    lookup::submission::{MailServer, SubmissionSettings},
    notices,
    quarantine::Settings,
    store::quarantine::Quota,
};
use std::{path::PathBuf, time::Duration};

/// Largest number of messages that makes sense. Unit: messages.
const COUNT: u64 = 1_000_000_000;
/// Longest wait for the mail server. Source: RFC 5321 §4.5.3.2.6 gives the end of data ten minutes.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// Reads `[quarantine]`.
pub(super) fn read(root: &mut Table<'_>, faults: &mut Faults<'_>) -> Settings {
    let default = Settings::default();
    let mut table = root.section("quarantine", faults);
    let quota = Quota {
        messages: table.integer("max_messages", 0..=COUNT, default.quota.messages, faults),
        bytes: table.size_or_none("max_bytes", default.quota.bytes as usize, faults) as u64,
        of_recipient: table.integer("max_recipient_messages", 0..=COUNT, default.quota.of_recipient, faults),
    };
    let folder = |text: &str| text.starts_with('/').then(|| PathBuf::from(text));
    let private_keys = table.parsed("private_keys", "an absolute path of a folder", folder, faults);
    table.finish(faults);
    Settings { quota, private_keys }
}

/// Reads `[submission]`.
pub(super) fn read_submission(root: &mut Table<'_>, faults: &mut Faults<'_>) -> SubmissionSettings {
    let default = SubmissionSettings::default();
    let mut table = root.section("submission", faults);
    let form = "a mail server such as \"smtp://127.0.0.1:25\" or \"lmtp:///run/dovecot/lmtp\"";
    let server = table.parsed("server", form, MailServer::parse, faults).unwrap_or(default.server);
    let tls = table.choice("tls", &["off", "opportunistic", "verify"], default.tls, faults);
    let timeout_at = table.place("timeout").unwrap_or(table.span.clone());
    let timeout = table.duration("timeout", default.timeout, faults);
    if timeout < Duration::from_secs(1) || timeout > LONGEST_WAIT {
        faults.at(timeout_at, "submission.timeout must be \"1s\" to \"10m\"");
    }
    table.finish(faults);
    SubmissionSettings { server, tls, timeout }
}

/// Reads `[notices]`.
pub(super) fn read_notices(root: &mut Table<'_>, faults: &mut Faults<'_>) -> notices::Settings {
    let default = notices::Settings::default();
    let mut table = root.section("notices", faults);
    let form = "an address such as \"postmaster@example.com\"";
    let settings = notices::Settings {
        from: table.parsed("from", form, full_address, faults),
        administrators: table.parsed_list("administrators", form, full_address, faults).unwrap_or_default(),
        per_hour: table.integer("per_hour", 1..=COUNT, default.per_hour, faults),
    };
    table.finish(faults);
    settings
}

#[cfg(test)]
mod tests {
    use super::{super::testing::read_text, *};
    use crate::lookup::submission::TlsUse;

    #[test]
    fn quarantine_is_read_and_its_faults_are_named() {
        let text = "[quarantine]\nmax_messages = 10\nmax_bytes = \"1 MiB\"\nmax_recipient_messages = 0\n\
                    private_keys = \"/etc/mailward/keys\"\n";
        let (settings, faults) = read_text(text, read);
        assert_eq!(faults, [""; 0]);
        assert_eq!(settings.quota, Quota { messages: 10, bytes: 1 << 20, of_recipient: 0 });
        assert_eq!(settings.private_keys, Some("/etc/mailward/keys".into()));
        let (settings, faults) =
            read_text("[quarantine]\nmax_messages = -1\nprivate_keys = \"keys\"\ndays = 3\n", read);
        assert_eq!((settings, faults.len()), (Settings::default(), 3), "{faults:?}");
    }

    #[test]
    fn mail_server_is_read_and_its_faults_are_named() {
        let text = "[submission]\nserver = \"lmtp:///run/lmtp\"\ntls = \"off\"\ntimeout = \"5s\"\n";
        let (settings, faults) = read_text(text, read_submission);
        assert_eq!(faults, [""; 0]);
        let server = MailServer::LmtpSocket("/run/lmtp".into());
        assert_eq!(settings, SubmissionSettings { server, tls: TlsUse::Off, timeout: Duration::from_secs(5) });
        let text = "[submission]\nserver = \"127.0.0.1:25\"\ntls = \"always\"\ntimeout = \"1h\"\nport = 25\n";
        assert_eq!(read_text(text, read_submission).1.len(), 4);
    }

    #[test]
    fn notices_are_read_and_their_faults_are_named() {
        let text = "[notices]\nfrom = \"filter@x.test\"\nadministrators = [\"a@x.test\", \"b@x.test\"]\nper_hour = 5\n";
        let (settings, faults) = read_text(text, read_notices);
        assert_eq!((settings.administrators.len(), settings.per_hour, faults.len()), (2, 5, 0), "{faults:?}");
        let text = "[notices]\nfrom = \"*@x.test\"\nadministrators = \"root\"\nper_hour = 0\nto = \"x\"\n";
        assert_eq!(read_text(text, read_notices).1.len(), 4);
    }
}
