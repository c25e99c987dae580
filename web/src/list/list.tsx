import { useVirtualizer } from "@tanstack/react-virtual";
import { createContext, memo, useContext, useEffect, useImperativeHandle, useLayoutEffect, useMemo, useRef, useState, type KeyboardEvent, type ReactNode, type Ref } from "react";
import { Button } from "react-aria-components";
import { called, read, type Action, type ActionRecord } from "../api/action";
import { useText } from "../locale/text";
import { Failed, Icon, Loading, type IconName } from "../parts";
import { Plain, plain } from "../plain";
import { useSettings } from "../settings";
import { useTimes, type Times } from "../time/format";
import { cell, fitting, widths, type ColumnName } from "./columns";
import type { Item } from "./pages";
import { useChanges, type List as Source } from "./use";
import { useLabels } from "../labels";

/** What a row is high: in one line, or in three where there is no room. */
const rowHeight = 32;
const cardHeight = 76;
/** What browsers can lay out: beyond, a list goes on from a new beginning. */
const highest = 32_000_000;

/** What all rows write with: made once, because making it takes longer than drawing a row. */
const Writing = createContext<{ times: Times; label: ReturnType<typeof useLabels> } | null>(null);

export interface ListHandle {
  /** Moves to the next or the previous action, and returns it. */
  move: (by: number) => ActionRecord | undefined;
  top: () => void;
  /** Whether the newest rows are in sight. */
  atTop: () => boolean;
  focus: () => void;
}

interface Props {
  /** Opens the next or the previous action in the place of the one that is open. */
  move: (by: number) => void;
  list: Source;
  stale: boolean;
  chosen?: { id: string; day: string };
  open: (r: ActionRecord) => void;
  /** Goes on with what is older than an action: for lists that are longer than a browser can show. */
  goOn: (before: Date) => void;
  /** Whether actions of restored days are in the list, and which. */
  restored: (day: string) => boolean;
  ref: Ref<ListHandle>;
}

/** The list: a grid of which only the rows near the eye exist. */
export function List({ move, list, stale, chosen, open, goOn, restored, ref }: Props) {
  const { t, number } = useText();
  const version = useChanges(list);
  const { columns: preferred } = useSettings();
  const port = useRef<HTMLDivElement>(null);
  const width = useWidth(port);
  const narrow = width > 0 && width < 560;
  // Beside an open action there is less room: what is least needed goes first.
  const columns = useMemo(() => (chosen ? fitting(preferred, width) : preferred), [preferred, chosen !== undefined, width]);
  const height = narrow ? cardHeight : rowHeight;
  const most = Math.floor(highest / height) - 1;
  const length = Math.min(list.length, most);
  const cut = list.length > most;
  const [current, setCurrent] = useState(-1);
  const virtual = useVirtualizer({
    count: length + 1, // the last row says how it goes on, or that this is all
    getScrollElement: () => port.current,
    estimateSize: () => height,
    overscan: 6,
    // Rows move with the focus ring: see CSS scroll-padding.
  });
  useLayoutEffect(() => virtual.measure(), [virtual, height]);
  const items = virtual.getVirtualItems();
  // A row that leaves the window is drawn anew as one that enters it: cheaper than another one.
  const ring = 32 * Math.ceil((items.length + 1) / 32);
  const first = items[0]?.index ?? 0;
  const last = items[items.length - 1]?.index ?? 0;
  useEffect(() => {
    list.look(first, last);
    if (last >= list.length - 1 - 100 && !cut && !list.error) void list.more();
  }, [list, first, last, cut, version]);
  // Another list begins at its top, or where the action stands that is open.
  const place = useRef<Source>(undefined);
  useEffect(() => {
    if (place.current === list) return;
    place.current = list;
    const at = chosen ? list.indexOf(chosen.id, chosen.day) : -1;
    setCurrent(at);
    if (at > 0) virtual.scrollToIndex(at, { align: "center" });
    else port.current?.scrollTo({ top: 0 });
  }, [list, chosen, virtual]);
  // What comes in on top moves neither what somebody reads nor where they are.
  const above = useRef({ list, rows: 0, items: 0 });
  useLayoutEffect(() => {
    const before = above.current;
    const now = (above.current = { list, rows: list.freshRows, items: list.freshItems });
    if (before.list !== list || now.rows === before.rows) return;
    const came = now.items - before.items;
    setCurrent((c) => (c < 0 ? c : Math.max(0, c + came)));
    const element = port.current;
    if (element && element.scrollTop > height) element.scrollTop += came * height;
  }, [list, version, height]);
  const template = useMemo(() => columns.map((c) => widths[c]).join(" "), [columns]);

  const to = (index: number): Item | undefined => {
    if (length === 0) return undefined;
    const next = Math.max(0, Math.min(length - 1, index));
    setCurrent(next);
    virtual.scrollToIndex(next, { align: "auto" });
    return list.at(next);
  };
  useImperativeHandle(ref, () => ({
    move: (by) => {
      const here = chosen ? list.indexOf(chosen.id, chosen.day) : -1;
      const from = here >= 0 ? here : current;
      for (let i = from + by; i >= 0 && i < length; i += by) {
        const item = list.at(i);
        if (item.kind === "action") {
          to(i);
          return item.record;
        }
      }
      return undefined;
    },
    top: () => {
      to(0);
      port.current?.scrollTo({ top: 0 });
    },
    atTop: () => (port.current?.scrollTop ?? 0) <= height,
    focus: () => port.current?.focus(),
  }));
  const choose = (item: Item | undefined, index: number) => {
    setCurrent(index);
    if (item?.kind === "action") open(item.record);
    if (item?.kind === "fold") list.toggle(item.batch);
  };
  // Rows are drawn anew only when they change; what they open is what is searched now.
  const chooseNow = useRef(choose);
  chooseNow.current = choose;
  const onKey = (e: KeyboardEvent) => {
    if (e.target !== port.current || e.ctrlKey || e.metaKey || e.altKey) return;
    const follow: Record<string, number> = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 };
    if (chosen && e.key in follow) { // what is open goes along
      move(follow[e.key]!);
      e.preventDefault();
      e.stopPropagation();
      return;
    }
    const page = Math.max(1, Math.floor((port.current?.clientHeight ?? 0) / height) - 2);
    const steps: Record<string, number> = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1, PageDown: page, PageUp: -page };
    if (e.key in steps) to(current < 0 ? 0 : current + steps[e.key]!);
    else if (e.key === "Home") to(0);
    else if (e.key === "End") {
      to(length - 1);
      virtual.scrollToIndex(length, { align: "end" }); // with the row that says whether this is the end
    }
    else if ((e.key === "Enter" || e.key === " ") && current >= 0) choose(list.at(current), current);
    else return;
    e.preventDefault();
    e.stopPropagation();
  };
  const total = list.meta?.total;
  const times = useTimes();
  const label = useLabels();
  const writing = useMemo(() => ({ times, label }), [times, label]);
  return (
    <div
      ref={port}
      id="list"
      className={narrow ? "list cards" : "list"}
      role="treegrid"
      aria-label={t("actions")}
      aria-rowcount={list.complete ? list.length + 1 : -1}
      aria-colcount={columns.length}
      aria-busy={stale}
      aria-activedescendant={current >= 0 ? `row-${current}` : undefined}
      aria-describedby="list-keys"
      tabIndex={0}
      onKeyDown={onKey}
      onFocus={(e) => e.target === port.current && current < 0 && length > 0 && setCurrent(0)}
    >
      <span id="list-keys" hidden>{t("list_keys")}</span>
      <div role="row" aria-rowindex={1} className="row head" style={{ gridTemplateColumns: template }}>
        {columns.map((c) => (
          <span role="columnheader" key={c}>{t(`column_${c}`)}</span>
        ))}
      </div>
      <div className="rows" role="rowgroup" style={{ height: virtual.getTotalSize() }}>
        <Writing value={writing}>{items.map((v) => {
          const at = { transform: `translateY(${v.start}px)`, height, gridTemplateColumns: narrow ? undefined : template };
          if (v.index >= length) {
            return (
              <div key="end" role="row" className={list.complete && !cut ? "end all" : "row end"} style={at}>
                <span role="gridcell" className="whole">
                  {cut ? (
                    <CutRow list={list} most={most} goOn={goOn} />
                  ) : list.complete ? (
                    t("list_end", { n: list.rows, shown: number(list.rows), from: times.day(new Date(list.meta!.from)) })
                  ) : list.error ? (
                    <Failed error={list.error} retry={() => void list.more()} />
                  ) : (
                    <Loading what={t("loading_more", { n: number(list.rows), total: total?.relation === "eq" ? number(total.value) : "…" })} />
                  )}
                </span>
              </div>
            );
          }
          const item = list.at(v.index);
          return (
            <Row
              key={v.index % ring}
              index={v.index}
              record={item.kind === "absent" ? undefined : item.record}
              fold={item.kind === "fold" ? item : undefined}
              inFold={item.kind === "action" && item.inFold}
              current={v.index === current}
              chosen={item.kind === "action" && item.record.id === chosen?.id && item.record.day === chosen.day}
              restored={item.kind !== "absent" && restored(item.record.day)}
              columns={columns}
              narrow={narrow}
              style={at}
              choose={() => chooseNow.current(item, v.index)}
            />
          );
        })}</Writing>
      </div>
    </div>
  );
}

function CutRow({ list, most, goOn }: { list: Source; most: number; goOn: (before: Date) => void }) {
  const { t, number } = useText();
  const item = list.at(most - 1);
  return (
    <>
      {t("list_cut", { n: number(most) })}{" "}
      {item.kind !== "absent" && (
        <Button className="button" onPress={() => goOn(new Date(item.record.document.occurred_at))}>{t("list_go_on")}</Button>
      )}
    </>
  );
}

interface RowProps {
  index: number;
  record?: ActionRecord;
  fold?: Extract<Item, { kind: "fold" }>;
  inFold: boolean;
  current: boolean;
  chosen: boolean;
  restored: boolean;
  columns: ColumnName[];
  narrow: boolean;
  style: { transform: string; height: number; gridTemplateColumns?: string };
  choose: () => void;
}

const Row = memo(function Row({ index, record, fold, inFold, current, chosen, restored, columns, narrow, style, choose }: RowProps) {
  const { t } = useText();
  const classes = ["row", fold && "fold", inFold && "in-fold", current && "current", chosen && "chosen"].filter(Boolean).join(" ");
  const common = { id: `row-${index}`, role: "row", "aria-rowindex": index + 2, "aria-selected": chosen, "aria-level": inFold ? 2 : 1, className: classes, style };
  if (!record) {
    return (
      <div {...common}>
        <span role="gridcell" className="absent whole" aria-label={t("loading")} />
      </div>
    );
  }
  const a = read(record);
  return (
    <div {...common} aria-expanded={fold ? fold.open : undefined} onClick={choose}>
      {narrow ? <Card a={a} record={record} fold={fold} restored={restored} /> : columns.map((c) => <Cell key={c} column={c} a={a} record={record} fold={fold} restored={restored} />)}
    </div>
  );
}, (a, b) => a.record === b.record && a.index === b.index && a.current === b.current && a.chosen === b.chosen && a.inFold === b.inFold && a.columns === b.columns && a.narrow === b.narrow &&
  a.restored === b.restored && a.style.transform === b.style.transform && a.fold?.n === b.fold?.n && a.fold?.open === b.fold?.open && a.fold?.more === b.fold?.more && a.style.gridTemplateColumns === b.style.gridTemplateColumns);

interface CellProps {
  a: Action;
  record: ActionRecord;
  fold?: Extract<Item, { kind: "fold" }>;
  restored: boolean;
}

function Cell({ column, a, record, fold, restored }: CellProps & { column: ColumnName }) {
  const text = drawn(column, { a, record, fold, restored });
  return (
    <span role="gridcell" className={`cell col-${column}`}>
      {text}
    </span>
  );
}

function drawn(column: ColumnName, p: CellProps): ReactNode {
  switch (column) {
    case "time":
      return <Time a={p.a} restored={false} />; // there is no room for more
    case "actor":
      return <Who a={p.a} masked={p.record.actor_masked} />;
    case "action":
      return <>{p.restored && <><Restored /> </>}<What {...p} /></>;
    case "outcome":
      return p.fold ? null : <Outcome a={p.a} />;
    case "category":
      return <Category category={p.a.category} />;
    default: {
      if (p.fold && column !== "course" && column !== "class" && column !== "channel") return null;
      const text = cell(p.a, column);
      return text ? <span title={plain(text)}><Plain>{text}</Plain></span> : null;
    }
  }
}

function Time({ a, restored }: Pick<CellProps, "a" | "restored">) {
  const { times } = useContext(Writing)!;
  return (
    <>
      <time dateTime={a.at.toISOString()} title={times.long(a.at)}>{times.short(a.at)}</time>
      {restored && <Restored />}
    </>
  );
}

function Restored() {
  const { t } = useText();
  return <span className="badge" title={t("restored_hint")}>{t("restored")}</span>;
}

function Who({ a, masked }: { a: Action; masked?: boolean }) {
  const { t } = useText();
  const kind = (a.actor.kind ?? "anonymous") as IconName;
  const name = called(a.actor) ?? t(`kind_${kind as "user"}`);
  return (
    <span className="who" title={plain([name, a.actor.email, masked ? "" : a.actor.id].filter(Boolean).join(" · "))}>
      <span className={`kind ${kind}`} role="img" aria-label={t(`kind_${kind as "user"}`)}><Icon name={kind} /></span>
      <Plain>{name}</Plain>
      {a.onBehalfOf && <span className="for"> {t("for")} <Plain>{called(a.onBehalfOf) ?? ""}</Plain></span>}
    </span>
  );
}

function What({ a, fold }: CellProps) {
  const { t, number } = useText();
  const label = useContext(Writing)!.label(a);
  return (
    <span className="what">
      {fold && <span className={fold.open ? "twist open" : "twist"}><Icon name="down" /></span>}
      {fold && <><span className="badge times">{t(fold.more ? "fold_more" : "fold", { n: fold.n, shown: number(fold.n) })}</span> </>}
      <strong title={plain(a.code)}><Plain>{label}</Plain></strong>
      {!fold && a.summary && <span className="summary" title={plain(a.summary)}> <Plain>{a.summary}</Plain></span>}
    </span>
  );
}

export function Outcome({ a }: { a: Action }) {
  const { t, maybe } = useText();
  if (!a.outcome) return null;
  return <span className={`result ${a.outcome === "failure" || a.outcome === "success" ? a.outcome : "unknown"}`} title={a.reason && plain(a.reason)}>{maybe(`outcome_${a.outcome}`) ?? t("outcome_unknown")}</span>;
}

export function Category({ category }: { category: string }) {
  const { maybe } = useText();
  return <span className={`category c-${category}`}>{maybe(`category_${category}`) ?? category}</span>;
}

function Card(p: CellProps) {
  const course = p.a.course && (p.a.course.title ?? p.a.course.id);
  const target = cell(p.a, "target");
  return (
    <span role="gridcell" className="card">
      <span className="line"><Time {...p} /> <span className="spring" /> <Category category={p.a.category} /> {!p.fold && <Outcome a={p.a} />}</span>
      <span className="line"><What {...p} /></span>
      <span className="line small"><Who a={p.a} masked={p.record.actor_masked} />{!p.fold && target && <span className="ellipsis">→ <Plain>{target}</Plain></span>}{course && <span className="ellipsis"> · <Plain>{course}</Plain></span>}</span>
    </span>
  );
}

/** How wide the list is; 0 before that is known. */
function useWidth(port: { current: HTMLElement | null }): number {
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const element = port.current;
    if (!element) return;
    const look = () => setWidth(element.clientWidth);
    look();
    const observer = new ResizeObserver(look);
    observer.observe(element);
    return () => observer.disconnect();
  }, [port]);
  return width;
}
