// The view that people live in: the search, the list, and what is open beside it.
import { useQuery } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { Button, Checkbox, Dialog, DialogTrigger, Heading, Modal, ModalOverlay, Popover } from "react-aria-components";
import { Link, useLocation, useSearch } from "wouter";
import { actionPath, actionsPath, format, hasFilters, inZone, ofFilters, parse, restoresPath, set, setTime, type Search } from "./address";
import type { ActionRecord } from "./api/action";
import { api, ApiError, passing } from "./api/client";
import { Drawer } from "./drawer/drawer";
import { ExportButton, Exports } from "./exports/exports";
import { Facets } from "./facets";
import { Header, type View } from "./header";
import { NotForYou } from "./institutions";
import { columnNames, defaultColumns, type ColumnName } from "./list/columns";
import { List, type ListHandle } from "./list/list";
import { useTail } from "./list/tail";
import { useChanges, useList } from "./list/use";
import { useText } from "./locale/text";
import { Failed, Icon, Loading } from "./parts";
import { Restores } from "./restores/restores";
import { SaveButton, Searches } from "./saved/saved";
import { SearchBox } from "./search/box";
import { Chips } from "./search/chips";
import { Controls } from "./search/controls";
import { MatchedPeople } from "./search/matched";
import { useSession } from "./session";
import { useSettings } from "./settings";
import { Histogram, type Counted } from "./time/histogram";
import { Contact, Reach, Status } from "./trust";

export function LogView({ institution, view, id }: { institution: string; view: View; id?: string }) {
  const wide = useWide();
  const { has } = useSession();
  const last = useLast(view);
  if (!has(["admin", "auditor", "support", "compliance"], institution)) return <NotForYou />;
  return (
    <>
      <div className="contents" inert={view === "actions" && id !== undefined && !wide}><Header institution={institution} view={view} search={last} /></div>
      {view === "exports" && !has(["admin", "support", "compliance"], institution) ? <main id="main" className="narrow-page"><Failed error={new ApiError(403, {})} /></main> : view === "exports" ? <Exports institution={institution} /> : view === "searches" ? <Searches institution={institution} id={id} /> : view === "restores" ? <Restores institution={institution} /> : <Actions institution={institution} id={id} />}
    </>
  );
}

/** The search that somebody comes back to from another view of the institution. */
function useLast(view: View): Search {
  const query = useSearch();
  const last = useRef<Search>({});
  const now = useMemo(() => parse(query), [query]);
  useEffect(() => {
    if (view === "actions") last.current = now;
  }, [view, now]);
  return view === "actions" ? now : last.current;
}

function Actions({ institution, id }: { institution: string; id?: string }) {
  const { t } = useText();
  const { has, signIns } = useSession();
  const [, navigate] = useLocation();
  const query = useSearch();
  const { zoneName } = useSettings();
  const { search, day } = useMemo(() => ({ search: inZone(parse(query), zoneName), day: new URLSearchParams(query).get("day") ?? undefined }), [query, zoneName]);
  const at = useCallback((s: Search) => (id === undefined ? actionsPath(institution, s) : actionPath(institution, id, day ?? "", s)), [institution, id, day]);
  const go = useCallback((s: Search, replace = false) => navigate(actionsPath(institution, s), { replace }), [navigate, institution]);
  const stay = useCallback((s: Search) => navigate(at(s)), [navigate, at]);
  const canonical = useQuery({
    queryKey: ["query", institution, format(search)],
    queryFn: ({ signal }) => api.query(institution, search as never, signal),
    staleTime: Infinity,
    placeholderData: (before) => before,
  });
  // An address may bring a text to be searched: it becomes filters, once, where it is read.
  const text = search.q?.length ? canonical.data : undefined;
  useEffect(() => {
    if (text && !canonical.isPlaceholderData) {
      navigate(at(ofFilters(text.data.filters)), { replace: true });
    }
  }, [text, canonical.isPlaceholderData, navigate, at]);
  // What somebody else would read as another time stands in the address.
  useEffect(() => {
    if (!search.q && format(search) !== format(parse(query))) navigate(at(search), { replace: true });
  }, [search, query, navigate, at]);

  const unread = search.q?.length ? search.q.join(" ") : undefined;
  const listed = useList(institution, search, unread === undefined);
  const ready = unread === undefined && (!listed.stale || listed.error !== undefined);
  const [asked, setAsked] = useState(0);
  const { refresh: listAnew } = listed;
  const refresh = useCallback(() => {
    listAnew();
    setAsked((n) => n + 1);
  }, [listAnew]);
  useRecovery(listed.error, refresh);
  // Who signed in again finds everything where it was, and the list read anew.
  const signedInBefore = useRef(signIns);
  useEffect(() => {
    if (signedInBefore.current !== signIns) refresh();
    signedInBefore.current = signIns;
  }, [signIns, refresh]);
  const invalid = canonical.error && unread !== undefined ? { text: unread, error: canonical.error } : undefined;
  const failed = listed.error ?? (invalid ? undefined : canonical.error) ?? undefined;
  const box = useRef<HTMLInputElement>(null);
  const list = useRef<ListHandle>(null);
  const [help, setHelp] = useState(false);

  const openAction = useCallback((r: ActionRecord, replace = false) => navigate(actionPath(institution, r.id, r.day, search), { replace }), [navigate, institution, search]);
  const move = useCallback(
    (by: number) => {
      const r = list.current?.move(by);
      if (r) openAction(r, true);
    },
    [openAction],
  );
  const close = useCallback(() => {
    navigate(actionsPath(institution, search));
    requestAnimationFrame(() => list.current?.focus()); // a covered list takes no focus
  }, [navigate, institution, search]);
  useShortcuts({ box, list, open: id !== undefined, move, close, help: () => setHelp(true) });
  const [counted, setCounted] = useState<Counted>();
  const wide = useWide();
  const alone = id !== undefined && !wide;
  const matched = listed.list?.meta?.matched ?? [];
  const restored = useRestored(listed.list?.meta?.restored);
  const stale = listed.stale && !listed.error;
  return (
    <main id="main" className={id ? "log with-drawer" : "log"} tabIndex={-1}>
      <h1 className="visually-hidden">{t("title")}</h1>
      <div className="work" inert={alone}>
      <div className="top">
        <div className="line search-line">
          <SearchBox institution={institution} search={search} text={canonical.data?.data.q ?? ""} invalid={invalid} change={go} inputRef={box} />
          {!failed && !invalid && has(["admin", "support", "compliance"], institution) && <><SaveButton institution={institution} search={search} text={canonical.data?.data.q ?? ""} /><ExportButton institution={institution} search={search} /></>}
          <HelpButton open={help} set={setHelp} />
        </div>
        <Controls institution={institution} search={search} change={go} />
        <Chips search={search} change={go} matched={matched} />
        {!failed && !invalid && <MatchedPeople matched={matched} search={search} change={go} />}
        {!failed && !invalid && <Histogram institution={institution} search={search} asked={asked} ready={ready} change={go} counted={setCounted} />}
        <Reach list={listed.list} institution={institution} />
      </div>
      <div className="middle">
        {!failed && !invalid && <Side institution={institution} search={search} asked={asked} ready={ready} change={go} />}
        <div className="center">
          {!invalid && <Toolbar {...{ institution, search, listed, refresh, list, asked, total: counted?.key === format(search) && counted.asked === asked ? counted.n : undefined }} />}
          {failed ? (
            <Failed error={failed} retry={refresh}>
              {failed instanceof ApiError && (failed.status === 400 || failed.status === 422) && <Button className="button" onPress={() => go({})}>{t("search_anew")}</Button>}
              {failed instanceof ApiError && failed.problem.detail?.includes("missing_days=allow") && (
                <Button className="button" onPress={() => go(set(search, "missing_days", "allow"))}>{t("missing_days_allow")}</Button>
              )}
            </Failed>
          ) : invalid ? null : !listed.list ? (
            <Loading />
          ) : (
            <Rows {...{ institution, listed, stale, list, search, go, restored, id, day, openAction, move }} />
          )}
        </div>
      </div>
      </div>
      {id !== undefined && <Drawer key={institution} institution={institution} id={id} day={day} search={search} restored={day !== undefined && restored(day)} alone={alone} close={close} move={move} go={go} stay={stay} />}
    </main>
  );
}

/** Asks again by itself, ever more rarely, while the service cannot be reached or is not ready. */
function useRecovery(error: Error | undefined, again: () => void) {
  const tries = useRef(0);
  useEffect(() => {
    if (!error || !passing(error)) {
      if (!error) tries.current = 0;
      return;
    }
    const timer = setTimeout(again, Math.max(((error as ApiError).retryAfter ?? 0) * 1000, Math.min(30_000, 2000 * 2 ** tries.current++)));
    addEventListener("online", again);
    return () => {
      clearTimeout(timer);
      removeEventListener("online", again);
    };
  }, [error, again]);
}

/** Which days are in the list only because they were restored. */
function useRestored(covered: { from: string; to: string }[] | undefined): (day: string) => boolean {
  const key = JSON.stringify(covered ?? []);
  return useMemo(() => {
    const days = JSON.parse(key) as { from: string; to: string }[];
    return (day: string) => days.some((d) => d.from <= day && day <= d.to);
  }, [key]);
}

interface RowsProps {
  institution: string;
  listed: ReturnType<typeof useList>;
  stale: boolean;
  list: React.RefObject<ListHandle | null>;
  search: Search;
  go: (s: Search) => void;
  restored: (day: string) => boolean;
  id?: string;
  day?: string;
  openAction: (r: ActionRecord) => void;
  move: (by: number) => void;
}

function Rows({ institution, listed, stale, list, search, go, restored, id, day, openAction, move }: RowsProps) {
  const source = listed.list!;
  useChanges(source);
  const chosen = useMemo(() => (id !== undefined ? { id, day: day ?? "" } : undefined), [id, day]);
  if (source.empty && !stale) return <Nothing institution={institution} search={search} go={go} />;
  return (
    <List
      ref={list}
      move={move}
      list={source}
      stale={stale}
      chosen={chosen}
      open={openAction}
      goOn={(before) => go(setTime(search, { from: source.meta!.from, to: new Date(before.getTime() + 1).toISOString() }))}
      restored={restored}
    />
  );
}

function Nothing({ institution, search, go }: { institution: string; search: Search; go: (s: Search) => void }) {
  const { t } = useText();
  return (
    <div className="nothing">
      <p><strong>{t("nothing_found")}</strong></p>
      <p>{hasFilters(search) ? t("nothing_filtered") : t("nothing_at_all")}</p>
      <p className="line">
        {search.range?.[0] !== "90d" && <Button className="button" onPress={() => go(setTime(search, { range: "90d" }))}>{t("nothing_90d")}</Button>}
        {hasFilters(search) && <Button className="button" onPress={() => go(Object.fromEntries(Object.entries(search).filter(([n]) => ["range", "from", "to", "tz"].includes(n))))}>{t("chips_clear")}</Button>}
      </p>
      <p className="hint">{t("nothing_older")} <Link href={restoresPath(institution, search)}>{t("oldest_more")}</Link> <Contact /></p>
    </div>
  );
}

interface ToolbarProps {
  institution: string;
  search: Search;
  listed: ReturnType<typeof useList>;
  refresh: () => void;
  list: React.RefObject<ListHandle | null>;
  asked: number;
  /** How many actions there are, where that has been counted. */
  total?: number;
}

/** What came in and is not in the list. */
interface News {
  n: number;
  more: boolean;
  held: ActionRecord[];
}

const noNews: News = { n: 0, more: false, held: [] };

/** A state whose value is known at once, also before what was drawn of it. */
function useNow<T>(first: T): [T, (value: T) => void, React.RefObject<T>] {
  const [value, draw] = useState(first);
  const now = useRef(first);
  const change = useCallback((next: T) => {
    now.current = next;
    draw(next);
  }, []);
  return [value, change, now];
}

/** Above the list: what it is, what came in since, live or not, which columns. */
function Toolbar({ institution, search, listed, refresh, list, asked, total }: ToolbarProps) {
  const { t, number } = useText();
  const [live, setLive] = useState<"off" | "on" | "paused">("off");
  const [news, setNews, newsNow] = useNow<News>(noNews);
  const source = listed.list;
  useChanges(source);
  const liveNow = useRef(live);
  liveNow.current = live;
  const open = !search.to;
  useEffect(() => setNews(noNews), [source, setNews]);
  const came = useCallback(
    (records: ActionRecord[], more: boolean) => {
      if (!source) return;
      const before = newsNow.current;
      if (liveNow.current === "on" && !more && list.current?.atTop() !== false) {
        // What is held stands below what comes now: without it the list would have a hole.
        if (before.more) refresh();
        else source.prepend([...records, ...before.held]);
        if (before.n > 0 || before.more) setNews(noNews);
        return;
      }
      const fresh = source.news(records);
      // What is held for a list that is paused is little; more than that is read anew.
      const n = before.n + fresh.length;
      setNews({ n, more: before.more || more || n > 2000, held: n > 2000 ? [] : [...fresh, ...before.held] });
    },
    [source, list, refresh, newsNow, setNews],
  );
  const tail = useTail(institution, search, listed.stale ? undefined : source?.meta?.complete_through, open && !listed.error, came);
  const show = () => {
    if (news.more || !source) refresh();
    else source.prepend(news.held);
    setNews(noNews);
    list.current?.top();
  };
  const toggle = () => {
    if (live === "on") setLive("paused");
    else {
      setLive("on");
      if (news.n > 0 || news.more) show();
      list.current?.top();
    }
  };
  useEffect(() => {
    if (!listed.stale && !listed.error && source && source.freshRows > 5000) refresh(); // a tail of days does not grow for ever
  });
  return (
    <>
      <div className="toolbar">
        {!listed.error && <Status institution={institution} search={search} list={source} stale={listed.stale} at={listed.at} tail={tail} asked={asked} counted={total} />}
        {open && (
          <Button className={live === "on" ? "button small live on" : "button small live"} onPress={toggle}>
            <Icon name={live === "on" ? "pause" : "play"} /> {t(live === "on" ? "live_pause" : live === "paused" ? "live_go_on" : "live")}
          </Button>
        )}
        <Button className="button small" onPress={refresh}>{t("refresh")}</Button>
        <Columns />
      </div>
      <div className="pills" role="status">
        {!listed.error && (news.n > 0 || news.more) && (
          <Button className="pill" onPress={show}>{news.more ? t("news_many") : t("news", { n: news.n, shown: number(news.n) })}</Button>
        )}
        {source?.error && !source.loading && <span className="lost">{t("list_unread")} <Button className="button small" onPress={() => source.retry()}>{t("try_again")}</Button></span>}
        {source?.outdated && <Button className="pill" onPress={refresh}>{t("list_outdated")}</Button>}
      </div>
    </>
  );
}

function Columns() {
  const { t } = useText();
  const { columns, change } = useSettings();
  const toggle = (c: ColumnName, on: boolean) => change({ columns: columnNames.filter((x) => (x === c ? on : columns.includes(x))) });
  return (
    <DialogTrigger>
      <Button className="button small"><Icon name="columns" /> {t("columns")}</Button>
      <Popover className="popover" placement="bottom end">
        <Dialog className="dialog" aria-label={t("columns")}>
          <div className="checks">
            {columnNames.map((c) => (
              <Checkbox key={c} className="check" isSelected={columns.includes(c)} isDisabled={c === "time" || c === "action"} onChange={(on) => toggle(c, on)}>
                <span className="tick"><Icon name="check" /></span> <span>{t(`column_${c}`)}</span>
              </Checkbox>
            ))}
          </div>
          <Button className="quiet" onPress={() => change({ columns: defaultColumns })}>{t("columns_usual")}</Button>
        </Dialog>
      </Popover>
    </DialogTrigger>
  );
}

/** The numbers beside the list; on small screens behind a button. */
function Side(p: { institution: string; search: Search; asked: number; ready: boolean; change: (s: Search) => void }) {
  const { t } = useText();
  const { facets, change } = useSettings();
  const wide = useWide();
  if (!wide) {
    return (
      <DialogTrigger>
        <Button className="button small facets-open"><Icon name="filter" /> {t("facets")}</Button>
        <ModalOverlay className="overlay" isDismissable>
          <Modal className="modal sheet">
            <Dialog className="dialog" aria-label={t("facets")}>
              {({ close }) => (
                <>
                  <div className="line"><Heading slot="title">{t("facets")}</Heading><span className="spring" /><Button className="quiet icon-only" aria-label={t("close")} onPress={close}><Icon name="close" /></Button></div>
                  <Facets {...p} />
                </>
              )}
            </Dialog>
          </Modal>
        </ModalOverlay>
      </DialogTrigger>
    );
  }
  return (
    <div className={facets ? "side" : "side closed"}>
      <Button className="quiet icon-only side-toggle" aria-expanded={facets} aria-label={t(facets ? "facets_hide" : "facets_show")} onPress={() => change({ facets: !facets })}><Icon name="filter" /></Button>
      {facets && <Facets {...p} />}
    </div>
  );
}

function useWide(): boolean {
  const query = useMemo(() => matchMedia("(min-width: 1000px)"), []);
  const [wide, setWide] = useState(query.matches);
  useEffect(() => {
    const listen = () => setWide(query.matches);
    query.addEventListener("change", listen);
    return () => query.removeEventListener("change", listen);
  }, [query]);
  return wide;
}

interface Shortcuts {
  box: React.RefObject<HTMLInputElement | null>;
  list: React.RefObject<ListHandle | null>;
  open: boolean;
  move: (by: number) => void;
  close: () => void;
  help: () => void;
}

/** Keys that work wherever somebody is, but in fields and dialogs. */
function useShortcuts({ box, list, open, move, close, help }: Shortcuts) {
  const { shortcuts } = useSettings();
  useEffect(() => {
    const listen = (e: KeyboardEvent) => {
      if (!shortcuts && e.key !== "Escape") return;
      const target = e.target as HTMLElement;
      if (e.defaultPrevented || e.ctrlKey || e.metaKey || e.altKey || target.closest("input, textarea, select, [role=dialog], [role=menu], [role=application]")) return;
      if (e.key === "/") {
        box.current?.focus();
        box.current?.select();
      } else if (e.key === "?") help();
      else if (e.key === "Escape" && open) close();
      else if ((e.key === "j" || e.key === "k") && open) move(e.key === "j" ? 1 : -1);
      else if (e.key === "j" || e.key === "k") list.current?.focus();
      else return;
      e.preventDefault();
    };
    addEventListener("keydown", listen);
    return () => removeEventListener("keydown", listen);
  }, [box, list, open, move, close, help, shortcuts]);
}

const keys = ["/", "j", "k", "Enter", "Esc", "?"] as const;

function HelpButton({ open, set: setOpen }: { open: boolean; set: (open: boolean) => void }) {
  const { t } = useText();
  return (
    <>
      <Button className="quiet icon-only" aria-label={t("help")} onPress={() => setOpen(true)}><Icon name="help" /></Button>
      <ModalOverlay className="overlay" isDismissable isOpen={open} onOpenChange={setOpen}>
        <Modal className="modal">
          <Dialog className="dialog">
            {({ close }) => (
              <>
                <Heading slot="title">{t("help")}</Heading>
                <dl className="keys">
                  {keys.map((k, i) => <div key={k}><dt><kbd>{k}</kbd></dt><dd>{t(`help_key_${i as 0}`)}</dd></div>)}
                </dl>
                <h3>{t("help_search")}</h3>
                <dl className="keys">
                  {(["0", "1", "2", "3", "4", "5"] as const).map((i) => <div key={i}><dt><code>{t(`help_example_${i}`)}</code></dt><dd>{t(`help_says_${i}`)}</dd></div>)}
                </dl>
                <p className="hint"><a href="/openapi.yaml">{t("help_api")}</a> · <a href="/licences.txt">{t("help_licences")}</a></p>
                <Button className="button" onPress={close}>{t("close")}</Button>
              </>
            )}
          </Dialog>
        </Modal>
      </ModalOverlay>
    </>
  );
}

