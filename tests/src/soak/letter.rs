//! What is sent, and what has to become of it.

use crate::base64;
use crate::clamd;
use crate::smtp::Xclient;

/// The class of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Ordinary mail: has to arrive.
    Clean,
    /// Ordinary mail to somebody who exists and to somebody who does not: arrives at the first alone.
    HalfKnown,
    /// To nobody.
    Unknown,
    /// From a client on a block list.
    Listed,
    /// With malware that clamd alone knows.
    KnownToClamd,
    /// With malware that the built-in rules know too.
    Eicar,
    /// To an address whose mail a policy discards: taken, recorded, never delivered.
    Discarded,
}

impl Kind {
    pub(super) const ALL: [Kind; 7] =
        [Kind::Clean, Kind::HalfKnown, Kind::Unknown, Kind::Listed, Kind::KnownToClamd, Kind::Eicar, Kind::Discarded];
}

/// What has to become of a message for one recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Arrives,
    IsRefused,
    IsDiscarded,
}

/// One message.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    pub(super) number: u64,
    pub(super) kind: Kind,
    /// Who has not been settled yet, and who has.
    pub(super) recipients: Vec<Recipient>,
    /// Times that it was sent, in whole or in part.
    pub(super) attempts: u32,
}

/// One recipient of a message.
#[derive(Clone, Debug)]
pub(super) struct Recipient {
    pub(super) address: String,
    pub(super) fate: Fate,
    /// The final reply: 250, or 5xx.
    pub(super) settled: Option<u16>,
    /// Times that the client was told 250.
    pub(super) taken: u32,
    /// Times that the content was sent and no reply came.
    pub(super) lost: u32,
}

/// The address whose mail is discarded.
pub(super) const DISCARD: &str = "drop@rig.test";
/// People in the directory: `user1` to this number.
pub(super) const PEOPLE: u32 = 200;
/// Where listed clients come from.
pub(super) const LISTED: &str = "2001:db8:1000::/48";

impl Letter {
    pub(super) fn new(number: u64) -> Letter {
        let kind = match number % 20 {
            3 | 13 => Kind::Unknown,
            5 | 15 => Kind::Listed,
            7 => Kind::KnownToClamd,
            9 => Kind::Eicar,
            11 => Kind::HalfKnown,
            17 => Kind::Discarded,
            _ => Kind::Clean,
        };
        let somebody = format!("user{}@rig.test", 1 + number % u64::from(PEOPLE));
        let nobody = format!("nobody{number}@rig.test");
        let recipients = match kind {
            Kind::Clean => vec![(somebody, Fate::Arrives)],
            Kind::HalfKnown => vec![(nobody, Fate::IsRefused), (somebody, Fate::Arrives)],
            Kind::Unknown => vec![(nobody, Fate::IsRefused)],
            Kind::Listed | Kind::KnownToClamd | Kind::Eicar => vec![(somebody, Fate::IsRefused)],
            Kind::Discarded => vec![(DISCARD.to_owned(), Fate::IsDiscarded)],
        };
        let recipient = |(address, fate)| Recipient { address, fate, settled: None, taken: 0, lost: 0 };
        Letter { number, kind, recipients: recipients.into_iter().map(recipient).collect(), attempts: 0 }
    }

    pub(super) fn sender(&self) -> String {
        format!("sender{}@n{}.example", self.number, self.number % 500)
    }

    /// The client, each in a /64 of its own.
    pub(super) fn client(&self) -> Xclient {
        let net = if self.kind == Kind::Listed { 0x1000 } else { 0x1001 + self.number % 3 };
        Xclient::address(&format!("2001:db8:{net:x}:{:x}::25", self.number & 0xffff))
    }

    pub(super) fn text(&self) -> String {
        let head =
            format!("X-Number: {}\nFrom: <{}>\nTo: somebody@rig.test\nSubject: soak", self.number, self.sender());
        match self.kind {
            Kind::Eicar => {
                let file = base64::encode_lines(&clamd::eicar());
                format!(
                    "{head}\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"=cut=\"\n\n--=cut=\n\
                     Content-Type: text/plain\n\nLook.\n--=cut=\nContent-Type: application/octet-stream; \
                     name=\"eicar.com\"\nContent-Transfer-Encoding: base64\n\n{file}\n--=cut=--\n"
                )
            }
            Kind::KnownToClamd => format!("{head}\n\n{}\n", clamd::BODY),
            _ => format!("{head}\n\nHello, this is message {}.\n", self.number),
        }
    }

    pub(super) fn is_settled(&self) -> bool {
        self.recipients.iter().all(|recipient| recipient.settled.is_some())
    }
}
