// The pictures of README.md and docs/: the real binary with its demo data, in Chromium.
// make pictures writes docs/pictures/*.jpg; they show data of the day they were made on.
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { launch, rows, settled, visit } from "../e2e/browser.mjs";
import { binary, institution, known, Service } from "../e2e/service.mjs";

const into = fileURLToPath(new URL("../../docs/pictures/", import.meta.url));
mkdirSync(into, { recursive: true });
const log = `/institutions/${institution}/actions`;
const wide = { viewport: { width: 1280, height: 800 } };

/** Everything is there: the list, and what is counted beside it. */
async function ready(page) {
  await settled(page);
  await page.waitForFunction(() => !document.querySelector(".side .loading, .side .stale, .histogram.stale, .status .link"));
  await page.mouse.move(2, 2);
}

const pictures = {
  "page-list": { path: `${log}?range=30d`, options: wide },
  "page-action": { path: `${log}/${known.removed.id}?day=${known.removed.occurred_at.slice(0, 10)}&range=30d&category=course`, options: wide, act: (page) => page.locator(".drawer dl").waitFor() },
  "page-dark": { path: `${log}?range=90d&outcome=failure`, options: { ...wide, colorScheme: "dark" } },
  "page-people": { path: `${log}?range=30d&user=meldoy+wnag`, options: wide },
  "page-phone": { path: `${log}?range=30d`, options: { viewport: { width: 390, height: 800 } } },
};

const service = await new Service(binary()).start();
const browser = await launch();
try {
  await service.publish(known.removed, ...known.bulk);
  for (const [name, p] of Object.entries(pictures)) {
    const page = await visit(browser, service, p.path, p.options);
    await ready(page);
    await p.act?.(page);
    if ((await rows(page).count()) === 0) throw new Error(`${name}: the list is empty`);
    await page.screenshot({ path: `${into}${name}.jpg`, type: "jpeg", quality: 80, animations: "disabled" });
    await page.done();
    console.log(`docs/pictures/${name}.jpg`);
  }
} finally {
  await browser.close();
  await service.stop();
  service.remove();
}
