// Names, titles and user agents are written by whoever wants to: they are shown as they
// are, never as a part of the page, and what would not be seen is made visible.
import { Fragment, type ReactNode } from "react";

// Controls, line and paragraph separators, marks and overrides of direction, and characters
// that take no room. The two joiners (200C, 200D) are letters' business in many scripts.
const unseen = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\u{e0000}-\u{e007f}]/gu;

/** Cuts a text into what can be seen and, each alone, what cannot. */
export function pieces(text: string): { text: string; hidden?: string }[] {
  const all: { text: string; hidden?: string }[] = [];
  let at = 0;
  for (const m of text.matchAll(unseen)) {
    if (m.index > at) all.push({ text: text.slice(at, m.index) });
    all.push({ text: m[0], hidden: "U+" + m[0].codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0") });
    at = m.index + m[0].length;
  }
  if (at < text.length) all.push({ text: text.slice(at) });
  return all;
}

/** The same as one text, for titles and labels. */
export const plain = (text: string): string => pieces(text).map((p) => (p.hidden ? `[${p.hidden}]` : p.text)).join("");

/** Somebody's text: its direction is its own, and it changes nothing around it. With lines, its line breaks are line breaks. */
export function Plain({ children, lines = false }: { children: string; lines?: boolean }): ReactNode {
  if (lines) return children.split("\n").map((line, i) => <Fragment key={i}>{i > 0 && "\n"}<Plain>{line}</Plain></Fragment>);
  if (children.search(unseen) < 0) return <bdi>{children}</bdi>;
  return (
    <bdi>
      {pieces(children).map((p, i) => (p.hidden ? <span key={i} className="unseen">{p.hidden}</span> : <Fragment key={i}>{p.text}</Fragment>))}
    </bdi>
  );
}
