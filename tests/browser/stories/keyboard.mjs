// Without a mouse: everything that can be pressed can be reached, is seen when it has the
// focus, and does what it says.
import { EMAIL, PASSWORD, setUp } from "../lib/owner.mjs";
import { Visitor } from "../lib/visitor.mjs";

const STOPS_MAX = 80;

export default async function (stage) {
  const { checks } = stage;
  await (await setUp(stage)).leave();
  const owner = await Visitor.come(stage);
  await signIn(owner);
  await skip(owner);
  await everyStop(owner, "/");
  await everyStop(owner, "/new-promoter");
  await form(owner);
  await menuOnThePhone(owner);
  await signOut(owner);
  checks.equal(owner.complaints(), [], "the browser complains");
  await owner.leave();
}

const now = (visitor) =>
  visitor.page.evaluate(() => {
    const at = document.activeElement;
    const style = getComputedStyle(at);
    const box = at.getBoundingClientRect();
    const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
    const inView = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
    const words = (at.labels?.[0] ?? at).innerText ?? "";
    return { tag: at.tagName, id: at.id, words: words.trim().split("\n")[0], isSeen: ring && inView, href: at.getAttribute("href") };
  });

const press = (visitor, key) => visitor.page.keyboard.press(key);

/** Goes on with Tab until it is there. */
async function tabTo(visitor, isThere, what) {
  for (let stop = 0; stop < STOPS_MAX; stop += 1) {
    await press(visitor, "Tab");
    const at = await now(visitor);
    if (isThere(at)) {
      visitor.stage.checks.that(at.isSeen, `${what}: the focus cannot be seen`);
      return;
    }
  }
  visitor.stage.checks.must(false, `${what} cannot be reached with Tab`);
}

async function enter(visitor) {
  const answered = visitor.page.waitForEvent("domcontentloaded");
  await press(visitor, "Enter");
  await answered;
}

async function signIn(owner) {
  await owner.open("/sign-in");
  await tabTo(owner, (at) => at.id === "email", "the address");
  await owner.page.keyboard.type(EMAIL);
  await press(owner, "Tab");
  await owner.page.keyboard.type(PASSWORD);
  // Enter in a field presses the button that comes first: the one that signs in.
  await enter(owner);
  owner.stage.checks.equal(owner.path(), "/", "signed in with keys");
}

async function skip(owner) {
  await owner.open("/campaigns");
  await press(owner, "Tab");
  const first = await now(owner);
  owner.stage.checks.equal([first.words, first.isSeen], ["Skip to the content", true], "the first stop");
  await press(owner, "Enter");
  const at = await now(owner);
  owner.stage.checks.equal(at.id, "main", "where the skip link leads");
  await press(owner, "Tab");
  const next = await owner.page.evaluate(() => document.activeElement.closest("main") !== null);
  owner.stage.checks.that(next, "the next stop after the skip link is in the content");
}

/** Every stop of a page once around: each can be seen, and nothing that can be pressed is left out. */
async function everyStop(owner, path) {
  const { checks } = owner.stage;
  await owner.open(path);
  const all = await owner.page.evaluate(() => {
    const found = document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary");
    return [...found].filter((e) => e.checkVisibility() && e.tabIndex >= 0).length;
  });
  let stops = 0;
  for (; stops < STOPS_MAX; stops += 1) {
    await press(owner, "Tab");
    const at = await now(owner);
    if (at.tag === "BODY" || at.tag === "HTML") break;
    checks.that(at.isSeen, `${path}: the focus on ${at.tag} "${at.words}" ${at.id} cannot be seen`);
  }
  checks.that(stops >= all, `${path}: ${all} things can be pressed, ${stops} have the focus`);
}

async function form(owner) {
  const { checks } = owner.stage;
  await owner.open("/new-promoter");
  await tabTo(owner, (at) => at.id === "name", "the name");
  await owner.page.keyboard.type("Ines Berg");
  await tabTo(owner, (at) => at.id === "email", "the address");
  await owner.page.keyboard.type("not an address");
  await tabTo(owner, (at) => at.words === "Add", "the button");
  // What the browser would say of it in its own way is left to the server.
  await owner.page.evaluate(() => (document.querySelector("main form").noValidate = true));
  await enter(owner);
  checks.that(await owner.says("There is a problem"), "a wrong address is told");
  await tabTo(owner, (at) => at.href === "#email", "the first error");
  await press(owner, "Enter");
  checks.equal((await now(owner)).id, "email", "an error leads to its field");
  await press(owner, "Control+A");
  await owner.page.keyboard.type("ines@example.net");
  await enter(owner);
  checks.that(owner.path().startsWith("/promoters/"), `a form sent with Enter: ${owner.path()}`);
}

async function menuOnThePhone(owner) {
  const { checks } = owner.stage;
  await owner.page.setViewportSize({ width: 390, height: 844 });
  await owner.open("/promoters");
  await tabTo(owner, (at) => at.href === "#menu", "the menu's button");
  await press(owner, "Enter");
  await tabTo(owner, (at) => at.words === "Referrals", "an entry of the menu");
  await enter(owner);
  checks.equal(owner.path(), "/referrals", "where the menu led");
  await owner.page.setViewportSize({ width: 1280, height: 900 });
}

async function signOut(owner) {
  await owner.open("/");
  await tabTo(owner, (at) => at.tag === "SUMMARY", "the account menu");
  await press(owner, "Enter");
  await tabTo(owner, (at) => at.words === "Sign out", "the way out");
  await enter(owner);
  owner.stage.checks.equal(owner.path(), "/sign-in", "signed out with keys");
}
