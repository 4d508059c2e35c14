//! Where a role may go: one table, filtered by what the role may see.

use crate::domain::access::{Permission as P, Role};

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NavLink {
    /// What it says.
    pub label: &'static str,
    /// Where it leads.
    pub href: &'static str,
    /// Whether the page is under it.
    pub current: bool,
    /// How much waits there for a person.
    pub waiting: i64,
}

/// Entries that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NavGroup {
    /// What they are about.
    pub title: &'static str,
    /// The entries.
    pub links: Vec<NavLink>,
}

const MARKETING: &[(&str, &str, P)] = &[
    ("Dashboard", "/", P::CampaignsRead),
    ("Campaigns", "/campaigns", P::CampaignsRead),
    ("Referrals", "/referrals", P::ReferralsRead),
    ("Promoters", "/promoters", P::PromotersRead),
    ("Reports", "/reports", P::LedgerRead),
];
const ADMIN: &[(&str, &str, P)] = &[
    ("Cases", "/admin/cases", P::CasesRead),
    ("Batches", "/admin/batches", P::BatchesRead),
    ("Events", "/admin/events", P::EventsRead),
    ("Near misses", "/admin/near-misses", P::EventsRead),
    ("Doctor", "/doctor", P::DoctorRead),
    ("Users", "/admin/users", P::UsersRead),
    ("API keys", "/admin/keys", P::KeysRead),
    ("Webhooks", "/admin/webhooks", P::WebhooksRead),
    ("Audit log", "/admin/audit", P::AuditRead),
];
const PORTAL: &[(&str, &str, P)] = &[
    ("Referrals", "/portal", P::PortalRead),
    ("Rewards", "/portal/rewards", P::PortalRead),
];

/// The entries that a role may see.
pub fn nav(role: Role) -> Vec<NavGroup> {
    let groups = [
        ("Marketing", MARKETING),
        ("Operations", ADMIN),
        ("Yours", PORTAL),
    ];
    let filtered = groups.into_iter().map(|(title, links)| NavGroup {
        title,
        links: links
            .iter()
            .filter(|(.., permission)| role.may(*permission))
            .map(|(label, href, _)| NavLink {
                label,
                href,
                current: false,
                waiting: 0,
            })
            .collect(),
    });
    filtered.filter(|group| !group.links.is_empty()).collect()
}

/// Says at the entry of the cases how many wait for a person.
pub fn with_open_cases(mut groups: Vec<NavGroup>, open: i64) -> Vec<NavGroup> {
    let mut links = groups.iter_mut().flat_map(|group| &mut group.links);
    if let Some(cases) = links.find(|link| link.href == "/admin/cases") {
        cases.waiting = open;
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_sees_where_it_may_go() {
        let seen = |role| -> Vec<&str> {
            let groups = nav(role);
            let links = groups.iter().flat_map(|group| &group.links);
            links.map(|link| link.href).collect()
        };
        assert_eq!(seen(Role::Promoter), ["/portal", "/portal/rewards"]);
        assert!(seen(Role::Owner).contains(&"/admin/audit"));
        assert!(!seen(Role::Marketer).contains(&"/admin/users"));
        assert!(!seen(Role::Viewer).contains(&"/portal"));
    }
}
