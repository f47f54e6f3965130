// What the browser remembers. A browser that forbids it is no error: then nothing is remembered.

function read(store: () => Storage, key: string): string | null {
  try {
    return store().getItem(key);
  } catch {
    return null;
  }
}

function write(store: () => Storage, key: string, value: string): void {
  try {
    store().setItem(key, value);
  } catch {
    // Forbidden or full.
  }
}

/** For this browser. */
export const lasting = {
  get: (key: string): string | null => read(() => localStorage, `tocsin.${key}`),
  set: (key: string, value: string): void => write(() => localStorage, `tocsin.${key}`, value),
};

/** For this tab. */
export const passing = {
  get: (key: string): string | null => read(() => sessionStorage, `tocsin.${key}`),
  set: (key: string, value: string): void => write(() => sessionStorage, `tocsin.${key}`, value),
};
