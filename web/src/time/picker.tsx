import { fromDate, parseZonedDateTime, toZoned, parseDateTime } from "@internationalized/date";
import { useState } from "react";
import { Button, Dialog, DialogTrigger, Form, Input, Label, Popover, TextField } from "react-aria-components";
import { setTime, type Search } from "../address";
import { useText } from "../locale/text";
import { Icon } from "../parts";
import { useSettings } from "../settings";

const ranges = ["7d", "30d", "90d"] as const;

/** What the time of a search is called. */
export function useTimeName(): (s: Search) => string {
  const { t } = useText();
  const { zoneName } = useSettings();
  return (s) => {
    const range = s.range?.[0];
    const from = s.from?.[0];
    const to = s.to?.[0];
    if (range) return t(`range_${range as "7d"}`);
    if (!from && !to) return t("range_7d");
    const said = (x: string) => {
      if (!/T/.test(x)) return x.replace(/^now-(\d+)([smhdw])$/, (_, n: string, unit: string) => t(`ago_${unit as "d"}`, { n: Number(n) })).replace(/^now$/, t("now"));
      const d = new Date(x);
      return Number.isNaN(d.getTime()) ? x : fromDate(d, zoneName).toString().slice(0, 16).replace("T", " ");
    };
    return t(from && to ? "range_between" : from ? "range_since" : "range_until", { from: from ? said(from) : "", to: to ? said(to) : "" });
  };
}

/** Date and time of an instant, as fields of a form have them. */
function fieldsOf(text: string | undefined, zone: string): { date: string; time: string } {
  if (!text) return { date: "", time: "" };
  if (/^\d{4}-\d\d-\d\d$/.test(text)) return { date: text, time: "" };
  const relative = /^now-(\d+)([smhdw])$/.exec(text);
  const seconds = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 } as Record<string, number>;
  const instant = relative ? new Date(Date.now() - Number(relative[1]) * seconds[relative[2]!]! * 1000) : text === "now" ? new Date() : new Date(text);
  if (Number.isNaN(instant.getTime())) return { date: "", time: "" };
  const z = fromDate(instant, zone).toString();
  return { date: z.slice(0, 10), time: z.slice(11, 16) };
}

/** What the fields mean, as the API reads it: a date, or an instant with its offset. */
export function boundOf(date: string, time: string, zone: string): string | undefined {
  if (!date) return undefined;
  if (!time) return date;
  const z = toZoned(parseDateTime(`${date}T${time}`), zone);
  return parseZonedDateTime(z.toString()).toAbsoluteString().replace(".000Z", "Z");
}

export function TimePicker({ search, change }: { search: Search; change: (s: Search) => void }) {
  const { t } = useText();
  const name = useTimeName()(search);
  return (
    <DialogTrigger>
      <Button className="control time on">
        <Icon name="time" /> {name} <Icon name="down" />
      </Button>
      <Popover className="popover" placement="bottom start">
        <Dialog className="dialog" aria-label={t("time_range")}>
          {({ close }) => <Form_ search={search} change={change} close={close} />}
        </Dialog>
      </Popover>
    </DialogTrigger>
  );
}

function Form_({ search, change, close }: { search: Search; change: (s: Search) => void; close: () => void }) {
  const { t } = useText();
  const { zoneName } = useSettings();
  const zone = search.tz?.[0] ?? zoneName;
  const [from, setFrom] = useState(() => fieldsOf(search.from?.[0], zone));
  const [to, setTo] = useState(() => fieldsOf(search.to?.[0], zone));
  const chosen = search.range?.[0] ?? (search.from || search.to ? undefined : "7d");
  const wrong = from.date !== "" && to.date !== "" && `${from.date}T${from.time || "00:00"}` >= `${to.date}T${to.time || "24:00"}`;
  return (
    <>
      <div className="segments" role="group" aria-label={t("time_range")}>
        {ranges.map((r, i) => (
          <Button
            key={r}
            autoFocus={i === 0}
            className="segment"
            aria-pressed={chosen === r}
            onPress={() => {
              change(setTime(search, { range: r }));
              close();
            }}
          >
            {t(`range_${r}`)}
          </Button>
        ))}
      </div>
      <Form
        className="custom-time"
        onSubmit={(e) => {
          e.preventDefault();
          if (wrong || (!from.date && !to.date)) return;
          change(setTime(search, { from: boundOf(from.date, from.time, zone), to: boundOf(to.date, to.time, zone), tz: zone }));
          close();
        }}
      >
        <div className="group-name">{t("time_custom")} <span className="hint">{zone}</span></div>
        <Bound label={t("time_from")} value={from} set={setFrom} />
        <Bound label={t("time_to")} value={to} set={setTo} />
        <p className="hint">{t("time_hint")}</p>
        {wrong && <p className="problem" role="alert">{t("time_wrong")}</p>}
        <Button type="submit" className="button primary" isDisabled={wrong || (!from.date && !to.date)}>{t("apply")}</Button>
      </Form>
    </>
  );
}

function Bound({ label, value, set }: { label: string; value: { date: string; time: string }; set: (v: { date: string; time: string }) => void }) {
  const { t } = useText();
  return (
    <div className="bound">
      <TextField type="date" value={value.date} onChange={(date) => set({ ...value, date })}>
        <Label>{label}</Label>
        <Input />
      </TextField>
      <TextField type="time" value={value.time} onChange={(time) => set({ ...value, time })}>
        <Label>{t("time_clock")}</Label>
        <Input />
      </TextField>
    </div>
  );
}
