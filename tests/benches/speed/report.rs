//! What is printed, and the same for programs.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

/// The host and the programs, for the report.
pub(crate) fn machine() -> Value {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map(|(_, name)| name);
    let memory = read("/proc/meminfo");
    let kilobytes = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB"));
    let gibibytes = kilobytes.and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0) / f64::from(1 << 20);
    let kernel = Command::new("uname").arg("-sr").output();
    json!({
        "processors": std::thread::available_parallelism().map_or(0, |n| n.get()),
        "model": model.unwrap_or("unknown"),
        "memory_gib": (gibibytes * 10.0).round() / 10.0,
        "kernel": kernel.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default(),
        "load_average": read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" "),
    })
}

/// Writes the figures of a part to `bench/PART.json` in Cargo's target folder.
pub(crate) fn save(part: &str, mut figures: Value) {
    figures["machine"] = machine();
    let folder = folder();
    let path = folder.join(format!("{part}.json"));
    let text = serde_json::to_string_pretty(&figures).expect("figures are JSON");
    match fs::create_dir_all(&folder).and_then(|()| fs::write(&path, text)) {
        Ok(()) => println!("figures    {}", path.display()),
        Err(error) => println!("figures    not written to {}: {error}", path.display()),
    }
}

/// Benchmarks lie in `target/PROFILE/deps`.
fn folder() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    program.ancestors().nth(3).map_or_else(|| PathBuf::from("target"), PathBuf::from).join("bench")
}

/// The middle value.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Lowest and highest.
pub(crate) fn range(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &value| (low.min(value), high.max(value)))
}

/// Two digits behind the point.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
