// Chromium, and what holds for every page whatever a test does with it: no error, no
// violation of the policy, nothing from elsewhere.
import { chromium } from "playwright-core";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import assert from "node:assert/strict";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
export const shots = process.env.ACTIONLOG_SCREENSHOTS || fileURLToPath(new URL("./screenshots", import.meta.url));

export const launch = () =>
  chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });

/** A page in a browser of its own, signed in by the link that the service prints. */
export async function visit(browser, service, path = "/", { link = service.link, elsewhere = [], ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1400, height: 900 }, locale: "en-GB", timezoneId: "Europe/Berlin", acceptDownloads: true, permissions: ["clipboard-read", "clipboard-write"], reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const wrong = [];
  page.expected = []; // what a test brings about itself
  page.on("pageerror", (e) => wrong.push(`error: ${e.message}`));
  page.on("console", (m) => {
    if (m.type() === "error" || m.type() === "warning" || /Content.Security.Policy|Refused/.test(m.text())) wrong.push(`console ${m.type()}: ${m.text()} ${m.location().url}`);
  });
  page.on("request", (r) => {
    if (![service.url, "blob:", ...elsewhere].some((u) => r.url().startsWith(u))) wrong.push(`request elsewhere: ${r.url()}`);
  });
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", (e) => console.error(`Content Security Policy: ${e.violatedDirective} ${e.blockedURI} ${e.sample}`));
  });
  page.done = async () => {
    await context.close();
    assert.deepEqual(wrong.filter((w) => !page.expected.some((e) => e.test(w))), []);
  };
  if (link) {
    await page.goto(link);
    await page.getByRole("banner").waitFor();
  }
  if (path !== "/" || !link) await page.goto(service.url + path);
  return page;
}

const standards = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** Nothing that axe finds, on what is shown now: by all rules, or by some. */
export async function accessible(page, what, some = undefined) {
  await page.evaluate(axe);
  // React-aria's buttons for screen readers stand beside an open dialog, in no landmark.
  const region = { enabled: (await page.locator(".popover:not(.offers)").count()) === 0 };
  const found = await page.evaluate((o) => window.axe.run(document, o), some ? { runOnly: { type: "rule", values: some } } : { runOnly: standards, rules: { region } });
  const said = found.violations.map((v) => `${v.id}: ${v.help}\n${v.nodes.slice(0, 4).map((n) => `    ${n.html.slice(0, 200)}\n    ${n.failureSummary}`).join("\n")}`);
  assert.equal(said.join("\n"), "", `${what} is not accessible:\n${said.join("\n")}`);
  assert.ok(found.passes.length > (some ? 0 : 5), "axe looked at nothing");
}

export async function shot(page, name) {
  mkdirSync(shots, { recursive: true });
  await page.screenshot({ path: join(shots, `${name}.png`), animations: "disabled" });
}

/** Counts what a person does. */
export class Hands {
  clicks = 0;
  keys = 0;
  constructor(page) {
    this.page = page;
  }
  async click(locator) {
    this.clicks++;
    await locator.click();
  }
  async type(text) {
    this.keys += [...text].length;
    await this.page.keyboard.type(text);
  }
  async press(...keys) {
    for (const k of keys) {
      this.keys++;
      await this.page.keyboard.press(k);
    }
  }
}

export const rows = (page) => page.locator(".rows .row:not(.end)");

/** Waits until the list answers the search that is set. */
export async function settled(page) {
  await page.waitForFunction(() => !document.querySelector('.list[aria-busy="true"]') && !document.querySelector(".center .loading") && (document.querySelector(".list .row") || document.querySelector(".nothing, .failed")));
}

/** How many actions the page says there are: it counts them for the histogram, or when it is asked to. */
export async function count(page) {
  await settled(page);
  const status = page.locator(".status strong").first();
  for (const end = Date.now() + 20_000; Date.now() < end; await page.waitForTimeout(100)) {
    const text = await status.textContent();
    if (!/more|mehr/.test(text)) return Number(text.replace(/[^0-9]/g, ""));
  }
  throw new Error("the page does not count exactly");
}
