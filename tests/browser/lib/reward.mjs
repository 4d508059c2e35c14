// The whole story, from the link that a fresh server prints to a reward that its promoter sees
// as settled: every step on the pages, found by their links, and no command line.
import { look } from "./look.mjs";
import { setUp, tried } from "./owner.mjs";
import { customerWhoPaid, fromStripe } from "./program.mjs";
import { Visitor } from "./visitor.mjs";

const ANA = { name: "Ana Costa", email: "ana@example.net", code: "ANA" };
const INVITED = "bea@example.org";
/** Looks at something that the server works on, five in a second. */
const LOOKS_MAX = 150;

export async function fromSetupToReward(stage, { javaScript }) {
  const where = javaScript ? "reward" : "reward-without-scripts";
  const owner = await setUp(stage, { javaScript });
  const at = (visitor) => (step) => look(visitor, `${where}/${step}`);
  await campaign(owner, at(owner));
  await landing(owner, at(owner));
  await promoter(owner, at(owner));
  const link = await invite(owner, at(owner));
  const ana = await Visitor.come(stage, { javaScript });
  await comesIn(ana, link, at(ana));
  await refer(owner, at(owner));
  await twoCustomersPay(stage);
  await decide(owner, at(owner));
  await qualifies(owner, at(owner));
  await waits(ana, at(ana));
  await settle(owner, at(owner));
  await isRewarded(ana, at(ana));
  await owner.leave();
  await ana.leave();
}

/** The first campaign, from a sample, with what it would have done looked at beside it. */
async function campaign(owner, lookAt) {
  const { checks } = owner.stage;
  await lookAt("01-dashboard");
  await owner.goTo("Campaigns");
  await owner.follow("New campaign");
  await owner.page.locator("main tbody a").first().click();
  await owner.page.waitForLoadState();
  await owner.field("Id").fill("hello");
  await owner.field("Name").fill("Hello: spend 50 dollars");
  await owner.field("Referrals from").fill("");
  await owner.field("Referrals before").fill("");
  await owner.field("Wait days").fill("0");
  const said = await tried(owner);
  checks.that(said.includes("0 would qualify"), `nobody is there yet: ${said}`);
  await lookAt("02-campaign-tried");
  await owner.field("Why").fill("our first campaign");
  await owner.press("Save as a new revision");
  checks.must(owner.path() === "/campaigns/hello", `the campaign is saved: ${owner.path()}`);
  await lookAt("03-campaign");
}

/** Where the referral links of the campaign lead. */
async function landing(owner, lookAt) {
  await owner.follow("Referral link");
  await owner.field("Landing page").fill("https://shop.example.com/welcome");
  await lookAt("04-campaign-link");
  await owner.press("Save");
  owner.stage.checks.that(await owner.says("Referral link saved."), "the landing page is saved");
}

async function promoter(owner, lookAt) {
  const { checks } = owner.stage;
  await owner.goTo("Promoters");
  await owner.follow("Add a promoter");
  await owner.field("Name").fill(ANA.name);
  await owner.field("Email address").fill(ANA.email);
  await owner.field("Code in their link").fill(ANA.code);
  await owner.press("Add");
  checks.that(await owner.says("Promoter added."), "the promoter is added");
  checks.that(await owner.says(`/r/${ANA.code}`), "their link is on their page");
  await lookAt("05-promoter");
}

/** Invited from the promoter's page. No mail is set, so the owner is shown the link. */
async function invite(owner, lookAt) {
  const { checks } = owner.stage;
  await owner.follow("Invite to the portal");
  checks.equal(await owner.field("Email address").inputValue(), ANA.email, "the address that is known");
  await lookAt("06-invite");
  await owner.press("Invite");
  await lookAt("07-invited");
  await owner.press("Show a link");
  await lookAt("08-link");
  const link = await owner.page.locator("main code").innerText();
  checks.must(link.startsWith(`${owner.stage.site.url}/link?token=`), `a link to hand over: ${link}`);
  await owner.follow("Done");
  return link;
}

async function comesIn(ana, link, lookAt) {
  const { checks } = ana.stage;
  await ana.comeInBy(link);
  checks.equal([ana.path(), await ana.heading()], ["/portal", "Your referrals"], "where the promoter comes in");
  const shared = await ana.field("Your link for Hello: spend 50 dollars").inputValue();
  checks.that(shared.endsWith(`/r/${ANA.code}`), `the link to share: ${shared}`);
  await lookAt("09-portal");
}

async function refer(owner, lookAt) {
  await owner.goTo("Promoters");
  await owner.follow(ANA.name);
  await owner.follow("Register a referral");
  await owner.field("The invited person’s email").fill(INVITED);
  const yesterday = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
  await owner.field("When they were referred").fill(yesterday);
  await owner.press("Register");
  owner.stage.checks.that(await owner.says("Referral registered."), "the referral is registered");
  await lookAt("10-referral");
}

/** The same person signed up twice, and paid enough both times. */
async function twoCustomersPay({ site }) {
  const payments = [["cus_bea_home", 6000], ["cus_bea_work", 8000]];
  for (const [customer, minor] of payments) {
    for (const event of customerWhoPaid({ customer, email: INVITED, minor, currency: "usd" })) {
      await fromStripe(site, event);
    }
  }
}

/** The case that opens, each choice with what it would do, and a decision with a reason. */
async function decide(owner, lookAt) {
  const { checks } = owner.stage;
  await owner.goTo("Cases");
  const first = owner.page.locator("main tbody a").first();
  for (let looks = 0; looks < LOOKS_MAX && (await first.count()) === 0; looks += 1) {
    await owner.page.waitForTimeout(200);
    await owner.page.reload();
  }
  checks.must((await first.count()) === 1, "a case is open");
  await lookAt("11-cases");
  await first.click();
  await owner.page.waitForLoadState();
  for (const customer of ["cus_bea_home", "cus_bea_work"]) {
    const column = owner.page.getByRole("columnheader", { name: customer });
    checks.equal(await column.count(), 1, `${customer} is a candidate`);
  }
  const queued = await owner.page.locator("main .panel", { hasText: "20.00 USD" }).count();
  checks.equal(queued, 3, "what each customer, or both, would earn is told before the decision");
  await lookAt("12-case");
  await owner.page.getByLabel("cus_bea_home").first().check();
  await owner.field("Why").fill("bea wrote to us: the other one is her employer’s");
  await owner.press("Decide");
  checks.must(await owner.says("Decided."), "the case is decided");
  await lookAt("13-case-decided");
}

async function qualifies(owner, lookAt) {
  await owner.page.locator("main dl.facts a[href^='/referrals/']").first().click();
  await owner.page.waitForLoadState();
  owner.stage.checks.that(await owner.says("Qualified"), "the referral says that it qualifies");
  await lookAt("14-referral-qualified");
}

async function waits(ana, lookAt) {
  await ana.goTo("Rewards");
  ana.stage.checks.that(await ana.says("Due with the batch of"), "the promoter is told when");
  await lookAt("15-rewards-due");
}

async function settle(owner, lookAt) {
  const { checks } = owner.stage;
  await owner.goTo("Batches");
  await lookAt("16-batches");
  await owner.follow("Run now");
  checks.that(await owner.says("1 reward will be settled: 30.00 USD."), "what the batch will do is said");
  await lookAt("17-batch-asked");
  await owner.press("Run it now");
  checks.that(await owner.says("The batch is done."), "the batch is done");
  await lookAt("18-batch");
}

async function isRewarded(ana, lookAt) {
  const { checks } = ana.stage;
  await ana.page.reload();
  const row = ana.page.locator("main tbody tr");
  checks.equal(await row.count(), 1, "one reward");
  const words = await row.first().innerText();
  checks.that(words.includes("Settled"), `it is settled: ${words}`);
  checks.that(words.includes("20.00 USD"), `with its amount: ${words}`);
  checks.that(!(await ana.says(INVITED)), "the invited person stays masked");
  await lookAt("19-rewards-settled");
}
