// Every page that there is: found by following the console's own links, one of each kind, so that a new page needs no entry here.

import type { Page } from "playwright-core";

/** The kind of an address: its path with what looks like an id left out. */
export function kindOf(path: string): string {
  return path
    .split("/")
    .map((part, i) => (i > 1 && part !== "" && !/^(new|edit|text|print|handover|dead|attempts)$/.test(part) ? "*" : part))
    .join("/");
}

/** One address of a kind of page, and a name for it. */
export interface Site {
  name: string;
  path: string;
}

/** pages follows links from the queue, breadth first, and gives one address of each kind of page; broken are those that answer with an error. */
export async function pages(page: Page, origin: string): Promise<{ all: Site[]; broken: string[] }> {
  const broken: string[] = [];
  const seen = new Map<string, string>();
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
    const links = await page.$$eval("a[href]:not([download])", (list) => list.map((a) => new URL(a.getAttribute("href") ?? "", location.href).href));
    for (const link of links) {
      const to = new URL(link);
      if (to.origin === origin && !/^\/(api|assets|feeds?)\/|\.(css|svg|json|csv|ndjson|xml|atom)$|^\/(icon|sign-out)/.test(to.pathname) && !/[?&](format|export)=/.test(to.search) && !seen.has(kindOf(to.pathname))) ahead.push(to.pathname + to.search);
    }
  }
  const all = [...seen].filter(([, path]) => path !== "").map(([kind, path]) => ({ name: kind.replace(/^\//, "").replace(/\/\*/g, "-one").replace(/\//g, "-"), path }));
  return { all, broken };
}
