// The search box. What a text means is decided by the API, which also says where it is
// wrong and how it may go on; the box only shows it.
import { keepPreviousData, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useId, useRef, useState, type KeyboardEvent } from "react";
import { Button } from "react-aria-components";
import { parse, format, type Search } from "../address";
import { api, ApiError } from "../api/client";
import { useText } from "../locale/text";
import { Icon } from "../parts";
import { Plain } from "../plain";

interface Props {
  institution: string;
  search: Search;
  /** The canonical text of search, once it is known. */
  text: string;
  change: (s: Search) => void;
  inputRef: React.RefObject<HTMLInputElement | null>;
}

/** How long somebody has to pause for what was typed to be searched. */
const pause = 150;

/** Columns of the API count characters, a browser's UTF-16 units. */
const units = (text: string, characters: number) => [...text].slice(0, characters).join("").length;
const characters = (text: string, units: number) => [...text.slice(0, units)].length;

export function SearchBox({ institution, search, text, change, inputRef }: Props) {
  const { t, number } = useText();
  const [typed, setTyped] = useState<string>(); // undefined: nobody types, the box says what is searched
  const [at, setAt] = useState(0);
  const [open, setOpen] = useState(false);
  const [marked, setMarked] = useState(-1);
  const [problem, setProblem] = useState<ApiError>();
  const list = useId();
  const value = typed ?? text;
  const asked = useRef<AbortController>(null);

  // What others change (chips, facets, the back button) is what the box says.
  const address = format(search);
  const mine = useRef<string>(null);
  useEffect(() => {
    if (mine.current !== address) {
      setTyped(undefined);
      setProblem(undefined);
    }
  }, [address]);

  const settled = useDelayed(value, pause);
  const settledAt = useDelayed(at, pause);
  const completions = useQuery({
    queryKey: ["completions", institution, settled, settledAt],
    queryFn: ({ signal }) => api.completions(institution, settled, characters(settled, settledAt), signal),
    enabled: open && typed !== undefined,
    placeholderData: keepPreviousData,
  });
  const offers = open && typed !== undefined && settled === value ? (completions.data?.data ?? []) : [];

  const queries = useQueryClient();
  const run = async (q: string, final: boolean) => {
    asked.current?.abort();
    const control = (asked.current = new AbortController());
    try {
      const answer = await api.query(institution, { q }, control.signal);
      if (control.signal.aborted) return;
      setProblem(undefined);
      const next = parse(new URLSearchParams(Object.entries(answer.data.filters).flatMap(([n, vs]) => vs.map((v) => [n, v]))).toString());
      mine.current = format(next);
      queries.setQueryData(["query", institution, format(next)], answer); // which also says how next is written
      change(next);
      if (final) {
        setTyped(undefined);
        setOpen(false);
      }
    } catch (e) {
      if (control.signal.aborted) return;
      if (e instanceof ApiError) setProblem(e);
    }
  };
  const quiet = useDelayed(typed, pause);
  useEffect(() => {
    if (quiet !== undefined && quiet === typed) void run(quiet, false);
    // What matters is that somebody has stopped typing.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [quiet]);

  const take = (i: number) => {
    const o = offers[i];
    if (!o) return;
    const from = units(value, o.start - 1);
    const to = units(value, o.end - 1);
    const next = value.slice(0, from) + o.text + value.slice(to).replace(/^ /, o.text.endsWith(" ") ? "" : " ");
    const caret = from + o.text.length;
    setTyped(next);
    setAt(caret);
    setMarked(-1);
    requestAnimationFrame(() => {
      inputRef.current?.focus();
      inputRef.current?.setSelectionRange(caret, caret);
    });
  };
  const onKey = (e: KeyboardEvent<HTMLInputElement>) => {
    if (e.key === "ArrowDown" && offers.length > 0) setMarked((m) => (m + 1) % offers.length);
    else if (e.key === "ArrowUp" && offers.length > 0) setMarked((m) => (m <= 0 ? offers.length - 1 : m - 1));
    else if ((e.key === "Enter" || e.key === "Tab") && marked >= 0) take(marked);
    else if (e.key === "Enter") void run(value, true);
    else if (e.key === "Escape" && open && offers.length > 0) {
      setOpen(false);
      setMarked(-1);
    } else if (e.key === "Escape") {
      setTyped(undefined);
      setProblem(undefined);
      inputRef.current?.blur();
    } else return;
    e.preventDefault();
    e.stopPropagation();
  };
  const column = problem?.problem.column;
  const length = problem?.problem.length ?? 1;
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
        aria-activedescendant={marked >= 0 ? `${list}-${marked}` : undefined}
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
            <span className="offer-label"><Plain>{o.label}</Plain></span>
            {o.detail && <span className="hint"><Plain>{o.detail}</Plain></span>}
            <span className="spring" />
            {o.match && o.match !== "exact" && <span className="badge">{t(`match_${o.match}`)}</span>}
            {o.actions !== undefined && <span className="hint">{t("n_actions", { n: o.actions, shown: number(o.actions) })}</span>}
          </li>
        ))}
      </ul>
      {problem && (
        <div className="problem" role="alert" id={`${list}-problem`}>
          {problem.status === 0 ? t("error_offline") : problem.problem.detail}
          {column !== undefined && (
            <code className="column">
              <Plain>{[...value].slice(0, column - 1).join("")}</Plain>
              <mark><Plain>{[...value].slice(column - 1, column - 1 + length).join("") || " "}</Plain></mark>
              <Plain>{[...value].slice(column - 1 + length).join("")}</Plain>
            </code>
          )}
        </div>
      )}
    </div>
  );
}

function useDelayed<T>(value: T, ms: number): T {
  const [late, setLate] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setLate(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return late;
}
