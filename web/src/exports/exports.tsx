import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { Button, Dialog, DialogTrigger, Heading, Label, Modal, ModalOverlay, ProgressBar, Radio, RadioGroup } from "react-aria-components";
import { Link } from "wouter";
import { actionsPath, format as formatOf, hasFilters, ofFilters, timeOf, type Search } from "../address";
import { api } from "../api/client";
import { useText } from "../locale/text";
import { Failed, Icon, Loading, Sure } from "../parts";
import { Plain } from "../plain";
import { useSettings } from "../settings";
import { useTimeName } from "../time/picker";
import { useTimes } from "../time/format";
import { download, save } from "./download";

/** What an export is of, as a search, and as a text. */
const searchOf = (j: Job): Search => ofFilters(j.filter as Record<string, string[]>);
const filterText = (j: Job): string => Object.entries(j.filter).flatMap(([n, vs]) => (vs as string[]).map((v) => `${n}: ${v}`)).join(" · ");

export type Job = Awaited<ReturnType<typeof api.export>>;

const over = (j: Job) => j.status !== "waiting" && j.status !== "running";

const bytesOf = (n: number, language: string) => {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte"] as const;
  const i = n < 1000 ? 0 : n < 1e6 ? 1 : n < 1e9 ? 2 : 3;
  return new Intl.NumberFormat(language, { style: "unit", unit: units[i], maximumFractionDigits: i === 0 ? 0 : 1 }).format(n / 1000 ** i);
};

/** Takes what is shown away as a file. */
export function ExportButton({ institution, search }: { institution: string; search: Search }) {
  const { t } = useText();
  return (
    <DialogTrigger>
      <Button className="button"><Icon name="export" /> {t("export")}</Button>
      <ModalOverlay className="overlay" isDismissable>
        <Modal className="modal">
          <Dialog className="dialog">{({ close }) => <NewExport institution={institution} search={search} close={close} />}</Dialog>
        </Modal>
      </ModalOverlay>
    </DialogTrigger>
  );
}

function NewExport({ institution, search, close }: { institution: string; search: Search; close: () => void }) {
  const { t, number } = useText();
  const { zoneName } = useSettings();
  const queries = useQueryClient();
  const [format, setFormat] = useState<"csv" | "json" | "ndjson" | "ecs">("csv");
  const time = useTimeName()(timeOf(search));
  // The same as the list: near names are in it where they are in the list.
  const filter = { range: search.range ?? (search.from || search.to ? [] : ["7d"]), ...search, near: search.near ?? ["auto"], tz: search.tz ?? [zoneName] };
  const count = useQuery({
    queryKey: ["count", institution, formatOf(search)],
    queryFn: ({ signal }) => api.actions(institution, { ...search, limit: 1, total: "exact" } as never, signal),
    staleTime: 0,
  });
  const create = useMutation({
    mutationFn: () => api.createExport(institution, { format, filter: Object.fromEntries(Object.entries(filter).filter(([, v]) => v.length > 0).map(([k, v]) => [k, [...v]])) }),
    onSuccess: () => void queries.invalidateQueries({ queryKey: ["exports", institution] }),
  });
  if (create.data) {
    return (
      <>
        <Heading slot="title">{t("export_title")}</Heading>
        <JobRow institution={institution} id={create.data.id} first={create.data} take />
        <p className="hint">{t("export_goes_on")}</p>
        <Button className="button" onPress={close}>{t("close")}</Button>
      </>
    );
  }
  const total = count.data?.meta.total?.value;
  return (
    <>
      <Heading slot="title">{t("export_title")}</Heading>
      {count.isPending && <Loading what={t("counting")} />}
      {count.error && <Failed error={count.error} retry={() => void count.refetch()} />}
      {total !== undefined && <p className="big">{t("export_n", { n: total, shown: number(total) })}</p>}
      <p className="hint">{time}{hasFilters(search) ? ` · ${t("export_filtered")}` : ""}</p>
      {count.data?.meta.missing && count.data.meta.missing.length > 0 && <p className="notice">{t("export_missing")}</p>}
      <RadioGroup className="roles" value={format} onChange={(f) => setFormat(f as typeof format)} orientation="horizontal">
        <Label>{t("export_format")}</Label>
        <div className="segments">{(["csv", "json", "ndjson", "ecs"] as const).map((f) => <Radio key={f} value={f} className="segment">{f.toUpperCase()}</Radio>)}</div>
      </RadioGroup>
      <p className="hint">{t(`export_${format}`)}</p>
      {create.error && <Failed error={create.error} />}
      <div className="line">
        <Button className="button primary" autoFocus onPress={() => create.mutate()} isDisabled={create.isPending || total === undefined}>{t("export_start")}</Button>
        <Button className="button" onPress={close}>{t("cancel")}</Button>
      </div>
    </>
  );
}

/** An export with its progress, and what can be done with it. */
function JobRow({ institution, id, first, take = false }: { institution: string; id: string; first: Job; take?: boolean }) {
  const { t, number, language } = useText();
  const times = useTimes();
  const queries = useQueryClient();
  const job = useQuery({
    queryKey: ["export", institution, id],
    queryFn: () => api.export(institution, id),
    initialData: first,
    initialDataUpdatedAt: 0,
    refetchInterval: (q) => (q.state.data && over(q.state.data) ? false : 500),
  });
  const j = job.data;
  const drop = useMutation({ mutationFn: () => api.dropExport(institution, id), onSettled: () => Promise.all([job.refetch(), queries.invalidateQueries({ queryKey: ["exports", institution] })]) });
  const [got, setGot] = useState<number>();
  const stop = useRef<AbortController>(null);
  const bring = useMutation({
    mutationFn: async () => {
      const control = (stop.current = new AbortController());
      setGot(0);
      const types = { csv: "text/csv", json: "application/json", ndjson: "application/x-ndjson", ecs: "application/x-ndjson" };
      const blob = await download(
        { address: `/v1/institutions/${encodeURIComponent(institution)}/exports/${encodeURIComponent(id)}/content`, bytes: j.bytes ?? 0, sha256: j.sha256 ?? "", contentType: types[j.format] },
        setGot,
        control.signal,
      ).catch((e: unknown) => {
        if (!control.signal.aborted) throw e;
      });
      if (blob) save(blob, j.file_name);
      return blob !== undefined;
    },
    onSettled: () => setGot(undefined),
  });
  const started = useRef(false);
  if (take && j.status === "ready" && !started.current) {
    started.current = true;
    queueMicrotask(() => bring.mutate());
  }
  const total = j.total?.value ?? 0;
  return (
    <article className="job" data-status={j.status} aria-label={j.file_name}>
      <div className="line">
        <strong><Plain>{j.file_name}</Plain></strong>
        <span className={`badge ${j.status}`}>{t(`export_status_${j.status}`)}</span>
        <span className="spring" />
        <time dateTime={j.created_at} className="hint">{times.short(new Date(j.created_at))}</time>
      </div>
      {!take && <p className="hint">{(j.by?.name || j.by?.id) && <><Plain>{j.by.name || j.by.id || ""}</Plain> · </>}<Link href={actionsPath(institution, searchOf(j))}><Plain>{filterText(j)}</Plain></Link></p>}
      {!over(j) && (
        <ProgressBar value={total > 0 ? (100 * (j.written ?? 0)) / total : undefined} isIndeterminate={j.status === "waiting" || total === 0} aria-label={t("export_progress")}>
          {({ percentage }) => (
            <div className="progress">
              <progress max={100} value={percentage} />
              <span className="hint">{t("export_written", { n: number(j.written ?? 0), total: number(total) })}</span>
            </div>
          )}
        </ProgressBar>
      )}
      {got !== undefined && (
        <div className="progress"><progress max={j.bytes} value={got} /><span className="hint">{t("export_fetching", { n: bytesOf(got, language), total: bytesOf(j.bytes ?? 0, language) })}</span></div>
      )}
      {j.status === "ready" && (
        <p className="hint">
          {t("n_actions", { n: j.count ?? 0, shown: number(j.count ?? 0) })} · {bytesOf(j.bytes ?? 0, language)} · {t("export_until", { time: times.short(new Date(j.expires_at ?? j.created_at)) })}
          <br />
          <span title={j.sha256}>SHA-256 <code>{j.sha256?.slice(0, 16)}…</code></span>
        </p>
      )}
      {bring.data && <p role="status" className="checked"><Icon name="check" /> {t("export_checked", { n: number(j.count ?? 0) })}</p>}
      {bring.error && <Failed error={bring.error.message === "sha256" ? new Error(t("export_broken")) : bring.error} retry={() => bring.mutate()} />}
      {j.problem && <p className="problem"><Plain>{j.problem}</Plain></p>}
      {job.error && <Failed error={job.error} retry={() => void job.refetch()} />}
      {drop.error && <Failed error={drop.error} />}
      <div className="line">
        {j.status === "ready" && got === undefined && <Button className="button" onPress={() => bring.mutate()}>{t("export_download")}</Button>}
        {got !== undefined && <Button className="button" onPress={() => stop.current?.abort()}>{t("cancel")}</Button>}
        {!over(j) && <Button className="button" onPress={() => drop.mutate()}>{t("cancel")}</Button>}
        {!take && j.status === "ready" && <Sure what={t("export_drop")} sure={t("export_drop_sure")} go={() => drop.mutate()} />}
      </div>
    </article>
  );
}

/** The exports of an institution. */
export function Exports({ institution }: { institution: string }) {
  const { t } = useText();
  const all = useQuery({ queryKey: ["exports", institution], queryFn: () => api.exports(institution), staleTime: 0 });
  return (
    <main id="main" className="narrow-page" tabIndex={-1}>
      <h1>{t("view_exports")}</h1>
      <p className="hint">{t("exports_hint")}</p>
      {all.isPending && <Loading />}
      {all.error && <Failed error={all.error} retry={() => void all.refetch()} />}
      {all.data?.data.length === 0 && <p className="nothing">{t("exports_none")}</p>}
      {all.data?.data.map((j) => <JobRow key={j.id} institution={institution} id={j.id} first={j} />)}
    </main>
  );
}
