// The owner's first hour, from the link that the server prints to the first promoter who comes
// in: once with JavaScript, once without.
import { bones, look } from "./look.mjs";
import { customerWhoPaid, fromStripe, run } from "./program.mjs";
import { Visitor } from "./visitor.mjs";

export const EMAIL = "olga@example.com";
export const PASSWORD = "four words that nobody guesses";

/** Looks at a backtest that runs, five in a second. */
const LOOKS_MAX = 150;

/** Sets the site up through its link; the owner, signed in. */
export async function setUp(stage, options) {
  const owner = await Visitor.come(stage, options);
  const { pathname, search } = new URL(stage.site.links.setup);
  await owner.open(pathname + search);
  await owner.field("Email address").fill(EMAIL);
  await owner.field("Your name").fill("Olga");
  await owner.field("Password").fill(PASSWORD);
  await owner.press("Make the account");
  stage.checks.must(owner.path() === "/", `the setup link leads to the dashboard, not to ${owner.path()}`);
  return owner;
}

export async function firstHour(stage, { javaScript }) {
  const { checks } = stage;
  const where = javaScript ? "first-hour" : "first-hour-without-scripts";
  const lookAt = (page) => look(owner, `${where}/${page}`);
  const owner = await tooShort(stage, javaScript, where);
  await owner.field("Password").fill(PASSWORD);
  await owner.press("Make the account");
  checks.equal([owner.path(), await owner.heading()], ["/", "Dashboard"], "after setting up");
  await lookAt("dashboard-empty");

  await owner.open("/promoters");
  await lookAt("promoters-empty");
  await promoter(owner);
  await customerComes(owner, lookAt);
  await campaign(owner, lookAt);
  await invited(stage, javaScript);
  await owner.leave();
}

/** The setup page with a password that is refused; nothing that was typed is lost. */
async function tooShort(stage, javaScript, where) {
  const owner = await Visitor.come(stage, { javaScript });
  const { pathname, search } = new URL(stage.site.links.setup);
  await owner.open(pathname + search);
  await look(owner, `${where}/setup`);
  await owner.field("Email address").fill(EMAIL);
  await owner.field("Your name").fill("Olga");
  await owner.field("Password").fill("short");
  await owner.press("Make the account");
  stage.checks.that(await owner.says("There is a problem"), "a short password is refused in words");
  stage.checks.equal(await owner.field("Email address").inputValue(), EMAIL, "the address that was typed");
  stage.checks.equal(await owner.page.title().then((title) => title.startsWith("Error")), true, "the title says it");
  await look(owner, `${where}/setup-refused`);
  return owner;
}

async function promoter(owner) {
  await owner.open("/new-promoter");
  await owner.field("Name").fill("Ana Costa");
  await owner.field("Email address").fill("ana@example.net");
  await owner.field("Code in their link").fill("ana");
  await owner.field("Id").fill("prom_ana");
  await owner.press("Add");
  owner.stage.checks.equal(owner.path(), "/promoters/prom_ana", "after adding a promoter");
  owner.stage.checks.that(await owner.says("Promoter added."), "it says that the promoter was added");
}

/** What is there before the first campaign: samples, and a customer whom Stripe reports. */
async function customerComes(owner, lookAt) {
  const { stage } = owner;
  await owner.open("/new-campaign");
  await lookAt("new-campaign-samples");
  await owner.open("/promoters/prom_ana");
  await lookAt("promoter-empty");
  for (const event of customerWhoPaid({ customer: "cus_bea", email: "bea@example.org", minor: 6000, currency: "usd" })) {
    await fromStripe(stage.site, event);
  }
}

/** The first campaign, from a sample, tried on the past beside the form and then saved. */
async function campaign(owner, lookAt) {
  const { checks } = owner.stage;
  await owner.open("/new-campaign");
  await owner.page.locator("main tbody a").first().click();
  await owner.page.waitForLoadState();
  await owner.field("Id").fill("first-2026");
  await owner.field("Name").fill("First");
  await owner.field("Referrals from").fill("");
  await owner.field("Referrals before").fill("");
  await owner.field("Within days").fill("0");
  await owner.press("Try this draft");
  checks.that(await owner.says("There is a problem"), "nonsense is told at its field");
  await lookAt("campaign-refused");
  const error = owner.page.locator(".errors a").first();
  await error.click();
  const focused = await owner.page.evaluate(() => document.activeElement?.id);
  checks.equal(focused, "qualify.within_days", "an error leads to its field");

  await owner.field("Within days").fill("30");
  const before = await tried(owner);
  checks.that(before.includes("0 would qualify"), `the draft's result is beside it: ${before}`);
  checks.equal(await owner.field("Name").inputValue(), "First", "the draft that was tried stays in the form");
  await lookAt("campaign-tried");

  await owner.press("File");
  checks.that((await owner.field("Campaign file").inputValue()).includes('id = "first-2026"'), "the draft as a file");
  await lookAt("campaign-file");
  await owner.press("Form");
  await owner.press("Save as a new revision");
  checks.that(await owner.says("Say why"), "a revision needs a reason");
  await owner.field("Why").fill("the first one");
  await owner.press("Save as a new revision");
  checks.equal(owner.path(), "/campaigns/first-2026", "after saving the campaign");
  checks.that(await owner.says("Saved as a new revision"), "it says that it was saved");
  await bones(owner, "the campaign");

  await owner.open("/new-referral");
  await owner.field("Promoter").fill("prom_ana");
  await owner.field("The invited person’s email").fill("bea@example.org");
  const yesterday = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
  await owner.field("When they were referred").fill(yesterday);
  await owner.press("Register");
  checks.that(owner.path().startsWith("/referrals/"), `after registering a referral: ${owner.path()}`);
  await lookAt("referral-new");
  await owner.open("/campaigns/first-2026/edit");
  const after = await tried(owner);
  checks.that(after.includes("1 would qualify"), `the draft on somebody who paid: ${after}`);
  await lookAt("campaign-tried-again");
}

/** Tries the draft that is open; what is said of it. The page looks again by itself. */
export async function tried(owner) {
  await owner.press("Try this draft");
  const result = owner.page.locator("#tried table");
  for (let looks = 0; looks < LOOKS_MAX && (await result.count()) === 0; looks += 1) {
    await owner.page.waitForTimeout(200);
  }
  owner.stage.checks.must((await result.count()) === 1, "a backtest without a result");
  return owner.page.locator("#tried").innerText();
}

/** The promoter comes in by the link that an invitation carries. */
async function invited(stage, javaScript) {
  const { site, checks } = stage;
  const link = run(site, "user", "create", "ana@example.net", "--role", "promoter", "--promoter", "prom_ana");
  const ana = await Visitor.come(stage, { javaScript });
  await ana.comeInBy(link);
  checks.equal(ana.path(), "/portal", "where a promoter comes in");
  const campaigns = await ana.open("/campaigns");
  checks.equal(campaigns.status(), 403, "what is not a promoter's");
  await ana.open("/account");
  checks.equal(await ana.heading(), "Account", "a promoter's account");
  await ana.leave();
  const again = await Visitor.come(stage, { javaScript });
  const { pathname, search } = new URL(link);
  const gone = await again.open(pathname + search);
  checks.equal(gone.status(), 410, "an invitation that was used");
  await again.leave();
}
