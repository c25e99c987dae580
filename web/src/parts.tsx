// Small things that several views show.
import { useState, type ReactNode } from "react";
import { Button } from "react-aria-components";
import { ApiError } from "./api/client";
import { useText } from "./locale/text";

export function Logo() {
  return (
    <svg className="logo" viewBox="0 0 32 32" aria-hidden="true" width="28" height="28">
      <rect width="32" height="32" rx="7" className="logo-ground" />
      <path d="M8 10h16M8 16h11M8 22h14" className="logo-lines" />
    </svg>
  );
}

export function Loading({ what }: { what?: string }) {
  const { t } = useText();
  return (
    <p className="loading" role="status">
      <span className="spinner" aria-hidden="true" /> {what ?? t("loading")}
    </p>
  );
}

/** What went wrong, and what the API said of it, in the language that it says it in. */
export function useSaid(): (e: Error) => { title: string; detail?: string; language?: string } {
  const { t } = useText();
  return (e) => {
    if (!(e instanceof ApiError)) return { title: t("error_page"), detail: e.message };
    switch (e.status) {
      case 0:
        return { title: t("error_offline"), detail: t("error_offline_hint") };
      case 400:
      case 422:
        return { title: t("error_invalid"), detail: e.problem.detail, language: e.language };
      case 403:
        return { title: t("error_forbidden"), detail: e.problem.detail, language: e.language };
      case 404:
        return { title: t("error_not_found"), detail: e.problem.detail, language: e.language };
      case 429:
        return { title: t("error_too_many"), detail: t("error_try_again") };
      case 503:
        return { title: t("error_unavailable"), detail: e.problem.detail, language: e.language };
      default:
        return { title: t("error_server"), detail: e.problem.detail, language: e.language };
    }
  };
}

/** A button for what cannot be undone: it asks once more, in its place. */
export function Sure({ what, sure, go, disabled }: { what: string; sure: string; go: () => void; disabled?: boolean }) {
  const [asked, setAsked] = useState(false);
  const { t } = useText();
  if (!asked) return <Button className="quiet" isDisabled={disabled} onPress={() => setAsked(true)}>{what}</Button>;
  return (
    <span className="line sure" role="group" aria-label={sure}>
      <span role="status">{sure}</span>
      <Button className="button small" autoFocus onPress={() => { setAsked(false); go(); }}>{what}</Button>
      <Button className="quiet" onPress={() => setAsked(false)}>{t("cancel")}</Button>
    </span>
  );
}

/** Answers that are the same however often one asks. */
const hopeless = [400, 403, 404, 422];

export function Failed({ error, retry, children }: { error: Error; retry?: () => void; children?: ReactNode }) {
  const { t } = useText();
  const said = useSaid()(error);
  return (
    <div className="failed" role="alert">
      <strong>{said.title}</strong>
      {said.detail && <p lang={said.language}>{said.detail}</p>}
      {children}
      {retry && !(error instanceof ApiError && hopeless.includes(error.status)) && (
        <Button className="button" onPress={retry}>
          {t("try_again")}
        </Button>
      )}
    </div>
  );
}

export type IconName =
  | "filter" | "close" | "not" | "export" | "restore" | "time" | "columns" | "copy" | "link" | "play" | "pause" | "down" | "table" | "previous" | "next" | "more" | "user" | "staff" | "api_key" | "system" | "anonymous" | "search" | "help" | "check" | "settings" | "save";

const shapes: Record<IconName, string> = {
  filter: "M3 5h14M6 10h8M9 15h2",
  close: "M5 5l10 10M15 5L5 15",
  not: "M5 5l10 10M10 3a7 7 0 100 14 7 7 0 000-14z",
  export: "M10 3v9M6 9l4 4 4-4M4 16h12",
  restore: "M4 10a6 6 0 106-6H6M8 1L5 4l3 3",
  time: "M10 3a7 7 0 100 14 7 7 0 000-14zM10 6v4l3 2",
  columns: "M3 4h14v12H3zM8 4v12M13 4v12",
  copy: "M7 7h9v9H7zM4 13V4h9",
  link: "M8 12l4-4M9 6l2-2a3 3 0 014 5l-2 2M11 14l-2 2a3 3 0 01-5-5l2-2",
  play: "M6 4l10 6-10 6z",
  pause: "M7 4v12M13 4v12",
  down: "M5 8l5 5 5-5",
  table: "M3 4h14v12H3zM3 8h14M3 12h14M8 4v12",
  previous: "M5 12l5-5 5 5",
  next: "M5 8l5 5 5-5",
  more: "M4 10h.01M10 10h.01M16 10h.01",
  user: "M10 3a3.5 3.5 0 100 7 3.5 3.5 0 000-7zM4 17c0-3.5 2.7-5 6-5s6 1.5 6 5",
  staff: "M10 2l6 2.5v4.5c0 4-2.5 7-6 9-3.500-2-6-5-6-9V4.500zM7.500 10l2 2 3.500-4",
  api_key: "M6.500 8a3.500 3.500 0 100 7 3.500 3.500 0 000-7zM9 9l7-7M13 5l2.500 2.500",
  system: "M7 7h6v6H7zM4 4h12v12H4zM10 1v3M10 16v3M1 10h3M16 10h3",
  anonymous: "M4 8h12M6 8l1-4h6l1 4M6.500 11a2 2 0 100 4 2 2 0 000-4zM13.500 11a2 2 0 100 4 2 2 0 000-4zM8.500 13h3",
  search: "M8.500 3a5.500 5.500 0 100 11 5.500 5.500 0 000-11zM13 13l4 4",
  help: "M7.500 7.500a2.500 2.500 0 115 0c0 1.700-2.500 2-2.500 4M10 15h.01",
  check: "M4 10l4 4 8-9",
  save: "M6 3h8v14l-4-3.500-4 3.500z",
  settings: "M4 6h6M14 6h2M4 14h2M10 14h6M12 4v4M8 12v4",
};

export function Icon({ name }: { name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 20 20" width="16" height="16" aria-hidden="true" data-icon={name}>
      <path d={shapes[name]} />
    </svg>
  );
}
