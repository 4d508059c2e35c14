//! `qualify completions` and `qualify man`: both are derived from the command line itself.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;

use super::Exit;

/// `qualify completions <shell>`
#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    /// The shell
    shell: clap_complete::Shell,
}

/// `qualify man`
#[derive(Debug, clap::Args)]
pub struct ManArgs {
    /// Write one page per command into this folder instead of the main page to stdout
    #[arg(long, value_name = "DIR")]
    out_dir: Option<PathBuf>,
}

/// Writes a shell's completions.
pub fn run(
    args: &CompletionsArgs,
    command: &mut clap::Command,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, command, "qualify", &mut text);
    out.write_all(&text)?;
    Ok(Exit::Ok as u8)
}

/// Writes the manual.
pub fn man(args: &ManArgs, command: clap::Command, out: &mut dyn Write) -> anyhow::Result<u8> {
    if let Some(folder) = &args.out_dir {
        std::fs::create_dir_all(folder)
            .and_then(|()| clap_mangen::generate_to(command, folder))
            .with_context(|| format!("cannot write into {}", folder.display()))?;
    } else {
        let mut text = Vec::new();
        clap_mangen::Man::new(command).render(&mut text)?;
        out.write_all(&text)?;
    }
    Ok(Exit::Ok as u8)
}
