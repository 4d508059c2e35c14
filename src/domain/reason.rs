//! Reason codes: stable, lower snake case, append-only. Pages, API, CLI and mail all
//! speak through them.

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident => $code:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $code)] $variant,)*
        }
        impl $name {
            /// Every code there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];
            /// The stable code.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.code())
            }
        }
    };
}

codes! {
    /// Why a verdict is what it is.
    ReasonCode {
        /// Every condition is met.
        ThresholdMet => "threshold_met",
        /// The reward is in the ledger.
        Settled => "settled",
        /// No customer matches the referral yet.
        NoCustomerYet => "no_customer_yet",
        /// The customer has not made a payment that counts yet.
        NoPaymentYet => "no_payment_yet",
        /// Spend is short of the threshold.
        BelowThreshold => "below_threshold",
        /// Fewer counted payments than asked for.
        TooFewPayments => "too_few_payments",
        /// A refund is on its way and decides.
        RefundHold => "refund_hold",
        /// A dispute is open and decides.
        DisputeOpen => "dispute_open",
        /// The invoice that tells tax or products has not come.
        AwaitingInvoice => "awaiting_invoice",
        /// The time for it is over.
        WindowClosed => "window_closed",
        /// The referral was made before the campaign started.
        CampaignNotStarted => "campaign_not_started",
        /// The referral was made after the campaign ended.
        CampaignEnded => "campaign_ended",
        /// The customer is older than the referral.
        ExistingCustomer => "existing_customer",
        /// Several customers match with equal strength.
        DuplicateCustomers => "duplicate_customers",
        /// The referral says one promoter, a coupon another.
        LinkAgainstCoupon => "link_against_coupon",
        /// One payment carries two promoters' coupons.
        TwoCoupons => "two_coupons",
        /// The promoter and the invited person look like one.
        SelfReferral => "self_referral",
        /// Another referral has the better claim to this person.
        ClaimedByOtherReferral => "claimed_by_other_referral",
        /// It would have sufficed before refunds.
        RefundedBelowThreshold => "refunded_below_threshold",
        /// It would have sufficed before a dispute took the money.
        DisputeLost => "dispute_lost",
        /// The promoter has all the settlements the campaign allows.
        PromoterLimitReached => "promoter_limit_reached",
        /// The campaign's budget does not cover the reward.
        BudgetExhausted => "budget_exhausted",
        /// The promoter is suspended.
        PromoterSuspended => "promoter_suspended",
        /// An admin said no.
        RejectedByAdmin => "rejected_by_admin",
    }
}

codes! {
    /// Why a payment is left out, in whole or in part.
    LeftOut {
        /// Smaller than `each_payment`.
        BelowMinimum => "below_minimum",
        /// Nothing was paid: a trial, or a coupon for all of it.
        ZeroAmount => "zero_amount",
        /// Authorised only.
        NotCaptured => "not_captured",
        /// Declined.
        PaymentFailed => "payment_failed",
        /// A currency the campaign does not name.
        WrongCurrency => "wrong_currency",
        /// Before the window opened.
        BeforeWindow => "before_window",
        /// After the window closed.
        AfterWindow => "after_window",
        /// Paid outside Stripe.
        OutOfBand => "out_of_band",
        /// Given back.
        Refunded => "refunded",
        /// Held or taken by a dispute.
        Disputed => "disputed",
        /// No line of it is for a product that counts.
        ProductNotIncluded => "product_not_included",
        /// Test money in a live campaign, or the other way round.
        OtherMode => "other_mode",
        /// The invoice that tells tax or products has not come.
        AwaitingInvoice => "awaiting_invoice",
    }
}
