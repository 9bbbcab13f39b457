//! Other filters, measured on the same mail by the same rounds. Each is a process of its own.

mod bogofilter;
mod folder;
mod program;
mod spamassassin;

pub(super) use bogofilter::Bogofilter;
pub(super) use folder::Folder;

use super::{mail::Labelled, measures::Scored, plan::Round};
use mailward_core::spam::classifier::Class;
use program::run;
use spamassassin::SpamAssassin;
use std::{ffi::OsStr, time::Duration};

/// A filter that is not ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(super) enum Peer {
    Bogofilter,
    #[value(name = "spamassassin")]
    SpamAssassin,
}

/// What a peer said about a message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Said {
    pub(super) score: f64,
    /// By its default threshold.
    pub(super) is_spam: bool,
}

/// Longest wait for the answer to whether a peer is there.
const HELLO: Duration = Duration::from_secs(20);

impl Said {
    /// Peers mark mail; refusing is left to others.
    pub(super) fn scored(self, class: Class, campaign: usize) -> Scored {
        Scored { class, score: self.score, caught: self.is_spam, refused: false, campaign }
    }
}

impl Peer {
    pub(super) fn name(self) -> &'static str {
        match self {
            Peer::Bogofilter => "bogofilter",
            Peer::SpamAssassin => "spamassassin",
        }
    }

    /// Whether it is installed.
    ///
    /// # Errors
    ///
    /// If not: what to install.
    pub(super) fn is_installed(self) -> Result<(), String> {
        let (program, arguments): (_, &[&str]) = match self {
            Peer::Bogofilter => (bogofilter::PROGRAM, &["-V"]),
            Peer::SpamAssassin => (spamassassin::PROGRAM, &["-MMail::SpamAssassin", "-e", "1"]),
        };
        let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
        let name = self.name();
        run(program, &arguments, Vec::new(), HELLO, &[0]).map(drop).map_err(|why| {
            format!("{name} is not installed ({why}): install the package {name}, or leave out --peer {name}")
        })
    }

    /// Learns and judges a round from nothing: what was said about each message, in the round's order.
    ///
    /// # Errors
    ///
    /// If the peer fails.
    pub(super) fn play(
        self,
        folder: &Folder,
        mail: &[Labelled],
        round: &Round,
        jobs: usize,
    ) -> Result<Vec<Option<Said>>, String> {
        let of_class = |class: Class| round.train.iter().copied().filter(move |&n| mail[n].class == class);
        let [ham, spam] = [Class::Ham, Class::Spam].map(|class| of_class(class).collect::<Vec<usize>>());
        let played = match self {
            Peer::Bogofilter => Bogofilter::new(folder)?.play([&ham, &spam], &round.judge),
            Peer::SpamAssassin => SpamAssassin::new(folder)?.play([&ham, &spam], &round.judge, jobs),
        };
        played.map_err(|why| format!("{} failed: {why}", self.name()))
    }
}
