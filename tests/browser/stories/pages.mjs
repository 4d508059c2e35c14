// Every page that each role can reach by links, looked at. Whatever is in the table of routes
// has to be reached by somebody, so that no page is forgotten.
import { bones, fits, look, WIDTHS } from "../lib/look.mjs";
import { Visitor } from "../lib/visitor.mjs";
import { Routes, walk } from "../lib/walk.mjs";

/** Pages that no link leads to: opened by a mail, or parts of other pages. */
const NOT_LINKED = ["/link", "/backtests/{id}", "/assets/{name}"];
/** Walked side by side; more than the machine has cores gains nothing. */
const AT_A_TIME = 3;

export default async function (stage) {
  const routes = new Routes(stage.site.routes);
  const reached = new Set(NOT_LINKED);
  const shapes = new Set();
  const roles = [["visitor", null], ...Object.entries(stage.site.links)];
  const walkers = Array.from({ length: AT_A_TIME }, async () => {
    for (let next = roles.shift(); next; next = roles.shift()) {
      const seen = await asRole(stage, next, routes, shapes);
      for (const route of seen.values()) reached.add(route);
    }
  });
  await Promise.all(walkers);
  for (const route of stage.site.routes) {
    stage.checks.that(reached.has(route), `${route}: no link of any role leads there`);
  }
}

async function asRole(stage, [role, link], routes, shapes) {
  const visitor = await Visitor.come(stage);
  if (link) {
    await visitor.open(new URL(link).pathname + new URL(link).search);
    if (role === "owner") await look(visitor, "visitor/link");
    await visitor.comeInBy(link);
  }
  const start = role === "visitor" ? "/sign-in" : "/";
  let isFirst = true;
  const seen = await walk(visitor, start, routes, async (kind) => {
    await seeOnce(visitor, `${role}/${named(kind)}`, shapes, isFirst);
    isFirst = false;
  });
  if (seen.has("/referrals")) await referrals(visitor, role, shapes);
  await visitor.leave();
  return seen;
}

/** A referral of every state: its page is another one in each. */
async function referrals(visitor, role, shapes) {
  for (const state of ["qualified", "pending", "review", "rejected"]) {
    await visitor.open(`/referrals?state=${state}`);
    const first = await visitor.page.locator("main a[href^='/referrals/']").first().getAttribute("href");
    await visitor.open(first);
    await seeOnce(visitor, `${role}/referral-${state}`, shapes, false);
  }
}

/** Looks closely at what has not been looked at yet, whichever role it was. */
async function seeOnce(visitor, name, shapes, isFirst) {
  const shape = await visitor.page.evaluate(() => {
    const plain = (element) => `${element.tagName}.${element.getAttribute("class") ?? ""}`;
    const all = [...document.querySelectorAll("main, main *")];
    // Each once: ten rows are the same shape as one.
    const pairs = all.map((element) => `${plain(element.parentElement)}>${plain(element)}`);
    return [...new Set(pairs)].sort().join(" ");
  });
  if (!isFirst && shapes.has(shape)) {
    await bones(visitor, name);
    await visitor.page.setViewportSize({ width: WIDTHS.phone, height: 844 });
    await fits(visitor, `${name} (phone)`);
    await visitor.page.setViewportSize({ width: WIDTHS.desktop, height: 900 });
    return;
  }
  shapes.add(shape);
  await look(visitor, name);
}

/** `/campaigns/{id}?from&to` → `campaigns-id-from-to` */
function named(kind) {
  return kind.replace(/[^a-z0-9]+/gi, "-").replace(/^-|-$/g, "") || "dashboard";
}
