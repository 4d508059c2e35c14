// What goes on beside the pages: the command line of the same program, and Stripe.
import { execFileSync } from "node:child_process";
import { createHmac } from "node:crypto";

/** Runs a command on the site's database; what it prints. */
export function run(site, ...command) {
  const { path, folder, env } = site.program;
  return execFileSync(path, command, { cwd: folder, env, encoding: "utf8" }).trim();
}

/** Posts an event as Stripe does, signed. */
export async function fromStripe(site, event) {
  const body = JSON.stringify(event);
  const at = Math.floor(Date.now() / 1000);
  const proof = createHmac("sha256", site.webhookSecret).update(`${at}.${body}`).digest("hex");
  const headers = { "stripe-signature": `t=${at},v1=${proof}`, "content-type": "application/json" };
  const answer = await fetch(`${site.url}/webhooks/stripe`, { method: "POST", body, headers });
  if (answer.status !== 200) throw new Error(`the event was answered ${answer.status}: ${await answer.text()}`);
}

/** A customer who came, and paid once. */
export function customerWhoPaid({ customer, email, minor, currency }) {
  const now = Math.floor(Date.now() / 1000);
  const event = (id, type, created, object) => ({
    id, object: "event", api_version: "2024-06-20", type, created, livemode: false, pending_webhooks: 1,
    request: { id: null, idempotency_key: null }, data: { object },
  });
  return [
    event(`evt_${customer}_1`, "customer.created", now - 60, {
      id: customer, object: "customer", email, created: now - 60, livemode: false, metadata: {},
    }),
    event(`evt_${customer}_2`, "charge.succeeded", now - 30, {
      id: `ch_${customer}`, object: "charge", amount: minor, amount_captured: minor, amount_refunded: 0,
      captured: true, created: now - 30, currency, customer, disputed: false, invoice: null,
      livemode: false, metadata: {}, paid: true, payment_intent: null, refunded: false, status: "succeeded",
    }),
  ];
}
