// The looking itself: a page with everything wrong is found out. Without this, a check that
// looks at nothing would pass for ever.
import { createServer } from "node:http";
import { Checks } from "../lib/checks.mjs";
import { look } from "../lib/look.mjs";
import { Visitor } from "../lib/visitor.mjs";
import { Routes, walk } from "../lib/walk.mjs";

const WRONG = `<!doctype html><html lang="xx"><head><title>x</title></head><body><main>
<h1>One</h1><h1>Two</h1><p style="color:#aaa">pale</p><input type="text">
<div><img src="data:," width="2000" height="1"></div><a href="/gone">gone</a>
<script>console.error("never runs")</script></main></body></html>`;

export default async function (stage) {
  const server = createServer((request, response) => {
    const status = request.url === "/" ? 200 : 500;
    const policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";
    response.writeHead(status, { "content-type": "text/html", "content-security-policy": policy });
    response.end(WRONG);
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const url = `http://127.0.0.1:${server.address().port}`;
  const trial = { ...stage, checks: new Checks(), site: { ...stage.site, url } };
  const visitor = await Visitor.come(trial);
  await walk(visitor, "/", new Routes(["/"]), () => look(visitor, "harness/wrong"));
  await visitor.leave();
  server.close();
  const told = trial.checks.failures.join("\n");
  const expected = {
    "no title": "a missing title",
    "headings of the first level": "two headings of the first level",
    "its language": "a wrong language",
    "skips to": "a missing skip link",
    "Content Security Policy": "an inline script that was refused",
    "color-contrast": "pale words",
    "label:": "a field without a label",
    "(phone): wider than the window": "a page that is too wide",
    "/gone, linked from /: expected 200, found 500": "a link that leads nowhere",
  };
  for (const [words, what] of Object.entries(expected)) {
    stage.checks.that(told.includes(words), `${what} was not found out, in:\n${told}`);
  }
}
