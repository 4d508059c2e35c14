//! Parses the command line and calls the library. Nothing is decided here.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut out = std::io::stdout().lock();
    ExitCode::from(qualify::cli::run(std::env::args_os(), &mut out))
}
