//! Who may do what: the roles of people, the permissions that pages and API keys share, and
//! the one table that joins them. Everything that the table does not allow is denied.

use serde::{Serialize, Serializer};

use super::ids::{ConnectionId, KeyId, PromoterId, SessionId, UserId};

/// What a person is to this installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Everything, and the only one who makes owners and changes them. There is always one.
    Owner,
    /// Runs it: cases, batches, events, users, keys.
    Admin,
    /// Campaigns, promoters and referrals.
    Marketer,
    /// Looks, and changes nothing.
    Viewer,
    /// Sees what is their own as the promoter they are bound to, and nothing else.
    Promoter,
}

impl Role {
    /// Every role, the most powerful first.
    pub const ALL: [Self; 5] = [
        Self::Owner,
        Self::Admin,
        Self::Marketer,
        Self::Viewer,
        Self::Promoter,
    ];

    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Marketer => "marketer",
            Self::Viewer => "viewer",
            Self::Promoter => "promoter",
        }
    }

    /// The role of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// Whether people of this role have this permission.
    pub fn may(self, permission: Permission) -> bool {
        let [owner, admin, marketer, viewer, promoter] = permission.row();
        match self {
            Self::Owner => owner,
            Self::Admin => admin,
            Self::Marketer => marketer,
            Self::Viewer => viewer,
            Self::Promoter => promoter,
        }
    }
}

impl Serialize for Role {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

macro_rules! permissions {
    ($($(#[$doc:meta])* $variant:ident, $name:literal, [$($role:ident)*];)*) => {
        /// One thing that may be done. People have them by their role, API keys by name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Permission { $($(#[$doc])* $variant,)* }

        impl Permission {
            /// Every permission there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable name, which is also the name of a key's scope.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Who has it: owner, admin, marketer, viewer, promoter.
            const fn row(self) -> [bool; 5] {
                match self { $(Self::$variant => [$($role),*],)* }
            }
        }
    };
}

#[expect(non_upper_case_globals, reason = "the table below is read at a glance")]
const x: bool = true;
#[expect(non_upper_case_globals, reason = "the table below is read at a glance")]
const o: bool = false;

permissions! {
    // In this order: owner, admin, marketer, viewer, promoter.
    /// See promoters.
    PromotersRead, "promoters:read", [x x x x o];
    /// Register, change, suspend and invite promoters.
    PromotersWrite, "promoters:write", [x x x o o];
    /// See referrals and their explanations.
    ReferralsRead, "referrals:read", [x x x x o];
    /// Register referrals.
    ReferralsWrite, "referrals:write", [x x x o o];
    /// Give a referral to another promoter.
    ReferralsReassign, "referrals:reassign", [x x o o o];
    /// See campaigns and their revisions.
    CampaignsRead, "campaigns:read", [x x x x o];
    /// Save campaigns.
    CampaignsWrite, "campaigns:write", [x x x o o];
    /// Try rules on the past.
    CampaignsBacktest, "campaigns:backtest", [x x x o o];
    /// See cases and preview what a choice would do.
    CasesRead, "cases:read", [x x x x o];
    /// Resolve cases and undo that.
    CasesWrite, "cases:write", [x x o o o];
    /// See the queue.
    QualificationsRead, "qualifications:read", [x x x x o];
    /// See batches and preview the next one.
    BatchesRead, "batches:read", [x x x x o];
    /// Run a batch now.
    BatchesWrite, "batches:write", [x x o o o];
    /// See balances and statements.
    LedgerRead, "ledger:read", [x x x x o];
    /// See stored events and near misses.
    EventsRead, "events:read", [x x o o o];
    /// Have events read again.
    EventsWrite, "events:write", [x x o o o];
    /// See customers and their payments, referred or not.
    CustomersRead, "customers:read", [x x o o o];
    /// See the Stripe account and mode that everything here belongs to.
    ConnectionsRead, "connections:read", [x x o o o];
    /// See what is wrong with settings, the Stripe account and what is stored.
    DoctorRead, "doctor:read", [x x o o o];
    /// See who has an account.
    UsersRead, "users:read", [x x o o o];
    /// Invite people, change their roles, deactivate them.
    UsersWrite, "users:write", [x x o o o];
    /// See API keys; the keys themselves are shown to nobody.
    KeysRead, "keys:read", [x x o o o];
    /// Make and revoke API keys.
    KeysWrite, "keys:write", [x x o o o];
    /// See webhook endpoints and what became of messages to them.
    WebhooksRead, "webhooks:read", [x x o o o];
    /// Add, change, test and delete webhook endpoints.
    WebhooksWrite, "webhooks:write", [x x o o o];
    /// See who did what.
    AuditRead, "audit:read", [x x o o o];
    /// See one's own things as a promoter.
    PortalRead, "portal:read", [o o o o x];
}

impl Permission {
    /// The permission of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|one| one.name() == name)
    }

    /// Whether an API key can have it: a key is nobody's promoter.
    pub const fn is_for_keys(self) -> bool {
        !matches!(self, Self::PortalRead)
    }
}

/// The name of every scope at once.
pub const EVERYTHING: &str = "*";

/// What somebody may do: a person by their role, a key by its scopes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grants {
    /// A person's.
    Role(Role),
    /// A key's: names separated by spaces, or `*`.
    Scopes(String),
    /// Whoever works at the machine itself, on the command line.
    Machine,
}

impl Grants {
    /// Whether this permission is among them.
    pub fn may(&self, permission: Permission) -> bool {
        match self {
            Self::Role(role) => role.may(permission),
            Self::Machine => permission.is_for_keys(),
            Self::Scopes(scopes) => {
                permission.is_for_keys()
                    && scopes
                        .split(' ')
                        .any(|scope| scope == EVERYTHING || scope == permission.name())
            }
        }
    }

    /// Whether they may hand out a scope: nobody gives what they do not have. `*` has what
    /// later versions add, so only somebody who has everything gives it.
    pub fn may_give_scope(&self, scope: &str) -> bool {
        if scope == EVERYTHING {
            return Permission::ALL
                .iter()
                .all(|permission| !permission.is_for_keys() || self.may(*permission));
        }
        Permission::parse(scope).is_some_and(|permission| self.may(permission))
    }

    /// Whether they may make somebody of this role, or change somebody who is. Owners are
    /// made by owners, and by whoever has the machine; promoters by who manages promoters.
    pub fn may_give_role(&self, role: Role) -> bool {
        match role {
            Role::Owner => matches!(self, Self::Role(Role::Owner) | Self::Machine),
            Role::Promoter => self.may(Permission::PromotersWrite),
            other => {
                self.may(Permission::UsersWrite)
                    && Permission::ALL
                        .iter()
                        .all(|permission| !other.may(*permission) || self.may(*permission))
            }
        }
    }
}

/// Whether a name can be a key's scope.
pub fn is_scope(name: &str) -> bool {
    name == EVERYTHING || Permission::parse(name).is_some_and(Permission::is_for_keys)
}

/// Who does something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A person who is signed in.
    User {
        /// Who.
        id: UserId,
        /// What people call them.
        name: String,
    },
    /// An API key.
    Key {
        /// Which.
        id: KeyId,
        /// What people call it.
        name: String,
    },
    /// Whoever types commands on the machine.
    CommandLine,
    /// The program by itself.
    System,
}

impl Actor {
    /// Who it is, for the audit log: an id that stays when names change.
    pub fn id(&self) -> String {
        match self {
            Self::User { id, .. } => format!("user:{id}"),
            Self::Key { id, .. } => format!("key:{id}"),
            Self::CommandLine => "command_line".to_owned(),
            Self::System => "system".to_owned(),
        }
    }

    /// Who it is, for people who read a decision or a revision.
    pub fn label(&self) -> String {
        match self {
            Self::User { name, .. } => format!("user:{name}"),
            Self::Key { name, .. } => format!("key:{name}"),
            Self::CommandLine => "command line".to_owned(),
            Self::System => "system".to_owned(),
        }
    }
}

/// Who does something, with what they may do, and in which request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    /// Who.
    pub actor: Actor,
    /// What they may do.
    pub grants: Grants,
    /// The id of the request, if it is one.
    pub request: Option<String>,
}

impl By {
    /// Somebody on the command line of the machine.
    pub const fn command_line() -> Self {
        Self {
            actor: Actor::CommandLine,
            grants: Grants::Machine,
            request: None,
        }
    }

    /// The program by itself.
    pub const fn system() -> Self {
        Self {
            actor: Actor::System,
            grants: Grants::Machine,
            request: None,
        }
    }
}

/// A person who is signed in, as the guard found them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Who.
    pub user: UserId,
    /// What people call them.
    pub name: String,
    /// Their address.
    pub email: super::email::CanonicalEmail,
    /// What they are here.
    pub role: Role,
    /// The connection they belong to; they see nothing of another.
    pub connection: ConnectionId,
    /// The promoter they are; only of the role [`Role::Promoter`], and always of it.
    pub promoter: Option<PromoterId>,
    /// The session, by an id that opens nothing.
    pub session: SessionId,
}

impl Signed {
    /// Whether they may do this.
    pub fn may(&self, permission: Permission) -> bool {
        self.role.may(permission)
    }

    /// They as the one who does something.
    pub fn by(&self, request: Option<String>) -> By {
        By {
            actor: Actor::User {
                id: self.user.clone(),
                name: self.name.clone(),
            },
            grants: Grants::Role(self.role),
            request,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_roles_is_what_was_agreed() {
        let mut table = Vec::new();
        for permission in Permission::ALL {
            let roles = Role::ALL.into_iter().filter(|role| role.may(*permission));
            let roles: Vec<&str> = roles.map(Role::name).collect();
            table.push(format!("{}: {}", permission.name(), roles.join(" ")));
        }
        insta::assert_snapshot!(table.join("\n"));
    }

    #[test]
    fn a_scope_is_had_by_name_or_by_having_all() {
        let may = |scopes: &str| Grants::Scopes(scopes.to_owned()).may(Permission::CasesRead);
        assert!(may("cases:read") && may("ledger:read cases:read") && may("*"));
        for other in ["", "cases:write", "cases", "cases:read2", "xcases:read"] {
            assert!(!may(other), "{other}");
        }
        assert!(!Grants::Scopes("*".to_owned()).may(Permission::PortalRead));
        assert!(is_scope("*") && is_scope("audit:read"));
        assert!(!is_scope("cases") && !is_scope("portal:read"));
    }

    #[test]
    fn nobody_gives_what_they_do_not_have() {
        let owner = Grants::Role(Role::Owner);
        let admin = Grants::Role(Role::Admin);
        let marketer = Grants::Role(Role::Marketer);
        let key = Grants::Scopes("keys:write users:write cases:read".to_owned());
        let all = Grants::Scopes("*".to_owned());
        assert!(owner.may_give_role(Role::Owner) && !admin.may_give_role(Role::Owner));
        assert!(!all.may_give_role(Role::Owner) && all.may_give_role(Role::Admin));
        assert!(admin.may_give_role(Role::Admin) && !key.may_give_role(Role::Viewer));
        assert!(marketer.may_give_role(Role::Promoter) && !marketer.may_give_role(Role::Viewer));
        assert!(key.may_give_scope("cases:read") && !key.may_give_scope("cases:write"));
        assert!(!key.may_give_scope("*") && all.may_give_scope("*"));
        assert!(owner.may_give_scope("*") && !owner.may_give_scope("portal:read"));
    }
}
