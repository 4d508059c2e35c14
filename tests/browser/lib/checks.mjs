// What held and what did not. A story goes on after a check that failed, so that one run tells
// everything; `must` is for what the rest depends on.

export class Checks {
  passed = 0;
  failures = [];

  that(holds, what) {
    if (holds) this.passed += 1;
    else this.failures.push(what);
    return Boolean(holds);
  }

  equal(found, expected, what) {
    const [f, e] = [found, expected].map((value) => JSON.stringify(value));
    return this.that(f === e, `${what}: expected ${e}, found ${f}`);
  }

  must(holds, what) {
    if (!this.that(holds, what)) throw new Error("the story cannot go on");
  }
}
