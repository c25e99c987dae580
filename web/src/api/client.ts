// The only place that speaks HTTP. The page is a client of the public API.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema";

/** A problem (RFC 9457) that the API answered, or that there was no answer: status 0. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly problem: Problem,
    readonly retryAfter?: number,
    /** In which language the problem is told. */
    readonly language = "en",
  ) {
    super(problem.detail || problem.title || `status ${status}`);
  }
}

/** Whether it may be another answer later, to the same question. */
export const passing = (e: Error): boolean => e instanceof ApiError && [0, 429, 502, 503, 504].includes(e.status);

export interface Problem {
  title?: string;
  detail?: string;
  parameter?: string;
  pointer?: string;
  /** 1-based, in Unicode characters: where in q the mistake is. */
  column?: number;
  length?: number;
}

type Listener = () => void;
const onUnauthorized = new Set<Listener>();

/** Calls listen whenever the API says that nobody is signed in (any more). */
export function whenSignedOut(listen: Listener): () => void {
  onUnauthorized.add(listen);
  return () => void onUnauthorized.delete(listen);
}

/** Asks whether somebody is signed in still; who is not, is told. It never fails. */
export async function stillSignedIn(): Promise<void> {
  const answer = await fetch("/v1/session").catch(() => undefined); // no answer is none about the session
  if (answer?.status === 401) onUnauthorized.forEach((listen) => listen());
}

async function send(request: Request): Promise<Response> {
  let response: Response;
  request.headers.set("Accept-Language", document.documentElement.lang);
  try {
    response = await fetch(request);
  } catch (e) {
    if (request.signal.aborted) throw e;
    throw new ApiError(0, { title: "offline" });
  }
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({ title: response.statusText }));
  if (response.status === 401 && !request.url.endsWith("/v1/session")) onUnauthorized.forEach((listen) => listen());
  throw new ApiError(response.status, problem as Problem, Number(response.headers.get("Retry-After")) || undefined, response.headers.get("Content-Language") ?? undefined);
}

const client = createClient<paths>({ baseUrl: "", fetch: send });

/** What a call returned; every other status is an ApiError. */
async function data<T>(answer: Promise<{ data?: T }>): Promise<T> {
  return (await answer).data as T;
}

export type Query = Record<string, string | string[] | number | undefined>;

/** What the types cannot say: that a search's parameters are decided at run time. */
function anyQuery(query: Query): never {
  return query as never;
}

const of = (institution: string, query: Query = {}) => ({ path: { institution }, query: anyQuery(query) });

/** All pages of a list that is never long. */
async function everything<T>(get: (page: Query) => Promise<{ data: T[]; page: { next: string | null } }>): Promise<{ data: T[] }> {
  const all: T[] = [];
  for (let cursor: string | undefined; ; ) {
    const answer = await get({ limit: 1000, cursor });
    all.push(...answer.data);
    if (answer.page.next === null) return { data: all };
    cursor = answer.page.next;
  }
}

type NewSearch = components["schemas"]["NewSearch"];

export const api = {
  about: () => data(client.GET("/v1/about")),
  session: () => data(client.GET("/v1/session")),
  signIn: (token: string) => data(client.POST("/v1/session", { body: { token } })),
  signOut: () => data(client.DELETE("/v1/session")),
  institutions: () => data(client.GET("/v1/institutions")),
  actionTypes: () => data(client.GET("/v1/action-types")),
  endSupport: (institution: string) => data(client.DELETE("/v1/support/{of}", { params: { path: { of: institution } } })),
  takeUp: (body: { institution: string; reason: string; until: string }) => data(client.POST("/v1/support", { body })),

  actions: (institution: string, query: Query, signal?: AbortSignal) =>
    data(client.GET("/v1/institutions/{institution}/actions", { params: of(institution, query), signal })),
  /** The text of the answer: a number of a publisher's may have more digits than JavaScript's have. */
  action: (institution: string, id: string, day?: string): Promise<string> =>
    data(client.GET("/v1/institutions/{institution}/actions/{id}", { params: { path: { institution, id }, query: day ? { day } : {} }, parseAs: "text" })) as Promise<string>,
  proof: (institution: string, id: string, day?: string) =>
    data(client.GET("/v1/institutions/{institution}/actions/{id}/proof", { params: { path: { institution, id }, query: day ? { day } : {} } })),
  histogram: (institution: string, query: Query, signal?: AbortSignal) =>
    data(client.GET("/v1/institutions/{institution}/histogram", { params: of(institution, query), signal })),
  facets: (institution: string, query: Query, signal?: AbortSignal) =>
    data(client.GET("/v1/institutions/{institution}/facets", { params: of(institution, query) as never, signal })),
  lookup: (institution: string, what: "people" | "courses" | "classes", q: string, signal?: AbortSignal) =>
    data(client.GET(`/v1/institutions/{institution}/${what}`, { params: { path: { institution }, query: { q } }, signal })),
  query: (institution: string, query: Query, signal?: AbortSignal) =>
    data(client.GET("/v1/institutions/{institution}/query", { params: of(institution, query), signal })),
  completions: (institution: string, q: string, at: number, signal?: AbortSignal) =>
    data(client.GET("/v1/institutions/{institution}/completions", { params: of(institution, { q, at }), signal })),

  exports: (institution: string) => everything((page) => data(client.GET("/v1/institutions/{institution}/exports", { params: of(institution, page) }))),
  createExport: (institution: string, body: { format: "csv" | "json" | "ndjson" | "ecs"; filter: Record<string, string[]> }) =>
    data(client.POST("/v1/institutions/{institution}/exports", { params: { path: { institution } }, body: { order: "newest", bom: body.format === "csv", ...body } })),
  export: (institution: string, id: string) => data(client.GET("/v1/institutions/{institution}/exports/{id}", { params: { path: { institution, id } } })),
  dropExport: (institution: string, id: string) =>
    data(client.DELETE("/v1/institutions/{institution}/exports/{id}", { params: { path: { institution, id } } })),

  searches: (institution: string) => data(client.GET("/v1/institutions/{institution}/searches", { params: { path: { institution } } })),
  savedSearch: (institution: string, id: string) => data(client.GET("/v1/institutions/{institution}/searches/{id}", { params: { path: { institution, id } } })),
  saveSearch: (institution: string, body: NewSearch) => data(client.POST("/v1/institutions/{institution}/searches", { params: { path: { institution } }, body })),
  changeSearch: (institution: string, id: string, body: NewSearch) => data(client.PUT("/v1/institutions/{institution}/searches/{id}", { params: { path: { institution, id } }, body })),
  dropSearch: (institution: string, id: string) => data(client.DELETE("/v1/institutions/{institution}/searches/{id}", { params: { path: { institution, id } } })),

  webhooks: (institution: string) => data(client.GET("/v1/institutions/{institution}/webhooks", { params: { path: { institution } } })),
  createWebhook: (institution: string, body: { name: string; url: string; events: "actions" | "alerts" }) => data(client.POST("/v1/institutions/{institution}/webhooks", { params: { path: { institution } }, body })),
  stepWebhook: (institution: string, id: string, step: "pause" | "resume") => data(client.POST(`/v1/institutions/{institution}/webhooks/{id}/${step}`, { params: { path: { institution, id } } })),
  testWebhook: (institution: string, id: string) => data(client.POST("/v1/institutions/{institution}/webhooks/{id}/test", { params: { path: { institution, id } } })),
  rotateWebhook: (institution: string, id: string) => data(client.POST("/v1/institutions/{institution}/webhooks/{id}/rotate", { params: { path: { institution, id } }, body: {} })),
  dropWebhook: (institution: string, id: string) => data(client.DELETE("/v1/institutions/{institution}/webhooks/{id}", { params: { path: { institution, id } } })),

  restores: (institution: string) => everything((page) => data(client.GET("/v1/institutions/{institution}/restores", { params: of(institution, page) }))),
  allRestores: () => everything((page) => data(client.GET("/v1/restores", { params: { query: anyQuery(page) } }))),
  createRestore: (institution: string, body: { from: string; to?: string; reason: string; filter?: Record<string, string[]> }) =>
    data(client.POST("/v1/institutions/{institution}/restores", { params: { path: { institution } }, body })),
  stepRestore: (institution: string, id: string, step: "grant" | "decline" | "renew", reason: string) =>
    data(client.POST(`/v1/institutions/{institution}/restores/{id}/${step}`, { params: { path: { institution, id } }, body: { reason } })),
  dropRestore: (institution: string, id: string, reason: string) =>
    data(client.DELETE("/v1/institutions/{institution}/restores/{id}", { params: { path: { institution, id } }, body: { reason } })),
};

/** The address of a call, for links, downloads and curl. */
export function address(path: string, query: Query = {}): string {
  const p = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const v of Array.isArray(value) ? value : [value]) if (v !== undefined && v !== "") p.append(name, String(v));
  }
  const q = p.toString();
  return q ? `${path}?${q}` : path;
}
