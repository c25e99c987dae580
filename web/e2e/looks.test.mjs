// What opens over a view, and what few people meet: light, dark and narrow, looked at by axe
// and kept as a picture. The views themselves are in page.test.mjs.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { accessible, launch, settled, shot, visit } from "./browser.mjs";
import { allKnown, binary, institution, known, Service } from "./service.mjs";

let service, browser;
const log = `/institutions/${institution}/actions`;
const removed = `${log}/${known.removed.id}?day=${known.removed.occurred_at.slice(0, 10)}&range=30d`;

before(async () => {
  service = await new Service(binary(), 4000).start();
  await service.publish(...allKnown);
  for (const reason of ["for ticket T-1", "a very long reason ".repeat(12) + "unbroken".repeat(12)]) await service.of("restores", { method: "POST", body: { from: "2026-01-05", to: "2026-01-06", reason } });
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await service?.stop();
  service?.remove();
});

const opens = (name) => async (page) => {
  await settled(page);
  await page.getByRole("button", { name }).first().click();
  await page.locator(".popover:not(.offers), .modal").first().waitFor();
};
const says = (text) => (page) => page.getByText(text).first().waitFor();

const views = {
  "older-data-requests": [`/institutions/${institution}/restores`, says("for ticket T-1")],
  "requests-of-all": ["/restores", says("for ticket T-1")],
  "similar-names": [`${log}?user=ingird+tseter&range=90d`, says("Nobody is called exactly")],
  "days-missing": [`${log}?from=2026-01-01&to=2026-01-31`, says("Not in this list")],
  "nowhere": ["/institutions/x/y", says("There is nothing at this address.")],
  "time": [log, opens(/^Last 7 days/)],
  "people": [log, async (page) => {
    await opens(/^User$/)(page);
    await page.keyboard.type("ingrid");
    await page.getByRole("option", { name: /Ingrid/ }).first().waitFor();
  }],
  "action-filter": [log, opens(/^Action$/)],
  "request-filter": [log, opens(/^API request/)],
  "more-filters": [log, opens(/^More$/)],
  "columns": [log, opens(/^Columns/)],
  "settings": [log, opens(/^Settings of/)],
  "export-dialog": [log, async (page) => (await opens(/^Export$/)(page), await page.locator(".modal .big").waitFor())],
  "histogram-table": [log, async (page) => (await settled(page), await page.getByRole("button", { name: "Show as a table" }).click(), await page.getByRole("table").waitFor())],
  "copy-menu": [removed, async (page) => {
    await page.locator(".drawer dl").waitFor();
    await page.getByRole("button", { name: "Copy" }).click();
    await page.getByRole("menu").waitFor();
  }],
  "raw-document": [removed, async (page) => {
    await page.locator(".drawer dl").waitFor();
    await page.getByText("Raw document").click();
    await page.locator(".raw pre").scrollIntoViewIfNeeded();
  }],
};

const looks = {
  light: { colorScheme: "light" },
  narrow: { colorScheme: "light", viewport: { width: 320, height: 700 } },
};

async function looked(page, name) {
  await page.waitForTimeout(150);
  await shot(page, name);
  await accessible(page, name);
  if (name.endsWith("-light")) { // colours are all that differs in the dark
    const dark = name.replace(/light$/, "dark");
    await page.emulateMedia({ colorScheme: "dark" });
    await page.waitForTimeout(150);
    await shot(page, dark);
    await accessible(page, dark, ["color-contrast", "link-in-text-block"]);
    await page.emulateMedia({ colorScheme: "light" });
  }
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(wide <= 0, `${name}: ${wide} pixels too wide`);
  const outside = await page.evaluate(() => [...document.querySelectorAll(".popover, .modal")].filter((e) => {
    const b = e.getBoundingClientRect();
    return b.width > 0 && (b.left < -1 || b.right > innerWidth + 1 || b.top < -1 || b.bottom > innerHeight + 1);
  }).map((e) => e.className));
  assert.deepEqual(outside, [], `${name}: reaches out of the window`);
}

for (const [look, options] of Object.entries(looks)) {
  test(`what opens, ${look}`, async () => {
    const page = await visit(browser, service, "/", options);
    page.setDefaultTimeout(10_000);
    const wrong = [];
    for (const [name, [path, ready]] of Object.entries(views)) {
      await page.goto(service.url + path);
      await ready(page).then(() => looked(page, `${name}-${look}`)).catch((e) => wrong.push(`${name}: ${e.message}`));
    }
    assert.equal(wrong.join("\n\n"), "");
    await page.done();
  });

  test(`before somebody is signed in, ${look}`, async () => {
    const page = await visit(browser, service, log, { link: null, ...options });
    page.expected = [/401/];
    await page.getByLabel("Token").waitFor();
    await looked(page, `sign-in-${look}`);
    await page.goto(service.url + "/#sign_in=unknown");
    await page.getByText("you have no role").waitFor();
    await looked(page, `sign-in-no-role-${look}`);
    await page.getByLabel("Token").fill(await service.role("auditor", { institutions: ["harbour-college"] }));
    await page.keyboard.press("Enter");
    await page.getByRole("banner").waitFor();
    await page.goto(service.url + log);
    await page.getByText("This action log is not for you.").waitFor();
    await looked(page, `not-for-you-${look}`);
    await page.done();
  });
}
