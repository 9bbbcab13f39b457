//! Measures the classifier alone: learns DIR/train/{ham,spam}, judges every DIR/test/NAME/{ham,spam}.

use mailward_core::{
    message::{self, Bounds as MessageBounds},
    spam::classifier::{Bounds, Class, Features, Model},
    verdict::Points,
};
use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

pub fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let dir = PathBuf::from(arguments.next().unwrap_or_else(|| ".".to_owned()));
    let order = arguments.next().unwrap_or_else(|| "mixed".to_owned());
    let mut train = Vec::new();
    for class in [Class::Ham, Class::Spam] {
        let files = files(&dir.join("train").join(class.word()))?;
        let count = files.len();
        train.extend(files.into_iter().enumerate().map(|(at, file)| (at as f64 / count as f64, class, file)));
    }
    match order.as_str() {
        "ham-first" => train.sort_by_key(|t| t.1 as u8),
        "spam-first" => train.sort_by_key(|t| 1 - t.1 as u8),
        _ => train.sort_by(|a, b| a.0.total_cmp(&b.0)),
    }
    let mut model = Model::empty(1, 0);
    let mut clock = Clock::default();
    for (_, class, file) in &train {
        let raw = fs::read(file)?;
        let features = clock.features(&raw);
        let started = Instant::now();
        model.learn(&features, *class);
        clock.learn += started.elapsed();
        clock.learned += 1;
    }
    println!(
        "learned {} ham, {} spam, {order}; {} features known",
        model.about.ham,
        model.about.spam,
        model.known_features()
    );
    println!("test       class     n  >=2.0  >=3.0  <=-1.0  zero  known  hamknown   (1-AUC)% raw / points");
    let bounds = Bounds { spam: Points::hundredths(400), ham: Points::hundredths(-200), after: 50 };
    let mut tests: Vec<PathBuf> = fs::read_dir(dir.join("test"))?.flatten().map(|entry| entry.path()).collect();
    tests.sort();
    for test in tests {
        let mut scores = [Vec::new(), Vec::new()];
        let mut trusted = [Vec::new(), Vec::new()];
        for class in [Class::Ham, Class::Spam] {
            let mut known = (0.0, 0.0);
            let mut counts = [0; 4];
            for file in files(&test.join(class.word()))? {
                let raw = fs::read(&file)?;
                let features = clock.features(&raw);
                let started = Instant::now();
                let outcome = model.judge(&features, &bounds);
                clock.judge += started.elapsed();
                clock.judged += 1;
                let look = model.look(&features);
                scores[class as usize].push(look.score);
                trusted[class as usize].push(look.trusted());
                known.0 += look.known;
                known.1 += look.known_ham;
                let points = outcome.map_or(0, |o| o.points.as_hundredths());
                counts[0] += usize::from(points >= 200);
                counts[1] += usize::from(points >= 300);
                counts[2] += usize::from(points <= -100);
                counts[3] += usize::from(points == 0);
                if class == Class::Ham && points >= 200 && std::env::var_os("SHOW").is_some() {
                    println!("   {} {}", points, file.display());
                }
            }
            let n = scores[class as usize].len();
            if n > 0 {
                let share = |count: usize| count as f64 * 100.0 / n as f64;
                let mean = |sum: f64| sum * 100.0 / n as f64;
                println!(
                    "{:<10} {:<5} {n:>5} {:>6.1} {:>6.1} {:>7.1} {:>5.1} {:>6.0} {:>9.0}",
                    test.file_name().unwrap_or_default().to_string_lossy(),
                    class.word(),
                    share(counts[0]),
                    share(counts[1]),
                    share(counts[2]),
                    share(counts[3]),
                    mean(known.0),
                    mean(known.1)
                );
            }
        }
        if scores.iter().all(|s| !s.is_empty()) {
            println!("{:>70.4} / {:.4}", missed_area(&scores), missed_area(&trusted));
        }
    }
    let each = |time: Duration, count: u32| time.as_secs_f64() * 1e6 / f64::from(count.max(1));
    println!(
        "us a message: parse {:.0}, features {:.0}, judge {:.0}, learn {:.0}; {:.0} features",
        each(clock.parse, clock.looked),
        each(clock.features, clock.looked),
        each(clock.judge, clock.judged),
        each(clock.learn, clock.learned),
        clock.count as f64 / f64::from(clock.looked.max(1))
    );
    Ok(())
}

#[derive(Default)]
struct Clock {
    parse: Duration,
    features: Duration,
    judge: Duration,
    learn: Duration,
    looked: u32,
    judged: u32,
    learned: u32,
    count: usize,
}

impl Clock {
    fn features(&mut self, raw: &[u8]) -> Features {
        let started = Instant::now();
        let message = message::parse(raw, &MessageBounds::default());
        self.parse += started.elapsed();
        let started = Instant::now();
        let features = Features::of(&message);
        self.features += started.elapsed();
        self.looked += 1;
        self.count += features.len();
        features
    }
}

fn files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let mut files: Vec<PathBuf> = fs::read_dir(dir)?.flatten().map(|entry| entry.path()).collect();
    files.sort();
    Ok(files)
}

/// (1-AUC) in percent: the share of pairs of a ham and a spam that stand the wrong way round.
fn missed_area(scores: &[Vec<f64>; 2]) -> f64 {
    let mut all: Vec<(f64, usize)> =
        (0..2).flat_map(|class| scores[class].iter().map(move |&score| (score, class))).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut spam_below, mut wrong) = (0.0, 0.0);
    for same in all.chunk_by(|a, b| a.0 == b.0) {
        let spam = same.iter().filter(|s| s.1 == 1).count() as f64;
        let ham = same.len() as f64 - spam;
        wrong += ham * (spam_below + spam / 2.0);
        spam_below += spam;
    }
    wrong * 100.0 / (scores[0].len() as f64 * scores[1].len() as f64)
}
