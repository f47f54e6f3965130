// A scripted analyst: from the queue to all three answers on every incident of the demonstration. What it takes is counted against budget.json.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { type TestContext } from "node:test";
import type { Browser, Page } from "playwright-core";
import { open } from "./chromium.ts";

/** What one way from the queue to the answers costs. Requests are pages and forms, without what a browser keeps. */
interface Cost {
  interactions: number;
  requests: number;
}

type Budget = Record<"mouse" | "keys", Cost>;

/** The most interactions that a way may ever have. */
const most = 3;

const file = path.resolve(process.cwd(), "browser", "budget.json");

/** Ways to open the n-th incident of the queue and to confirm what the page says; each returns how many interactions it took. */
const ways: Record<keyof Budget, { open: (page: Page, n: number) => Promise<number>; answer: (page: Page) => Promise<number> }> = {
  mouse: {
    open: async (page, n) => {
      await page.locator("table[data-rows] tr[data-row] a[href^='/incidents/']").nth(n).click();
      return 1;
    },
    answer: async (page) => {
      await page.locator("button[data-key='0']").click();
      return 1;
    },
  },
  keys: {
    open: async (page, n) => {
      await page.keyboard.press(String(n + 1));
      return 1;
    },
    answer: async (page) => {
      await page.keyboard.press("0");
      return 1;
    },
  },
};

/** How many of the three questions of the page at hand have an answer of a person. */
const answered = (page: Page): Promise<number> => page.locator(".answers > section[data-answered]").count();

export async function analystTest(t: TestContext, browser: Browser, url: string): Promise<void> {
  const budget = JSON.parse(readFileSync(file, "utf8")) as Budget;
  const context = await browser.newContext();
  const tab = await open(context, url);
  const page = tab.page;
  await page.goto(`${url}/incidents`);
  const incidents = await page.$$eval("table[data-rows] tr[data-row]", (rows) => rows.map((r) => (r as HTMLElement).dataset["row"] ?? ""));
  assert.ok(incidents.length >= 2 && incidents.length <= 9, `the demonstration's incidents: ${incidents.length}`);
  for (const [name, way] of Object.entries(ways) as [keyof Budget, (typeof ways)["mouse"]][]) {
    const worst: Cost = { interactions: 0, requests: 0 };
    for (const id of incidents) {
      await page.goto(`${url}/incidents`);
      const n = await page.$$eval("table[data-rows] tr[data-row]", (rows, wanted) => rows.findIndex((r) => (r as HTMLElement).dataset["row"] === wanted), id);
      const before = tab.requests.length;
      const opening = await way.open(page, n);
      await page.waitForURL(`**/incidents/${id}*`);
      await page.waitForLoadState("load");
      const read = await page.locator(".answers > section").allInnerTexts();
      assert.equal(read.length, 3, "the page has three questions");
      const answering = await way.answer(page);
      await page.locator(".answers > section[data-answered]").nth(2).waitFor();
      assert.equal(await answered(page), 3);
      const requests = tab.requests.slice(before).filter((r) => !/ \/(assets\/|style\.css|icon\.svg|api\/v1\/stream)/.test(r)); // A list that was left may still have asked for what is new.
      t.diagnostic(`${name}, ${id}: ${opening + answering} interactions, ${requests.length} requests: ${requests.join(", ").replaceAll(id, "ID")}`);
      worst.interactions = Math.max(worst.interactions, opening + answering);
      worst.requests = Math.max(worst.requests, requests.length);
      await undo(page);
    }
    assert.ok(worst.interactions <= most, `${name}: ${worst.interactions} interactions`);
    for (const what of ["interactions", "requests"] as const) {
      assert.ok(worst[what] <= budget[name][what], `${name}: ${worst[what]} ${what}, and the budget is ${budget[name][what]}`);
      assert.ok(worst[what] >= budget[name][what], `${name}: only ${worst[what]} ${what}: write that into ${file}, so that it never rises again`);
    }
  }
  assert.deepEqual(tab.errors, []);
  await context.close();
}

/** undo takes the answers back, so that the next way begins where this one did. */
export async function undo(page: Page): Promise<void> {
  const form = page.locator("form:has(input[name=action][value=undo]) button").first();
  await form.evaluate((b) => (b as HTMLButtonElement).click());
  await page.waitForFunction(() => document.querySelectorAll(".answers > section[data-answered]").length === 0);
}
