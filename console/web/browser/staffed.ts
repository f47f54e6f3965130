// A real tocsin as a plant runs it: people sign in, logs come from files, and of two endpoints one takes what it is told and one refuses it.

import { spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { patience } from "./chromium.ts";
import { program, ready, root, type Service } from "./service.ts";

/** Who may do everything there, and who may look. Their passwords are new with every run. */
export const admin = { name: "ana", password: randomBytes(18).toString("base64url") };
export const viewer = { name: "ben", password: randomBytes(18).toString("base64url") };

/** What a browser keeps of somebody who has signed in. */
export type Session = Awaited<ReturnType<BrowserContext["storageState"]>>;

export interface Staffed extends Service {
  /** The admin's. */
  session: Session;
}

/** What the endpoint that refuses answers: text that must stay text on the page of its dead letters. */
const refusal = "<script>document.title = 'run'</script> the schema of 2019 is wanted, \u202eand this is not it; ".repeat(4);

/** receivers answers both endpoints. */
async function receivers(): Promise<Server> {
  const server = createServer((request, response) => {
    request.resume().on("end", () => {
      response.writeHead(request.url === "/refuses" ? 422 : 204).end(request.url === "/refuses" ? refusal : undefined);
    });
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return server;
}

/** configuration is that of the plant of the scenarios, as JSON, which is YAML too. */
function configuration(folder: string, port: number): string {
  const scenarios = path.join(root, "testdata", "scenarios");
  const plant = path.join(scenarios, "plant");
  const sources = ["restricted-area", "malfunction"].flatMap((scenario) =>
    readdirSync(path.join(scenarios, scenario)).map((file) => ({
      name: `${scenario}-${path.parse(file).name}`, format: path.parse(file).name, file: path.join(scenarios, scenario, file), site: "werk-1", timezone: "Europe/Berlin", idle: "1s",
    })),
  );
  const endpoint = { allow_cidrs: ["127.0.0.0/8"], allow_plain_http: true };
  return JSON.stringify({
    sources,
    enrich: {
      assets: path.join(plant, "assets.csv"), identities: path.join(plant, "identities.yaml"), zones: path.join(plant, "zones.csv"), schedules: path.join(plant, "schedules.yaml"),
      lists: Object.fromEntries(readdirSync(path.join(plant, "lists")).map((file) => [path.parse(file).name, { file: path.join(plant, "lists", file) }])),
    },
    engine: { dir: path.join(folder, "engine") },
    triage: {
      retry: ["0s", "1s", "1s"],
      endpoints: [
        { ...endpoint, name: "soar", url: `http://127.0.0.1:${port}/takes`, secret: { file: path.join(folder, "secret") } },
        { ...endpoint, name: "archive of the plant's safety team", adapter: "ocsf", url: `http://127.0.0.1:${port}/refuses` },
      ],
      routes: [
        { name: "cells", when: 'any(zones, # startsWith "cell-") and severity >= high', owner_team: "ot", endpoints: ["soar"], continue: true },
        { name: "rest", owner_team: "it" },
      ],
    },
    console: { listen: "127.0.0.1:0", sign_in: { local: true } },
    telemetry: { log: { level: "warn" } },
  });
}

/** startStaffed resolves once there are incidents and a dead letter. */
export async function startStaffed(browser: Browser): Promise<Staffed> {
  const folder = mkdtempSync(path.join(tmpdir(), "tocsin-browser-"));
  const server = await receivers();
  const file = path.join(folder, "tocsin.yaml");
  writeFileSync(path.join(folder, "secret"), `whsec_${randomBytes(32).toString("base64")}\n`, { mode: 0o600 });
  writeFileSync(file, configuration(folder, (server.address() as AddressInfo).port));
  const clear = (): void => {
    server.close();
    rmSync(folder, { recursive: true, force: true });
  };
  const added = spawnSync(program, ["user", "add", admin.name, "--role", "admin", "--config", file], { input: `${admin.password}\n`, encoding: "utf8" });
  if (added.status !== 0) {
    clear();
    throw new Error(`tocsin user add: ${added.stderr}`);
  }
  const service = await ready(spawn(program, ["run", "--config", file], { stdio: ["ignore", "pipe", "pipe"] }), /running; console: (http:\S+?)\/\s/).catch((e: unknown) => {
    clear();
    throw e;
  });
  const stop = async (): Promise<void> => {
    await service.stop();
    clear();
  };
  try {
    const context = await browser.newContext();
    context.setDefaultTimeout(patience);
    const page = await context.newPage();
    await signIn(page, service.url, admin.name, admin.password);
    await until(page, `${service.url}/api/v1/deliveries?state=dead`, (text) => text.includes('"dlv_'));
    await furnish(page, service.url);
    const session = await context.storageState();
    await context.close();
    return { url: service.url, session, stop };
  } catch (e) {
    await stop();
    throw e;
  }
}

/** signIn fills in the form that every page leads to as long as nobody has. */
export async function signIn(page: Page, url: string, name: string, password: string): Promise<void> {
  await page.goto(`${url}/incidents`);
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** furnish makes what the pages of people and tokens then show. */
async function furnish(page: Page, url: string): Promise<void> {
  await page.goto(`${url}/people`);
  const person = page.locator("form[action='/people']");
  await person.getByLabel("Name").fill(viewer.name);
  await person.getByLabel("Sites").fill("werk-1, werk-2");
  await person.getByLabel(/^Password/).fill(viewer.password);
  await person.getByRole("button", { name: "Add" }).click();
  await page.getByRole("button", { name: `Disable ${viewer.name}` }).waitFor();
  for (const place of ["/account", "/tokens"]) {
    await page.goto(url + place);
    const token = page.locator(`form[action="${place === "/tokens" ? place : "/account/tokens"}"]`);
    await token.locator("input[name=name]").fill("the wall in the control room");
    await token.locator("input[name=scope][value=read]").check();
    await token.locator("button").last().click();
    await page.locator("section.made").waitFor();
  }
}

/** until asks an address of the API until the answer is as it should be. */
async function until(page: Page, address: string, good: (text: string) => boolean): Promise<void> {
  let text = "";
  for (const end = Date.now() + patience; Date.now() < end; await page.waitForTimeout(250)) {
    text = await (await page.request.get(address)).text();
    if (good(text)) return;
  }
  throw new Error(`${address} still says ${text.slice(0, 2000)}`);
}
