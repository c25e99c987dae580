// Who signs in and how, what each role is shown, and which institutions: against a real
// provider, which the browser reaches as another site (localhost is not 127.0.0.1).
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { accessible, count, launch, rows, settled, shot, visit } from "./browser.mjs";
import { freePort, Provider } from "./provider.mjs";
import { action, allKnown, binary, institution, known, Service, until } from "./service.mjs";

let service, browser, provider, site;
const log = `/institutions/${institution}/actions`;
const day = 24 * 3600e3;
const old = Array.from({ length: 3 }, (_, i) => action({ summary: `long ago ${i}` }, 200 * day));

const accounts = [
  { subject: "ann", name: "Ann Admin", email: "ann@demo-academy.example", claims: { groups: ["institution-admins"], institutions: [institution] } },
  { subject: "tri", name: "Tri Three", claims: { groups: ["institution-admins"], institutions: [institution, "harbour-college", "sunrise-institute"] } },
  { subject: "sam", name: "Sam Support", claims: { groups: ["platform-support"] } },
  { subject: "cora", name: "Cora Compliance", claims: { groups: ["compliance"] } },
  { subject: "olaf", name: "Olaf Operator", claims: { groups: ["operators"] } },
  { subject: "nora", name: "Nora Nobody" },
];
const rules = [
  { claim: "groups", value: "institution-admins", roles: ["admin"], institutions_claim: "institutions" },
  { claim: "groups", value: "platform-support", roles: ["support"] },
  { claim: "groups", value: "compliance", roles: ["compliance"] },
  { claim: "groups", value: "operators", roles: ["operator"] },
];

before(async () => {
  const port = await freePort();
  const redirect = `http://localhost:${port}/v1/sign-in/callback`;
  provider = await new Provider().start({ accounts, redirectURIs: [redirect] });
  service = new Service(binary(), 2000);
  writeFileSync(join(service.dir, "oidc.secret"), provider.clientSecret, { mode: 0o600 });
  writeFileSync(join(service.dir, "oidc.json"), JSON.stringify({ issuer: provider.issuer, client_id: provider.clientID, client_secret_file: "oidc.secret", redirect_url: redirect, rules }));
  service.args.push("--oidc-config", join(service.dir, "oidc.json"), "--archive-seal-age", "500ms", "--support-name", "the help desk", "--support-url", "https://help.example/");
  service.listen = `127.0.0.1:${port}`;
  await service.start();
  site = { url: `http://localhost:${port}`, link: null };
  await service.publish(...allKnown);
  const told = await service.of("actions", { method: "POST", body: old });
  assert.equal(told.taken, old.length);
  await service.call("/v1/institutions/hidden-school/actions", { method: "POST", body: [action({ institution: { id: "hidden-school", name: "Hidden School" }, summary: "a secret" })] });
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await service?.stop();
  service?.remove();
  await provider?.stop();
});

const button = (page, name) => page.getByRole("button", { name });
const organisation = (page) => page.getByRole("link", { name: "Sign in with your organisation" });
const total = async (query) => (await service.of("actions", { query: { ...query, total: "exact", limit: "1" } })).meta.total.value;

/** A browser of its own, in which somebody has signed in at the provider. */
async function as(subject, path = "/", options = {}) {
  const page = await visit(browser, site, path, { elsewhere: [provider.issuer], ...options });
  page.expected = [/401/]; // the page asks who it is before anybody is
  await organisation(page).click();
  await provider.atForm(page, subject);
  await page.getByRole("banner").waitFor();
  return page;
}

async function signOut(page) {
  await button(page, /Settings of/).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await page.getByLabel("Token").waitFor();
}

/** What the institution's log says was done with the log, newest first. */
const witnessed = async (code) => (await service.of("actions", { query: { action: `institution.actionlog.${code}` } })).data.map((r) => r.document);

test("signing in at the organisation: a claim gives the role, and one goes on where one was; signing out ends it", async () => {
  const path = `${log}?category=course&outcome=-failure&range=30d`;
  const page = await as("ann", path);
  await page.waitForURL(site.url + path);
  assert.equal(await count(page), await total({ category: "course", outcome: "-failure", range: "30d" }));
  await button(page, "Settings of Ann Admin").waitFor();
  assert.equal(await button(page, /Choose another/).count(), 0, "there is one institution");
  assert.equal(await page.getByRole("link", { name: "Exports" }).count(), 1);
  assert.ok(!page.url().includes("code="), "the code is left behind");
  const cookie = (await page.context().cookies()).find((c) => c.name.endsWith("actionlog_session"));
  assert.ok(cookie.httpOnly && cookie.sameSite === "Strict");
  const again = (p) => fetch(site.url + p, { headers: { Cookie: `${cookie.name}=${cookie.value}` } }).then((r) => r.status);
  assert.equal(await again("/v1/session"), 200);
  await signOut(page);
  assert.equal(await again("/v1/session"), 401);
  assert.equal(await again(`/v1/institutions/${institution}/actions`), 401);
  await page.goBack();
  await page.getByLabel("Token").waitFor();
  assert.equal(await page.locator(".list").count(), 0);
  assert.equal((await witnessed("signed_out"))[0].actor.id, "oidc:ann");
  await page.done();
});

test("a session that has ended: the organisation signs in again, and no filter is lost", async () => {
  const path = `${log}?user=ingrid&category=course&range=30d`;
  const page = await as("ann", path);
  await settled(page);
  const { session } = await page.evaluate(async () => (await fetch("/v1/session")).json());
  await service.call(`/v1/sessions/${session}`, { method: "DELETE" });
  await button(page, "Refresh").click();
  await page.getByRole("dialog").getByText("Your session has ended").waitFor();
  await page.getByRole("dialog").getByRole("link", { name: "Sign in with your organisation" }).click();
  await page.waitForURL(site.url + path);
  await settled(page);
  assert.equal(await count(page), await total({ user: "ingrid", category: "course", range: "30d" }));
  await page.done();
});

test("a sign-in that fails says why, in plain words, and one can go on from there", async () => {
  const path = `${log}?category=api&range=30d`;
  const page = await visit(browser, site, path, { elsewhere: [provider.issuer] });
  page.expected = [/401/];
  const fails = async (why, name) => {
    await page.getByText(why).waitFor();
    await organisation(page).waitFor();
    assert.equal(page.url(), site.url + "/", "nothing of it stays in the address");
    await accessible(page, name);
    await shot(page, name);
  };
  await organisation(page).waitFor();
  await shot(page, "sign-in-provider");
  await organisation(page).click();
  await provider.atForm(page, "");
  await fails("did not let you sign in", "sign-in-refused");
  await organisation(page).click();
  await provider.atForm(page, "nora");
  await fails("you have no role in this action log", "sign-in-no-role");
  assert.equal(await page.getByRole("link", { name: "Ask the help desk" }).getAttribute("href"), "https://help.example/");
  await page.goto(`${site.url}/v1/sign-in/callback?code=x&state=forged`);
  await fails("not begun here", "sign-in-not-begun");
  assert.equal(await page.evaluate(() => fetch("/v1/session").then((r) => r.status)), 401);
  await page.getByLabel("Token").fill(service.token);
  await page.keyboard.press("Enter");
  await page.waitForURL(site.url + path);
  await settled(page);
  await page.done();
});

test("three institutions: a choice, another one, and none beside them", async () => {
  const page = await as("tri");
  await page.getByRole("link", { name: /Harbour College/ }).waitFor();
  assert.equal(await page.locator(".choices li").count(), 3);
  await accessible(page, "the choice of an institution");
  await shot(page, "institutions-three");
  await page.getByRole("link", { name: /Harbour College/ }).click();
  await page.waitForURL((u) => u.pathname === "/institutions/harbour-college/actions");
  await settled(page);
  await button(page, "Institution: Harbour College. Choose another").click();
  await accessible(page, "the menu of institutions");
  await page.getByRole("menuitem", { name: "Sunrise Institute" }).click();
  await page.waitForURL((u) => u.pathname === "/institutions/sunrise-institute/actions");
  await settled(page);
  assert.equal((await page.locator(".list").innerText()).includes("Harbour"), false);
  await page.goBack();
  await button(page, "Institution: Harbour College. Choose another").waitFor();
  const asked = [];
  page.on("request", (r) => asked.push(new URL(r.url()).pathname));
  const refusal = async (where) => {
    await page.goto(`${site.url}/institutions/${where}/actions?user=x`);
    await page.getByText("This action log is not for you.").waitFor();
    return (await page.locator("body").innerText()).replaceAll(where, "…");
  };
  assert.equal(await refusal("hidden-school"), await refusal("no-such-school"), "whether there is one can be told");
  assert.ok(asked.length > 0);
  assert.deepEqual(asked.filter((p) => /^\/v1\/institutions\/(hidden|no-such)-school/.test(p)), []);
  await accessible(page, "an institution that is not for somebody");
  await shot(page, "not-for-you");
  await page.getByRole("main").getByRole("link", { name: "Institutions" }).click();
  await page.getByRole("link", { name: /Sunrise/ }).waitFor();
  await page.done();
});

test("a token for three institutions is the same", async () => {
  const token = await service.role("auditor", { institutions: [institution, "harbour-college", "sunrise-institute"] });
  const page = await visit(browser, service, "/", { link: `${service.url}/#token=${token}` });
  await page.getByRole("link", { name: /Sunrise Institute/ }).click();
  await settled(page);
  assert.equal(await page.getByRole("link", { name: "Exports" }).count(), 0, "an auditor exports nothing");
  await page.goto(`${service.url}/institutions/hidden-school/actions/x?day=2026-11-01`);
  await page.getByText("This action log is not for you.").waitFor();
  await page.done();
});

test("support takes up an institution for a reason, which its log says; and gives it back", async () => {
  const page = await as("sam", log);
  await page.getByText("You do not look at this institution at present.").waitFor();
  await shot(page, "support-not-yet");
  await page.getByRole("link", { name: "Institutions" }).last().click();
  await page.getByText("You look at no institution at present.").waitFor();
  await page.getByLabel("ID of the institution").fill(institution);
  await page.getByLabel("Reason, for example a ticket").fill("ticket T-17 <b>");
  await accessible(page, "taking up an institution");
  await button(page, "Begin").click();
  const choice = page.locator(".choices li", { hasText: "Demo Academy" });
  await choice.getByText("ticket T-17 <b>").waitFor();
  await accessible(page, "an institution that is taken up");
  await shot(page, "support-taken-up");
  await choice.getByRole("link").click();
  await settled(page);
  await page.locator(".bar .badge", { hasText: "support until" }).waitFor();
  await page.goto(`${site.url}${log}?user=ingrid`);
  await settled(page);
  await shot(page, "support-log");
  const searched = await until("the search stands in the log", async () => (await witnessed("searched")).find((d) => d.reason === "ticket T-17 <b>"));
  assert.equal(searched.actor.name, "OpenLearning System");
  await page.goto(site.url + "/institutions");
  await button(page, "End looking at Demo Academy").click();
  await choice.waitFor({ state: "detached" });
  assert.equal(await page.evaluate((p) => fetch(p).then((r) => r.status), `/v1/institutions/${institution}/actions`), 404);
  page.expected.push(/404/);
  for (const code of ["support_taken_up", "support_ended"]) assert.equal((await witnessed(code))[0].reason, "ticket T-17 <b>");
  await page.done();
});

test("what an institution asks for, staff grant or decline with a reason; what comes back has a badge", async () => {
  const admin = await as("ann", `/institutions/${institution}/restores`);
  const date = (ago) => new Date(Date.now() - ago * day).toISOString().slice(0, 10);
  for (const [from, to, reason] of [[201, 199, "for ticket T-1"], [300, 299, "out of curiosity"]]) {
    await admin.getByLabel("First day").fill(date(from));
    await admin.getByLabel("Last day").fill(date(to));
    await admin.getByLabel("Reason", { exact: true }).fill(reason);
    await button(admin, "Send the request").click();
    await admin.locator('.job[data-status="requested"]', { hasText: reason }).waitFor();
  }
  assert.equal(await button(admin, "Grant").count(), 0, "an institution grants itself nothing");
  const staff = await as("sam", "/institutions");
  await staff.getByLabel("ID of the institution").fill(institution);
  await staff.getByLabel("Reason, for example a ticket").fill("their request");
  await button(staff, "Begin").click();
  await button(staff, /End looking/).waitFor();
  await staff.getByRole("link", { name: "Requests for older data" }).click();
  const job = (page, reason) => page.locator(".job", { hasText: reason });
  await job(staff, "for ticket T-1").waitFor();
  await accessible(staff, "requests for older data");
  await shot(staff, "restores-requests");
  await job(staff, "out of curiosity").getByRole("textbox").fill("no ticket");
  await job(staff, "out of curiosity").getByRole("button", { name: "Decline" }).click();
  await staff.locator('.job[data-status="declined"]', { hasText: "out of curiosity" }).waitFor();
  await job(staff, "for ticket T-1").getByRole("button", { name: "Grant" }).click();
  await staff.locator('.job[data-status="ready"]', { hasText: "for ticket T-1" }).waitFor();
  await accessible(staff, "requests that are settled");
  await staff.done();
  await admin.reload();
  await job(admin, "out of curiosity").locator("summary").click();
  await job(admin, "out of curiosity").getByText("no ticket").waitFor();
  assert.ok(!(await admin.locator("main").innerText()).includes("Sam"), "staff have the display name");
  await job(admin, "for ticket T-1").getByText("3 actions are searchable").waitFor();
  await shot(admin, "restores-ready");
  await job(admin, "for ticket T-1").getByRole("link", { name: "Show them" }).click();
  await admin.getByText("Restored, for a while").waitFor();
  await settled(admin);
  assert.equal(await rows(admin).locator(".badge", { hasText: "restored" }).count(), 3);
  assert.ok(await rows(admin).locator(".cell:has(.badge)").first().evaluate((e) => e.querySelector(".badge").getBoundingClientRect().right <= e.getBoundingClientRect().right), "the badge can be read");
  await rows(admin).first().click();
  await admin.locator(".drawer .badge", { hasText: "restored" }).waitFor();
  await accessible(admin, "restored actions");
  await shot(admin, "restored");
  await admin.done();
});

test("compliance: every institution, and a proof that holds without the service", async () => {
  const page = await as("cora", `${log}/${known.removed.id}?day=${known.removed.occurred_at.slice(0, 10)}&range=30d`);
  assert.equal(await page.getByRole("link", { name: "Exports" }).count(), 1);
  page.expected.push(/409/); // not sealed yet
  await page.locator(".proof").getByRole("button", { name: /Ask for the proof/ }).click();
  await until("it is proven", async () => {
    const later = page.locator(".proof").getByRole("button", { name: "Try again" });
    if (await later.count()) await later.click();
    return page.getByText("The archive holds this action as it was taken.").count();
  });
  await accessible(page, "a proof");
  await page.locator(".proof").scrollIntoViewIfNeeded();
  await shot(page, "proof");
  const came = page.waitForEvent("download");
  await button(page, "Save the proof").click();
  const file = await (await came).path();
  const key = await fetch(service.url + "/v1/archive/key", { headers: { Authorization: `Bearer ${service.token}` } });
  writeFileSync(join(service.dir, "key"), await key.text());
  const verified = spawnSync(service.path, ["archive", "verify", "--proof", file, "--key", join(service.dir, "key")], { encoding: "utf8" });
  assert.match(verified.stderr, new RegExp(`^proven: this action of ${institution} `));
  assert.equal(JSON.parse(verified.stdout).id, known.removed.id);
  await page.goto(site.url + "/institutions/hidden-school/actions");
  await settled(page);
  assert.equal(await rows(page).filter({ hasText: "a secret" }).count(), 1); // beside what is recorded of reading it
  await page.done();
  const auditor = await visit(browser, service, `${log}/${known.removed.id}`, { link: `${service.url}/#token=${await service.role("auditor")}` });
  await auditor.getByText("Its proof is for compliance officers.").waitFor();
  await auditor.done();
});

test("who reads no log is told so: an operator, a publisher's token", async () => {
  const page = await as("olaf");
  await page.getByText("There is no institution whose log you may read.").waitFor();
  await shot(page, "operator");
  await accessible(page, "what an operator sees");
  await page.done();
  const token = await service.role("publisher");
  const other = await visit(browser, service, log, { link: `${service.url}/#token=${token}` });
  await other.getByText("Your token may publish actions, and not read them.").waitFor();
  await accessible(other, "what a publisher sees");
  await shot(other, "publisher");
  await other.done();
});
