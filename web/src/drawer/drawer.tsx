import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useRef, useState, type ReactNode, type RefObject } from "react";
import { Button, Menu, MenuItem, MenuTrigger, Popover } from "react-aria-components";
import { actionPath, add, setTime, timeOf, type FilterName, type Search } from "../address";
import { called, finds, read, type Action, type ActionRecord, type Person } from "../api/action";
import { address, api } from "../api/client";
import { useLabels } from "../labels";
import { Category, Outcome } from "../list/list";
import { useText, type Key } from "../locale/text";
import { Failed, Icon, Loading, type IconName } from "../parts";
import { Plain } from "../plain";
import { useSession } from "../session";
import { useTimes } from "../time/format";
import { Diff } from "./diff";
import { pretty } from "./pretty";
import { Proof } from "./proof";

interface Props {
  institution: string;
  id: string;
  day?: string;
  search: Search;
  restored: boolean;
  close: () => void;
  move: (by: number) => void;
  go: (s: Search) => void;
  /** Searches for something else, and stays with the action. */
  stay: (s: Search) => void;
  /** It covers the list: there is no room for both. */
  alone: boolean;
}

/** Everything about one action, beside the list. */
export function Drawer(p: Props) {
  const { t } = useText();
  const found = useQuery({ queryKey: ["action", p.institution, p.id, p.day], queryFn: () => api.action(p.institution, p.id, p.day), staleTime: 60_000 });
  const record = useMemo(() => (found.data === undefined ? undefined : (JSON.parse(found.data) as ActionRecord)), [found.data]);
  const a = record && read(record);
  const label = useLabels();
  const self = useRef<HTMLElement>(null);
  const { alone } = p;
  useEffect(() => {
    if (alone) self.current?.focus(); // what is behind takes no focus
  }, [alone]);
  useFocusKept(self, `${p.id} ${found.isPending}`);
  return (
    <section
      ref={self}
      tabIndex={-1}
      className="drawer"
      aria-label={t("details")}
      onKeyDown={(e) => {
        if (e.key === "Escape" && !e.defaultPrevented) {
          e.stopPropagation();
          p.close();
        }
      }}
    >
      <div className="drawer-bar">
        <Button className="quiet icon-only" aria-label={t("previous")} onPress={() => p.move(-1)}><Icon name="previous" /></Button>
        <Button className="quiet icon-only" aria-label={t("next")} onPress={() => p.move(1)}><Icon name="next" /></Button>
        <span className="spring" />
        <Copies {...p} record={record} text={found.data ?? ""} />
        <TakeAway {...p} />
        <Button className="quiet icon-only" aria-label={t("close")} onPress={p.close}><Icon name="close" /></Button>
      </div>
      {found.isPending && <Loading />}
      {found.error && <Failed error={found.error} retry={() => void found.refetch()} />}
      {a && record && (
        <div className="drawer-body" tabIndex={0}>
          <h2 aria-live="polite"><Plain>{label(a)}</Plain></h2>
          <p className="sentence"><Plain>{a.summary ?? sentence(a, label(a), t)}</Plain></p>
          <p className="line"><Category category={a.category} /> <Outcome a={a} /> {p.restored && <span className="badge">{t("restored")}</span>}</p>
          {a.reason && <p><Plain>{a.reason}</Plain></p>}
          {record.warnings?.map((w) => <p key={w} className="notice"><Plain>{w}</Plain></p>)}
          <Fields a={a} {...p} />
          {a.changes.length > 0 && <><h3>{t("change")}</h3><Diff changes={a.changes} /></>}
          <Around a={a} {...p} />
          <Proof key={`${record.day}/${record.id}`} institution={p.institution} record={record} />
          <Raw text={found.data!} />
        </div>
      )}
    </section>
  );
}

/** What had the focus may not be there for the next action: then the focus is where that is shown. */
function useFocusKept(self: RefObject<HTMLElement | null>, shown: string) {
  const first = useRef(true);
  useEffect(() => {
    if (!first.current && document.activeElement === document.body) self.current?.focus();
    first.current = false;
  }, [self, shown]);
}

function sentence(a: Action, label: string, t: (k: Key, v?: Record<string, string>) => string): string {
  const who = called(a.actor) ?? t(`kind_${(a.actor.kind ?? "anonymous") as "user"}`);
  const whom = called(a.targets[0]);
  return [t("sentence", { who, what: label }), whom && `→ ${whom}`, a.course?.title && `(${a.course.title})`].filter(Boolean).join(" ");
}

function Fields(p: Props & { a: Action }) {
  const times = useTimes();
  const { a } = p;
  return (
    <dl className="fields">
      <Field name="time"><time dateTime={a.at.toISOString()}>{times.long(a.at)}</time></Field>
      <Field name="actor"><PersonField {...p} person={a.actor} filter="actor" /></Field>
      {a.onBehalfOf && <Field name="on_behalf_of"><PersonField {...p} person={a.onBehalfOf} filter="user" /></Field>}
      {a.targets.map((x, i) => <Field key={i} name="target"><PersonField {...p} person={x} filter={isPerson(x) ? "target" : undefined} /></Field>)}
      {a.course && <Field name="course"><Text>{a.course.title}</Text> <Id>{a.course.id}</Id> <Same {...p} filter="course" value={a.course.id ? `id:${a.course.id}` : a.course.title} what="same_course" /></Field>}
      {a.class && <Field name="class"><Text>{a.class.title}</Text> <Id>{a.class.id}</Id> <Same {...p} filter="class" value={a.class.id ? `id:${a.class.id}` : a.class.title} what="same_class" /></Field>}
      <Field name="action"><code><Plain>{a.code}</Plain></code> <Same {...p} filter="action" value={a.code} what="same_action" /></Field>
      {a.request && (
        <Field name="request">
          <code className="wrap">{a.request.method} <Text>{a.request.url ?? a.request.route}</Text></code>
          {a.request.url && a.request.route && <div className="hint"><Plain>{a.request.route}</Plain></div>}
          {a.request.contentType && <div className="hint"><Plain>{a.request.contentType}</Plain></div>}
        </Field>
      )}
      {a.responseCode && <Field name="code"><code><Plain>{a.responseCode}</Plain></code></Field>}
      {(a.origin.ip || a.origin.channel || a.origin.userAgent) && (
        <Field name="origin">
          <Text>{a.origin.channel}</Text> {a.origin.ip && <><code><Plain>{a.origin.ip}</Plain></code> <Same {...p} filter="ip" value={a.origin.ip} what="same_ip" /></>}
          {a.origin.userAgent && <div className="hint wrap"><Plain>{a.origin.userAgent}</Plain></div>}
        </Field>
      )}
      {a.trace.request && <Field name="request_id"><Id>{a.trace.request}</Id> <Same {...p} filter="request_id" value={a.trace.request} what="same_request" near={a.at} /></Field>}
      {a.trace.batch && <Field name="batch"><Id>{a.trace.batch}</Id> <Same {...p} filter="batch" value={a.trace.batch} what="same_batch" near={a.at} /></Field>}
      {a.trace.session && <Field name="session"><Id>{a.trace.session}</Id></Field>}
      <Field name="id"><Id>{a.id}</Id></Field>
      <Field name="received"><time dateTime={a.receivedAt.toISOString()}>{times.long(a.receivedAt)}</time></Field>
    </dl>
  );
}

const isPerson = (x: Person) => x.kind === undefined || x.kind === "user" || x.kind === "person" || x.email !== undefined;

function Field({ name, children }: { name: string; children: ReactNode }) {
  const { t } = useText();
  return (
    <div className="field">
      <dt>{t(`field_${name}` as Key)}</dt>
      <dd>{children}</dd>
    </div>
  );
}

const Text = ({ children }: { children?: string }) => (children ? <Plain>{children}</Plain> : null);
const Id = ({ children }: { children?: string }) => (children ? <code className="id"><Plain>{children}</Plain></code> : null);

function PersonField(p: Props & { person: Person; filter?: FilterName }) {
  const { t } = useText();
  const { person } = p;
  const kind = person.kind as IconName | undefined;
  const known = kind && ["user", "staff", "api_key", "system", "anonymous"].includes(kind);
  return (
    <>
      {known && <span className={`kind ${kind}`} role="img" aria-label={t(`kind_${kind as "user"}`)}><Icon name={kind} /></span>} <strong><Text>{called(person) ?? (known ? t(`kind_${kind as "user"}`) : undefined)}</Text></strong>{" "}
      {known ? <span className="hint">{t(`kind_${kind as "user"}`)}</span> : kind && <span className="hint"><Text>{kind}</Text></span>}
      <div className="hint wrap">
        {person.name && person.email && <><Plain>{person.email}</Plain> </>}
        {person.external_id && <><span title={t("external_id")}><Id>{person.external_id}</Id></span> </>}
        <Id>{person.id}</Id> {person.roles?.map((r) => <span key={r} className="badge"><Plain>{r}</Plain></span>)}
      </div>
      {p.filter && <Same {...p} filter={p.filter} value={finds(person)} what={p.filter === "target" ? "same_target" : p.filter === "actor" ? "same_actor" : "same_person"} />}
    </>
  );
}

/** A click away: what else has the same value, at the time that is searched. */
function Same({ search, go, filter, value, what, near }: Props & { filter: FilterName; value?: string; what: Key; near?: Date }) {
  const { t } = useText();
  if (!value) return null;
  return <Button className="link same" onPress={() => go(add(near ? between(near, day, day) : timeOf(search), filter, value))}>{t(what)}</Button>;
}

const minute = 60e3;
const day = 24 * 60 * minute;

/** The time from so long before an instant until so long after. */
const between = (at: Date, before: number, after: number): Search => setTime({}, { from: new Date(at.getTime() - before).toISOString(), to: new Date(at.getTime() + after + 1).toISOString() });

/** What happened shortly before and after. */
function Around({ a, stay }: Props & { a: Action }) {
  const { t } = useText();
  const near = (before: number, after: number) => stay(between(a.at, before * minute, after * minute));
  return (
    <p className="line around">
      <Button className="button small" onPress={() => near(15, 0)}>{t("around_before")}</Button>
      <Button className="button small" onPress={() => near(15, 15)}>{t("around_both")}</Button>
      <Button className="button small" onPress={() => near(0, 15)}>{t("around_after")}</Button>
    </p>
  );
}

function Raw({ text }: { text: string }) {
  const { t } = useText();
  const [open, setOpen] = useState(false);
  return (
    <details className="raw" onToggle={(e) => setOpen(e.currentTarget.open)}>
      <summary>{t("raw")}</summary>
      {open && <pre tabIndex={0} dir="ltr"><Plain lines>{pretty(text)}</Plain></pre>}
    </details>
  );
}

function Copies({ institution, id, day, record, search, text }: Props & { record?: ActionRecord; text: string }) {
  const { t } = useText();
  const [said, setSaid] = useState("");
  useEffect(() => {
    const timer = setTimeout(() => setSaid(""), 2500);
    return () => clearTimeout(timer);
  }, [said]);
  const link = location.origin + actionPath(institution, id, record?.day ?? day ?? "", search);
  const call = location.origin + address(`/v1/institutions/${encodeURIComponent(institution)}/actions/${encodeURIComponent(id)}`, { day: record?.day ?? day });
  const texts: Record<string, string> = {
    link,
    json: pretty(text),
    curl: `curl -H "Authorization: Bearer $ACTIONLOG_TOKEN" '${call.replaceAll("'", "'\\''")}'`,
  };
  const copy = async (what: string) => {
    try {
      await navigator.clipboard.writeText(texts[what]!);
      setSaid(t("copied"));
    } catch {
      setSaid(t("copy_failed"));
    }
  };
  return (
    <>
      <span role="status" className="hint">{said}</span>
      <MenuTrigger>
        <Button className="quiet" aria-label={t("copy")}><Icon name="copy" /> {t("copy")}</Button>
        <Popover className="popover">
          <Menu className="menu" disabledKeys={record ? [] : ["json"]} onAction={(key) => void copy(String(key))}>
            <MenuItem id="link">{t("copy_link")}</MenuItem>
            <MenuItem id="json">{t("copy_json")}</MenuItem>
            <MenuItem id="curl">{t("copy_curl")}</MenuItem>
          </Menu>
        </Popover>
      </MenuTrigger>
    </>
  );
}

/** One action as a file. */
function TakeAway({ institution, id, day }: Props) {
  const { t } = useText();
  const { has } = useSession();
  if (!has(["admin", "support", "compliance"], institution)) return null;
  const at = (format: string) => address(`/v1/institutions/${encodeURIComponent(institution)}/actions/${encodeURIComponent(id)}/export`, { format, day });
  return (
    <MenuTrigger>
      <Button className="quiet" aria-label={t("export_one")}><Icon name="export" /></Button>
      <Popover className="popover">
        <Menu className="menu">
          {["csv", "json", "ndjson", "ecs"].map((f) => <MenuItem key={f} href={at(f)} download="">{f.toUpperCase()}</MenuItem>)}
        </Menu>
      </Popover>
    </MenuTrigger>
  );
}

