// The console's script. Every page works without it; with it, pages have keys, clocks, themes, and a bar that says what is new.

import { Chords, nameOf, spelled } from "./chord.ts";
import { controls, writing, type Binding } from "./controls.ts";
import { copy, startCopy } from "./copy.ts";
import type { Dial } from "./dial.ts";
import { showHelp } from "./help.ts";
import { lasting } from "./keep.ts";
import { startLive } from "./live.ts";
import * as look from "./look.ts";
import { closeMenus, startMenus } from "./menus.ts";
import { listOf, returns, rowActs, rowKeys, startRows } from "./rows.ts";
import { listen, say } from "./say.ts";
import * as times from "./times.ts";

const chords = new Chords();

/** When keys act: always, while something in the page has the focus, never. */
function keysOn(): "on" | "focus" | "off" {
  const kept = lasting.get("keys");
  return kept === "off" || kept === "focus" ? kept : "on";
}

/** Everything that has a key on this page. What the row with the focus says comes first, then what the page itself does; the first wins. */
function bindings(): Binding[] {
  const acts = rowActs();
  const own = [...acts, ...controls().filter((b) => !acts.some((a) => a.keys === b.keys))];
  const ours: Binding[] = [
    ...rowKeys(),
    { keys: "/", what: "search", group: "Everywhere", run: search },
    { keys: "t", what: "times in UTC, local, relative", group: "Everywhere", run: turnClock },
    { keys: "y", what: "copy the link to this page", group: "Everywhere", run: () => void copy("", "Link") },
    { keys: "Escape", what: "close, or back", group: "Everywhere", run: back },
    { keys: "?", what: "these keys", group: "Everywhere", run: help },
  ];
  const taken = new Set(own.map((b) => b.keys));
  return [...own, ...ours.filter((b) => !taken.has(b.keys) && (b.keys !== "/" || searchField()))];
}

const searchField = (): HTMLInputElement | null => document.querySelector<HTMLInputElement>("main input[type=search], main input[name=q]");

function search(): void {
  searchField()?.focus();
  searchField()?.select();
}

function turnClock(): void {
  setClock(times.next());
  say(`times: ${times.chosen() === "utc" ? "UTC" : times.chosen()}`);
}

function setClock(d: Dial): void {
  times.choose(d);
  settings();
}

/** back closes what is open, leaves a field, goes back to the list, or up. */
function back(): void {
  if (closeMenus()) return;
  const list = listOf();
  if (location.hash !== "" && document.querySelector(":target:is(form, .dialog)")) history.back();
  else if (list) {
    returns(list);
    location.assign(list);
  } else if (history.length > 1 && document.referrer.startsWith(`${location.origin}/`)) history.back();
  else document.querySelector<HTMLAnchorElement>(".crumb a")?.click();
}

function help(): void {
  const order = ["This row", "This page", "List", "Everywhere", "Go to"];
  showHelp(bindings().sort((a, b) => order.indexOf(a.group) - order.indexOf(b.group)));
}

function pressed(e: KeyboardEvent): void {
  const name = nameOf(e);
  if (name === "" || e.defaultPrevented || e.isComposing || document.querySelector("dialog[open]")) return;
  if (name === "Escape" && writing(document.activeElement)) {
    (document.activeElement as HTMLElement).blur();
    return;
  }
  const mode = keysOn();
  const here = document.activeElement;
  if (writing(here) || mode === "off" || (mode === "focus" && !here?.closest("main *"))) return;
  if (name === "Enter" && here instanceof HTMLElement && here.matches("a, button, summary, input")) return;
  const bound = bindings();
  const step = chords.press(name, e.timeStamp, bound.map((b) => spelled(b.keys)));
  if (step === "none") return;
  e.preventDefault();
  if (step !== "more") bound.find((b) => spelled(b.keys) === step.run)?.run();
}

/** settings shows the choices at the foot of the page and follows them. */
function settings(): void {
  const place = document.querySelector<HTMLElement>("[data-settings]");
  if (!place) return;
  const choice = (name: string): HTMLSelectElement | null => place.querySelector<HTMLSelectElement>(`select[name=${name}]`);
  const set = (name: string, value: string, follow: (v: string) => void): void => {
    const s = choice(name);
    if (!s) return;
    s.value = value;
    s.onchange = () => follow(s.value);
  };
  set("theme", look.chosen(), (v) => look.choose(v as look.Look));
  set("clock", times.chosen(), (v) => setClock(v as Dial));
  set("keys", keysOn(), (v) => {
    lasting.set("keys", v);
    document.documentElement.dataset["keys"] = v;
  });
  const button = place.querySelector<HTMLButtonElement>("button[data-help]");
  if (button) button.onclick = help;
  document.documentElement.dataset["keys"] = keysOn();
  place.hidden = false;
}

listen();
settings();
times.startTimes();
startRows();
startMenus();
startCopy();
startLive();
controls();
document.addEventListener("keydown", pressed);
