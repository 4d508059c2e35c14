//! A story as a TOML file: people, what happened when, and what the verdict has to be at which
//! moment. Only the form; what happens with it is in `stripe_events` and `trial`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use qualify::domain::campaign::{Campaign, Mode};
use qualify::domain::currency::Currency;
use qualify::domain::reason::{LeftOut, ReasonCode};
use qualify::domain::time::Timestamp;
use qualify::domain::verdict::VerdictState;
use serde::{Deserialize, Deserializer};

/// A whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Story {
    /// What it is about, in a sentence.
    #[serde(rename = "story")]
    pub title: String,
    /// The campaign file; `*.cases.toml` have it beside them instead.
    #[serde(default)]
    pub campaign: Option<String>,
    #[serde(default, rename = "promoter")]
    pub promoters: Vec<PromoterRow>,
    #[serde(default, rename = "referral")]
    pub referrals: Vec<ReferralRow>,
    #[serde(default, rename = "step")]
    pub steps: Vec<Step>,
    #[serde(default, rename = "expect")]
    pub expects: Vec<Expect>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromoterRow {
    pub id: String,
    pub email: Option<String>,
    #[serde(default)]
    pub coupons: Vec<String>,
    pub stripe_customer_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferralRow {
    pub id: String,
    pub promoter: String,
    pub email: Option<String>,
    pub uid: Option<String>,
    pub stripe_customer_id: Option<String>,
    #[serde(deserialize_with = "instant")]
    pub referred_at: Timestamp,
}

/// One thing that happens.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    #[serde(deserialize_with = "instant")]
    pub at: Timestamp,
    #[serde(default)]
    pub mode: Mode,
    #[serde(flatten)]
    pub what: What,
}

/// What happens.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A customer is created, or changed if it was there.
    Customer(CustomerStep),
    /// Somebody pays, or tries to.
    Payment(PaymentStep),
    /// An authorised payment is captured.
    Capture { payment: String },
    /// A payment's invoice becomes known.
    Invoice(InvoiceStep),
    /// Stripe tells that an invoice was paid by a payment.
    Link { payment: String, invoice: String },
    /// A refund, or news of it.
    Refund(RefundStep),
    /// A dispute, or news of it.
    Dispute(DisputeStep),
    /// A discount is put on a customer, or taken off.
    Discount(DiscountStep),
    /// An admin decides, or takes it back.
    Decide(DecideStep),
    /// An admin suspends a promoter.
    Suspend(String),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomerStep {
    pub id: String,
    pub email: Option<String>,
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    /// Its creation; the step's time unless told otherwise.
    #[serde(default, deserialize_with = "maybe_instant")]
    pub created: Option<Timestamp>,
}

/// Which object gives the money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// A charge, with its payment intent.
    #[default]
    Charge,
    /// A payment intent alone.
    Intent,
    /// An invoice alone.
    Invoice,
    /// A Checkout session alone.
    Checkout,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentStatus {
    #[default]
    Paid,
    Failed,
    Uncaptured,
}

/// Where a coupon lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CouponPlace {
    /// On the invoice.
    #[default]
    Invoice,
    /// On a line of it.
    Line,
    /// On the invoice, as the id of a discount that another event explains.
    DiscountId,
    /// On the invoice, as a promotion code that another event explains.
    PromotionCode,
    /// On the subscription that the invoice is for.
    Subscription,
    /// On the customer.
    Customer,
    /// On the Checkout session.
    Checkout,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaymentStep {
    pub id: String,
    /// Missing for a guest.
    pub customer: Option<String>,
    /// The guest's address.
    pub email: Option<String>,
    pub amount: String,
    pub currency: Currency,
    #[serde(default)]
    pub level: Level,
    #[serde(default)]
    pub status: PaymentStatus,
    /// Marked paid outside Stripe.
    #[serde(default)]
    pub out_of_band: bool,
    pub invoice: Option<String>,
    /// Whether Stripe tells which payment paid the invoice.
    #[serde(default = "yes")]
    pub linked: bool,
    pub tax: Option<String>,
    #[serde(default)]
    pub lines: Vec<LineRow>,
    #[serde(default)]
    pub coupons: Vec<String>,
    #[serde(default)]
    pub coupons_on: CouponPlace,
    /// `client_reference_id` of the Checkout session it came through.
    pub reference: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineRow {
    pub product: String,
    pub price: String,
    pub amount: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvoiceStep {
    pub id: String,
    pub payment: String,
    pub tax: Option<String>,
    #[serde(default)]
    pub lines: Vec<LineRow>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefundStep {
    pub id: String,
    pub payment: String,
    pub amount: String,
    pub status: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Funds {
    Withdrawn,
    Reinstated,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisputeStep {
    pub id: String,
    pub payment: String,
    pub amount: String,
    pub status: String,
    pub funds: Option<Funds>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiscountStep {
    pub id: String,
    pub customer: String,
    pub coupon: String,
    #[serde(default)]
    pub removed: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecideStep {
    /// The kind of case; without one, the decision is about the referral or the match.
    pub case: Option<String>,
    pub referral: String,
    /// `customer`, `combine`, `link`, `coupon`, `promoter`, `allow`, `reject`, or `undo`.
    pub choose: String,
    pub customer: Option<String>,
    pub promoter: Option<String>,
    pub by: String,
    pub reason: String,
}

/// What has to be so.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    #[serde(deserialize_with = "instant")]
    pub at: Timestamp,
    pub referral: String,
    pub verdict: VerdictState,
    /// The reasons, the deciding one first; later ones may be left out.
    pub reasons: Vec<ReasonCode>,
    pub promoter: Option<String>,
    /// What counts, in major units; currencies not named count nothing.
    pub counted: Option<BTreeMap<Currency, String>>,
    /// What is missing, in major units.
    pub missing: Option<BTreeMap<Currency, String>>,
    pub customers: Option<Vec<String>>,
    #[serde(default)]
    pub left_out: BTreeMap<String, LeftOut>,
    /// Payments whose invoice is only presumed to be theirs.
    pub presumed: Option<Vec<String>>,
    #[serde(default, deserialize_with = "maybe_instant")]
    pub qualified_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "maybe_instant")]
    pub settle_after: Option<Timestamp>,
    /// `promoter 20.00 USD`
    pub rewards: Option<Vec<String>>,
}

/// A story with its campaign and where it is written.
#[derive(Debug)]
pub struct Scenario {
    /// Its file, from the package's root.
    pub file: String,
    pub story: Story,
    /// The campaign's text.
    pub source: String,
    pub campaign: Campaign,
}

/// Every story of the package, by file name.
pub fn all() -> Vec<Scenario> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut scenarios = Vec::new();
    for (folder, ending) in [("fixtures/scenarios", ".toml"), ("rules", ".cases.toml")] {
        let found = files(&root.join(folder), ending);
        assert!(!found.is_empty(), "no stories in {folder}");
        scenarios.extend(found.iter().map(|path| read(root, path)));
    }
    scenarios
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = paths
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect();
    files.sort();
    files
}

fn read(root: &Path, path: &Path) -> Scenario {
    let file = path.strip_prefix(root).unwrap().display().to_string();
    let text = std::fs::read_to_string(path).unwrap();
    let story: Story = toml::from_str(&text).unwrap_or_else(|e| panic!("{file}: {e}"));
    let rules = story.campaign.clone().unwrap_or_else(|| {
        let beside = path.to_string_lossy().replace(".cases.toml", ".toml");
        std::fs::read_to_string(&beside).unwrap_or_else(|e| panic!("{beside}: {e}"))
    });
    let campaign = qualify::rules::parse(&file, &rules).unwrap_or_else(|problems| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        panic!("the campaign of {file}: {}", problems.join("; "))
    });
    Scenario {
        file,
        story,
        source: rules,
        campaign,
    }
}

fn yes() -> bool {
    true
}

fn instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let time = toml::value::Datetime::deserialize(deserializer)?;
    Timestamp::parse(&time.to_string())
        .ok_or_else(|| serde::de::Error::custom(format!("{time} needs an offset, like Z")))
}

fn maybe_instant<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Timestamp>, D::Error> {
    instant(d).map(Some)
}
