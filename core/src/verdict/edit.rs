//! Changes that the MTA makes to a message it takes.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// One change. It applies to the whole message: SMTP has no answer and no edit for one recipient alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Edit {
    /// A header put above all others. Folds are LF and a blank, without CR.
    AddHeader {
        /// Field name.
        name: String,
        /// Field body without the blank after the colon.
        value: String,
    },
    /// The `occurrence`th header of this name (counted from 1, from the top) gets another body.
    ChangeHeader {
        /// Field name, compared without regard to case.
        name: String,
        /// Counted from 1 among the headers of this name as received.
        occurrence: u32,
        /// New field body without the blank after the colon.
        value: String,
    },
    /// The `occurrence`th header of this name (counted from 1, from the top) is removed.
    RemoveHeader {
        /// Field name, compared without regard to case.
        name: String,
        /// Counted from 1 among the headers of this name as received.
        occurrence: u32,
    },
    /// The message gets another body.
    ReplaceBody {
        /// What is in it that was not: `banner`, `disclaimer`, `notice`, or several of them with commas.
        with: String,
        /// The whole body. Explanations go without it.
        #[serde(skip)]
        body: Bytes,
    },
    /// The envelope gets another sender: to that address bounces go.
    ChangeSender {
        /// The address with its angle brackets.
        address: String,
    },
    /// This recipient gets no copy. The address stands as the client wrote it.
    RemoveRecipient {
        /// The address with its angle brackets, as the RCPT command had it.
        address: String,
    },
    /// This address gets a copy as well.
    AddRecipient {
        /// The address with its angle brackets.
        address: String,
        /// Nobody is to know: the sender hears of no failure to deliver to it.
        blind: bool,
    },
    /// The MTA keeps the message in its own quarantine.
    Hold {
        /// Shown by Sendmail's `mailq -qQ`; Postfix throws it away.
        reason: String,
    },
}

impl Edit {
    /// The name of the header field that it touches, if it is one.
    pub fn header(&self) -> Option<&str> {
        match self {
            Edit::AddHeader { name, .. } | Edit::ChangeHeader { name, .. } | Edit::RemoveHeader { name, .. } => {
                Some(name)
            }
            Edit::ReplaceBody { .. }
            | Edit::ChangeSender { .. }
            | Edit::RemoveRecipient { .. }
            | Edit::AddRecipient { .. }
            | Edit::Hold { .. } => None,
        }
    }

    /// The recipient that it takes off or adds, in angle brackets, if it does.
    pub fn recipient(&self) -> Option<&str> {
        match self {
            Edit::RemoveRecipient { address } | Edit::AddRecipient { address, .. } => Some(address),
            _ => None,
        }
    }

    /// Whether it changes from whom the message comes, who gets it, or when, and not the message.
    pub fn is_of_envelope(&self) -> bool {
        matches!(
            self,
            Edit::ChangeSender { .. } | Edit::RemoveRecipient { .. } | Edit::AddRecipient { .. } | Edit::Hold { .. }
        )
    }
}
