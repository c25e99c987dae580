// Saved searches, alerts and webhooks, against a receiver that takes what is sent.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { accessible, launch, rows, settled, shot, visit } from "./browser.mjs";
import { binary, institution, Service, until } from "./service.mjs";

let service, browser, receiver;
const taken = [];
const of = `/institutions/${institution}`;

before(async () => {
  service = await new Service(binary(), 2000, ["--webhook-allow", "127.0.0.0/8"]).start();
  receiver = createServer((request, answer) => {
    let body = "";
    request.on("data", (b) => (body += b));
    request.on("end", () => {
      taken.push({ body: JSON.parse(body), signature: request.headers["webhook-signature"] });
      answer.writeHead(204).end();
    });
  });
  await new Promise((done) => receiver.listen(0, "127.0.0.1", done));
  browser = await launch();
});

after(async () => {
  await browser?.close();
  receiver?.close();
  await service?.stop();
  service?.remove();
});

test("a search gets a name, its link shows it to everybody, the box offers it, and it can be changed and removed", async () => {
  const page = await visit(browser, service, `${of}/actions?category=api&response_code=4xx&range=30d`);
  await settled(page);
  await page.getByRole("button", { name: "Save", exact: true }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("Failed <b>requests</b>");
  await accessible(page, "the dialog");
  await shot(page, "save-light");
  await dialog.getByRole("button", { name: "Save", exact: true }).click();
  const link = await dialog.getByRole("link").innerText();
  await dialog.getByRole("button", { name: "Close" }).click();

  await page.goto(`${service.url}${of}/actions`);
  await settled(page);
  await page.getByRole("combobox").click();
  await page.getByRole("option", { name: /saved Failed <b>requests<\/b>/ }).click();
  await page.waitForURL(/response_code=4xx/);
  assert.match(page.url(), /category=api/);
  assert.match(page.url(), /range=30d/);

  const colleague = await visit(browser, service, new URL(link).pathname);
  await colleague.waitForURL(/actions\?.*response_code=4xx/);
  await settled(colleague);
  await rows(colleague).first().waitFor();
  await colleague.done();

  await page.getByRole("link", { name: "Saved searches" }).click();
  const job = page.locator(".job").filter({ hasText: "Failed <b>requests</b>" });
  assert.match(await job.innerText(), /type:api code:4xx range:30d/);
  await job.getByRole("button", { name: "Edit" }).click();
  await page.getByLabel("Search", { exact: true }).fill("cod:5xx");
  page.expected = [/400/];
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.getByRole("alert").getByText("cod").waitFor();
  await page.getByLabel("Search", { exact: true }).fill("type:api code:5xx");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.getByText("type:api code:5xx").waitFor();
  await page.getByRole("button", { name: "Remove" }).click();
  await page.getByRole("group").getByRole("button", { name: "Remove" }).click();
  await page.getByText("No search has a name yet").waitFor();
  page.expected.push(/404/);
  await page.goto(link);
  await page.getByText("there is no such search").waitFor();
  await page.done();
});

test("an alert is made, is raised, stands in the log, and comes to a webhook whose secret is shown once", async () => {
  const page = await visit(browser, service, `${of}/searches`);
  await page.getByRole("button", { name: "Add a webhook" }).click();
  await page.getByLabel("Name").fill("Pager");
  await page.getByLabel("Address", { exact: true }).fill(`http://127.0.0.1:${receiver.address().port}/hook`);
  await accessible(page, "a new webhook");
  await page.getByRole("button", { name: "Add a webhook" }).click();
  const secret = await page.locator(".secret").innerText();
  assert.match(secret, /^whsec_/);
  await shot(page, "webhook-secret-light");
  await page.getByRole("button", { name: "I have it" }).click();
  assert.equal((await page.content()).includes(secret), false);
  const hook = page.locator(".job").filter({ hasText: "Pager" });
  await hook.getByRole("button", { name: "Send a test" }).click();
  await hook.getByText("The message was taken.").waitFor();
  assert.equal(taken.at(-1).body.type, "actionlog.test");

  await page.goto(`${service.url}${of}/actions?action=institution.role.changed&range=90d`);
  await settled(page);
  await page.getByRole("button", { name: "Save", exact: true }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("Roles by somebody new");
  await dialog.getByText("First time", { exact: true }).click();
  await dialog.getByLabel("Tell").selectOption({ label: "Pager" });
  await accessible(page, "the dialog with an alert");
  await shot(page, "save-alert-light");
  await dialog.getByRole("button", { name: "Save", exact: true }).click();
  await dialog.getByRole("button", { name: "Close" }).click();
  const now = new Date().toISOString();
  await service.publish({ id: "alerting-1", occurred_at: now, institution: { id: institution }, category: "institution", action: { code: "institution.role.changed" }, actor: { kind: "user", id: "stranger-1", name: "A Stranger" } });
  await until("the receiver has the alert", () => taken.some((m) => m.body.type === "actionlog.alerts" && m.body.data.actions[0].document.details.actionlog.value === "A Stranger"));

  await page.goto(`${service.url}${of}/searches`);
  const saved = page.locator(".job").filter({ hasText: "Roles by somebody new" });
  await saved.getByText("raised once").click();
  await settled(page);
  assert.equal(await rows(page).count(), 1);
  await rows(page).first().click();
  await page.locator(".drawer").getByText("an actor seen for the first time: A Stranger").first().waitFor();

  await page.goto(`${service.url}${of}/searches`);
  await saved.getByRole("button", { name: "Edit" }).click();
  await page.getByText("Paused", { exact: true }).click();
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await saved.getByText("Paused").waitFor();
  for (const [look, options] of Object.entries({ light: {}, narrow: { viewport: { width: 320, height: 700 } } })) {
    if (options.viewport) await page.setViewportSize(options.viewport);
    await page.waitForTimeout(150);
    await shot(page, `searches-${look}`);
    await accessible(page, `saved searches, ${look}`);
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)) <= 0, `${look} is too wide`);
  }
  await page.emulateMedia({ colorScheme: "dark" });
  await accessible(page, "saved searches, dark", ["color-contrast", "link-in-text-block"]);
  await page.done();
});

test("an auditor sees saved searches and changes none; who is no admin makes no alert", async () => {
  await service.of("searches", { method: "POST", body: { name: "Everything", alert: { kind: "count", more_than: 1000, minutes: 60 } } });
  const token = async (role) => (await service.call("/v1/tokens", { method: "POST", body: { name: role, institutions: [institution], roles: [role] } })).token;
  const auditor = await visit(browser, service, `${of}/searches`, { link: `${service.url}/#token=${await token("auditor")}` });
  await auditor.getByText("Everything").waitFor();
  assert.equal(await auditor.getByRole("button", { name: "Edit" }).count(), 0);
  assert.equal(await auditor.getByRole("heading", { name: "Webhooks" }).count(), 0);
  await auditor.done();
  const compliance = await visit(browser, service, `${of}/actions`, { link: `${service.url}/#token=${await token("compliance")}` });
  await settled(compliance);
  await compliance.getByRole("button", { name: "Save", exact: true }).click();
  await compliance.getByLabel("Name").waitFor();
  assert.equal(await compliance.getByText("First time", { exact: true }).count(), 0);
  await compliance.getByLabel("Name").fill("Mine");
  await compliance.getByRole("dialog").getByRole("button", { name: "Save", exact: true }).click();
  await compliance.getByRole("dialog").getByRole("link").waitFor();
  await compliance.done();
});
