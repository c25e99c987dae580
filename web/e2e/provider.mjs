// A real OpenID Connect provider (npm's oidc-provider), the one of the Go tests:
// internal/oidctest/provider.
import { execFileSync, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { homedir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const source = fileURLToPath(new URL("../../internal/oidctest/provider", import.meta.url));
const locked = ["package.json", "package-lock.json"];

/** The folder with the provider's packages, shared with the Go tests (internal/oidctest/install.go). */
function installed() {
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "actionlog-test");
  const hash = createHash("sha256");
  for (const name of locked) hash.update(readFileSync(join(source, name)));
  const dir = join(cache, `oidc-${hash.digest("hex").slice(0, 12)}`);
  if (existsSync(dir)) return dir;
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(join(cache, "oidc-new-"));
  try {
    for (const name of locked) cpSync(join(source, name), join(work, name));
    execFileSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], { cwd: work, stdio: "inherit", timeout: 180_000 });
    if (!existsSync(dir)) renameSync(work, dir);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return dir;
}

/** A port of loopback that nobody listens on. */
export const freePort = () =>
  new Promise((done, failed) => {
    const server = createServer().on("error", failed);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });

export class Provider {
  clientID = "web";
  clientSecret = randomBytes(20).toString("hex");
  control = randomBytes(20).toString("hex");

  async start({ accounts, redirectURIs }) {
    this.process = spawn("node", ["--input-type=module", "--eval", readFileSync(join(source, "provider.mjs"), "utf8")], { cwd: installed(), stdio: ["pipe", "pipe", "inherit"] });
    const { control, clientID, clientSecret } = this;
    this.process.stdin.write(JSON.stringify({ control, clientID, clientSecret, redirectURIs, ownRedirect: "/none", accounts, machines: [], audience: "actionlog", resource: "urn:actionlog:api", algorithm: "ES256", lifetime: 600 }) + "\n");
    this.issuer = await new Promise((done, failed) => {
      createInterface({ input: this.process.stdout }).once("line", done);
      this.process.once("exit", () => failed(new Error("the provider ended")));
    });
    return this;
  }

  /** What a person does at the provider: signs in and consents; without a subject, refuses. */
  async atForm(page, subject) {
    const here = (u) => u.origin === this.issuer;
    await page.waitForURL(here);
    while (here(new URL(page.url()))) {
      const before = page.url();
      await page.getByLabel("Subject").fill(subject);
      await page.getByRole("button", { name: "Go on" }).click();
      await page.waitForURL((u) => u.href !== before);
    }
  }

  async stop() {
    const ended = new Promise((done) => this.process.once("exit", done));
    this.process.stdin.end();
    await ended;
  }
}
