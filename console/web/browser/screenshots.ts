// Pictures of every page in both themes, for people to look at: node .test/browser/screenshots.mjs FOLDER

import { mkdir } from "node:fs/promises";
import path from "node:path";
import { launch, program } from "./chromium.ts";
import { contextOf, startConsoles } from "./consoles.ts";

/** The tallest picture, in pixels: the rest of a long page looks like its beginning. */
const tallest = Number(process.env["TOCSIN_TALLEST"] ?? 4000);

const folder = process.argv[2];
const chromium = program();
if (!folder || !chromium) {
  console.error(folder ? "there is no Chromium: install chromium, or let TOCSIN_BROWSER name one" : "say which folder the pictures go to");
  process.exit(2);
}
await mkdir(folder, { recursive: true });
const browser = await launch(chromium);
const consoles = await startConsoles(browser);
try {
  let taken = 0;
  for (const [look, colorScheme, width] of [["light", "light", 1440], ["dark", "dark", 1440], ["narrow", "light", 400]] as const) {
    for (const c of consoles.list) {
      const context = await browser.newContext({ ...contextOf(c), colorScheme, viewport: { width, height: 900 } });
      const page = await context.newPage();
      for (const p of c.all.filter((p) => !process.env["TOCSIN_PAGES"] || new RegExp(process.env["TOCSIN_PAGES"]).test(p.path))) {
        await page.goto(c.url + p.path);
        await page.screenshot({ path: path.join(folder, `${c.name}-${p.name}-${look}.png`), fullPage: true, clip: { x: 0, y: 0, width, height: Math.min(tallest, await page.evaluate(() => document.documentElement.scrollHeight)) } });
        taken++;
      }
      await context.close();
    }
  }
  console.log(`${taken} pictures: ${folder}`);
} finally {
  await browser.close();
  await consoles.stop();
}
