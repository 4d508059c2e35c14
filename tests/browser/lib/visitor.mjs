// Somebody with a browser of their own: cookies that nobody shares, and an ear for everything
// that the browser complains about.

const PATIENCE_MS = 20_000;

export class Visitor {
  /** What the browser has complained about since `complaints` was last asked. */
  #heard = [];

  static async come(stage, { javaScript = true, width = 1280 } = {}) {
    const visitor = new Visitor();
    visitor.stage = stage;
    visitor.javaScript = javaScript;
    visitor.context = await stage.browser.newContext({
      javaScriptEnabled: javaScript,
      viewport: { width, height: 900 },
      // Nothing is to be caught in the middle of a movement.
      reducedMotion: "reduce",
    });
    visitor.context.setDefaultTimeout(PATIENCE_MS);
    visitor.context.on("console", (message) => visitor.#hear(message));
    visitor.context.on("weberror", (thrown) => visitor.#heard.push(`${thrown.error()}`));
    visitor.page = await visitor.context.newPage();
    return visitor;
  }

  #hear(message) {
    if (message.type() !== "error") return;
    const text = message.text();
    const at = message.location().url;
    // A page that was refused says so by its status, which is looked at where it is expected.
    const isOwnStatus = /^Failed to load resource: .* status of 4\d\d/.test(text);
    if (isOwnStatus && at.split("#")[0] === message.page()?.url().split("#")[0]) return;
    this.#heard.push(`${text} (${at})`);
  }

  complaints() {
    return this.#heard.splice(0);
  }

  /** Opens an address of the site; the answer. */
  async open(path) {
    return this.page.goto(new URL(path, this.stage.site.url).href);
  }

  path() {
    const url = new URL(this.page.url());
    return url.pathname + url.search;
  }

  field(label) {
    return this.page.getByLabel(label, { exact: true });
  }

  /** Presses a button, and waits for the page that it leads to. */
  async press(name) {
    const button = this.page.locator("main").getByRole("button", { name, exact: true });
    const answered = this.page.waitForEvent("domcontentloaded");
    await button.first().click();
    await answered;
  }

  async follow(name) {
    await this.page.locator("main").getByRole("link", { name, exact: true }).first().click();
    await this.page.waitForLoadState();
  }

  /** Goes to a part of the site by its menu. */
  async goTo(name) {
    const menu = this.page.getByRole("navigation", { name: "Main" });
    await menu.getByRole("link", { name: new RegExp(`^${name}( \\d+ open)?$`) }).click();
    await this.page.waitForLoadState();
  }

  heading() {
    return this.page.locator("h1").first().innerText();
  }

  async says(words) {
    const text = await this.page.locator("body").innerText();
    return text.includes(words);
  }

  /** Comes in by a link that asks for nothing but the press of its button. */
  async comeInBy(link) {
    await this.open(new URL(link).pathname + new URL(link).search);
    const answered = this.page.waitForEvent("domcontentloaded");
    await this.page.locator("main button.primary").click();
    await answered;
  }

  async leave() {
    await this.context.close();
  }
}
