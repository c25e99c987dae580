// The filters as controls. They say the same as the box, the chips and the address.
import { useEffect, useRef, useState, type ReactNode } from "react";
import { Button, Checkbox, CheckboxGroup, Dialog, DialogTrigger, Form, Input, Label, Popover, Radio, RadioGroup, SearchField, TextField } from "react-aria-components";
import { add, readValue, set, written, type FilterName, type Search } from "../address";
import { useCatalogue } from "../labels";
import { useText } from "../locale/text";
import { Icon, type IconName } from "../parts";
import { TimePicker } from "../time/picker";
import { Chip } from "./chips";
import { Picker } from "./picker";

interface Props {
  institution: string;
  search: Search;
  change: (s: Search) => void;
}

const people = ["user", "actor", "target", "on_behalf_of"] as const;

export function Controls(p: Props) {
  const { t } = useText();
  return (
    <div className="controls" role="group" aria-label={t("filters")}>
      <TimePicker search={p.search} change={p.change} />
      <Drop label={t("filter_user")} icon="user" on={people.flatMap((n) => p.search[n] ?? [])}>
        {(close) => <People {...p} close={close} />}
      </Drop>
      <Drop label={t("filter_category")} on={p.search.category}>
        {() => <Several {...p} name="category" values={["institution", "course", "api"]} />}
      </Drop>
      <Drop label={t("filter_action")} on={p.search.action}>
        {() => <Actions {...p} />}
      </Drop>
      <Drop label={t("filter_course")} on={p.search.course}>
        {(close) => <><Already {...p} names={["course"]} /><Picker {...p} what="courses" name="course" close={close} /></>}
      </Drop>
      <Drop label={t("filter_class")} on={p.search.class}>
        {(close) => <><Already {...p} names={["class"]} /><Picker {...p} what="classes" name="class" close={close} /></>}
      </Drop>
      <Drop label={t("filter_outcome")} on={p.search.outcome}>
        {() => <Several {...p} name="outcome" values={["success", "failure", "unknown"]} />}
      </Drop>
      <Drop label={t("filter_request")} on={requestFilters.flatMap((n) => p.search[n] ?? [])}>
        {(close) => <RequestFilters {...p} close={close} />}
      </Drop>
      <Drop label={t("filter_more")} on={moreFilters.flatMap((n) => p.search[n] ?? [])}>
        {(close) => <MoreFilters {...p} close={close} />}
      </Drop>
    </div>
  );
}

/** What is set already, to be turned or removed: a panel says the same as the chips. */
function Already({ search, change, names, but = () => false }: Omit<Props, "institution"> & { names: readonly FilterName[]; but?: (name: FilterName, value: string) => boolean }) {
  const { t } = useText();
  const all = names.flatMap((name) => (search[name] ?? []).filter((value) => !but(name, value)).map((value) => ({ name, value })));
  if (all.length === 0) return null;
  return (
    <ul className="chips" aria-label={t("chips")}>
      {all.map(({ name, value }) => <Chip key={`${name}=${value}`} {...{ search, change, name, value }} say={readValue(name, value).text} />)}
    </ul>
  );
}

/** Values that a list of boxes shows as ticked. */
const ticked = (name: FilterName, value: string) => !readValue(name, value).not;

/** A button that opens a small dialog, and says how many values are set. */
function Drop({ label, on, icon, children }: { label: string; on?: readonly string[]; icon?: IconName; children: (close: () => void) => ReactNode }) {
  const n = on?.length ?? 0;
  return (
    <DialogTrigger>
      <Button className={n > 0 ? "control on" : "control"}>
        {icon && <Icon name={icon} />} {label} {n > 0 && <span className="count">{n}</span>} <Icon name="down" />
      </Button>
      <Popover className="popover" placement="bottom start">
        <Dialog className="dialog" aria-label={label}>{({ close }) => children(close)}</Dialog>
      </Popover>
    </DialogTrigger>
  );
}

const included = (s: Search, name: FilterName) => (s[name] ?? []).map((v) => readValue(name, v)).filter((v) => !v.not).map((v) => v.text);
const excluded = (s: Search, name: FilterName) => (s[name] ?? []).filter((v) => readValue(name, v).not);

const setIncluded = (s: Search, name: FilterName, texts: string[]) => set(s, name, ...texts.map((x) => written(name, x, false)), ...excluded(s, name));

function Several({ search, change, name, values }: Props & { name: FilterName; values: string[] }) {
  const { t, maybe } = useText();
  return (
    <>
    <Already search={search} change={change} names={[name]} but={ticked} />
    <CheckboxGroup className="checks" value={included(search, name)} onChange={(v) => change(setIncluded(search, name, v))}>
      <Label>{t(`filter_${name}`)}</Label>
      {values.map((v) => <Check key={v} value={v}>{maybe(`${name}_${v}`) ?? v}</Check>)}
    </CheckboxGroup>
    </>
  );
}

function Check({ value, children }: { value: string; children: ReactNode }) {
  return (
    <Checkbox value={value} className="check">
      <span className="tick"><Icon name="check" /></span> <span>{children}</span>
    </Checkbox>
  );
}

function Actions({ search, change }: Props) {
  const { t, maybe } = useText();
  const [wanted, setWanted] = useState("");
  const catalogue = useCatalogue();
  const chosen = included(search, "action");
  const all = [...catalogue.map((c) => ({ code: c.code, label: maybe(`code_${c.code}`) ?? c.label, category: c.category as string }))];
  for (const code of chosen) if (!all.some((c) => c.code === code)) all.push({ code, label: code, category: code.split(".")[0]! });
  const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = all.filter((c) => words.every((w) => `${c.label} ${c.code}`.toLowerCase().includes(w)));
  return (
    <>
      <Already search={search} change={change} names={["action"]} but={ticked} />
      <SearchField value={wanted} onChange={setWanted} autoFocus aria-label={t("action_find")}>
        <Input placeholder={t("action_find")} />
      </SearchField>
      <CheckboxGroup className="checks scroll" aria-label={t("filter_action")} value={chosen} onChange={(v) => change(setIncluded(search, "action", v))}>
        {(["institution", "course", "api"] as const).map((category) => {
          const some = shown.filter((c) => c.category === category);
          return some.length > 0 && (
            <div key={category} role="group" aria-label={t(`category_${category}`)}>
              <div className="group-name">{t(`category_${category}`)}</div>
              {some.map((c) => <Check key={c.code} value={c.code}>{c.label}</Check>)}
            </div>
          );
        })}
        {shown.length === 0 && <p className="hint">{t("action_none")}</p>}
      </CheckboxGroup>
      <p className="hint">{t("action_api_hint")}</p>
    </>
  );
}



function People(p: Props & { close: () => void }) {
  const { t } = useText();
  const [role, setRole] = useState<(typeof people)[number]>("user");
  return (
    <>
      <RadioGroup className="roles" orientation="horizontal" value={role} onChange={(r) => setRole(r as typeof role)}>
        <Label>{t("user_as")}</Label>
        <div className="segments">{people.map((r) => <Radio key={r} value={r} className="segment">{t(`user_as_${r}`)}</Radio>)}</div>
      </RadioGroup>
      <Already {...p} names={people} />
      <Picker {...p} what="people" name={role} />
    </>
  );
}

const requestFilters: FilterName[] = ["request_method", "response_code", "response_url", "request_content_type"];

function RequestFilters({ search, change, close }: Props & { close: () => void }) {
  const { t } = useText();
  return (
    <>
      <CheckboxGroup className="checks across" value={included(search, "request_method")} onChange={(v) => change(setIncluded(search, "request_method", v))}>
        <Label>{t("filter_request_method")}</Label>
        <div className="segments">{["GET", "POST", "PUT", "PATCH", "DELETE"].map((m) => <Check key={m} value={m}>{m}</Check>)}</div>
      </CheckboxGroup>
      <Already search={search} change={change} names={requestFilters} but={(n, v) => n === "request_method" && ticked(n, v)} />
      <Texts search={search} change={change} close={close} names={["response_code", "response_url", "request_content_type"]} />
    </>
  );
}

const moreFilters: FilterName[] = ["any", "actor_kind", "channel", "ip", "batch", "request_id"];

function MoreFilters({ search, change, close, institution }: Props & { close: () => void }) {
  return (
    <>
      <Several institution={institution} search={search} change={change} name="actor_kind" values={["user", "staff", "api_key", "system", "anonymous"]} />
      <Already search={search} change={change} names={["any", "channel", "ip", "batch", "request_id"]} />
      <Texts search={search} change={change} close={close} names={["any", "channel", "ip", "batch", "request_id"]} />
    </>
  );
}

/** Filters that are texts: several are set at once, so that some can be combined before anything is searched. */
function Texts({ search, change, close, names }: Omit<Props, "institution"> & { names: FilterName[]; close: () => void }) {
  const { t } = useText();
  const [typed, setTyped] = useState<Partial<Record<FilterName, string>>>({});
  const set = () => {
    let s = latest.current.search;
    for (const n of names) {
      const text = latest.current.typed[n]?.trim();
      if (text) s = add(s, n, text);
    }
    if (s !== latest.current.search) latest.current.change(s);
    latest.current.typed = {};
  };
  const latest = useRef({ search, change, typed });
  latest.current = { search, change, typed };
  const take = () => {
    set();
    close();
  };
  // A click beside the panel closes it; what was typed into it is not lost.
  const leave = useRef(set);
  leave.current = set;
  useEffect(() => () => leave.current(), []);
  return (
    <Form
      onSubmit={(e) => {
        e.preventDefault();
        take();
      }}
    >
      {names.map((n) => (
        <TextField key={n} value={typed[n] ?? ""} onChange={(v) => setTyped({ ...typed, [n]: v })}>
          <Label>{t(`filter_${n}`)}</Label>
          <Input placeholder={t(`example_${n}` as "example_ip")} />
        </TextField>
      ))}
      <Button type="submit" className="button primary">{t("apply")}</Button>
    </Form>
  );
}
