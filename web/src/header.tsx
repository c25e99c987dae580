import { useQuery } from "@tanstack/react-query";
import { useEffect, type MouseEvent } from "react";
import { Button, Header as GroupHeader, Menu, MenuItem, MenuSection, MenuTrigger, Popover, Separator } from "react-aria-components";
import { Link, useLocation } from "wouter";
import { actionsPath, type Search } from "./address";
import { api } from "./api/client";
import { languages, useText, type Language } from "./locale/text";
import { Icon, Logo } from "./parts";
import { Plain, plain } from "./plain";
import { useSession } from "./session";
import { localZone, useSettings, type Settings } from "./settings";
import { useTimes } from "./time/format";

export type View = "actions" | "searches" | "exports" | "restores";

/** Skips to the list itself, where there is one. */
function toList(e: MouseEvent) {
  const list = document.getElementById("list");
  if (!list) return;
  e.preventDefault();
  list.focus();
}

/** The bar on top of every view. */
export function Header({ institution, view, search }: { institution?: string; view?: View; search?: Search }) {
  const { t } = useText();
  const { has, who } = useSession();
  const times = useTimes();
  const support = institution ? who.support?.find((s) => s.institution === institution) : undefined;
  const all = useQuery({ queryKey: ["institutions"], queryFn: api.institutions });
  const name = institution && (all.data?.data.find((i) => i.id === institution)?.name || institution);
  const title = [view && t(`view_${view}`), name && plain(name), t("title")].filter(Boolean).join(" · ");
  useEffect(() => void (document.title = title), [title]);
  const base = institution && `/institutions/${encodeURIComponent(institution)}`;
  return (
    <header className="bar">
      <a className="skip" href="#main" onClick={toList}>{t("skip")}</a>
      <Link href={base ? actionsPath(institution) : "/"} className="brand" aria-label={t("title")}>
        <Logo /> <span>{t("title")}</span>
      </Link>
      <Chooser institution={institution} />
      {base && (
        <nav aria-label={t("views")}>
          <Link href={actionsPath(institution, search)} aria-current={view === "actions" ? "page" : undefined}>{t("view_actions")}</Link>
          <Link href={`${base}/searches`} aria-current={view === "searches" ? "page" : undefined}>{t("view_searches")}</Link>
          {has(["admin", "support", "compliance"], institution) && (
            <Link href={`${base}/exports`} aria-current={view === "exports" ? "page" : undefined}>{t("view_exports")}</Link>
          )}
          <Link href={`${base}/restores`} aria-current={view === "restores" ? "page" : undefined}>{t("view_restores")}</Link>
        </nav>
      )}
      {!base && has(["support", "compliance"]) && (
        <nav aria-label={t("views")}>
          <Link href="/institutions">{t("institutions")}</Link>
          <Link href="/restores">{t("restores_all")}</Link>
        </nav>
      )}
      {support && <Link href="/institutions" className="badge requested" title={plain(support.reason)}>{t("support_until", { time: times.short(new Date(support.until)) })}</Link>}
      <span className="spring" />
      <Me />
    </header>
  );
}

function Chooser({ institution }: { institution?: string }) {
  const { t } = useText();
  const { has } = useSession();
  const [, go] = useLocation();
  const all = useQuery({ queryKey: ["institutions"], queryFn: api.institutions });
  const list = all.data?.data ?? [];
  const chosen = list.find((i) => i.id === institution);
  const name = chosen?.name || institution;
  if (!institution) return null;
  if (list.length < 2 && !has(["support", "compliance"])) return name ? <span className="institution"><Plain>{name}</Plain></span> : null;
  return (
    <MenuTrigger>
      <Button className="institution quiet" aria-label={t("institution_choose", { name: name ?? "" })}>
        <Plain>{name ?? ""}</Plain> <Icon name="down" />
      </Button>
      <Popover className="popover">
        <Menu className="menu" onAction={(key) => go(key === "…" ? "/institutions" : key === "r" ? "/restores" : actionsPath(String(key).slice(2)))}>
          <MenuSection>
            {list.slice(0, 50).map((i) => (
              <MenuItem key={i.id} id={"i:" + i.id} textValue={i.name || i.id}><Plain>{i.name || i.id}</Plain></MenuItem>
            ))}
          </MenuSection>
          <Separator />
          <MenuItem id="…">{t("institutions")}</MenuItem>
          {has(["support", "compliance"]) && <MenuItem id="r">{t("restores_all")}</MenuItem>}
        </Menu>
      </Popover>
    </MenuTrigger>
  );
}

function Me() {
  const { t } = useText();
  const { who, signOut } = useSession();
  const settings = useSettings();
  const act = (key: string) => {
    const [what, value] = key.split(":") as [string, string];
    if (what === "theme") settings.change({ theme: value as Settings["theme"] });
    if (what === "language") settings.change({ language: value as Language });
    if (what === "zone") settings.change({ zone: value as Settings["zone"] });
    if (what === "shortcuts") settings.change({ shortcuts: value === "on" });
    if (what === "out") void signOut();
  };
  const one = (what: string, chosen: string) => ({ selectionMode: "single" as const, selectedKeys: [`${what}:${chosen}`] });
  return (
    <>
      <Button className="quiet zone" onPress={() => settings.change({ zone: settings.zone === "UTC" ? "local" : "UTC" })} aria-label={t("zone_switch", { zone: settings.zoneName })}>
        <Icon name="time" /> {settings.zoneName}
      </Button>
      <MenuTrigger>
        <Button className="quiet" aria-label={t("me", { name: who.name || who.id })}>
          <Icon name="settings" /> <span className="me"><Plain>{who.name || who.email || who.id}</Plain></span>
        </Button>
        <Popover className="popover">
          <Menu className="menu" onAction={(key) => act(String(key))}>
            <MenuSection {...one("theme", settings.theme)}>
              <GroupHeader>{t("theme")}</GroupHeader>
              {(["system", "light", "dark"] as const).map((x) => <MenuItem key={x} id={`theme:${x}`}>{t(`theme_${x}`)}</MenuItem>)}
            </MenuSection>
            <MenuSection {...one("zone", settings.zone)}>
              <GroupHeader>{t("zone")}</GroupHeader>
              <MenuItem id="zone:local">{localZone()}</MenuItem>
              <MenuItem id="zone:UTC">UTC</MenuItem>
            </MenuSection>
            <MenuSection {...one("language", settings.language)}>
              <GroupHeader>{t("language")}</GroupHeader>
              {Object.entries(languages).map(([id, name]) => <MenuItem key={id} id={`language:${id}`}>{name}</MenuItem>)}
            </MenuSection>
            <MenuSection {...one("shortcuts", settings.shortcuts ? "on" : "off")}>
              <GroupHeader>{t("shortcuts")}</GroupHeader>
              <MenuItem id="shortcuts:on">{t("shortcuts_on")}</MenuItem>
              <MenuItem id="shortcuts:off">{t("shortcuts_off")}</MenuItem>
            </MenuSection>
            <Separator />
            <MenuItem id="out:">{t("sign_out")}</MenuItem>
          </Menu>
        </Popover>
      </MenuTrigger>
    </>
  );
}
