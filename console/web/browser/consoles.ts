// The consoles that the tests look at: the demonstration's, one that people sign in to, and that one again for somebody who has not.

import type { Browser, BrowserContextOptions } from "playwright-core";
import { patience } from "./chromium.ts";
import { start } from "./service.ts";
import { pages, type Site } from "./sites.ts";
import { startStaffed, type Session, type Staffed } from "./staffed.ts";

export interface Console {
  name: string;
  url: string;
  all: Site[];
  broken: string[];
  /** Whoever has signed in; undefined: nobody. */
  session?: Session;
}

export interface Consoles {
  list: Console[];
  demo: Console;
  staffed: Staffed;
  stop: () => Promise<void>;
}

/** contextOf is what a tab of a console begins with. */
export const contextOf = (c: Console): BrowserContextOptions => (c.session ? { storageState: c.session } : {});

/** startConsoles starts both programs and finds their pages. */
export async function startConsoles(browser: Browser): Promise<Consoles> {
  const started = await Promise.allSettled([start("all"), startStaffed(browser)]);
  const stop = async (): Promise<void> => {
    for (const s of started) if (s.status === "fulfilled") await s.value.stop();
  };
  const [played, staffed] = started;
  if (played.status !== "fulfilled" || staffed.status !== "fulfilled") {
    await stop();
    throw new Error(started.map((s) => (s.status === "rejected" ? String(s.reason) : "")).join("\n"));
  }
  try {
    const demo: Console = { name: "demo", url: played.value.url, all: [], broken: [] };
    const signedIn: Console = { name: "staffed", url: staffed.value.url, all: [], broken: [], session: staffed.value.session };
    const outside: Console = { name: "outside", url: staffed.value.url, all: [{ name: "sign-in", path: "/sign-in" }], broken: [] };
    for (const c of [demo, signedIn]) {
      const context = await browser.newContext(contextOf(c));
      context.setDefaultTimeout(patience);
      Object.assign(c, await pages(await context.newPage(), c.url));
      await context.close();
    }
    // What looks the same in both is looked at once.
    signedIn.all = signedIn.all.filter((p) => /^(integrations|incidents-one|rules-one)/.test(p.name) || !demo.all.some((d) => d.name === p.name));
    return { list: [demo, signedIn, outside], demo, staffed: staffed.value, stop };
  } catch (e) {
    await stop();
    throw e;
  }
}
