// What a stream has told since the page was made, and when to say so. Pure: the caller says when.

/** How often a screen reader is told at most, in milliseconds. */
export const quiet = 10_000;

export class Tally {
  readonly #ids = new Set<string>();
  #told = Number.NEGATIVE_INFINITY;
  #stale = false;

  /** add counts a change of the thing with this id, once however often it changes. */
  add(id: string): void {
    this.#ids.add(id);
  }

  /** reset is what the server says when it has dropped changes: the number is a lower bound from here. */
  reset(): void {
    this.#stale = true;
  }

  get empty(): boolean {
    return this.#ids.size === 0 && !this.#stale;
  }

  /** What the bar says: "12 new, show". */
  text(what: string): string {
    if (this.#ids.size === 0) return `more ${what}, show`;
    return `${this.#stale ? "more than " : ""}${this.#ids.size} ${what}, show`;
  }

  /** How long to wait (ms) before a screen reader may be told again. */
  wait(now: number): number {
    return Math.max(0, this.#told + quiet - now);
  }

  /** told notes that it was told. */
  told(now: number): void {
    this.#told = now;
  }
}

/** The id of what a message is about: its data's id, or the message's own, or the text itself. */
export function subject(data: string, lastEventId: string): string {
  try {
    const doc: unknown = JSON.parse(data);
    for (const at of [["incident", "id"], ["data", "incident", "id"], ["id"], ["finding_info", "uid"]]) {
      const id = at.reduce<unknown>((o, k) => (typeof o === "object" && o !== null ? (o as Record<string, unknown>)[k] : undefined), doc);
      if (typeof id === "string" && id !== "") return id;
    }
  } catch {
    // Not JSON: the whole text stands for itself.
  }
  return lastEventId || data;
}
