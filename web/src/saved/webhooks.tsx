// Addresses to which actions and alerts are sent.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button, Form, Input, Label, Radio, RadioGroup, TextField } from "react-aria-components";
import { api } from "../api/client";
import { useText } from "../locale/text";
import { Failed, Loading, Sure } from "../parts";
import { Plain } from "../plain";
import { useSession } from "../session";
import { useTimes } from "../time/format";

type Webhook = Awaited<ReturnType<typeof api.webhooks>>["data"][number];

export function Webhooks({ institution }: { institution: string }) {
  const { t } = useText();
  const { has } = useSession();
  const [adding, setAdding] = useState(false);
  const [made, setMade] = useState<Webhook>();
  const all = useQuery({ queryKey: ["webhooks", institution], queryFn: () => api.webhooks(institution), staleTime: 0, refetchInterval: 15_000 });
  const admin = has(["admin"], institution);
  return (
    <section aria-labelledby="webhooks">
      <h2 id="webhooks">{t("webhooks")}</h2>
      <p className="hint">{t("webhooks_hint")}</p>
      {all.isPending && <Loading />}
      {all.error && <Failed error={all.error} retry={() => void all.refetch()} />}
      {all.data?.data.length === 0 && <p className="nothing">{t("webhooks_none")}</p>}
      {all.data?.data.map((w) => <WebhookRow key={w.id} institution={institution} w={w} admin={admin} show={setMade} />)}
      {made && <Secret w={made} close={() => setMade(undefined)} />}
      {adding ? <NewWebhook institution={institution} done={(w) => (setAdding(false), setMade(w))} cancel={() => setAdding(false)} /> : admin && all.data && <Button className="button" onPress={() => setAdding(true)}>{t("webhook_add")}</Button>}
    </section>
  );
}

/** A secret is shown once. */
function Secret({ w, close }: { w: Webhook; close: () => void }) {
  const { t } = useText();
  return (
    <div className="notice" role="status">
      <p>{t("webhook_secret")} <strong><Plain>{w.name}</Plain></strong></p>
      <p><code className="secret">{w.secret}</code></p>
      <div className="line">
        <Button className="button small" autoFocus onPress={() => void navigator.clipboard.writeText(w.secret ?? "")}>{t("copy")}</Button>
        <Button className="button small" onPress={close}>{t("webhook_secret_kept")}</Button>
      </div>
    </div>
  );
}

function NewWebhook({ institution, done, cancel }: { institution: string; done: (w: Webhook) => void; cancel: () => void }) {
  const { t } = useText();
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [url, setURL] = useState("");
  const [events, setEvents] = useState<"alerts" | "actions">("alerts");
  const create = useMutation({
    mutationFn: () => api.createWebhook(institution, { name, url, events }),
    onSuccess: (w) => {
      void queries.invalidateQueries({ queryKey: ["webhooks", institution] });
      done(w);
    },
  });
  return (
    <Form
      className="panel"
      onSubmit={(e) => {
        e.preventDefault();
        create.mutate();
      }}
    >
      <TextField value={name} onChange={setName} isRequired maxLength={100} autoFocus><Label>{t("webhook_name")}</Label><Input dir="auto" /></TextField>
      <TextField type="url" value={url} onChange={setURL} isRequired><Label>{t("webhook_url")}</Label><Input placeholder="https://" dir="ltr" /></TextField>
      <RadioGroup className="roles" value={events} onChange={(x) => setEvents(x as typeof events)} orientation="horizontal">
        <Label>{t("webhook_events")}</Label>
        <div className="segments">{(["alerts", "actions"] as const).map((x) => <Radio key={x} value={x} className="segment">{t(`webhook_events_${x}`)}</Radio>)}</div>
      </RadioGroup>
      {create.error && <Failed error={create.error} />}
      <div className="line">
        <Button type="submit" className="button primary" isDisabled={create.isPending}>{t("webhook_add")}</Button>
        <Button className="button" onPress={cancel}>{t("cancel")}</Button>
      </div>
    </Form>
  );
}

function WebhookRow({ institution, w, admin, show }: { institution: string; w: Webhook; admin: boolean; show: (w: Webhook) => void }) {
  const { t, number } = useText();
  const times = useTimes();
  const queries = useQueryClient();
  const again = () => void queries.invalidateQueries({ queryKey: ["webhooks", institution] });
  const step = useMutation({ mutationFn: (what: "pause" | "resume") => api.stepWebhook(institution, w.id, what), onSettled: again });
  const test = useMutation({ mutationFn: () => api.testWebhook(institution, w.id) });
  const rotate = useMutation({ mutationFn: () => api.rotateWebhook(institution, w.id), onSuccess: show, onSettled: again });
  const drop = useMutation({ mutationFn: () => api.dropWebhook(institution, w.id), onSettled: again });
  const error = step.error ?? test.error ?? rotate.error ?? drop.error;
  const p = w.progress;
  const busy = step.isPending || test.isPending || rotate.isPending || drop.isPending;
  return (
    <article className="job" data-status={w.status}>
      <div className="line">
        <strong><Plain>{w.name}</Plain></strong>
        <span className={w.status === "active" ? "badge ready" : "badge"}>{t(`webhook_status_${w.status}`)}</span>
        <span className="badge">{t(`webhook_events_${w.events}`)}</span>
      </div>
      <p><code><Plain>{w.url}</Plain></code></p>
      <p className="hint">
        {t("webhook_taken", { n: p.actions, shown: number(p.actions) })}
        {p.delivered_at && <> · <time dateTime={p.delivered_at}>{t("webhook_last", { time: times.short(new Date(p.delivered_at)) })}</time></>}
        {w.status === "active" && p.next_at && <> · {t("webhook_next", { time: times.short(new Date(p.next_at)) })}</>}
      </p>
      {p.problem && <p className="problem"><Plain>{p.problem}</Plain></p>}
      {error && <Failed error={error} />}
      {test.data && <p role="status" className={test.data.taken ? "checked" : "problem"}>{test.data.taken ? t("webhook_test_taken") : <Plain>{test.data.problem ?? ""}</Plain>}</p>}
      {admin && (
        <div className="line">
          <Button className="quiet" isDisabled={busy} onPress={() => test.mutate()}>{t("webhook_test")}</Button>
          {w.status === "active" ? <Button className="quiet" isDisabled={busy} onPress={() => step.mutate("pause")}>{t("webhook_pause")}</Button> : <Button className="quiet" isDisabled={busy} onPress={() => step.mutate("resume")}>{t("webhook_resume")}</Button>}
          <Sure what={t("webhook_rotate")} sure={t("webhook_rotate_sure")} go={() => rotate.mutate()} disabled={busy} />
          <Sure what={t("remove")} sure={t("webhook_drop_sure")} go={() => drop.mutate()} disabled={busy} />
        </div>
      )}
    </article>
  );
}
