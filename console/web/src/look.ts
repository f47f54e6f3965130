// Light, dark or as the system says. The server reads the cookie and writes the choice into the page, so that no page flashes.

export const looks = ["", "light", "dark"] as const;
export type Look = (typeof looks)[number];

/** The chosen look; "" is the system's. */
export function chosen(): Look {
  const on = document.documentElement.dataset["theme"];
  return looks.find((l) => l === on) ?? "";
}

/** choose shows a look and remembers it for a year. */
export function choose(l: Look): void {
  if (l === "") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = l;
  document.cookie = `theme=${l}; path=/; max-age=${l === "" ? 0 : 31_536_000}; samesite=strict`;
}
