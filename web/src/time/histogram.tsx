import { useEffect, useMemo, useRef, useState, type KeyboardEvent } from "react";
import { Button } from "react-aria-components";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { format, set, setTime, type Search } from "../address";
import { api } from "../api/client";
import { useCounts } from "../counts";
import { useText } from "../locale/text";
import { Failed, Icon } from "../parts";
import { useSettings } from "../settings";
import { useTimes } from "./format";

const parts = { category: ["institution", "course", "api"], outcome: ["success", "failure", "unknown", ""] } as const;

type Buckets = Awaited<ReturnType<typeof api.histogram>>["data"];

interface Props {
  institution: string;
  search: Search;
  /** Changes when the list is read anew. */
  asked: number;
  /** The list is there: now its numbers may be asked for. */
  ready: boolean;
  change: (s: Search) => void;
  /** Called with how many actions there are in all, once that is known. */
  counted: (c: Counted) => void;
}

/** How many actions a search finds, asked for the so-manieth time. */
export interface Counted {
  key: string;
  asked: number;
  n: number;
}

/** How many actions there were when. A time is chosen by dragging, or with the arrow keys. */
export function Histogram({ institution, search, asked, ready, change, counted }: Props) {
  const { t } = useText();
  const { by, change: prefer, zoneName } = useSettings();
  const [table, setTable] = useState(false);
  const key = format(search);
  const counts = useCounts(["histogram", institution, key, by, zoneName, asked], ready, (signal) => api.histogram(institution, { ...search, tz: search.tz?.[0] ?? zoneName, by } as never, signal));
  const whole = counts.isPlaceholderData ? undefined : counts.data;
  useEffect(() => {
    if (whole) counted({ key, asked, n: whole.data.reduce((n, b) => n + b.count, 0) });
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [whole, counted]);
  const buckets = useMemo(() => counts.data && untilNow(counts.data.data), [counts.data]);
  const choose = (from: string, to: string) => change(setTime(set(search, "tz"), { from: short(from), to: short(to) }));
  if (counts.error) return <section className="histogram" aria-label={t("histogram")}><Failed error={counts.error} retry={() => void counts.refetch()} /></section>;
  return (
    <section className={counts.isPlaceholderData ? "histogram stale" : "histogram"} aria-label={t("histogram")}>
      <div className="histogram-bar">
        <Legend by={by} buckets={buckets ?? []} />
        <span className="spring" />
        <div className="segments" role="group" aria-label={t("histogram_by")}>
          {(["category", "outcome"] as const).map((b) => (
            <Button key={b} className="segment small" aria-pressed={by === b} onPress={() => prefer({ by: b })}>{t(`by_${b}`)}</Button>
          ))}
        </div>
        <Button className="quiet icon-only" aria-pressed={table} aria-label={t("histogram_table")} onPress={() => setTable(!table)}><Icon name="table" /></Button>
      </div>
      {table ? <Table buckets={buckets ?? []} by={by} choose={choose} /> : <Chart buckets={buckets ?? []} by={by} choose={choose} />}
    </section>
  );
}

/** Without the empty time ahead: a search without an end reaches a day beyond now. */
function untilNow(all: Buckets): Buckets {
  let n = all.length;
  while (n > 1 && all[n - 1]!.count === 0 && Date.parse(all[n - 1]!.from) > Date.now()) n--;
  return all.slice(0, n);
}

/** An instant without the fractions that nobody chose. */
const short = (instant: string) => new Date(instant).toISOString().replace(".000Z", "Z");

const countOf = (b: Buckets[number], part: string) => (b.by as Record<string, number> | undefined)?.[part] ?? 0;

function Legend({ by, buckets }: { by: "category" | "outcome"; buckets: Buckets }) {
  const { number } = useText();
  const name = usePartName(by);
  return (
    <ul className="legend">
      {parts[by].map((p) => {
        const n = buckets.reduce((sum, b) => sum + countOf(b, p), 0);
        return n > 0 && <li key={p}><span className={`dot part-${p || "none"}`} /> {name(p)} <strong>{number(n)}</strong></li>;
      })}
    </ul>
  );
}

function usePartName(by: "category" | "outcome") {
  const { t, maybe } = useText();
  return (part: string) => (part === "" ? t("outcome_none") : (maybe(`${by}_${part}`) ?? part));
}

interface ChartProps {
  buckets: Buckets;
  by: "category" | "outcome";
  choose: (from: string, to: string) => void;
}

function Chart({ buckets, by, choose }: ChartProps) {
  const { t, number } = useText();
  const times = useTimes();
  const { theme, zoneName } = useSettings();
  const host = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  const [span, setSpan] = useState<{ at: number; from: number } | null>(null); // of the keyboard
  const dark = useDark();
  const latest = useRef({ buckets, choose });
  latest.current = { buckets, choose };
  useEffect(() => {
    const element = host.current!;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    setWidth(element.clientWidth);
    return () => observer.disconnect();
  }, []);
  const plot = useRef<uPlot>(null);
  const signature = useMemo(() => JSON.stringify(buckets), [buckets]);
  useEffect(() => {
    if (width === 0 || buckets.length === 0) return;
    const style = getComputedStyle(host.current!);
    const color = (name: string) => style.getPropertyValue(name).trim();
    // Index scale: every bucket is as wide as the others, however long it is.
    const xs = buckets.map((_, i) => i);
    const layers: number[][] = [];
    for (const p of parts[by]) layers.push(buckets.map((b, i) => countOf(b, p) + (layers[layers.length - 1]?.[i] ?? 0)));
    const bars = uPlot.paths.bars!({ size: [0.86, 60], align: 0 });
    const u = new uPlot(
      {
        width,
        height: 96,
        legend: { show: false },
        cursor: { y: false, points: { show: false }, drag: { x: true, y: false, setScale: false } },
        scales: { x: { time: false, range: [-0.6, xs.length - 0.4] }, y: { range: (_, __, max) => [0, Math.max(max, 1)] } },
        axes: [
          { stroke: color("--muted"), grid: { show: false }, ticks: { show: false }, size: 22, gap: 2, space: 74, incrs: [1, 2, 3, 4, 6, 7, 12, 14, 24, 28, 30, 48, 96, 168, 336], values: (_, at) => at.map((i) => label(buckets[i]?.from, buckets, times)) },
          { stroke: color("--muted"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false }, size: 44, space: 26, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6], values: (_, at) => at.map((n) => (n === 0 ? "" : number(n))) }, // a 0 would lie on the first day
        ],
        series: [{}, ...[...parts[by]].map((p, i) => ({ key: p, fill: color(`--part-${p || "none"}`), stroke: color(`--part-${p || "none"}`), width: 0, paths: bars, points: { show: false }, i })).reverse()],
        hooks: {
          setSelect: [
            (u: uPlot) => {
              if (u.select.width < 3) return;
              const a = Math.max(0, Math.round(u.posToVal(u.select.left, "x")));
              const b = Math.min(xs.length - 1, Math.round(u.posToVal(u.select.left + u.select.width, "x")));
              u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
              const { buckets, choose } = latest.current;
              if (buckets[a] && buckets[b]) choose(buckets[a].from, buckets[b].to);
            },
          ],
          setCursor: [(u: uPlot) => setHover(u.cursor.idx ?? null)],
        },
      },
      [xs, ...layers.reverse()] as uPlot.AlignedData,
      host.current!,
    );
    // A click without dragging chooses one bar; the one that ends a drag does not come.
    u.over.addEventListener("click", () => {
      const bar = latest.current.buckets[Math.round(u.posToVal(u.cursor.left ?? -1, "x"))];
      if (bar) latest.current.choose(bar.from, bar.to);
    });
    plot.current = u;
    return () => {
      u.destroy();
      plot.current = null;
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [signature, by, width, dark, theme, zoneName]);
  const [hover, setHover] = useState<number | null>(null);
  useEffect(() => {
    const u = plot.current;
    if (!u) return;
    if (!span) return u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    const [a, b] = [Math.min(span.at, span.from), Math.max(span.at, span.from)];
    const left = u.valToPos(a - 0.5, "x");
    u.setSelect({ left, top: 0, width: u.valToPos(b + 0.5, "x") - left, height: u.over.clientHeight }, false);
  }, [span, signature, width]);
  const onKey = (e: KeyboardEvent) => {
    const n = buckets.length;
    if (n === 0 || e.ctrlKey || e.metaKey || e.altKey) return;
    const by: Record<string, number> = { ArrowRight: 1, ArrowLeft: -1, Home: -n, End: n }; // time goes to the right everywhere, see .plot
    if (e.key in by) {
      const at = Math.max(0, Math.min(n - 1, span ? span.at + by[e.key]! : e.key === "Home" ? 0 : n - 1));
      setSpan({ at, from: e.shiftKey && span ? span.from : at });
    } else if (e.key === "Enter" && span) {
      const [a, b] = [Math.min(span.at, span.from), Math.max(span.at, span.from)];
      choose(buckets[a]!.from, buckets[b]!.to);
      setSpan(null);
    } else if (e.key === "Escape" && span) setSpan(null);
    else return;
    e.preventDefault();
    e.stopPropagation();
  };
  const shown = span ? { a: Math.min(span.at, span.from), b: Math.max(span.at, span.from) } : hover !== null ? { a: hover, b: hover } : null;
  const said = shown && buckets[shown.a] && buckets[shown.b]
    ? t("histogram_at", { from: times.short(new Date(buckets[shown.a]!.from)), to: times.short(new Date(buckets[shown.b]!.to)), n: buckets.slice(shown.a, shown.b + 1).reduce((s, b) => s + b.count, 0) })
    : "";
  return (
    <div className="chart">
      <div
        ref={host}
        className="plot"
        role="application"
        aria-roledescription={t("histogram")}
        aria-label={t("histogram_keys")}
        tabIndex={0}
        onKeyDown={onKey}
        onBlur={() => setSpan(null)}
      />
      <p className="said" aria-live={span ? "polite" : "off"}>{said}</p>
    </div>
  );
}

function label(from: string | undefined, buckets: Buckets, times: ReturnType<typeof useTimes>): string {
  if (!from) return "";
  const d = new Date(from);
  const hours = buckets.length > 1 && Date.parse(buckets[1]!.to) - Date.parse(buckets[1]!.from) < 12 * 3600e3;
  return hours ? times.tickHour(d) : times.tick(d);
}

function Table({ buckets, by, choose }: ChartProps) {
  const { t, number } = useText();
  const times = useTimes();
  const name = usePartName(by);
  return (
    <div className="histogram-table" tabIndex={0} role="region" aria-label={t("histogram_table")}>
      <table>
        <thead>
          <tr>
            <th scope="col">{t("column_time")}</th>
            {parts[by].map((p) => <th scope="col" key={p}>{name(p)}</th>)}
            <th scope="col">{t("all")}</th>
          </tr>
        </thead>
        <tbody>
          {buckets.map((b) => (
            <tr key={b.from}>
              <th scope="row"><Button className="link" onPress={() => choose(b.from, b.to)}>{times.short(new Date(b.from))}</Button></th>
              {parts[by].map((p) => <td key={p}>{number(countOf(b, p))}</td>)}
              <td>{number(b.count)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Whether the system is dark; the chart is painted, not styled. */
function useDark(): boolean {
  const query = useMemo(() => matchMedia("(prefers-color-scheme: dark)"), []);
  const [dark, setDark] = useState(query.matches);
  useEffect(() => {
    const listen = () => setDark(query.matches);
    query.addEventListener("change", listen);
    return () => query.removeEventListener("change", listen);
  }, [query]);
  return dark;
}
