//! Permissions in words, for people: what a key may do, and what somebody may not.

use crate::domain::access::Permission as P;

/// What it lets one do: `see promoters`.
pub const fn words(permission: P) -> &'static str {
    match permission {
        P::PromotersRead => "see promoters",
        P::PromotersWrite => "add, change, suspend and invite promoters",
        P::ReferralsRead => "see referrals and why they are where they are",
        P::ReferralsWrite => "register referrals",
        P::ReferralsReassign => "give referrals to another promoter",
        P::CampaignsRead => "see campaigns",
        P::CampaignsWrite => "save campaigns",
        P::CampaignsBacktest => "try rules on the past",
        P::CustomersRead => "see customers and their payments",
        P::ConnectionsRead => "see which Stripe account it is connected to",
        P::DoctorRead => "see what the doctor finds",
        P::CasesRead => "see cases",
        P::CasesWrite => "decide cases",
        P::QualificationsRead => "see the queue of rewards",
        P::BatchesRead => "see batches and preview the next one",
        P::BatchesWrite => "run a batch now",
        P::LedgerRead => "see balances and reports",
        P::EventsRead => "see Stripe’s events and near misses",
        P::EventsWrite => "have events read again",
        P::UsersRead => "see who has an account",
        P::UsersWrite => "invite people and change what they may do",
        P::KeysRead => "see API keys",
        P::KeysWrite => "make and revoke API keys",
        P::WebhooksRead => "see webhook endpoints and their deliveries",
        P::WebhooksWrite => "add, change, test and delete webhook endpoints",
        P::AuditRead => "see the audit log",
        P::PortalRead => "see a promoter’s own pages",
    }
}
