// Brings a finished export home: piece by piece, resumed where the connection breaks, and
// checked against the hash that the API made when it wrote the file.
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { ApiError, passing, stillSignedIn } from "../api/client";

export interface Wanted {
  address: string;
  bytes: number;
  sha256: string;
  contentType: string;
}

/** How often a connection may break without a byte in between. */
const attempts = 5;

/** A blob is the browser's own, which may keep it on disk: pieces of this size are handed to it. */
const piece = 4 << 20;

export async function download(w: Wanted, progress: (bytes: number) => void, signal: AbortSignal): Promise<Blob> {
  const hash = sha256.create();
  const parts: Blob[] = [];
  let collected: Uint8Array<ArrayBuffer>[] = [];
  let waiting = 0;
  let got = 0;
  let failed = 0;
  const hand = () => {
    if (waiting > 0) parts.push(new Blob(collected));
    collected = [];
    waiting = 0;
  };
  while (got < w.bytes) {
    try {
      const response = await fetch(w.address, { signal, headers: got > 0 ? { Range: `bytes=${got}-`, "If-Range": `"${w.sha256}"` } : {} });
      if (response.status === 401) void stillSignedIn();
      if (!response.ok) throw new ApiError(response.status, await response.json().catch(() => ({ title: response.statusText })));
      if (got > 0 && response.status !== 206) throw new ApiError(409, { detail: "the file is not the one that was begun" });
      const reader = response.body!.getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        failed = 0;
        hash.update(value);
        collected.push(value as Uint8Array<ArrayBuffer>);
        got += value.length;
        waiting += value.length;
        if (waiting >= piece) hand();
        progress(got);
      }
      if (got < w.bytes) throw new Error("the answer ended early");
    } catch (e) {
      if (signal.aborted || (e instanceof ApiError && !passing(e)) || ++failed >= attempts) throw e;
      await new Promise((done) => setTimeout(done, 500 * failed));
    }
  }
  hand();
  if (got !== w.bytes || bytesToHex(hash.digest()) !== w.sha256) throw new Error("sha256");
  return new Blob(parts, { type: w.contentType });
}

/** Has the browser keep a file. */
export function save(blob: Blob, name: string) {
  const url = URL.createObjectURL(blob);
  const a = document.createElement("a");
  a.href = url;
  a.download = name;
  a.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
