// A real tocsin with the demonstration's incidents in it, through its embedded engine, on a free port of loopback.

import { spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";

/** The root of the repository: the tests run from console/web. */
export const root = path.resolve(process.cwd(), "../..");

export interface Service {
  url: string;
  stop: () => Promise<void>;
}

/** The program that the tests are about. */
export const program = path.join(root, "bin", "tocsin");

/** start plays a scenario and resolves when everything of it has been found. TOCSIN_URL names one that runs already, for work on the pages. */
export async function start(scenario: string): Promise<Service> {
  const running = process.env["TOCSIN_URL"];
  if (running) return { url: running, stop: () => Promise.resolve() };
  if (!existsSync(program)) throw new Error("bin/tocsin is missing: run make build");
  return ready(spawn(program, ["demo", "--scenario", scenario, "--listen", "127.0.0.1:0"], { stdio: ["ignore", "pipe", "pipe"] }), /The console shows it at (http:\S+?)\/ /);
}

/** ready resolves once a tocsin has said where its console is. */
export function ready(child: ChildProcess, saying: RegExp): Promise<Service> {
  return new Promise((resolve, reject) => {
    let said = "";
    const late = setTimeout(() => fail("it did not come up within ten minutes"), 600_000);
    const fail = (why: string): void => {
      clearTimeout(late);
      child.kill();
      reject(new Error(`${child.spawnargs.slice(0, 2).join(" ")}: ${why}\n${said.slice(-4000)}`));
    };
    const stop = (): Promise<void> =>
      new Promise((done) => {
        if (child.exitCode !== null || child.signalCode !== null) return done();
        child.once("exit", () => done());
        child.kill("SIGINT");
      });
    const hear = (chunk: Buffer): void => {
      said += chunk.toString();
      const url = saying.exec(said)?.[1];
      if (!url) return;
      clearTimeout(late);
      resolve({ url, stop });
    };
    child.stdout?.on("data", hear);
    child.stderr?.on("data", hear);
    child.once("exit", (code) => fail(`it ended with ${code}`));
  });
}
