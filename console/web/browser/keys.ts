// What keys do, on the pages as they are.

import assert from "node:assert/strict";
import { type TestContext } from "node:test";
import type { Browser, Page } from "playwright-core";
import { patience as chordPatience } from "../src/chord.ts";
import { undo } from "./analyst.ts";
import { open } from "./chromium.ts";

/** Where the focus is: the id of its row, or its name. */
const focus = (page: Page): Promise<string> =>
  page.evaluate(() => {
    const e = document.activeElement;
    return e?.closest<HTMLElement>("tr[data-row]")?.dataset["row"] ?? `${e?.tagName.toLowerCase()} ${e?.textContent?.trim().slice(0, 40)}`;
  });

const rows = (page: Page): Promise<string[]> => page.$$eval("table[data-rows] tr[data-row]", (list) => list.map((r) => (r as HTMLElement).dataset["row"] ?? ""));

export async function keyTests(t: TestContext, browser: Browser, url: string): Promise<void> {
  const context = await browser.newContext({ permissions: ["clipboard-read", "clipboard-write"], timezoneId: "Asia/Tokyo" });
  const tab = await open(context, url);
  const page = tab.page;
  const queue = async (): Promise<string[]> => {
    await page.goto(`${url}/incidents`);
    return rows(page);
  };

  await t.test("rows are walked, opened, and found again on the way back", async () => {
    const list = await queue();
    assert.ok(list.length >= 2, "the demonstration has two incidents");
    await page.keyboard.press("j");
    assert.equal(await focus(page), list[0]);
    await page.keyboard.press("j");
    assert.equal(await focus(page), list[1]);
    await page.keyboard.press("k");
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await page.waitForURL(`**/incidents/${list[1]}*`);
    await page.keyboard.press("[");
    await page.waitForURL(`**/incidents/${list[0]}*`);
    await page.keyboard.press("]");
    await page.waitForURL(`**/incidents/${list[1]}*`);
    await page.keyboard.press("Escape");
    await page.waitForURL(/\/incidents(\?.*)?$/);
    assert.equal(await focus(page), list[1]);
    const [first] = await rows(page); // What was looked at may have moved up since.
    await page.keyboard.press("1");
    await page.waitForURL(`**/incidents/${first}*`);
  });

  await t.test("keys of a row act on the one that has the focus", async () => {
    const list = await queue();
    const walk = async (): Promise<{ name: string; at: string }> => {
      await page.goto(`${url}/incidents/${list[0]}`);
      await page.keyboard.press("j");
      for (let i = 0; i < 40 && (await page.locator("tr:focus-within [data-row-key=f]").count()) === 0; i++) await page.keyboard.press("j");
      const row = page.locator("tr:focus-within");
      return { name: (await row.locator("[data-row-key=f]").textContent()) ?? "", at: (await row.locator("[data-row-key=e]").getAttribute("href")) ?? "" };
    };
    const { name, at } = await walk();
    await page.keyboard.press("f");
    await page.waitForURL(/[?&]in=/);
    assert.match((await page.locator("table.timeline tr[data-row]").first().textContent()) ?? "", new RegExp(name.replace(/[^\w]/g, ".")));
    await walk();
    await page.keyboard.press("Shift+F");
    await page.waitForURL(/[?&]out=/);
    await walk();
    await page.keyboard.press("e");
    await page.waitForURL(`**${at}`);
    assert.match(at, /around=15/);
  });

  await t.test("rows are picked, one and a range of them", async () => {
    await queue();
    const picked = (): Promise<number> => page.locator("tr.picked").count();
    await page.keyboard.press("j");
    await page.keyboard.press("x");
    assert.equal(await picked(), 1);
    await page.keyboard.press("j");
    await page.keyboard.press("Shift+X");
    assert.equal(await picked(), 2);
    assert.match((await page.locator("[data-picked]").first().textContent()) ?? "", /2/);
  });

  await t.test("each page of the navigation has its keys", async () => {
    await queue();
    const entries = await page.$$eval("header nav a[data-key]", (list) => list.map((a) => ({ keys: a.getAttribute("data-key") ?? "", path: a.getAttribute("href") ?? "" })));
    assert.ok(entries.length >= 3);
    for (const e of entries) {
      const there = (to: URL): boolean => to.pathname === e.path;
      for (let tries = 1; tries <= 20; tries++) {
        const began = Date.now();
        for (const key of e.keys.split(" ")) await page.keyboard.press(key);
        if (Date.now() - began < chordPatience / 2) break;
        if (await page.waitForURL(there, { timeout: 10_000 }).then(() => true, () => false)) break; // A busy machine may have let the second key come too late.
        await queue();
      }
      await page.waitForURL(there);
      assert.equal(await page.locator("header nav a[aria-current=page]").getAttribute("href"), e.path);
    }
  });

  await t.test("the overlay lists the keys of the page, and gives the focus back", async () => {
    await queue();
    await page.keyboard.press("j");
    const before = await focus(page);
    await page.keyboard.press("?");
    const text = (await page.locator("dialog.help").textContent()) ?? "";
    for (const want of ["open the row", "copy the link", "Queue", "these keys"]) assert.ok(text.includes(want), `the overlay lacks ${want}: ${text}`);
    await page.keyboard.press("j");
    await page.keyboard.press("Escape");
    await page.locator("dialog.help").waitFor({ state: "detached" });
    assert.equal(await focus(page), before);
  });

  await t.test("what is typed in a field is text", async () => {
    await queue();
    await page.keyboard.press("/");
    await page.keyboard.type("jx?g d");
    assert.equal(await page.evaluate(() => (document.activeElement as HTMLInputElement).value), "jx?g d");
    await page.keyboard.press("Escape");
    assert.match(await focus(page), /^body/);
  });

  await t.test("keys can be switched off, or limited to the page's content", async () => {
    await queue();
    await page.selectOption("[data-settings] select[name=keys]", "off");
    await queue();
    await page.keyboard.press("j");
    await page.keyboard.press("?");
    assert.match(await focus(page), /^body/);
    await page.locator("dialog.help").waitFor({ state: "detached" });
    await page.selectOption("[data-settings] select[name=keys]", "focus");
    const list = await queue();
    await page.keyboard.press("j");
    assert.match(await focus(page), /^body/);
    await page.locator("main a").first().focus();
    await page.keyboard.press("j");
    assert.equal(await focus(page), list[0]);
    await page.selectOption("[data-settings] select[name=keys]", "on");
  });

  await t.test("times turn from UTC to local to relative, and stay so", async () => {
    const text = async (what: string): Promise<string> => (await page.locator(what).first().textContent())?.trim() ?? "";
    await queue();
    const moment = await page.locator("main tbody time[datetime]").first().getAttribute("datetime"); // Rows may stand in another order next time.
    const at = async (): Promise<[string, string]> => [await text("header [data-zone]"), await text(`main tbody time[datetime="${moment}"]`)];
    const [headUTC, timeUTC] = await at();
    await page.keyboard.press("t");
    const [headLocal, timeLocal] = await at();
    await queue();
    assert.deepEqual(await at(), [headLocal, timeLocal]);
    await page.keyboard.press("t");
    const [headRelative, timeRelative] = await at();
    await page.keyboard.press("t");
    assert.deepEqual(await at(), [headUTC, timeUTC]);
    assert.deepEqual([headUTC, headLocal, headRelative], ["UTC", "UTC+09:00", ""]);
    assert.notEqual(timeLocal, timeUTC);
    assert.match(timeRelative, /ago|just now/);
  });

  await t.test("the theme is chosen at the foot of the page and comes from the server after that", async () => {
    const ground = (): Promise<string> => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await queue();
    const light = await ground();
    await page.selectOption("[data-settings] select[name=theme]", "dark");
    const dark = await ground();
    assert.notEqual(light, dark);
    const answer = await page.goto(`${url}/incidents`);
    assert.match((await answer?.text()) ?? "", /<html lang="en" data-theme="dark">/);
    assert.equal(await ground(), dark);
    await page.selectOption("[data-settings] select[name=theme]", "");
    await queue();
    assert.equal(await ground(), light);
  });

  await t.test("the link of a page is copied", async () => {
    await page.goto(`${url}/health?from=a+link`);
    await page.keyboard.press("y");
    await page.locator(".said-now", { hasText: "copied" }).waitFor();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), `${url}/health?from=a+link`);
  });

  await t.test("the first thing that Tab reaches leads past the navigation", async () => {
    await queue();
    await page.keyboard.press("Tab");
    assert.match(await focus(page), /Skip to content/);
    await page.keyboard.press("Enter");
    await page.waitForURL(/#main$/);
    await page.keyboard.press("Tab");
    assert.ok(await page.evaluate(() => document.activeElement?.closest("main") !== null));
  });

  await t.test("what changes elsewhere is counted in a bar, and no row moves until the person says so", async () => {
    const list = await queue();
    await page.locator("[data-live][data-live-state=on]").waitFor({ state: "attached" });
    const other = await context.newPage();
    await other.goto(`${url}/incidents/${list[1]}`);
    await other.locator("form:has(input[name=scope]):not(.all) button").first().click();
    await page.locator("button.live", { hasText: /^1 .*, show$/ }).waitFor();
    await undo(other);
    await other.close();
    assert.deepEqual(await rows(page), list);
    const loaded = page.waitForEvent("load");
    await page.keyboard.press(".");
    await loaded;
    assert.ok(!(await page.locator("button.live").isVisible()));
  });

  assert.deepEqual(tab.errors, []);
  await context.close();
}
