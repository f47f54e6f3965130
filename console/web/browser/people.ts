// People at the door: they sign in, see what they may, make tokens, and are shut out.

import assert from "node:assert/strict";
import { type TestContext } from "node:test";
import type { Browser, Page } from "playwright-core";
import { eventually, open } from "./chromium.ts";
import { faults } from "./faults.ts";
import { admin, signIn, viewer, type Staffed } from "./staffed.ts";

export async function peopleTests(t: TestContext, browser: Browser, staffed: Staffed): Promise<void> {
  const { url } = staffed;
  const asAdmin = await browser.newContext({ storageState: staffed.session, permissions: ["clipboard-read", "clipboard-write"] });
  const asNobody = await browser.newContext();
  const boss = await open(asAdmin, url);
  const guest = await open(asNobody, url);
  /** What axe finds on a page that only a form leads to, in both themes. */
  const clean = async (page: Page): Promise<void> => {
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" }); // Colours do not fade into one another while axe looks.
      assert.deepEqual(await faults(page), [], `${page.url()}, ${colorScheme}`);
    }
  };

  await t.test("a wrong password is refused and the name stays", async () => {
    await signIn(guest.page, url, viewer.name, "not the password");
    await guest.page.getByRole("alert").waitFor();
    assert.equal(await guest.page.getByLabel("Name").inputValue(), viewer.name);
    assert.ok(guest.errors.splice(0).every((e) => /status of 401/.test(e)));
    await clean(guest.page);
  });

  await t.test("somebody signs in by keys alone and comes to the page that was asked for", async () => {
    const { page } = guest;
    await page.goto(`${url}/fleet?from=a+link`);
    assert.equal(await page.evaluate(() => (document.activeElement as HTMLInputElement).name), "name");
    await page.keyboard.type(viewer.name);
    await page.keyboard.press("Tab");
    await page.keyboard.type(viewer.password);
    await page.keyboard.press("Enter");
    await page.waitForURL(`${url}/fleet?from=a+link`);
  });

  await t.test("a viewer has no forms that act, and is told what other pages need", async () => {
    const { page } = guest;
    const entries = await page.locator("header nav a").allInnerTexts();
    assert.ok(!entries.includes("People") && !entries.includes("Audit"), entries.join(" "));
    await page.goto(`${url}/incidents`);
    await page.locator("table[data-rows] a[href^='/incidents/']").first().click();
    await page.locator(".answers").waitFor();
    assert.equal(await page.locator("main form[method=post]").count(), 0);
    const answer = await page.goto(`${url}/people`);
    assert.equal(answer?.status(), 403);
    assert.match(await page.locator("main").innerText(), /needs the role admin; yours is viewer/);
    assert.ok(guest.errors.splice(0).every((e) => /status of 403/.test(e)));
    await clean(page);
  });

  await t.test("a token is shown once, opens what it is for, and no longer once it is revoked", async () => {
    const { page } = boss;
    for (const place of ["/account", "/tokens"]) {
      await page.goto(url + place);
      const sheet = page.locator(`form[action="${place === "/account" ? "/account/tokens" : "/tokens"}"]`);
      await sheet.locator("input[name=name]").fill(`made at ${place}`);
      await sheet.locator("input[name=scope][value=read]").check();
      await sheet.locator("button").last().click();
      const made = page.locator("section.made");
      await made.waitFor();
      await clean(page);
      const secret = await made.locator("code").innerText();
      await made.getByRole("button", { name: "Copy" }).click();
      await page.locator(".said-now", { hasText: "copied" }).waitFor();
      assert.equal(await page.evaluate(() => navigator.clipboard.readText()), secret);
      const ask = (): Promise<number> => fetch(`${url}/api/v1/incidents`, { headers: { authorization: `Bearer ${secret}` } }).then((r) => r.status);
      assert.equal(await ask(), 200);
      await page.goto(url + place);
      assert.ok(!(await page.content()).includes(secret), `${place} shows the token again`);
      await page.locator("tr", { hasText: `made at ${place}` }).getByRole("button").click();
      await eventually(async () => (await ask()) === 401, () => `what was made at ${place} still opens`);
    }
  });

  await t.test("whoever is disabled is shut out at the next page", async () => {
    await boss.page.goto(`${url}/people`);
    await boss.page.getByRole("button", { name: `Disable ${viewer.name}` }).click();
    await boss.page.getByRole("button", { name: `Enable ${viewer.name}` }).waitFor();
    await guest.page.goto(`${url}/incidents`);
    assert.equal(new URL(guest.page.url()).pathname, "/sign-in");
    await boss.page.getByRole("button", { name: `Enable ${viewer.name}` }).click();
    await boss.page.getByRole("button", { name: `Disable ${viewer.name}` }).waitFor();
  });

  await t.test("a dead letter is sent again from its page, and what was answered is text", async () => {
    const { page } = boss;
    await page.goto(`${url}/integrations?state=dead`);
    await page.locator("a[href*='delivery=dlv_']").first().click();
    const history = page.locator("#history");
    assert.match(await history.innerText(), /<script>document\.title = 'run'<\/script>/);
    assert.match(await page.title(), /^Integrations/);
    await page.locator("form[action='/integrations/replay'] button", { hasText: "Send again" }).first().click();
    await page.locator("[role=status].said").waitFor();
    await clean(page);
  });

  await t.test("whoever signs out has to sign in again", async () => {
    const context = await browser.newContext();
    const { page } = await open(context, url);
    await signIn(page, url, admin.name, admin.password);
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.waitForURL(`${url}/sign-in?out=here`);
    assert.match((await page.locator("main").textContent()) ?? "", /You have signed out of Tocsin/);
    await page.goto(`${url}/account`);
    assert.equal(new URL(page.url()).pathname, "/sign-in");
    await context.close();
  });

  assert.deepEqual([...boss.errors, ...guest.errors], []);
  await asAdmin.close();
  await asNobody.close();
}
