//! Runs the program and watches its clock and its memory.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What one run took.
pub struct Run {
    pub seconds: f64,
    /// The most memory it held.
    pub peak_kib: u64,
    /// How many qualified, where the output says so at its top.
    pub qualified: Option<u64>,
}

/// Runs `qualify` with these arguments; its verdicts are read and dropped.
pub fn run(arguments: &[&str]) -> Run {
    let start = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_qualify"))
        .args(arguments)
        .env("RUST_LOG", "warn")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut out = BufReader::with_capacity(1 << 20, out);
        let (mut name, mut counts) = (String::new(), String::new());
        out.read_line(&mut name).unwrap();
        if !name.starts_with('{') {
            out.read_line(&mut counts).unwrap();
        }
        std::io::copy(&mut out, &mut std::io::sink()).unwrap();
        let first = counts.trim_start().split(' ').next();
        first.and_then(|count| count.parse().ok())
    });
    let status = format!("/proc/{}/status", child.id());
    let mut peak_kib = 0;
    let ended = loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let peak = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse().ok());
        peak_kib = peak_kib.max(peak.unwrap_or(0));
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let seconds = start.elapsed().as_secs_f64();
    assert!(ended.success(), "{arguments:?}");
    Run {
        seconds,
        peak_kib,
        qualified: reader.join().unwrap(),
    }
}
