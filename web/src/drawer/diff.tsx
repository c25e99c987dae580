// What a change changed: before and after, beside each other.
import type { Change } from "../api/action";
import { useText } from "../locale/text";
import { Plain } from "../plain";

const shown = (v: unknown): string => (v === undefined ? "" : typeof v === "string" ? v : JSON.stringify(v, null, 2));

/** Cuts two texts into the words that are common at both ends and what differs between. */
export function middle(before: string, after: string): { head: string; before: string; after: string; tail: string } {
  const words = /\p{L}+|\p{N}+|\s+|./gsu;
  const a = before.match(words) ?? [];
  const b = after.match(words) ?? [];
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  return { head: a.slice(0, head).join(""), before: a.slice(head, a.length - tail).join(""), after: b.slice(head, b.length - tail).join(""), tail: a.slice(a.length - tail).join("") };
}

export function Diff({ changes }: { changes: Change[] }) {
  const { t } = useText();
  return (
    <table className="diff">
      <thead>
        <tr><th scope="col">{t("change_field")}</th><th scope="col">{t("change_before")}</th><th scope="col">{t("change_after")}</th></tr>
      </thead>
      <tbody>
        {changes.map((c, i) => {
          const d = middle(shown(c.before), shown(c.after));
          return (
            <tr key={i}>
              <th scope="row"><Plain>{c.field}</Plain></th>
              <td className="before">{c.before === undefined || c.before === null ? <em>{t("change_nothing")}</em> : <><Plain lines>{d.head}</Plain>{d.before && <del><Plain lines>{d.before}</Plain></del>}<Plain lines>{d.tail}</Plain></>}</td>
              <td className="after">{c.after === undefined || c.after === null ? <em>{t("change_nothing")}</em> : <><Plain lines>{d.head}</Plain>{d.after && <ins><Plain lines>{d.after}</Plain></ins>}<Plain lines>{d.tail}</Plain></>}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
