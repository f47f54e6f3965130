// Which row is next, and which rows a range takes. Pure.

/** The index after moving by step from at (-1: nowhere yet) among n rows, without leaving them. */
export function moved(at: number, step: number, n: number): number {
  if (n === 0) return -1;
  if (at < 0) return step > 0 ? 0 : n - 1;
  return Math.max(0, Math.min(n - 1, at + step));
}

/** The indexes of a range from the anchor to at, both among them. */
export function range(anchor: number, at: number): number[] {
  const from = Math.min(anchor, at);
  return Array.from({ length: Math.abs(anchor - at) + 1 }, (_, i) => from + i);
}

/** The neighbour of an address in a list of addresses: step -1 before, 1 after; undefined at the ends and where it is not in the list. */
export function neighbour(list: readonly string[], path: string, step: number): string | undefined {
  const at = list.indexOf(path);
  return at < 0 ? undefined : list[at + step];
}
