// First paint of pages of a console that runs: node .test/browser/paint.mjs, with its address in TOCSIN_URL, TOCSIN_PERSON and TOCSIN_PASSWORD of
// somebody who may sign in, and a path a line on standard input. Ends with 3 if the median of five paints of a page takes longer than a second.

import { readFileSync } from "node:fs";
import { launch, painted, patience, program } from "./chromium.ts";

/** The longest that a first paint may take, in milliseconds. */
const most = 1000;

/** measure signs in, asks for each page and prints what its first paint took; how many were late. */
async function measure(chromium: string, url: string, paths: string[]): Promise<number> {
  const browser = await launch(chromium);
  try {
    const page = await (await browser.newContext({ viewport: { width: 1440, height: 900 } })).newPage();
    page.setDefaultTimeout(patience);
    if (process.env["TOCSIN_PERSON"]) {
      await page.goto(`${url}/sign-in`);
      await page.fill("input[name=name]", process.env["TOCSIN_PERSON"]);
      await page.fill("input[name=password]", process.env["TOCSIN_PASSWORD"] ?? "");
      await page.locator("form:has(input[name=password]) button").first().click();
      await page.waitForURL((to) => to.pathname !== "/sign-in");
    }
    let late = 0;
    for (const path of paths) {
      const took: number[] = [];
      let answered = 0;
      for (let i = 0; i < 6; i++) {
        const answer = await page.goto(url + path, { waitUntil: "load" });
        answered = answer?.status() ?? 0;
        if (i > 0) took.push(await painted(page)); // The first visit fills the browser's cache.
      }
      took.sort((a, b) => a - b);
      const median = took[Math.floor(took.length / 2)] ?? 0;
      if (median > most) late++;
      console.log(`${median > most ? "LATE" : "in time"}\t${Math.round(median)} ms\tat most ${Math.round(took.at(-1) ?? 0)} ms\t${answered}\t${path}`);
    }
    return late;
  } finally {
    await browser.close();
  }
}

const chromium = program();
const url = process.env["TOCSIN_URL"];
if (!chromium || !url) {
  console.error(url ? "there is no Chromium: install chromium, or let TOCSIN_BROWSER name one" : "TOCSIN_URL is to say where the console is");
  process.exit(2);
}
const paths = readFileSync(0, "utf8").split("\n").filter((line) => line !== "");
const late = await measure(chromium, url, paths);
console.log(`${paths.length} pages, ${late} of them painted later than ${most} ms`);
process.exit(late > 0 ? 3 : 0);
