// The columns of the list; which of them are shown is somebody's choice.
import { called, type Action } from "../api/action";

export const columnNames = ["time", "actor", "action", "target", "course", "class", "outcome", "category", "channel", "request", "code", "ip"] as const;
export type ColumnName = (typeof columnNames)[number];

export const defaultColumns: ColumnName[] = ["time", "actor", "action", "target", "course", "outcome"];

/** Shares of the width, as CSS grid understands them; text columns grow. */
export const widths: Record<ColumnName, string> = {
  time: "9.6rem",
  actor: "minmax(9rem, 1.2fr)",
  action: "minmax(14rem, 2.2fr)",
  target: "minmax(9rem, 1.2fr)",
  course: "minmax(8rem, 1.2fr)",
  class: "minmax(7rem, 1fr)",
  outcome: "7.5rem",
  category: "6.5rem",
  channel: "6.5rem",
  request: "minmax(10rem, 1.4fr)",
  code: "4rem",
  ip: "minmax(8rem, 0.8fr)",
};

/** The text of a column that is somebody's own text; the others are drawn. */
export function cell(a: Action, column: ColumnName): string | undefined {
  switch (column) {
    case "target":
      return a.targets.length > 1 ? `${called(a.targets[0]) ?? ""} +${a.targets.length - 1}` : called(a.targets[0]);
    case "course":
      return a.course && (a.course.title ?? a.course.id);
    case "class":
      return a.class && (a.class.title ?? a.class.id);
    case "channel":
      return a.origin.channel;
    case "request":
      return a.request && [a.request.method, a.request.route ?? a.request.url].filter(Boolean).join(" ");
    case "code":
      return a.responseCode;
    case "ip":
      return a.origin.ip;
    default:
      return undefined;
  }
}

/** How wide a column has to be to be of use, in pixels. */
const least: Record<ColumnName, number> = { time: 150, actor: 120, action: 180, target: 110, course: 110, class: 100, outcome: 92, category: 92, channel: 92, request: 140, code: 60, ip: 110 };

/** The columns that fit into a width, those that are needed most first. */
export function fitting(columns: ColumnName[], width: number): ColumnName[] {
  const needed: ColumnName[] = ["time", "action", "actor", "outcome", "target", "course"];
  const order = [...needed, ...columnNames.filter((c) => !needed.includes(c))].filter((c) => columns.includes(c));
  let room = width - 24;
  const fit = order.filter((c, i) => (room -= least[c] + 10) >= 0 || i < 2);
  return columns.filter((c) => fit.includes(c));
}
