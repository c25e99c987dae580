// Searches that have a name, with what they raise, and the addresses that are told of it.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { Button, Dialog, DialogTrigger, Heading, Modal, ModalOverlay } from "react-aria-components";
import { Link, useLocation } from "wouter";
import { actionsPath, inZone, ofFilters, set, type Search } from "../address";
import { api } from "../api/client";
import { useText } from "../locale/text";
import { Failed, Icon, Loading, Sure } from "../parts";
import { Plain } from "../plain";
import { useSession } from "../session";
import { useSettings } from "../settings";
import { useTimes } from "../time/format";
import { SaveForm, type SavedSearch } from "./form";
import { Webhooks } from "./webhooks";

const searchesPath = (institution: string, id?: string) => `/institutions/${encodeURIComponent(institution)}/searches${id ? `/${encodeURIComponent(id)}` : ""}`;

/** Keeps what is shown under a name. */
export function SaveButton(p: { institution: string; search: Search; text: string }) {
  const { t } = useText();
  return (
    <DialogTrigger>
      <Button className="button"><Icon name="save" /> {t("save")}</Button>
      <ModalOverlay className="overlay" isDismissable>
        <Modal className="modal">
          <Dialog className="dialog">
            {({ close }) => (
              <>
                <Heading slot="title">{t("saved_title")}</Heading>
                <SaveNew {...p} close={close} />
              </>
            )}
          </Dialog>
        </Modal>
      </ModalOverlay>
    </DialogTrigger>
  );
}

function SaveNew({ institution, search, text, close }: { institution: string; search: Search; text: string; close: () => void }) {
  const { t } = useText();
  const [saved, setSaved] = useState<SavedSearch>();
  if (!saved) return <SaveForm institution={institution} search={search} text={text} done={setSaved} cancel={close} />;
  return (
    <>
      <p role="status">{t("saved_done")}</p>
      <p><a href={searchesPath(institution, saved.id)}>{location.origin + searchesPath(institution, saved.id)}</a></p>
      <Button className="button" autoFocus onPress={close}>{t("close")}</Button>
    </>
  );
}

/** All saved searches, or, by its address, what one finds. */
export function Searches({ institution, id }: { institution: string; id?: string }) {
  const { t } = useText();
  const { has } = useSession();
  const all = useQuery({ queryKey: ["searches", institution], queryFn: () => api.searches(institution), staleTime: 0, refetchInterval: 15_000, enabled: id === undefined });
  if (id !== undefined) return <Opened institution={institution} id={id} />;
  const may = has(["admin", "support", "compliance"], institution);
  return (
    <main id="main" className="narrow-page" tabIndex={-1}>
      <h1>{t("view_searches")}</h1>
      <p className="hint">{t("searches_hint")} <Link href={actionsPath(institution, set(set({}, "action", "institution.actionlog.alert_fired"), "range", "30d"))}>{t("alerts_raised")}</Link></p>
      {all.isPending && <Loading />}
      {all.error && <Failed error={all.error} retry={() => void all.refetch()} />}
      {all.data?.data.length === 0 && <p className="nothing">{t("searches_none")}</p>}
      {all.data?.data.map((s) => <SavedRow key={s.id} institution={institution} s={s} may={may} />)}
      {may && <Webhooks institution={institution} />}
    </main>
  );
}

/** The address of a saved search shows what it finds. */
function Opened({ institution, id }: { institution: string; id: string }) {
  const { zoneName } = useSettings();
  const [, navigate] = useLocation();
  const one = useQuery({ queryKey: ["search", institution, id], queryFn: () => api.savedSearch(institution, id) });
  const found = one.data;
  useEffect(() => {
    if (found) navigate(actionsPath(institution, inZone(ofFilters(found.filter), zoneName)), { replace: true });
  }, [found, institution, navigate, zoneName]);
  return (
    <main id="main" className="narrow-page" tabIndex={-1}>
      {one.error ? <Failed error={one.error} retry={() => void one.refetch()} /> : <Loading />}
    </main>
  );
}

function SavedRow({ institution, s, may }: { institution: string; s: SavedSearch; may: boolean }) {
  const { t, number } = useText();
  const { has } = useSession();
  const { zoneName } = useSettings();
  const times = useTimes();
  const queries = useQueryClient();
  const [editing, setEditing] = useState(false);
  const drop = useMutation({ mutationFn: () => api.dropSearch(institution, s.id), onSettled: () => void queries.invalidateQueries({ queryKey: ["searches", institution] }) });
  const a = s.alert;
  const change = may && (!a || has(["admin"], institution));
  if (editing) {
    return (
      <article className="job">
        <SaveForm institution={institution} was={s} done={() => setEditing(false)} cancel={() => setEditing(false)} />
      </article>
    );
  }
  return (
    <article className="job">
      <div className="line">
        <strong><Link href={actionsPath(institution, inZone(ofFilters(s.filter), zoneName))}><Plain>{s.name}</Plain></Link></strong>
        {a && <span className={a.paused ? "badge" : "badge ready"}>{t(a.paused ? "alert_paused" : "alert")}</span>}
        <span className="spring" />
        <span className="hint"><Plain>{s.changed_by.name || s.changed_by.id || ""}</Plain> <time dateTime={s.changed_at}>{times.short(new Date(s.changed_at))}</time></span>
      </div>
      <p>{s.q ? <code><Plain>{s.q}</Plain></code> : t("saved_everything")}</p>
      {a && (
        <p>
          {a.kind === "count" ? t("alert_says_count", { n: a.minutes ?? 0, shown: number(a.more_than ?? 0), total: number(a.minutes ?? 0) }) : t(`alert_says_${a.of ?? "actor"}`)}
          {" · "}
          <Link href={actionsPath(institution, set(set(set({}, "action", "institution.actionlog.alert_fired"), "any", s.id), "range", "30d"))}>{t("alert_raised", { n: a.fired, shown: number(a.fired) })}</Link>
          {a.fired_at && <> · <time dateTime={a.fired_at}>{t("alert_last", { time: times.short(new Date(a.fired_at)) })}</time></>}
          {a.late !== undefined && <> · {t("alert_late", { n: a.late, shown: number(a.late) })}</>}
        </p>
      )}
      {drop.error && <Failed error={drop.error} />}
      <div className="line">
        <CopyLink path={searchesPath(institution, s.id)} />
        {change && <Button className="quiet" onPress={() => setEditing(true)}>{t("edit")}</Button>}
        {change && <Sure what={t("remove")} sure={t("saved_drop_sure")} go={() => drop.mutate()} disabled={drop.isPending} />}
      </div>
    </article>
  );
}

function CopyLink({ path }: { path: string }) {
  const { t } = useText();
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setCopied(false), 3000);
    return () => clearTimeout(timer);
  }, [copied]);
  return (
    <Button className="quiet" onPress={() => void navigator.clipboard.writeText(location.origin + path).then(() => setCopied(true))}>
      <Icon name="link" /> <span role="status">{t(copied ? "copied" : "copy_link")}</span>
    </Button>
  );
}
