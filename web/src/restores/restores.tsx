import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button, Form, Heading, Input, Label, TextArea, TextField } from "react-aria-components";
import { actionsPath, set, setTime } from "../address";
import { Link, useSearch } from "wouter";
import { api } from "../api/client";
import { useText } from "../locale/text";
import { Failed, Loading, Sure } from "../parts";
import { Plain } from "../plain";
import { useSession } from "../session";
import { useTimes } from "../time/format";
import { Contact } from "../trust";

export type Restore = Awaited<ReturnType<typeof api.restores>>["data"][number];

/** Somebody else may decide about it meanwhile. */
const open = (r: Restore) => r.status === "requested";

const moving = (r: Restore) => r.status === "granted" || r.status === "running";

/** What is older than what can be searched, and how it comes back. */
export function Restores({ institution }: { institution: string }) {
  const { t } = useText();
  const { has, about } = useSession();
  const all = useQuery({
    queryKey: ["restores", institution],
    queryFn: () => api.restores(institution),
    staleTime: 0,
    refetchInterval: (q) => (q.state.data?.data.some(moving) ? 1000 : q.state.data?.data.some(open) ? 10_000 : false),
  });
  return (
    <main id="main" className="narrow-page" tabIndex={-1}>
      <h1>{t("view_restores")}</h1>
      <p>{t("restores_hint", { days: about.searchable_days })} <Contact /></p>
      {!about.restores && <p className="notice">{t("restores_off")}</p>}
      {about.restores && has(["admin", "support"], institution) && <Ask institution={institution} />}
      {all.isPending && <Loading />}
      {all.error && <Failed error={all.error} retry={() => void all.refetch()} />}
      {all.data?.data.length === 0 && <p className="nothing">{t("restores_none")}</p>}
      {all.data?.data.map((r) => <RestoreRow key={r.id} r={r} />)}
    </main>
  );
}

function Ask({ institution }: { institution: string }) {
  const { t } = useText();
  const queries = useQueryClient();
  const { about } = useSession();
  const latest = new Date(Date.now() - (about.searchable_days + 3) * 864e5).toISOString().slice(0, 10);
  const wanted = new URLSearchParams(useSearch());
  const [from, setFrom] = useState(wanted.get("from") ?? "");
  const [to, setTo] = useState(wanted.get("to") ?? "");
  const [reason, setReason] = useState("");
  const ask = useMutation({
    mutationFn: () => api.createRestore(institution, { from, to: to || undefined, reason: reason.trim() }),
    onSuccess: () => {
      setReason("");
      void queries.invalidateQueries({ queryKey: ["restores"] });
    },
  });
  return (
    <Form
      className="panel"
      onSubmit={(e) => {
        e.preventDefault();
        ask.mutate();
      }}
    >
      <Heading level={2}>{t("restore_ask")}</Heading>
      <div className="bound">
        <TextField type="date" value={from} onChange={setFrom} isRequired><Label>{t("restore_from")}</Label><Input max={latest} /></TextField>
        <TextField type="date" value={to} onChange={setTo}><Label>{t("restore_to")}</Label><Input max={latest} /></TextField>
      </div>
      <TextField value={reason} onChange={setReason} isRequired><Label>{t("restore_reason")}</Label><TextArea rows={2} /></TextField>
      <p className="hint">{t("restore_ask_hint")}</p>
      {ask.error && <Failed error={ask.error} />}
      {ask.isSuccess && <p role="status" className="checked">{t("restore_asked")}</p>}
      <Button type="submit" className="button primary" isDisabled={ask.isPending}>{t("restore_send")}</Button>
    </Form>
  );
}

export function RestoreRow({ r, withInstitution = false }: { r: Restore; withInstitution?: boolean }) {
  const { t, number } = useText();
  const times = useTimes();
  const queries = useQueryClient();
  const { has } = useSession();
  const [reason, setReason] = useState("");
  const step = useMutation({
    mutationFn: (what: "grant" | "decline" | "renew" | "drop") => (what === "drop" ? api.dropRestore(r.institution, r.id, reason) : api.stepRestore(r.institution, r.id, what, reason)),
    onSuccess: () => setReason(""),
    onSettled: () => void queries.invalidateQueries({ queryKey: ["restores"] }),
  });
  const may = has(["admin", "support"], r.institution);
  const mayGrant = has(["support"], r.institution) && (r.status === "requested" || r.status === "failed");
  const mayDrop = may && ["requested", "granted", "running", "ready"].includes(r.status);
  const day = times.utcDay;
  const total = r.estimate?.actions ?? 0;
  return (
    <article className="job" data-status={r.status}>
      <div className="line">
        <strong>{day(r.from)} – {day(r.to)}</strong>
        {withInstitution && <span><Plain>{r.institution}</Plain></span>}
        <span className={`badge ${r.status}`}>{t(`restore_status_${r.status}`)}</span>
        <span className="spring" />
        <time dateTime={r.created_at} className="hint">{times.short(new Date(r.created_at))}</time>
      </div>
      <p><Plain>{r.reason}</Plain></p>
      {r.estimate && r.status === "requested" && <p className="hint">{t("restore_estimate", { n: total, shown: number(total) })}</p>}
      {moving(r) && (
        <div className="progress">
          <progress aria-label={t("restore_progress")} max={total || undefined} value={r.status === "running" && total ? r.progress.read : undefined} />
          <span className="hint">{t("restore_read", { n: number(r.progress.read ?? 0), total: number(total) })}</span>
        </div>
      )}
      {r.status === "ready" && (
        <p>
          {t("restore_ready", { n: r.progress.restored ?? 0, shown: number(r.progress.restored ?? 0), until: r.expires_at ? times.day(new Date(r.expires_at)) : "" })}{" "}
          <Link href={actionsPath(r.institution, setTime(set({}, "tz"), { from: r.from, to: r.to, tz: "UTC" }))}>{t("restore_show")}</Link>
        </p>
      )}
      {r.problem && <p className="problem"><Plain>{r.problem}</Plain></p>}
      <details className="steps">
        <summary>{t("restore_steps")}</summary>
        <ul>
          {r.steps.map((s, i) => (
            <li key={i}><time dateTime={s.at}>{times.short(new Date(s.at))}</time> {t(`restore_step_${s.step}`)} {(s.name || s.by) && <Plain>{s.name || s.by || ""}</Plain>} {s.reason && <span className="hint"><Plain>{s.reason}</Plain></span>}</li>
          ))}
        </ul>
      </details>
      {step.error && <Failed error={step.error} />}
      {(mayGrant || mayDrop) && (
        <div className="line">
          <TextField value={reason} onChange={setReason} aria-label={t("restore_step_reason")} className="grow"><Input placeholder={t("restore_step_reason")} /></TextField>
          {mayGrant && <Button className="button primary" onPress={() => step.mutate("grant")} isDisabled={step.isPending}>{t("restore_grant")}</Button>}
          {mayGrant && r.status === "requested" && <Button className="button" onPress={() => step.mutate("decline")} isDisabled={step.isPending}>{t("restore_decline")}</Button>}
          {may && r.status === "ready" && <Button className="button" onPress={() => step.mutate("renew")} isDisabled={step.isPending}>{t("restore_renew")}</Button>}
          {mayDrop && r.status !== "ready" && <Button className="button" onPress={() => step.mutate("drop")} isDisabled={step.isPending}>{t("cancel")}</Button>}
          {mayDrop && r.status === "ready" && <Sure what={t("restore_drop")} sure={t("restore_drop_sure")} go={() => step.mutate("drop")} disabled={step.isPending} />}
        </div>
      )}
    </article>
  );
}
