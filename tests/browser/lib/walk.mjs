// Every page that links lead to, each kind of page once. Kinds are the rows of the table of
// routes, so that four hundred referrals are one kind and a new page is walked by itself.

/** More pages than any role has kinds of. */
const PAGES_MAX = 150;

export class Routes {
  constructor(patterns) {
    this.rows = patterns.map((pattern) => {
      const parts = pattern.split(/\{[^}]+\}/).map((part) => part.replace(/[.*+?^$()|[\]\\]/g, "\\$&"));
      return { pattern, matches: new RegExp(`^${parts.join("[^/]+")}$`) };
    });
  }

  /** The row that an address belongs to, plain ones first. */
  of(path) {
    const rows = this.rows.filter((row) => row.matches.test(path));
    rows.sort((a, b) => a.pattern.includes("{") - b.pattern.includes("{"));
    return rows[0]?.pattern;
  }
}

/**
 * Walks from `start`. `visit(kind, answer)` looks at the page that is open. Answers what was
 * seen: route → kinds.
 */
export async function walk(visitor, start, routes, visit) {
  const { site, checks } = visitor.stage;
  const seen = new Map();
  const waiting = [{ path: start, from: "the start" }];
  for (let next = waiting.shift(); next; next = waiting.shift()) {
    const url = new URL(next.path, site.url);
    const route = routes.of(url.pathname) ?? url.pathname;
    const names = [...new Set(url.searchParams.keys())].sort();
    const kind = names.length ? `${route}?${names.join("&")}` : route;
    if (seen.has(kind)) continue;
    if (!checks.that(seen.size < PAGES_MAX, `more than ${PAGES_MAX} kinds of pages from ${start}`)) break;
    seen.set(kind, route);
    const path = url.pathname + url.search;
    if (/\.(csv|json|toml|ndjson)$/.test(url.pathname)) {
      const file = await visitor.context.request.get(url.href, { maxRedirects: 0 });
      checks.equal(file.status(), 200, `${path}, a file linked from ${next.from}`);
      continue;
    }
    const answer = await visitor.open(path);
    // It may have led on to somewhere else.
    const came = new URL(answer.url()).pathname;
    if (came !== url.pathname) seen.set(routes.of(came) ?? came, routes.of(came) ?? came);
    if (!checks.equal(answer.status(), 200, `${path}, linked from ${next.from}`)) continue;
    if (!(answer.headers()["content-type"] ?? "").startsWith("text/html")) continue;
    await visit(kind, answer);
    waiting.push(...(await links(visitor)).map((path) => ({ path, from: kind })));
  }
  return seen;
}

/** Where the links of the open page lead, on this site. */
async function links(visitor) {
  const all = await visitor.page.$$eval("a[href]", (found) => found.map((link) => link.href));
  const here = new URL(visitor.stage.site.url).origin;
  const urls = all.map((href) => new URL(href)).filter((url) => url.origin === here);
  return [...new Set(urls.map((url) => url.pathname + url.search))];
}
