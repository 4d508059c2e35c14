//! The one table of every address of the program, with what it needs. Routers are built from
//! it: a handler is given to a row by [`On::on`], so that a route without a row cannot exist,
//! and a test walks the table, so that no row is without its answer.
//!
//! Rows of `Api` are for API keys alone: a session's cookie opens nothing under `/api/v1`, so
//! a page of another site can have nothing done there. Rows of `Page` are for sessions.

use axum::Router;
use axum::extract::MatchedPath;
use axum::handler::Handler;
use axum::http::Method;
use axum::http::request::Parts;
use axum::routing::{MethodFilter, on};

use crate::domain::access::Permission;

/// What a request needs to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing.
    Public,
    /// A session or key in force.
    SignedIn,
    /// A session or key with this permission.
    May(Permission),
}

/// Who is asked for it, and how answers look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    /// Machines that bring proof of their own, or need none: webhooks, health.
    Machine,
    /// JSON for API keys.
    Api,
    /// Pages for sessions.
    Page,
}

/// The methods that addresses take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// `GET`, and `HEAD` with it.
    Get,
    /// `POST`.
    Post,
    /// `PUT`.
    Put,
    /// `PATCH`.
    Patch,
    /// `DELETE`.
    Delete,
    /// `OPTIONS`: a browser asks whether another site's page may send something.
    Options,
}

impl Verb {
    /// The method's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
        }
    }

    /// Whether requests of this method change nothing.
    pub const fn is_safe(self) -> bool {
        matches!(self, Self::Get | Self::Options)
    }

    const fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
            Self::Put => MethodFilter::PUT,
            Self::Patch => MethodFilter::PATCH,
            Self::Delete => MethodFilter::DELETE,
            Self::Options => MethodFilter::OPTIONS,
        }
    }

    fn of(method: &Method) -> Option<Self> {
        let all = [
            Self::Get,
            Self::Post,
            Self::Put,
            Self::Patch,
            Self::Delete,
            Self::Options,
        ];
        let name = if method == Method::HEAD {
            "GET"
        } else {
            method.as_str()
        };
        all.into_iter().find(|verb| verb.name() == name)
    }
}

/// One row of the table. There are no others than those below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    verb: Verb,
    path: &'static str,
    area: Area,
    needs: Needs,
}

impl Route {
    /// Its method.
    pub const fn verb(&self) -> Verb {
        self.verb
    }

    /// Its path, with its parameters in braces.
    pub const fn path(&self) -> &'static str {
        self.path
    }

    /// Who is asked.
    pub const fn area(&self) -> Area {
        self.area
    }

    /// What it needs.
    pub const fn needs(&self) -> Needs {
        self.needs
    }

    /// The row that a request has come to, by the path that the router has matched.
    pub fn of(parts: &Parts) -> Option<Self> {
        let path = parts.extensions.get::<MatchedPath>()?;
        let verb = Verb::of(&parts.method)?;
        let row = ALL
            .iter()
            .find(|row| row.verb == verb && row.path == path.as_str());
        row.copied()
    }
}

/// Gives a handler to a row of the table.
pub trait On<S>: Sized {
    /// The handler answers requests of this row.
    #[must_use]
    fn on<H, T>(self, route: Route, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static;
}

impl<S: Clone + Send + Sync + 'static> On<S> for Router<S> {
    fn on<H, T>(self, route: Route, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.route(route.path, on(route.verb.filter(), handler))
    }
}

use Area::{Api, Machine, Page};
use Needs::{May, Public, SignedIn};
use Permission::{
    AuditRead, BatchesRead, BatchesWrite, CampaignsBacktest, CampaignsRead, CampaignsWrite,
    CasesRead, CasesWrite, ConnectionsRead, CustomersRead, DoctorRead, EventsRead, EventsWrite,
    KeysRead, KeysWrite, LedgerRead, PortalRead, PromotersRead, PromotersWrite, QualificationsRead,
    ReferralsRead, ReferralsReassign, ReferralsWrite, UsersRead, UsersWrite, WebhooksRead,
    WebhooksWrite,
};
use Verb::{Delete, Get, Options, Patch, Post, Put};

macro_rules! table {
    ($($name:ident, $verb:ident $path:literal, $area:ident, $needs:expr;)*) => {
        $(
            #[doc = concat!("`", stringify!($verb), " ", $path, "`")]
            pub const $name: Route = Route {
                verb: $verb,
                path: $path,
                area: $area,
                needs: $needs,
            };
        )*

        /// Every row.
        pub const ALL: &[Route] = &[$($name,)*];
    };
}

table! {
    HEALTH, Get "/healthz", Machine, Public;
    READY, Get "/readyz", Machine, Public;
    METRICS, Get "/metrics", Machine, Public;
    WEBHOOK, Post "/webhooks/stripe", Machine, Public;
    WEBHOOK_OF, Post "/webhooks/stripe/{connection}", Machine, Public;
    REFERRAL_LINK, Get "/r/{code}", Machine, Public;
    TRACK_SCRIPT, Get "/t.js", Machine, Public;
    TRACK_SETTINGS, Get "/t/settings", Machine, Public;
    LEAD, Post "/t/lead", Machine, Public;
    LEAD_ASKED, Options "/t/lead", Machine, Public;

    API_PROMOTERS, Get "/api/v1/promoters", Api, May(PromotersRead);
    API_PROMOTER_ADD, Post "/api/v1/promoters", Api, May(PromotersWrite);
    API_PROMOTER, Get "/api/v1/promoters/{id}", Api, May(PromotersRead);
    API_PROMOTER_EDIT, Patch "/api/v1/promoters/{id}", Api, May(PromotersWrite);
    API_PROMOTER_SUSPEND, Post "/api/v1/promoters/{id}/suspend", Api, May(PromotersWrite);
    API_PROMOTER_UNSUSPEND, Post "/api/v1/promoters/{id}/unsuspend", Api, May(PromotersWrite);
    API_PROMOTER_INVITE, Post "/api/v1/promoters/{id}/invite", Api, May(PromotersWrite);
    API_REFERRALS, Get "/api/v1/referrals", Api, May(ReferralsRead);
    API_REFERRAL_ADD, Post "/api/v1/referrals", Api, May(ReferralsWrite);
    API_REFERRAL, Get "/api/v1/referrals/{id}", Api, May(ReferralsRead);
    API_REFERRAL_EXPLANATION, Get "/api/v1/referrals/{id}/explanation", Api, May(ReferralsRead);
    API_CAMPAIGNS, Get "/api/v1/campaigns", Api, May(CampaignsRead);
    API_CAMPAIGN, Get "/api/v1/campaigns/{id}", Api, May(CampaignsRead);
    API_CAMPAIGN_PUT, Put "/api/v1/campaigns/{id}", Api, May(CampaignsWrite);
    API_CAMPAIGN_REVISIONS, Get "/api/v1/campaigns/{id}/revisions", Api, May(CampaignsRead);
    API_CAMPAIGN_LINK, Get "/api/v1/campaigns/{id}/link", Api, May(CampaignsRead);
    API_CAMPAIGN_LINK_PUT, Put "/api/v1/campaigns/{id}/link", Api, May(CampaignsWrite);
    API_CASES, Get "/api/v1/cases", Api, May(CasesRead);
    API_CASE, Get "/api/v1/cases/{id}", Api, May(CasesRead);
    API_CASE_PREVIEW, Post "/api/v1/cases/{id}/preview", Api, May(CasesRead);
    API_CASE_RESOLVE, Post "/api/v1/cases/{id}/resolve", Api, May(CasesWrite);
    API_CASE_UNDO, Post "/api/v1/cases/{id}/undo", Api, May(CasesWrite);
    API_QUALIFICATIONS, Get "/api/v1/qualifications", Api, May(QualificationsRead);
    API_QUALIFICATION, Get "/api/v1/qualifications/{id}", Api, May(QualificationsRead);
    API_BATCHES, Get "/api/v1/batches", Api, May(BatchesRead);
    API_BATCH_NEXT, Get "/api/v1/batches/next", Api, May(BatchesRead);
    API_BATCH_PREVIEW, Post "/api/v1/batches/preview", Api, May(BatchesRead);
    API_BATCH_RUN, Post "/api/v1/batches/run", Api, May(BatchesWrite);
    API_BATCH, Get "/api/v1/batches/{id}", Api, May(BatchesRead);
    API_BATCH_ITEMS, Get "/api/v1/batches/{id}/items", Api, May(BatchesRead);
    API_ACCOUNTS, Get "/api/v1/ledger/accounts", Api, May(LedgerRead);
    API_STATEMENT, Get "/api/v1/ledger/statement", Api, May(LedgerRead);
    API_EVENTS, Get "/api/v1/events", Api, May(EventsRead);
    API_EVENT, Get "/api/v1/events/{id}", Api, May(EventsRead);
    API_EVENT_REPLAY, Post "/api/v1/events/{id}/replay", Api, May(EventsWrite);
    API_NEAR_MISSES, Get "/api/v1/near-misses", Api, May(EventsRead);
    API_NEAR_MISS_LINK, Post "/api/v1/near-misses/{id}/link", Api, May(CasesWrite);
    API_NEAR_MISS_DISMISS, Post "/api/v1/near-misses/{id}/dismiss", Api, May(CasesWrite);
    API_USERS, Get "/api/v1/users", Api, May(UsersRead);
    API_USER_INVITE, Post "/api/v1/users", Api, May(UsersWrite);
    API_USER, Get "/api/v1/users/{id}", Api, May(UsersRead);
    API_USER_EDIT, Patch "/api/v1/users/{id}", Api, May(UsersWrite);
    API_USER_DEACTIVATE, Post "/api/v1/users/{id}/deactivate", Api, May(UsersWrite);
    API_USER_REACTIVATE, Post "/api/v1/users/{id}/reactivate", Api, May(UsersWrite);
    API_KEYS, Get "/api/v1/keys", Api, May(KeysRead);
    API_KEY_ADD, Post "/api/v1/keys", Api, May(KeysWrite);
    API_KEY, Get "/api/v1/keys/{id}", Api, May(KeysRead);
    API_KEY_REVOKE, Post "/api/v1/keys/{id}/revoke", Api, May(KeysWrite);
    API_AUDIT, Get "/api/v1/audit", Api, May(AuditRead);
    API_REFERRAL_TIMELINE, Get "/api/v1/referrals/{id}/timeline", Api, May(ReferralsRead);
    API_REFERRAL_REASSIGN, Post "/api/v1/referrals/{id}/reassign", Api, May(ReferralsReassign);
    API_CAMPAIGN_BACKTEST, Post "/api/v1/campaigns/{id}/backtest", Api, May(CampaignsBacktest);
    API_BACKTEST, Get "/api/v1/backtests/{id}", Api, May(CampaignsBacktest);
    API_BACKTEST_STOP, Post "/api/v1/backtests/{id}/stop", Api, May(CampaignsBacktest);
    API_CUSTOMERS, Get "/api/v1/customers", Api, May(CustomersRead);
    API_CUSTOMER, Get "/api/v1/customers/{id}", Api, May(CustomersRead);
    API_PAYMENTS, Get "/api/v1/payments", Api, May(CustomersRead);
    API_PAYMENT, Get "/api/v1/payments/{id}", Api, May(CustomersRead);
    API_REWARDS, Get "/api/v1/rewards", Api, May(LedgerRead);
    API_ENTRIES, Get "/api/v1/ledger/entries", Api, May(LedgerRead);
    API_CONNECTIONS, Get "/api/v1/connections", Api, May(ConnectionsRead);
    API_CONNECTION, Get "/api/v1/connections/{id}", Api, May(ConnectionsRead);
    API_DOCTOR, Get "/api/v1/doctor", Api, May(DoctorRead);
    API_WEBHOOKS, Get "/api/v1/webhook_endpoints", Api, May(WebhooksRead);
    API_WEBHOOK_ADD, Post "/api/v1/webhook_endpoints", Api, May(WebhooksWrite);
    API_WEBHOOK, Get "/api/v1/webhook_endpoints/{id}", Api, May(WebhooksRead);
    API_WEBHOOK_EDIT, Patch "/api/v1/webhook_endpoints/{id}", Api, May(WebhooksWrite);
    API_WEBHOOK_ROTATE, Post "/api/v1/webhook_endpoints/{id}/rotate", Api, May(WebhooksWrite);
    API_WEBHOOK_TEST, Post "/api/v1/webhook_endpoints/{id}/test", Api, May(WebhooksWrite);
    API_WEBHOOK_DELIVERIES, Get "/api/v1/webhook_endpoints/{id}/deliveries", Api, May(WebhooksRead);
    API_WEBHOOK_REDELIVER, Post "/api/v1/webhook_endpoints/{id}/redeliver", Api, May(WebhooksWrite);
    API_WEBHOOK_DELETE, Delete "/api/v1/webhook_endpoints/{id}", Api, May(WebhooksWrite);

    API_DOCUMENT, Get "/api/openapi.json", Machine, Public;
    API_DOCS, Get "/api/docs", Page, Public;
    API_DOCS_OF, Get "/api/docs/{resource}", Page, Public;

    ASSET, Get "/assets/{name}", Page, Public;
    SIGN_IN, Get "/sign-in", Page, Public;
    SIGN_IN_POST, Post "/sign-in", Page, Public;
    FORGOTTEN, Get "/forgotten-password", Page, Public;
    FORGOTTEN_POST, Post "/forgotten-password", Page, Public;
    LINK, Get "/link", Page, Public;
    LINK_POST, Post "/link", Page, Public;
    ACCOUNT, Get "/account", Page, SignedIn;
    ACCOUNT_PASSWORD, Post "/account/password", Page, SignedIn;

    DASHBOARD, Get "/", Page, SignedIn;
    CAMPAIGNS, Get "/campaigns", Page, May(CampaignsRead);
    CAMPAIGN, Get "/campaigns/{id}", Page, May(CampaignsRead);
    CAMPAIGN_EDIT, Get "/campaigns/{id}/edit", Page, May(CampaignsWrite);
    CAMPAIGN_EDIT_POST, Post "/campaigns/{id}/edit", Page, May(CampaignsWrite);
    CAMPAIGN_NEW, Get "/new-campaign", Page, May(CampaignsWrite);
    CAMPAIGN_NEW_POST, Post "/new-campaign", Page, May(CampaignsWrite);
    BACKTEST, Get "/backtests/{id}", Page, May(CampaignsBacktest);
    BACKTEST_STOP, Post "/backtests/{id}/stop", Page, May(CampaignsBacktest);
    REFERRALS, Get "/referrals", Page, May(ReferralsRead);
    REFERRALS_CSV, Get "/referrals.csv", Page, May(ReferralsRead);
    REFERRAL, Get "/referrals/{id}", Page, May(ReferralsRead);
    REFERRAL_NEW, Get "/new-referral", Page, May(ReferralsWrite);
    REFERRAL_NEW_POST, Post "/new-referral", Page, May(ReferralsWrite);
    PROMOTERS, Get "/promoters", Page, May(PromotersRead);
    PROMOTERS_CSV, Get "/promoters.csv", Page, May(PromotersRead);
    PROMOTER, Get "/promoters/{id}", Page, May(PromotersRead);
    PROMOTER_EDIT, Get "/promoters/{id}/edit", Page, May(PromotersWrite);
    PROMOTER_EDIT_POST, Post "/promoters/{id}/edit", Page, May(PromotersWrite);
    PROMOTER_SUSPEND, Get "/promoters/{id}/suspend", Page, May(PromotersWrite);
    PROMOTER_INVITE, Get "/promoters/{id}/invite", Page, May(PromotersWrite);
    PROMOTER_INVITE_POST, Post "/promoters/{id}/invite", Page, May(PromotersWrite);
    PROMOTER_SUSPEND_POST, Post "/promoters/{id}/suspend", Page, May(PromotersWrite);
    PROMOTER_NEW, Get "/new-promoter", Page, May(PromotersWrite);
    PROMOTER_NEW_POST, Post "/new-promoter", Page, May(PromotersWrite);
    REPORTS, Get "/reports", Page, May(LedgerRead);
    REPORTS_CSV, Get "/reports.csv", Page, May(LedgerRead);
    CAMPAIGN_LINK, Get "/campaigns/{id}/link", Page, May(CampaignsWrite);
    CAMPAIGN_LINK_POST, Post "/campaigns/{id}/link", Page, May(CampaignsWrite);

    PORTAL, Get "/portal", Page, May(PortalRead);
    PORTAL_REWARDS, Get "/portal/rewards", Page, May(PortalRead);
    PORTAL_STATEMENT, Get "/portal/statement.csv", Page, May(PortalRead);

    ADMIN_CASES, Get "/admin/cases", Page, May(CasesRead);
    ADMIN_CASE, Get "/admin/cases/{id}", Page, May(CasesRead);
    ADMIN_CASE_RESOLVE, Post "/admin/cases/{id}/resolve", Page, May(CasesWrite);
    ADMIN_CASE_UNDO, Post "/admin/cases/{id}/undo", Page, May(CasesWrite);
    ADMIN_EVENTS, Get "/admin/events", Page, May(EventsRead);
    ADMIN_EVENTS_REPLAY, Post "/admin/events", Page, May(EventsWrite);
    ADMIN_EVENT, Get "/admin/events/{id}", Page, May(EventsRead);
    ADMIN_EVENT_REPLAY, Post "/admin/events/{id}", Page, May(EventsWrite);
    ADMIN_NEAR_MISSES, Get "/admin/near-misses", Page, May(EventsRead);
    ADMIN_NEAR_MISSES_UNDO, Post "/admin/near-misses", Page, May(CasesWrite);
    ADMIN_NEAR_MISS, Get "/admin/near-misses/{id}", Page, May(EventsRead);
    ADMIN_NEAR_MISS_ANSWER, Post "/admin/near-misses/{id}", Page, May(CasesWrite);

    REFERRAL_REASSIGN, Get "/referrals/{id}/reassign", Page, May(ReferralsReassign);
    REFERRAL_REASSIGN_POST, Post "/referrals/{id}/reassign", Page, May(ReferralsReassign);
    BATCHES, Get "/admin/batches", Page, May(BatchesRead);
    BATCH_PREVIEW, Get "/admin/batches/preview", Page, May(BatchesRead);
    BATCH_RUN, Get "/admin/batches/run", Page, May(BatchesWrite);
    BATCH_RUN_POST, Post "/admin/batches/run", Page, May(BatchesWrite);
    BATCH, Get "/admin/batches/{id}", Page, May(BatchesRead);
    USERS, Get "/admin/users", Page, May(UsersRead);
    USER_INVITE, Get "/admin/invite", Page, May(UsersWrite);
    USER_INVITE_POST, Post "/admin/invite", Page, May(UsersWrite);
    USER, Get "/admin/users/{id}", Page, May(UsersRead);
    USER_ROLE, Post "/admin/users/{id}/role", Page, May(UsersWrite);
    USER_STATE, Get "/admin/users/{id}/state", Page, May(UsersWrite);
    USER_STATE_POST, Post "/admin/users/{id}/state", Page, May(UsersWrite);
    USER_LINK, Post "/admin/users/{id}/link", Page, May(UsersWrite);
    USER_SESSIONS, Post "/admin/users/{id}/end-sessions", Page, May(UsersWrite);
    KEYS, Get "/admin/keys", Page, May(KeysRead);
    KEY_NEW, Get "/admin/new-key", Page, May(KeysWrite);
    KEY_NEW_POST, Post "/admin/new-key", Page, May(KeysWrite);
    KEY_REVOKE, Get "/admin/keys/{id}/revoke", Page, May(KeysWrite);
    KEY_REVOKE_POST, Post "/admin/keys/{id}/revoke", Page, May(KeysWrite);
    AUDIT, Get "/admin/audit", Page, May(AuditRead);
    DOCTOR, Get "/doctor", Page, May(DoctorRead);
    WEBHOOKS, Get "/admin/webhooks", Page, May(WebhooksRead);
    WEBHOOK_NEW, Get "/admin/new-webhook", Page, May(WebhooksWrite);
    WEBHOOK_NEW_POST, Post "/admin/new-webhook", Page, May(WebhooksWrite);
    WEBHOOK_PAGE, Get "/admin/webhooks/{id}", Page, May(WebhooksRead);
    WEBHOOK_EDIT, Get "/admin/webhooks/{id}/edit", Page, May(WebhooksWrite);
    WEBHOOK_EDIT_POST, Post "/admin/webhooks/{id}/edit", Page, May(WebhooksWrite);
    WEBHOOK_STATE, Post "/admin/webhooks/{id}/state", Page, May(WebhooksWrite);
    WEBHOOK_TEST, Post "/admin/webhooks/{id}/test", Page, May(WebhooksWrite);
    WEBHOOK_ROTATE, Get "/admin/webhooks/{id}/rotate", Page, May(WebhooksWrite);
    WEBHOOK_ROTATE_POST, Post "/admin/webhooks/{id}/rotate", Page, May(WebhooksWrite);
    WEBHOOK_REDELIVER, Post "/admin/webhooks/{id}/redeliver", Page, May(WebhooksWrite);
    WEBHOOK_DELETE, Get "/admin/webhooks/{id}/delete", Page, May(WebhooksWrite);
    WEBHOOK_DELETE_POST, Post "/admin/webhooks/{id}/delete", Page, May(WebhooksWrite);

    // The last: whoever walks the table is signed out by them.
    SIGN_OUT, Post "/sign-out", Page, SignedIn;
    ACCOUNT_END, Post "/account/sign-out-everywhere", Page, SignedIn;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_address_stands_in_the_table_once() {
        let mut seen = BTreeSet::new();
        for row in ALL {
            assert!(seen.insert((row.verb.name(), row.path)), "{row:?}");
            let is_api = row.path.starts_with("/api/v1/");
            assert_eq!(is_api, row.area == Area::Api, "{row:?}");
            assert!(!is_api || matches!(row.needs, May(_)), "{row:?}");
            let is_portal = row.needs == May(Permission::PortalRead);
            assert!(!is_portal || row.area == Area::Page, "{row:?}");
        }
    }
}
