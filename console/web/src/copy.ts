// Copying: <button data-copy="text">; without text, the address of the page as it is.

import { say } from "./say.ts";

/** copy puts a text on the clipboard and says so. An address of the console becomes a whole one. */
export async function copy(text: string, what: string): Promise<void> {
  const whole = text === "" || /^[/#?]/.test(text) ? new URL(text, location.href).href : text;
  try {
    await navigator.clipboard.writeText(whole);
    say(`${what} copied`);
  } catch {
    window.prompt("Your browser does not let pages copy; here it is:", whole);
  }
}

/** startCopy lets the buttons copy. */
export function startCopy(): void {
  document.addEventListener("click", (e) => {
    const button = (e.target as Element).closest?.<HTMLElement>("[data-copy]");
    if (button) void copy(button.dataset["copy"] ?? "", "Link");
  });
}
