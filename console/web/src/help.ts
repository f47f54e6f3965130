// The overlay that lists the keys: made from what the page has, whenever it is opened.

import type { Binding } from "./controls.ts";

function element<K extends keyof HTMLElementTagNameMap>(name: K, text = "", className = ""): HTMLElementTagNameMap[K] {
  const e = document.createElement(name);
  if (text) e.textContent = text;
  if (className) e.className = className;
  return e;
}

function keysOf(keys: string): HTMLElement {
  const out = element("span", "", "keys");
  for (const [i, key] of keys.split(" ").entries()) {
    if (i > 0) out.append(" then ");
    out.append(element("kbd", key));
  }
  return out;
}

/** fold takes the keys 1 to 9 together, which would fill the overlay. */
function fold(list: Binding[]): { keys: string; what: string; group: string }[] {
  const digits = list.filter((b) => /^[1-9]$/.test(b.keys) && b.what.startsWith("open row"));
  const last = digits.at(-1);
  if (digits.length < 2 || !last) return list;
  const rest: { keys: string; what: string; group: string }[] = list.filter((b) => !digits.includes(b));
  const at = rest.findLastIndex((b) => b.group === last.group);
  rest.splice(at + 1, 0, { keys: `1–${last.keys}`, what: "open the row of this number", group: last.group });
  return rest;
}

/** showHelp opens the overlay over the bindings. Its focus goes back where it was when it closes. */
export function showHelp(bindings: Binding[]): void {
  document.querySelector("dialog.help")?.remove();
  const dialog = element("dialog", "", "help");
  dialog.setAttribute("aria-labelledby", "help-title");
  const title = element("h2", "Keys");
  title.id = "help-title";
  const close = element("button", "Close");
  close.addEventListener("click", () => dialog.close());
  const head = element("div", "", "help-head");
  head.append(title, close);
  const groups = element("div", "", "help-groups");
  const folded = fold(bindings);
  for (const group of new Set(folded.map((b) => b.group))) {
    const section = element("section");
    const list = element("dl");
    for (const b of folded.filter((x) => x.group === group)) {
      const row = element("div");
      const term = element("dt");
      term.append(keysOf(b.keys));
      row.append(term, element("dd", b.what));
      list.append(row);
    }
    section.append(element("h3", group), list);
    groups.append(section);
  }
  dialog.append(head, groups, element("p", "Keys rest while you write in a field. The foot of the page switches them off, or on only while something in the page has the focus.", "hint"));
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (e) => {
    if (e.target === dialog) dialog.close();
  });
  document.body.append(dialog);
  dialog.showModal();
}
