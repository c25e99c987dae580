import { useState } from "react";
import { Button } from "react-aria-components";
import { add, format, readValue, remove, written, type FilterName, type Search } from "./address";
import { api } from "./api/client";
import { useCounts } from "./counts";
import { useLabels } from "./labels";
import { useText } from "./locale/text";
import { Failed, Icon, Loading } from "./parts";
import { Plain, plain } from "./plain";

const fields = ["category", "action", "outcome", "actor", "course", "class", "actor_kind", "channel", "request_method", "response_code", "request_content_type", "ip"] as const;
type Field = (typeof fields)[number];

interface Props {
  institution: string;
  search: Search;
  asked: number;
  /** The list is there: now its numbers may be asked for. */
  ready: boolean;
  change: (s: Search) => void;
}

/** The most frequent values of each field, with how many actions have them. */
export function Facets(p: Props) {
  const { t } = useText();
  const [open, setOpen] = useState<Field[]>(["category", "action", "actor", "outcome"]);
  return (
    <aside className="facets" aria-label={t("facets")}>
      {fields.map((f) => {
        const is = open.includes(f);
        return (
          <section key={f} className="facet">
            <h2>
              <Button className="facet-head" aria-expanded={is} onPress={() => setOpen(is ? open.filter((x) => x !== f) : [...open, f])}>
                <span className={is ? "twist open" : "twist"}><Icon name="down" /></span> {t(`filter_${f}`)}
              </Button>
            </h2>
            {is && <Values {...p} field={f} />}
          </section>
        );
      })}
    </aside>
  );
}

/** What tells one route from another is at its end: "POST …/{id}/managed-users/". */
export const brief = (label: string): string => label.replace(/^([A-Z]+) \/.*(\/[^/]+\/[^/]+\/?)$/, "$1 …$2");

function Values({ institution, search, asked, ready, change, field }: Props & { field: Field }) {
  const { t, maybe, number } = useText();
  const labels = useLabels();
  const [most, setMost] = useState(6);
  const counts = useCounts(["facets", institution, field, format(search), most, asked], ready, (signal) => api.facets(institution, { ...search, field, limit: most } as never, signal));
  if (counts.error) return <Failed error={counts.error} retry={() => void counts.refetch()} />;
  if (!counts.data) return <Loading />;
  const { data, meta } = counts.data;
  const say = (v: (typeof data)[number]) => {
    if (field === "action") return labels({ code: v.value, label: v.label });
    return v.label ?? maybe(`${field}_${v.value}`) ?? v.value;
  };
  const top = Math.max(1, ...data.map((v) => v.count));
  const other = meta.other ?? 0;
  return (
    <ul className={counts.isPlaceholderData ? "values stale" : "values"}>
      {data.map((v) => {
        const inThere = (search[field] ?? []).find((x) => readValue(field, x).text === v.value && !readValue(field, x).not);
        const name = plain(say(v));
        return (
          <li key={v.value}>
            <Button
              className="value"
              aria-pressed={inThere !== undefined}
              onPress={() => change(inThere !== undefined ? remove(search, field, inThere) : add(search, field as FilterName, v.value))}
            >
              <meter className="share" min={0} max={top} value={v.count} aria-hidden="true" />
              <span className="value-name" title={name}><Plain>{field === "action" ? brief(say(v)) : say(v)}</Plain></span>
              <span className="value-count">{number(v.count)}</span>
            </Button>
            <Button className="quiet icon-only not" aria-label={t("facet_not", { name })} onPress={() => change({ ...search, [field]: [...(search[field] ?? []).filter((x) => readValue(field, x).text !== v.value), written(field, v.value, true)] })}>
              <Icon name="not" />
            </Button>
          </li>
        );
      })}
      {data.length === 0 && <li className="hint">{t("facet_none")}</li>}
      {other > 0 && (
        <li>
          <Button className="link" onPress={() => setMost(most < 50 ? 50 : 1000)} isDisabled={most >= 1000}>{t("facet_other", { n: other, shown: number(other) })}</Button>
        </li>
      )}
    </ul>
  );
}
