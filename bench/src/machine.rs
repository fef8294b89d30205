//! The machine that the ratios were measured on.

use std::fs;
use std::thread;

/// Describes this machine, as far as it can be found out.
pub(crate) fn describe() -> String {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let processor = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned());
    let memory = field("/proc/meminfo", "MemTotal")
        .and_then(|total| total.split_whitespace().next()?.parse::<f64>().ok())
        .map_or_else(String::new, |kib| format!(", {:.0} GiB of memory", kib / 1048576.0));
    let system = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let version: Vec<&str> = system.split(['.', '-']).take(2).collect();
    format!("{cores} cores ({processor}){memory}, Linux {}\n", version.join("."))
}

/// The first value of that name in a file of lines such as `name: value`.
fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let values = text.lines().filter_map(|line| line.split_once(':'));
    let value = values.into_iter().find(|(key, _)| key.trim() == name)?.1;
    Some(value.trim().to_owned())
}
