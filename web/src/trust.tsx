// What somebody may rely on: until when the list is complete, from when on there is
// something, and whether the service can be reached.
import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import { Button } from "react-aria-components";
import { Link } from "wouter";
import { format, restoresPath, type Search } from "./address";
import { api } from "./api/client";
import type { Tail } from "./list/tail";
import { useChanges, type List } from "./list/use";
import { useText } from "./locale/text";
import { Icon } from "./parts";
import { useSession } from "./session";
import { useTimes } from "./time/format";

/** Whom to ask for what the page cannot give. */
export function Contact() {
  const { t } = useText();
  const { about } = useSession();
  if (!about.support) return <>{t("support_none")}</>;
  return <a href={about.support.url} rel="noreferrer">{t("support_ask", { name: about.support.name })}</a>;
}

const online = (listen: () => void) => {
  addEventListener("online", listen);
  addEventListener("offline", listen);
  return () => {
    removeEventListener("online", listen);
    removeEventListener("offline", listen);
  };
};

interface Props {
  institution: string;
  search: Search;
  list?: List;
  stale: boolean;
  at?: Date;
  tail: Tail;
  /** Changes when the list is read anew. */
  asked: number;
  /** How many actions there are, where that has been counted for the histogram. */
  counted?: number;
}

/** One line that says what the list is. */
export function Status({ institution, search, list, stale, at, tail, asked, counted }: Props) {
  const { t, number } = useText();
  const times = useTimes();
  const { about } = useSession();
  useChanges(list);
  const [exact, setExact] = useState(false);
  const key = format(search);
  useEffect(() => setExact(false), [key, asked]);
  const count = useQuery({
    queryKey: ["count", institution, key, asked],
    queryFn: ({ signal }) => api.actions(institution, { ...search, limit: 1, total: "exact" } as never, signal),
    enabled: exact,
  });
  const isOnline = useSyncExternalStore(online, () => navigator.onLine);
  const meta = list?.meta;
  // What came in since on top is counted too.
  const fresh = list?.freshRows ?? 0;
  const counting = count.data?.meta.total;
  const freshThen = useRef(0);
  useEffect(() => void (freshThen.current = fresh), [counting]); // eslint-disable-line react-hooks/exhaustive-deps
  const listed = meta?.total;
  const base = counting ? { ...counting, value: counting.value + fresh - freshThen.current } : listed?.relation === "gte" && counted !== undefined ? { value: counted + fresh, relation: "eq" } : listed && { ...listed, value: listed.value + fresh };
  const total = base;
  const through = tail.through ?? (meta?.complete_through ? new Date(meta.complete_through) : undefined);
  const lost = !isOnline || tail.state === "lost";
  const oldest = new Date(Date.now() - about.searchable_days * 864e5);
  return (
    <div className="status">
      {total && !stale && (
        <span role="status">
          <strong>{total.relation === "gte" ? t("at_least", { n: number(total.value) }) : t("n_actions", { n: total.value, shown: number(total.value) })}</strong>{" "}
          {total.relation === "gte" && <Button className="link" onPress={() => setExact(true)} isDisabled={count.isFetching}>{t("count_exactly")}</Button>}
        </span>
      )}
      {stale && <span role="status">{t("searching")}</span>}
      {lost ? (
        <span className="lost" role="alert">{t("lost", { time: at ? times.clock(at) : "–" })}</span>
      ) : through ? (
        <span title={times.long(through)}>{t("complete_through", { time: times.short(through) })}</span>
      ) : meta && !stale ? (
        <span className="lost">{t("complete_unknown")}</span>
      ) : null}
      {meta?.missing_days && meta.missing_days.length > 0 && <span className="lost">{t("missing_days", { days: meta.missing_days.join(", ") })}</span>}
      <span className="spring" />
      <span className="hint oldest">
        {t("oldest", { day: times.day(oldest) })} <Link href={`/institutions/${encodeURIComponent(institution)}/restores`}>{t("oldest_more")}</Link>
      </span>
    </div>
  );
}

/** Says which days of the time that is searched are not in the answer, or are only while a restore lasts. */
export function Reach({ list, institution }: { list?: List; institution: string }) {
  const { t } = useText();
  const times = useTimes();
  const day = times.utcDay;
  const missing = list?.meta?.missing ?? [];
  const restored = list?.meta?.restored ?? [];
  if (missing.length === 0 && restored.length === 0) return null;
  return (
    <div className="reach">
      {missing.length > 0 && (
        <p className="notice">
          {t("reach_missing", { days: missing.map((m) => `${day(m.from)} – ${day(m.to)}`).join(", ") })}{" "}
          <Link href={restoresPath(institution, {}, missing[0])}>{t("reach_ask")}</Link>
        </p>
      )}
      {restored.length > 0 && <p className="notice calm"><Icon name="restore" /> {t("reach_restored", { days: restored.map((m) => `${day(m.from)} – ${day(m.to)}`).join(", ") })}</p>}
    </div>
  );
}
