// Keys as pages write them in data-key: "a", "Shift+x", "?", "g q" (one after the other). Pure.

/** What a key event says, as far as keys care. */
export interface Press {
  key: string;
  shiftKey: boolean;
  ctrlKey: boolean;
  altKey: boolean;
  metaKey: boolean;
}

/** The name of a press, or "" for one that is no key of ours: with Ctrl, Alt or Meta, or a modifier alone. */
export function nameOf(p: Press): string {
  if (p.ctrlKey || p.altKey || p.metaKey || ["Shift", "Control", "Alt", "Meta", "Dead", "Unidentified"].includes(p.key)) return "";
  return one(p.shiftKey && p.key.length > 1 ? `Shift+${p.key}` : p.key);
}

/** A key in its one spelling: a capital letter is Shift and the letter. */
function one(key: string): string {
  return /^[A-Z]$/.test(key) ? `Shift+${key.toLowerCase()}` : key.replace(/^shift\+(.)$/i, (_, k: string) => `Shift+${k.toLowerCase()}`);
}

/** A data-key in its one spelling. */
export function spelled(keys: string): string {
  return keys.trim().split(/\s+/).map(one).join(" ");
}

/** What a press comes to: an action to run, a beginning of longer keys, or nothing. */
export type Step = { run: string } | "more" | "none";

/** How long a beginning waits for the rest, in milliseconds. */
export const patience = 1500;

/** Chords follows presses to the keys that are bound. It has no clock: the caller says when. */
export class Chords {
  #begun = "";
  #since = 0;

  /** press takes one press at a time (ms) and says what it comes to, given the bound keys in their one spelling. */
  press(name: string, now: number, bound: Iterable<string>): Step {
    const begun = this.#begun !== "" && now - this.#since <= patience ? this.#begun : "";
    const all = [...bound];
    for (const keys of begun === "" ? [name] : [`${begun} ${name}`, name]) {
      if (all.some((b) => b.startsWith(`${keys} `))) {
        this.#begun = keys;
        this.#since = now;
        return "more";
      }
      if (all.includes(keys)) {
        this.#begun = "";
        return { run: keys };
      }
    }
    this.#begun = "";
    return "none";
  }
}
