//! The texts of main.cf and master.cf: a base for the test bench, our own parts as they are shipped, and overrides of
//! times, ports and paths.

use std::path::Path;

use super::{Builder, HOST, Ports};

const MAIN_PART: &str = include_str!("../../../postfix-conf/main.cf");
const MASTER_PART: &str = include_str!("../../../postfix-conf/master.cf");
/// The shipped table for BATV.
pub(super) const BATV_RECIPIENTS: &str = include_str!("../../../postfix-conf/batv-recipients");

/// The services of Debian's master.cf that a relay needs, none of them chrooted.
const SERVICES: &str = "\
pickup    unix  n       -       n       60      1       pickup
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
tlsmgr    unix  -       -       n       1000?   1       tlsmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
verify    unix  -       -       n       -       1       verify
flush     unix  n       -       n       1000?   0       flush
proxymap  unix  -       -       n       -       -       proxymap
proxywrite unix -       -       n       -       1       proxymap
smtp      unix  -       -       n       -       -       smtp
relay     unix  -       -       n       -       -       smtp
showq     unix  n       -       n       -       -       showq
error     unix  -       -       n       -       -       error
retry     unix  -       -       n       -       -       error
discard   unix  -       -       n       -       -       discard
anvil     unix  -       -       n       -       1       anvil
scache    unix  -       -       n       -       1       scache
postlog   unix-dgram n  -       n       -       1       postlogd
";

pub(super) fn main_cf(folder: &Path, builder: &Builder) -> String {
    let mut text = base(folder, builder);
    let mut part = MAIN_PART.to_owned();
    if builder.recipients.is_some() {
        uncomment(&mut part, "relay_recipient_maps = texthash:");
    }
    if builder.batv {
        uncomment(&mut part, "recipient_canonical_maps =");
        uncomment(&mut part, "recipient_canonical_classes =");
    }
    text.push_str(&part);
    text.push_str(&overrides(folder, builder));
    for (name, value) in &builder.settings {
        text.push_str(&format!("{name} = {value}\n"));
    }
    later_wins(&text)
}

/// Keeps the last of several settings of a name, as Postfix would: but Postfix warns about each of the others, in every
/// process, and its own postlogd can block on so many warnings at once.
fn later_wins(text: &str) -> String {
    let mut settings: Vec<(&str, String)> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        if let (true, Some((_, value))) = (line.starts_with([' ', '\t']), settings.last_mut()) {
            value.push('\n');
            value.push_str(line);
        } else {
            let (name, value) = line.split_once('=').unwrap_or_else(|| panic!("not a setting: {line}"));
            settings.retain(|(earlier, _)| *earlier != name.trim());
            settings.push((name.trim(), value.to_owned()));
        }
    }
    settings.iter().map(|(name, value)| format!("{name} ={value}\n")).collect()
}

pub(super) fn master_cf(ports: Ports, builder: &Builder) -> String {
    let chroot = if builder.chroot { "y" } else { "n" };
    let mut part = MASTER_PART.to_owned();
    for (service, port) in [("submission ", ports.submission), ("10025 ", ports.outbound)] {
        let found = part.find(&format!("\n{service}")).unwrap_or_else(|| panic!("no service {service}in master.cf"));
        part.replace_range(found + 1..found + service.len(), &format!("127.0.0.1:{port}"));
    }
    format!("127.0.0.1:{} inet n - {chroot} - - smtpd\n{SERVICES}{part}", ports.smtp)
}

/// What makes a Postfix run from a private folder, listen to XCLIENT from everybody and count no clients.
fn base(folder: &Path, builder: &Builder) -> String {
    let (folder, domains) = (folder.display(), builder.domains.join(", "));
    let (host, sink) = (builder.deliver_to.ip(), builder.deliver_to.port());
    format!(
        "compatibility_level = 3.6
config_directory = {folder}/etc
queue_directory = {folder}/queue
data_directory = {folder}/data
mail_owner = postfix
setgid_group = postdrop
maillog_file = {folder}/maillog
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = all
myhostname = {HOST}
mydestination =
local_recipient_maps =
alias_maps =
alias_database =
mynetworks = 127.0.0.0/8
relay_domains = {domains}
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtp_dns_support_level = disabled
smtpd_peername_lookup = no
default_transport = smtp:[{host}]:{sink}
relay_transport = relay:[{host}]:{sink}
smtpd_authorized_xclient_hosts = 127.0.0.0/8, 0.0.0.0/0, [::]/0
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_junk_command_limit = 100000
in_flow_delay = 0
local_header_rewrite_clients =

"
    )
}

fn overrides(folder: &Path, builder: &Builder) -> String {
    let folder = folder.display();
    let mut text = format!(
        "
mailward_folder = {folder}/mailward
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 2s
smtpd_error_sleep_time = 0
"
    );
    match &builder.milter {
        Some(socket) => text.push_str(&format!("mailward_socket = {socket}\n")),
        None => text.push_str("smtpd_milters =\n"),
    }
    if let Some(chain) = &builder.certificate {
        text.push_str(&format!("smtpd_tls_chain_files = {}\n", chain.display()));
    }
    text
}

/// Makes the optional line `#setting…` of a shipped file an active one.
fn uncomment(part: &mut String, setting: &str) {
    let commented = format!("\n#{setting}");
    assert_eq!(part.matches(&commented).count(), 1, "one line #{setting} in the shipped file");
    *part = part.replace(&commented, &format!("\n{setting}"));
}
