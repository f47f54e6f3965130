// The controls of a page that have keys: whatever carries data-key.

import { spelled } from "./chord.ts";

/** A key and what it does. */
export interface Binding {
  keys: string;
  what: string;
  group: string;
  run: () => void;
}

const fields = "input:not([type=checkbox]):not([type=radio]):not([type=button]):not([type=submit]), select, textarea";

/** A control's name, as people read it. */
export function label(e: Element): string {
  const said = e.getAttribute("data-what") ?? e.getAttribute("aria-label") ?? (e.matches("input, select, textarea") ? ((e as HTMLInputElement).labels?.[0]?.textContent ?? e.getAttribute("placeholder")) : e.textContent) ?? "";
  return said.replace(/\s+/g, " ").trim();
}

/** use does what a click on a control does; a field gets the focus instead. */
export function use(e: HTMLElement): void {
  for (let d = (e.matches("summary") ? e.parentElement : e)?.parentElement?.closest("details"); d; d = d.parentElement?.closest("details")) d.open = true;
  if (e.matches(fields)) {
    e.focus();
    if (e instanceof HTMLInputElement) e.select();
    return;
  }
  if (e.matches("summary, button, input")) e.focus();
  e.click();
}

/** controls are the bindings of the page as it is now; of two with the same key the first that is not disabled counts. */
export function controls(): Binding[] {
  const out = new Map<string, Binding>();
  for (const e of document.querySelectorAll<HTMLElement>("[data-key]")) {
    const keys = spelled(e.dataset["key"] ?? "");
    if (keys === "" || out.has(keys) || e.matches(":disabled") || e.closest("[hidden]")) continue;
    if (!keys.includes(" ")) e.setAttribute("aria-keyshortcuts", keys.replace(/\+(.)$/, (_, k: string) => `+${k.toUpperCase()}`));
    out.set(keys, { keys, what: label(e), group: e.closest("header") ? "Go to" : "This page", run: () => use(e) });
  }
  return [...out.values()];
}

/** writing reports whether keys typed at this element are text or choices of its own. */
export function writing(e: Element | null): boolean {
  return e instanceof HTMLElement && (e.isContentEditable || e.matches(fields));
}
