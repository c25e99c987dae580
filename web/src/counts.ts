// What counts a search's actions: the histogram and the facets. Counting reads every action
// where a list reads a page, so it comes after the list and takes little of what there is.
import { keepPreviousData, useQuery } from "@tanstack/react-query";

/** How many are counted at a time: a browser has six connections to a server, and the list needs some. */
class Turns {
  private free = 2;
  private waiting: (() => void)[] = [];

  async take<T>(signal: AbortSignal, ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.free > 0) this.free--;
    else await new Promise<void>((go) => this.waiting.push(go));
    try {
      signal.throwIfAborted(); // somebody searches for something else by now
      return await ask(signal);
    } finally {
      const next = this.waiting.shift();
      if (next) next();
      else this.free++;
    }
  }
}

const turns = new Turns();

/** Counts once the list is there; what was counted before stays until then. A newer key takes an older one's request back. */
export function useCounts<T>(key: readonly unknown[], ready: boolean, ask: (signal: AbortSignal) => Promise<T>) {
  return useQuery({ queryKey: key, queryFn: ({ signal }) => turns.take(signal, ask), enabled: ready, placeholderData: keepPreviousData });
}
