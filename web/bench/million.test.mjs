// The page with a million actions: figures, never a reason to fail (make bench-page). What
// does fail is a list that leaves an action out, shows it twice, or has no end.
//
// ACTIONLOG_BENCH_ACTIONS=100000 takes fewer; ACTIONLOG_BENCH_DATA names a folder where they
// stay for the next time; ACTIONLOG_BENCH_TIMES says how often each thing is measured (5).
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { launch, settled, visit } from "../e2e/browser.mjs";
import { comparing, exported, load, numberOf, readThrough } from "../e2e/many.mjs";
import { binary, institution, pause, Service } from "../e2e/service.mjs";
import { actions, all, largest, largestDay as lately } from "./actions.mjs";
import { frames, line, probe } from "./probe.mjs";

const log = `/institutions/${institution}/actions`;
const kept = process.env.ACTIONLOG_BENCH_DATA;
if (kept) mkdirSync(kept, { recursive: true });
const times = Number(process.env.ACTIONLOG_BENCH_TIMES || 5);
let service, browser, signedIn;
let largestDay = lately;

before(async () => {
  service = new Service(binary(), 1);
  service.dir = kept ?? service.dir;
  const there = existsSync(join(service.dir, "loaded"));
  await service.start();
  if (!there) {
    const start = Date.now();
    const n = await load(service, actions(service.path));
    console.log(`${n} actions, ${largest} of them on ${largestDay}, searchable after ${((Date.now() - start) / 1000).toFixed(0)} s`);
    writeFileSync(join(service.dir, "loaded"), largestDay);
  } else largestDay = readFileSync(join(service.dir, "loaded"), "utf8");
  browser = await launch();
  const page = await visit(browser, service);
  signedIn = await page.context().storageState();
  await page.done();
});

after(async () => {
  await browser?.close();
  await service?.stop();
  if (!kept) service?.remove();
});

/** A page that is signed in, with an empty cache, and measured from its beginning. */
async function measured(path, options = {}) {
  const page = await visit(browser, service, "/", { link: null, storageState: signedIn, ...options });
  page.setDefaultTimeout(120_000);
  await page.addInitScript(probe);
  if (path) await page.goto(service.url + path);
  return page;
}

const painted = (page) => page.evaluate(() => window.painted);
/** Until all counts beside the list have come. */
const counted = (page) => page.waitForFunction(() => !document.querySelector(".side .loading, .side .stale, .histogram.stale"));

/** How long after what somebody does the list is there anew. */
async function until(page, act) {
  await page.evaluate(() => window.expectList());
  await act();
  return painted(page);
}

test("the first list", async () => {
  console.log(`| ${"ms until the list is painted".padEnd(74)} |    p50 |  worst |   n |`);
  for (const range of ["7d", "90d"]) {
    const cold = [], warm = [], click = [], counts = [];
    for (let i = 0; i < times; i++) {
      const page = await measured(`${log}?range=${range}`);
      cold.push(await painted(page));
      await counted(page);
      counts.push(await page.evaluate(() => performance.now()));
      await page.goto(`${service.url}${log}?range=${range}`);
      warm.push(await painted(page));
      if (range === "7d") {
        await page.goto(service.url);
        const link = page.getByRole("link", { name: "Demo Academy" });
        await link.waitFor();
        click.push(await until(page, () => link.click()));
      }
      await page.done();
    }
    line(`navigation, cold cache, range=${range}`, cold);
    line(`navigation, warm cache, range=${range}`, warm);
    if (click.length > 0) line("click on the institution, in the page", click);
    line(`  all counts and the histogram, cold cache, range=${range}`, counts);
  }
});

const texts = {
  "matches everything": "range:90d",
  "matches much": "range:90d type:course",
  "matches little": "range:90d action:course.administrator.removed outcome:failure",
  "matches nothing": "range:90d nosuchwordanywhere",
  "one action": "range:90d 777",
  "a name": 'range:90d user:"melody wang"',
  "a name, misspelt": "range:90d user:\"meldoy wnag\"",
  "a word of a name": "range:90d user:john",
};

async function typed(page, text, how) {
  const box = page.getByRole("combobox", { name: "Search" });
  await box.click();
  await page.keyboard.press("ControlOrMeta+A");
  await page.keyboard.type(text.slice(0, -1), { delay: how.delay });
  return until(page, async () => {
    await page.keyboard.type(text.slice(-1));
    if (how.enter) await page.keyboard.press("Enter");
  });
}

test("a refreshed list", async () => {
  console.log(`| ${"ms from the last key or the click until the list is painted".padEnd(74)} |    p50 |  worst |   n |`);
  const page = await measured(`${log}?range=90d`);
  page.expected = [/400/]; // half of a text may be a mistake
  await painted(page);
  for (const [what, text] of Object.entries(texts)) {
    for (const how of [{ enter: true, delay: 5 }, { enter: false, delay: 60 }]) {
      const took = [];
      for (let i = 0; i < times; i++) {
        await page.goto(`${service.url}${log}?range=90d&channel=web`);
        await painted(page);
        took.push(await typed(page, text, how));
      }
      line(`typed${how.enter ? ", Enter" : " and a pause (80 ms)"}: ${what}`, took);
    }
  }
  const facet = [], chip = [];
  await page.goto(`${service.url}${log}?range=90d`);
  for (let i = 0; i < times; i++) {
    await counted(page);
    facet.push(await until(page, () => page.locator(".side .value").nth(i).click()));
    await counted(page);
    chip.push(await until(page, () => page.locator(".chip-remove").first().click()));
  }
  line("a click on a facet", facet);
  line("a click that removes a chip", chip);
  await page.done();
});

/** Rows that have been passed: what is above the first row that can be seen. */
const passed = (page) => page.evaluate(() => Math.floor(document.querySelector(".list").scrollTop / document.querySelector(".rows > .row").offsetHeight));

async function wheel(page, y, most, enough) {
  const { x, y: top, width, height } = await page.locator(".list").boundingBox();
  await page.mouse.move(x + width / 2, top + height / 2);
  await page.evaluate(() => window.frames_.begin());
  const end = Date.now() + most;
  for (let i = 0; Date.now() < end; i++) {
    await page.mouse.wheel(0, y);
    await pause(8);
    if (i % 20 === 0 && (await enough(page))) break;
  }
  return page.evaluate(() => window.frames_.end());
}

async function held(page, key, most) {
  await page.locator(".list").focus();
  await page.evaluate(() => window.frames_.begin());
  const end = Date.now() + most;
  while (Date.now() < end) {
    await page.keyboard.down(key); // again while it is held: as a keyboard repeats it
    await pause(33);
  }
  await page.keyboard.up(key);
  return page.evaluate(() => window.frames_.end());
}

/** A page that scrolls and does nothing else: what this machine can do. */
async function control() {
  const page = await browser.newPage({ viewport: { width: 1400, height: 900 }, reducedMotion: "reduce" });
  await page.setContent('<div class="list" tabindex="0" style="height:600px;overflow:auto"><div style="height:32000000px;background:repeating-linear-gradient(#eee 0 31px,#888 31px 32px)"></div></div>');
  await page.evaluate(probe);
  return page;
}

test("frames while scrolling", async () => {
  console.log(`| ${"ms between frames".padEnd(52)} | frames |    p50 |    p99 |  worst | > 50  | tasks | longest |`);
  const still = await control();
  const idle = () => new Promise((r) => { window.frames_.begin(); setTimeout(() => r(window.frames_.end()), 10_000); });
  frames("control: nothing moves, 10 s", await still.evaluate(idle));
  frames("control: wheel, 20 s", await wheel(still, 1200, 20_000, () => false));
  frames("control: PageDown held, 20 s", await held(still, "PageDown", 20_000));
  await still.close();
  const page = await measured(`${log}?from=${largestDay}&to=${largestDay}&tz=UTC`);
  await painted(page);
  await counted(page);
  frames("PageDown held, 20 s", await held(page, "PageDown", 20_000));
  await page.keyboard.press("Home");
  let rows = 0;
  const target = Math.min(100_000, largest);
  const start = Date.now();
  const f = await wheel(page, 1600, 90_000, async () => (rows = await passed(page)) >= target - 30);
  frames(`wheel, ${rows} rows in ${((Date.now() - start) / 1000).toFixed(0)} s`, f);
  frames("wheel back up, 10 s", await wheel(page, -1600, 10_000, () => false));
  await page.evaluate(() => window.frames_.begin());
  for (let i = 0; i < 20; i++) {
    await page.evaluate((i) => (document.querySelector(".list").scrollTop = i % 2 ? 0 : 1e9), i);
    await pause(250);
  }
  frames("dragged from the beginning to the end and back, 20 times", await page.evaluate(() => window.frames_.end()));
  await page.done();
});

async function heap(page) {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("HeapProfiler.enable");
  await cdp.send("HeapProfiler.collectGarbage");
  const { usedSize } = await cdp.send("Runtime.getHeapUsage");
  await cdp.detach();
  return usedSize / 2 ** 20;
}

test("memory after so many rows", async () => {
  console.log("| MiB of heap after rows |  heap | s |");
  const page = await measured(`${log}?range=90d`);
  await painted(page);
  await counted(page);
  const start = Date.now();
  for (const n of [100, 1_000, 10_000, 100_000, 500_000, Infinity]) {
    const rows = await page.evaluate(async (n) => {
      const port = document.querySelector(".list");
      for (;;) {
        const rows = port.querySelector(".rows").offsetHeight / 32;
        if (rows >= n || port.querySelector(".end.all, .end .button")) return rows;
        port.scrollTop = 1e9;
        await new Promise(requestAnimationFrame);
      }
    }, Math.min(n, all * 2));
    console.log(`| ${String(Math.round(rows)).padStart(22)} | ${(await heap(page)).toFixed(1).padStart(5)} | ${((Date.now() - start) / 1000).toFixed(0)} |`);
  }
  await page.done();
});

const wholeLists = {
  "the largest day": () => ({ from: largestDay, to: largestDay, tz: "UTC" }),
  // Until an hour ago: the demo goes on.
  "all days": () => ({ from: new Date(Date.now() - 90 * 864e5).toISOString(), to: new Date(Date.now() - 3600e3).toISOString() }),
};

for (const [what, of] of Object.entries(wholeLists)) {
  test(`every action of ${what} is passed once and in order, and the end says that it is the end`, async () => {
    const query = of();
    const expected = [];
    for await (const r of exported(service, institution, query)) expected.push(numberOf(r.document.summary));
    assert.ok(expected.length >= largest, `${expected.length} actions`);
    const page = await measured(`${log}?${new URLSearchParams(query)}`, { viewport: { width: 1400, height: 6000 } });
    await settled(page);
    const compare = comparing(expected);
    const start = Date.now();
    const end = await readThrough(page, compare.each);
    assert.equal(compare.done(), undefined);
    console.log(`${what}: ${expected.length} actions, each passed once and in order, in ${((Date.now() - start) / 1000).toFixed(0)} s; heap ${(await heap(page)).toFixed(1)} MiB; "${end}"`);
    await page.done();
  });
}
