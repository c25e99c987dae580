import { useMemo } from "react";
import { useText } from "../locale/text";
import { useSettings } from "../settings";

export interface Times {
  zone: string;
  /** Day and time to the second, short: for rows. The year is there if it is not this one. */
  short: (d: Date) => string;
  /** Everything, with the zone: for details. */
  long: (d: Date) => string;
  day: (d: Date) => string;
  /** A date of UTC, as 2026-11-30, in whatever zone the reader is. */
  utcDay: (date: string) => string;
  clock: (d: Date) => string;
  /** For the marks of a time line: the day alone, and day, hour and minute. */
  tick: (d: Date) => string;
  tickHour: (d: Date) => string;
}

export function timesOf(locale: string, zone: string): Times {
  const format = (o: Intl.DateTimeFormatOptions, timeZone = zone) => {
    const f = new Intl.DateTimeFormat(locale, { ...o, timeZone });
    return (d: Date) => (Number.isNaN(d.getTime()) ? "–" : f.format(d));
  };
  const clock = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" } as const;
  const thisYear = format({ day: "2-digit", month: "short", ...clock });
  const otherYear = format({ day: "2-digit", month: "short", year: "numeric", ...clock });
  const year = format({ year: "numeric" });
  const date = { weekday: "short", day: "numeric", month: "short", year: "numeric" } as const;
  const utc = format(date, "UTC");
  return {
    zone,
    short: (d) => (year(d) === year(new Date()) ? thisYear(d) : otherYear(d)),
    long: format({ weekday: "short", day: "numeric", month: "long", year: "numeric", ...clock, fractionalSecondDigits: 3, timeZoneName: "short" }),
    day: format(date),
    utcDay: (d) => utc(new Date(d + "T00:00:00Z")),
    clock: format(clock),
    tick: format({ day: "numeric", month: "short" }),
    tickHour: format({ day: "2-digit", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" }),
  };
}

/** Formats times in the language and the zone that somebody chose. */
export function useTimes(): Times {
  const { language } = useText();
  const { zoneName } = useSettings();
  return useMemo(() => timesOf(language === "en" ? navigator.languages.find((l) => l.startsWith("en")) ?? "en-GB" : language, zoneName), [language, zoneName]);
}
