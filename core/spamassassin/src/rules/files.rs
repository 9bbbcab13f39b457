//! Rule files to directives: includes followed, conditions decided, comments and other languages left out.

use super::expression::{self, Expression, Word};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Where something stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The file.
    pub file: Arc<Path>,
    /// Line, counted from 1.
    pub line: usize,
}

/// Something that is wrong with a rule file. The rest of the file stays in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where it stands; none if the path itself is at fault.
    pub origin: Option<Origin>,
    /// What is wrong.
    pub message: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.origin {
            Some(origin) => write!(f, "{}:{}: {}", origin.file.display(), origin.line, self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// A line that says something.
#[derive(Debug)]
pub(super) struct Directive {
    pub(super) origin: Origin,
    /// Its first word, lower case, with underlines.
    pub(super) key: String,
    /// What follows, not always UTF-8.
    pub(super) value: Vec<u8>,
}

/// Deepest includes. Unit: files. Source: our own limit, against files that include themselves.
const INCLUDES: usize = 10;
/// Largest rule file. Unit: bytes. Source: our own limit; the stock rules have 1.2 MB in 55 files.
const FILE_BYTES: u64 = 64 << 20;
/// The version that we read the rules as. Source: the newest whose language we know, as SpamAssassin writes it.
const VERSION: f64 = 4.000_001;

/// What `if` lines ask for.
#[derive(Debug, Default)]
struct Conditions {
    plugins: BTreeSet<String>,
    /// Whether a `.pre` file named plugins: else those that SpamAssassin loads as shipped.
    plugins_named: bool,
    compatible: BTreeSet<String>,
}

/// All directives of these files and folders, in the order in which SpamAssassin would read them.
pub(super) fn directives(paths: &[PathBuf], language: &str, faults: &mut Vec<Fault>) -> Vec<Directive> {
    let mut files = Vec::new();
    for path in paths {
        files.extend(files_of(path, faults));
    }
    // Plugins first: conditions of rule files ask for them.
    files.sort_by_key(|file| file.extension().is_none_or(|extension| extension != "pre"));
    let mut reader = Reader { language, faults, conditions: Conditions::default(), directives: Vec::new(), depth: 0 };
    for file in files {
        reader.file(&file);
    }
    reader.directives
}

/// The rule files of a folder by name, or the file itself.
fn files_of(path: &Path, faults: &mut Vec<Fault>) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let mut files = match fs::read_dir(path) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect(),
        Err(error) => {
            faults.push(Fault { origin: None, message: format!("{}: {error}", path.display()) });
            Vec::new()
        }
    };
    files.retain(|file: &PathBuf| file.extension().is_some_and(|e| e == "cf" || e == "pre"));
    files.sort();
    files
}

struct Reader<'r> {
    language: &'r str,
    faults: &'r mut Vec<Fault>,
    conditions: Conditions,
    directives: Vec<Directive>,
    depth: usize,
}

/// An `if` that is not closed yet.
struct Open {
    line: usize,
    /// Whether the lines around it are skipped.
    outside_skipped: bool,
}

impl Reader<'_> {
    fn file(&mut self, path: &Path) {
        let file: Arc<Path> = path.into();
        let is_large = fs::metadata(path).is_ok_and(|metadata| metadata.len() > FILE_BYTES);
        let bytes = match fs::read(path) {
            Ok(bytes) if !is_large => bytes,
            Ok(_) => {
                let message = format!("{}: larger than {FILE_BYTES} bytes", path.display());
                return self.faults.push(Fault { origin: None, message });
            }
            Err(error) => {
                return self.faults.push(Fault { origin: None, message: format!("{}: {error}", path.display()) });
            }
        };
        let mut open: Vec<Open> = Vec::new();
        let mut skipped = false;
        for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let origin = || Origin { file: file.clone(), line: index + 1 };
            let line = without_comment(line);
            let Some((mut key, mut value)) = words(&line) else { continue };
            if key == "lang" {
                let (language, rest) = split_word(value);
                // `lang de` also means `de_AT`; the language of the site is written the same way.
                if !self.language.as_bytes().to_ascii_lowercase().starts_with(&language.to_ascii_lowercase()) {
                    continue;
                }
                let Some(inner) = words(rest) else { continue };
                (key, value) = inner;
            }
            match key.as_str() {
                "if" | "ifplugin" => {
                    let text = String::from_utf8_lossy(value).into_owned();
                    let text = if key == "ifplugin" { format!("plugin({text})") } else { text };
                    let holds = match self.conditions.holds(&text) {
                        Ok(holds) => holds,
                        Err(message) => {
                            self.fault(origin(), format!("if {text}: {message}"));
                            false
                        }
                    };
                    open.push(Open { line: index + 1, outside_skipped: skipped });
                    skipped |= !holds;
                }
                "else" => match open.last() {
                    Some(last) => skipped = last.outside_skipped || !skipped,
                    None => self.fault(origin(), "else without if".to_owned()),
                },
                "endif" => match open.pop() {
                    Some(last) => skipped = last.outside_skipped,
                    None => self.fault(origin(), "endif without if".to_owned()),
                },
                _ if skipped => {}
                "include" => self.include(path, value, origin()),
                "loadplugin" | "tryplugin" => {
                    let name = split_word(value).0;
                    self.conditions.plugins_named = true;
                    self.conditions.plugins.insert(String::from_utf8_lossy(name).into_owned());
                }
                "enable_compat" => {
                    self.conditions.compatible.insert(String::from_utf8_lossy(value).into_owned());
                }
                _ => self.directives.push(Directive { origin: origin(), key, value: value.to_vec() }),
            }
        }
        for open in open {
            let origin = Origin { file: file.clone(), line: open.line };
            self.fault(origin, "this if has no endif".to_owned());
        }
    }

    fn include(&mut self, from: &Path, value: &[u8], origin: Origin) {
        let name = String::from_utf8_lossy(value).into_owned();
        let path = from.parent().unwrap_or(Path::new(".")).join(&name);
        if self.depth >= INCLUDES {
            return self.fault(origin, format!("{name}: more than {INCLUDES} files include each other"));
        }
        if !path.is_file() {
            return self.fault(origin, format!("{name}: there is no such file beside this one"));
        }
        self.depth += 1;
        self.file(&path);
        self.depth -= 1;
    }

    fn fault(&mut self, origin: Origin, message: String) {
        self.faults.push(Fault { origin: Some(origin), message });
    }
}

/// The line without what stands behind a `#` that is not escaped.
fn without_comment(line: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(line.len());
    for byte in line {
        if *byte == b'#' {
            if kept.last() != Some(&b'\\') {
                break;
            }
            kept.pop();
        }
        kept.push(*byte);
    }
    kept
}

/// First word and the rest, both without blanks around them.
pub(super) fn split_word(text: &[u8]) -> (&[u8], &[u8]) {
    let text = text.trim_ascii();
    let end = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
    (&text[..end], text[end..].trim_ascii())
}

fn words(line: &[u8]) -> Option<(String, &[u8])> {
    let (key, value) = split_word(line);
    (!key.is_empty()).then(|| (String::from_utf8_lossy(key).to_lowercase().replace('-', "_"), value))
}

/// Plugins that SpamAssassin 4.0 loads as it is shipped.
const SHIPPED_PLUGINS: &[&str] = &[
    "URIDNSBL",
    "SPF",
    "Pyzor",
    "Razor2",
    "SpamCop",
    "AutoLearnThreshold",
    "WelcomeListSubject",
    "MIMEHeader",
    "ReplaceTags",
    "DKIM",
    "Check",
    "HTTPSMismatch",
    "URIDetail",
    "Bayes",
    "BodyEval",
    "DNSEval",
    "HTMLEval",
    "HeaderEval",
    "MIMEEval",
    "RelayEval",
    "URIEval",
    "WLBLEval",
    "VBounce",
    "ImageInfo",
    "FreeMail",
    "AskDNS",
    "HashBL",
    "DMARC",
];

/// Abilities that rule files ask for by name: those of SpamAssassin 4.0.1.
const FEATURES: &[&str] = &[
    "has_plaintext_body_sig_ratio",
    "has_check_body_length",
    "has_check_abundant_unicode_ratio",
    "has_check_for_ascii_text_illegal",
    "has_check_qp_ratio",
    "has_check_for_spf_errors",
    "has_uridnsbl_for_a",
    "has_tflags_domains_only",
    "has_tflags_notrim",
    "has_tflags_range",
    "has_tflags_concat",
    "has_tflags_multiple",
    "has_all_header",
    "has_capture_rules",
    "has_arc",
    "has_subtest_for_ns_lookups",
    "has_check_uri_host_listed",
    "has_tflags_nosubject",
    "has_tflags_nolog",
    "has_uridnsbl_a_ns",
    "perl_min_version_5010000",
    "feature_originating_ip_headers",
    "feature_dns_local_ports_permit_avoid",
    "feature_bayes_auto_learn_on_error",
    "feature_uri_host_listed",
    "feature_yesno_takes_args",
    "feature_bug6558_free",
    "feature_edns",
    "feature_dns_query_restriction",
    "feature_registryboundaries",
    "feature_geodb",
    "feature_dns_block_rule",
    "feature_compile_regexp",
    "feature_meta_rules_matching",
    "feature_subjprefix",
    "feature_bayes_stopwords",
    "feature_get_host",
    "feature_blocklist_welcomelist",
    "feature_welcomelist_blocklist",
    "feature_header_address_parser",
    "feature_local_tests_only",
    "feature_header_first_last",
    "feature_header_match_many",
    "feature_capture_rules",
];

impl Conditions {
    fn holds(&self, text: &str) -> Result<bool, String> {
        let expression: Expression<Word> = expression::parse(text)?;
        let mut unknown = None;
        let value = expression.value(&mut |word| match word {
            Word::Call(function, argument) if function == "plugin" => f64::from(self.has_plugin(argument)),
            Word::Call(function, argument) if function == "can" || function == "has" => f64::from(self.can(argument)),
            Word::Name(name) if name == "version" => VERSION,
            // As numbers Perl writes its version 5.36.
            Word::Name(name) if name == "perl_version" => 5.036,
            Word::Name(name) if name == "local_tests_only" => 1.0,
            Word::Call(name, _) | Word::Name(name) => {
                unknown = Some(name.clone());
                0.0
            }
        });
        match unknown {
            Some(name) => Err(format!("{name} is nothing that a condition can ask for")),
            None => Ok(value != 0.0),
        }
    }

    fn has_plugin(&self, name: &str) -> bool {
        let last = name.trim_matches(['\'', '"']).rsplit("::").next().unwrap_or_default();
        let last = match last {
            "Dmarc" => "DMARC",
            "WhiteListSubject" => "WelcomeListSubject",
            other => other,
        };
        if self.plugins_named {
            self.plugins.iter().any(|plugin| plugin.rsplit("::").next() == Some(last))
        } else {
            SHIPPED_PLUGINS.contains(&last)
        }
    }

    fn can(&self, name: &str) -> bool {
        let (module, ability) = name.rsplit_once("::").unwrap_or(("", name));
        if let Some(compatible) = ability.strip_prefix("compat_") {
            return self.compatible.contains(compatible);
        }
        let loaded = !module.contains("::Plugin::") || self.has_plugin(module);
        loaded && FEATURES.contains(&ability)
    }
}
