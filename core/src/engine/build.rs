//! From checked settings to an engine, and what engines of one process share.

use super::{judges::Judges, load::Load};
use crate::{
    authentication::{
        Authenticator, Resolver,
        signing::{Sealer, Signers},
    },
    config::{Config, sections::Deadlines},
    lookup::{
        Deadline, Meter, Script,
        dns::{Dns, DnsSettings, Zone},
        submission::SubmissionSettings,
    },
    malware::{self, Scanner},
    message::Bounds,
    notices,
    outbound::{self, Rights},
    phishing::Phishing,
    policy::{self, AddressList},
    quarantine,
    recipients::{
        batv::Batv,
        bounces,
        dha::Dha,
        directory::{self, Directory},
        greylist::Greylist,
    },
    reputation::{Reputation, correspondents::Correspondents, rates},
    score,
    session::{InFlight, Limits},
    spam::{
        self,
        classifier::{LiveModel, Model},
        spamassassin,
    },
    store::{Counters, HistoryRow, Ledger, Op, Quarantine, SiteKey, Store, StoreError, quarantine::PrivateKeys},
    verdict::Reference,
};
use std::{
    hash::{BuildHasher, RandomState},
    panic::resume_unwind,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

/// All that judges mail, loaded and compiled: nothing here changes after it was built. A reload builds another.
#[derive(Debug)]
pub struct Engine {
    pub(super) limits: Limits,
    pub(super) deadlines: Deadlines,
    pub(super) bounds: Bounds,
    pub(super) dns: Dns,
    pub(super) reputation: Reputation,
    pub(super) correspondents: Correspondents,
    pub(super) authenticator: Authenticator,
    pub(super) directory: Directory,
    pub(super) directory_settings: directory::Settings,
    pub(super) dha: Dha,
    pub(super) greylist: Greylist,
    pub(super) batv: Batv,
    pub(super) bounces: bounces::Settings,
    pub(super) outbound: outbound::Settings,
    pub(super) rights: Rights,
    pub(super) signers: Signers,
    pub(super) sealer: Option<Sealer>,
    pub(super) malware: malware::Settings,
    pub(super) judges: Judges,
    pub(super) spam: spam::Settings,
    pub(super) phishing: Phishing,
    /// Rule files of SpamAssassin, if the site uses them.
    pub(super) spamassassin: Option<spamassassin::Rules>,
    pub(super) score: score::Settings,
    pub(super) policy: policy::Settings,
    pub(super) asks: policy::Asks,
    pub(super) shared: Shared,
    pub(super) rates: rates::Settings,
    pub(super) quarantine: quarantine::Settings,
    pub(super) submission: SubmissionSettings,
    pub(super) notices: notices::Settings,
}

/// How often the classifier's model is looked for. Unit: time. Source: our own limit; who has just learned waits no
/// longer.
const MODEL_LOOK: Duration = Duration::from_secs(3);

/// How often lists of addresses are looked at for a change. Unit: time. Source: our own limit; who has just written one
/// waits no longer.
const LIST_LOOK: Duration = Duration::from_secs(3);

/// What outlives a reload: state on disk, what is in flight, the DNS cache.
#[derive(Debug, Clone)]
pub struct Shared {
    pub(super) counters: Counters,
    /// The same counters through memory.
    pub(super) ledger: Ledger,
    store: Option<Arc<Store>>,
    quarantine: Option<Arc<Quarantine>>,
    /// Under which correspondents are kept.
    site_key: SiteKey,
    pub(super) in_flight: InFlight,
    model: LiveModel,
    pub(super) meter: Meter,
    /// What each network brings.
    pub(super) traffic: rates::Meter,
    pub(super) load: Arc<Load>,
    resolver: Arc<Mutex<Option<(DnsSettings, Resolver)>>>,
    zone: Option<Arc<Zone>>,
    script: Option<Arc<Script>>,
    /// Which engine looks after the stores: the last that began to.
    watch: Arc<AtomicU64>,
    /// Nothing is written: see [`Shared::watching`].
    pub(super) observes: bool,
}

fn refresh(live: &LiveModel) {
    match live.refresh() {
        Ok(false) => {}
        Ok(true) => match live.current() {
            Some(model) => {
                let [ham, spam] = model.about.learned;
                tracing::info!(generation = model.about.generation, ham, spam, "classifier: model read");
            }
            None => tracing::info!("classifier: the model is gone"),
        },
        Err(error) => tracing::error!(%error, "classifier: the model in force stays"),
    }
}

fn refresh_list(list: &AddressList) {
    match list.refresh() {
        Ok(false) => {}
        Ok(true) => tracing::info!(list = list.name, entries = list.len(), "list of addresses read"),
        Err(faults) => {
            for fault in faults {
                tracing::error!("{fault}");
            }
            tracing::error!(list = list.name, entries = list.len(), "the list of addresses in force stays");
        }
    }
}

impl Shared {
    /// Opens the state of a configuration, and makes its directory.
    ///
    /// # Errors
    ///
    /// If the directory or the durable store cannot be opened; the text names it and the cure.
    pub fn open(config: &Config) -> Result<Self, String> {
        let dir = &config.state.dir;
        let advice = |error: &dyn std::fmt::Display| {
            format!(
                "cannot keep state in {}: {error}; set [state] dir to a directory that this user may write",
                dir.display()
            )
        };
        std::fs::create_dir_all(dir).map_err(|error| advice(&error))?;
        let store = Store::open(dir, config.state.history_days).map_err(|error| advice(&error))?;
        let shared = Self::in_memory(None);
        let counters = Counters::open(dir).metered(&shared.meter);
        let ledger = Ledger::new(counters.clone());
        let site_key = SiteKey::open(dir).map_err(|error| advice(&error))?;
        let private_keys = PrivateKeys::of(dir, config.quarantine.private_keys.as_deref());
        let quarantine = Some(Arc::new(Quarantine::of(dir, private_keys)));
        let store = Some(Arc::new(store));
        Ok(Shared { counters, ledger, store, quarantine, site_key, ..shared }.with_model_of(dir))
    }

    /// State that nobody else sees, for `mailward check`. With a zone, DNS answers from it alone.
    pub fn in_memory(zone: Option<Zone>) -> Self {
        let counters = Counters::in_memory();
        Shared {
            ledger: Ledger::new(counters.clone()),
            counters,
            store: None,
            quarantine: None,
            site_key: SiteKey::in_memory(),
            in_flight: InFlight::default(),
            model: LiveModel::default(),
            meter: Meter::default(),
            traffic: rates::Meter::default(),
            load: Load::new(),
            resolver: Arc::default(),
            zone: zone.map(Arc::new),
            script: None,
            watch: Arc::default(),
            observes: false,
        }
    }

    /// For an engine that watches beside the one that acts: the same state, of which it changes nothing, and the same
    /// DNS cache, but measures of its own.
    #[must_use]
    pub fn watching(&self) -> Self {
        let counters = self.counters.read_only();
        Shared {
            ledger: Ledger::new(counters.clone()),
            counters,
            in_flight: InFlight::default(),
            meter: Meter::default(),
            traffic: rates::Meter::default(),
            load: Load::new(),
            observes: true,
            ..self.clone()
        }
    }

    /// The same for a policy case: directory and clamd answer from its script too.
    pub fn scripted(script: Arc<Script>) -> Self {
        Shared { script: Some(Arc::clone(&script)), ..Self::in_memory(Some(script.zone.clone())) }
    }

    /// Judges with the classifier's model of a state directory, read now and whenever [`Shared::refresh_model`] finds
    /// another. Without a model that can be read the base model judges alone.
    #[must_use]
    pub fn with_model_of(self, dir: &Path) -> Self {
        let shared = Shared { model: LiveModel::of(dir), ..self };
        shared.refresh_model();
        shared
    }

    /// Judges with this model of the classifier.
    #[must_use]
    pub fn with_model(self, model: LiveModel) -> Self {
        Shared { model, ..self }
    }

    /// Reads the classifier's model if its file has changed.
    pub fn refresh_model(&self) {
        refresh(&self.model);
    }

    /// Looks for another model every few seconds, off the mail path, until the runtime ends.
    pub fn watch_model(&self) {
        let model = self.model.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(MODEL_LOOK).await;
                let model = model.clone();
                let _ = tokio::task::spawn_blocking(move || refresh(&model)).await;
            }
        });
    }

    /// What answers in place of services.
    pub(super) fn script(&self) -> Option<&Script> {
        self.script.as_deref()
    }

    /// The durable store; `None` in memory.
    pub fn store(&self) -> Option<&Arc<Store>> {
        self.store.as_ref()
    }

    /// The durable store, where what is decided acts.
    pub(super) fn acting_store(&self) -> Option<&Arc<Store>> {
        self.store.as_ref().filter(|_| !self.observes)
    }

    /// The quarantine, where what is decided acts; `None` in memory.
    pub(super) fn quarantine(&self) -> Option<&Arc<Quarantine>> {
        self.quarantine.as_ref().filter(|_| !self.observes)
    }

    /// Begins to look after the stores; who did before stops.
    pub(super) fn next_watch(&self) -> u64 {
        self.watch.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Whether nobody has begun since.
    pub(super) fn is_last_watch(&self, watch: u64) -> bool {
        self.watch.load(Ordering::Relaxed) == watch
    }

    /// The secret of the site.
    pub(super) fn site_key(&self) -> &SiteKey {
        &self.site_key
    }

    /// The shared counters.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Forgets what was counted: for `mailward check`, where messages of a pile have nothing to do with each other.
    pub async fn forget_counts(&self, now: i64, deadline: Deadline) {
        self.traffic.clear();
        let all = Op::Clear { prefix: String::new() };
        if let Some(why) = self.counters.apply(now, vec![all], deadline).await.trouble() {
            tracing::warn!(why, "counts of an earlier message were not forgotten");
        }
    }

    /// How services and our own work did so far.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Measures the load and looks for messages that hang, until the last handle is dropped. A daemon, which lives
    /// longer than one connection, calls it once.
    pub fn watch_load(&self) {
        self.traffic.lives_long();
        tokio::spawn(Load::measure(Arc::downgrade(&self.load)));
    }

    /// Messages and bytes in flight.
    pub fn in_flight(&self) -> &InFlight {
        &self.in_flight
    }

    /// Puts a row on the way to the disk.
    pub(super) fn record(&self, row: HistoryRow) {
        if let Some(store) = self.acting_store() {
            store.record(row);
        }
    }

    /// Returns when the row is on the disk.
    pub(super) async fn commit(&self, row: HistoryRow) -> Result<(), StoreError> {
        match self.acting_store() {
            Some(store) => store.commit(row).await,
            None => Ok(()),
        }
    }

    /// The resolver for these settings: the one there is, with its cache, unless they changed.
    fn resolver(&self, settings: &DnsSettings) -> Result<Resolver, String> {
        if let Some(zone) = &self.zone {
            return Resolver::scripted(Zone::clone(zone));
        }
        let mut kept = self.resolver.lock().unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some((of, resolver)) if of == settings => Ok(resolver.clone()),
            _ => {
                let resolver = Resolver::open(settings)?;
                *kept = Some((settings.clone(), resolver.clone()));
                Ok(resolver)
            }
        }
    }
}

impl Engine {
    /// The model by which the classifier judges; `None` if it is off.
    pub(super) fn classifier_in_force(&self) -> Option<Arc<Model>> {
        self.spam.classifier.enabled.then(|| self.shared.model.in_force())
    }

    /// Loads lists, rules and directories, and compiles them.
    ///
    /// # Errors
    ///
    /// Everything that could not be loaded, each with its file and line.
    pub async fn build(config: Config, shared: Shared) -> Result<Arc<Self>, Vec<String>> {
        match tokio::task::spawn_blocking(move || Self::load(config, shared)).await {
            Ok(engine) => engine.map(Arc::new),
            Err(error) => Err(vec![format!("loading failed: {error}")]),
        }
    }

    fn load(config: Config, shared: Shared) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let mut keep = |problem: Vec<String>| problems.extend(problem);
        let directory_settings = config.directory.clone();
        // Compiling rules takes as long as all else together, and programs that judge one message wait for it.
        let rights = Rights::load(config.outbound.rights.clone()).map_err(&mut keep).ok();
        let signers = Signers::load(config.dkim_keys).map_err(&mut keep).ok();
        let sealer = config.arc.map(Sealer::load).transpose().map_err(&mut keep).ok();
        let (scanner, reputation, batv, resolver, (directory, faults), rules) = thread::scope(|scope| {
            let scanner = scope.spawn(|| Scanner::load(&config.malware));
            let rules = scope.spawn(|| spamassassin::Rules::load(&config.spam.spamassassin));
            let reputation = Reputation::load(config.reputation).map_err(&mut keep).ok();
            let batv = Batv::load(config.batv).map_err(&mut keep).ok();
            let resolver = shared.resolver(&config.dns).map_err(|why| keep(vec![format!("[dns]: {why}")])).ok();
            config.policy.lists.iter().for_each(|list| list.read().unwrap_or_else(&mut keep));
            let directory = match shared.script.clone() {
                Some(script) => Directory::scripted(config.directory, script, shared.counters.clone()),
                None => Directory::open(config.directory, shared.counters.clone(), shared.store.clone()),
            };
            let scanner = scanner.join().unwrap_or_else(|panic| resume_unwind(panic)).map_err(&mut keep).ok();
            let rules = rules.join().unwrap_or_else(|panic| resume_unwind(panic)).map_err(&mut keep).ok();
            (scanner, reputation, batv, resolver, directory, rules)
        });
        for fault in faults {
            tracing::warn!(%fault, "a line of a directory file is left out");
        }
        let (
            Some(reputation),
            Some(batv),
            Some(scanner),
            Some(resolver),
            Some(rights),
            Some(signers),
            Some(sealer),
            Some(rules),
            true,
        ) = (reputation, batv, scanner, resolver, rights, signers, sealer, rules, problems.is_empty())
        else {
            return Err(problems);
        };
        let warnings = scanner.warnings().iter().chain(rules.iter().flat_map(|rules| rules.faults()));
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        if let Some(quarantine) = shared.quarantine().filter(|_| config.policy.quarantines()) {
            let advice = "policies quarantine, so [state] dir and [quarantine] private_keys must be writable";
            quarantine.prepare().map_err(|error| vec![format!("quarantine: {error}; {advice}")])?;
        }
        let delay = if config.rates.mode == rates::Mode::Enforce { config.rates.delay } else { Duration::ZERO };
        shared.load.configure(delay, &config.limits);
        let processors = std::thread::available_parallelism().map_or(1, |n| n.get());
        // What the limits let in is looked at: a field past the bound could name another author.
        let bounds = Bounds::default();
        let bounds = Bounds { headers: bounds.headers.max(config.limits.header_count), ..bounds };
        let domains = directory_settings.domains.iter().map(String::as_str);
        let phishing = Phishing::new(config.phishing, domains);
        Ok(Engine {
            limits: config.limits,
            deadlines: config.deadlines,
            bounds,
            dns: resolver.dns().metered(&shared.meter),
            reputation,
            correspondents: Correspondents::new(config.correspondents, shared.site_key.clone()),
            authenticator: Authenticator::new(config.authentication, resolver),
            directory: directory.metered(&shared.meter),
            directory_settings,
            dha: Dha::new(config.dha, shared.counters.clone()),
            greylist: Greylist::new(config.greylist),
            batv,
            bounces: config.bounces,
            outbound: config.outbound,
            rights,
            signers,
            sealer,
            malware: config.malware,
            // As many may be on their way back to their place as are at work.
            judges: Judges::new(scanner, 2 * processors),
            phishing,
            spam: config.spam,
            spamassassin: rules,
            score: config.score,
            asks: config.policy.asks(),
            policy: config.policy,
            shared,
            rates: config.rates,
            quarantine: config.quarantine,
            submission: config.submission,
            notices: config.notices,
        })
    }

    /// Probes the DNS lists now and every hour (RFC 5782 §5), and looks for changed lists of addresses every few seconds,
    /// until the engine is dropped.
    pub fn watch_lists(self: &Arc<Self>) {
        self.watch_address_lists();
        let engine = Arc::downgrade(self);
        tokio::spawn(async move {
            while let Some(engine) = engine.upgrade() {
                engine.reputation.probe(&engine.dns).await;
                drop(engine);
                tokio::time::sleep(Reputation::PROBE_EVERY).await;
            }
        });
    }

    fn watch_address_lists(&self) {
        let lists: Vec<_> = self.policy.lists.iter().map(Arc::downgrade).collect();
        if lists.is_empty() {
            return;
        }
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(LIST_LOOK).await;
                let lists: Vec<_> = lists.iter().filter_map(Weak::upgrade).collect();
                if lists.is_empty() {
                    return;
                }
                let _ = tokio::task::spawn_blocking(move || lists.iter().for_each(|list| refresh_list(list))).await;
            }
        });
    }

    /// The rules of SpamAssassin's kind, if the site uses some.
    pub fn spamassassin(&self) -> Option<&spamassassin::Rules> {
        self.spamassassin.as_ref()
    }

    /// What it shares with the engines before and after it.
    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Whether the threads that judge messages answer: one is free within the deadline, and does as it is told.
    pub async fn judging_answers(&self, deadline: Deadline) -> bool {
        let answer = async {
            let Ok(turn) = self.shared.load.turn(None).await else { return false };
            self.judges.run(false, move |_| drop(turn)).await.is_ok()
        };
        deadline.bound(answer).await.done().copied().unwrap_or(false)
    }

    /// A new name for a decision. A forked child has its parent's keys, hence the process in it.
    pub(super) fn reference(&self) -> Reference {
        Reference::from_random(RandomState::new().hash_one(std::process::id()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn threads_that_are_all_taken_do_not_answer() {
        let engine = Engine::build(Config::default(), Shared::in_memory(None)).await.expect("the defaults load");
        let in_a_while = || Deadline::after(Duration::from_secs(30));
        assert!(engine.judging_answers(in_a_while()).await);
        let processors = std::thread::available_parallelism().map_or(1, |n| n.get());
        let mut taken = Vec::new();
        for _ in 0..processors {
            taken.push(engine.shared.load.turn(None).await.expect("a free turn"));
        }
        assert!(!engine.judging_answers(Deadline::after(Duration::from_millis(50))).await);
        drop(taken);
        assert!(engine.judging_answers(in_a_while()).await);
    }
}
