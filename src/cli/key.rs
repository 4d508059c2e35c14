//! `qualify key create|list|revoke`: API keys. The key itself is printed once, when it is made.

use std::io::Write;

use anyhow::Context;

use super::Exit;
use super::settings::SettingsArgs;
use crate::access::keys;
use crate::app;
use crate::clock::SystemClock;
use crate::domain::access::By;
use crate::domain::ids::{ConnectionId, KeyId};
use crate::domain::time::Timestamp;
use crate::random;
use crate::store::Db;
use crate::store::api_keys::ApiKey;

/// `qualify key …`
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
    /// JSON on stdout
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a key and print it, this once
    Create {
        /// What people call it
        #[arg(long)]
        name: String,
        /// What it may do, such as promoters:read,referrals:write; * is everything
        #[arg(long, value_delimiter = ',', required = true)]
        scopes: Vec<String>,
    },
    /// List keys, newest first; keys themselves are not kept and not shown
    List,
    /// Take a key back, at once
    Revoke {
        /// The key's id, `key_…`
        id: KeyId,
    },
}

/// Runs `qualify key …`.
pub fn run(args: &Args, settings: &SettingsArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    let config = settings.load()?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?
        .block_on(async {
            let (db, connection) = app::open_database(&config, &SystemClock).await?;
            let code = answer(args, &db, &connection, out).await;
            db.close().await;
            code
        })
}

async fn answer(
    args: &Args,
    db: &Db,
    connection: &ConnectionId,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let by = By::command_line();
    match &args.command {
        Command::Create { name, scopes } => {
            let chance = random::secret_bytes()?;
            let made = keys::create(db, connection, &SystemClock, chance, (name, scopes), &by);
            let made = made.await?;
            if args.json {
                let mut shown = as_json(&made.stored);
                if let Some(fields) = shown.as_object_mut() {
                    fields.insert("key".to_owned(), made.key.into());
                }
                writeln!(out, "{shown}")?;
            } else {
                writeln!(out, "{}", made.key)?;
                let _ = writeln!(
                    std::io::stderr(),
                    "{} ({}): keep it now, it is not shown again",
                    made.stored.key_id,
                    made.stored.scopes
                );
            }
        }
        Command::List => write_list(&keys::list(db, connection).await?, args.json, out)?,
        Command::Revoke { id } => {
            if !keys::revoke(db, connection, &SystemClock, id, &by).await? {
                let _ = writeln!(std::io::stderr(), "qualify: there is no key {id} in force");
                return Ok(Exit::NotFound as u8);
            }
            if args.json {
                writeln!(out, "{}", serde_json::json!({ "id": id, "revoked": true }))?;
            } else {
                writeln!(out, "{id} is revoked")?;
            }
        }
    }
    Ok(Exit::Ok as u8)
}

fn write_list(keys: &[ApiKey], json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    if json {
        let keys: Vec<serde_json::Value> = keys.iter().map(as_json).collect();
        writeln!(out, "{}", serde_json::Value::from(keys))?;
        return Ok(());
    }
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::NOTHING);
    table.set_header(["ID", "NAME", "SCOPES", "MADE", "LAST USED", "STATE"]);
    for key in keys {
        let state = if key.revoked_at.is_some() {
            "revoked"
        } else {
            "in force"
        };
        table.add_row([
            key.key_id.to_string(),
            key.name.clone(),
            key.scopes.clone(),
            words(Some(key.created_at)),
            words(key.last_used_at),
            state.to_owned(),
        ]);
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim())?;
    }
    Ok(())
}

fn words(seconds: Option<i64>) -> String {
    let at = seconds.and_then(Timestamp::from_unix);
    at.map_or_else(|| "never".to_owned(), Timestamp::words)
}

fn as_json(key: &ApiKey) -> serde_json::Value {
    let at = |seconds: Option<i64>| seconds.and_then(Timestamp::from_unix);
    serde_json::json!({
        "id": key.key_id,
        "name": key.name,
        "scopes": key.scopes.split(' ').collect::<Vec<_>>(),
        "created_at": at(Some(key.created_at)),
        "last_used_at": at(key.last_used_at),
        "revoked_at": at(key.revoked_at),
    })
}
