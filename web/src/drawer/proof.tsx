import { useMutation } from "@tanstack/react-query";
import { Button } from "react-aria-components";
import type { ActionRecord } from "../api/action";
import { api, ApiError } from "../api/client";
import { useText } from "../locale/text";
import { Failed, Icon } from "../parts";
import { useSession } from "../session";

/** Whether the archive holds the action as it was taken. Who may have a proof is the API's to say. */
export function Proof({ institution, record }: { institution: string; record: ActionRecord }) {
  const { t, number } = useText();
  const { has, about } = useSession();
  const proof = useMutation({ mutationFn: () => api.proof(institution, record.id, record.day) });
  if (!about.archive) return null;
  const pending = proof.error instanceof ApiError && proof.error.status === 409;
  const save = () => {
    const url = URL.createObjectURL(new Blob([JSON.stringify(proof.data)], { type: "application/json" }));
    const a = Object.assign(document.createElement("a"), { href: url, download: `proof-${record.id}.json` });
    a.click();
    URL.revokeObjectURL(url);
  };
  return (
    <section className="proof">
      <h3>{t("proof")}</h3>
      {!has(["compliance"], institution) ? (
        <p className="hint">{t("proof_for_compliance")}</p>
      ) : proof.data ? (
        <p>
          <span className="result success"><Icon name="check" /> {t("proof_there")}</span>{" "}
          <span className="hint">{t("proof_where", { index: number(proof.data.index), size: number(proof.data.size) })}</span>{" "}
          <Button className="button small" onPress={save}>{t("proof_save")}</Button>
        </p>
      ) : pending ? (
        <p className="hint">{t("proof_pending")} <Button className="button small" onPress={() => proof.mutate()}>{t("try_again")}</Button></p>
      ) : proof.error ? (
        <Failed error={proof.error} retry={() => proof.mutate()} />
      ) : (
        <Button className="button small" onPress={() => proof.mutate()} isDisabled={proof.isPending}>{t("proof_ask")}</Button>
      )}
    </section>
  );
}
