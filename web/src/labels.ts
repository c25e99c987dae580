import { useQuery } from "@tanstack/react-query";
import { useCallback, useMemo } from "react";
import type { Action } from "./api/action";
import { api } from "./api/client";
import { useText } from "./locale/text";

/** The catalogue of what can be done. */
export function useCatalogue() {
  const types = useQuery({ queryKey: ["action-types"], queryFn: api.actionTypes, staleTime: Infinity });
  return types.data?.data ?? [];
}

/** What a code is called: in the reader's language, as the action says, or by the catalogue. */
export function useLabels(): (a: Pick<Action, "code" | "label">) => string {
  const { maybe, language } = useText();
  const catalogue = useCatalogue();
  const labels = useMemo(() => new Map(catalogue.map((c) => [c.code, c.label])), [catalogue]);
  return useCallback(
    ({ code, label }) => (language === "en" ? undefined : maybe(`code_${code}`)) ?? label ?? labels.get(code) ?? code,
    [labels, maybe, language],
  );
}
