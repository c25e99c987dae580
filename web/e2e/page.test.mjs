import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { accessible, count, Hands, launch, rows, settled, shot, visit } from "./browser.mjs";
import { action, allKnown, binary, institution, known, pause, Service, until } from "./service.mjs";

let service, browser;
const log = `/institutions/${institution}/actions`;

before(async () => {
  service = await new Service(binary()).start();
  await service.publish(...allKnown);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await service?.stop();
  service?.remove();
});

const total = async (query) => (await service.of("actions", { query: { ...query, total: "exact", limit: "1" } })).meta.total.value;
const button = (page, name) => page.getByRole("button", { name });

test("the link signs in, and leaves no token behind", async () => {
  const page = await visit(browser, service);
  assert.ok(!page.url().includes("token"), page.url());
  await page.getByRole("link", { name: "Demo Academy" }).click();
  await settled(page);
  assert.ok((await rows(page).count()) > 10);
  const stored = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]));
  assert.ok(!stored.includes(service.token), "the token is kept");
  await page.done();
});

test("a token that is pasted: a wrong one is told, a right one signs in; signing out", async () => {
  const page = await visit(browser, service, log, { link: null });
  page.expected = [/401/];
  await page.getByLabel("Token").fill("al_wrong");
  await button(page, "Sign in").click();
  await page.getByText("That token is unknown, expired or revoked.").waitFor();
  await accessible(page, "signing in");
  await shot(page, "sign-in-wrong");
  await page.getByLabel("Token").fill(service.token);
  await page.keyboard.press("Enter");
  await settled(page);
  assert.ok(page.url().endsWith(log), "it goes on where it was");
  await button(page, /Settings of/).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await page.getByLabel("Token").waitFor();
  await page.goto(service.url + log);
  await page.getByLabel("Token").waitFor();
  await page.done();
});

test("a session that ends says so and loses no filter", async () => {
  const page = await visit(browser, service, `${log}?category=course&range=30d`);
  page.expected = [/401/];
  await settled(page);
  const id = await page.evaluate(async () => (await (await fetch("/v1/session")).json()).session);
  await service.call(`/v1/sessions/${id}`, { method: "DELETE" });
  await button(page, "Refresh").click({ timeout: 2000 }).catch(() => {}); // another call may have been told before
  await page.getByText("Your session has ended").first().waitFor();
  await shot(page, "session-expired");
  await page.getByRole("dialog").getByLabel("Token").fill(service.token);
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await settled(page);
  assert.ok(page.url().includes("category=course"));
  assert.equal(await count(page), await total({ category: "course", range: "30d" }));
  // What somebody was typing is searched when they are back.
  const next = await page.evaluate(async () => (await (await fetch("/v1/session")).json()).session);
  await service.call(`/v1/sessions/${next}`, { method: "DELETE" });
  await page.getByRole("combobox", { name: "Search" }).press("End");
  await page.keyboard.insertText(" arts"); // at once: the dialog takes what is typed while it is there
  await page.getByText("Your session has ended").first().waitFor();
  await page.getByRole("dialog").getByLabel("Token").fill(service.token);
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.waitForURL(/any=arts/);
  await settled(page);
  assert.ok(page.url().includes("category=course"));
  await page.done();
});

// The three worked examples of the product, by mouse and again by keyboard.
const examples = {
  "who was provisioned through the API, and by whom": {
    mouse: async (page, h) => {
      await h.click(button(page, /^API [0-9,]+$/));
      await h.click(button(page, /^API request/));
      await h.click(page.locator("label.check", { hasText: "POST" }));
      await h.click(page.getByLabel("Response code"));
      await h.type("200");
      await h.click(button(page, "Apply"));
    },
    text: "type:api method:POST code:200",
    query: { category: "api", request_method: "POST", response_code: "200" },
    find: known.provisioned,
    says: ["E2E provisioning", "Newly Provisioned"],
  },
  "who removed Melody Wang from the course": {
    mouse: async (page, h) => {
      await h.click(button(page, "Last 7 days"));
      await h.click(button(page, "Last 30 days"));
      await h.click(page.getByRole("group", { name: "Filters" }).getByRole("button", { name: "Action" }));
      await h.type("administrator removed");
      await h.click(page.locator("label.check", { hasText: "Administrator removed from course" }));
      await h.press("Escape");
      await h.click(page.getByRole("group", { name: "Filters" }).getByRole("button", { name: "Course" }));
      await h.type("e2e arts craft");
      await h.click(page.getByRole("option", { name: "E2E Arts and Craft" }));
    },
    text: 'type:course action:course.administrator.removed range:30d course:"E2E Arts and Craft"',
    query: { action: "course.administrator.removed", range: "30d", course: "E2E Arts and Craft" },
    find: known.removed,
    says: ["Ingrid Tester", "Melody Wang"],
  },
  "all that anybody did at institution level in 90 days": {
    mouse: async (page, h) => {
      await h.click(button(page, "Last 7 days"));
      await h.click(button(page, "Last 90 days"));
      await h.click(button(page, /^Institution [0-9,]+$/));
    },
    text: "type:institution range:90d",
    query: { category: "institution", range: "90d" },
    says: [],
  },
};

for (const [name, e] of Object.entries(examples)) {
  test(`${name}: by mouse`, async () => {
    const page = await visit(browser, service, log);
    await settled(page);
    const h = new Hands(page);
    await e.mouse(page, h);
    await page.waitForTimeout(300);
    assert.ok(h.clicks <= 8, `${h.clicks} clicks`);
    assert.equal(await count(page), await total(e.query));
    if (e.find) await opened(page, h, e);
    assert.ok(h.clicks <= 8, `${h.clicks} clicks`);
    console.log(`# ${name}: ${h.clicks} clicks, ${h.keys} keys`);
    await page.done();
  });
  test(`${name}: by keyboard`, async () => {
    const page = await visit(browser, service, log);
    page.expected = [/400/]; // what is half typed may be wrong
    await settled(page);
    const h = new Hands(page);
    await h.press("/");
    await h.type(e.text);
    await h.press("Enter");
    await page.waitForURL(/category=/);
    assert.equal(await count(page), await total({ ...e.query, category: e.query.category ?? "course" }));
    if (e.find) {
      await page.locator(".list").focus();
      for (let i = 0; i < 200 && !(await page.locator(".row.current").textContent()).includes(e.says[1]); i++) await h.press("j");
      await h.press("Enter");
      for (const text of e.says) await page.locator(".drawer").getByText(text).first().waitFor();
    }
    assert.equal(h.clicks, 0);
    console.log(`# ${name}: ${h.keys} keys`);
    await page.done();
  });
}

async function opened(page, h, e) {
  await h.click(rows(page).filter({ hasText: e.says[1] }).first());
  await page.waitForURL((u) => u.pathname.endsWith(e.find.id));
  for (const text of e.says) await page.locator(".drawer").getByText(text).first().waitFor();
}

test("box, chips, controls, facets and the address say the same", async () => {
  const page = await visit(browser, service, log);
  const box = page.getByRole("combobox", { name: "Search" });
  await box.fill("user:ingrid -outcome:failure code:2xx range:30d");
  await page.keyboard.press("Enter");
  await page.waitForURL(/response_code=2xx/);
  const u = new URL(page.url()).searchParams;
  assert.deepEqual([u.get("user"), u.get("outcome"), u.get("range")], ["ingrid", "-failure", "30d"]);
  await page.locator(".chip").first().waitFor();
  assert.deepEqual((await page.locator(".chip").allInnerTexts()).map((t) => t.replace(/\s+/g, " ").trim()), ["User is ingrid", "Outcome is not failure", "Response code is 2xx"]);
  await button(page, "Include Outcome: failure instead").click();
  await page.waitForURL(/outcome=failure/);
  await page.waitForFunction(() => document.querySelector("[role=combobox]").value.includes(" outcome:failure"));
  await button(page, "Remove Response code: 2xx").click();
  await page.waitForFunction(() => !document.querySelector("[role=combobox]").value.includes("code:"));
  await page.goBack();
  await page.waitForFunction(() => document.querySelector("[role=combobox]").value.includes("code:2xx"));
  await box.fill("outcome:failure usr:x");
  await page.getByText("there is no filter").waitFor();
  assert.equal(await page.locator(".column mark").innerText(), "usr");
  await shot(page, "search-mistake");
  await accessible(page, "a mistake in the search");
  await page.keyboard.press("Escape");
  page.expected = [/400/];
  await page.done();
});

test("names complete, and similar people are offered", async () => {
  const page = await visit(browser, service, log);
  await settled(page);
  await page.keyboard.press("/");
  await page.keyboard.type("user:ingri");
  await page.getByRole("option", { name: /Ingrid Tester/ }).waitFor();
  await accessible(page, "completions");
  await shot(page, "completions");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Enter");
  await page.waitForURL(/user=/);
  await settled(page);
  assert.ok((await rows(page).allInnerTexts()).every((t) => /Ingrid|actions/.test(t)));
  await page.goto(`${service.url}${log}?user=ingird+tseter&range=90d`);
  await page.getByText("Nobody is called exactly").waitFor();
  await page.locator(".match", { hasText: "Ingrid Tester" }).waitFor();
  await shot(page, "similar-names");
  await accessible(page, "similar names");
  await page.done();
});

test("an empty box says what can be asked for, and what was searched before", async () => {
  const page = await visit(browser, service, log);
  await settled(page);
  const box = page.getByRole("combobox", { name: "Search" });
  const offers = page.getByRole("listbox", { name: "Suggestions" });
  await page.keyboard.press("/");
  await offers.getByRole("option", { name: /^filter user / }).waitFor();
  assert.equal(await offers.getByText("recent", { exact: true }).count(), 0);
  await accessible(page, "what an empty box offers");
  await shot(page, "empty-box");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter"); // takes the name
  assert.equal(await box.inputValue(), "user:");
  await page.keyboard.type("ingrid");
  await page.keyboard.press("Enter");
  await page.waitForURL(/user=ingrid/);
  await page.waitForFunction(() => !document.querySelector(".offers:not([hidden])"));
  await button(page, "Clear the search").click();
  await page.waitForFunction(() => !location.search.includes("user"));
  await box.blur();
  await page.keyboard.press("/");
  await offers.getByText("recent", { exact: true }).waitFor();
  assert.equal(await offers.getByRole("option").first().innerText().then((x) => x.replace(/\s+/g, " ").trim()), "recent user:ingrid");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter"); // searches it
  await page.waitForURL(/user=ingrid/);
  await settled(page);
  await page.keyboard.press("Tab");
  assert.ok(!(await box.evaluate((e) => e === document.activeElement)), "the box does not let the keyboard go");
  await page.done();
});

test("back from another view is back to the search that one left", async () => {
  const page = await visit(browser, service, `${log}?category=course&range=30d`);
  await settled(page);
  for (const view of ["Exports", "Older data"]) {
    await page.getByRole("navigation").getByRole("link", { name: view, exact: true }).click();
    await page.waitForURL(/(exports|restores)$/);
    await page.getByRole("navigation").getByRole("link", { name: "Actions", exact: true }).click();
    await page.waitForURL(/category=course&range=30d$/);
    await settled(page);
  }
  await page.getByRole("banner").getByRole("link", { name: "Action log", exact: true }).click(); // anew
  await page.waitForURL(new RegExp(`${log}$`));
  await page.done();
});

test("counts of another search can be read until those of this one come, and say that they are", async () => {
  const page = await visit(browser, service, log);
  await count(page);
  let come;
  const wait = new Promise((r) => (come = r));
  await page.route(/\/(facets|histogram)\?/, async (route) => {
    await wait;
    await route.continue().catch(() => {}); // asked for no more
  });
  await page.locator(".side .value").first().click();
  await page.locator(".side .stale .value").first().waitFor();
  await page.locator(".histogram.stale").waitFor();
  for (const theme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme: theme });
    await accessible(page, `counts of another search, ${theme}`);
    await shot(page, `stale-counts-${theme}`);
  }
  come();
  await page.waitForFunction(() => !document.querySelector(".stale"));
  await page.done();
});

test("an action has its own address: fields, change, neighbours, back", async () => {
  const page = await visit(browser, service, `${log}/${known.removed.id}?day=${known.removed.occurred_at.slice(0, 10)}&range=30d`);
  const drawer = page.locator(".drawer");
  for (const text of ["Ingrid Tester", "Melody Wang", "E2E Arts and Craft", "Monday", "198.51.100.7"]) await drawer.getByText(text).first().waitFor();
  assert.deepEqual(await drawer.locator("del").allInnerTexts(), ["administrator", "arts"]);
  assert.deepEqual(await drawer.locator("ins").allInnerTexts(), ["none", "crafts"]);
  await accessible(page, "an open action");
  await shot(page, "action");
  await drawer.getByRole("button", { name: "Everything in this course" }).click();
  await page.waitForURL(/course=id/);
  assert.equal(await count(page), 1);
  await page.goBack();
  await drawer.getByText("Melody Wang").first().waitFor();
  await drawer.getByRole("button", { name: "Copy" }).click();
  await page.getByRole("menuitem", { name: "Link" }).click();
  await drawer.getByText("Copied").waitFor();
  const link = await page.evaluate(() => navigator.clipboard.readText());
  assert.ok(link.startsWith(service.url + log + "/" + known.removed.id), link);
  await page.keyboard.press("Escape");
  await page.waitForURL((u) => u.pathname.endsWith("/actions"));
  await page.done();
});

test("staff: the display name in the list, who it was in the drawer", async () => {
  const page = await visit(browser, service, `${log}?any=something+that+staff+did`);
  await settled(page);
  assert.match(await rows(page).first().innerText(), /OpenLearning System/);
  assert.ok(!(await page.locator(".list").innerText()).includes("Petra"));
  await rows(page).first().click();
  await page.locator(".drawer").getByText("Petra Platform").first().waitFor();
  await page.done();
});

test("what attackers write is text, and what is hidden in it is seen", async () => {
  const page = await visit(browser, service, `${log}/${known.hostile.id}?day=${known.hostile.occurred_at.slice(0, 10)}`);
  page.on("dialog", () => assert.fail("a script ran"));
  const drawer = page.locator(".drawer");
  await drawer.getByText("<b>agent</b>").first().waitFor();
  await drawer.locator(".unseen", { hasText: "U+202E" }).first().waitFor();
  await drawer.locator(".unseen", { hasText: "U+0007" }).first().waitFor();
  assert.equal(await page.locator("img, .drawer b, .drawer script").count(), 0);
  await shot(page, "hostile-names");
  await page.done();
});

test("a bulk operation is one row that opens", async () => {
  const page = await visit(browser, service, `${log}?batch=e2e-batch`);
  await settled(page);
  assert.equal(await rows(page).count(), 1);
  assert.match(await rows(page).first().innerText(), /40 actions/);
  await page.locator(".list").focus();
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelectorAll(".rows .row").length > 15);
  await shot(page, "bulk-operation");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelectorAll(".rows .row").length === 1);
  await page.done();
});

for (const format of ["CSV", "NDJSON", "JSON", "ECS"]) {
  test(`export as ${format}: how many, the file, checked`, async () => {
    const query = { category: "course", range: "30d" };
    const page = await visit(browser, service, `${log}?category=course&range=30d`);
    await settled(page);
    await page.getByRole("button", { name: "Export", exact: true }).click();
    const dialog = page.getByRole("dialog");
    const n = await total(query);
    await dialog.getByText(`${n.toLocaleString("en")} actions`).waitFor();
    await dialog.getByText(format, { exact: true }).click();
    const came = page.waitForEvent("download");
    await dialog.getByRole("button", { name: "Export", exact: true }).click();
    const file = readFileSync(await (await came).path());
    await dialog.getByText("The file is whole").waitFor();
    await accessible(page, "a finished export");
    await shot(page, `export-${format.toLowerCase()}`);
    const text = file.toString("utf8");
    const ids = format === "JSON" ? JSON.parse(text).map((r) => r.id) : format === "NDJSON" || format === "ECS" ? text.trim().split("\n").map((l) => JSON.parse(l)).map((r) => r.event?.id ?? r.id) : [...text.matchAll(/^(?!\ufeff?id,)([A-Za-z0-9._:-]+),\d{4}-\d\d-\d\d,/gm)].map((m) => m[1]);
    assert.equal(ids.length, n);
    assert.equal(new Set(ids).size, n);
    assert.ok(ids.includes(known.removed.id));
    const job = (await service.of("exports")).data[0];
    assert.equal(createHash("sha256").update(file).digest("hex"), job.sha256);
    await page.goto(`${service.url}/institutions/${institution}/exports`);
    await page.locator(".job").first().waitFor();
    await accessible(page, "the exports");
    await shot(page, "exports");
    await page.done();
  });
}

test("new actions: a pill, the live tail, a pause", async () => {
  const page = await visit(browser, service, `${log}?user=ingrid`);
  await settled(page);
  const first = await rows(page).first().innerText();
  await pause(1500); // the tail is there
  await service.publish(action({ summary: "while nobody was live" }));
  await button(page, "1 new action").waitFor();
  assert.equal(await rows(page).first().innerText(), first, "the list jumped");
  await shot(page, "new-actions");
  await button(page, "1 new action").click();
  await rows(page).first().getByText("while nobody was live").waitFor();
  await button(page, "Live").click();
  await service.publish(action({ summary: "while somebody was live" }));
  await rows(page).first().getByText("while somebody was live").waitFor();
  await button(page, "Pause").click();
  await service.publish(action({ summary: "while it was paused" }));
  await button(page, "1 new action").waitFor();
  assert.ok(!(await page.locator(".list").innerText()).includes("while it was paused"));
  await button(page, "Go on live").click();
  await rows(page).first().getByText("while it was paused").waitFor();
  await page.done();
});

test("a time is chosen in the histogram, by dragging and by keys; it has a table", async () => {
  const page = await visit(browser, service, `${log}?range=30d`);
  await settled(page);
  await page.locator(".plot .u-over").waitFor();
  const area = await page.locator(".plot .u-over").boundingBox();
  await page.mouse.move(area.x + area.width * 0.3, area.y + 20);
  await page.mouse.down();
  await page.mouse.move(area.x + area.width * 0.5, area.y + 30, { steps: 5 });
  await page.mouse.up();
  await page.waitForURL(/from=.*to=/);
  const u = new URL(page.url()).searchParams;
  assert.equal(await count(page), await total({ from: u.get("from"), to: u.get("to") }));
  await page.goBack();
  await page.waitForURL(/range=30d/);
  await settled(page);
  await page.getByRole("application").focus();
  for (const k of ["ArrowLeft", "ArrowLeft", "ArrowLeft", "Shift+ArrowLeft", "Enter"]) await page.keyboard.press(k);
  await page.waitForURL(/from=.*to=/);
  const k = new URL(page.url()).searchParams;
  assert.ok(Date.parse(k.get("to")) - Date.parse(k.get("from")) > 40 * 3600e3, "two days");
  await button(page, "Show as a table").click();
  await page.getByRole("table").waitFor();
  await accessible(page, "the histogram as a table");
  await page.done();
});

test("older data: asking, what it says, granting by staff", async () => {
  const page = await visit(browser, service, `/institutions/${institution}/restores`);
  await page.getByLabel("First day").fill("2026-01-05");
  await page.getByLabel("Last day").fill("2026-01-09");
  await page.getByLabel("Reason", { exact: true }).fill("A ticket");
  await button(page, "Send the request").click();
  await page.getByText("It is noted.").waitFor();
  await page.locator(".job", { hasText: "A ticket" }).waitFor();
  await accessible(page, "older data");
  await shot(page, "restores");
  await page.goto(service.url + "/restores");
  await page.locator(".job", { hasText: "A ticket" }).waitFor();
  await shot(page, "restores-staff");
  await page.goto(`${service.url}${log}?from=2026-01-01&to=2026-01-31`);
  await page.getByText("Not in this list:").waitFor();
  await accessible(page, "days that are missing");
  await page.done();
});

test("a dead service: the list says so, and comes back", async () => {
  const page = await visit(browser, service, `${log}?range=30d`);
  page.expected = [/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET|ERR_SOCKET/];
  await settled(page);
  await service.stop("SIGKILL");
  await page.getByText("The connection is lost.").waitFor();
  await accessible(page, "a lost connection");
  await shot(page, "connection-lost");
  await page.getByRole("button", { name: "Last 30 days" }).click();
  await page.getByRole("button", { name: "Last 90 days" }).click();
  await page.locator(".center .failed").getByText("The service cannot be reached.").waitFor();
  assert.equal(await page.locator(".list").count(), 0, "an old list beside another search");
  await shot(page, "offline");
  await service.start();
  await page.locator(".list .row").first().waitFor(); // by itself
  await settled(page);
  const shown = await count(page), all = await until("it has all again", () => total({ range: "90d" }));
  assert.ok(shown <= all && shown > all - 5, `${shown} of ${all}`); // the demo goes on meanwhile
  await page.done();
});

// Every view in every state that a person can meet, looked at by axe and kept as a picture.
const views = {
  list: { path: log, wait: (p) => settled(p) },
  "list-filtered": { path: `${log}?category=course&outcome=-failure&range=30d`, wait: (p) => settled(p) },
  empty: { path: `${log}?any=nothinglikethis`, wait: (p) => p.getByText("No actions.").waitFor() },
  error: { path: `${log}?response_code=abc`, wait: (p) => p.locator(".center .failed").waitFor(), expected: [/400/] },
  "open-action": { path: `${log}/${known.removed.id}?day=${known.removed.occurred_at.slice(0, 10)}&range=30d`, wait: (p) => p.locator(".drawer dl").waitFor() },
  institutions: { path: "/institutions", wait: (p) => p.getByRole("link", { name: "Demo Academy" }).waitFor() },
  "exports-view": { path: `/institutions/${institution}/exports`, wait: (p) => p.getByRole("heading", { name: "Exports", exact: true }).waitFor() },
  "restores-view": { path: `/institutions/${institution}/restores`, wait: (p) => p.getByRole("heading", { name: "Older data", exact: true }).waitFor() },
  help: { path: log, wait: async (p) => (await settled(p), await p.keyboard.press("?"), await p.getByRole("dialog").waitFor()) },
};
const looks = {
  light: { colorScheme: "light" },
  dark: { colorScheme: "dark" },
  narrow: { colorScheme: "light", viewport: { width: 320, height: 700 } },
};
for (const [look, options] of Object.entries(looks)) {
  test(`every view, ${look}`, async (t) => {
    for (const [name, v] of Object.entries(views)) {
      await t.test(name, async () => {
        const page = await visit(browser, service, v.path, options);
        page.expected = v.expected ?? [];
        await v.wait(page);
        await page.waitForTimeout(400);
        await shot(page, `${name}-${look}`);
        await accessible(page, `${name}, ${look}`, look === "dark" ? ["color-contrast", "link-in-text-block"] : undefined); // what colours change
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        assert.ok(wide <= 0, `${wide} pixels too wide`);
        await page.done();
      });
    }
  });
}
