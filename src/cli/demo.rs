//! `qualify demo`: a made-up half year on a server of its own, then a summary and where to
//! look next. Environment and settings files have no say in it.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::Exit;
use super::serve::{Signals, death};
use super::settings::SettingsArgs;
use crate::access::keys;
use crate::config::{LogFormat, reachable};
use crate::demo::people;
use crate::demo::run::{Demo, Options};
use crate::demo::story::{SEED, Story};
use crate::demo::summary::{self, Summary};
use crate::demo::words;
use crate::domain::access::By;
use crate::{random, telemetry};
use anyhow::Context;

/// Where a demo that stays is first looked for.
const PREFERRED: &str = "127.0.0.1:8080";
/// Any free port of this machine.
const ANY: &str = "127.0.0.1:0";

/// The story has events that cannot be used on purpose: only errors are worth a log line.
const QUIET: &str = "error";

/// `qualify demo`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print the summary and end, instead of going on serving
    #[arg(long)]
    exit: bool,
    /// The summary as one JSON object
    #[arg(long)]
    json: bool,
    /// Which half year: the same number is the same half year
    #[arg(long, default_value_t = SEED, value_name = "NUMBER")]
    seed: u64,
    /// Keep the database and campaign files in this folder, which has to be empty or new
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// Runs `qualify demo`.
pub fn run(args: &Args, settings: &SettingsArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    telemetry::init_logs(settings.log_filter().unwrap_or(QUIET), LogFormat::Text)?;
    let listen = listen(args, settings)?;
    let folder = Folder::new(args.keep.as_deref())?;
    // Fails only if a provider is installed already, which is as good.
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?
        .block_on(demo(args, listen, &folder, out))
}

async fn demo(
    args: &Args,
    listen: Vec<SocketAddr>,
    folder: &Folder,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let mut signals = Signals::listen()?;
    let options = Options {
        seed: args.seed,
        listen,
        folder: folder.path.clone(),
    };
    let started = Instant::now();
    let story = Story::new(args.seed);
    let demo = Demo::start(&options).await?;
    let played = tokio::select! {
        played = demo.play(&story) => played?,
        _ = signals.told_to_end() => {
            demo.running.shutdown().await;
            return Ok(Exit::Failure as u8);
        }
    };
    let summary = summary::read(&demo, args.seed, &story.promoters, played).await?;
    write_summary(args, &summary, out)?;
    let took = started.elapsed();
    let mut code = Exit::Ok;
    if !args.exit {
        let next = where_next(&demo, &summary).await?;
        // With --json, stdout is for the one object.
        if args.json {
            std::io::stderr().write_all(next.as_bytes())?;
        } else {
            out.write_all(next.as_bytes())?;
        }
    }
    if !args.json {
        writeln!(
            out,
            "\nTook {}.{:01} s",
            took.as_secs(),
            took.subsec_millis() / 100
        )?;
    }
    out.flush()?;
    if !args.exit {
        tokio::select! {
            _ = signals.told_to_end() => {}
            () = death(&demo.running) => code = Exit::Failure,
        }
    }
    demo.running.shutdown().await;
    Ok(code as u8)
}

fn write_summary(args: &Args, summary: &Summary, out: &mut dyn Write) -> anyhow::Result<()> {
    if args.json {
        serde_json::to_writer(&mut *out, summary)?;
        writeln!(out)?;
    } else {
        out.write_all(words::text(summary).as_bytes())?;
    }
    Ok(out.flush()?)
}

/// What to try while it runs: the same questions to the API and to the command line, which is
/// told the demo's own instant.
async fn where_next(demo: &Demo, summary: &Summary) -> anyhow::Result<String> {
    let app = &demo.running.app;
    let (url, database) = (
        format!("http://{}", reachable(demo.running.local_addr)),
        &demo.database_url,
    );
    let (chance, scopes) = (random::secret_bytes()?, ["*".to_owned()]);
    let by = By::command_line();
    let key = keys::create(
        &app.db,
        &app.connection,
        app.clock.as_ref(),
        chance,
        ("demo", &scopes),
        &by,
    );
    let key = key.await?.key;
    people::add_webhook(demo).await?;
    let links = people::invite(demo).await?;
    let links: Vec<String> = links
        .into_iter()
        .map(|(role, link)| format!("  {:<9} {link}", role.name()))
        .collect();
    let links = links.join("\n");
    let at = app.clock.now();
    let example = summary.nearest.first().map(|near| near.referral.as_str());
    let example = example.unwrap_or("<referral>");
    let program = std::env::current_exe().map(|path| path.display().to_string());
    let program = program.unwrap_or_else(|_| "qualify".to_owned());
    Ok(format!(
        "\nDEMO: it runs at {url} until you press Ctrl-C. Its clock stands at {at}.\n\n\
         Open one of these to look around as somebody of that role. Each lets in once:\n\
         {links}\n\
         \x20 KEY={key}\n\
         \x20 curl -H \"Authorization: Bearer $KEY\" {url}/api/v1/referrals/{example}/explanation\n\
         \x20 curl -H \"Authorization: Bearer $KEY\" {url}/api/v1/cases\n\
         \x20 curl -H \"Authorization: Bearer $KEY\" {url}/api/v1/batches\n\
         \x20 curl {url}/metrics\n\n\
         \x20 export DATABASE_URL={database} BASE_URL={url}\n\
         \x20 {program} explain {example} --at {at}\n\
         \x20 {program} verify --at {at}\n\
         \x20 {program} user link owner@demo.example   # another link\n"
    ))
}

/// Where to listen: as told; else on any free port, a demo that stays on the usual one if it
/// is free.
fn listen(args: &Args, settings: &SettingsArgs) -> anyhow::Result<Vec<SocketAddr>> {
    let told = settings
        .listen_addr()
        .map(str::to_owned)
        .or_else(|| std::env::var("LISTEN_ADDR").ok());
    let wanted = match &told {
        Some(told) => vec![told.as_str()],
        None if args.exit => vec![ANY],
        None => vec![PREFERRED, ANY],
    };
    wanted
        .into_iter()
        .map(|text| {
            text.parse()
                .with_context(|| format!("LISTEN_ADDR: `{text}` is no address like {ANY}"))
        })
        .collect()
}

/// The folder with the demo's data; removed at the end unless it is to be kept.
struct Folder {
    path: PathBuf,
    _temporary: Option<tempfile::TempDir>,
}

impl Folder {
    fn new(keep: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = keep else {
            let temporary = tempfile::Builder::new()
                .prefix("qualify-demo-")
                .tempdir()
                .context("cannot make a temporary folder; name one with --keep DIR")?;
            return Ok(Self {
                path: temporary.path().to_owned(),
                _temporary: Some(temporary),
            });
        };
        let shown = path.display();
        std::fs::create_dir_all(path).with_context(|| format!("cannot make the folder {shown}"))?;
        let mut inside =
            std::fs::read_dir(path).with_context(|| format!("cannot read the folder {shown}"))?;
        anyhow::ensure!(
            inside.next().is_none(),
            "the folder {shown} is not empty; a demo starts from nothing, so name a new folder"
        );
        let path = path
            .canonicalize()
            .with_context(|| format!("cannot find the folder {shown}"))?;
        Ok(Self {
            path,
            _temporary: None,
        })
    }
}
