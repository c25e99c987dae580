// A day of many actions, scrolled from its first row to its end. bench/ does the same with a million.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, settled, shot, visit } from "./browser.mjs";
import { comparing, exported, load, numberOf, readThrough } from "./many.mjs";
import { action, binary, institution, Service } from "./service.mjs";

const n = 20_000;
const yesterday = new Date(Date.now() - 24 * 3600e3).toISOString().slice(0, 10);
const ofDay = { from: yesterday, to: yesterday, tz: "UTC", action: "test.row" };
let service, browser;

function* day() {
  for (let i = 0; i < n; i++) {
    yield JSON.stringify(action({
      occurred_at: new Date(Date.parse(yesterday) + Math.floor(i / 3) * 3 * 4320).toISOString(), // three at a time
      action: { code: "test.row" }, summary: `#${i}`,
      // Some bulk operations, of which some are longer than a page of the API.
      trace: i % 3000 >= 99 && i % 3000 < 801 ? { batch_id: `bulk-${Math.floor(i / 3000)}` } : undefined,
    }));
  }
}

before(async () => {
  service = await new Service(binary(), 1).start();
  assert.equal(await load(service, day()), n);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await service?.stop();
  service?.remove();
});

const opened = async (viewport) => {
  const page = await visit(browser, service, `/institutions/${institution}/actions?${new URLSearchParams(ofDay)}`, { viewport });
  await settled(page);
  return page;
};

test("every action of a day is passed once and in order, and the end says that it is the end", async () => {
  const expected = [];
  for await (const r of exported(service, institution, ofDay)) expected.push(numberOf(r.document.summary));
  assert.equal(expected.length, n);
  const page = await opened({ width: 1400, height: 3000 });
  const compare = comparing(expected);
  const folds = [];
  const end = await readThrough(page, (s) => {
    compare.each(s);
    if (typeof s === "object") folds.push(s.fold);
  });
  assert.equal(compare.done(), undefined);
  assert.deepEqual(folds, Array(7).fill(702), "each bulk operation is one row");
  assert.match(end, /^That is all: 20,000 actions/);
  await page.setViewportSize({ width: 1400, height: 900 });
  await page.locator(".list").focus();
  await page.keyboard.press("End");
  await page.locator(".end.all").waitFor();
  await shot(page, "end-of-list");
  await page.done();
});

test("the keyboard reaches the end, and comes back to the beginning", async () => {
  const page = await opened();
  await page.locator(".list").focus();
  for (let i = 0; i < 200 && !(await page.locator(".end.all").count()); i++) {
    await page.keyboard.press("End");
    await page.waitForTimeout(50);
  }
  await page.locator(".end.all").waitFor();
  await page.getByText(`#0`, { exact: true }).waitFor();
  await page.keyboard.press("Home");
  await page.getByText(`#${n - 1}`, { exact: true }).waitFor();
  await page.done();
});
