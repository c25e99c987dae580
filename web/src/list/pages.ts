// The list as it is in memory: pages by cursor, of which only those near the eye are kept.
// What stays of the others is where they begin and how their rows fold, so that a million
// rows take as little as a thousand.
import type { ActionRecord } from "../api/action";

/** What a page of the API is, as far as the list looks at it. */
export interface Answer<Meta> {
  data: ActionRecord[];
  page: { next: string | null };
  meta: Meta;
}

export type Fetch<Meta> = (cursor: string | null, signal: AbortSignal) => Promise<Answer<Meta>>;

/** Actions of one bulk operation that follow each other, in one page. */
interface Fold {
  batch: string;
  row: number;
  n: number;
  /** The page before ends with the same operation: its row stands for these too. */
  continues: boolean;
}

interface Page {
  cursor: string | null;
  n: number;
  folds: Fold[];
  /** null while nobody is near. */
  records: ActionRecord[] | null;
  /** The batch of the last row, and whether that row is in a fold. */
  lastBatch?: string;
  loading?: boolean;
  /** It could not be read again: somebody has to ask for it. */
  failed?: boolean;
  shown: number;
}

export type Item =
  | { kind: "action"; record: ActionRecord; inFold: boolean }
  | { kind: "fold"; record: ActionRecord; batch: string; n: number; more: boolean; open: boolean }
  | { kind: "absent" };

/** From how many on actions of one operation fold. */
export const foldFrom = 3;
/** How many pages around the eye are kept. */
const keep = 6;

const batchOf = (r: ActionRecord): string | undefined => {
  const b = (r.document.trace as { batch_id?: unknown } | undefined)?.batch_id;
  return typeof b === "string" && b !== "" ? b : undefined;
};

export class Pages<Meta> {
  private pages: Page[] = [];
  private sums: number[] = [0];
  private opened = new Set<string>();
  private next: string | null = null;
  private stopped = new AbortController();
  private listeners = new Set<() => void>();
  /** Changes whenever something is to be drawn anew. */
  version = 0;
  meta?: Meta;
  loading = false;
  error?: Error;
  /** What is in the list has changed on the server: it is to be read anew. */
  outdated = false;
  /** Rows that came in since, newest first, and as what they are shown. */
  private fresh: ActionRecord[] = [];
  private freshShown: Item[] = [];

  constructor(private readonly fetch: Fetch<Meta>) {}

  subscribe = (listen: () => void): (() => void) => {
    this.listeners.add(listen);
    return () => void this.listeners.delete(listen);
  };

  private changed() {
    this.version++;
    this.listeners.forEach((listen) => listen());
  }

  stop() {
    this.stopped.abort();
  }

  /** How many items there are so far, folded as they are. */
  get length(): number {
    return this.freshShown.length + this.sums[this.sums.length - 1]!;
  }

  /** How many actions have been read. */
  get rows(): number {
    return this.fresh.length + this.pages.reduce((n, p) => n + p.n, 0);
  }

  /** Whether the end has been reached. */
  get complete(): boolean {
    return this.meta !== undefined && this.next === null;
  }

  get empty(): boolean {
    return this.complete && this.length === 0;
  }

  /** Reads the next page, if there is one and nobody reads it yet. */
  async more(): Promise<void> {
    if (this.loading || this.complete || this.stopped.signal.aborted) return;
    this.loading = true;
    this.error = undefined;
    for (const p of this.pages) p.failed = false; // what could not be read is asked for again where it is looked at
    this.changed();
    const cursor = this.next;
    try {
      const answer = await this.fetch(cursor, this.stopped.signal);
      this.meta ??= answer.meta;
      this.next = answer.page.next;
      this.append(cursor, answer.data);
    } catch (e) {
      if (this.stopped.signal.aborted) return;
      this.error = e as Error;
    } finally {
      this.loading = false;
      this.changed();
    }
  }

  private append(cursor: string | null, records: ActionRecord[]) {
    const before = this.pages[this.pages.length - 1];
    const page: Page = { cursor, n: records.length, records, folds: folds(records, before), shown: 0, lastBatch: records.length > 0 ? batchOf(records[records.length - 1]!) : before?.lastBatch };
    this.pages.push(page);
    this.count(this.pages.length - 1);
  }

  /** Counts what is shown, from a page on. */
  private count(from: number) {
    this.sums.length = from + 1;
    for (let i = from; i < this.pages.length; i++) {
      const p = this.pages[i]!;
      p.shown = p.n;
      for (const f of p.folds) p.shown += (this.opened.has(f.batch) ? f.n : 0) + (f.continues ? 0 : 1) - f.n;
      this.sums.push(this.sums[i]! + p.shown);
    }
  }

  private pageOf(index: number): number {
    let low = 0;
    let high = this.pages.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.sums[middle]! <= index) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  at(index: number): Item {
    if (index < this.freshShown.length) return this.freshShown[index]!;
    index -= this.freshShown.length;
    const i = this.pageOf(index);
    const page = this.pages[i];
    if (!page?.records) return { kind: "absent" };
    let at = index - this.sums[i]!; // counts down to what is meant
    let row = 0;
    for (const f of page.folds) {
      if (at < f.row - row) break;
      at -= f.row - row;
      row = f.row;
      if (!f.continues) {
        if (at === 0) return this.fold(i, page.records[row]!, f);
        at--;
      }
      if (this.opened.has(f.batch)) {
        if (at < f.n) return { kind: "action", record: page.records[row + at]!, inFold: true };
        at -= f.n;
      }
      row += f.n;
    }
    const record = page.records[row + at];
    return record ? { kind: "action", record, inFold: false } : { kind: "absent" };
  }

  private fold(page: number, record: ActionRecord, f: Fold): Item {
    let n = f.n;
    let i = page;
    let last = f;
    for (;;) {
      if (last.row + last.n < this.pages[i]!.n) break; // it ends here
      const next = this.pages[++i]?.folds[0];
      if (!next?.continues) break;
      n += next.n;
      last = next;
    }
    const more = i >= this.pages.length && !this.complete;
    return { kind: "fold", record, batch: f.batch, n, more, open: this.opened.has(f.batch) };
  }

  /** Opens or closes a bulk operation. */
  toggle(batch: string) {
    if (!this.opened.delete(batch)) this.opened.add(batch);
    this.count(0);
    this.foldFresh();
    this.changed();
  }

  private foldFresh() {
    this.freshShown = [];
    let row = 0;
    for (const f of [...folds(this.fresh), undefined]) {
      for (; row < (f?.row ?? this.fresh.length); row++) this.freshShown.push({ kind: "action", record: this.fresh[row]!, inFold: false });
      if (!f) break;
      const open = this.opened.has(f.batch);
      this.freshShown.push({ kind: "fold", record: this.fresh[row]!, batch: f.batch, n: f.n, more: false, open });
      if (open) for (const record of this.fresh.slice(row, row + f.n)) this.freshShown.push({ kind: "action", record, inFold: true });
      row += f.n;
    }
  }

  /** Tells what is being looked at: pages there are read again, those far away are let go. */
  look(first: number, last: number) {
    const from = this.pageOf(Math.max(0, first - this.freshItems));
    const to = this.pageOf(Math.max(0, last - this.freshItems));
    this.pages.forEach((p, i) => {
      if (i < from - keep || i > to + keep) p.records = null;
      else if (!p.records && !p.loading && !p.failed && i >= from - 1 && i <= to + 1) void this.again(p);
    });
  }

  private async again(p: Page) {
    p.loading = true;
    try {
      const answer = await this.fetch(p.cursor, this.stopped.signal);
      // An action that came in late may lie in it now, so that the last ones would be on no
      // page any more: then the list is not what it was, and says so.
      const after = this.pages[this.pages.indexOf(p) + 1];
      if (answer.data.length !== p.n || (after && after.cursor !== answer.page.next)) this.outdated = true;
      p.records = answer.data.slice(0, p.n);
      this.changed();
    } catch (e) {
      if (!this.stopped.signal.aborted) {
        p.failed = true;
        this.error = e as Error;
        this.changed();
      }
    } finally {
      p.loading = false;
    }
  }

  /** Reads again what could not be read. */
  retry() {
    this.error = undefined;
    for (const p of this.pages) p.failed = false;
    this.changed();
  }

  /** Puts actions that came in on top, and returns how many of them are new. */
  prepend(records: ActionRecord[]): number {
    const news = this.news(records);
    this.fresh = [...news, ...this.fresh];
    this.foldFresh();
    if (news.length > 0) this.changed();
    return news.length;
  }

  /** Those that are not in the list yet. */
  news(records: ActionRecord[]): ActionRecord[] {
    const known = new Set([...this.fresh, ...(this.pages[0]?.records ?? [])].map((r) => `${r.day}/${r.id}`));
    return records.filter((r) => !known.has(`${r.day}/${r.id}`));
  }

  get freshRows(): number {
    return this.fresh.length;
  }

  /** How many items they are, folded as they are. */
  get freshItems(): number {
    return this.freshShown.length;
  }

  /** Where an action stands, if it is near. */
  indexOf(id: string, day: string): number {
    for (let i = 0; i < this.length; i++) {
      if (i >= this.freshItems) {
        const page = this.pageOf(i - this.freshItems);
        if (!this.pages[page]?.records) {
          i = this.freshItems + this.sums[page + 1]! - 1;
          continue;
        }
      }
      const item = this.at(i);
      if (item.kind === "action" && item.record.id === id && item.record.day === day) return i;
    }
    return -1;
  }
}

/** Finds the runs of one operation. A run that goes on from the page before folds however short it is. */
function folds(records: ActionRecord[], before?: { lastBatch?: string; folds: Fold[]; n: number }): Fold[] {
  const all: Fold[] = [];
  const lastFold = before?.folds[before.folds.length - 1];
  const goesOn = before && lastFold && lastFold.row + lastFold.n === before.n ? lastFold.batch : undefined;
  for (let row = 0; row < records.length; ) {
    const batch = batchOf(records[row]!);
    let n = 1;
    while (batch !== undefined && row + n < records.length && batchOf(records[row + n]!) === batch) n++;
    const continues = row === 0 && batch !== undefined && batch === goesOn;
    if (batch !== undefined && (n >= foldFrom || continues)) all.push({ batch, row, n, continues });
    row += n;
  }
  return all;
}
