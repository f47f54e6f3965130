// Every page that there is: found by following the console's own links, one of each kind, so that a new page needs no entry here.

import type { Page } from "playwright-core";

/** The kind of an address: its path with what looks like an id left out. */
export function kindOf(path: string): string {
  return path
    .split("/")
    .map((part, i) => (i > 1 && part !== "" && !/^(new|edit|editor|text|print|handover|dead|attempts)$/.test(part) ? "*" : part))
    .join("/");
}

/** One address of a kind of page, and a name for it. */
export interface Site {
  name: string;
  path: string;
}

/** What a page shows besides when its address asks for it: the kind of the page, a name for the look, and the link or form that leads there. */
const looks: { kind: string; name: string; of: string }[] = [
  { kind: "/integrations", name: "attempts", of: "a[href*='delivery=dlv_']" },
  { kind: "/integrations", name: "tried", of: "form:has(input[name=try])" },
  { kind: "/rules/*", name: "near", of: "form:has(input[name=near])" },
  { kind: "/incidents/*", name: "widened", of: "a[href*='around=15']" },
  { kind: "/incidents", name: "none", of: "form:has(input[name=q])" },
];

/** looksOf are the further looks that the page at hand leads to. */
async function looksOf(page: Page, kind: string): Promise<Site[]> {
  const found: Site[] = [];
  for (const look of looks.filter((l) => l.kind === kind)) {
    const link = page.locator(look.of).first();
    if ((await link.count()) === 0) continue;
    const to = await link.evaluate((e, none) => {
      if (e instanceof HTMLAnchorElement) return e.href;
      const form = e as HTMLFormElement;
      const asked = new FormData(form);
      if (none) asked.set("q", 'title == "nothing is called so"');
      const address = new URL(form.action);
      address.search = new URLSearchParams([...asked].map(([k, v]) => [k, String(v)])).toString();
      return address.href;
    }, look.name === "none");
    const address = new URL(to);
    found.push({ name: `${nameOf(kind)}-${look.name}`, path: address.pathname + address.search });
  }
  return found;
}

const nameOf = (kind: string): string => kind.replace(/^\//, "").replace(/\/\*/g, "-one").replace(/\//g, "-");

/**
 * pages follows links from the queue, breadth first, and gives one address of each kind of page, and its further looks; broken are those that answer
 * with an error.
 */
export async function pages(page: Page, origin: string): Promise<{ all: Site[]; broken: string[] }> {
  const broken: string[] = [];
  const seen = new Map<string, string>();
  const further: Site[] = [];
  const ahead = ["/incidents"];
  for (let path = ahead.shift(); path !== undefined; path = ahead.shift()) {
    const kind = kindOf(new URL(path, origin).pathname);
    if (seen.has(kind)) continue;
    const answer = await page.goto(origin + path).catch((e: unknown) => {
      if (String(e).includes("Download is starting")) return null;
      throw e;
    });
    if (!answer?.headers()["content-type"]?.startsWith("text/html")) {
      seen.set(kind, "");
      continue;
    }
    seen.set(kind, path);
    if (answer.status() >= 400) broken.push(`${path} answers ${answer.status()}`);
    further.push(...(await looksOf(page, kind)));
    const links = await page.$$eval("a[href]:not([download])", (list) => list.map((a) => new URL(a.getAttribute("href") ?? "", location.href).href));
    for (const link of links) {
      const to = new URL(link);
      if (to.origin === origin && !/^\/(api|assets|feeds?)\/|\.(css|svg|json|csv|ndjson|xml|atom)$|^\/(icon|sign-out)/.test(to.pathname) && !/[?&](format|export)=/.test(to.search) && !seen.has(kindOf(to.pathname))) ahead.push(to.pathname + to.search);
    }
  }
  const all = [...seen].filter(([, path]) => path !== "").map(([kind, path]) => ({ name: nameOf(kind), path }));
  return { all: [...all, ...further], broken };
}
