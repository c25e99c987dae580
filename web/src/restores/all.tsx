import { useQuery } from "@tanstack/react-query";
import { api } from "../api/client";
import { Header } from "../header";
import { useText } from "../locale/text";
import { Failed, Loading } from "../parts";
import { RestoreRow } from "./restores";

/** For staff: what institutions ask for, those that wait for somebody first. */
export function RestoresOfAll() {
  const { t } = useText();
  const all = useQuery({ queryKey: ["restores", "all"], queryFn: () => api.allRestores(), staleTime: 0, refetchInterval: 5000 });
  const data = all.data?.data ?? [];
  const waiting = data.filter((r) => r.status === "requested");
  const rest = data.filter((r) => r.status !== "requested");
  return (
    <>
      <Header />
      <main id="main" className="narrow-page" tabIndex={-1}>
        <h1>{t("restores_all")}</h1>
        {all.isPending && <Loading />}
        {all.error && <Failed error={all.error} retry={() => void all.refetch()} />}
        {all.data && waiting.length === 0 && <p className="nothing">{t("restores_waiting_none")}</p>}
        {waiting.map((r) => <RestoreRow key={r.institution + r.id} r={r} withInstitution />)}
        {rest.length > 0 && <h2>{t("restores_others")}</h2>}
        {rest.map((r) => <RestoreRow key={r.institution + r.id} r={r} withInstitution />)}
      </main>
    </>
  );
}
