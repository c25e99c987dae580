import { useQuery } from "@tanstack/react-query";
import { Redirect, Route, Switch } from "wouter";
import { api } from "./api/client";
import { Institutions } from "./institutions";
import { LogView } from "./log";
import { RestoresOfAll } from "./restores/all";
import { SessionProvider, SignedIn } from "./session";
import { Boundary } from "./boundary";
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

function Views() {
  const { t } = useText();
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
          if (view !== "actions" && view !== "exports" && view !== "restores") return <p className="nothing">{t("nothing_here")}</p>;
          return <LogView key={p.institution} institution={p.institution} view={view} id={p.id} />;
        }}
      </Route>
      <Route>
        <p className="nothing">{t("nothing_here")}</p>
      </Route>
    </Switch>
  );
}

/** Who has one institution is there at once; who has several chooses. */
function Home() {
  const all = useQuery({ queryKey: ["institutions"], queryFn: api.institutions });
  if (all.data?.data.length === 1) return <Redirect to={`/institutions/${encodeURIComponent(all.data.data[0]!.id)}/actions`} replace />;
  return <Institutions />;
}
