// What pages of other sites can have a signed-in browser do: nothing. And what a session's
// cookie is worth to whoever planted or copied it: nothing.
import { createServer } from "node:http";
import { EMAIL, PASSWORD, setUp } from "../lib/owner.mjs";
import { Visitor } from "../lib/visitor.mjs";

export default async function (stage) {
  const owner = await setUp(stage);
  const evil = await elsewhere(stage.site.url);
  const { port } = evil.address();
  // Another site altogether, and one that shares the host: cookies know no ports.
  for (const host of ["localhost", "127.0.0.1"]) {
    await forms(owner, `http://${host}:${port}`);
    await frames(owner, `http://${host}:${port}`);
  }
  await owner.leave();
  await planted(stage);
  await copied(stage);
  evil.close();
}

/** A server with pages of bad intent, each about one address of ours. */
async function elsewhere(target) {
  const server = createServer((request, response) => {
    const url = new URL(request.url, "http://elsewhere");
    const place = target + (url.searchParams.get("at") ?? "/");
    const fields = [...url.searchParams].filter(([name]) => name !== "at");
    const inputs = fields.map(([name, value]) => `<input name="${name}" value="${value}">`).join("");
    const pages = {
      "/form": `<form method="post" action="${place}">${inputs}<button>Win</button></form>`,
      "/frame": `<iframe src="${place}" width="600" height="400"></iframe>`,
      "/fetch": `<p>a page</p>`,
    };
    response.writeHead(200, { "content-type": "text/html" });
    response.end(`<!doctype html><title>elsewhere</title>${pages[url.pathname] ?? ""}`);
  });
  await new Promise((listening) => server.listen(0, listening));
  return server;
}

async function isSignedIn(visitor) {
  await visitor.open("/account");
  return visitor.path() === "/account";
}

async function forms(owner, from) {
  const { checks, site } = owner.stage;
  const harm = ["/sign-out", "/account/sign-out-everywhere", "/new-promoter?name=Evil&id=prom_evil", "/sign-in?email=a@b.example&password=x&do=password"];
  for (const action of harm) {
    const [at, fields = ""] = action.split("?");
    await owner.page.goto(`${from}/form?at=${at}&${fields}`);
    const answered = owner.page.waitForResponse((answer) => answer.request().method() === "POST");
    await owner.page.getByRole("button", { name: "Win" }).click();
    const answer = await answered;
    checks.equal(answer.status(), 403, `${at}, posted from ${from}`);
    checks.that(await isSignedIn(owner), `${at} from ${from} ended the session`);
  }
  const evil = await owner.open("/promoters/prom_evil");
  checks.equal(evil.status(), 404, `a promoter that ${from} wanted`);
  await owner.page.goto(`${from}/fetch`);
  const read = await owner.page.evaluate(async (url) => {
    try {
      const answer = await fetch(url, { credentials: "include" });
      return (await answer.text()).length;
    } catch {
      return "refused";
    }
  }, `${site.url}/account`);
  checks.equal(read, "refused", `a script of ${from} reads a page`);
  // All of this is what a browser complains about.
  owner.complaints();
}

async function frames(owner, from) {
  const { checks, site } = owner.stage;
  for (const at of ["/", "/sign-in", "/account"]) {
    await owner.page.goto(`${from}/frame?at=${at}`);
    const frame = owner.page.frames()[1];
    checks.that(!frame.url().startsWith(site.url), `${at} in a frame of ${from}: ${frame.url()}`);
    const said = owner.complaints().join(" ");
    checks.that(said.includes("frame-ancestors"), `${at}: the browser does not say why: ${said}`);
    checks.that(!(await frame.content()).includes("qualify"), `${at} is seen in a frame`);
  }
  await owner.page.goto(site.url);
}

async function signIn(visitor) {
  await visitor.open("/sign-in");
  await visitor.field("Email address").fill(EMAIL);
  await visitor.field("Password").fill(PASSWORD);
  await visitor.press("Sign in");
  visitor.stage.checks.equal(visitor.path(), "/", "signed in");
}

const cookie = async (visitor) => (await visitor.context.cookies()).find((one) => one.httpOnly && one.name.includes("session"));

/** A cookie that somebody planted before is not the one that is signed in afterwards. */
async function planted(stage) {
  const { checks, site } = stage;
  const visitor = await Visitor.come(stage);
  await signIn(visitor);
  const { name, value, sameSite, httpOnly } = await cookie(visitor);
  checks.equal([httpOnly, sameSite], [true, "Lax"], "how the cookie is kept");
  const readable = await visitor.page.evaluate(() => document.cookie);
  checks.that(!readable.includes(value), "a script can read the session");
  await visitor.leave();

  const victim = await Visitor.come(stage);
  const known = `${value.slice(0, -4)}AAAA`;
  await victim.context.addCookies([{ name, value: known, url: site.url }]);
  await signIn(victim);
  const after = await cookie(victim);
  checks.that(after.value !== known && after.value !== value, "a planted session was signed in");
  await victim.leave();
  const attacker = await Visitor.come(stage);
  await attacker.context.addCookies([{ name, value: known, url: site.url }]);
  checks.equal(await isSignedIn(attacker), false, "the planted cookie opens something");
  await attacker.leave();
}

/** A cookie that somebody copied is worth nothing once its owner has signed out. */
async function copied(stage) {
  const { checks, site } = stage;
  const visitor = await Visitor.come(stage);
  await signIn(visitor);
  const { name, value } = await cookie(visitor);
  const thief = await Visitor.come(stage);
  await thief.context.addCookies([{ name, value, url: site.url }]);
  checks.equal(await isSignedIn(thief), true, "a cookie is the session, until");
  await visitor.open("/");
  await visitor.page.locator(".who summary").click();
  const out = visitor.page.waitForEvent("domcontentloaded");
  await visitor.page.getByRole("button", { name: "Sign out", exact: true }).click();
  await out;
  checks.equal(visitor.path(), "/sign-in", "signed out");
  checks.equal(await isSignedIn(thief), false, "a copied cookie after signing out");
  await visitor.page.goBack();
  checks.that(!(await visitor.says(EMAIL)), "the page before is shown again after signing out");
  await visitor.leave();
  await thief.leave();
}
