//! What fails, in turn.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Plan;
use super::clients::Clients;
use super::site::Site;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    DaemonKilled,
    DirectoryKilled,
    ScannerKilled,
    DnsKilled,
    DiskFull,
    CountersLocked,
    RecordsLocked,
    /// The daemon starts while all it asks is away.
    DaemonKilledWhileAllIsAway,
    /// The daemon starts, or fails to, on a full disk.
    DaemonKilledOnFullDisk,
    /// The daemon starts while its records are locked.
    DaemonKilledWhileLocked,
}

const ALL: [Fault; 10] = [
    Fault::DaemonKilled,
    Fault::DirectoryKilled,
    Fault::ScannerKilled,
    Fault::DnsKilled,
    Fault::DiskFull,
    Fault::CountersLocked,
    Fault::RecordsLocked,
    Fault::DaemonKilledWhileAllIsAway,
    Fault::DaemonKilledOnFullDisk,
    Fault::DaemonKilledWhileLocked,
];

/// The faults so far.
#[derive(Debug, Default)]
pub(super) struct Faults {
    count: usize,
    recoveries: BTreeMap<&'static str, Duration>,
}

impl Fault {
    pub(super) fn name(self) -> &'static str {
        match self {
            Fault::DaemonKilled => "milter killed",
            Fault::DirectoryKilled => "slapd killed",
            Fault::ScannerKilled => "clamd killed",
            Fault::DnsKilled => "DNS killed",
            Fault::DiskFull => "disk full",
            Fault::CountersLocked => "counters.db locked",
            Fault::RecordsLocked => "mailward.db locked",
            Fault::DaemonKilledWhileAllIsAway => "milter killed while slapd, clamd and DNS are away",
            Fault::DaemonKilledOnFullDisk => "milter killed while the disk is full",
            Fault::DaemonKilledWhileLocked => "milter killed while mailward.db is locked",
        }
    }

    /// Brings it on, keeps it up for a while, and undoes it.
    fn happen(self, site: &mut Site, clients: &Clients, lasts: Duration) {
        match self {
            Fault::DaemonKilled => site.mailward.restart(),
            Fault::DirectoryKilled => {
                site.slapd.kill();
                clients.wait_out(lasts);
                site.slapd.restart();
            }
            Fault::ScannerKilled => {
                site.clamd.kill();
                clients.wait_out(lasts);
                site.clamd.restart();
            }
            Fault::DnsKilled => {
                site.dns.kill();
                clients.wait_out(lasts);
                site.dns.restart();
            }
            Fault::DiskFull => {
                site.disk.fill();
                clients.wait_out(lasts);
                site.disk.free();
            }
            Fault::CountersLocked => locked(site, "counters.db", |_| clients.wait_out(lasts)),
            Fault::RecordsLocked => locked(site, "mailward.db", |_| clients.wait_out(lasts)),
            Fault::DaemonKilledWhileAllIsAway => {
                site.slapd.kill();
                site.clamd.kill();
                site.dns.kill();
                site.mailward.crash_and_supervise(lasts);
                site.dns.restart();
                site.clamd.restart();
                site.slapd.restart();
                site.mailward.ensure_running();
            }
            Fault::DaemonKilledOnFullDisk => {
                site.disk.fill();
                site.mailward.crash_and_supervise(lasts);
                site.disk.free();
                site.mailward.ensure_running();
            }
            Fault::DaemonKilledWhileLocked => {
                locked(site, "mailward.db", |site| site.mailward.crash_and_supervise(lasts));
                site.mailward.ensure_running();
            }
        }
    }
}

impl Faults {
    /// Whether a kind has not happened yet.
    pub(super) fn kinds_left(&self) -> bool {
        self.count < ALL.len()
    }

    /// The next fault, from its beginning until all is well again.
    pub(super) fn next(&mut self, site: &mut Site, clients: &Clients, plan: &Plan) {
        let (shortest, longest) = plan.fault;
        // Lengths that differ from round to round, the same in each run.
        let part = (self.count * 7 + self.count / ALL.len() * 3) % 10;
        let lasts = shortest + (longest - shortest).mul_f64(part as f64 / 9.0);
        let fault = ALL[self.count % ALL.len()];
        clients.note_fault(Some(fault.name()));
        fault.happen(site, clients, lasts);
        clients.note_fault(None);
        let took = clients.wait_well(plan.pause);
        let longest = self.recoveries.entry(fault.name()).or_default();
        *longest = took.max(*longest);
        self.count += 1;
    }

    /// The longest time from the end of each until all was well again.
    pub(super) fn recoveries(&self) -> BTreeMap<&'static str, Duration> {
        self.recoveries.clone()
    }

    /// How often each happened.
    pub(super) fn counts(&self) -> BTreeMap<&'static str, usize> {
        let count = |at: usize| self.count / ALL.len() + usize::from(at < self.count % ALL.len());
        ALL.iter().enumerate().map(|(at, fault)| (fault.name(), count(at))).collect()
    }
}

/// Holds the lock for writing on a store meanwhile, as another process that writes for long would.
fn locked(site: &mut Site, file: &str, meanwhile: impl FnOnce(&mut Site)) {
    let lock = || -> rusqlite::Result<rusqlite::Connection> {
        let connection = site.store(file)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.execute_batch("BEGIN EXCLUSIVE")?;
        Ok(connection)
    };
    let connection = lock().unwrap_or_else(|error| panic!("{file} can be locked: {error}"));
    meanwhile(site);
    connection.execute_batch("ROLLBACK").unwrap_or_else(|error| panic!("{file} can be unlocked: {error}"));
}
