//! The counts as OpenMetrics text. docs/metrics.md says what each means; a test holds the page against a scrape.

use super::{DIRECTIONS, Metrics, VERDICTS, process::Process};
use mailward_core::{
    engine::Shared,
    lookup::meter::{BOUNDS, Ending, Service, Timing, Work},
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, NoLabelSet, text},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};
use std::{
    fmt::Error,
    sync::{Arc, atomic::Ordering::Relaxed},
};

/// Files of the state directory whose size is shown.
const STATE_FILES: [&str; 6] =
    ["counters.db", "counters.db-wal", "mailward.db", "mailward.db-wal", "quarantine.db", "quarantine.db-wal"];

/// All counts of a running daemon.
#[derive(Debug)]
pub(super) struct Exposition {
    pub(super) metrics: Arc<Metrics>,
    pub(super) shared: Shared,
    /// Unix seconds.
    pub(super) started: i64,
}

/// The text of one scrape. It reads files of `/proc` and the state directory: for a thread that may wait.
pub(super) fn scrape(exposition: Exposition) -> Result<String, Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(exposition));
    let mut text = String::new();
    text::encode(&mut text, &registry)?;
    Ok(text)
}

impl Collector for Exposition {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), Error> {
        let mut page = Page(&mut encoder);
        self.mail(&mut page)?;
        self.lookups(&mut page)?;
        self.daemon(&mut page)?;
        process(&mut page)
    }
}

impl Exposition {
    fn mail(&self, page: &mut Page<'_, '_>) -> Result<(), Error> {
        let metrics = &self.metrics;
        let messages = VERDICTS.iter().zip(&metrics.messages).flat_map(|(verdict, counts)| {
            let counts = DIRECTIONS.iter().zip(counts).map(|(direction, count)| (*direction, count.load(Relaxed)));
            counts.map(move |(direction, count)| ([("verdict", *verdict), ("direction", direction)], count))
        });
        // Verdicts that never were leave no series; the usual ones are always there.
        let messages = messages.filter(|(labels, count)| *count > 0 || labels[1].1 == "inbound");
        page.counters("mailward_messages", "Messages judged", messages)?;
        page.counter("mailward_message_bytes", "Bytes of messages received", metrics.message_bytes.load(Relaxed))?;
        let judging = [(NO_LABELS, &metrics.judging)];
        page.timings("mailward_judging_seconds", "Time from the end of a message to its verdict", judging)?;
        let meter = self.shared.meter();
        let work = Work::ALL.map(|work| ([("part", work.word())], meter.work_time(work)));
        page.timings("mailward_work_seconds", "Parts of judging a message", work)?;
        let refused = metrics.refused.all();
        let refused = refused.iter().map(|([stage, reason], count)| ([("stage", *stage), ("reason", *reason)], *count));
        page.counters("mailward_refused_commands", "Commands refused or deferred before a message", refused)?;
        let findings = metrics.findings.all();
        let findings = findings.iter().map(|([id], count)| ([("id", *id)], *count));
        page.counters("mailward_findings", "Findings of messages and refused commands", findings)?;
        let differs = metrics.shadow_differs.all();
        let differs =
            differs.iter().map(|([acted, shadow], count)| ([("verdict", *acted), ("shadow", *shadow)], *count));
        page.counters(
            "mailward_shadow_differs",
            "Transactions with which the shadow would have done otherwise",
            differs,
        )?;
        page.counter(
            "mailward_shadow_same",
            "Those with which it would do the same",
            metrics.shadow_same.load(Relaxed),
        )?;
        let skipped = metrics.shadow_skipped.load(Relaxed);
        page.counter("mailward_shadow_skipped", "Those that it did not look at, as it was behind", skipped)?;
        let blocks = [false, true]
            .map(|enforced| ([("mode", if enforced { "enforce" } else { "observe" })], meter.blocks(enforced)));
        page.counters("mailward_harvest_blocks", "Networks blocked for directory harvesting", blocks)?;
        let alarms =
            [false, true].map(|defers| ([("mode", if defers { "defer" } else { "observe" })], meter.alarms(defers)));
        page.counters("mailward_account_alarms", "Accounts that somebody else seems to use", alarms)
    }

    fn lookups(&self, page: &mut Page<'_, '_>) -> Result<(), Error> {
        let meter = self.shared.meter();
        let asked = Service::ALL.into_iter().flat_map(|service| {
            Ending::ALL
                .map(|ending| ([("service", service.word()), ("outcome", ending.word())], meter.asked(service, ending)))
        });
        page.counters("mailward_lookups", "Questions to services", asked)?;
        let times = Service::ALL.map(|service| ([("service", service.word())], meter.service_time(service)));
        page.timings("mailward_lookup_seconds", "Time until a service answered", times)
    }

    fn daemon(&self, page: &mut Page<'_, '_>) -> Result<(), Error> {
        let (metrics, config) = (&self.metrics, self.metrics.config());
        let in_flight = self.shared.in_flight();
        page.gauge("mailward_connections_open", "Connections of MTAs", metrics.open_connections())?;
        page.counter("mailward_connections", "Connections of MTAs so far", metrics.opened.load(Relaxed))?;
        page.gauge("mailward_messages_in_flight", "Messages being received or judged", in_flight.messages() as u64)?;
        page.gauge("mailward_messages_in_flight_limit", "Most of them", config.messages_in_flight as u64)?;
        page.gauge("mailward_in_flight_bytes", "Memory for messages in flight", in_flight.bytes() as u64)?;
        page.gauge("mailward_in_flight_bytes_limit", "Most of it", config.bytes_in_flight as u64)?;
        let reloads = [
            ([("outcome", "done")], metrics.reloads.load(Relaxed)),
            ([("outcome", "refused")], metrics.refused_reloads.load(Relaxed)),
        ];
        page.counters("mailward_reloads", "Reloads of the configuration", reloads)?;
        let loaded = config.loaded.try_into().unwrap_or(0);
        page.gauge("mailward_config_loaded_timestamp_seconds", "When the configuration in force was loaded", loaded)?;
        page.gauges("mailward_config_info", "The configuration in force", [([("hash", config.hash.as_str())], 1)])?;
        let build = [("version", env!("CARGO_PKG_VERSION"))];
        page.gauges("mailward_build_info", "The program", [(build, 1)])?;
        let sizes = STATE_FILES.map(|name| {
            let size = std::fs::metadata(config.state.join(name)).map_or(0, |data| data.len());
            ([("file", name)], size)
        });
        page.gauges("mailward_state_file_bytes", "Size of the files that keep state", sizes)?;
        let started = self.started.try_into().unwrap_or(0);
        page.gauge("process_start_time_seconds", "When the daemon started", started)
    }
}

fn process(page: &mut Page<'_, '_>) -> Result<(), Error> {
    let process = Process::now();
    page.seconds("process_cpu_seconds", "User and system time", process.cpu.as_secs_f64())?;
    page.gauge("process_resident_memory_bytes", "Resident memory", process.resident)?;
    page.gauge("process_open_fds", "Open file descriptors", process.descriptors)?;
    page.gauge("process_max_fds", "Most file descriptors", process.descriptor_limit)?;
    page.gauge("process_threads", "Threads", process.threads)
}

type Labels<const N: usize> = [(&'static str, &'static str); N];
const NO_LABELS: Labels<0> = [];

/// Writes metrics by their kind.
struct Page<'a, 'e>(&'a mut DescriptorEncoder<'e>);

impl Page<'_, '_> {
    fn counter(&mut self, name: &str, help: &str, count: u64) -> Result<(), Error> {
        self.0
            .encode_descriptor(name, help, None, MetricType::Counter)?
            .encode_counter::<NoLabelSet, _, u64>(&count, None)
    }

    fn seconds(&mut self, name: &str, help: &str, seconds: f64) -> Result<(), Error> {
        ConstCounter::new(seconds).encode(self.0.encode_descriptor(name, help, None, MetricType::Counter)?)
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) -> Result<(), Error> {
        ConstGauge::new(value).encode(self.0.encode_descriptor(name, help, None, MetricType::Gauge)?)
    }

    fn counters<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        counts: impl IntoIterator<Item = (L, u64)>,
    ) -> Result<(), Error> {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, count) in counts {
            ConstCounter::new(count).encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn gauges<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (L, u64)>,
    ) -> Result<(), Error> {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, value) in values {
            ConstGauge::new(value).encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn timings<'t, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        timings: impl IntoIterator<Item = (Labels<N>, &'t Timing)>,
    ) -> Result<(), Error> {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Histogram)?;
        for (labels, timing) in timings {
            let counts = timing.counts();
            let bounds = BOUNDS.iter().map(|&micros| micros as f64 / 1e6).chain([f64::INFINITY]);
            let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
            let (sum, count) = (timing.total().as_secs_f64(), counts.iter().sum());
            // An empty label set would be written as braces that OpenMetrics does not know.
            match N {
                0 => metric.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?,
                _ => metric.encode_family(&labels)?.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?,
            }
        }
        Ok(())
    }
}
