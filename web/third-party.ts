// What of npm's packages is in the build, with the texts of their licences: written beside
// the build as third-party.json, from which `make licences` makes the notices that go with
// the binary. It is what the bundler took, not what package.json asks for.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import type { Plugin } from "vite";

interface Package {
  name: string;
  version: string;
  license: string; // as package.json says
  integrity: string; // as in package-lock.json
  texts: { name: string; body: string }[];
}

const notice = /^(licen[cs]e|copying|copyright|notice|patents|unlicense)/i;

/** The folder of the package that a module is of; "" for modules of the page, and of the bundler. */
function folderOf(module: string): string {
  const path = module.replace(/^\0/, "").split("?")[0]!;
  const parts = path.split(/[\\/]/);
  const at = parts.lastIndexOf("node_modules");
  if (at < 0) return "";
  return parts.slice(0, at + (parts[at + 1]!.startsWith("@") ? 3 : 2)).join(sep);
}

export function thirdParty(root: string): Plugin {
  const folders = new Set<string>();
  let out = "";
  return {
    name: "third-party",
    apply: "build",
    configResolved(config) {
      out = join(dirname(join(root, config.build.outDir)), "third-party.json");
    },
    generateBundle(_options, bundle) {
      for (const part of Object.values(bundle)) {
        if (part.type === "chunk") for (const module of part.moduleIds) folders.add(folderOf(module));
      }
      for (const module of this.getModuleIds()) if (/\.css(\?|$)/.test(module)) folders.add(folderOf(module));
      folders.delete("");
      const locked = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
      const packages: Package[] = [...folders].map((folder) => {
        const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
        const { integrity } = locked[relative(root, folder).split(sep).join("/")];
        const texts = readdirSync(folder).filter((file) => notice.test(file)).sort();
        return { name, version, license, integrity, texts: texts.map((file) => ({ name: file, body: readFileSync(join(folder, file), "utf8") })) };
      });
      packages.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.version < b.version ? -1 : 1));
      writeFileSync(out, JSON.stringify(packages, null, 1) + "\n");
    },
  };
}
