//! A database opened for one command, without a server: settings → database, connection,
//! clock. What the command does with it is no business of this file.

use super::{StartError, connection, load_campaigns};
use crate::clock::SharedClock;
use crate::config::Config;
use crate::domain::ids::ConnectionId;
use crate::ingest::read::Scope;
use crate::store::connections::Connection;
use crate::store::{ConnectOptions, Db, Schema};

/// An open database, with what every command needs to use it.
#[derive(Debug)]
pub struct Opened {
    /// The settings.
    pub config: Config,
    /// The database, its tables up to date.
    pub db: Db,
    /// The clock.
    pub clock: SharedClock,
    /// The connection from settings.
    pub connection: Connection,
}

impl Opened {
    /// The connection's id.
    pub const fn id(&self) -> &ConnectionId {
        &self.connection.id
    }

    /// Whose events are read.
    pub fn scope(&self) -> Scope {
        Scope {
            account: self.connection.account.clone(),
            mode: self.connection.mode,
        }
    }
}

/// Opens the database to look at it; [`StartError::NotMigrated`] if its tables are those of
/// another version, because looking must not change them.
pub async fn open(config: Config, clock: SharedClock) -> Result<Opened, StartError> {
    let db = connect(&config).await?;
    match db.schema().await? {
        Schema::Current => {}
        Schema::Older => {
            db.close().await;
            return Err(StartError::NotMigrated);
        }
        // Refuses, and says why.
        Schema::Newer { .. } => db.migrate().await?,
    }
    with_connection(config, clock, db).await
}

/// Opens the database to work on it, as the server does at its start: tables are brought up
/// to date and campaign files taken over.
pub async fn open_to_work(config: Config, clock: SharedClock) -> Result<Opened, StartError> {
    let db = connect(&config).await?;
    db.migrate().await?;
    let opened = with_connection(config, clock, db).await?;
    load_campaigns(&opened.config, &opened.db, opened.id(), &opened.clock).await?;
    Ok(opened)
}

async fn connect(config: &Config) -> Result<Db, StartError> {
    let options = ConnectOptions::default();
    Ok(Db::connect(config.database_url.expose(), &options).await?)
}

async fn with_connection(config: Config, clock: SharedClock, db: Db) -> Result<Opened, StartError> {
    let connection = connection::ensure(&db, &config.stripe, clock.now()).await?;
    Ok(Opened {
        config,
        db,
        clock,
        connection,
    })
}
