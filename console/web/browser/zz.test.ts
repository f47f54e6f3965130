import { launch, open, program } from "./chromium.ts";
import { admin, signIn, startStaffed } from "./staffed.ts";
const browser = await launch(program() ?? "");
const staffed = await startStaffed(browser);
try {
  const c = await browser.newContext({ storageState: staffed.session });
  const { page } = await open(c, staffed.url);
  await page.goto(`${staffed.url}/incidents`);
  await page.locator("table[data-rows] a[href^='/incidents/']").first().click();
  await page.locator(".answers").waitFor();
  const at = page.url();
  await page.keyboard.press("n");
  await page.keyboard.type("what I saw on the floor");
  console.log("focus", await page.evaluate(() => document.activeElement?.outerHTML.slice(0, 120)));
  await c.clearCookies();
  await page.evaluate(() => (document.activeElement as HTMLTextAreaElement).form?.requestSubmit());
  await page.waitForLoadState("load");
  await new Promise((d) => setTimeout(d, 1500));
  console.log(page.url(), "\n", (await page.locator("main").innerText()).slice(0, 600));
  await page.screenshot({ path: "/tmp/desk9tools/out/expired.png" });
  const link = page.locator("main a").first();
  console.log("link", await link.getAttribute("href").catch(() => "none"));
  await signIn(page, staffed.url, admin.name, admin.password);
  await page.goto(at);
  console.log("kept:", await page.locator("form:has(input[value=note]) textarea").first().inputValue().catch((e) => String(e).slice(0, 100)));
  // route dry-run page
  await page.goto(`${staffed.url}/integrations`);
  const f = page.locator("form:has(input[name=try])");
  await f.locator("button").first().click();
  await page.waitForLoadState("load");
  console.log(page.url(), (await page.locator("main").innerText()).slice(0, 3500));
} finally { await browser.close(); await staffed.stop(); }
