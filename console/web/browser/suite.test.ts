// The console in a real browser, over a real tocsin.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import axe from "axe-core";
import type { Browser, Page } from "playwright-core";
import { analystTest } from "./analyst.ts";
import { launch, open, program } from "./chromium.ts";
import { keyTests } from "./keys.ts";
import { start, type Service } from "./service.ts";
import { pages, type Site } from "./sites.ts";

const chromium = program();
const required = process.env["CI"] === "true";
if (!chromium && required) throw new Error("the browser tests are required with CI=true, but there is no Chromium: install chromium");

describe("the console in a browser", { skip: chromium ? false : "no Chromium: install chromium, or let TOCSIN_BROWSER name one" }, () => {
  let service: Service;
  let browser: Browser;
  let all: Site[];
  let broken: string[];

  before(async () => {
    [service, browser] = await Promise.all([start("all"), launch(chromium ?? "")]);
    const page = await browser.newPage();
    ({ all, broken } = await pages(page, service.url));
    await page.close();
    console.log(`pages: ${all.map((p) => p.path).join(" ")}`);
  });
  after(async () => {
    await browser?.close();
    await service?.stop();
  });

  test("no link of a page leads to an error", () => assert.deepEqual(broken, []));

  /** faults are the serious and critical findings of axe on the page as it is. */
  async function faults(page: Page): Promise<{ id: string; at: string[] }[]> {
    await page.evaluate(axe.source);
    return page.evaluate(async () => {
      const result = await (globalThis as unknown as { axe: typeof axe }).axe.run(document, { resultTypes: ["violations"] });
      const serious = result.violations.filter((v) => v.impact === "serious" || v.impact === "critical");
      return serious.map((v) => ({ id: v.id, at: v.nodes.slice(0, 4).map((n) => `${n.target.join(" ")}: ${n.html.slice(0, 160)} ${(n.any[0] ?? n.all[0])?.message ?? ""}`) }));
    });
  }

  for (const colorScheme of ["light", "dark"] as const) {
    test(`no page has a serious fault of access, an error, a breach of its policy or a request elsewhere, ${colorScheme}`, async (t) => {
      const context = await browser.newContext({ colorScheme, reducedMotion: "reduce" });
      const tab = await open(context, service.url);
      const found: string[] = [];
      for (const p of all) {
        await tab.page.goto(service.url + p.path, { waitUntil: "load" });
        const paint = await tab.page.evaluate(
          () => new Promise<number>((done) => {
            new PerformanceObserver((l) => l.getEntriesByName("first-contentful-paint").forEach((e) => done(e.startTime))).observe({ type: "paint", buffered: true });
            setTimeout(() => done(-1), 5000);
          }),
        );
        t.diagnostic(`${p.path}: first paint after ${Math.round(paint)} ms`);
        for (const f of await faults(tab.page)) found.push(`${p.path}: ${f.id} at ${f.at.join("; ")}`);
      }
      assert.deepEqual(found, []);
      assert.deepEqual(tab.errors, []);
      await context.close();
    });
  }

  test("faults and breaches are seen where there are some", async () => {
    const context = await browser.newContext();
    const tab = await open(context, service.url);
    await tab.page.goto(`${service.url}/incidents`);
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
    assert.ok(tab.errors.some((e) => e.includes("elsewhere.png")), `a picture from elsewhere: ${tab.errors.join("\n")}`);
    assert.ok(tab.errors.some((e) => /TrustedHTML/.test(e)), `markup made of text: ${tab.errors.join("\n")}`);
    await context.close();
  });

  test("no page is wider than the screen, at 1280 pixels, at 200 % zoom and on a narrow screen", async () => {
    const found: string[] = [];
    for (const width of [1280, 640, 360]) {
      const context = await browser.newContext({ viewport: { width, height: 800 } });
      const tab = await open(context, service.url);
      for (const p of all) {
        await tab.page.goto(service.url + p.path);
        const wide = await tab.page.evaluate(() => document.documentElement.scrollWidth);
        if (wide > width) found.push(`${p.path} is ${wide} pixels wide on a screen of ${width}`);
      }
      await context.close();
    }
    assert.deepEqual(found, []);
  });

  test("everything can be done by keys", (t) => keyTests(t, browser, service.url));

  test("an analyst goes from the queue to all three answers in three interactions at most", (t) => analystTest(t, browser, service.url));

  test("pages work without script", async () => {
    const context = await browser.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    for (const p of all) {
      await page.goto(service.url + p.path);
      assert.ok((await page.locator("h1").count()) === 1, `${p.path} has one heading`);
      assert.ok(!(await page.locator("[data-settings]").isVisible()), `${p.path} offers nothing that needs the script`);
    }
    await context.close();
  });
});
