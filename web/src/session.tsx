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
  who: Who;
  about: Awaited<ReturnType<typeof api.about>>;
  signOut: () => Promise<void>;
  /** Whether somebody has one of the roles, for an institution or (without one) anywhere. */
  has: (roles: Role[], institution?: string) => boolean;
}

const SessionContext = createContext<Session | null>(null);
const StateContext = createContext<{ state: "asking" | "none" | "expired" | "in"; signedIn: () => void } | null>(null);

/** Where to go on after the provider sent somebody back to "/". */
const returnTo = "actionlog.return";

/** Takes the token out of an address as make run prints it: http://…/#token=…. */
function tokenOfAddress(): string | null {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token !== null) history.replaceState(null, "", location.pathname + location.search);
  return token;
}

export function SessionProvider({ children }: { children: ReactNode }) {
  const queries = useQueryClient();
  const [linked, setLinked] = useState(tokenOfAddress);
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
  const signedIn = useCallback(() => {
    setExpired(false);
    void queries.resetQueries();
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
    const has = (roles: Role[], institution?: string) =>
      who.grants.some((g) => (g.all || institution === undefined || g.institutions?.includes(institution)) && g.roles?.some((r) => roles.includes(r as Role)));
    return { who, about: about.data, signOut, has: (roles, i) => has(roles, i) || (roles.includes("support") && !!who.support?.some((s) => i === undefined || s.institution === i)) };
  }, [session.data, about.data, signOut]);
  const state = expired && was.current ? "expired" : session.isPending || about.isPending ? "asking" : session.data ? "in" : "none";
  const shown = useMemo(() => ({ state, signedIn }) as const, [state, signedIn]);
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
  const { state, signedIn } = useContext(StateContext)!;
  const session = useContext(SessionContext);
  const { t } = useText();
  if (state === "asking") return <Loading />;
  if (state === "none" || !session) {
    return (
      <main className="sign-in">
        <SignInForm done={signedIn} />
      </main>
    );
  }
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

function SignInForm({ done }: { done: () => void }) {
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
      {about.data?.provider && (
        <a className="button primary" href="/v1/sign-in" onClick={() => sessionStorage.setItem(returnTo, location.pathname + location.search)}>
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
        {error && <p role="alert" className="problem">{wrong ? t("token_wrong") : error.message}</p>}
        <Button type="submit" className={about.data?.provider ? "button" : "button primary"} isDisabled={busy || token.trim() === ""}>
          {t("sign_in")}
        </Button>
      </Form>
    </div>
  );
}
