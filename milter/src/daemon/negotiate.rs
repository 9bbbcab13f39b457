//! What the daemon asks of the MTA at the start of each milter connection.

use indymilter::{Actions, MacroStage, NegotiateContext, ProtoOpts, Status};
use mailward_core::{session::RefuseAt, verdict::Host};
use std::ffi::CString;

/// Edits that verdicts need. Without one the MTA would drop the filter at its first use.
const ACTIONS: Actions = Actions::ADD_HEADER
    .union(Actions::CHANGE_HEADER)
    .union(Actions::REPLACE_BODY)
    .union(Actions::CHANGE_SENDER)
    .union(Actions::DELETE_RCPT)
    .union(Actions::ADD_RCPT)
    .union(Actions::QUARANTINE);

/// What makes edits better and is not missed where it is not offered: parameters of an added recipient.
const WELCOME: Actions = Actions::ADD_RCPT_EXT;

/// `REJECTED_RCPT`: see the recipients that the MTA itself refuses. `LEADING_SPACE`: headers come as they were sent, so
/// that DKIM's simple canonicalisation can be checked. `SKIP`: stop the body past the size limit. No replies are wanted
/// where none is decided: each reply costs a round trip.
const OPTIONS: ProtoOpts = ProtoOpts::REJECTED_RCPT
    .union(ProtoOpts::LEADING_SPACE)
    .union(ProtoOpts::SKIP)
    .union(ProtoOpts::NO_UNKNOWN)
    .union(ProtoOpts::NO_DATA)
    .union(ProtoOpts::NOREPLY_HELO)
    .union(ProtoOpts::NOREPLY_HEADER)
    .union(ProtoOpts::NOREPLY_EOH);

/// Macros wanted, by stage. Our list replaces the MTA's own, so it names all that is used.
const MACROS: [(MacroStage, &str); 6] = [
    (MacroStage::Connect, "j"),
    (MacroStage::Helo, "{tls_version} {cipher}"),
    (MacroStage::Mail, "i {auth_type} {auth_authen} {tls_version} {cipher}"),
    (MacroStage::Rcpt, "{rcpt_mailer} {rcpt_host} {rcpt_addr}"),
    (MacroStage::Eoh, ""),
    (MacroStage::Eom, "i"),
];

/// What the MTA can do, by the edits that it lets us make.
pub(super) fn host(granted: Actions) -> Host {
    Host {
        edit_header: granted.contains(Actions::ADD_HEADER | Actions::CHANGE_HEADER),
        replace_body: granted.contains(Actions::REPLACE_BODY),
        change_sender: granted.contains(Actions::CHANGE_SENDER),
        remove_recipient: granted.contains(Actions::DELETE_RCPT),
        add_recipient: granted.contains(Actions::ADD_RCPT),
        hold: granted.contains(Actions::QUARANTINE),
        reply_by_recipient: false,
    }
}

/// Requests what is used, within what the MTA offers.
pub(super) fn negotiate<T: Send>(
    cx: &mut NegotiateContext<T>,
    offered: Actions,
    options: ProtoOpts,
    refuse_at: RefuseAt,
) -> Status {
    let missing = ACTIONS - offered;
    if !missing.is_empty() {
        tracing::warn!(?missing, "the MTA does not offer every edit; verdicts are planned without them");
    }
    cx.requested_actions = (ACTIONS | WELCOME) & offered;
    let mut wanted = OPTIONS;
    if refuse_at != RefuseAt::Connect {
        wanted |= ProtoOpts::NOREPLY_CONNECT;
    }
    cx.requested_opts = wanted & options;
    for (stage, names) in MACROS {
        if let Ok(names) = CString::new(names) {
            cx.requested_macros.insert(stage, names);
        }
    }
    Status::Continue
}
