import react from "@vitejs/plugin-react";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { thirdParty } from "./third-party.ts";

// The build is committed: file names change with their content only, and nothing in it
// depends on where or when it was made.
export default defineConfig({
  plugins: [react(), thirdParty(fileURLToPath(new URL(".", import.meta.url)))],
  build: {
    target: "es2022",
    sourcemap: false,
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0, // data: URLs are not allowed by the page's policy
    reportCompressedSize: true,
  },
  server: { proxy: { "/v1": "http://127.0.0.1:8080" } },
});
