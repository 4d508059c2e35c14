// The packages, from where they were installed: under `target`, not beside these files.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const from = createRequire(join(process.env.BROWSER_MODULES ?? ".", "package.json"));

export const { chromium } = from("playwright-core");
export const axeSource = readFileSync(from.resolve("axe-core/axe.min.js"), "utf8");
