//! A real Postfix, without a filter and with each.

use std::net::SocketAddr;
use std::process::Command;

use mailward_tests::nxdomain::NxDomain;
use mailward_tests::ports::{free_port, loopback, wait_listening};
use mailward_tests::postfix::Postfix;
use mailward_tests::process::{Process, program};
use mailward_tests::scratch::Scratch;

use crate::corpus::Sample;
use crate::mta::{self, Site};
use crate::peers::{self, Peer};
use crate::process;

/// Copies sent in a run.
const COPIES: usize = 500;

pub(crate) fn measure(sample: &Sample) {
    let scratch = Scratch::new();
    let dns = NxDomain::start();
    let peers = peers::start(&scratch, &dns, sample, false);
    let sink = Sink::start(&scratch);
    let filters = std::iter::once(None).chain(peers.iter().map(Some));
    let servers: Vec<(Option<&Peer>, Postfix)> =
        filters.map(|filter| (filter, start(filter, &sink, &scratch))).collect();
    let sites: Vec<Site<'_>> = servers.iter().map(|(filter, postfix)| site(*filter, postfix)).collect();
    mta::measure("postfix", &sites, COPIES);
}

fn start(filter: Option<&Peer>, sink: &Sink, scratch: &Scratch) -> Postfix {
    // The client tells its address by the PROXY protocol: XCLIENT would make Postfix connect to the filter twice.
    let builder = Postfix::delivering_to_address(sink.address).set("smtpd_upstream_proxy_protocol", "haproxy");
    let builder = match filter {
        Some(peer) => builder.milter(peer.inet()),
        None => builder,
    };
    builder.start(scratch)
}

fn site<'p>(filter: Option<&'p Peer>, postfix: &'p Postfix) -> Site<'p> {
    Site {
        name: filter.map_or("no filter", |peer| peer.name),
        is_filtered: filter.is_some(),
        server: postfix.address(),
        cpu: Box::new(move || {
            process::cpu(&[postfix.process_id()]).as_secs_f64() * 1e3 + filter.map_or(0.0, Peer::cpu)
        }),
        delivered: Box::new(|| postfix.log().matches(" status=sent ").count()),
    }
}

/// Postfix's own smtp-sink, which throws all mail away.
pub(crate) struct Sink {
    pub(crate) address: SocketAddr,
    _process: Process,
}

impl Sink {
    pub(crate) fn start(scratch: &Scratch) -> Sink {
        let address = loopback(free_port());
        let mut command = Command::new(program("smtp-sink", "postfix"));
        command.args(["-u", "nobody", &address.to_string(), "1000"]).current_dir("/tmp");
        let process = Process::start(&mut command, &scratch.path().join("smtp-sink.log"));
        wait_listening("smtp-sink", address);
        Sink { address, _process: process }
    }
}
