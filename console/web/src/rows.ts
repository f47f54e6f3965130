// Lists: <table data-rows> with <tr data-row data-href>. The focus is on a row's link, so that Enter, screen readers and the eye agree.

import { spelled } from "./chord.ts";
import { label, type Binding } from "./controls.ts";
import { passing } from "./keep.ts";
import { moved, neighbour, range } from "./pick.ts";
import { say } from "./say.ts";

/** A list that a page was opened from: its address, and where its rows lead. */
interface From {
  list: string;
  hrefs: string[];
}

const all = (): HTMLTableRowElement[] => [...document.querySelectorAll<HTMLTableRowElement>("table[data-rows] tr[data-row]")].filter((r) => r.checkVisibility());
const here = (): string => location.pathname + location.search;
let anchor = -1;

/** The row that has the focus, or had it last. */
function current(list: HTMLTableRowElement[]): number {
  const row = document.activeElement?.closest<HTMLTableRowElement>("tr[data-row]") ?? document.querySelector<HTMLTableRowElement>("tr[data-row].current");
  return row ? list.indexOf(row) : -1;
}

/** focusOn marks a row as the current one and gives its link the focus. */
function focusOn(row: HTMLTableRowElement): void {
  mark(row);
  const link = row.querySelector<HTMLElement>("a[href]");
  if (!link) row.tabIndex = -1;
  (link ?? row).focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
}

function mark(row: HTMLTableRowElement): void {
  for (const r of document.querySelectorAll("tr.current")) r.classList.remove("current");
  row.classList.add("current");
  passing.set(`row ${here()}`, row.dataset["row"] ?? "");
}

function move(step: number): void {
  const list = all();
  const row = list[moved(current(list), step, list.length)];
  if (row) focusOn(row);
}

/** depart remembers that a page is opened from a list, for the keys of that page. */
function depart(to: string, from: From): void {
  passing.set(`from ${new URL(to, location.href).pathname}`, JSON.stringify(from));
}

/** This page as a list. */
const thisList = (): From => ({ list: here(), hrefs: all().map((r) => r.dataset["href"] ?? r.querySelector("a")?.getAttribute("href") ?? "") });

function leave(to: string): void {
  depart(to, thisList());
  location.assign(to);
}

/** open goes where the row leads. */
function open(row: HTMLTableRowElement | undefined): void {
  if (!row) return;
  const link = row.querySelector<HTMLAnchorElement>("a[href]");
  mark(row);
  if (link) link.click();
  else if (row.dataset["href"]) leave(row.dataset["href"]);
}

const box = (row: HTMLTableRowElement | undefined): HTMLInputElement | null => row?.querySelector<HTMLInputElement>("input[type=checkbox][name=pick]") ?? null;

function pick(): void {
  const list = all();
  const at = current(list);
  const b = box(list[at]);
  if (!b) return;
  anchor = at;
  set([b], !b.checked);
}

function pickRange(): void {
  const list = all();
  const at = current(list);
  if (at < 0) return;
  set(range(anchor < 0 ? at : anchor, at).map((i) => box(list[i])).filter((b) => b !== null), true);
}

function set(boxes: HTMLInputElement[], checked: boolean): void {
  for (const b of boxes) {
    b.checked = checked;
    b.dispatchEvent(new Event("change", { bubbles: true }));
  }
}

function count(): void {
  let n = 0;
  for (const row of all()) {
    const picked = box(row)?.checked ?? false;
    row.classList.toggle("picked", picked);
    if (picked) n++;
  }
  for (const e of document.querySelectorAll("[data-picked]")) e.textContent = n === 0 ? "none picked" : `${n} picked`;
  say(n === 0 ? "none picked" : `${n} picked`);
}

/** The keys of a list, where the page has one (the digits only where the page does not use them itself), and of its neighbours, where the page was opened from one. */
export function rowKeys(): Binding[] {
  const list = all();
  const out: Binding[] = [];
  const group = "List";
  if (list.length > 0) {
    out.push(
      { keys: "j", what: "next row", group, run: () => move(1) },
      { keys: "k", what: "row before", group, run: () => move(-1) },
      { keys: "Enter", what: "open the row", group, run: () => open(all()[current(all())]) },
    );
    const free = !document.querySelector(Array.from({ length: 9 }, (_, i) => `[data-key="${i + 1}"]`).join());
    for (let n = 1; free && n <= Math.min(9, list.length); n++) out.push({ keys: String(n), what: `open row ${n}`, group, run: () => open(all()[n - 1]) });
    if (list.some((r) => box(r))) {
      out.push({ keys: "x", what: "pick the row", group, run: pick }, { keys: "Shift+x", what: "pick the rows up to here", group, run: pickRange });
    }
  }
  const from = before();
  for (const [keys, what, step] of [["[", "the one before in the list", -1], ["]", "the next in the list", 1]] as const) {
    const to = from && neighbour(from.hrefs, location.pathname, step);
    if (!from || !to) continue;
    const go = (): void => {
      depart(to, from);
      location.assign(to);
    };
    out.push({ keys, what, group, run: go });
  }
  return out;
}

/** The keys of the row that has the focus: whatever in it carries data-row-key. */
export function rowActs(): Binding[] {
  const row = document.activeElement?.closest<HTMLTableRowElement>("table[data-rows] tr[data-row]");
  return [...(row?.querySelectorAll<HTMLElement>("[data-row-key]") ?? [])].map((e) => ({ keys: spelled(e.dataset["rowKey"] ?? ""), what: label(e), group: "This row", run: () => e.click() }));
}

/** The list that this page was opened from. */
function before(): From | undefined {
  try {
    const kept: unknown = JSON.parse(passing.get(`from ${location.pathname}`) ?? "null");
    return typeof kept === "object" && kept !== null && "hrefs" in kept && Array.isArray(kept.hrefs) ? (kept as From) : undefined;
  } catch {
    return undefined;
  }
}

/** Where Esc leads: the list this page was opened from, as it was. */
export const listOf = (): string | undefined => before()?.list;

/** returns notes that the list of an address is being gone back to. */
export const returns = (list: string): void => passing.set("return", list);

/** Whether this page is one that the person comes back to: by Esc, by the browser's own keys, or from an act on the list. */
function returned(): boolean {
  const kept = passing.get("return");
  passing.set("return", "");
  const entry = performance.getEntriesByType("navigation")[0];
  return (kept !== null && kept !== "" && new URL(kept, location.href).pathname === location.pathname) || (entry instanceof PerformanceNavigationTiming && entry.type !== "navigate");
}

/** startRows remembers the current row of a list, and gives the focus back to the row that was left. */
export function startRows(): void {
  const list = all();
  if (list.length === 0) return;
  document.addEventListener("click", (e) => {
    const link = (e.target as Element).closest?.<HTMLAnchorElement>("tr[data-row] a[href]");
    if (link?.closest("tr")?.dataset["href"] === link?.getAttribute("href") && link) depart(link.href, thisList());
  });
  document.addEventListener("focusin", (e) => {
    const row = (e.target as Element).closest?.<HTMLTableRowElement>("table[data-rows] tr[data-row]");
    if (row) mark(row);
  });
  document.addEventListener("change", (e) => {
    if ((e.target as Element).matches?.("input[name=pick]")) count();
  });
  document.addEventListener("submit", (e) => {
    if ((e.target as Element).querySelector("table[data-rows]")) returns(here());
  });
  if (!returned()) return;
  const left = passing.get(`row ${here()}`);
  const row = left ? list.find((r) => r.dataset["row"] === left) : undefined;
  if (row && location.hash === "") focusOn(row);
}
