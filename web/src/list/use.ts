import { useCallback, useEffect, useState, useSyncExternalStore } from "react";
import { format, type Search } from "../address";
import { api } from "../api/client";
import { Pages } from "./pages";

export type Meta = Awaited<ReturnType<typeof api.actions>>["meta"];
export type List = Pages<Meta>;

/** How many actions a page has: the first is small, so that it is there at once. */
const limitOf = (cursor: string | null) => (cursor === null ? 100 : 500);

export interface Listed {
  /** What is shown: undefined before the first answer. */
  list?: List;
  /** What is shown answers an earlier question; the answer to this one is on its way. */
  stale: boolean;
  error?: Error;
  refresh: () => void;
  /** When the answer came. */
  at?: Date;
}

/** The list of a search. While the next one is on its way, what was there stays, and is said to be old. */
export function useList(institution: string, search: Search, ready: boolean): Listed {
  const key = `${institution}?${format(search)}`;
  const [asked, setAsked] = useState(0);
  const [shown, setShown] = useState<{ key: string; asked: number; list: List; at: Date }>();
  const [failure, setFailure] = useState<{ key: string; asked: number; error: Error }>();
  useEffect(() => {
    if (!ready) return;
    const list: List = new Pages((cursor, signal) =>
      api.actions(institution, { ...search, cursor: cursor ?? undefined, limit: limitOf(cursor), total: cursor === null ? "some" : "none" } as never, signal) as never,
    );
    let current = true;
    void list.more().then(() => {
      if (!current) return;
      if (list.error) setFailure({ key, asked, error: list.error });
      else {
        setFailure(undefined);
        setShown({ key, asked, list, at: new Date() });
      }
    });
    return () => {
      current = false;
      list.stop();
    };
    // The key says all that search does.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [key, asked, ready]);
  const refresh = useCallback(() => setAsked((n) => n + 1), []);
  const isThis = (x: { key: string; asked: number } | undefined) => x?.key === key && x.asked === asked;
  return {
    list: shown?.list,
    stale: !isThis(shown),
    // What failed has failed until an answer comes, also while it is asked for again.
    error: failure?.key === key && !isThis(shown) ? failure.error : undefined,
    refresh,
    at: shown?.at,
  };
}

const nothing = () => () => {};

/** Draws anew whenever the list changes. */
export function useChanges(list: List | undefined): number {
  return useSyncExternalStore(list?.subscribe ?? nothing, () => list?.version ?? -1);
}
