// Every text that people read stands in a file of its language beside this one; messages
// are ICU's (https://unicode-org.github.io/icu/userguide/format_parse/messages/).
import { IntlMessageFormat } from "intl-messageformat";
import { createContext, useContext, useMemo, type ReactNode } from "react";
import { I18nProvider } from "react-aria-components";
import de from "./de.json";
import en from "./en.json";

export type Key = keyof typeof en;
export type Values = Record<string, string | number | Date>;

export const languages = { en: "English", de: "Deutsch" } as const;
export type Language = keyof typeof languages;

const texts: Record<Language, Partial<Record<string, string>>> = { en, de };

export interface Text {
  language: Language;
  t: (key: Key, values?: Values) => string;
  /** A text whose key is made of a value, as the name of an action; undefined where there is none. */
  maybe: (key: string) => string | undefined;
  number: (n: number) => string;
}

export function textOf(language: Language): Text {
  const formats = new Map<string, IntlMessageFormat>();
  const numbers = new Intl.NumberFormat(language);
  const maybe = (key: string) => texts[language][key] ?? texts.en[key];
  return {
    language,
    maybe,
    number: (n) => numbers.format(n),
    t(key, values) {
      const message = maybe(key) ?? key;
      if (!message.includes("{")) return message;
      let format = formats.get(key);
      if (!format) formats.set(key, (format = new IntlMessageFormat(message, language, undefined, { ignoreTag: true })));
      return String(format.format(values));
    },
  };
}

const TextContext = createContext<Text>(textOf("en"));

/** The first of the browser's languages that the page speaks. */
export function usual(): Language {
  for (const l of navigator.languages ?? []) {
    const base = l.split("-")[0] as Language;
    if (base in languages) return base;
  }
  return "en";
}

export function TextProvider({ language, children }: { language: Language; children: ReactNode }) {
  const text = useMemo(() => textOf(language), [language]);
  return (
    <TextContext value={text}>
      <I18nProvider locale={language}>{children}</I18nProvider>
    </TextContext>
  );
}

export const useText = (): Text => useContext(TextContext);
