import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { ApiError, passing } from "./api/client";
import { App } from "./app";
import "./styles/index.css";

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // What is wrong with a question does not pass; what is unavailable may.
      retry: (failures, e) => failures < 2 && e instanceof ApiError && (e.status === 503 || e.status === 429),
      retryDelay: (n, e) => Math.min(((e as ApiError).retryAfter ?? 1) * 1000, 5000) * (n + 1),
      // What could not be reached is asked again until it can be: nobody has to press a button.
      refetchInterval: (q) => (q.state.error && passing(q.state.error) ? 4000 : false),
      refetchOnWindowFocus: false,
      staleTime: 10_000,
      networkMode: "always",
    },
    mutations: { networkMode: "always" },
  },
});

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <App />
    </QueryClientProvider>
  </StrictMode>,
);
