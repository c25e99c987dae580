// In another language, from right to left, in another zone, on small and on large screens.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { accessible, launch, rows, settled, shot, visit } from "./browser.mjs";
import { allKnown, binary, institution, known, Service } from "./service.mjs";

let service, browser;
const log = `/institutions/${institution}/actions`;
const removed = `${log}/${known.removed.id}?day=${known.removed.occurred_at.slice(0, 10)}&range=30d`;

before(async () => {
  service = await new Service(binary(), 4000).start();
  await service.publish(...allKnown);
  await service.of("restores", { method: "POST", body: { from: "2026-01-05", to: "2026-01-06", reason: "T-1" } });
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await service?.stop();
  service?.remove();
});

const texts = (language) => JSON.parse(readFileSync(new URL(`../src/locale/${language}.json`, import.meta.url), "utf8"));

/** A message of ICU as a regular expression of what it may become. */
function pattern(message) {
  let out = "";
  for (let i = 0; i < message.length; i++) {
    if (message[i] !== "{") {
      out += message[i] === "#" ? ".*" : message[i].replace(/[.*+?^$()|[\]\\}]/g, "\\$&");
      continue;
    }
    let depth = 1;
    const from = i + 1;
    while (depth > 0) depth += { "{": 1, "}": -1 }[message[++i]] ?? 0;
    const inside = message.slice(from, i);
    if (!/,\s*plural,/.test(inside)) {
      out += ".*";
      continue;
    }
    const options = [];
    for (let j = inside.indexOf("{"); j >= 0; j = inside.indexOf("{", j)) {
      const start = ++j;
      for (let d = 1; d > 0; j++) d += { "{": 1, "}": -1 }[inside[j]] ?? 0;
      options.push(pattern(inside.slice(start, j - 1)));
    }
    out += `(?:${options.join("|")})`;
  }
  return out;
}

/** What is said on the page now that is somebody's own text, a code, a number or a name in no place. */
const spoken = (page) =>
  page.evaluate(() => {
    const data = "bdi, code, pre, kbd, time, .value-count, .histogram-table th[scope=row], .column, .u-wrap";
    const all = [];
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
      const at = walk.currentNode.parentElement;
      if (!at.closest(data) && at.checkVisibility({ visibilityProperty: true })) all.push(walk.currentNode.data.trim());
    }
    for (const e of document.querySelectorAll("[aria-label], [placeholder]")) {
      if (e.checkVisibility()) all.push(e.getAttribute("aria-label") ?? "", e.getAttribute("placeholder") ?? "");
    }
    return [...new Set(all.flatMap((x) => x.split("·")).map((x) => x.trim()).filter(Boolean))];
  });

/** What the API says, as a regular expression of what may stand in it. */
const said = Object.values(JSON.parse(readFileSync(new URL("../../search/locale/de.json", import.meta.url), "utf8"))).map((m) => "(?:[\\w/]+: )*" + m.replace(/[.*+?^$()|[\]\\{}]/g, "\\$&").replace(/%(\\\[\d+\\\])?[a-z]/g, ".*"));

// Messages that are signs between two values would match anything.
const german = new RegExp(`^(?:${said.join("|")}|${Object.entries(texts("de")).filter(([k]) => k !== "sentence" && k !== "range_between").map(([, v]) => pattern(v)).join("|")})$`, "s");
// Numbers, names of zones, languages, formats, methods and files, signs between texts.
const neutral = /^(?:[\d\s.,:+%…–·()"→×✓-]+|Europe\/Berlin|UTC|English|Deutsch|CSV|JSON|NDJSON|ECS|SHA-256|GET|POST|PUT|PATCH|DELETE|[\d,]+ (?:Byte|kB|MB)|actions-\S+|(?:Mo|Di|Mi|Do|Fr|Sa|So)\., \d+\. \p{L}+\.? \d{4})$/u;

async function allGerman(page, what) {
  const all = await spoken(page);
  assert.ok(all.length > 5, `${what}: ${all}`);
  assert.deepEqual(all.filter((x) => !german.test(x) && !neutral.test(x)), [], what);
}

test("German: every text of every view, with numbers and times as Germans write them", async () => {
  const page = await visit(browser, service, `${log}?range=90d`, { locale: "de-DE" });
  const look = async (name) => (await allGerman(page, name), shot(page, `de-${name}`));
  const button = (name) => page.getByRole("button", { name, exact: typeof name === "string" });
  await settled(page);
  await look("list");
  await page.goto(service.url + log);
  await settled(page);
  const box = page.getByRole("combobox");
  await box.click();
  await page.getByRole("option").first().waitFor();
  await look("names-of-filters");
  page.expected = [/400/];
  await box.fill("cod:2xx");
  await page.getByText("einen Filter").waitFor();
  await look("mistake");
  await page.goto(`${service.url}${log}?range=90d`);
  await settled(page);
  assert.equal(await page.evaluate(() => document.documentElement.lang), "de");
  assert.match(await page.title(), /Aktionen · Demo Academy · Aktionsprotokoll/);
  assert.match(await page.locator(".status strong").first().innerText(), /^(Mindestens )?\d{1,3}(\.\d{3})+ Aktionen$/);
  for (const t of await rows(page).locator("time").allInnerTexts()) assert.match(t, /^\d\d\. (Jan|Feb|März|Apr|Mai|Juni|Juli|Aug|Sept|Okt|Nov|Dez)\.?, \d\d:\d\d:\d\d$/);
  const names = new Set(Object.entries(texts("de")).filter(([k]) => k.startsWith("code_")).map(([, v]) => v));
  await page.goto(`${service.url}${log}?category=course,institution&range=90d`);
  await settled(page);
  assert.deepEqual((await rows(page).locator(".what strong").allInnerTexts()).filter((x) => !names.has(x)), []);
  const controls = page.getByRole("group", { name: "Filter", exact: true });
  for (const name of [/^Letzte 90 Tage/, /^Benutzer/, /^Typ/, /^Aktion/, /^Kurs/, /^Klasse/, /^Ergebnis/, /^API-Anfrage/, /^Mehr/]) {
    await controls.getByRole("button", { name }).click();
    await page.getByRole("dialog").waitFor();
    await look(`filter-${name.source.replace(/\W/g, "").toLowerCase()}`);
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
  }
  await button("Spalten").click();
  await look("columns");
  await page.keyboard.press("Escape");
  await button("Als Tabelle anzeigen").click();
  await page.getByRole("table").waitFor();
  await look("table");
  await page.keyboard.press("?");
  await page.getByRole("dialog").waitFor();
  await look("help");
  await page.keyboard.press("Escape");
  await button(/^Einstellungen von/).click();
  await page.getByRole("menuitem", { name: "Abmelden" }).waitFor();
  await look("menu");
  await page.keyboard.press("Escape");
  await button("Export").click();
  await page.getByRole("dialog").getByText(/Aktionen$/).first().waitFor();
  await look("export");
  const came = page.waitForEvent("download");
  await page.getByRole("dialog").getByRole("button", { name: "Exportieren" }).click();
  await came;
  await page.getByText("Die Datei ist vollständig").waitFor();
  await look("export-finished");
  await page.goto(service.url + removed);
  await page.locator(".drawer dl").waitFor();
  await look("action");
  assert.match(await page.locator(".drawer time").first().innerText(), /^(Mo|Di|Mi|Do|Fr|Sa|So)\.?, \d+\. \p{L}+ \d{4}/u);
  for (const [name, path, wait] of [
    ["empty", `${log}?any=nothinglikethis`, "Keine Aktionen."],
    ["missing", `${log}?from=2026-01-01&to=2026-01-31`, "Nicht in dieser Liste"],
    ["near", `${log}?user=ingird+tseter&range=90d`, "Kein Name lautet genau"],
    ["error", `${log}?response_code=abc`, "Danach kann nicht gesucht werden."],
    ["searches", `/institutions/${institution}/searches`, "Noch hat keine Suche"],
    ["exports", `/institutions/${institution}/exports`, "Dateien werden eine Zeit lang"],
    ["restores", `/institutions/${institution}/restores`, "Ältere Daten anfordern"],
    ["requests", "/restores", "Anforderungen älterer Daten"],
    ["institutions", "/institutions", "Demo Academy"],
    ["nowhere", "/institutions/x/y", "Unter dieser Adresse ist nichts zu finden."],
  ]) {
    await page.goto(service.url + path);
    await page.getByText(wait).first().waitFor();
    await look(name);
  }
  await page.done();
});

/** Pairs of an element's children that lie on each other. */
const overlaps = (page, ...selectors) =>
  page.evaluate((selectors) => {
    const found = [];
    for (const s of selectors) {
      for (const parent of document.querySelectorAll(s)) {
        const boxes = [...parent.children].filter((e) => e.checkVisibility() && getComputedStyle(e).position === "static").map((e) => [e, e.getBoundingClientRect()]);
        boxes.forEach(([a, x], i) => boxes.slice(i + 1).forEach(([b, y]) => {
          const wide = Math.min(x.right, y.right) - Math.max(x.left, y.left);
          const high = Math.min(x.bottom, y.bottom) - Math.max(x.top, y.top);
          if (wide > 1 && high > 1) found.push(`${s}: ${a.className || a.tagName} / ${b.className || b.tagName}`);
        }));
      }
    }
    return found;
  }, selectors);

const lines = [".bar", ".search-line", ".controls", ".chips", ".histogram-bar", ".toolbar", ".status", ".middle", ".row", ".drawer-bar", ".field", ".card", ".card .line", ".job .line"];
const tooWide = (page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

async function fits(page, what) {
  await page.waitForTimeout(300);
  assert.deepEqual(await overlaps(page, ...lines), [], what);
  assert.ok((await tooWide(page)) <= 0, `${what}: ${await tooWide(page)} pixels too wide`);
}

const places = (page) => page.evaluate(() => Object.fromEntries([".brand", ".side", ".center", ".drawer", ".row .col-time", ".row .col-outcome", ".box > .icon"].map((s) => [s, document.querySelector(s)?.getBoundingClientRect().x])));

for (const [name, viewport] of Object.entries({ wide: { width: 1400, height: 900 }, narrow: { width: 320, height: 700 } })) {
  test(`from right to left, ${name}`, async () => {
    const page = await visit(browser, service, log, { viewport });
    await page.addInitScript(() => addEventListener("DOMContentLoaded", () => (document.documentElement.dir = "rtl")));
    await page.goto(`${service.url}${log}?category=course&outcome=-failure&range=30d`);
    await settled(page);
    await fits(page, "the list");
    await accessible(page, "the list from right to left");
    await shot(page, `rtl-list-${name}`);
    if (name === "wide") {
      const at = await places(page);
      assert.ok(at[".side"] > at[".center"], "the numbers are on the right");
      assert.ok(at[".row .col-time"] > at[".row .col-outcome"], "the first column is on the right");
      assert.ok(at[".brand"] > 1000 && at[".box > .icon"] > 700);
    }
    await page.goto(service.url + removed);
    await page.locator(".drawer dl").waitFor();
    await fits(page, "an action");
    await shot(page, `rtl-action-${name}`);
    if (name === "wide") {
      const at = await places(page);
      assert.ok(at[".drawer"] < at[".center"], "the action is on the left");
      await page.getByRole("application").focus();
      await page.keyboard.press("ArrowLeft");
      await page.keyboard.press("ArrowLeft");
      assert.match(await page.locator(".said").innerText(), /action/);
    }
    await page.goto(`${service.url}/institutions/${institution}/restores`);
    await page.locator(".job").first().waitFor();
    await fits(page, "older data");
    await shot(page, `rtl-restores-${name}`);
    await page.done();
  });
}

test("UTC a click away: list, action, histogram and the choice of a time; remembered", async () => {
  const page = await visit(browser, service, removed, { timezoneId: "Asia/Tokyo" });
  await page.locator(".drawer dl").waitFor();
  await settled(page);
  const at = new Date(known.removed.occurred_at);
  const clock = (zone) => new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", timeZone: zone }).format(at);
  const list = page.locator(".row.chosen time");
  const drawer = page.locator(".drawer time").first();
  const seen = async (zone) => {
    if (await list.count()) assert.ok((await list.innerText()).includes(clock(zone)), zone);
    assert.ok((await drawer.innerText()).includes(clock(zone)), `${await drawer.innerText()} in ${zone}`);
    await page.getByRole("button", { name: /^Last 30 days/ }).click();
    await page.getByRole("dialog").locator(".group-name").getByText(zone).waitFor();
    await page.keyboard.press("Escape");
  };
  await seen("Asia/Tokyo");
  const histogram = page.waitForRequest((r) => r.url().includes("/histogram?") && r.url().includes("tz=UTC"));
  await page.getByRole("button", { name: /Switch between your time zone and UTC/ }).click();
  await histogram;
  await seen("UTC");
  await page.getByRole("button", { name: "Show as a table" }).click();
  const midnights = await page.locator(".histogram-table th[scope=row]").allInnerTexts();
  midnights.shift(); // it begins thirty days ago to the second
  assert.ok(midnights.length > 5 && midnights.every((t) => t.endsWith("00:00:00")), midnights.join());
  await page.reload();
  await page.locator(".drawer dl").waitFor();
  await seen("UTC");
  await page.getByRole("button", { name: /^Last 30 days/ }).click();
  const bound = page.getByRole("dialog").locator(".bound").first();
  await bound.locator("input[type=date]").fill("2026-11-01");
  await bound.locator("input[type=time]").fill("10:00");
  await page.getByRole("button", { name: "Apply" }).click();
  await page.waitForURL((u) => u.searchParams.get("from") === "2026-11-01T10:00:00Z");
  await page.getByRole("button", { name: /Switch between your time zone and UTC/ }).click();
  await page.getByRole("button", { name: /^Since .*19:00/ }).waitFor();
  await page.done();
});

for (const [name, viewport] of Object.entries({ "4k": { width: 3840, height: 2160 }, 768: { width: 768, height: 1024 } })) {
  test(`a screen of ${name}`, async () => {
    const page = await visit(browser, service, `${log}?range=90d`, { viewport });
    await settled(page);
    await fits(page, "the list");
    await shot(page, `list-${name}`);
    await accessible(page, `the list, ${name}`);
    if (name === "4k") assert.ok((await rows(page).count()) > 30, "the screen is used");
    await rows(page).nth(2).click();
    await page.locator(".drawer dl").waitFor();
    await fits(page, "an action");
    await shot(page, `action-${name}`);
    await accessible(page, `an action, ${name}`);
    await page.done();
  });
}
