//! Kinds of attack, by the words that console, reports and policies share.

use serde::{Deserialize, Serialize};

macro_rules! attacks {
    ($($(#[$about:meta])* $name:ident $word:literal,)*) => {
        /// What a message tries to do to its reader.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Attack {
            $($(#[$about])* #[serde(rename = $word)] $name,)*
        }

        impl Attack {
            /// All kinds, sorted by their words.
            pub const ALL: &[Attack] = &[$(Attack::$name),*];

            /// The word that explanations and reports use.
            pub fn word(self) -> &'static str {
                match self {
                    $(Attack::$name => $word,)*
                }
            }
        }
    };
}

attacks! {
    /// Money or goods are promised, and a fee is wanted first.
    AdvanceFee "advance-fee",
    /// The reader is to call a number.
    CallBack "call-back",
    /// Passwords, card numbers or keys are wanted.
    CredentialTheft "credential-theft",
    /// The reader is threatened.
    Extortion "extortion",
    /// A page is attached that does what a web site would be blocked for.
    HtmlAttachment "html-attachment",
    /// The message pretends to be from a firm or authority.
    ImpersonationBrand "impersonation.brand",
    /// The message pretends to be from somebody whom the reader knows.
    ImpersonationPerson "impersonation.person",
    /// A domain looks like another.
    LookalikeDomain "lookalike-domain",
    /// A payment is wanted, or its way changed.
    PaymentFraud "payment-fraud",
    /// A prize or gift is promised for data.
    PrizeLure "prize-lure",
    /// A QR code leads away.
    QrCode "qr-code",
    /// The message pretends to belong to a conversation.
    ThreadHijack "thread-hijack",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_sorted_and_json_uses_them() {
        assert!(Attack::ALL.windows(2).all(|pair| pair[0].word() < pair[1].word()));
        for attack in Attack::ALL {
            assert_eq!(serde_json::to_value(attack).expect("a word"), attack.word());
        }
    }
}
