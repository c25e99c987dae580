import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { add, format, inZone, negate, parse, readValue, remove, setTime, timeOf, written } from "../src/address";
import { read, type ActionRecord } from "../src/api/action";
import { middle } from "../src/drawer/diff";
import { pretty } from "../src/drawer/pretty";
import { download } from "../src/exports/download";
import { fitting, columnNames } from "../src/list/columns";
import de from "../src/locale/de.json";
import en from "../src/locale/en.json";
import { textOf, type Key } from "../src/locale/text";
import { pieces, plain } from "../src/plain";
import { timesOf } from "../src/time/format";
import { boundOf } from "../src/time/picker";

test("an address reads as it was written, and says nothing that is no filter", () => {
  const s = parse("user=melody+wang&outcome=-failure&category=course,api&x=1&range=30d&user=%5C-x");
  assert.deepEqual(s, { user: ["melody wang", "\\-x"], outcome: ["-failure"], category: ["course", "api"], range: ["30d"] });
  assert.deepEqual(parse(format(s)), s);
});

test("a value is excluded and included, and a literal minus stays one", () => {
  for (const text of ["a", "-a", "a,b", "\\a", "a\\b,c"]) for (const not of [true, false]) for (const name of ["action", "user"]) assert.deepEqual(readValue(name, written(name, text, not)), { text, not });
  let s = add({}, "outcome", "failure");
  s = negate(s, "outcome", "failure");
  assert.deepEqual(s, { outcome: ["-failure"] });
  s = add(s, "outcome", "failure");
  assert.deepEqual(s, { outcome: ["failure"] });
  assert.deepEqual(remove(s, "outcome", "failure"), {});
});

test("the zone stands in the address only where dates need it", () => {
  assert.deepEqual(setTime({ range: ["7d"], user: ["x"] }, { from: "2026-11-01", tz: "Europe/Berlin" }), { user: ["x"], from: ["2026-11-01"], tz: ["Europe/Berlin"] });
  assert.deepEqual(setTime({ tz: ["UTC"] }, { range: "30d", tz: "UTC" }), { range: ["30d"] });
  assert.deepEqual(timeOf({ range: ["30d"], user: ["x"] }), { range: ["30d"] });
});

test("a time of day is one of the reader's zone", () => {
  assert.equal(boundOf("2026-11-01", "", "Europe/Berlin"), "2026-11-01");
  assert.equal(boundOf("2026-11-01", "10:30", "Europe/Berlin"), "2026-11-01T09:30:00Z");
  assert.equal(boundOf("2026-07-01", "10:30", "Europe/Berlin"), "2026-07-01T08:30:00Z");
  assert.equal(boundOf("", "10:30", "UTC"), undefined);
});

test("what cannot be seen is shown", () => {
  assert.equal(plain("a\u202Eb\u0007"), "a[U+202E]b[U+0007]");
  assert.equal(plain("\u{e0041}x\u200b"), "[U+E0041]x[U+200B]");
  assert.equal(plain("می\u200cخواهم 👩\u200d💻"), "می\u200cخواهم 👩\u200d💻", "joiners are letters' business");
  assert.deepEqual(pieces("plain"), [{ text: "plain" }]);
});

test("a change shows the words that differ", () => {
  assert.deepEqual(middle("Head of arts", "Head of crafts"), { head: "Head of ", before: "arts", after: "crafts", tail: "" });
  assert.deepEqual(middle("a b c", "a c"), { head: "a ", before: "b ", after: "", tail: "c" });
  assert.deepEqual(middle("", "x"), { head: "", before: "", after: "x", tail: "" });
});

test("members of another type are as if they were absent", () => {
  const a = read({ id: "1", day: "2026-11-25", received_at: "", position: "", document: { id: "1", occurred_at: "x", actor: "root", targets: [1, null, { name: 7 }], course: [], changes: {}, trace: { batch_id: {} }, origin: 3, response: { code: 200 } } } as unknown as ActionRecord);
  assert.deepEqual([a.actor, a.targets, a.course, a.changes, a.trace.batch, a.responseCode], [{}, [{ kind: undefined, id: undefined, name: "7", email: undefined, external_id: undefined, roles: undefined }], undefined, [], undefined, "200"]);
});

test("the columns that are needed most stay", () => {
  assert.deepEqual(fitting([...columnNames], 5000), [...columnNames]);
  assert.deepEqual(fitting(["time", "actor", "action", "target", "course", "outcome"], 620), ["time", "actor", "action", "outcome"]);
  assert.deepEqual(fitting(["time", "action"], 10), ["time", "action"]);
});

test("every language says everything, and every message can be said", () => {
  const values = { n: 2, shown: "2", time: "t", day: "d", days: "7", name: "x", what: "w", value: "v", zone: "z", from: "a", to: "b", total: "3", index: "1", size: "2", until: "u", who: "w" };
  for (const [language, messages] of Object.entries({ en, de })) {
    assert.deepEqual(Object.keys(en).filter((k) => !(k in messages)), [], `${language} lacks`);
    assert.deepEqual(Object.keys(messages).filter((k) => !(k in en) && !k.startsWith("code_")), [], `${language} has what nobody says`);
    const { t } = textOf(language as "en");
    for (const key of Object.keys(messages)) assert.doesNotMatch(t(key as Key, values), /\{|\}/, `${language}: ${key}`);
  }
});

const content = Buffer.from(Array.from({ length: 10_000 }, (_, i) => `${i}\n`).join(""));
const wanted = { address: "http://x/content", bytes: content.length, sha256: createHash("sha256").update(content).digest("hex"), contentType: "text/csv" };

/** A server whose connection breaks after so many bytes. */
function breaking(after: number, served = content) {
  const ranges: (string | null)[] = [];
  globalThis.fetch = (async (_: string, init: RequestInit) => {
    const range = new Headers(init.headers).get("Range");
    ranges.push(range);
    const from = range ? Number(/bytes=(\d+)-/.exec(range)![1]) : 0;
    const body = new ReadableStream({
      start(c) {
        c.enqueue(new Uint8Array(served.subarray(from, from + after)));
        if (from + after >= served.length) c.close();
        else setTimeout(() => c.error(new TypeError("network")), 1);
      },
    });
    return new Response(body, { status: range ? 206 : 200 });
  }) as typeof fetch;
  return ranges;
}

test("a download goes on where the connection broke, and is what was written", async () => {
  const ranges = breaking(20_000);
  const seen: number[] = [];
  const blob = await download(wanted, (n) => seen.push(n), new AbortController().signal);
  assert.equal(Buffer.compare(Buffer.from(await blob.arrayBuffer()), content), 0);
  assert.deepEqual(ranges, [null, "bytes=20000-", "bytes=40000-"]);
  assert.equal(seen.at(-1), content.length);
});

test("a download that is not what was written is not kept", async () => {
  const other = Buffer.from(content);
  other[5] = 64;
  breaking(1e9, other);
  await assert.rejects(download(wanted, () => {}, new AbortController().signal), /sha256/);
});

test("a JSON text is indented and its values stay as they were written", () => {
  const json = '{"n":12345678901234567890,"e":1.0e+2,"s":"a\\"{},:[] \\u00e9","o":{},"a":[],"l":[1,{"x":null}],"n":1}';
  assert.equal(pretty(json).replace(/\n */g, "").replaceAll(": ", ":"), json.replaceAll(": ", ":"));
  assert.equal(pretty('{"a":[1,{"b":2}],"c":{}}'), '{\n  "a": [\n    1,\n    {\n      "b": 2\n    }\n  ],\n  "c": {}\n}');
  for (const broken of ['{"a":', '"', "", "}}", "no json"]) assert.equal(pretty(broken).replace(/\s/g, ""), broken.replace(/\s/g, ""));
});

test("days of an address that does not say where are the reader's own", () => {
  assert.deepEqual(inZone({ from: ["2026-11-23"] }, "Europe/Berlin").tz, ["Europe/Berlin"]);
  assert.deepEqual(inZone({ to: ["now/d"] }, "Europe/Berlin").tz, ["Europe/Berlin"]);
  assert.deepEqual(inZone({ from: ["2026-11-23"], tz: ["UTC"] }, "Europe/Berlin").tz, ["UTC"]);
  assert.deepEqual(inZone({ from: ["2026-11-23T00:00:00Z"], range: ["7d"] }, "Europe/Berlin").tz, undefined);
});

test("values with a comma stay one, where commas separate", () => {
  const s = add({}, "action", "api.get:/reports,all/");
  assert.deepEqual(s.action, ["api.get:/reports\\,all/"]);
  assert.deepEqual(parse(format(s)), s);
  assert.deepEqual(readValue("action", s.action![0]!), { text: "api.get:/reports,all/", not: false });
});

test("the marks of a time line are dates of the language, without a rest of what is left out", () => {
  const at = new Date("2026-11-24T05:06:07Z");
  assert.deepEqual(["en-US", "en-GB", "de"].map((l) => timesOf(l, "UTC").tick(at)), ["Nov 24", "24 Nov", "24. Nov."]);
  assert.deepEqual(["en-US", "de"].map((l) => timesOf(l, "Asia/Tokyo").tickHour(at)), ["Nov 24, 14:06", "24. Nov., 14:06"]);
});
