// What a search is called, and when it raises an alert.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button, Checkbox, Form, Input, Label, Radio, RadioGroup, TextField } from "react-aria-components";
import type { Search } from "../address";
import { api } from "../api/client";
import { useText } from "../locale/text";
import { Failed, Icon } from "../parts";
import { Plain, plain } from "../plain";
import { useSession } from "../session";

export type SavedSearch = Awaited<ReturnType<typeof api.savedSearch>>;
type Alert = NonNullable<SavedSearch["alert"]>;
type Kind = "none" | Alert["kind"];

/** Asks for what there is to say, and saves it: anew, or in the place of another. */
export function SaveForm({ institution, search, text, was, done, cancel }: { institution: string; search?: Search; text?: string; was?: SavedSearch; done: (saved: SavedSearch) => void; cancel: () => void }) {
  const { t } = useText();
  const { has } = useSession();
  const queries = useQueryClient();
  const [name, setName] = useState(was?.name ?? "");
  const [q, setQ] = useState(was?.q ?? "");
  const [kind, setKind] = useState<Kind>(was?.alert?.kind ?? "none");
  const [moreThan, setMoreThan] = useState(String(was?.alert?.more_than ?? (was?.alert?.kind === "count" ? 0 : 20)));
  const [minutes, setMinutes] = useState(String(was?.alert?.minutes ?? 10));
  const [of, setOf] = useState<NonNullable<Alert["of"]>>(was?.alert?.of ?? "actor");
  const [webhook, setWebhook] = useState(was?.alert?.webhook ?? "");
  const [paused, setPaused] = useState(was?.alert?.paused ?? false);
  const admin = has(["admin"], institution);
  const hooks = useQuery({ queryKey: ["webhooks", institution], queryFn: () => api.webhooks(institution), enabled: admin });
  const pagers = hooks.data?.data.filter((w) => w.events === "alerts") ?? [];
  const alert = () => ({
    kind: kind as Alert["kind"],
    ...(kind === "count" ? { more_than: Number(moreThan), minutes: Number(minutes), ...(was?.alert?.quiet && was.alert.minutes === Number(minutes) ? { quiet: was.alert.quiet } : {}) } : { of }),
    ...(webhook ? { webhook } : {}),
    ...(paused ? { paused } : {}),
  });
  const save = useMutation({
    mutationFn: () => {
      const body = { name, ...(search ? { filter: Object.fromEntries(Object.entries(search).map(([n, v]) => [n, [...v]])) } : { q }), ...(kind === "none" ? {} : { alert: alert() }) };
      return was ? api.changeSearch(institution, was.id, body) : api.saveSearch(institution, body);
    },
    onSuccess: (saved) => {
      void queries.invalidateQueries({ queryKey: ["searches", institution] });
      done(saved);
    },
  });
  return (
    <Form
      onSubmit={(e) => {
        e.preventDefault();
        save.mutate();
      }}
    >
      <TextField value={name} onChange={setName} isRequired maxLength={200} autoFocus><Label>{t("saved_name")}</Label><Input dir="auto" /></TextField>
      {search ? <p className="hint">{text ? <code><Plain>{text}</Plain></code> : t("saved_everything")}</p> : <TextField value={q} onChange={setQ}><Label>{t("saved_search")}</Label><Input dir="auto" autoComplete="off" spellCheck={false} /></TextField>}
      {admin && (
        <RadioGroup className="roles" value={kind} onChange={(k) => setKind(k as Kind)} orientation="horizontal">
          <Label>{t("alert")}</Label>
          <div className="segments">{(["none", "count", "first"] as const).map((k) => <Radio key={k} value={k} className="segment">{t(`alert_kind_${k}`)}</Radio>)}</div>
        </RadioGroup>
      )}
      {kind === "count" && (
        <div className="bound">
          <TextField type="number" value={moreThan} onChange={setMoreThan} isRequired><Label>{t("alert_more_than")}</Label><Input min={0} max={10000} /></TextField>
          <TextField type="number" value={minutes} onChange={setMinutes} isRequired><Label>{t("alert_minutes")}</Label><Input min={1} max={1440} /></TextField>
        </div>
      )}
      {kind === "first" && (
        <RadioGroup className="roles" value={of} onChange={(x) => setOf(x as typeof of)} orientation="horizontal">
          <Label>{t("alert_of")}</Label>
          <div className="segments">{(["actor", "ip", "api_key"] as const).map((x) => <Radio key={x} value={x} className="segment">{t(`alert_of_${x}`)}</Radio>)}</div>
        </RadioGroup>
      )}
      {kind !== "none" && (
        <>
          <label>
            {t("alert_webhook")}
            <select value={webhook} onChange={(e) => setWebhook(e.target.value)}>
              <option value="">{t("alert_log_only")}</option>
              {pagers.map((w) => <option key={w.id} value={w.id}>{plain(w.name)}</option>)}
            </select>
          </label>
          <Checkbox className="check" isSelected={paused} onChange={setPaused}><span className="tick"><Icon name="check" /></span> <span>{t("alert_paused")}</span></Checkbox>
          <p className="hint">{t("alert_hint")}</p>
        </>
      )}
      {save.error && <Failed error={save.error} />}
      <div className="line">
        <Button type="submit" className="button primary" isDisabled={save.isPending}>{t("save")}</Button>
        <Button className="button" onPress={cancel}>{t("cancel")}</Button>
      </div>
    </Form>
  );
}
