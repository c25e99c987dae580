// Who is signed in. The token that somebody gives goes to the API once, which answers with
// a cookie that no script can read; the page keeps neither.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { createContext, useCallback, useContext, useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { Button, Dialog, Form, Heading, Input, Label, Modal, ModalOverlay, TextField } from "react-aria-components";
import { api, ApiError, whenSignedOut } from "./api/client";
import { useText } from "./locale/text";
import { Failed, Loading, Logo } from "./parts";

export type Role = "admin" | "auditor" | "support" | "compliance" | "publisher" | "operator";

export type Who = NonNullable<Awaited<ReturnType<typeof api.session>>>;

interface Session {
  /** How often somebody signed in while the page was open: another number, and what is shown is asked for again. */
  signIns: number;
  who: Who;
  about: Awaited<ReturnType<typeof api.about>>;
  signOut: () => Promise<void>;
  /** Whether somebody has one of the roles, for an institution or (without one) anywhere. */
  has: (roles: Role[], institution?: string) => boolean;
}

const SessionContext = createContext<Session | null>(null);
const StateContext = createContext<{ state: "asking" | "none" | "expired" | "in"; failure?: (typeof failures)[number]; signedIn: () => void } | null>(null);

/** Where to go on after the provider sent somebody back to "/". */
const returnTo = "actionlog.return";

/** Takes the token out of an address as make run prints it: http://…/#token=…. */
function tokenOfAddress(): string | null {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token !== null) history.replaceState(null, "", location.pathname + location.search);
  return token;
}

const failures = ["again", "refused", "unavailable", "unknown"] as const;

/** Takes out of an address why the service sent somebody back without signing them in: /#sign_in=refused. */
function failureOfAddress(): (typeof failures)[number] | undefined {
  const said = new URLSearchParams(location.hash.slice(1)).get("sign_in");
  if (said === null) return undefined;
  history.replaceState(null, "", location.pathname + location.search);
  return failures.find((f) => f === said) ?? "again";
}

export function SessionProvider({ children }: { children: ReactNode }) {
  const queries = useQueryClient();
  const [linked, setLinked] = useState(tokenOfAddress);
  const [failure] = useState(failureOfAddress);
  const [expired, setExpired] = useState(false);
  const linking = useRef(false);
  const session = useQuery({
    queryKey: ["session"],
    queryFn: async () => {
      if (linked !== null && !linking.current) {
        linking.current = true;
        await api.signIn(linked).catch((e: unknown) => {
          if (!(e instanceof ApiError) || e.status !== 401) throw e;
        });
        setLinked(null);
      }
      try {
        return await api.session();
      } catch (e) {
        if (e instanceof ApiError && e.status === 401) return null;
        throw e;
      }
    },
    staleTime: 60_000,
  });
  const about = useQuery({ queryKey: ["about"], queryFn: api.about, staleTime: Infinity });
  const was = useRef(false);
  if (session.data) was.current = true;
  useEffect(() => whenSignedOut(() => was.current && setExpired(true)), []);
  const [signIns, setSignIns] = useState(0);
  const signedIn = useCallback(() => {
    // What is on the screen stays: who signs in again goes on where they were.
    const ours = (q: { queryKey: readonly unknown[] }) => q.queryKey[0] === "session" || q.queryKey[0] === "about";
    void queries.invalidateQueries({ predicate: ours }).then(() => {
      setExpired(false);
      setSignIns((n) => n + 1);
      return queries.resetQueries({ predicate: (q) => !ours(q) });
    });
  }, [queries]);
  const signOut = useCallback(async () => {
    await api.signOut().catch((e: unknown) => {
      if (!(e instanceof ApiError) || e.status !== 401) throw e; // it is over already
    });
    was.current = false;
    setExpired(false);
    queries.clear();
    location.assign("/");
  }, [queries]);
  const value = useMemo((): Session | null => {
    if (!session.data || !about.data) return null;
    const who = session.data;
    // Compliance reads every institution, and lends its other roles none.
    const has = (roles: Role[], institution?: string) =>
      who.grants.some((g) => g.roles?.some((r) => roles.includes(r as Role) && (g.all || institution === undefined || r === "compliance" || g.institutions?.includes(institution))));
    return { who, signIns, about: about.data, signOut, has: (roles, i) => has(roles, i) || (roles.includes("support") && !!who.support?.some((s) => i === undefined || s.institution === i)) };
  }, [session.data, about.data, signOut, signIns]);
  const state = expired && was.current ? "expired" : session.isPending || about.isPending ? "asking" : session.data ? "in" : "none";
  const shown = useMemo(() => ({ state, failure, signedIn }) as const, [state, failure, signedIn]);
  useEffect(() => {
    const to = sessionStorage.getItem(returnTo);
    if (state === "in" && to && location.pathname === "/") {
      sessionStorage.removeItem(returnTo);
      location.replace(to);
    }
  }, [state]);
  const failed = session.error ?? about.error;
  if (failed) return <Failed error={failed} retry={() => void Promise.all([session.refetch(), about.refetch()])} />;
  return (
    <StateContext value={shown}>
      <SessionContext value={value}>{children}</SessionContext>
    </StateContext>
  );
}

export function useSession(): Session {
  const s = useContext(SessionContext);
  if (!s) throw new Error("nobody is signed in");
  return s;
}

/** Shows the views to who is signed in. A session that ends leaves what is on the screen where it is. */
export function SignedIn({ children }: { children: ReactNode }) {
  const { state, failure, signedIn } = useContext(StateContext)!;
  const session = useContext(SessionContext);
  const { t } = useText();
  if (state === "asking") return <Loading />;
  if (state === "none" || !session) return <SignInView done={signedIn} failure={failure} />;
  return (
    <>
      {children}
      <ModalOverlay isOpen={state === "expired"} className="overlay">
        <Modal className="modal">
          <Dialog aria-label={t("session_expired")}>
            <p className="notice">{t("session_expired")}</p>
            <SignInForm done={signedIn} />
          </Dialog>
        </Modal>
      </ModalOverlay>
    </>
  );
}

interface SignInProps {
  done: () => void;
  failure?: (typeof failures)[number];
}

function SignInView(p: SignInProps) {
  const { t } = useText();
  useEffect(() => void (document.title = t("title")), [t]);
  return (
    <main className="sign-in">
      <SignInForm {...p} />
    </main>
  );
}

/** Whoever tries again from "/" goes on to where they were when they tried first. */
function remember() {
  if (location.pathname !== "/" || sessionStorage.getItem(returnTo) === null) sessionStorage.setItem(returnTo, location.pathname + location.search);
}

function SignInForm({ done, failure }: SignInProps) {
  const { t } = useText();
  const about = useQuery({ queryKey: ["about"], queryFn: api.about, staleTime: Infinity });
  const [token, setToken] = useState("");
  const [error, setError] = useState<Error>();
  const [busy, setBusy] = useState(false);
  const signIn = async () => {
    setBusy(true);
    setError(undefined);
    try {
      await api.signIn(token.trim());
      setToken("");
      done();
    } catch (e) {
      setError(e as Error);
    } finally {
      setBusy(false);
    }
  };
  const wrong = error instanceof ApiError && error.status === 401;
  return (
    <div className="sign-in-form">
      <Logo />
      <Heading level={1} slot="title">{t("sign_in_title")}</Heading>
      {failure && (
        <p role="alert" className="notice">
          {t(`sign_in_${failure}`)} {failure === "unknown" && about.data?.support && <a href={about.data.support.url} rel="noreferrer">{t("support_ask", { name: about.data.support.name })}</a>}
        </p>
      )}
      {about.data?.provider && (
        <a className="button primary" href="/v1/sign-in" onClick={remember}>
          {t("sign_in_provider")}
        </a>
      )}
      <Form
        validationBehavior="aria"
        onSubmit={(e) => {
          e.preventDefault();
          void signIn();
        }}
      >
        <TextField value={token} onChange={setToken} isRequired autoFocus type="password" autoComplete="off" isInvalid={wrong}>
          <Label>{t("token")}</Label>
          <Input />
        </TextField>
        <p className="hint">{t("token_hint")}</p>
        {error && (wrong ? <p role="alert" className="problem">{t("token_wrong")}</p> : <Failed error={error} />)}
        <Button type="submit" className={about.data?.provider ? "button" : "button primary"} isDisabled={busy || token.trim() === ""}>
          {t("sign_in")}
        </Button>
      </Form>
    </div>
  );
}
