//! Settings of rule files that decide hits. What concerns reports, learning or the network says nothing here.

use crate::message::networks::Networks;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Lists and switches.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    /// Domains of free mail; with `*` or `?` as patterns.
    pub(crate) freemail_domains: HashSet<String>,
    pub(crate) freemail_patterns: Vec<String>,
    pub(crate) freemail_exempt: HashSet<String>,
    /// Domains under which others register: one, two and three labels.
    pub(crate) suffixes: [HashSet<String>; 3],
    /// Address lists by name: `welcomelist_from` and those of `enlist_addrlist`.
    pub(crate) addresses: HashMap<String, BTreeSet<String>>,
    /// Host lists of `enlist_uri_host`: whether the host is on it.
    pub(crate) hosts: BTreeMap<String, HashMap<String, bool>>,
    /// Fields that name the client of a web mailer.
    pub(crate) originating_ip_fields: Vec<String>,
    /// Relays of ours, as rule files write them.
    pub(crate) trusted: Option<Networks>,
    pub(crate) internal: Option<Networks>,
    /// Redirectors: the first group is where they lead.
    pub(crate) redirectors: Vec<crate::pattern::Pattern>,
    /// Field that holds the envelope sender.
    pub(crate) envelope_sender_field: Option<String>,
    /// Relays whose bounces are welcome.
    pub(crate) bounce_relays: BTreeSet<String>,
    /// Short lists of subjects.
    pub(crate) subjects: HashMap<String, BTreeSet<String>>,
}

/// Beginnings of keys that decide nothing here: reports, marks, learning, network, accounts.
const WITHOUT_MEANING: &[&str] = &[
    "add_header",
    "adsp_override",
    "allow_user_rules",
    "always_",
    "asn_",
    "auto_",
    "autolearn",
    "awl_",
    "bayes",
    "body_part_scan",
    "clear_headers",
    "clear_report",
    "clear_unsafe",
    "clear_uridnsbl",
    "dcc_",
    "def_welcomelist",
    "def_whitelist",
    "dkim_",
    "dns_",
    "edns",
    "fns_",
    "fold_headers",
    "geodb",
    "hashbl",
    "header_address_parser",
    "ignore_",
    "lock_method",
    "loadplugin",
    "loadmoduleresource",
    "normalize_charset",
    "ok_languages",
    "ok_locales",
    "olemacro",
    "parse_dkim",
    "pdfinfo",
    "phishing_",
    "priority",
    "pyzor",
    "rawbody_part_scan",
    "razor",
    "rbl_",
    "remove_header",
    "report",
    "require_version",
    "required_",
    "reuse",
    "rewrite_header",
    "rules_",
    "shortcircuit",
    "short_",
    "skip_",
    "spamcop",
    "spf_",
    "subjprefix",
    "test",
    "textcat",
    "time_limit",
    "trusted_",
    "txrep",
    "unsafe_report",
    "unwelcomelist",
    "unwhitelist",
    "uridnsbl",
    "urilocal",
    "url_shortener",
    "use_",
    "user_",
    "util_",
    "version_tag",
    "score_",
    "inactive_languages",
    "dns_block",
    "if_",
    "meta_",
    "welcomelist_auth",
    "whitelist_auth",
    "welcomelist_from_",
    "whitelist_from_",
    "msa_networks",
    "envelope_",
    "freemail_",
    "clear_",
    "delete_",
    "username_maps",
    "report_",
    "vbounce",
    "resource_limit",
    "enlist_",
    "delist_",
    "blocklist_uri",
    "blacklist_uri",
    "welcomelist_uri",
    "whitelist_uri",
    "lang",
    "file",
    "accessdb",
    "access_",
    "antivirus",
    "extracttext",
    "fromname",
    "hits_",
    "trim_",
    "originating",
];

impl Settings {
    /// Takes a setting. The error says what is wrong.
    pub(super) fn take(&mut self, key: &str, value: &str) -> Result<(), String> {
        let mut words = value.split_whitespace().map(str::to_lowercase);
        match key {
            "freemail_domains" => {
                for domain in words {
                    if domain.contains(['*', '?']) {
                        self.freemail_patterns.push(domain);
                    } else {
                        self.freemail_domains.insert(domain);
                    }
                }
            }
            "freemail_welcomelist" | "freemail_whitelist" => self.freemail_exempt.extend(words),
            "util_rb_tld" => self.suffixes[0].extend(words),
            "util_rb_2tld" => self.suffixes[1].extend(words),
            "util_rb_3tld" => self.suffixes[2].extend(words),
            "clear_util_rb" => self.suffixes = Default::default(),
            "originating_ip_headers" => self.originating_ip_fields.extend(words),
            "clear_originating_ip_headers" => self.originating_ip_fields.clear(),
            "trusted_networks" => extend(&mut self.trusted, value)?,
            "internal_networks" => extend(&mut self.internal, value)?,
            "clear_trusted_networks" => self.trusted = None,
            "clear_internal_networks" => self.internal = None,
            "envelope_sender_header" => self.envelope_sender_field = Some(value.trim().to_owned()),
            "redirector_pattern" => {
                let pattern = crate::pattern::Pattern::delimited(value.trim().as_bytes());
                self.redirectors.push(pattern.map_err(|why| format!("redirector_pattern: {why}"))?);
            }
            "enlist_addrlist" => {
                let name = list_name(words.next(), key)?;
                self.addresses.entry(name).or_default().extend(words);
            }
            "enlist_uri_host" | "delist_uri_host" => {
                let name = list_name(words.next(), key)?;
                self.hosts_of(name, words, key == "delist_uri_host");
            }
            "blocklist_uri_host" | "blacklist_uri_host" => self.hosts_of("BLOCK".to_owned(), words, false),
            "welcomelist_uri_host" | "whitelist_uri_host" => self.hosts_of("WELCOME".to_owned(), words, false),
            "welcomelist_bounce_relays" | "whitelist_bounce_relays" => self.bounce_relays.extend(words),
            "welcomelist_subject" | "whitelist_subject" | "blocklist_subject" | "blacklist_subject" => {
                self.subjects.entry(modern(key)).or_default().insert(value.trim().to_lowercase());
            }
            "welcomelist_from" | "whitelist_from" | "blocklist_from" | "blacklist_from" | "welcomelist_to"
            | "whitelist_to" | "blocklist_to" | "blacklist_to" | "more_spam_to" | "all_spam_to" => {
                self.addresses.entry(modern(key)).or_default().extend(words);
            }
            _ if WITHOUT_MEANING.iter().any(|start| key.starts_with(start)) => {}
            _ => return Err(format!("unknown setting {key:?}")),
        }
        Ok(())
    }

    fn hosts_of(&mut self, list: String, hosts: impl Iterator<Item = String>, removed: bool) {
        let list = self.hosts.entry(list).or_default();
        for host in hosts {
            match host.strip_prefix('!') {
                _ if removed => drop(list.remove(&host)),
                Some(excluded) => drop(list.insert(excluded.to_owned(), false)),
                None => drop(list.insert(host, true)),
            }
        }
    }
}

/// The newer of the two names of a list.
pub(crate) fn modern(name: &str) -> String {
    name.replace("whitelist", "welcomelist").replace("blacklist", "blocklist")
}

/// `(NAME)`, the first word behind `enlist_addrlist`; list names keep their case.
fn list_name(word: Option<String>, key: &str) -> Result<String, String> {
    word.and_then(|word| Some(word.strip_prefix('(')?.strip_suffix(')')?.to_uppercase()))
        .ok_or_else(|| format!("{key} names its list first: {key} (NAME) …"))
}

fn extend(networks: &mut Option<Networks>, value: &str) -> Result<(), String> {
    let networks = networks.get_or_insert_default();
    value.split_whitespace().try_for_each(|word| networks.add(word))
}
