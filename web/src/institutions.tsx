import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button, Form, Heading, Input, Label, TextArea, TextField } from "react-aria-components";
import { Link } from "wouter";
import { actionsPath } from "./address";
import { api } from "./api/client";
import { Header } from "./header";
import { useText } from "./locale/text";
import { Failed, Loading } from "./parts";
import { Plain } from "./plain";
import { useSession } from "./session";
import { useTimes } from "./time/format";
import { Contact } from "./trust";

/** Where somebody chooses whose log to read. */
export function Institutions() {
  const { t } = useText();
  const { who } = useSession();
  const times = useTimes();
  const all = useQuery({ queryKey: ["institutions"], queryFn: api.institutions });
  const queries = useQueryClient();
  const end = useMutation({ mutationFn: api.endSupport, onSettled: () => void queries.invalidateQueries() });
  return (
    <>
      <Header />
      <main id="main" className="narrow-page" tabIndex={-1}>
        <h1>{t("institutions")}</h1>
        {all.isPending && <Loading />}
        {all.error && <Failed error={all.error} retry={() => void all.refetch()} />}
        {all.data?.data.length === 0 && <p>{who.support ? t("institutions_none_support") : t("institutions_none")}</p>}
        {end.error && <Failed error={end.error} />}
        <ul className="choices">
          {all.data?.data.map((i) => {
            const support = who.support?.find((s) => s.institution === i.id);
            return (
              <li key={i.id} className="line">
                <Link href={actionsPath(i.id)} className="grow">
                  <strong><Plain>{i.name || i.id}</Plain></strong>
                  {i.name && <span className="hint"> <Plain>{i.id}</Plain></span>}
                  {support && <span className="hint"> {t("support_until", { time: times.short(new Date(support.until)) })} · <Plain>{support.reason}</Plain></span>}
                </Link>
                {support && <Button className="button" aria-label={t("support_end_of", { name: i.name || i.id })} onPress={() => end.mutate(i.id)} isDisabled={end.isPending}>{t("support_end")}</Button>}
              </li>
            );
          })}
        </ul>
        {who.support && who.person && <TakeUp />}
      </main>
    </>
  );
}

/** Somebody of support looks at an institution for a reason and for a time, which stand in its log. */
function TakeUp() {
  const { t } = useText();
  const queries = useQueryClient();
  const [institution, setInstitution] = useState("");
  const [reason, setReason] = useState("");
  const [error, setError] = useState<Error>();
  const take = async () => {
    setError(undefined);
    try {
      await api.takeUp({ institution: institution.trim(), reason: reason.trim(), until: new Date(Date.now() + 8 * 3600e3).toISOString() });
      await queries.invalidateQueries();
      setInstitution("");
      setReason("");
    } catch (e) {
      setError(e as Error);
    }
  };
  return (
    <Form
      className="panel"
      onSubmit={(e) => {
        e.preventDefault();
        void take();
      }}
    >
      <Heading level={2}>{t("support_take_up")}</Heading>
      <TextField value={institution} onChange={setInstitution} isRequired>
        <Label>{t("support_institution")}</Label>
        <Input />
      </TextField>
      <TextField value={reason} onChange={setReason} isRequired>
        <Label>{t("support_reason")}</Label>
        <TextArea rows={2} />
      </TextField>
      <p className="hint">{t("support_hint")}</p>
      {error && <Failed error={error} />}
      <Button type="submit" className="button primary">{t("support_start")}</Button>
    </Form>
  );
}

/** An institution that somebody may not read: nothing is asked of it, and whether there is one stays unsaid. */
export function NotForYou() {
  const { t } = useText();
  const { who } = useSession();
  const publishes = who.grants.every((g) => g.roles?.every((r) => r === "publisher"));
  return (
    <>
      <Header />
      <main id="main" className="narrow-page" tabIndex={-1}>
        <h1>{t("not_for_you")}</h1>
        <p>{t(publishes ? "not_for_you_publisher" : who.support ? "not_for_you_support" : "not_for_you_hint")}</p>
        <p className="line"><Link href="/institutions" className="button">{t("institutions")}</Link> <Contact /></p>
      </main>
    </>
  );
}
