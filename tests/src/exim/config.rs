//! The text of exim.conf: a base for the test bench, and our own part as it is shipped.

use std::path::Path;

use super::{Builder, unpacked};
use crate::postfix::{DOMAIN, HOST};

const PART: &str = include_str!("../../../examples/exim/exim.conf.part");

pub(super) fn text(folder: &Path, port: u16, plugin: &Path, builder: &Builder) -> String {
    let state = builder.state.clone().unwrap_or_else(|| folder.join("state"));
    let folder = folder.display();
    let mut text = format!(
        "MAILWARD_PLUGIN = {plugin}
MAILWARD_CONFIG = {folder}/mailward.toml
MAILWARD_STATE = {state}
",
        plugin = plugin.display(),
        state = state.display()
    );
    for (name, value) in &builder.macros {
        text.push_str(&format!("{name} = {value}\n"));
    }
    text.push_str(&format!(
        "exim_path = {exim}
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
pid_file_path = {folder}/spool/exim.pid
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
hosts_proxy = 127.0.0.1
primary_hostname = {HOST}
qualify_domain = {DOMAIN}
domainlist relay_to_domains = {DOMAIN}
host_lookup =
rfc1413_hosts =
never_users =
keep_environment =
smtp_accept_max = 200
message_size_limit = 50M
acl_smtp_rcpt = acl_check_rcpt
",
        exim = unpacked("usr/sbin/exim4").display()
    ));
    text.push_str(&match builder.certificate {
        Some(_) => {
            format!("tls_advertise_hosts = *\ntls_certificate = {folder}/tls.crt\ntls_privatekey = {folder}/tls.key\n")
        }
        None => "tls_advertise_hosts =\n".to_owned(),
    });
    for line in &builder.settings {
        text.push_str(&format!("{line}\n"));
    }
    if builder.has_mailward {
        text.push_str(PART);
    } else {
        text.push_str("acl_smtp_data = acl_check_data\nbegin acl\nacl_check_data:\n");
        for rule in &builder.content_rules {
            text.push_str(&format!("  {rule}\n"));
        }
        text.push_str("  accept\n");
    }
    text.push_str("acl_check_rcpt:\n  require domains = +relay_to_domains\n");
    if builder.has_mailward {
        text.push_str("  require acl = acl_mailward_rcpt\n");
    }
    for rule in &builder.recipient_rules {
        text.push_str(&format!("  {rule}\n"));
    }
    text.push_str(&format!(
        "  accept
begin routers
site:
  driver = manualroute
  transport = site
  route_list = * 127.0.0.1
  self = send
begin transports
site:
  driver = smtp
  port = {sink}
  allow_localhost
  message_linelength_limit = 50M
begin retry
* * F,1h,1s
",
        sink = builder.deliver_to.port()
    ));
    if let Some((name, password)) = &builder.user {
        text.push_str(&format!(
            "begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_advertise_condition = ${{if def:tls_in_cipher}}
  server_condition = ${{if and{{{{eq{{$auth2}}{{{name}}}}}{{eq{{$auth3}}{{{password}}}}}}}}}
  server_set_id = $auth2
"
        ));
    }
    text
}
