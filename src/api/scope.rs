//! What a key may do. Scopes are checked by the handlers; which key has which is in the store.

/// One permission. A key has a list of them; `*` stands for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// See promoters.
    PromotersRead,
    /// Register, change and suspend promoters.
    PromotersWrite,
    /// See referrals and their explanations.
    ReferralsRead,
    /// Register referrals.
    ReferralsWrite,
    /// See campaigns and their revisions.
    CampaignsRead,
    /// Save campaigns.
    CampaignsWrite,
    /// See cases and preview what a choice would do.
    CasesRead,
    /// Resolve cases and undo that.
    CasesWrite,
    /// See the queue.
    QualificationsRead,
    /// See batches and preview the next one.
    BatchesRead,
    /// Run a batch now.
    BatchesWrite,
    /// See balances and statements.
    LedgerRead,
    /// See stored events and near misses.
    EventsRead,
    /// Have events read again.
    EventsWrite,
}

/// The name of every scope at once.
pub const EVERYTHING: &str = "*";

impl Scope {
    /// Every scope there is.
    pub const ALL: [Self; 14] = [
        Self::PromotersRead,
        Self::PromotersWrite,
        Self::ReferralsRead,
        Self::ReferralsWrite,
        Self::CampaignsRead,
        Self::CampaignsWrite,
        Self::CasesRead,
        Self::CasesWrite,
        Self::QualificationsRead,
        Self::BatchesRead,
        Self::BatchesWrite,
        Self::LedgerRead,
        Self::EventsRead,
        Self::EventsWrite,
    ];

    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PromotersRead => "promoters:read",
            Self::PromotersWrite => "promoters:write",
            Self::ReferralsRead => "referrals:read",
            Self::ReferralsWrite => "referrals:write",
            Self::CampaignsRead => "campaigns:read",
            Self::CampaignsWrite => "campaigns:write",
            Self::CasesRead => "cases:read",
            Self::CasesWrite => "cases:write",
            Self::QualificationsRead => "qualifications:read",
            Self::BatchesRead => "batches:read",
            Self::BatchesWrite => "batches:write",
            Self::LedgerRead => "ledger:read",
            Self::EventsRead => "events:read",
            Self::EventsWrite => "events:write",
        }
    }

    /// Whether a key with these scopes (separated by spaces) has this one.
    pub fn is_in(self, scopes: &str) -> bool {
        scopes
            .split(' ')
            .any(|scope| scope == EVERYTHING || scope == self.name())
    }
}

/// Whether a name is a scope.
pub fn is_scope(name: &str) -> bool {
    name == EVERYTHING || Scope::ALL.iter().any(|scope| scope.name() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_had_by_name_or_by_having_all() {
        assert!(Scope::CasesRead.is_in("cases:read"));
        assert!(Scope::CasesRead.is_in("ledger:read cases:read"));
        assert!(Scope::CasesRead.is_in("*"));
        for other in ["", "cases:write", "cases", "cases:read2", "xcases:read"] {
            assert!(!Scope::CasesRead.is_in(other), "{other}");
        }
        assert!(Scope::ALL.iter().all(|scope| is_scope(scope.name())));
        assert!(!is_scope("cases") && is_scope("*"));
    }
}
