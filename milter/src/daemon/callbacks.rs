//! Milter events to session facts, and answers back.

use super::{
    Daemon, edits,
    negotiate::{host, negotiate},
    packets, report,
};
use bytes::Bytes;
use indymilter::{
    Actions, Callbacks, Context, ContextActions, EomContext, Macros, ProtoOpts, SetErrorReply, SmtpReply, SocketInfo,
    Status,
};
use mailward_core::{
    engine::{Answer, ConnectFacts, MailFacts, Report, Session, SessionOptions},
    session::{Login, RefuseAt, RefusedByMta, Tls},
    verdict::{Action, Reference, Reply},
};
use std::{
    ffi::{CStr, CString},
    sync::Arc,
    time::Duration,
};

/// How often the MTA hears, while a message is judged, that it is. Sendmail gives a filter 10 s for each answer by default
/// (libmilter's installation notes), Postfix 300 s (`milter_content_timeout`).
const PROGRESS: Duration = Duration::from_secs(2);

/// What belongs to one connection of the MTA.
pub(super) struct Client {
    daemon: Arc<Daemon>,
    session: Session,
    /// What was negotiated with the MTA.
    options: ProtoOpts,
    /// Held while a transaction is open, so that a drain waits for it.
    open: Option<super::OpenTransaction>,
    _counted: super::metrics::OpenConnection,
    /// Bytes of the message under way.
    received: usize,
}

impl Client {
    fn new(daemon: Arc<Daemon>, refuse_at: RefuseAt, granted: Actions, options: ProtoOpts) -> Self {
        let record = daemon.record_dir.is_some();
        let witness = daemon.shadow.load().is_some();
        let session = SessionOptions { refuse_at, record, witness, host: host(granted), ..SessionOptions::default() };
        let session = daemon.engine.load().session(session);
        let counted = daemon.metrics.connection();
        Client { daemon, session, options, open: None, _counted: counted, received: 0 }
    }

    /// Whether header values come and go with their leading blank.
    fn has_leading_space(&self) -> bool {
        self.options.contains(ProtoOpts::LEADING_SPACE)
    }

    /// The status where nothing is decided: no reply at all if the MTA does not wait for one.
    fn nothing_to_say(&self, waived: ProtoOpts) -> Status {
        if self.options.contains(waived) { Status::Noreply } else { Status::Continue }
    }

    async fn abort(&mut self) {
        if let Some(refusal) = self.session.abort(super::now()).await {
            report::log(&refusal.report, None);
            self.daemon.metrics.count(&refusal.report, None);
            self.show_to_shadow(&refusal.report);
        }
        self.open = None;
        self.received = 0;
    }

    /// Has the shadow look at the transaction that has just ended.
    fn show_to_shadow(&mut self, report: &Report) {
        if let (Some(seen), Some(shadow)) = (self.session.seen(), &*self.daemon.shadow.load()) {
            shadow.look(seen, report, &self.daemon.metrics);
        }
    }

    fn save_recording(&self) {
        let (Some(dir), Some(recording)) = (&self.daemon.record_dir, self.session.recording()) else { return };
        let path = dir.join(format!("{}.session", Reference::from_random(super::random())));
        if let Err(error) = recording.save(&path) {
            tracing::warn!(path = %path.display(), %error, "cannot record the session");
        }
    }
}

/// The callbacks of one listener.
pub(super) fn callbacks(daemon: Arc<Daemon>, refuse_at: RefuseAt) -> Callbacks<Client> {
    Callbacks::new()
        .on_negotiate(move |cx, actions: Actions, options: ProtoOpts| {
            let daemon = Arc::clone(&daemon);
            Box::pin(async move {
                let status = negotiate(cx, actions, options, refuse_at);
                cx.data = Some(Client::new(daemon, refuse_at, cx.requested_actions, cx.requested_opts));
                status
            })
        })
        .on_connect(|cx, host, socket| Box::pin(connect(cx, host, socket)))
        .on_helo(|cx, name| Box::pin(helo(cx, name)))
        .on_mail(|cx, args| Box::pin(mail(cx, args)))
        .on_rcpt(|cx, args| Box::pin(rcpt(cx, args)))
        .on_header(|cx, name, value| Box::pin(header(cx, name, value)))
        .on_eoh(|cx| Box::pin(end_of_header(cx)))
        .on_body(|cx, piece| Box::pin(body(cx, piece)))
        .on_eom(|cx| Box::pin(end_of_message(cx)))
        .on_abort(|cx| {
            Box::pin(async {
                if let Some(client) = &mut cx.data {
                    client.abort().await;
                }
                Status::Continue
            })
        })
        .on_close(|cx| {
            Box::pin(async {
                if let Some(mut client) = cx.data.take() {
                    client.abort().await;
                    client.save_recording();
                }
                Status::Continue
            })
        })
}

async fn connect(cx: &mut Context<Client>, host: CString, socket: SocketInfo) -> Status {
    let Some(client) = &mut cx.data else { return Status::Tempfail };
    let (client_ip, port) = match socket {
        SocketInfo::Inet(address) => (Some(address.ip().to_canonical()), Some(address.port())),
        SocketInfo::Unix(_) | SocketInfo::Unknown => (None, None),
    };
    // Without a name Postfix gives "[192.0.2.7]", Sendmail gives "[IPv6:2001:db8::1]" too.
    let client_name = host.to_str().ok().filter(|h| !h.starts_with('[') && *h != "unknown").map(str::to_owned);
    let facts = ConnectFacts {
        time: super::now(),
        client_ip,
        // Postfix plays mail of sendmail(1) as a connection from localhost, port 0; a refusal there would leave the
        // mail stuck in its queue (MILTER_README, "Limitations").
        // Sendmail gives its own programs no address, but this name.
        local_submission: match client_ip {
            Some(ip) => ip.is_loopback() && port == Some(0),
            None => host.as_bytes().eq_ignore_ascii_case(b"localhost"),
        },
        client_name,
        mta_name: text(&cx.macros, c"j"),
    };
    let answer = client.session.connect(facts).await;
    match answer.reply {
        None => client.nothing_to_say(ProtoOpts::NOREPLY_CONNECT),
        Some(_) => reply_with(&mut cx.reply, answer).await,
    }
}

async fn helo(cx: &mut Context<Client>, name: CString) -> Status {
    let tls = tls(&cx.macros);
    let Some(client) = &mut cx.data else { return Status::Tempfail };
    client.session.helo(name.as_bytes(), tls);
    client.nothing_to_say(ProtoOpts::NOREPLY_HELO)
}

async fn mail(cx: &mut Context<Client>, args: Vec<CString>) -> Status {
    let Some(client) = &mut cx.data else { return Status::Tempfail };
    // Sendmail sends no ABORT between messages: a new MAIL ends the transaction before it.
    client.abort().await;
    let Some(open) = client.daemon.open_transaction() else {
        client.daemon.metrics.put_off();
        let reply = Reply::new(421, (4, 3, 2), "Service is shutting down, please try again").ok();
        return set_reply(&mut cx.reply, reply.as_ref().map(|r| (r, r.text().to_owned())));
    };
    client.open = Some(open);
    let mut args = args.iter().map(|a| a.as_bytes());
    let facts = MailFacts {
        time: super::now(),
        sender: args.next().unwrap_or(b"<>"),
        parameters: args.collect(),
        login: text(&cx.macros, c"{auth_authen}")
            .map(|name| Login { name, mechanism: text(&cx.macros, c"{auth_type}").unwrap_or_default() }),
        tls: tls(&cx.macros),
    };
    // Sendmail has it by now, Postfix only after the first valid recipient.
    let queue_id = text(&cx.macros, c"i");
    let answer = client.session.mail(facts).await;
    client.session.set_queue_id(queue_id);
    if answer.reply.is_some() {
        // Sendmail sends no ABORT after a refused MAIL, and the log should not wait for the end of the connection.
        client.abort().await;
    }
    reply_with(&mut cx.reply, answer).await
}

async fn rcpt(cx: &mut Context<Client>, args: Vec<CString>) -> Status {
    let Some(client) = &mut cx.data else { return Status::Tempfail };
    // A recipient that the MTA refuses itself is told with {rcpt_mailer}=error; our answer to it is ignored.
    let refused_by_mta = (text(&cx.macros, c"{rcpt_mailer}").as_deref() == Some("error"))
        .then(|| RefusedByMta { status: text(&cx.macros, c"{rcpt_host}"), text: text(&cx.macros, c"{rcpt_addr}") });
    let recipient = args.first().map(|a| a.as_bytes()).unwrap_or_default();
    let answer = client.session.rcpt(super::now(), recipient, refused_by_mta).await;
    reply_with(&mut cx.reply, answer).await
}

async fn header(cx: &mut Context<Client>, name: CString, value: CString) -> Status {
    let Some(client) = &mut cx.data else { return Status::Tempfail };
    for (name, value) in packets::fields(name.as_bytes(), value.as_bytes()) {
        client.received += name.len() + value.len();
        if client.has_leading_space() {
            client.session.header(name, value);
        } else {
            client.session.header(name, &[b" ", value].concat());
        }
    }
    client.nothing_to_say(ProtoOpts::NOREPLY_HEADER)
}

async fn end_of_header(cx: &mut Context<Client>) -> Status {
    let Some(client) = &mut cx.data else { return Status::Tempfail };
    client.session.end_of_header();
    client.nothing_to_say(ProtoOpts::NOREPLY_EOH)
}

async fn body(cx: &mut Context<Client>, piece: Bytes) -> Status {
    let Some(client) = &mut cx.data else { return Status::Tempfail };
    client.received += piece.len();
    let more = client.session.body(&piece);
    if !more && client.options.contains(ProtoOpts::SKIP) { Status::Skip } else { Status::Continue }
}

async fn end_of_message(cx: &mut EomContext<Client>) -> Status {
    let Some(client) = &mut cx.data else { return Status::Tempfail };
    let queue_id = text(&cx.macros, c"i");
    let started = std::time::Instant::now();
    let judged = {
        let judging = client.session.end_of_message(super::now(), queue_id);
        tokio::pin!(judging);
        loop {
            match tokio::time::timeout(PROGRESS, &mut judging).await {
                Ok(judged) => break judged,
                // If the MTA has gone, the answer will find that out.
                Err(_) => drop(cx.actions.progress().await),
            }
        }
    };
    let took = started.elapsed();
    report::log(&judged.report, Some(took));
    client.daemon.metrics.received(std::mem::take(&mut client.received));
    client.daemon.metrics.count(&judged.report, Some(took));
    client.show_to_shadow(&judged.report);
    let status = match &judged.verdict.action {
        Action::Discard => Status::Discard,
        Action::Reply(reply) => set_reply(&mut cx.reply, Some((reply, reply.text_with(judged.report.reference)))),
        Action::Accept => match edits::apply(&cx.actions, &judged.verdict.edits, client.has_leading_space()).await {
            Ok(()) => Status::Accept,
            Err(error) => {
                // Part of the edits may be lost: better once more than half done.
                tracing::error!(reference = %judged.report.reference, %error, "the MTA did not take an edit; deferring");
                Status::Tempfail
            }
        },
    };
    client.open = None;
    status
}

async fn reply_with(reply: &mut SmtpReply, answer: Answer) -> Status {
    if !answer.delay.is_zero() {
        tokio::time::sleep(answer.delay).await;
    }
    set_reply(reply, answer.reply.as_ref().map(|(reply, reference)| (reply, reply.text_with(*reference))))
}

/// Hands a reply to the MTA. A percent sign is doubled: Sendmail takes the text for a format string, Postfix undoes it.
fn set_reply(out: &mut SmtpReply, reply: Option<(&Reply, String)>) -> Status {
    let Some((reply, text)) = reply else { return Status::Continue };
    let line = CString::new(text.replace('%', "%%")).unwrap_or_default();
    if let Err(error) = out.set_error_reply(&reply.code().to_string(), Some(&reply.enhanced()), [line]) {
        tracing::error!(?error, %reply, "a reply was not accepted; the MTA's own text is used");
    }
    if reply.is_temporary() { Status::Tempfail } else { Status::Reject }
}

/// A macro with no value is simply not sent.
fn text(macros: &Macros, name: &CStr) -> Option<String> {
    macros.get(name).map(|value| value.to_string_lossy().into_owned()).filter(|value| !value.is_empty())
}

fn tls(macros: &Macros) -> Option<Tls> {
    let version = text(macros, c"{tls_version}")?;
    Some(Tls { version, cipher: text(macros, c"{cipher}").unwrap_or_default() })
}
