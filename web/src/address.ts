// What is searched stands in the address bar, under the API's names: a link says the same
// to everybody, and the back button takes a step back.

/** The filters and settings of a search, as the API reads them. */
export type Search = Readonly<Record<string, readonly string[]>>;

/** The names of filters whose values people can add and exclude, in the order of the page. */
export const filterNames = [
  "user", "actor", "target", "on_behalf_of", "category", "action", "outcome", "course", "class", "any", "actor_kind", "channel",
  "request_method", "response_code", "response_url", "request_content_type", "ip", "batch", "request_id",
] as const;
export type FilterName = (typeof filterNames)[number];

/** Settings are of the whole search: one value each. */
export const settingNames = ["user_role", "near", "range", "from", "to", "tz", "missing_days"] as const;
export type SettingName = (typeof settingNames)[number];

const known: readonly string[] = [...filterNames, ...settingNames];

/** Filters whose values the API separates at commas. */
export const lists: readonly string[] = ["category", "action", "outcome", "actor_kind", "channel", "request_method", "response_code", "ip"];

/** Reads an address; q is left for the API to read. */
export function parse(query: string): Search {
  const found: Record<string, string[]> = {};
  for (const [name, value] of new URLSearchParams(query)) {
    if (!known.includes(name) && name !== "q") continue;
    const values = lists.includes(name) ? value.split(/(?<!\\),/) : [value];
    for (const v of values.map((x) => x.trim()).filter(Boolean)) (found[name] ??= []).push(v);
  }
  return found;
}

/** Writes an address: the same search has the same address, whoever made it. */
export function format(s: Search): string {
  const p = new URLSearchParams();
  for (const name of [...known, "q"]) for (const v of s[name] ?? []) p.append(name, v);
  return p.toString();
}

/** A value as it stands in a parameter: excluded or not, a comma of its own where commas separate. */
export function written(name: string, value: string, not: boolean): string {
  const text = lists.includes(name) ? value.replaceAll(",", "\\,") : value;
  if (not) return `-${text}`;
  return text.startsWith("-") ? `\\${text}` : text;
}

/** Reads what written writes. */
export function readValue(name: string, value: string): { text: string; not: boolean } {
  if (lists.includes(name)) value = value.replaceAll("\\,", ",");
  if (value.startsWith("\\-")) return { text: value.slice(1), not: false };
  if (value.startsWith("-")) return { text: value.slice(1), not: true };
  return { text: value, not: false };
}

const put = (s: Search, name: string, values: readonly string[]): Search => {
  const { [name]: _, ...rest } = s;
  return values.length > 0 ? { ...rest, [name]: values } : rest;
};

/** Adds a value to a filter; the same one excluded goes. */
export function add(s: Search, name: FilterName, text: string, not = false): Search {
  const others = (s[name] ?? []).filter((v) => readValue(name, v).text !== text);
  return put(s, name, [...others, written(name, text, not)]);
}

export function remove(s: Search, name: string, value: string): Search {
  return put(s, name, (s[name] ?? []).filter((v) => v !== value));
}

/** Turns a value into its opposite. */
export function negate(s: Search, name: string, value: string): Search {
  const { text, not } = readValue(name, value);
  return put(s, name, (s[name] ?? []).map((v) => (v === value ? written(name, text, !not) : v)));
}

/** Sets all values of a name; none removes it. */
export function set(s: Search, name: FilterName | SettingName, ...values: (string | undefined)[]): Search {
  return put(s, name, values.filter((v): v is string => v !== undefined && v !== ""));
}

/** Sets the time: a range, or from and to. */
export function setTime(s: Search, time: { range?: string; from?: string; to?: string; tz?: string }): Search {
  const dated = /^\d{4}-\d\d-\d\d$/.test(time.from ?? "") || /^\d{4}-\d\d-\d\d$/.test(time.to ?? "");
  return set(set(set(set(s, "range", time.range), "from", time.from), "to", time.to), "tz", dated ? time.tz : undefined);
}

/** Days without a time are days somewhere: whoever reads an address that does not say where, means their own. */
export function inZone(s: Search, zone: string): Search {
  const days = [...(s.from ?? []), ...(s.to ?? [])].some((x) => /^\d{4}-\d\d-\d\d$/.test(x) || /\/[dwMy]$/.test(x));
  return days && !s.tz ? set(s, "tz", zone) : s;
}

/** The filters that the API read out of a text. */
export const ofFilters = (filters: Record<string, readonly string[]>): Search => parse(new URLSearchParams(Object.entries(filters).flatMap(([n, vs]) => vs.map((v) => [n, v]))).toString());

/** The time of a search alone. */
export function timeOf(s: Search): Search {
  let t: Search = {};
  for (const name of ["range", "from", "to", "tz"] as const) t = set(t, name, ...(s[name] ?? []));
  return t;
}

export const hasFilters = (s: Search): boolean => filterNames.some((n) => (s[n]?.length ?? 0) > 0);

export const actionsPath = (institution: string, s: Search = {}): string => withQuery(`/institutions/${encodeURIComponent(institution)}/actions`, s);

export const actionPath = (institution: string, id: string, day: string, s: Search = {}): string => {
  const q = format(s);
  return `/institutions/${encodeURIComponent(institution)}/actions/${encodeURIComponent(id)}?day=${day}${q && "&" + q}`;
};

/** Where older data is asked for: the days that are searched are filled in. */
export function restoresPath(institution: string, s: Search = {}, days?: { from: string; to: string }): string {
  const day = (x?: string) => (/^\d{4}-\d\d-\d\d/.exec(x ?? "") ?? [undefined])[0];
  return withQuery(`/institutions/${encodeURIComponent(institution)}/restores`, set(set({}, "from", days?.from ?? day(s.from?.[0])), "to", days?.to ?? day(s.to?.[0])));
}

function withQuery(path: string, s: Search): string {
  const q = format(s);
  return q ? `${path}?${q}` : path;
}
