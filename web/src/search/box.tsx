// The search box. What a text means is decided by the API, which also says where it is
// wrong and how it may go on; the box only shows it.
import { keepPreviousData, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useId, useRef, useState, type KeyboardEvent } from "react";
import { Button } from "react-aria-components";
import { format, inZone, ofFilters, type Search } from "../address";
import { api, ApiError } from "../api/client";
import { useLabels } from "../labels";
import { useText } from "../locale/text";
import { Icon, useSaid } from "../parts";
import { Plain } from "../plain";
import { useSession } from "../session";
import { useSettings } from "../settings";

interface Props {
  institution: string;
  search: Search;
  /** The canonical text of search, once it is known. */
  text: string;
  /** What the address asks to be searched, where that is wrong, and what is wrong with it. */
  invalid?: { text: string; error: Error };
  /** With replace, in the place of what was searched before. */
  change: (s: Search, replace?: boolean) => void;
  inputRef: React.RefObject<HTMLInputElement | null>;
}

/** How long somebody has to pause for what was typed to be searched. */
const pause = 80;

/** Columns of the API count characters, a browser's UTF-16 units. */
const units = (text: string, characters: number) => [...text].slice(0, characters).join("").length;
const characters = (text: string, units: number) => [...text.slice(0, units)].length;

export function SearchBox({ institution, search, text, invalid, change, inputRef }: Props) {
  const { t, number, language } = useText();
  const labels = useLabels();
  const { zoneName } = useSettings();
  const { has, signIns } = useSession();
  // What staff search for is recorded: they say when.
  const eager = has(["admin", "auditor", "compliance"], institution);
  const said = useSaid();
  const [typed, setTyped] = useState<string>(); // undefined: nobody types, the box says what is searched
  const [at, setAt] = useState(0);
  const [open, setOpen] = useState(false);
  const [marked, setMarked] = useState(-1);
  const [wrong, setWrong] = useState<Error>();
  const list = useId();
  const value = typed ?? invalid?.text ?? text;
  const problem = wrong ?? (typed === undefined ? invalid?.error : undefined);
  const asked = useRef<AbortController>(null);

  // What others change (chips, facets, the back button) is what the box says.
  const address = format(search);
  const mine = useRef<string>(null);
  // While somebody types, one step of the history is what they type.
  const pushed = useRef(false);
  useEffect(() => () => asked.current?.abort(), []);
  useEffect(() => {
    if (mine.current !== address) {
      asked.current?.abort(); // what was typed before is not what is wanted now
      pushed.current = false;
      setTyped(undefined);
      setWrong(undefined);
    }
  }, [address]);

  // The list is asked for before how the text may go on.
  const settled = useDelayed(value, eager ? pause + 60 : pause);
  const settledAt = useDelayed(at, eager ? pause + 60 : pause);
  const offering = open && (typed !== undefined || value === "");
  const completions = useQuery({
    queryKey: ["completions", language, institution, settled, settledAt],
    queryFn: ({ signal }) => api.completions(institution, settled, characters(settled, settledAt), signal),
    enabled: offering,
    placeholderData: keepPreviousData,
  });
  const recent = useRecent(institution);
  const saved = useQuery({ queryKey: ["searches", institution], queryFn: () => api.searches(institution), enabled: offering && value === "" });
  const named: Offer[] = (saved.data?.data ?? []).slice(0, 6).map((s) => ({ kind: "saved", text: s.q, start: 1, end: 1, label: s.name, detail: s.q, match: "exact" }));
  const offers: Offer[] = !offering || settled !== value ? [] : [...(value === "" ? [...named, ...recent.all] : []), ...(completions.isPlaceholderData ? [] : completions.data?.data ?? [])]; // those of an earlier text stand elsewhere in it

  const queries = useQueryClient();
  const run = async (q: string, final: boolean) => {
    asked.current?.abort();
    const control = (asked.current = new AbortController());
    try {
      const answer = await api.query(institution, { q }, control.signal);
      if (control.signal.aborted) return;
      setWrong(undefined);
      const read = ofFilters(answer.data.filters);
      const next = inZone(read, zoneName);
      if (next === read) queries.setQueryData(["query", institution, format(next)], answer); // which also says how next is written
      if (format(next) !== address) {
        mine.current = format(next);
        change(next, pushed.current);
        pushed.current = true;
      }
      if (final) {
        recent.add(answer.data.q);
        pushed.current = false;
        setTyped(undefined);
        setOpen(false);
      }
    } catch (e) {
      if (control.signal.aborted) return;
      if (e instanceof ApiError && e.status === 401) return; // who signs in again goes on: see below
      setWrong(e as Error);
      if (final) setOpen(false);
    }
  };
  const quiet = useDelayed(typed, pause);
  useEffect(() => {
    if (eager && quiet !== undefined && quiet === typed) void run(quiet, false);
    // What matters is that somebody has stopped typing.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [quiet]);

  // Whose session was over while they typed: what they typed is searched when they are back.
  const session = useRef(signIns);
  useEffect(() => {
    if (session.current !== signIns && eager && typed !== undefined) void run(typed, false);
    session.current = signIns;
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [signIns]);

  const take = (i: number) => {
    const o = offers[i];
    setMarked(-1);
    if (!o) return;
    if (o.kind === "recent" || o.kind === "saved") return void run(o.text, true);
    const from = units(value, o.start - 1);
    const to = units(value, o.end - 1);
    const next = value.slice(0, from) + o.text + value.slice(to).replace(/^ /, o.text.endsWith(" ") ? "" : " ");
    const caret = from + o.text.length;
    setTyped(next);
    setAt(caret);
    requestAnimationFrame(() => {
      inputRef.current?.focus();
      inputRef.current?.setSelectionRange(caret, caret);
    });
  };
  const onKey = (e: KeyboardEvent<HTMLInputElement>) => {
    if (e.key === "ArrowDown" && offers.length > 0) setMarked((m) => (m + 1) % offers.length);
    else if (e.key === "ArrowUp" && offers.length > 0) setMarked((m) => (m <= 0 ? offers.length - 1 : m - 1));
    else if ((e.key === "Enter" || e.key === "Tab") && offers[marked]) take(marked);
    else if (e.key === "Enter") void run(value, true);
    else if (e.key === "Escape" && open && offers.length > 0) {
      setOpen(false);
      setMarked(-1);
    } else if (e.key === "Escape") {
      setTyped(undefined);
      setWrong(undefined);
      inputRef.current?.blur();
    } else return;
    e.preventDefault();
    e.stopPropagation();
  };
  const { column, length = 1 } = problem instanceof ApiError ? problem.problem : {};
  return (
    <div className="box">
      <Icon name="search" />
      <input
        ref={inputRef}
        type="text"
        role="combobox"
        aria-label={t("search")}
        aria-expanded={offers.length > 0}
        aria-controls={list}
        aria-autocomplete="list"
        aria-activedescendant={offers[marked] ? `${list}-${marked}` : undefined}
        aria-invalid={problem !== undefined}
        aria-describedby={problem ? `${list}-problem` : undefined}
        placeholder={t("search_placeholder")}
        autoComplete="off"
        autoCapitalize="off"
        spellCheck={false}
        dir="auto"
        value={value}
        onChange={(e) => {
          setTyped(e.target.value);
          setAt(e.target.selectionStart ?? e.target.value.length);
          setOpen(true);
          setMarked(-1);
        }}
        onSelect={(e) => setAt(e.currentTarget.selectionStart ?? 0)}
        onFocus={() => setOpen(true)}
        onBlur={() => setOpen(false)}
        onKeyDown={onKey}
      />
      {value !== "" && (
        <Button className="quiet icon-only" aria-label={t("search_clear")} onPress={() => void run("", true)}>
          <Icon name="close" />
        </Button>
      )}
      {problem && (
        <div className="problem" role="alert" id={`${list}-problem`}>
          {problem instanceof ApiError && problem.status !== 0 && problem.problem.detail ? <span lang={problem.language}>{problem.problem.detail}</span> : said(problem).title}
          {column !== undefined && (
            <code className="column">
              <Plain>{[...value].slice(0, column - 1).join("")}</Plain>
              <mark><Plain>{[...value].slice(column - 1, column - 1 + length).join("") || " "}</Plain></mark>
              <Plain>{[...value].slice(column - 1 + length).join("")}</Plain>
            </code>
          )}
        </div>
      )}
      <ul id={list} role="listbox" aria-label={t("search_offers")} className="offers popover" hidden={offers.length === 0}>
        {offers.map((o, i) => (
          <li
            key={`${o.kind}:${o.text}:${i}`}
            id={`${list}-${i}`}
            role="option"
            aria-selected={i === marked}
            onMouseDown={(e) => {
              e.preventDefault();
              take(i);
            }}
          >
            <span className="offer-kind">{t(`offer_${o.kind}`)}</span>
            <span className="offer-label"><Plain>{o.kind === "action" ? labels({ code: o.detail, label: o.label }) : o.label}</Plain></span>
            {o.detail && <span className="hint"><Plain>{o.detail}</Plain></span>}
            <span className="spring" />
            {["person", "course", "class"].includes(o.kind) && o.match !== "exact" && <span className="badge">{t(`match_${o.match}`)}</span>}
            {o.actions !== undefined && <span className="hint">{t("n_actions", { n: o.actions, shown: number(o.actions) })}</span>}
          </li>
        ))}
      </ul>
    </div>
  );
}

/** How the text may go on, or one that was searched before. */
type Offer = Omit<Awaited<ReturnType<typeof api.completions>>["data"][number], "kind"> & { kind: "name" | "value" | "action" | "person" | "course" | "class" | "recent" | "saved" };

const searched = new Map<string, string[]>();

/** What was searched in this tab, the last first. It is kept nowhere else: it holds names. */
function useRecent(institution: string): { all: Offer[]; add: (text: string) => void } {
  const [texts, setTexts] = useState(searched.get(institution) ?? []);
  return {
    all: texts.map((text) => ({ kind: "recent", text, start: 1, end: 1, label: text, detail: "", match: "exact" })),
    add: (text) => {
      if (text === "") return;
      searched.set(institution, [text, ...texts.filter((x) => x !== text)].slice(0, 4));
      setTexts(searched.get(institution)!);
    },
  };
}

function useDelayed<T>(value: T, ms: number): T {
  const [late, setLate] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setLate(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return late;
}
