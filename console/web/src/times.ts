// Times by the clock that the person has chosen. What the server wrote is UTC and is kept beside what is shown.

import { after, dials, shape, shown, zone, type Dial } from "./dial.ts";
import { lasting } from "./keep.ts";

const written = new WeakMap<Element, string>();

/** The chosen dial. */
export function chosen(): Dial {
  const kept = lasting.get("clock");
  return dials.find((d) => d === kept) ?? "utc";
}

/** next is the dial after the chosen one. */
export const next = (): Dial => after(chosen());

/** choose remembers a dial and shows all times by it. */
export function choose(d: Dial): void {
  lasting.set("clock", d);
  show();
}

function original(e: Element): string {
  const text = written.get(e) ?? (e.textContent ?? "").trim();
  written.set(e, text);
  return text;
}

function put(e: Element, text: string): void {
  if (e.textContent !== text) e.textContent = text;
}

/** show shows every time of the page by the chosen dial, and says so where the page says UTC. */
export function show(): void {
  const dial = chosen();
  for (const e of document.querySelectorAll<HTMLTimeElement>("time[datetime]")) {
    const text = original(e);
    if (shape(text) === "other") continue;
    put(e, shown(dial, e.dateTime, text, Date.now()));
    e.title = dial === "utc" ? "" : `${e.dateTime.replace("T", " ").replace("Z", "")} UTC`;
    if (e.title === "") e.removeAttribute("title");
  }
  for (const e of document.querySelectorAll("th, dt, label, [data-zone]")) {
    if (e.childElementCount > 0) continue;
    const text = original(e);
    if (e.hasAttribute("data-zone")) put(e, dial === "relative" ? "" : zone(dial, new Date().getTimezoneOffset()));
    else if (text.includes("(UTC)")) put(e, text.replace("(UTC)", `(${zone(dial, new Date().getTimezoneOffset())})`));
  }
}

/** startTimes shows the times and, where they are relative, keeps them true. */
export function startTimes(): void {
  show();
  setInterval(() => {
    if (chosen() === "relative" && !document.hidden) show();
  }, 30_000);
}
