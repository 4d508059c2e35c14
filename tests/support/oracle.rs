//! A short, slow evaluator of the rules of matching, money, time, coupons and verdicts, written
//! apart from the product's own. It judges the story itself and never sees an event or a fact.

use std::collections::{BTreeMap, BTreeSet};

use qualify::domain::campaign::{
    AmountBasis, Anchor, Bound, Campaign, Duplicates, MatchKey, Prefer, RewardRule, Touch,
};
use qualify::domain::currency::Currency;
use qualify::domain::reason::ReasonCode;
use qualify::domain::time::Timestamp;
use qualify::domain::verdict::{RewardTo, VerdictState};

use super::story::{BASE, DAY, DisputeEnd, Fate, Payment, RefundEnd, Story, canonical, instant};

/// What the rules say of one referral.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    pub referral: String,
    pub promoter: Option<String>,
    pub state: VerdictState,
    pub code: ReasonCode,
    /// Counted, by currency; empty ones left out.
    pub spend: BTreeMap<String, i64>,
    pub qualified_at: Option<Timestamp>,
    pub settle_after: Option<Timestamp>,
    pub rewards: Vec<(RewardTo, String, i64)>,
}

/// A claim on people: a registered referral, or one that a coupon makes.
struct Claim {
    id: String,
    promoter: Option<usize>,
    at: i64,
    people: Vec<usize>,
    from_coupon: bool,
}

/// Whose a person is in the campaign.
enum Owner {
    /// A referral's, by index; true while a coupon contradicts and nobody has decided.
    Referral(usize, bool),
    /// A coupon's, since when, and whose coupons.
    Coupon(i64, Vec<usize>),
    Nobody,
}

pub struct Oracle<'a> {
    pub story: &'a Story,
    pub rules: &'a Campaign,
}

impl Oracle<'_> {
    /// Every referral's verdict, by id.
    pub fn judge_all(&self) -> Vec<Expected> {
        let registered = (0..self.story.referrals.len()).map(|r| self.judge_referral(r));
        let by_coupon = (0..self.story.people.len()).filter_map(|who| self.judge_coupon(who));
        let mut all: Vec<Expected> = registered.chain(by_coupon).collect();
        all.sort_by(|a, b| a.referral.cmp(&b.referral));
        all
    }

    // --- who is who -----------------------------------------------------------------------

    /// People exist once something was reported of them.
    fn exists(&self, who: usize) -> bool {
        let person = &self.story.people[who];
        !person.guest || self.story.payments.iter().any(|p| p.who == who)
    }

    fn created(&self, who: usize) -> i64 {
        let person = &self.story.people[who];
        let first = self.payments(who).iter().map(|p| p.at).min();
        if person.guest {
            first.unwrap_or(person.created)
        } else {
            person.created
        }
    }

    fn payments(&self, who: usize) -> Vec<&Payment> {
        self.story
            .payments
            .iter()
            .filter(|p| p.who == who)
            .collect()
    }

    /// How strongly a referral matches a person; 0 is strongest.
    fn strength(&self, r: usize, who: usize) -> Option<usize> {
        let (referral, person) = (&self.story.referrals[r], &self.story.people[who]);
        let id = self.story.customer_id(who);
        self.rules.matching.keys.iter().position(|key| match key {
            _ if !self.exists(who) => false,
            MatchKey::StripeId => {
                let named = referral.customer.map(|c| format!("cus_{c}"));
                named.as_deref() == Some(id.as_str()) || referral.uid == Some(id.as_str())
            }
            MatchKey::Metadata => {
                let references = self.payments(who).into_iter().filter_map(|p| p.reference);
                let in_use = self
                    .rules
                    .matching
                    .metadata
                    .iter()
                    .any(|key| key == "fp_uid");
                let own = person.uid.filter(|_| in_use);
                !person.guest
                    && own
                        .into_iter()
                        .chain(references)
                        .any(|uid| referral.uid == Some(uid))
            }
            MatchKey::Email => referral
                .email
                .is_some_and(|e| self.story.emails_of(who).contains(&canonical(e))),
        })
    }

    /// Whether a referral's keys match a person at all.
    pub fn matches(&self, r: usize, who: usize) -> bool {
        self.strength(r, who).is_some()
    }

    fn in_campaign(&self, at: i64) -> Result<(), ReasonCode> {
        let at = instant(at);
        if self.rules.starts.is_some_and(|starts| at < starts) {
            return Err(ReasonCode::CampaignNotStarted);
        }
        if self.rules.ends.is_some_and(|ends| at >= ends) {
            return Err(ReasonCode::CampaignEnded);
        }
        Ok(())
    }

    /// The referrals that match a person by the strongest key that any of them has. A weaker
    /// match is none: a customer that is one's by Stripe id is not another's by email.
    fn rivals(&self, who: usize) -> Vec<usize> {
        let all = 0..self.story.referrals.len();
        let here = all.filter(|r| self.in_campaign(self.story.referrals[*r].at).is_ok());
        let matched: Vec<(usize, usize)> = here
            .filter_map(|r| Some((self.strength(r, who)?, r)))
            .collect();
        let best = matched.iter().map(|(strength, _)| *strength).min();
        matched
            .iter()
            .filter(|(s, _)| Some(*s) == best)
            .map(|(_, r)| *r)
            .collect()
    }

    /// Whose a person is.
    fn owner(&self, who: usize) -> Owner {
        let mut rivals = self.rivals(who);
        let at = |r: &usize| self.story.referrals[*r].at;
        if let Some(first) = self.first_counted(who)
            && rivals.iter().any(|r| at(r) <= first)
        {
            rivals.retain(|r| at(r) <= first);
        }
        let best = match self.rules.attribution.touch {
            Touch::First => rivals.into_iter().min_by_key(|r| (at(r), *r)),
            Touch::Last => rivals.into_iter().min_by_key(|r| (-at(r), *r)),
        };
        let Some(r) = best else {
            // A coupon's referral belongs to the campaign's time like any other.
            let coupon = self.first_coupon(who, None);
            let coupon = coupon.filter(|(at, _)| self.in_campaign(*at).is_ok());
            return coupon.map_or(Owner::Nobody, |(at, promoters)| {
                Owner::Coupon(at, promoters)
            });
        };
        let against = self.first_coupon(who, Some(self.story.referrals[r].promoter));
        let against = against.filter(|(at, _)| self.in_campaign(*at).is_ok());
        let Some((coupon_at, promoters)) = against else {
            return Owner::Referral(r, false);
        };
        match self.rules.attribution.prefer {
            Prefer::Link => Owner::Referral(r, false),
            Prefer::Earliest if at(&r) <= coupon_at => Owner::Referral(r, false),
            Prefer::Hold => Owner::Referral(r, true),
            Prefer::Coupon | Prefer::Earliest => Owner::Coupon(coupon_at, promoters),
        }
    }

    // --- money ----------------------------------------------------------------------------

    /// Paid, as far as this campaign looks at it.
    fn gross(&self, p: &Payment) -> i64 {
        match p.fate {
            Fate::OutOfBand if self.rules.qualify.out_of_band => p.amount,
            // Stripe tells the rest of a partial capture as a refund of the whole amount.
            Fate::Captured(_) => p.amount,
            _ => p.paid(),
        }
    }

    /// The part of an amount that is for included products, and before tax if so ruled.
    fn share(&self, p: &Payment, amount: i64) -> i64 {
        let lines = p.products.len().max(1);
        let included = p
            .products
            .iter()
            .filter(|product| self.includes(product))
            .count();
        let (mut of, mut from) = (1, 1);
        if self.rules.qualify.amount == AmountBasis::BeforeTax {
            of *= i128::from(p.amount - p.tax);
            from *= i128::from(p.amount);
        }
        if self.rules.qualify.products.is_some() {
            // The story's lines are equal but for the odd minor unit, which the last one takes.
            let net = i128::from(p.amount - p.tax);
            let each = net / lines as i128;
            let last = p
                .products
                .last()
                .is_some_and(|product| self.includes(product));
            let rest = if last { net - each * lines as i128 } else { 0 };
            of *= each * included as i128 + rest;
            from *= net;
        }
        // Half down: the greatest whole number below amount × of / from + 1/2.
        let twice = 2 * i128::from(amount) * of;
        i64::try_from((twice + from - 1).div_euclid(2 * from)).unwrap()
    }

    fn includes(&self, product: &str) -> bool {
        let price = product.replace("prod_", "price_");
        self.rules.qualify.products.as_ref().is_none_or(|products| {
            let listed = |list: &[String]| list.iter().any(|l| l == product || *l == price);
            (products.include.is_empty() || listed(&products.include)) && !listed(&products.exclude)
        })
    }

    /// Whether a payment counts at all, refunds and windows aside.
    fn counts(&self, p: &Payment) -> bool {
        let rules = &self.rules.qualify;
        let currency = Currency::parse(p.currency).unwrap();
        let needs_invoice = rules.amount == AmountBasis::BeforeTax || rules.products.is_some();
        let gross = self.gross(p);
        let least = major_units(&rules.each_payment.major, currency);
        let enough = match rules.each_payment.bound {
            Bound::AtLeast => i128::from(gross) * 1000 >= least,
            Bound::MoreThan => i128::from(gross) * 1000 > least,
        };
        let listed =
            rules.spend.is_empty() || rules.spend.iter().any(|t| t.amount.currency == currency);
        gross > 0
            && enough
            && listed
            && (!needs_invoice || p.has_invoice())
            && self.share(p, gross) > 0
    }

    fn first_counted(&self, who: usize) -> Option<i64> {
        self.payments(who)
            .into_iter()
            .filter(|p| self.counts(p))
            .map(|p| p.at)
            .min()
    }

    /// What is left of a payment: `back` tells which losses to leave out of the sum.
    fn left(&self, p: &Payment, back: &[Loss]) -> i64 {
        let mut left = self.gross(p);
        if let Fate::Captured(part) = p.fate
            && !back.contains(&Loss::Refunded)
        {
            left -= p.amount - part;
        }
        for refund in &p.refunds {
            let loss = match refund.end {
                RefundEnd::Succeeded => Loss::Refunded,
                RefundEnd::Pending => Loss::RefundPending,
                RefundEnd::Failed | RefundEnd::Canceled => continue,
            };
            left -= if back.contains(&loss) {
                0
            } else {
                refund.amount
            };
        }
        let loss = match p.dispute.as_ref().map(|d| d.end) {
            Some(DisputeEnd::Open) => Some(Loss::DisputeOpen),
            Some(DisputeEnd::Withdrawn | DisputeEnd::Lost) => Some(Loss::DisputeLost),
            _ => None,
        };
        if loss.is_some_and(|loss| !back.contains(&loss)) {
            0
        } else {
            self.share(p, left)
        }
    }

    // --- coupons --------------------------------------------------------------------------

    /// Promoters whose coupons a payment carries, the given one left out.
    fn promoters_of(&self, p: &Payment) -> Vec<usize> {
        if matches!(p.fate, Fate::Failed | Fate::Uncaptured) {
            return Vec::new();
        }
        let own = self.story.people[p.who].coupon;
        let coupons: Vec<&str> = p.coupons.iter().map(|(c, _)| *c).chain(own).collect();
        let promoters = 0..self.story.promoters.len();
        promoters
            .filter(|i| {
                self.story.promoters[*i]
                    .coupons
                    .iter()
                    .any(|c| coupons.contains(c))
            })
            .collect()
    }

    /// The first payment with a coupon of any promoter but this one. A payment that the coupon
    /// made free tells who brought the person as well.
    fn first_coupon(&self, who: usize, except: Option<usize>) -> Option<(i64, Vec<usize>)> {
        if !self.rules.attribution.coupons {
            return None;
        }
        let with = self
            .story
            .payments
            .iter()
            .enumerate()
            .filter(|(_, p)| p.who == who);
        let with = with.map(|(i, p)| (p.at, self.payment_id(i), self.promoters_of(p)));
        let with = with.filter(|(.., all)| all.iter().any(|p| Some(*p) != except));
        with.min().map(|(at, _, promoters)| (at, promoters))
    }

    /// The id under which a payment is known; it decides between payments of one second.
    fn payment_id(&self, index: usize) -> String {
        let kind = if self.story.payments[index].has_charge() {
            "ch"
        } else {
            "in"
        };
        format!("{kind}_{index}")
    }

    // --- verdicts -------------------------------------------------------------------------

    fn plain(&self, claim: &Claim, state: VerdictState, code: ReasonCode) -> Expected {
        let spend = self.spend(claim, &[]);
        Expected {
            referral: claim.id.clone(),
            promoter: claim.promoter.map(|p| format!("prom_{p}")),
            state,
            code,
            spend: spend.iter().map(|(c, a)| ((*c).to_owned(), *a)).collect(),
            qualified_at: None,
            settle_after: None,
            rewards: Vec::new(),
        }
    }

    fn judge_referral(&self, r: usize) -> Expected {
        let referral = &self.story.referrals[r];
        let mut claim = Claim {
            id: format!("ref_{r}"),
            promoter: Some(referral.promoter),
            at: referral.at,
            people: Vec::new(),
            from_coupon: false,
        };
        if let Err(code) = self.in_campaign(referral.at) {
            return self.plain(&claim, VerdictState::Rejected, code);
        }
        let everybody = || 0..self.story.people.len();
        let mine =
            |who: &usize| matches!(self.owner(*who), Owner::Referral(owner, _) if owner == r);
        let owned: Vec<usize> = everybody().filter(mine).collect();
        if owned.is_empty() && everybody().any(|who| self.rivals(who).contains(&r)) {
            let code = ReasonCode::ClaimedByOtherReferral;
            return self.plain(&claim, VerdictState::Rejected, code);
        }
        let best = owned.iter().map(|who| self.strength(r, *who)).min();
        claim.people = owned
            .into_iter()
            .filter(|who| Some(self.strength(r, *who)) == best)
            .collect();
        let chosen = claim.people.len() < 2 || self.choose(&mut claim);
        // Silent in the rules: a suspicion is told before the other cases.
        if self.is_self_referral(&claim, referral.email, referral.customer) {
            return self.plain(&claim, VerdictState::Review, ReasonCode::SelfReferral);
        }
        if !chosen {
            return self.plain(&claim, VerdictState::Review, ReasonCode::DuplicateCustomers);
        }
        let contradicted = |who: &usize| matches!(self.owner(*who), Owner::Referral(_, true));
        if claim.people.iter().any(contradicted) {
            return self.plain(&claim, VerdictState::Review, ReasonCode::LinkAgainstCoupon);
        }
        self.judge(claim)
    }

    /// Applies the policy on several people; false where a person has to decide.
    fn choose(&self, claim: &mut Claim) -> bool {
        let id = |who: &usize| self.story.customer_id(*who);
        let one = match self.rules.matching.duplicates {
            Duplicates::Hold => return false,
            Duplicates::Combine => return true,
            Duplicates::Oldest => claim
                .people
                .iter()
                .copied()
                .min_by_key(|w| (self.created(*w), id(w))),
            Duplicates::Newest => claim
                .people
                .iter()
                .copied()
                .min_by_key(|w| (-self.created(*w), id(w))),
            Duplicates::HighestSpend => {
                let spent = |who: &usize| {
                    let people = vec![*who];
                    let alone = Claim {
                        id: String::new(),
                        promoter: None,
                        at: claim.at,
                        people,
                        from_coupon: false,
                    };
                    // Before refunds: taking money back must not pick somebody who qualifies.
                    self.spend(&alone, &Loss::ALL)
                };
                // There is no conversion: different currencies cannot be compared.
                let all: Vec<_> = claim.people.iter().map(spent).collect();
                let currencies: BTreeSet<_> = all.iter().flat_map(|s| s.keys()).collect();
                if currencies.len() > 1 {
                    return false;
                }
                let sum = |who: &usize| spent(who).values().sum::<i64>();
                claim
                    .people
                    .iter()
                    .copied()
                    .min_by_key(|w| (-sum(w), id(w)))
            }
        };
        claim.people = one.into_iter().collect();
        true
    }

    fn is_self_referral(
        &self,
        claim: &Claim,
        email: Option<&'static str>,
        customer: Option<usize>,
    ) -> bool {
        let Some(promoter) = claim.promoter.map(|p| &self.story.promoters[p]) else {
            return false;
        };
        let invited = claim
            .people
            .iter()
            .flat_map(|who| self.story.emails_of(*who));
        let mut invited = invited.chain(email.map(canonical));
        let same_email = promoter
            .email
            .is_some_and(|own| invited.any(|email| email.folded() == canonical(own).folded()));
        let same_customer = promoter.customer.is_some_and(|own| {
            customer == Some(own)
                || claim
                    .people
                    .iter()
                    .any(|w| self.story.customer_id(*w).as_str() == format!("cus_{own}"))
        });
        same_email || same_customer
    }

    fn judge_coupon(&self, who: usize) -> Option<Expected> {
        let Owner::Coupon(at, promoters) = self.owner(who) else {
            return None;
        };
        let mut claim = Claim {
            id: format!("coupon:c:{}", self.story.customer_id(who)),
            promoter: Some(promoters[0]),
            at,
            people: vec![who],
            from_coupon: true,
        };
        if promoters.len() > 1 {
            claim.promoter = None;
            return Some(self.plain(&claim, VerdictState::Review, ReasonCode::TwoCoupons));
        }
        if self.is_self_referral(&claim, None, None) {
            return Some(self.plain(&claim, VerdictState::Review, ReasonCode::SelfReferral));
        }
        Some(self.judge(claim))
    }

    /// `[opens, closes)`, as offsets.
    fn window(&self, claim: &Claim) -> (i64, Option<i64>) {
        let Some(days) = self.rules.qualify.within_days else {
            return (claim.at, None);
        };
        let anchor = match self.rules.qualify.from {
            Anchor::Referral => Some(claim.at),
            Anchor::FirstPayment => {
                let payments = claim.people.iter().flat_map(|who| self.payments(*who));
                payments
                    .filter(|p| p.at >= claim.at && self.counts(p))
                    .map(|p| p.at)
                    .min()
            }
            Anchor::CustomerCreated => {
                // A customer who is not there yet may be created at any time.
                let created = claim.people.iter().map(|who| self.created(*who)).min();
                created.map(|created| created.max(claim.at))
            }
        };
        (
            claim.at,
            anchor.map(|anchor| anchor + i64::from(days) * DAY),
        )
    }

    /// Counted payments in the window with what is left of them, in order of time.
    fn counted(&self, claim: &Claim, back: &[Loss]) -> Vec<(i64, &'static str, i64)> {
        let (opens, closes) = self.window(claim);
        let payments = claim.people.iter().flat_map(|who| self.payments(*who));
        let mut counted: Vec<(i64, &'static str, i64)> = payments
            .filter(|p| self.counts(p) && p.at >= opens && closes.is_none_or(|end| p.at < end))
            .map(|p| (p.at, p.currency, self.left(p, back)))
            .filter(|(_, _, left)| *left > 0)
            .collect();
        counted.sort();
        counted
    }

    fn spend(&self, claim: &Claim, back: &[Loss]) -> BTreeMap<&'static str, i64> {
        let mut spend = BTreeMap::new();
        for (_, currency, left) in self.counted(claim, back) {
            *spend.entry(currency).or_insert(0) += left;
        }
        spend
    }

    /// When the conditions were complete.
    fn completed(&self, claim: &Claim, back: &[Loss]) -> Option<i64> {
        let counted = self.counted(claim, back);
        (1..=counted.len()).find_map(|n| {
            let so_far = &counted[..n];
            let mut spend = BTreeMap::new();
            for (_, currency, left) in so_far {
                *spend.entry(*currency).or_insert(0) += left;
            }
            let done = self.spent(&spend) && n >= self.rules.qualify.payments as usize;
            done.then(|| so_far[n - 1].0)
        })
    }

    fn judge(&self, claim: Claim) -> Expected {
        let spend = self.spend(&claim, &[]);
        let mut expected = self.plain(&claim, VerdictState::Pending, ReasonCode::NoPaymentYet);
        if self.rules.matching.new_customers_only {
            let old = |who: &usize| match claim.from_coupon {
                true => self
                    .first_counted(*who)
                    .is_some_and(|first| first < claim.at),
                false => self.created(*who) < claim.at - 3600,
            };
            if claim.people.iter().any(old) {
                expected.state = VerdictState::Rejected;
                expected.code = ReasonCode::ExistingCustomer;
                return expected;
            }
        }
        if let Some(at) = self.completed(&claim, &[]) {
            expected.state = VerdictState::Qualified;
            expected.code = ReasonCode::ThresholdMet;
            let hold = i64::from(self.rules.qualify.hold_days) * DAY;
            expected.qualified_at = Some(instant(at));
            expected.settle_after = Some(instant(at + hold));
            expected.rewards = self.rewards(&spend);
            return expected;
        }
        let (state, code) = self.why_not(&claim);
        expected.state = state;
        expected.code = code;
        expected
    }

    fn why_not(&self, claim: &Claim) -> (VerdictState, ReasonCode) {
        use VerdictState::{Pending, Rejected};
        let with = |back: &[Loss]| self.completed(claim, back).is_some();
        let (opens, closes) = self.window(claim);
        let payments = claim.people.iter().flat_map(|who| self.payments(*who));
        let inside: Vec<&Payment> = payments
            .filter(|p| p.at >= opens && closes.is_none_or(|end| p.at < end) && self.counts(p))
            .collect();
        let ended = |ends: &[DisputeEnd]| {
            inside
                .iter()
                .any(|p| p.dispute.as_ref().is_some_and(|d| ends.contains(&d.end)))
        };
        let released = |p: &&Payment| matches!(p.fate, Fate::Captured(part) if part < p.amount);
        let refunded = inside.iter().any(|p| {
            let gone = |end| matches!(end, RefundEnd::Succeeded | RefundEnd::Pending);
            released(p) || p.refunds.iter().any(|refund| gone(refund.end))
        });
        if with(&[Loss::DisputeOpen, Loss::RefundPending]) {
            // Silent in the rules: where both are in play, the dispute is named first.
            let open = ended(&[DisputeEnd::Open]);
            return (
                Pending,
                if open {
                    ReasonCode::DisputeOpen
                } else {
                    ReasonCode::RefundHold
                },
            );
        }
        if self.awaits_invoices(claim) {
            return (Pending, ReasonCode::AwaitingInvoice);
        }
        let as_of = self.story.as_of().unix() - BASE;
        let is_over = closes.is_some_and(|end| as_of >= end);
        let state = if is_over { Rejected } else { Pending };
        if with(&Loss::ALL) {
            // Silent in the rules: where both took something, the refund is named first.
            let code = if refunded {
                ReasonCode::RefundedBelowThreshold
            } else {
                ReasonCode::DisputeLost
            };
            return (state, code);
        }
        if is_over {
            return (Rejected, ReasonCode::WindowClosed);
        }
        if claim.people.is_empty() {
            return (Pending, ReasonCode::NoCustomerYet);
        }
        if self.counted(claim, &[]).is_empty() {
            return (Pending, ReasonCode::NoPaymentYet);
        }
        let met = self.spent(&self.spend(claim, &[]));
        (
            Pending,
            if met {
                ReasonCode::TooFewPayments
            } else {
                ReasonCode::BelowThreshold
            },
        )
    }

    /// Whether it would suffice if payments without an invoice had one and all of it counted.
    fn awaits_invoices(&self, claim: &Claim) -> bool {
        let mut qualify = self.rules.qualify.clone();
        if claim.people.is_empty()
            || (qualify.products.is_none() && qualify.amount == AmountBasis::Paid)
        {
            return false;
        }
        let (opens, closes) = self.window(claim);
        qualify.products = None;
        qualify.amount = AmountBasis::Paid;
        let rules = Campaign {
            qualify,
            ..self.rules.clone()
        };
        let lenient = Oracle {
            story: self.story,
            rules: &rules,
        };
        let back = [Loss::RefundPending, Loss::DisputeOpen];
        let bare = |p: &&Payment| {
            !p.has_invoice()
                && lenient.counts(p)
                && lenient.left(p, &back) > 0
                && p.at >= opens
                && closes.is_none_or(|end| p.at < end)
        };
        let payments = claim.people.iter().flat_map(|who| self.payments(*who));
        let bare: Vec<&Payment> = payments.filter(bare).collect();
        let mut spend = self.spend(claim, &back);
        for p in &bare {
            *spend.entry(p.currency).or_insert(0) += lenient.left(p, &back);
        }
        let payments = self.counted(claim, &back).len() + bare.len();
        !bare.is_empty() && payments >= self.rules.qualify.payments as usize && self.spent(&spend)
    }

    /// Whether any one threshold is reached.
    fn spent(&self, spend: &BTreeMap<&'static str, i64>) -> bool {
        let rules = &self.rules.qualify;
        rules.spend.is_empty()
            || rules.spend.iter().any(|t| {
                let amount = spend.get(t.amount.currency.code()).copied().unwrap_or(0);
                match t.bound {
                    Bound::AtLeast => amount >= t.amount.minor,
                    Bound::MoreThan => amount > t.amount.minor,
                }
            })
    }

    fn rewards(&self, spend: &BTreeMap<&'static str, i64>) -> Vec<(RewardTo, String, i64)> {
        let mut rewards = Vec::new();
        let sides = [
            (RewardTo::Promoter, self.rules.reward_promoter),
            (RewardTo::Invited, self.rules.reward_invited),
        ];
        for (to, rule) in sides {
            match rule {
                None => {}
                Some(RewardRule::Fixed(money)) => {
                    rewards.push((to, money.currency.code().to_owned(), money.minor));
                }
                Some(RewardRule::Percent { basis_points, cap }) => {
                    for (currency, counted) in spend {
                        let cap = cap.filter(|cap| cap.currency.code() == *currency);
                        let share = counted * i64::from(basis_points) / 10_000;
                        let share = cap.map_or(share, |cap| share.min(cap.minor));
                        if share > 0 {
                            rewards.push((to, (*currency).to_owned(), share));
                        }
                    }
                }
            }
        }
        rewards.sort();
        rewards
    }
}

/// Money that did not stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    Refunded,
    RefundPending,
    DisputeOpen,
    DisputeLost,
}

impl Loss {
    const ALL: [Self; 4] = [
        Self::Refunded,
        Self::RefundPending,
        Self::DisputeOpen,
        Self::DisputeLost,
    ];
}

/// Major units as written, times the currency's minor units, times 1000.
fn major_units(text: &str, currency: Currency) -> i128 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let thousandths: i128 = format!("{whole}{part:0<3}").parse().unwrap();
    thousandths * 10_i128.pow(currency.exponent())
}
