import { Button } from "react-aria-components";
import { filterNames, hasFilters, negate, readValue, remove, set, type FilterName, type Search } from "../address";
import { useCatalogue } from "../labels";
import { useText } from "../locale/text";
import { Icon } from "../parts";
import { Plain, plain } from "../plain";
import type { Matched } from "./matched";

interface Props {
  search: Search;
  change: (s: Search) => void;
  matched: Matched[];
}

/** One value that is set, with what can be done with it. */
export function Chip({ search, change, name, value, say }: { search: Search; change: (s: Search) => void; name: FilterName; value: string; say: string }) {
  const { t } = useText();
  const { not } = readValue(name, value);
  const what = `${t(`filter_${name}`)}: ${plain(say)}`;
  return (
    <li className={not ? "chip not" : "chip"}>
      <span className="chip-text" title={what}><span className="chip-name">{t(`filter_${name}`)} {not ? t("is_not") : t("is")}</span> <Plain>{say}</Plain></span>
      <Button className="chip-turn" aria-label={t(not ? "chip_include" : "chip_exclude", { what })} onPress={() => change(negate(search, name, value))}>
        <Icon name="not" />
      </Button>
      <Button className="chip-remove" aria-label={t("chip_remove", { what })} onPress={() => change(remove(search, name, value))}>
        <Icon name="close" />
      </Button>
    </li>
  );
}

/** Every filter that is set, to be turned into its opposite or removed. */
export function Chips({ search, change, matched }: Props) {
  const { t, maybe } = useText();
  const catalogue = useCatalogue();
  if (!hasFilters(search)) return null;
  const say = (name: string, text: string): string => {
    if (name === "action") return maybe(`code_${text}`) ?? catalogue.find((c) => c.code === text)?.label ?? text;
    const m = matched.find((m) => m.filter === name && m.value === text && m.matched_on !== "name" && m.matched_on !== "title");
    return m?.name ?? m?.title ?? maybe(`${name}_${text}`) ?? text;
  };
  return (
    <ul className="chips" aria-label={t("chips")}>
      {filterNames.flatMap((name) =>
        (search[name] ?? []).map((value) => <Chip key={`${name}=${value}`} {...{ search, change, name, value }} say={say(name, readValue(name, value).text)} />),
      )}
      {(["user_role", "near"] as const).flatMap((name) =>
        (search[name] ?? []).filter((value) => value !== "auto").map((value) => {
          const text = `${t(`filter_${name}`)}: ${maybe(name === "user_role" ? `user_as_${value}` : `near_${value}`) ?? value}`;
          return (
            <li key={name} className="chip">
              <span className="chip-text"><Plain>{text}</Plain></span>
              <Button className="chip-remove" aria-label={t("chip_remove", { what: text })} onPress={() => change(remove(search, name, value))}><Icon name="close" /></Button>
            </li>
          );
        }),
      )}
      <li>
        <Button className="quiet" onPress={() => change(filterNames.reduce((s, n) => set(s, n), set(search, "user_role")))}>{t("chips_clear")}</Button>
      </li>
    </ul>
  );
}
