import { useQuery } from "@tanstack/react-query";
import { Redirect, Route, Switch } from "wouter";
import { api } from "./api/client";
import { Header } from "./header";
import { Institutions } from "./institutions";
import { LogView } from "./log";
import { RestoresOfAll } from "./restores/all";
import { Boundary } from "./boundary";
import { SessionProvider, SignedIn, useSession } from "./session";
import { SettingsProvider, useSettings } from "./settings";
import { TextProvider, useText } from "./locale/text";

export function App() {
  return (
    <SettingsProvider>
      <Spoken />
    </SettingsProvider>
  );
}

function Spoken() {
  const { language } = useSettings();
  return (
    <TextProvider language={language}>
      <Boundary>
        <SessionProvider>
          <SignedIn>
            <Views />
          </SignedIn>
        </SessionProvider>
      </Boundary>
    </TextProvider>
  );
}

function Nowhere() {
  const { t } = useText();
  return (
    <>
      <Header />
      <main id="main" className="narrow-page" tabIndex={-1}>
        <h1>{t("nothing_here")}</h1>
      </main>
    </>
  );
}

function Views() {
  return (
    <Switch>
      <Route path="/">
        <Home />
      </Route>
      <Route path="/institutions">
        <Institutions />
      </Route>
      <Route path="/restores">
        <RestoresOfAll />
      </Route>
      <Route path="/institutions/:institution/:view?/:id?">
        {(p: { institution: string; view?: string; id?: string }) => {
          const view = p.view ?? "actions";
          if (view !== "actions" && view !== "searches" && view !== "exports" && view !== "restores") return <Nowhere />;
          return <LogView key={p.institution} institution={p.institution} view={view} id={p.id} />;
        }}
      </Route>
      <Route>
        <Nowhere />
      </Route>
    </Switch>
  );
}

/** Who has one institution is there at once; who has several chooses. */
function Home() {
  const { has } = useSession();
  const all = useQuery({ queryKey: ["institutions"], queryFn: api.institutions });
  if (all.data?.data.length === 1 && has(["admin", "auditor", "support", "compliance"], all.data.data[0]!.id)) return <Redirect to={`/institutions/${encodeURIComponent(all.data.data[0]!.id)}/actions`} replace />;
  return <Institutions />;
}
