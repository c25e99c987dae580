// What comes in, as it comes in. One connection while somebody looks: a browser has few
// for each server, and a tab that nobody sees needs none.
import { useEffect, useRef, useState } from "react";
import { format, type Search } from "../address";
import type { ActionRecord } from "../api/action";
import { address, stillSignedIn } from "../api/client";

export interface Tail {
  state: "off" | "connecting" | "on" | "lost";
  /** Until when everything is known to have been looked at. */
  through?: Date;
}

interface Tailed {
  data: ActionRecord[];
  complete_through: string;
  more: boolean;
}

/** Without an event for so long, the connection is lost: there is one a second. */
const silence = 10_000;
/** How long to wait before the next attempt, at first and at most. */
const [soon, late] = [1_000, 30_000];

type Came = (records: ActionRecord[], more: boolean) => void;

/** Follows a search from an instant on, until it is stopped; nothing is left out in between. */
function follow(path: string, search: Search, since: string, came: Came, say: (t: Tail) => void): () => void {
  let events: EventSource | undefined;
  let through: Date | undefined;
  let pause = soon;
  let timer = 0;
  let stopped = false;
  const lost = () => say({ state: "lost", through });
  const listen = () => {
    clearTimeout(timer);
    timer = window.setTimeout(again, silence);
  };
  const again = () => {
    events?.close();
    events = undefined;
    lost();
    clearTimeout(timer);
    timer = window.setTimeout(() => void stillSignedIn().finally(connect), pause);
    pause = Math.min(2 * pause, late);
  };
  const connect = () => {
    if (stopped || document.hidden || events) return;
    events = new EventSource(address(path, { ...search, since } as never));
    listen();
    events.addEventListener("actions", (e) => {
      const said = JSON.parse((e as MessageEvent<string>).data) as Tailed;
      since = (e as MessageEvent<string>).lastEventId || since;
      through = new Date(said.complete_through);
      pause = soon;
      listen();
      if (said.data.length > 0 || said.more) came(said.data, said.more);
      say({ state: "on", through });
    });
    events.addEventListener("unavailable", () => {
      listen();
      lost();
    });
    // The service ends a connection now and then, to see whether somebody still may: the
    // browser comes back by itself, unless it was told that it may not.
    events.onerror = () => events?.readyState === EventSource.CLOSED && again();
  };
  const look = () => {
    if (document.hidden) {
      clearTimeout(timer);
      events?.close();
      events = undefined;
    } else connect();
  };
  document.addEventListener("visibilitychange", look);
  addEventListener("online", look);
  connect();
  return () => {
    stopped = true;
    document.removeEventListener("visibilitychange", look);
    removeEventListener("online", look);
    clearTimeout(timer);
    events?.close();
  };
}

/** Follows a search: came is called with what came in, newest first. */
export function useTail(institution: string, search: Search, since: string | null | undefined, on: boolean, came: Came): Tail {
  const [tail, setTail] = useState<Tail>({ state: "off" });
  const latest = useRef(came);
  latest.current = came;
  const key = format(search);
  useEffect(() => {
    if (!on || !since) {
      setTail({ state: "off" });
      return;
    }
    setTail({ state: "connecting" });
    const { to: _, ...open } = search;
    return follow(`/v1/institutions/${encodeURIComponent(institution)}/tail`, open, since, (...c) => latest.current(...c), setTail);
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [institution, key, since, on]);
  return tail;
}
