// The console in a real browser, over a real tocsin.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Browser } from "playwright-core";
import { analystTest } from "./analyst.ts";
import { eventually, launch, open, painted, patience, program } from "./chromium.ts";
import { contextOf, startConsoles, type Consoles } from "./consoles.ts";
import { faults } from "./faults.ts";
import { keyTests } from "./keys.ts";
import { peopleTests } from "./people.ts";

const chromium = program();
const required = process.env["CI"] === "true";
if (!chromium && required) throw new Error("the browser tests are required with CI=true, but there is no Chromium: install chromium");

describe("the console in a browser", { skip: chromium ? false : "no Chromium: install chromium, or let TOCSIN_BROWSER name one" }, () => {
  let browser: Browser;
  let consoles: Consoles;

  before(async () => {
    browser = await launch(chromium ?? "");
    consoles = await startConsoles(browser);
    for (const c of consoles.list) console.log(`${c.name}: ${c.all.map((p) => p.path).join(" ")}`);
  });
  after(async () => {
    await browser?.close();
    await consoles?.stop();
  });

  test("no link of a page leads to an error", () => assert.deepEqual(consoles.list.flatMap((c) => c.broken), []));

  test("the pages that are looked at are all that there are", () => {
    const seen = new Set(consoles.list.flatMap((c) => c.all.map((p) => p.name)));
    const wanted = [
      "incidents", "incidents-none", "incidents-one", "incidents-one-widened", "findings-one", "events-one", "entities-one", "hunt", "fleet", "changes", "rules", "rules-one", "rules-one-near", "rules-editor",
      "suppressions", "suppressions-new", "integrations", "integrations-attempts", "integrations-tried", "health", "rejects", "measures", "handover", "audit", "sign-in", "account", "people", "tokens",
    ];
    assert.deepEqual(wanted.filter((name) => !seen.has(name)), []);
  });

  for (const colorScheme of ["light", "dark"] as const) {
    test(`no page has a serious fault of access, an error, a breach of its policy or a request elsewhere, ${colorScheme}`, async (t) => {
      const found: string[] = [];
      for (const c of consoles.list) {
        const context = await browser.newContext({ ...contextOf(c), colorScheme, reducedMotion: "reduce" });
        const tab = await open(context, c.url);
        for (const p of c.all) {
          await tab.page.goto(c.url + p.path, { waitUntil: "load" });
          t.diagnostic(`${c.name} ${p.path}: first paint after ${Math.round(await painted(tab.page))} ms`);
          for (const f of await faults(tab.page)) found.push(`${c.name} ${p.path}: ${f.id} at ${f.at.join("; ")}`);
        }
        found.push(...tab.errors);
        await context.close();
      }
      assert.deepEqual(found, []);
    });
  }

  test("faults and breaches are seen where there are some", async () => {
    const context = await browser.newContext();
    const tab = await open(context, consoles.demo.url);
    await tab.page.goto(`${consoles.demo.url}/incidents`);
    await tab.page.evaluate(() => {
      const button = document.createElement("button");
      document.querySelector("main")?.append(button, Object.assign(document.createElement("img"), { src: "http://127.0.0.1:9/elsewhere.png" }));
      try {
        document.createElement("p").innerHTML = "text";
      } catch {
        // What the policy is for.
      }
    });
    assert.deepEqual((await faults(tab.page)).map((f) => f.id).sort(), ["button-name", "image-alt"]);
    await eventually(() => tab.errors.some((e) => e.includes("elsewhere.png")), () => `a picture from elsewhere: ${tab.errors.join("\n")}`);
    await eventually(() => tab.errors.some((e) => /TrustedHTML/.test(e)), () => `markup made of text: ${tab.errors.join("\n")}`);
    await context.close();
  });

  test("no page is wider than the screen, at 1280 pixels, at 200 % zoom and on a narrow screen", async () => {
    const found: string[] = [];
    for (const width of [1280, 640, 360]) {
      for (const c of consoles.list) {
        const context = await browser.newContext({ ...contextOf(c), viewport: { width, height: 800 } });
        const tab = await open(context, c.url);
        for (const p of c.all) {
          await tab.page.goto(c.url + p.path);
          const wide = await tab.page.evaluate(() => document.documentElement.scrollWidth);
          if (wide > width) found.push(`${c.name} ${p.path} is ${wide} pixels wide on a screen of ${width}`);
        }
        await context.close();
      }
    }
    assert.deepEqual(found, []);
  });

  test("everything can be done by keys", (t) => keyTests(t, browser, consoles.demo.url));

  test("an analyst goes from the queue to all three answers in three interactions at most", (t) => analystTest(t, browser, consoles.demo.url));

  test("people are let in, told what they may, and shut out", (t) => peopleTests(t, browser, consoles.staffed));

  test("pages work without script", async () => {
    for (const c of consoles.list) {
      const context = await browser.newContext({ ...contextOf(c), javaScriptEnabled: false });
      context.setDefaultTimeout(patience);
      const page = await context.newPage();
      for (const p of c.all) {
        await page.goto(c.url + p.path);
        assert.ok((await page.locator("h1").count()) === 1, `${c.name} ${p.path} has one heading`);
        assert.ok(!(await page.locator("[data-settings]").isVisible()), `${c.name} ${p.path} offers nothing that needs the script`);
      }
      await context.close();
    }
  });
});
