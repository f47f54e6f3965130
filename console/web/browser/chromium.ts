// Chromium as the machine has it, and a page that notes what must not happen on any page.

import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";
import { accessSync, constants } from "node:fs";
import path from "node:path";

/** The program, by TOCSIN_BROWSER or by its usual names; undefined where there is none. */
export function program(): string | undefined {
  const names = [process.env["TOCSIN_BROWSER"], "chromium", "chromium-browser", "google-chrome"].filter((n) => n !== undefined && n !== "");
  const folders = (process.env["PATH"] ?? "").split(path.delimiter);
  for (const name of names as string[]) {
    for (const file of name.includes("/") ? [name] : folders.map((f) => path.join(f, name))) {
      try {
        accessSync(file, constants.X_OK);
        return file;
      } catch {
        // Not here.
      }
    }
  }
  return undefined;
}

/** How long anything may take, in milliseconds, on a machine that may be slow and busy: a test that needs it all has failed. */
export const patience = 240_000;

export function launch(executablePath: string): Promise<Browser> {
  return chromium.launch({ executablePath, timeout: patience, args: ["--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--no-sandbox"] });
}

/** eventually asks until something holds, and fails with what it says then. */
export async function eventually(holds: () => boolean | Promise<boolean>, what: () => string): Promise<void> {
  for (const end = Date.now() + patience; !(await holds()); await new Promise((done) => setTimeout(done, 50))) {
    if (Date.now() > end) throw new Error(what());
  }
}

/** A tab, with the errors that it has met and the number of requests that it has made. */
export interface Tab {
  page: Page;
  errors: string[];
  requests: string[];
}

/** open makes a tab that notes errors, violations of the policy, and requests that leave the console. */
export async function open(context: BrowserContext, origin: string): Promise<Tab> {
  context.setDefaultTimeout(patience);
  const page = await context.newPage();
  const tab: Tab = { page, errors: [], requests: [] };
  page.on("console", (m) => {
    if (["error", "warning"].includes(m.type())) tab.errors.push(`${m.type()}: ${m.text()} (${page.url()})`);
  });
  page.on("pageerror", (e) => tab.errors.push(`error: ${e.message} (${page.url()})`));
  page.on("request", (r) => {
    tab.requests.push(`${r.method()} ${new URL(r.url()).pathname}`);
    if (new URL(r.url()).origin !== origin) tab.errors.push(`request leaves the console: ${r.url()}`);
  });
  return tab;
}

/** painted is when the page at hand was first painted, in milliseconds since it was asked for; -1 for a page that is not painted. */
export function painted(page: Page): Promise<number> {
  return page.evaluate(
    () => new Promise<number>((done) => {
      new PerformanceObserver((l) => l.getEntriesByName("first-contentful-paint").forEach((e) => done(e.startTime))).observe({ type: "paint", buffered: true });
      setTimeout(() => done(-1), 5000);
    }),
  );
}
