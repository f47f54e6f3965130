// The clock that times are shown by. Pure.

export type Dial = "utc" | "local" | "relative";

export const dials: readonly Dial[] = ["utc", "local", "relative"];

/** The dial after this one. */
export function after(d: Dial): Dial {
  return dials[(dials.indexOf(d) + 1) % dials.length] ?? "utc";
}

/** What stands where the page says UTC. */
export function zone(d: Dial, offsetMinutes: number): string {
  if (d === "relative") return "ago";
  return d === "utc" ? "UTC" : offset(offsetMinutes);
}

/** UTC+02:00 for -120, the way getTimezoneOffset counts. */
function offset(minutes: number): string {
  if (minutes === 0) return "local, UTC";
  const east = Math.abs(minutes);
  return `UTC${minutes < 0 ? "+" : "−"}${two(Math.floor(east / 60))}:${two(east % 60)}`;
}

const two = (n: number): string => String(n).padStart(2, "0");

/** What the server wrote: a date and a time, a time of the day, or something else, which stays. */
export function shape(text: string): "stamp" | "clock" | "other" {
  if (/^\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d(\.\d+)?)?$/.test(text)) return "stamp";
  return /^\d\d:\d\d(:\d\d(\.\d+)?)?$/.test(text) ? "clock" : "other";
}

/** The same moment in the browser's zone, in the shape that the server wrote. */
export function local(at: Date, text: string): string {
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const [, hasSeconds, fraction] = /^(?:\S+ )?\d\d:\d\d(:\d\d)?(\.\d+)?$/.exec(text) ?? [];
  const clock = `${two(at.getHours())}:${two(at.getMinutes())}${hasSeconds ? `:${two(at.getSeconds())}` : ""}${fraction ?? ""}`;
  return shape(text) === "clock" ? clock : `${day} ${clock}`;
}

/** How far a moment lies from now, in the one unit that says most, as the server says it. */
export function distance(at: number, now: number): string {
  const s = Math.trunc(Math.abs(now - at) / 1000);
  if (s < 5) return "just now";
  const text = s < 60 ? `${s} s` : s < 7200 ? `${Math.trunc(s / 60)} min` : s < 172800 ? `${Math.trunc(s / 3600)} h` : `${Math.trunc(s / 86400)} d`;
  return at <= now ? `${text} ago` : `in ${text}`;
}

/** What a <time> shows. written is what the server put there. */
export function shown(d: Dial, iso: string, written: string, now: number): string {
  const at = new Date(iso);
  if (d === "utc" || Number.isNaN(at.getTime()) || shape(written) === "other") return written;
  return d === "local" ? local(at, written) : distance(at.getTime(), now);
}
