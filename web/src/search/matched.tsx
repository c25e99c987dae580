// Whom and what a name found: a forgiving search says what it forgave.
import { Button } from "react-aria-components";
import { add, type FilterName, type Search } from "../address";
import { useText } from "../locale/text";
import { Plain } from "../plain";
import type { Meta } from "../list/use";

export type Matched = NonNullable<Meta["matched"]>[number];

const finds = (m: Matched) => (m.id || m.external_id ? `id:${m.id || m.external_id}` : (m.email ?? m.name ?? m.title));

export function MatchedPeople({ matched, search, change }: { matched: Matched[]; search: Search; change: (s: Search) => void }) {
  const { t } = useText();
  const groups = Map.groupBy(matched, (m) => `${m.filter}\u0000${m.value}`);
  const shown = [...groups.values()].filter((all) => all.length > 1 || all[0]!.match === "near" || all[0]!.matched_on !== "id");
  if (shown.length === 0) return null;
  return (
    <section className="matched" aria-label={t("matched")}>
      {shown.map((all) => {
        const searched = all.filter((m) => m.searched);
        const offered = all.filter((m) => !m.searched);
        const first = all[0]!;
        return (
          <div key={`${first.filter}${first.value}`} className="matched-group">
            <span className="hint">{t(searched.some((m) => m.match === "exact") ? "matched_exact" : searched.length > 0 ? "matched_near" : "matched_none", { value: first.value })}</span>
            <ul>
              {searched.slice(0, 8).map((m, i) => <One key={i} m={m} />)}
              {searched.length > 8 && <li className="hint">{t("matched_more", { n: searched.length - 8 })}</li>}
            </ul>
            {offered.length > 0 && (
              <>
                <span className="hint">{t("matched_offered")}</span>
                <ul>
                  {offered.slice(0, 8).map((m, i) => (
                    <One key={i} m={m}>
                      <Button className="button small" aria-label={t("matched_add_name", { name: m.name ?? m.title ?? "" })} onPress={() => change(add(search, m.filter as FilterName, finds(m) ?? ""))}>
                        {t("matched_add")}
                      </Button>
                    </One>
                  ))}
                </ul>
              </>
            )}
          </div>
        );
      })}
    </section>
  );
}

function One({ m, children }: { m: Matched; children?: React.ReactNode }) {
  const { t, number } = useText();
  return (
    <li className="match">
      <strong><Plain>{m.name ?? m.title ?? m.email ?? m.id ?? m.value}</Plain></strong>
      {m.email && <span className="hint"><Plain>{m.email}</Plain></span>}
      <span className={`badge ${m.match}`}>{t(`match_${m.match}`)}{m.matched_on !== "name" && m.matched_on !== "title" ? ` · ${t(`on_${m.matched_on}`)}` : ""}</span>
      {m.actions !== undefined && <span className="hint">{t("n_actions", { n: m.actions, shown: number(m.actions) })}</span>}
      {children}
    </li>
  );
}
