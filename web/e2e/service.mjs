// The real binary, with the demo's actions and some that the tests know.
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
export const institution = "demo-academy";

/** Builds the binary, or takes the one that ACTIONLOG_BINARY names. */
export function binary() {
  if (process.env.ACTIONLOG_BINARY) return process.env.ACTIONLOG_BINARY;
  const path = join(mkdtempSync(join(tmpdir(), "actionlog-binary-")), "actionlog");
  execFileSync("go", ["build", "-o", path, "./cmd/actionlog"], { cwd: root, stdio: "inherit" });
  return path;
}

export const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** Waits until what is asked for is there, at most a minute. */
export async function until(what, ask) {
  const end = Date.now() + 60_000;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`after a minute, still not: ${what}`);
    await pause(50);
  }
}

export class Service {
  constructor(path, actions = 20_000, args = []) {
    this.path = path;
    this.dir = mkdtempSync(join(tmpdir(), "actionlog-page-"));
    this.args = ["--demo", "--demo-actions", String(actions), ...args];
    this.listen = "127.0.0.1:0";
  }

  async start() {
    rmSync(join(this.dir, "http.addr"), { force: true });
    this.process = spawn(this.path, ["serve", "--data", this.dir, "--listen", this.listen, "--nats-listen", "127.0.0.1:0", ...this.args], { stdio: ["ignore", "pipe", "pipe"] });
    this.out = "";
    this.ended = new Promise((done) => this.process.on("exit", (code, signal) => done(code ?? signal)));
    for (const stream of [this.process.stdout, this.process.stderr]) stream.on("data", (b) => (this.out += b));
    await until("the service greets", () => {
      if (this.process.exitCode !== null) throw new Error(`the service ended: ${this.out}`);
      return this.out.includes("#token=");
    });
    this.link = /http\S+#token=\S+/.exec(this.out)[0];
    this.url = new URL(this.link).origin;
    this.listen = new URL(this.url).host; // for a start after an end
    this.token = readFileSync(join(this.dir, "admin.token"), "utf8").trim();
    return this;
  }

  async stop(signal = "SIGTERM") {
    this.process.kill(signal);
    await this.ended;
  }

  remove() {
    if (existsSync(this.dir)) rmSync(this.dir, { recursive: true, force: true });
  }

  async call(path, { method = "GET", body, token = this.token, query = {} } = {}) {
    const url = new URL(path, this.url);
    for (const [name, value] of Object.entries(query)) for (const v of [value].flat()) url.searchParams.append(name, v);
    const response = await fetch(url, { method, headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" }, body: body && JSON.stringify(body) });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${text}`);
    return text && JSON.parse(text);
  }

  of(path, options) {
    return this.call(`/v1/institutions/${institution}/${path}`, options);
  }

  /** Publishes actions and waits until they can be found. */
  async publish(...documents) {
    const answer = await this.of("actions", { method: "POST", body: documents });
    if (answer.taken !== documents.length) throw new Error(JSON.stringify(answer));
    const last = documents.at(-1);
    await until(`${last.id} can be found`, () => this.of(`actions/${last.id}`).catch(() => false));
  }

  /** A token of one role. */
  async role(role, more = {}) {
    const made = await this.call("/v1/tokens", { method: "POST", body: { name: `a ${role}`, roles: [role], institutions: [institution], ...more } });
    return made.token;
  }
}

let made = 0;
const day = 24 * 3600e3;

/** An action as a publisher sends it. */
export function action(some = {}, ago = 0) {
  return {
    id: `e2e-${process.pid}-${++made}`,
    occurred_at: new Date(Date.now() - ago).toISOString(),
    institution: { id: institution },
    category: "course",
    action: { code: "course.learner.added" },
    outcome: "success",
    actor: { kind: "user", id: "e2e-actor", name: "Ingrid Tester", email: "ingrid.tester@demo-academy.example" },
    origin: { channel: "web", ip: "198.51.100.7" },
    ...some,
  };
}

/** What the worked examples look for, and what shows how the page treats names. */
export const known = {
  provisioned: action({ category: "api", action: { code: "api.post:/v2.2/institutions/{id}/managed-users/" }, actor: { kind: "api_key", id: "e2e-key", name: "E2E provisioning" }, targets: [{ kind: "user", id: "e2e-new", name: "Newly Provisioned" }],
    request: { method: "POST", url: "https://api.example.edu/v2.2/institutions/demo-academy/managed-users/", route: "/v2.2/institutions/{id}/managed-users/", content_type: "application/json; charset=utf-8" }, response: { code: 200 }, trace: { request_id: "e2e-request" } }, 2 * day),
  removed: action({ action: { code: "course.administrator.removed" }, targets: [{ kind: "user", id: "e2e-melody", name: "Melody Wang", email: "melody.wang@elsewhere.example" }], course: { id: "e2e-course", title: "E2E Arts and Craft" }, class: { id: "e2e-class", title: "Monday" },
    changes: [{ field: "role", before: "administrator", after: "none" }, { field: "title", before: "Head of arts", after: "Head of crafts" }], summary: "Ingrid Tester removed Melody Wang from E2E Arts and Craft" }, 12 * day),
  institutional: action({ category: "institution", action: { code: "institution.role.changed" }, summary: "the oldest e2e action" }, 80 * day),
  staff: action({ actor: { kind: "staff", id: "e2e-staff", name: "Petra Platform" }, summary: "something that staff did" }, 3600e3),
  hostile: action({ actor: { kind: "user", id: "e2e-mallory", name: "<img src=x onerror=alert(1)>Mallory\u202Egnp.exe\u0007" }, summary: "</script><script>alert(2)</script>", origin: { channel: "web", user_agent: "<b>agent</b>\u2066x" } }, 1800e3),
  bulk: Array.from({ length: 40 }, (_, i) => action({ action: { code: "institution.learner.enrolled" }, category: "institution", targets: [{ kind: "user", id: `e2e-bulk-${i}`, name: `Learner ${i}` }], trace: { batch_id: "e2e-batch" }, occurred_at: new Date(Date.now() - 5 * 3600e3 + i).toISOString() })),
};

export const allKnown = [known.provisioned, known.removed, known.institutional, known.staff, known.hostile, ...known.bulk];
