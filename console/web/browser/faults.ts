// What axe has against a page.

import axe from "axe-core";
import type { Page } from "playwright-core";

/** faults are the serious and critical findings of axe on the page as it is. */
export async function faults(page: Page): Promise<{ id: string; at: string[] }[]> {
  await page.evaluate(axe.source);
  return page.evaluate(async () => {
    const result = await (globalThis as unknown as { axe: typeof axe }).axe.run(document, { resultTypes: ["violations"] });
    const serious = result.violations.filter((v) => v.impact === "serious" || v.impact === "critical");
    return serious.map((v) => ({ id: v.id, at: v.nodes.slice(0, 4).map((n) => `${n.target.join(" ")}: ${n.html.slice(0, 160)} ${(n.any[0] ?? n.all[0])?.message ?? ""}`) }));
  });
}
