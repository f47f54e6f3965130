// Live pages: <div data-live="/api/v1/stream?…" data-live-text="new">. Rows never move by themselves; a bar counts what is new.

import { say } from "./say.ts";
import { subject, Tally } from "./tally.ts";

/** The kinds of change that the stream names. */
const kinds = ["opened", "updated", "acknowledged", "escalated", "merged", "split", "closed", "reopened"];

/** startLive listens to the page's stream, if it has one. */
export function startLive(): void {
  const place = document.querySelector<HTMLElement>("[data-live]");
  if (place?.dataset["live"]) follow(place, place.dataset["live"]);
}

function follow(place: HTMLElement, address: string): void {
  const what = place.dataset["liveText"] ?? "new";
  const tally = new Tally();
  const button = document.createElement("button");
  button.type = "button";
  button.className = "live";
  button.dataset["key"] = ".";
  button.hidden = true;
  button.addEventListener("click", () => location.reload());
  place.append(button);

  let due = 0;
  const tell = (): void => {
    due = 0;
    tally.told(Date.now());
    say(tally.text(what));
  };
  const show = (): void => {
    if (tally.empty) return;
    button.textContent = tally.text(what);
    button.hidden = false;
    if (due === 0) due = window.setTimeout(tell, tally.wait(Date.now()));
  };
  const source = new EventSource(address);
  const heard = (e: MessageEvent<string>): void => {
    tally.add(subject(e.data, e.lastEventId));
    show();
  };
  for (const name of ["message", ...kinds.map((k) => `incident.${k}`)]) source.addEventListener(name, heard);
  source.addEventListener("resync", () => {
    tally.reset();
    show();
  });
  source.addEventListener("open", () => place.setAttribute("data-live-state", "on"));
  source.addEventListener("error", () => place.setAttribute("data-live-state", source.readyState === EventSource.CLOSED ? "off" : "again"));
  window.addEventListener("pagehide", () => source.close());
}
