//! A real Exim, which runs a process for each connection: without a filter, with Mailward inside those processes, with
//! Mailward opened once before them, and asking rspamd.

use mailward_tests::exim::{Builder, Exim};
use mailward_tests::nxdomain::NxDomain;
use mailward_tests::ports::{free_port, loopback, wait_listening};
use mailward_tests::scratch::Scratch;

use crate::corpus::Sample;
use crate::mta::{self, Site};
use crate::peers::configuration;
use crate::postfix::Sink;
use crate::process;
use crate::rspamd::{self, Rspamd};

/// Copies sent in a run; with a delivery for each, Exim takes some ten a second.
const COPIES: usize = 40;

/// One server.
struct Server {
    name: &'static str,
    exim: Exim,
    asked: Option<Rspamd>,
}

pub(crate) fn measure(_: &Sample) {
    let scratch = Scratch::new();
    let dns = NxDomain::start();
    let sink = Sink::start(&scratch);
    let settings = configuration(&scratch, &dns);
    // Clients are not asked who they are: their names would be looked up for nothing.
    let exim = || Exim::delivering_to_address(sink.address).setting("smtp_accept_queue_per_connection = 0");
    let start = |name, builder: Builder, asked| Server { name, exim: builder.start(&scratch), asked };
    let mut servers = vec![
        start("no filter", exim().without_mailward(), None),
        start("mailward", exim().config(settings.as_str()), None),
        start("mailward, preloaded", exim().config(settings.as_str()).set("MAILWARD_PRELOAD", "yes"), None),
    ];
    if rspamd::is_installed() {
        let port = free_port();
        let rspamd = Rspamd::scanning_at(port, &scratch, &dns);
        wait_listening("rspamd's scanner", loopback(port));
        let asks = exim()
            .without_mailward()
            .setting(&format!("spamd_address = 127.0.0.1 {port} variant=rspamd"))
            .content_rule("warn spam = nobody:true");
        servers.push(start("rspamd-local", asks, Some(rspamd)));
    } else {
        println!("rspamd is not installed (apt-get install rspamd): ours is measured alone");
    }
    // Exim itself is never quiet: it looks into its queue every second.
    for rspamd in servers.iter().filter_map(|server| server.asked.as_ref()) {
        process::settle(&rspamd.groups());
    }
    mta::measure("exim", &servers.iter().map(site).collect::<Vec<_>>(), COPIES);
}

fn groups(server: &Server) -> Vec<u32> {
    std::iter::once(server.exim.process_id()).chain(server.asked.iter().flat_map(Rspamd::groups)).collect()
}

fn site(server: &Server) -> Site<'_> {
    Site {
        name: server.name,
        is_filtered: server.name != "no filter",
        server: server.exim.address(),
        cpu: Box::new(|| process::cpu(&groups(server)).as_secs_f64() * 1e3),
        delivered: Box::new(|| server.exim.log().matches(" Completed").count()),
    }
}
