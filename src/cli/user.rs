//! `qualify user …`: people with an account, from the machine itself: the first owner when the
//! link at the start is lost, and whoever cannot get mail.

use std::io::Write;
use std::sync::Arc;

use serde_json::{Value, json};

use super::settings::SettingsArgs;
use super::{Exit, database};
use crate::access::users::{Invitation, User};
use crate::access::{Access, AccessError, Proxies};
use crate::app;
use crate::clock::SystemClock;
use crate::domain::access::{By, Role};
use crate::domain::ids::{PromoterId, UserId};
use crate::domain::time::Timestamp;

/// People read at a time.
const PAGE: u32 = 500;

/// `qualify user …`
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
    /// Make somebody and print the link that lets them in, once; no mail is sent
    Create {
        /// Their email address
        email: String,
        /// owner, admin, marketer, viewer or promoter
        #[arg(long, value_parser = role)]
        role: Role,
        /// What people call them
        #[arg(long, default_value = "")]
        name: String,
        /// Which promoter they are, for the role promoter
        #[arg(long, value_name = "ID")]
        promoter: Option<String>,
    },
    /// List people
    List {
        /// Only of this role
        #[arg(long, value_parser = role)]
        role: Option<Role>,
    },
    /// Print a link that signs somebody in, or lets them in for the first time; without
    /// anybody, the link that makes the first owner
    Link {
        /// Their email address or id
        who: Option<String>,
    },
    /// Print a link that gives somebody a new password
    Reset {
        /// Their email address or id
        who: String,
    },
    /// Give somebody another role; their sessions end
    Role {
        /// Their email address or id
        who: String,
        /// owner, admin, marketer, viewer or promoter
        #[arg(value_parser = role)]
        role: Role,
        /// Which promoter they are, for the role promoter
        #[arg(long, value_name = "ID")]
        promoter: Option<String>,
    },
    /// Let somebody in no more; their sessions end at once
    Deactivate {
        /// Their email address or id
        who: String,
    },
    /// Let somebody in again
    Reactivate {
        /// Their email address or id
        who: String,
    },
}

fn role(name: &str) -> Result<Role, String> {
    let names = Role::ALL.map(Role::name).join(", ");
    Role::parse(name).ok_or_else(|| format!("a role is one of {names}"))
}

/// Runs `qualify user …`.
pub fn run(args: &Args, settings: &SettingsArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    let config = database::configured(settings)?;
    database::run(async {
        let (db, connection) = app::open_database(&config, &SystemClock).await?;
        let access = Access::new(
            db.clone(),
            Arc::new(SystemClock),
            connection,
            config.public_url(config.listen_addr),
            Proxies::default(),
        );
        let answered = answer(args, &access, out).await;
        db.close().await;
        answered
    })
}

async fn answer(args: &Args, access: &Access, out: &mut dyn Write) -> anyhow::Result<u8> {
    match said(&args.command, access).await {
        Ok(said) => said.write(args.json, out),
        Err(error @ AccessError::NotFound(_)) => {
            database::say(format_args!("{error}"));
            Ok(Exit::NotFound as u8)
        }
        Err(error) => Err(error.into()),
    }
}

/// What a command answers.
enum Said {
    /// Somebody, with a link if one was made.
    User(Box<User>, Option<String>),
    /// The link that makes the first owner.
    Setup(String),
    /// Many.
    List(Vec<User>),
}

async fn said(command: &Command, access: &Access) -> Result<Said, AccessError> {
    let by = By::command_line();
    let one = |user: User| Said::User(Box::new(user), None);
    Ok(match command {
        Command::Create {
            email,
            role,
            name,
            promoter,
        } => {
            let invitation = Invitation {
                email: email.clone(),
                name: name.clone(),
                role: *role,
                promoter: promoter.as_deref().map(PromoterId::from),
            };
            let (user, link) = access.add(&invitation, &by).await?;
            Said::User(Box::new(user), Some(link))
        }
        Command::List { role } => Said::List(all(access, *role).await?),
        Command::Link { who: None } => {
            let link = access.setup_link().await?;
            Said::Setup(link.ok_or_else(|| AccessError::Conflict {
                code: "has_owner",
                message: "there is an owner already; say whose link you want".to_owned(),
            })?)
        }
        Command::Link { who: Some(who) } => linked(access, who, false, &by).await?,
        Command::Reset { who } => linked(access, who, true, &by).await?,
        Command::Role {
            who,
            role,
            promoter,
        } => {
            let wanted = (*role, promoter.as_deref().map(PromoterId::from));
            one(access
                .set_role(&find(access, who).await?.id, wanted, &by)
                .await?)
        }
        Command::Deactivate { who } => {
            one(access.deactivate(&find(access, who).await?.id, &by).await?)
        }
        Command::Reactivate { who } => {
            one(access.reactivate(&find(access, who).await?.id, &by).await?)
        }
    })
}

async fn linked(access: &Access, who: &str, reset: bool, by: &By) -> Result<Said, AccessError> {
    let user = find(access, who).await?;
    let link = access.link_for(&user.id, reset, by).await?;
    Ok(Said::User(Box::new(user), Some(link)))
}

async fn find(access: &Access, who: &str) -> Result<User, AccessError> {
    if who.contains('@') {
        return access
            .user_of(who)
            .await?
            .ok_or(AccessError::NotFound("user"));
    }
    access.user(&UserId::from(who)).await
}

async fn all(access: &Access, role: Option<Role>) -> Result<Vec<User>, AccessError> {
    let mut all: Vec<User> = Vec::new();
    loop {
        let after = all.last().map(|user| user.id.clone());
        let page = access.users(role, after.as_ref(), PAGE).await?;
        let full = page.len() >= PAGE as usize;
        all.extend(page);
        if !full {
            all.sort_by(|a, b| a.email.cmp(&b.email));
            return Ok(all);
        }
    }
}

impl Said {
    fn write(self, json: bool, out: &mut dyn Write) -> anyhow::Result<u8> {
        match self {
            Self::User(user, link) if json => {
                let mut shown = as_json(&user);
                if let (Some(fields), Some(link)) = (shown.as_object_mut(), link) {
                    fields.insert("link".to_owned(), link.into());
                }
                writeln!(out, "{shown}")?;
            }
            Self::User(user, Some(link)) => {
                writeln!(out, "{link}")?;
                database::say(format_args!("for {}; it works once", user.email));
            }
            Self::User(user, None) => {
                let (email, role) = (&user.email, user.role.name());
                writeln!(out, "{email} is {role}, {}", user.state.name())?;
            }
            Self::Setup(link) if json => writeln!(out, "{}", json!({ "link": link }))?,
            Self::Setup(link) => writeln!(out, "{link}")?,
            Self::List(users) if json => {
                let users: Vec<Value> = users.iter().map(as_json).collect();
                writeln!(out, "{}", Value::from(users))?;
            }
            Self::List(users) => write_table(&users, out)?,
        }
        Ok(Exit::Ok as u8)
    }
}

fn write_table(users: &[User], out: &mut dyn Write) -> anyhow::Result<()> {
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::NOTHING);
    table.set_header([
        "ID",
        "EMAIL",
        "NAME",
        "ROLE",
        "PROMOTER",
        "STATE",
        "LAST SIGN-IN",
    ]);
    for user in users {
        let promoter = user.promoter.as_ref().map_or("", PromoterId::as_str);
        let last = user
            .signed_in_at
            .map_or("never".to_owned(), Timestamp::words);
        table.add_row([
            user.id.as_str(),
            user.email.as_str(),
            &user.name,
            user.role.name(),
            promoter,
            user.state.name(),
            &last,
        ]);
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim())?;
    }
    Ok(())
}

fn as_json(user: &User) -> Value {
    json!({
        "id": user.id,
        "email": user.email,
        "name": user.name,
        "role": user.role,
        "promoter": user.promoter,
        "state": user.state.name(),
        "created_at": user.created_at,
        "changed_at": user.changed_at,
        "signed_in_at": user.signed_in_at,
    })
}
