// Finds people, courses and classes by what somebody remembers of them.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useDeferredValue, useState } from "react";
import { Input, Label, ListBox, ListBoxItem, SearchField } from "react-aria-components";
import { add, type FilterName, type Search } from "../address";
import { api } from "../api/client";
import { useText } from "../locale/text";
import { Failed, Loading } from "../parts";
import { Plain } from "../plain";
import { useTimes } from "../time/format";

interface Props {
  institution: string;
  search: Search;
  change: (s: Search) => void;
  what: "people" | "courses" | "classes";
  name: FilterName;
  close?: () => void;
}

export function Picker({ institution, search, change, what, name, close }: Props) {
  const { t, number } = useText();
  const times = useTimes();
  const [text, setText] = useState("");
  const q = useDeferredValue(text.trim());
  const found = useQuery({
    queryKey: ["lookup", institution, what, q],
    queryFn: ({ signal }) => api.lookup(institution, what, q, signal),
    enabled: q.length > 0,
    placeholderData: keepPreviousData,
  });
  const data = q ? (found.data?.data ?? []) : [];
  const take = (value: string) => {
    change(add(search, name, value));
    setText("");
    close?.();
  };
  const nameOf = (p: (typeof data)[number]) => p.name || p.title || p.email || p.id || p.external_id || "";
  // A name that stands alone is what people read; an ID is needed only where two have it.
  const valueOf = (p: (typeof data)[number]) => {
    const text = nameOf(p);
    const same = data.filter((x) => nameOf(x).toLowerCase() === text.toLowerCase()).length > 1 || found.data?.meta.more;
    return same && (p.id || p.external_id) ? `id:${p.id || p.external_id}` : text;
  };
  return (
    <div className="picker">
      <SearchField
        value={text}
        onChange={setText}
        autoFocus
        onSubmit={(v) => v.trim() && take(v.trim())}
      >
        <Label>{t(`find_${what}`)}</Label>
        <Input placeholder={t(`find_${what}_hint`)} dir="auto" />
      </SearchField>
      {found.error && <Failed error={found.error} />}
      {found.isFetching && data.length === 0 && q && <Loading />}
      {q && found.data && !found.isFetching && data.length === 0 && <p className="hint">{t("find_none")}</p>}
      <ListBox
        className="found"
        aria-label={t("found")}
        items={data.map((p, i) => ({ ...p, key: `${p.id ?? p.external_id ?? nameOf(p)}:${i}` }))}
        onAction={(key) => {
          const p = data[Number(String(key).split(":").pop())];
          if (p) take(valueOf(p));
        }}
      >
        {(p) => (
          <ListBoxItem id={p.key} textValue={nameOf(p)} className="find">
            <span className="line"><strong><Plain>{nameOf(p)}</Plain></strong> <span className="spring" /> <span className={`badge ${p.match}`}>{t(`match_${p.match}`)}</span></span>
            <span className="line hint">
              {[p.email, p.external_id, p.id].filter((x): x is string => !!x && x !== nameOf(p)).slice(0, 2).map((x) => <span key={x}><Plain>{x}</Plain> </span>)}
              <span className="spring" />
              {t("n_actions", { n: p.actions ?? 0, shown: number(p.actions ?? 0) })}
              {p.last_seen && <> · {times.day(new Date(p.last_seen))}</>}
            </span>
          </ListBoxItem>
        )}
      </ListBox>
      {q && <p className="hint">{t("find_enter")}</p>}
    </div>
  );
}
