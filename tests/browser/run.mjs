// `node run.mjs STORY`: plays one story against the server that SITE describes (a JSON object,
// see `tests/browser.rs`), and says at its end what held: "12 checks passed, 0 failed".
import { Checks } from "./lib/checks.mjs";
import { chromium } from "./lib/packages.mjs";

const name = process.argv[2];
const checks = new Checks();
const story = await import(`./stories/${name}.mjs`);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  // Chromium's own sandbox does not run as root; nothing but our own pages is opened.
  args: ["--no-sandbox", "--disable-dev-shm-usage", "--force-color-profile=srgb"],
});
try {
  await story.default({ browser, checks, site: JSON.parse(process.env.SITE) });
} catch (error) {
  checks.failures.push(`${error.stack ?? error}`);
}
await browser.close();
for (const failure of checks.failures) console.log(`FAILED ${failure}`);
console.log(`${checks.passed} checks passed, ${checks.failures.length} failed`);
process.exitCode = checks.failures.length > 0 || checks.passed === 0 ? 1 : 0;
