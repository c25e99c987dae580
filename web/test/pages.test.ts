import assert from "node:assert/strict";
import { test } from "node:test";
import type { ActionRecord } from "../src/api/action";
import { Pages, type Answer, type Item } from "../src/list/pages";

const record = (i: number, batch?: string): ActionRecord => ({ id: `a${i}`, day: "2026-11-25", received_at: "", position: "", document: { id: `a${i}`, occurred_at: "", trace: batch ? { batch_id: batch } : undefined } });

/** A list on a server, in pages of n; the cursor is where the next page begins. */
function server(all: ActionRecord[], n: number) {
  const asked: number[] = [];
  return {
    asked,
    all,
    fetch: async (cursor: string | null): Promise<Answer<{ first: boolean }>> => {
      const from = Number(cursor ?? 0);
      asked.push(from);
      return { data: all.slice(from, from + n), page: { next: from + n < all.length ? String(from + n) : null }, meta: { first: cursor === null } };
    },
  };
}

const said = (i: Item): string => (i.kind === "absent" ? "absent" : i.kind === "fold" ? `${i.batch}×${i.n}${i.more ? "+" : ""}${i.open ? " open" : ""}` : (i.inFold ? " " : "") + i.record.id);
const show = (p: Pages<unknown>): string[] => Array.from({ length: p.length }, (_, i) => said(p.at(i)));

async function all(p: Pages<unknown>) {
  while (!p.complete) await p.more();
}

test("pages follow each other, and the first one's meta stays", async () => {
  const s = server(Array.from({ length: 7 }, (_, i) => record(i)), 3);
  const p = new Pages(s.fetch);
  assert.equal(p.complete, false);
  await all(p);
  assert.deepEqual(show(p), ["a0", "a1", "a2", "a3", "a4", "a5", "a6"]);
  assert.deepEqual(p.meta, { first: true });
  assert.deepEqual(s.asked, [0, 3, 6]);
  assert.equal(p.rows, 7);
});

test("an operation of three or more folds, one of two does not; it opens and closes", async () => {
  const p = new Pages(server([record(0), record(1, "x"), record(2, "x"), record(3, "x"), record(4, "y"), record(5, "y"), record(6)], 100).fetch);
  await all(p);
  assert.deepEqual(show(p), ["a0", "x×3", "a4", "a5", "a6"]);
  p.toggle("x");
  assert.deepEqual(show(p), ["a0", "x×3 open", " a1", " a2", " a3", "a4", "a5", "a6"]);
  p.toggle("x");
  assert.equal(p.length, 5);
});

test("an operation over several pages is one row", async () => {
  const rows = [record(0), ...Array.from({ length: 9 }, (_, i) => record(1 + i, "x")), record(10)];
  const p = new Pages(server(rows, 4).fetch);
  await p.more();
  assert.deepEqual(show(p), ["a0", "x×3+"]);
  await all(p);
  assert.deepEqual(show(p), ["a0", "x×9", "a10"]);
  p.toggle("x");
  assert.deepEqual(show(p), ["a0", "x×9 open", ...rows.slice(1, 10).map((r) => " " + r.id), "a10"]);
});

test("every way of cutting into pages and of folding shows each action once", async () => {
  let seed = 7;
  const random = (n: number) => (seed = (seed * 1103515245 + 12345) % 2 ** 31) % n;
  for (let round = 0; round < 200; round++) {
    const rows: ActionRecord[] = [];
    while (rows.length < 40) {
      const batch = random(3) === 0 ? undefined : `b${rows.length}`;
      for (let i = random(9); i >= 0; i--) rows.push(record(rows.length, batch));
    }
    const p = new Pages(server(rows, 1 + random(9)).fetch);
    await all(p);
    const folded = show(p);
    for (const s of folded) if (s.includes("×")) p.toggle(s.split("×")[0]!);
    const opened = show(p).filter((s) => !s.includes("×")).map((s) => s.trim());
    assert.deepEqual(opened, rows.map((r) => r.id), `round ${round}: ${folded.join(" ")}`);
    assert.equal(folded.reduce((n, s) => n + (s.includes("×") ? parseInt(s.split("×")[1]!) : 1), 0), rows.length, `round ${round}`);
  }
});

test("what is far away is let go and read again; memory does not grow with the list", async () => {
  const s = server(Array.from({ length: 5000 }, (_, i) => record(i)), 50);
  const p = new Pages(s.fetch);
  await all(p);
  p.look(4990, 4999);
  const held = show(p).filter((x) => x !== "absent").length;
  assert.ok(held <= 50 * 8, `${held} are held`);
  assert.equal(said(p.at(0)), "absent");
  p.look(0, 10);
  await new Promise((done) => setTimeout(done, 10));
  assert.equal(said(p.at(0)), "a0");
  assert.equal(p.outdated, false);
});

test("a page that is another when it is read again makes the list outdated", async () => {
  const rows = Array.from({ length: 1000 }, (_, i) => record(i));
  const s = server(rows, 50);
  const p = new Pages(async (cursor: string | null, signal: AbortSignal) => {
    const answer = await s.fetch(cursor);
    void signal;
    return { ...answer, page: { next: answer.page.next && `${answer.page.next}` } };
  });
  await all(p);
  p.look(990, 999);
  rows.splice(10, 0, record(-1)); // somebody's late action
  rows.splice(10, 1, record(-1), record(-2));
  const shifted = server(rows, 49); // the same cursor now leads elsewhere
  s.fetch = shifted.fetch;
  p.look(0, 10);
  await new Promise((done) => setTimeout(done, 10));
  assert.equal(p.outdated, true);
});

test("what comes in stands on top once", async () => {
  const p = new Pages(server([record(1), record(0)], 10).fetch);
  await all(p);
  assert.equal(p.prepend([record(3), record(2), record(1)]), 2);
  assert.equal(p.prepend([record(3)]), 0);
  assert.deepEqual(show(p), ["a3", "a2", "a1", "a0"]);
  assert.equal(p.indexOf("a1", "2026-11-25"), 2);
  assert.equal(p.indexOf("zz", "2026-11-25"), -1);
});

test("an error is kept, and the page is asked for again", async () => {
  let fail = true;
  const s = server([record(0), record(1)], 1);
  const p = new Pages(async (c: string | null) => {
    if (c !== null && fail) throw new Error("away");
    return s.fetch(c);
  });
  await p.more();
  await p.more();
  assert.equal(p.error?.message, "away");
  assert.equal(p.complete, false);
  fail = false;
  await p.more();
  assert.equal(p.error, undefined);
  assert.deepEqual(show(p), ["a0", "a1"]);
});

test("what comes in folds too, opens and closes, and what is below keeps its order", async () => {
  const s = server([record(1), record(2)], 3);
  const p = new Pages(s.fetch);
  await all(p);
  assert.equal(p.prepend([record(13, "b"), record(12, "b"), record(11, "b"), record(10)]), 4);
  assert.deepEqual(show(p), ["b×3", "a10", "a1", "a2"]);
  assert.deepEqual([p.freshRows, p.freshItems], [4, 2]);
  p.toggle("b");
  assert.deepEqual(show(p), ["b×3 open", " a13", " a12", " a11", "a10", "a1", "a2"]);
  assert.equal(p.indexOf("a11", "2026-11-25"), 3);
  assert.equal(p.indexOf("a2", "2026-11-25"), 6);
  p.prepend([record(14, "b")]);
  assert.deepEqual(show(p).slice(0, 2), ["b×4 open", " a14"]);
});

test("a page that cannot be read again is not asked for over and over, but when somebody asks", async () => {
  const s = server(Array.from({ length: 60 }, (_, i) => record(i)), 3);
  let broken = false;
  let asked = 0;
  const p = new Pages(async (cursor, signal) => {
    asked++;
    if (broken) throw new Error("away");
    void signal;
    return s.fetch(cursor);
  });
  await all(p);
  p.look(50, 59); // the first pages are let go
  assert.equal(said(p.at(0)), "absent");
  broken = true;
  const before = asked;
  for (let i = 0; i < 5; i++) {
    p.look(0, 2);
    await new Promise((done) => setTimeout(done));
  }
  assert.ok(asked - before <= 2, `asked ${asked - before} times`);
  assert.equal(p.error?.message, "away");
  broken = false;
  p.retry();
  p.look(0, 2);
  await new Promise((done) => setTimeout(done));
  assert.deepEqual([said(p.at(0)), p.error], ["a0", undefined]);
});
