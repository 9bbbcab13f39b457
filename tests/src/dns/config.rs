//! The text of unbound.conf.

use std::fmt::Write;
use std::path::Path;

use super::Builder;

/// Everything is inside a static root zone, so that a name which the test has not mentioned does not exist. Block lists
/// are passed on to rbldnsd; answers from there, and its silence while a test hangs unbound, are remembered for a second
/// at most.
pub(super) fn unbound(folder: &Path, port: u16, lists_port: u16, builder: &Builder, lists: &[String]) -> String {
    let folder = folder.display();
    let mut text = format!(
        "server:
  directory: \"{folder}\"
  chroot: \"\"
  username: \"\"
  use-syslog: no
  logfile: \"{folder}/log\"
  log-queries: yes
  interface: 127.0.0.1
  port: {port}
  do-ip6: no
  access-control: 127.0.0.0/8 allow
  module-config: \"iterator\"
  do-not-query-localhost: no
  num-threads: 1
  cache-max-ttl: 1
  cache-max-negative-ttl: 1
  infra-cache-max-rtt: 400
  infra-host-ttl: 1
  local-zone: \".\" static
  local-data: \". 1 IN SOA ns.test. hostmaster.test. 1 60 60 60 1\"
"
    );
    for list in lists.iter().chain(&builder.failing) {
        let _ = writeln!(text, "  local-zone: \"{list}.\" transparent");
    }
    for domain in &builder.refused {
        let _ = writeln!(text, "  local-zone: \"{domain}.\" refuse");
    }
    for domain in &builder.silent {
        let _ = writeln!(text, "  local-zone: \"{domain}.\" deny");
    }
    for record in &builder.records {
        let _ = writeln!(text, "  local-data: '{record}'");
    }
    for list in lists {
        let _ = writeln!(text, "stub-zone:\n  name: \"{list}.\"\n  stub-addr: 127.0.0.1@{lists_port}");
    }
    for domain in &builder.failing {
        let _ = writeln!(text, "stub-zone:\n  name: \"{domain}.\"\n  stub-addr: 127.0.0.1@1");
    }
    let _ = writeln!(text, "remote-control:\n  control-enable: yes\n  control-interface: {folder}/control");
    text
}
