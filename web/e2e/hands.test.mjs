// Every control by keyboard alone, where the focus goes, what is copied and taken away, and
// what the page says when something is away.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { accessible, count, launch, rows, settled, shot, visit } from "./browser.mjs";
import { allKnown, binary, institution, known, Service, until } from "./service.mjs";

let service, browser;
const log = `/institutions/${institution}/actions`;
const removed = `${log}/${known.removed.id}?day=${known.removed.occurred_at.slice(0, 10)}&range=30d`;

before(async () => {
  service = await new Service(binary(), 4000).start();
  await service.publish(...allKnown);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await service?.stop();
  service?.remove();
});

const total = async (query) => (await service.of("actions", { query: { ...query, total: "exact", limit: "1" } })).meta.total.value;

/** The name of what has the focus. */
const focused = (page) =>
  page.evaluate(() => {
    const e = document.activeElement;
    return (e.getAttribute("aria-label") ?? e.labels?.[0]?.textContent ?? e.textContent ?? "").replace(/\s+/g, " ").trim();
  });

/** Goes to a control by Tab alone, as often as it takes. */
async function tabTo(page, name, key = "Tab") {
  const seen = [];
  for (let i = 0; i < 120; i++) {
    await page.keyboard.press(key);
    const at = await focused(page);
    if (name.test(at)) return at;
    seen.push(at.slice(0, 40));
  }
  throw new Error(`Tab does not reach ${name}: ${seen.join(" | ")}`);
}

const press = async (page, ...keys) => {
  for (const k of keys) await page.keyboard.press(k);
};

/** What had the focus may have gone with what it did: the dialog takes it then. */
const dialogHasFocus = (page) => page.waitForFunction(() => document.activeElement?.closest('[role="dialog"]'));
const noDialog = (page) => page.getByRole("dialog").waitFor({ state: "detached" });
const focusIs = (page, name) => until(`the focus is at ${name}`, async () => name.test(await focused(page)));

test("by keyboard: filters, people, facets; the focus comes back to what opened a dialog", async () => {
  const page = await visit(browser, service, log);
  await settled(page);
  await tabTo(page, /^Last 7 days/);
  await press(page, "Enter");
  await focusIs(page, /^Last 7 days$/);
  await tabTo(page, /^Last 30 days$/);
  await press(page, "Enter");
  await page.waitForURL(/range=30d/);
  await noDialog(page);
  await focusIs(page, /^Last 30 days$/);
  await tabTo(page, /^User$/);
  await press(page, "Enter");
  await tabTo(page, /Name, e-mail or institution ID/);
  await page.keyboard.type("ingrid tester");
  await page.getByRole("option", { name: /Ingrid Tester/ }).waitFor();
  await press(page, "Tab", "Enter");
  await page.waitForURL(/user=Ingrid/);
  await noDialog(page);
  await focusIs(page, /^User 1$/);
  await tabTo(page, /^Outcome$/);
  await press(page, "Enter");
  await tabTo(page, /^success$/);
  await press(page, "Space");
  await page.waitForURL(/outcome=success/);
  await press(page, "Escape");
  await noDialog(page);
  await focusIs(page, /^Outcome 1$/);
  await tabTo(page, /^Include|^Exclude Outcome: success instead/);
  await press(page, "Enter");
  await page.waitForURL(/outcome=-success/);
  await tabTo(page, /^Clear all filters$/);
  await press(page, "Enter");
  await page.waitForURL((u) => !u.searchParams.has("outcome") && !u.searchParams.has("user"));
  await settled(page);
  await tabTo(page, /^Institution ?[\d,]+$/);
  await press(page, "Enter");
  await page.waitForURL(/category=institution/);
  await settled(page);
  await focusIs(page, /^Institution ?[\d,]+$/);
  await tabTo(page, /^Exclude Institution$/);
  await press(page, "Enter");
  await page.waitForURL(/category=-institution/);
  assert.equal(await count(page), await total({ category: "-institution", range: "30d" }));
  await page.done();
});

test("by keyboard: a time in the histogram, columns that stay, settings", async () => {
  const page = await visit(browser, service, `${log}?range=30d`);
  await settled(page);
  await page.locator(".plot .u-over").waitFor();
  await tabTo(page, /^Actions over time/);
  await press(page, "ArrowLeft", "ArrowLeft", "Shift+ArrowLeft");
  assert.match(await page.locator(".said").innerText(), /actions?$/);
  await press(page, "Enter");
  await page.waitForURL(/from=.*to=/);
  await settled(page);
  await focusIs(page, /^Actions over time/);
  await tabTo(page, /^Columns$/);
  await press(page, "Enter");
  await page.getByRole("dialog").waitFor();
  await tabTo(page, /^IP address$/);
  await press(page, "Space");
  await page.getByRole("columnheader", { name: "IP address" }).waitFor();
  await tabTo(page, /^Course$/, "Shift+Tab");
  await press(page, "Space");
  await accessible(page, "the choice of columns");
  await press(page, "Escape");
  await noDialog(page);
  await focusIs(page, /^Columns$/);
  const heads = () => page.getByRole("columnheader").allInnerTexts();
  assert.deepEqual(await heads(), ["Time", "Actor", "Action", "Target", "Outcome", "IP address"]);
  await page.reload();
  await settled(page);
  assert.deepEqual(await heads(), ["Time", "Actor", "Action", "Target", "Outcome", "IP address"]);
  await shot(page, "columns-chosen");
  await tabTo(page, /^Settings of/);
  await press(page, "Enter");
  await page.getByRole("menu").waitFor();
  await page.keyboard.type("dark");
  await press(page, "Enter");
  await page.waitForFunction(() => document.documentElement.dataset.theme === "dark");
  await press(page, "Escape");
  await page.getByRole("menu").waitFor({ state: "detached" });
  await focusIs(page, /^Settings of/);
  await page.done();
});

test("by keyboard: an export, and a request for older data", async () => {
  const page = await visit(browser, service, `${log}?category=course&range=30d`, { link: `${service.url}/#token=${await service.role("admin")}` });
  await settled(page);
  await tabTo(page, /^Export$/);
  await press(page, "Enter");
  const dialog = page.getByRole("dialog");
  await dialog.getByText(/[\d,]+ actions$/).waitFor();
  await tabTo(page, /CSV/);
  await press(page, "ArrowRight", "ArrowRight");
  await tabTo(page, /^Export$/);
  const came = page.waitForEvent("download");
  await press(page, "Enter");
  const lines = readFileSync(await (await came).path(), "utf8").trim().split("\n");
  assert.equal(lines.length, await total({ category: "course", range: "30d" }));
  await dialog.getByText("The file is whole").waitFor();
  await dialogHasFocus(page);
  await press(page, "Escape");
  await noDialog(page);
  await focusIs(page, /^Export$/);
  await tabTo(page, /^Older data$/, "Shift+Tab");
  await press(page, "Enter");
  await page.waitForURL(/restores$/);
  await tabTo(page, /^First day/);
  await page.keyboard.type("05012026");
  await tabTo(page, /^Last day/);
  await page.keyboard.type("06012026");
  await tabTo(page, /^Reason$/);
  await page.keyboard.type("by keyboard");
  await tabTo(page, /^Send the request$/);
  await press(page, "Enter");
  await page.locator('.job[data-status="requested"]', { hasText: "by keyboard" }).waitFor();
  await page.done();
  const staff = await visit(browser, service, "/restores");
  await tabTo(staff, /^A reason, if you like$/);
  await tabTo(staff, /^Grant$/);
  await press(staff, "Enter");
  await staff.locator('.job[data-status="ready"]', { hasText: "by keyboard" }).waitFor();
  await staff.done();
});

test("j, k, Enter, Esc, / and ?, in the list and in an open action", async () => {
  const page = await visit(browser, service, `${log}?category=course&range=30d`);
  await settled(page);
  const current = () => page.evaluate(() => document.querySelector(".list").getAttribute("aria-activedescendant"));
  await press(page, "j");
  await focusIs(page, /^Actions$/);
  await press(page, "j", "j", "k");
  assert.equal(await current(), "row-1");
  await press(page, "Enter");
  await page.locator(".drawer dl").waitFor();
  const first = page.url();
  await tabTo(page, /^Previous action$/);
  await tabTo(page, /^Export this action$/);
  await press(page, "j");
  await page.waitForURL((u) => u.href !== first);
  await press(page, "k");
  await page.waitForURL(first);
  assert.equal(await focused(page), "Export this action", "the focus stays in the open action");
  await press(page, "?");
  await page.getByRole("dialog").getByText("to the search").waitFor();
  await press(page, "Escape");
  await noDialog(page);
  await focusIs(page, /^Export this action$/);
  assert.ok(await page.locator(".drawer").count(), "Esc closes one thing");
  await press(page, "/");
  await focusIs(page, /^Search$/);
  await page.keyboard.type("x");
  await press(page, "Escape", "Escape");
  assert.notEqual(await focused(page), "Search");
  await press(page, "Escape");
  await page.waitForURL((u) => u.pathname.endsWith("/actions"));
  await focusIs(page, /^Actions$/);
  assert.equal(await current(), "row-1");
  await press(page, "Enter");
  await tabTo(page, /^Close$/);
  await press(page, "Enter");
  await page.waitForURL((u) => u.pathname.endsWith("/actions"));
  await focusIs(page, /^Actions$/);
  await page.done();
});

test("where there is no room beside the list, an open action takes the focus", async () => {
  const page = await visit(browser, service, `${log}?category=course&range=30d`, { viewport: { width: 700, height: 900 } });
  await settled(page);
  await page.locator(".list").focus();
  await press(page, "j", "Enter");
  await page.locator(".drawer dl").waitFor();
  await until("the focus is in what is seen", () => page.evaluate(() => !!document.activeElement.closest(".drawer")));
  await press(page, "Escape");
  await page.waitForURL((u) => u.pathname.endsWith("/actions"));
  await focusIs(page, /^Actions$/);
  await page.done();
});

test("an action as link, JSON and curl; and as a file", async () => {
  const page = await visit(browser, service, removed);
  const drawer = page.locator(".drawer");
  const copied = async (name) => {
    await page.evaluate(() => navigator.clipboard.writeText(""));
    await drawer.getByRole("button", { name: "Copy" }).click();
    await page.getByRole("menuitem", { name, exact: true }).click();
    return until(`${name} is copied`, () => page.evaluate(() => navigator.clipboard.readText()));
  };
  const whole = await service.of(`actions/${known.removed.id}`);
  assert.deepEqual(JSON.parse(await copied("JSON")), whole);
  const curl = await copied("curl command");
  assert.ok(!curl.includes(service.token));
  const answer = execFileSync("bash", ["-c", curl.replace(/^curl /, "curl -sSf ")], { env: { ...process.env, ACTIONLOG_TOKEN: service.token } });
  assert.deepEqual(JSON.parse(answer), whole);
  const other = await visit(browser, service, (await copied("Link")).slice(service.url.length));
  await other.locator(".drawer").getByText("Melody Wang").first().waitFor();
  await other.done();
  for (const format of ["CSV", "JSON", "NDJSON", "ECS"]) {
    const came = page.waitForEvent("download");
    await drawer.getByRole("button", { name: "Export this action" }).click();
    await page.getByRole("menuitem", { name: format, exact: true }).click();
    const file = await came;
    const text = readFileSync(await file.path(), "utf8");
    assert.match(file.suggestedFilename(), new RegExp(`\\.${format.toLowerCase()}${format === "ECS" ? "\\.ndjson" : ""}$`));
    const found = format === "CSV" ? text.trim().split(/\r?\n/).length : [JSON.parse(text)].flat().map((r) => r.event?.id ?? r.id ?? r.document.id);
    assert.deepEqual(found, format === "CSV" ? 2 : [known.removed.id]);
  }
  assert.ok(page.url().includes(known.removed.id), "the page stays where it is");
  await page.done();
});

test("offline, said at once; nothing old is shown as new; back again by itself", async () => {
  const page = await visit(browser, service, `${log}?range=30d`);
  page.expected = [/ERR_INTERNET_DISCONNECTED|ERR_NETWORK_CHANGED|ERR_NETWORK_IO_SUSPENDED/];
  await settled(page);
  const before = await rows(page).first().innerText();
  await page.context().setOffline(true);
  await page.getByText("The connection is lost. What you see was loaded at").waitFor();
  assert.equal(await rows(page).first().innerText(), before);
  await accessible(page, "offline");
  await shot(page, "offline-browser");
  await page.getByRole("button", { name: /^API [\d,]+$/ }).click();
  await page.locator(".center .failed").getByText("The service cannot be reached.").waitFor();
  assert.equal(await page.locator(".list").count(), 0);
  await shot(page, "offline-search");
  await page.context().setOffline(false);
  await page.locator(".center").getByRole("button", { name: "Try again" }).click();
  await settled(page);
  assert.equal(await count(page), await total({ range: "30d", category: "api" }));
  await page.getByText("complete until").waitFor();
  await page.done();
});

test("a day that cannot be read: no answer that looks whole, until one agrees to do without it", async () => {
  const bad = known.removed.occurred_at.slice(0, 10);
  const lost = { any: "Melody crafts", range: "90d", missing_days: "allow" }; // the demo publishes its own again
  assert.equal(await total(lost), 1);
  await service.stop();
  const name = readdirSync(join(service.dir, "store")).find((n) => n.includes(bad.replaceAll("-", ".")) && n.endsWith(".sqlite"));
  writeFileSync(join(service.dir, "store", name), "not a database ".repeat(1000));
  await service.start();
  await assert.rejects(total({ range: "90d" }), /503/); // it is read, and so found: a list of the newest does not read it
  const page = await visit(browser, service, `${log}?range=90d`);
  page.expected = [/503/];
  await page.locator(".center .failed").getByText("so it does not answer at all").waitFor();
  assert.equal(await page.locator(".list").count(), 0);
  await accessible(page, "a day that cannot be read");
  await shot(page, "damaged-day");
  await page.locator(".center").getByRole("button", { name: "Search without what cannot be read" }).click();
  await settled(page);
  await page.getByText(`Without days that cannot be read: ${bad}`).waitFor();
  assert.ok((await count(page)) > 100);
  assert.equal(await total(lost), 0);
  await accessible(page, "without a day that cannot be read");
  await shot(page, "damaged-day-without");
  await page.done();
});
