// One page looked at in every way people have: wide and narrow, light and dark, by what reads
// it aloud. Pictures of it are kept for people to look at.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { axeSource } from "./packages.mjs";

export const WIDTHS = { desktop: 1280, phone: 390 };
const SCHEMES = ["light", "dark"];
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const GRAVE = ["serious", "critical"];

/** Everything that has to hold of a page as it stands; `name` is for people and pictures. */
export async function look(visitor, name) {
  const { stage, page } = visitor;
  await bones(visitor, name);
  for (const [kind, width] of Object.entries(WIDTHS)) {
    await page.setViewportSize({ width, height: kind === "phone" ? 844 : 900 });
    for (const colorScheme of SCHEMES) {
      await page.emulateMedia({ colorScheme });
      const where = `${name} (${kind}, ${colorScheme})`;
      // Only colours are other ones in the dark.
      const rules = colorScheme === "light" ? { type: "tag", values: TAGS } : { type: "rule", values: ["color-contrast"] };
      // Axe is a script itself: without scripts there are only the picture and the rest.
      const faults = visitor.javaScript ? await axe(page, rules) : [];
      for (const fault of faults) stage.checks.that(false, `${where}: ${fault}`);
      if (visitor.javaScript) stage.checks.passed += 1;
      await picture(stage, page, `${name}-${kind}-${colorScheme}`);
    }
    await fits(visitor, `${name} (${kind})`);
  }
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: WIDTHS.desktop, height: 900 });
}

/** What holds of every page at every width; cheap. */
export async function bones(visitor, name) {
  const { stage, page } = visitor;
  const found = await page.evaluate(() => ({
    title: document.title,
    headings: document.querySelectorAll("h1").length,
    main: document.querySelectorAll("main").length,
    language: document.documentElement.lang,
    skip: document.querySelector("body > a")?.getAttribute("href"),
  }));
  stage.checks.that(found.title.length > 3, `${name}: no title`);
  stage.checks.equal(found.headings, 1, `${name}: headings of the first level`);
  stage.checks.equal(found.main, 1, `${name}: main parts`);
  stage.checks.equal(found.language, "en", `${name}: its language`);
  stage.checks.equal(found.skip, "#main", `${name}: where the first link skips to`);
  stage.checks.equal(visitor.complaints(), [], `${name}: the browser complains`);
}

/** Nothing sticks out to the side, whatever the width is now. */
export async function fits(visitor, where) {
  const wide = await visitor.page.evaluate(() => {
    const room = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= room) return [];
    const out = [...document.querySelectorAll("body *")].filter((e) => {
      const box = e.getBoundingClientRect();
      return box.right > room + 1 && box.width > 0 && !e.closest(".scroll, .diff, pre");
    });
    return out.slice(-3).map((e) => `${e.tagName.toLowerCase()}.${e.className}`).concat("overflows");
  });
  visitor.stage.checks.equal(wide, [], `${where}: wider than the window`);
}

async function axe(page, runOnly) {
  // Evaluated by the debugger, not by the page: its security policy stays in force.
  if (!(await page.evaluate("typeof axe === 'object'"))) await page.evaluate(axeSource);
  const found = await page.evaluate(
    ([runOnly]) => globalThis.axe.run(document, { runOnly, resultTypes: ["violations"], preload: false }),
    [runOnly],
  );
  const grave = found.violations.filter((violation) => GRAVE.includes(violation.impact));
  return grave.map((violation) => {
    const places = violation.nodes.slice(0, 4).map((node) => `${node.target} ${node.failureSummary}`);
    return `${violation.id}: ${violation.help} (${violation.nodes.length})\n    ${places.join("\n    ")}`;
  });
}

async function picture(stage, page, name) {
  const folder = join(stage.site.screenshots, ...name.split("/").slice(0, -1));
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${name.split("/").at(-1)}.png`);
  await page.screenshot({ path, fullPage: true, animations: "disabled" });
}
