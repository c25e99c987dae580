// What somebody prefers, remembered in this browser.
import { createContext, useCallback, useContext, useMemo, useState, type ReactNode } from "react";
import { defaultColumns, type ColumnName } from "./list/columns";
import { languages, usual, type Language } from "./locale/text";

export interface Settings {
  language: Language;
  theme: "system" | "light" | "dark";
  zone: "local" | "UTC";
  columns: ColumnName[];
  /** Whether the numbers beside the list are shown. */
  facets: boolean;
  by: "category" | "outcome";
  /** Whether single letters do something wherever the focus is (WCAG 2.2, 2.1.4). */
  shortcuts: boolean;
}

const where = "actionlog.settings";

function stored(): Settings {
  const usually: Settings = { language: usual(), theme: "system", zone: "local", columns: defaultColumns, facets: true, by: "category", shortcuts: true };
  try {
    const kept = JSON.parse(localStorage.getItem(where) ?? "{}") as Partial<Settings>;
    if (kept.language && !(kept.language in languages)) delete kept.language;
    return { ...usually, ...kept };
  } catch {
    return usually; // unreadable, or storage is forbidden
  }
}

/** What the whole document has of the settings, before anything is drawn or asked for with them. */
function applied(settings: Settings): Settings {
  document.documentElement.dataset.theme = settings.theme;
  document.documentElement.lang = settings.language;
  return settings;
}

interface Kept extends Settings {
  change: (some: Partial<Settings>) => void;
  /** The IANA name of the zone that times are shown in. */
  zoneName: string;
}

const SettingsContext = createContext<Kept | null>(null);

export const localZone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

export function SettingsProvider({ children }: { children: ReactNode }) {
  const [settings, setSettings] = useState(() => applied(stored()));
  const change = useCallback((some: Partial<Settings>) => {
    setSettings((before) => {
      const after = applied({ ...before, ...some });
      try {
        localStorage.setItem(where, JSON.stringify(after));
      } catch {
        // It is remembered until the page is left.
      }
      return after;
    });
  }, []);
  const kept = useMemo(() => ({ ...settings, change, zoneName: settings.zone === "UTC" ? "UTC" : localZone() }), [settings, change]);
  return <SettingsContext value={kept}>{children}</SettingsContext>;
}

export function useSettings(): Kept {
  const kept = useContext(SettingsContext);
  if (!kept) throw new Error("no settings");
  return kept;
}
