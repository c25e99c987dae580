// An action as the page reads it. The document is the publisher's: every member may be
// absent or of another type than the format says, with a warning beside it.

export interface ActionRecord {
  id: string;
  day: string;
  received_at: string;
  position: string;
  warnings?: string[];
  actor_masked?: boolean;
  document: Document;
}

export interface Document {
  [member: string]: unknown;
  id: string;
  occurred_at: string;
}

export interface Person {
  kind?: string;
  id?: string;
  name?: string;
  email?: string;
  external_id?: string;
  roles?: string[];
}

export interface Titled {
  id?: string;
  title?: string;
}

export interface Change {
  field: string;
  before?: unknown;
  after?: unknown;
}

type Fields = { [member: string]: unknown };

const object = (v: unknown): Fields => (v !== null && typeof v === "object" && !Array.isArray(v) ? (v as Fields) : {});
const text = (v: unknown): string | undefined => (typeof v === "string" && v !== "" ? v : typeof v === "number" ? String(v) : undefined);

function person(v: unknown): Person | undefined {
  const o = object(v);
  const roles = Array.isArray(o.roles) ? o.roles.filter((r): r is string => typeof r === "string") : undefined;
  const p: Person = { kind: text(o.kind), id: text(o.id), name: text(o.name), email: text(o.email), external_id: text(o.external_id), roles };
  return p.kind || p.id || p.name || p.email || p.external_id ? p : undefined;
}

function titled(v: unknown): Titled | undefined {
  const t: Titled = { id: text(object(v).id), title: text(object(v).title) };
  return t.id || t.title ? t : undefined;
}

/** What the page shows of an action. */
export interface Action {
  id: string;
  day: string;
  at: Date;
  receivedAt: Date;
  category: string;
  code: string;
  label?: string;
  outcome?: string;
  reason?: string;
  actor: Person;
  onBehalfOf?: Person;
  targets: Person[];
  course?: Titled;
  class?: Titled;
  changes: Change[];
  request?: { method?: string; url?: string; route?: string; contentType?: string };
  responseCode?: string;
  origin: { ip?: string; userAgent?: string; channel?: string };
  trace: { request?: string; session?: string; batch?: string };
  summary?: string;
}

/** Reads a record; what is of another type than it should be is as if it were absent. */
export function read(r: ActionRecord): Action {
  const d = r.document as Fields;
  const request = object(d.request);
  const origin = object(d.origin);
  const trace = object(d.trace);
  const list = (v: unknown): unknown[] => (Array.isArray(v) ? v : []);
  return {
    id: r.id,
    day: r.day,
    at: new Date(r.document.occurred_at),
    receivedAt: new Date(r.received_at),
    category: d.category === "portal" ? "institution" : (text(d.category) ?? ""),
    code: text(object(d.action).code) ?? "",
    label: text(object(d.action).label),
    outcome: text(d.outcome),
    reason: text(d.reason),
    actor: person(d.actor) ?? {},
    onBehalfOf: person(d.on_behalf_of),
    targets: list(d.targets).map(person).filter((p) => p !== undefined),
    course: titled(d.course),
    class: titled(d.class),
    changes: list(d.changes).map((c) => ({ field: text(object(c).field) ?? "", before: object(c).before, after: object(c).after })),
    request: d.request ? { method: text(request.method), url: text(request.url), route: text(request.route), contentType: text(request.content_type) } : undefined,
    responseCode: text(object(d.response).code),
    origin: { ip: text(origin.ip), userAgent: text(origin.user_agent), channel: text(origin.channel) },
    trace: { request: text(trace.request_id), session: text(trace.session_id), batch: text(trace.batch_id) },
    summary: text(d.summary),
  };
}

/** What somebody is called: the name, else the address, else an ID. */
export function called(p: Person | undefined): string | undefined {
  return p && (p.name ?? p.email ?? p.external_id ?? p.id);
}

/** What finds somebody again: the ID where there is one. */
export function finds(p: Person): string | undefined {
  const id = p.id ?? p.external_id;
  return id ? `id:${id}` : (p.email ?? p.name);
}
