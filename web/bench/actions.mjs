// A million actions of one institution: what the demo invents over 90 days, and one day that
// is a fifth of it all.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { institution } from "../e2e/service.mjs";

const day = 864e5;
export const all = Number(process.env.ACTIONLOG_BENCH_ACTIONS || 1_000_000);
export const largest = Math.round(all / 5);
export const largestDay = new Date(Date.now() - 2 * day).toISOString().slice(0, 10);

async function* invented(path, count, seed) {
  const generate = spawn(path, ["generate", "--count", String(count), "--seed", String(seed), "--end", new Date().toISOString().replace(/\.\d+/, "")], { stdio: ["ignore", "pipe", "inherit"] });
  yield* createInterface({ input: generate.stdout, crlfDelay: Infinity });
}

/** Every action says its number in its summary, so that none is taken for another. */
export async function* actions(path) {
  let n = 0;
  const of = (text) => {
    const d = JSON.parse(text);
    d.institution = { id: institution, name: "Demo Academy" };
    d.summary = `${d.summary ?? ""} #${n++}`.trim();
    return d;
  };
  for await (const text of invented(path, all - largest, 1)) yield JSON.stringify(of(text));
  const start = Date.parse(largestDay);
  let i = 0;
  for await (const text of invented(path, largest * 1.02, 2)) {
    if (i === largest) continue; // it invents about as many
    const d = of(text);
    d.occurred_at = new Date(start + Math.floor((i++ / largest) * day)).toISOString();
    yield JSON.stringify(d);
  }
}
