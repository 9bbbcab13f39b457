//! Measures the classifier alone: learns DIR/train/{ham,spam}, judges every DIR/test/NAME/{ham,spam}.
//!
//! Without DIR/train the base model judges alone. Content rules take part as features, their points do not;
//! authentication and lists take no part. Files are single messages. Times are those of the processor, so that other work on
//! the host does not count; loading files is not in them.

use mailward_core::{
    engine::features,
    spam::classifier::{Class, Features, Model, Samples, Settings},
};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Messages that are timed together. Unit: messages.
const BATCH: usize = 100;

fn main() -> io::Result<()> {
    let Some(dir) = std::env::args().nth(1).map(PathBuf::from) else {
        eprintln!("usage: classifier_accuracy DIR    with DIR/train/{{ham,spam}} and DIR/test/NAME/{{ham,spam}}");
        std::process::exit(2);
    };
    let mut clock = Clock::default();
    let (mut model, mut samples) = (Model::empty(0, 0), Samples::default());
    for class in [Class::Ham, Class::Spam] {
        for batch in files(&dir.join("train").join(class.word()))?.chunks(BATCH) {
            for features in clock.features(batch)? {
                samples.add(&features, class);
                model.about.learned[class as usize] += 1;
            }
        }
    }
    let started = cpu();
    model.retrain(&samples);
    let [ham, spam] = model.about.learned;
    clock.learning.add(started, (ham + spam) as usize);
    println!("learned {ham} ham, {spam} spam; {} features", model.known_features());
    println!(
        "{:<10} {:<5} {:>6} {:>8} {:>8} {:>8} {:>8} {:>8}",
        "test", "class", "mails", ">=3 %", ">=5 %", "<=-1 %", "0 %", "known %"
    );
    let mut tests: Vec<PathBuf> = fs::read_dir(dir.join("test"))?.flatten().map(|entry| entry.path()).collect();
    tests.sort();
    for test in tests {
        let mut scores = [Vec::new(), Vec::new()];
        for class in [Class::Ham, Class::Spam] {
            scores[class as usize] = judge(&model, &test, class, &mut clock)?;
        }
        if scores.iter().all(|scores| !scores.is_empty()) {
            println!("{:>16} (1-AUC) {:.4} %", "", missed_area(&scores));
        }
    }
    println!(
        "microseconds of CPU a message: parse, rules and features {:.0}, judge {:.0}, learn {:.0}; {:.0} features a message",
        clock.looking.each(),
        clock.judging.each(),
        clock.learning.each(),
        clock.features as f64 / clock.looking.count.max(1) as f64
    );
    Ok(())
}

/// Prints a line about the messages of one class; gives their scores.
fn judge(model: &Model, test: &Path, class: Class, clock: &mut Clock) -> io::Result<Vec<f64>> {
    let bounds = Settings::default().bounds;
    let (mut scores, mut points, mut known) = (Vec::new(), Vec::new(), 0.0);
    for batch in files(&test.join(class.word()))?.chunks(BATCH) {
        let features = clock.features(batch)?;
        let started = cpu();
        let outcomes: Vec<_> = features.iter().map(|features| model.judge(features, &bounds)).collect();
        clock.judging.add(started, features.len());
        known += outcomes.iter().flatten().map(|outcome| f64::from(outcome.familiarity)).sum::<f64>();
        points.extend(outcomes.into_iter().map(|outcome| outcome.map_or(0, |o| o.points.as_hundredths())));
        scores.extend(features.iter().map(|features| f64::from(model.margin(features, &bounds))));
    }
    if !scores.is_empty() {
        let total = scores.len() as f64;
        let share = |wanted: &dyn Fn(i32) -> bool| points.iter().filter(|p| wanted(**p)).count() as f64 * 100.0 / total;
        println!(
            "{:<10} {:<5} {:>6} {:>8.2} {:>8.2} {:>8.2} {:>8.2} {:>8.0}",
            test.file_name().unwrap_or_default().to_string_lossy(),
            class.word(),
            scores.len(),
            share(&|points| points >= 300),
            share(&|points| points >= 500),
            share(&|points| points <= -100),
            share(&|points| points == 0),
            known / total
        );
    }
    Ok(scores)
}

/// What each step took.
#[derive(Default)]
struct Clock {
    looking: Time,
    judging: Time,
    learning: Time,
    features: usize,
}

#[derive(Default)]
struct Time {
    nanoseconds: u64,
    count: usize,
}

impl Time {
    fn add(&mut self, started: u64, count: usize) {
        self.nanoseconds += cpu() - started;
        self.count += count;
    }

    fn each(&self) -> f64 {
        self.nanoseconds as f64 / 1_000.0 / self.count.max(1) as f64
    }
}

impl Clock {
    fn features(&mut self, batch: &[PathBuf]) -> io::Result<Vec<Features>> {
        let raw = batch.iter().map(fs::read).collect::<io::Result<Vec<_>>>()?;
        let started = cpu();
        let features: Vec<Features> = raw.iter().map(|raw| features(raw)).collect();
        self.looking.add(started, features.len());
        self.features += features.iter().map(Features::len).sum::<usize>();
        Ok(features)
    }
}

/// Processor time of this thread in nanoseconds (Linux; elsewhere 0).
fn cpu() -> u64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|time| time.parse().ok()).unwrap_or_default()
}

fn files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let mut files: Vec<PathBuf> =
        fs::read_dir(dir)?.flatten().map(|entry| entry.path()).filter(|p| p.is_file()).collect();
    files.sort();
    Ok(files)
}

/// (1-AUC) in percent: the share of pairs of a ham and a spam that stand the wrong way round.
fn missed_area(scores: &[Vec<f64>; 2]) -> f64 {
    let of = |class: usize| scores[class].iter().map(move |&score| (score, class));
    let mut all: Vec<(f64, usize)> = of(0).chain(of(1)).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut spam_below, mut wrong) = (0.0, 0.0);
    for same in all.chunk_by(|a, b| a.0 == b.0) {
        let spam = same.iter().filter(|s| s.1 == 1).count() as f64;
        wrong += (same.len() as f64 - spam) * (spam_below + spam / 2.0);
        spam_below += spam;
    }
    wrong * 100.0 / (scores[0].len() as f64 * scores[1].len() as f64)
}
