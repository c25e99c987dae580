// Many actions: how they get into a service, and how a list is read from its beginning to
// its end as somebody sees it who scrolls.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { pause } from "./service.mjs";

/** Publishes NDJSON with the command line, and waits until all of it can be found. */
export async function load(service, lines) {
  const publish = spawn(service.path, ["publish", "--data", service.dir, "--format", "json"], { stdio: ["pipe", "pipe", "inherit"] });
  let said = "";
  publish.stdout.on("data", (b) => (said += b));
  const ended = once(publish, "exit");
  let part = "";
  for await (const line of lines) {
    part += line + "\n";
    if (part.length < 1 << 20) continue;
    if (!publish.stdin.write(part)) await once(publish.stdin, "drain");
    part = "";
  }
  publish.stdin.end(part);
  const [code] = await ended;
  if (code !== 0) throw new Error(`publish ended with ${code}: ${said}`);
  await settledSince(service, Date.now());
  return JSON.parse(said).taken;
}

/** Waits until all that was published before an instant can be found. */
async function settledSince(service, instant) {
  const end = Date.now() + 8 * 60e3;
  for (;;) {
    const { meta } = await service.of("actions", { query: { limit: "1", total: "none", range: "7d" } });
    if (Date.parse(meta.complete_through) > instant) return;
    if (Date.now() > end) throw new Error("what was published cannot be found after eight minutes");
    await pause(200);
  }
}

/** The actions of a search, newest first, as the API exports them: what each says about itself. */
export async function* exported(service, institution, query) {
  const url = new URL(`/v1/institutions/${institution}/export`, service.url);
  for (const [name, value] of Object.entries({ ...query, format: "ndjson", order: "newest" })) url.searchParams.set(name, value);
  const answer = await fetch(url, { headers: { Authorization: `Bearer ${service.token}` } });
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
  for await (const line of createInterface({ input: Readable.fromWeb(answer.body), crlfDelay: Infinity })) yield JSON.parse(line);
}

/** Runs in the page: looks at what can be seen, goes on by a screen, and again, so many times. */
async function screens(times) {
  const port = document.querySelector(".list");
  const seen = [];
  const head = document.querySelector(".row.head").offsetHeight;
  let last = (window.lastSeen ??= -1); // the row that was looked at last
  /** The rows that can be seen, from the top, once all are there. */
  const visible = () => {
    const { top, bottom } = port.getBoundingClientRect();
    const rows = [...port.querySelectorAll(".rows > [role=row]")].map((e) => ({ e, box: e.getBoundingClientRect() }));
    const seen = rows.filter(({ box }) => box.bottom > top + head && box.top < bottom).sort((a, b) => a.box.top - b.box.top);
    const waits = ({ e }) => e.querySelector(".absent") || (e.matches(".end") && !e.matches(".all")) || /and more/.test(e.querySelector(".times")?.textContent);
    if (seen.length === 0 || seen.some(waits) || seen[0].box.top > top + head + 2) return undefined;
    return seen.at(-1).box.bottom >= bottom - 2 || seen.at(-1).e.matches(".all") ? seen : undefined;
  };
  while (times-- > 0) {
    let rows;
    while (!(rows = visible())) await new Promise(requestAnimationFrame);
    for (const { e } of rows) {
      if (e.matches(".all")) return { seen, end: e.textContent };
      const row = Number(e.getAttribute("aria-rowindex")) - 2;
      if (row <= last) continue; // it was on the screen before, too
      if (row !== last + 1) throw new Error(`after row ${last} comes row ${row}`);
      last = window.lastSeen = row;
      const fold = e.querySelector(".times")?.textContent.replace(/[^0-9]/g, "");
      seen.push(fold ? { fold: Number(fold) } : Number(/#(\d+)$/.exec(e.querySelector(".summary")?.textContent)?.[1] ?? -1));
    }
    port.scrollTop += rows.at(-1).box.top - port.getBoundingClientRect().top - head;
    await new Promise(requestAnimationFrame);
  }
  return { seen };
}

/**
 * Scrolls through the list that a page shows, from its first row to what it says at its end,
 * which is returned. Each is called with a row's number, as its summary has it (#17), or
 * with how many actions a row stands for.
 */
export async function readThrough(page, each) {
  await page.locator(".rows .row:not(.end)").first().waitFor();
  await page.evaluate(() => delete window.lastSeen);
  for (;;) {
    const { seen, end } = await page.evaluate(screens, 50);
    for (const s of seen) each(s);
    if (end !== undefined) return end;
  }
}

/** The number that an action has in its summary; -1: none. */
export const numberOf = (summary) => Number(/#(\d+)$/.exec(summary)?.[1] ?? -1);

/** Compares what was seen with what is expected, row by row; tells the first difference. */
export function comparing(expected) {
  let at = 0;
  let wrong;
  return {
    each(s) {
      if (typeof s === "object") at += s.fold;
      else if (s !== expected[at++]) wrong ??= `row ${at - 1} is #${s}, not #${expected[at - 1]}`;
    },
    done: () => wrong ?? (at === expected.length ? undefined : `${at} rows were seen, not ${expected.length}`),
  };
}
