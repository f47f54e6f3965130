// Menus (<details class="menu">): one is open at a time, and Esc or a click elsewhere closes it.

const open = (): HTMLDetailsElement[] => [...document.querySelectorAll<HTMLDetailsElement>("details.menu[open]")];

/** closeMenus closes what is open, gives the focus back to the menu it was in, and reports whether anything was open. */
export function closeMenus(): boolean {
  const list = open();
  for (const d of list) {
    const inside = d.contains(document.activeElement);
    d.open = false;
    if (inside) d.querySelector<HTMLElement>("summary")?.focus();
  }
  return list.length > 0;
}

/** startMenus makes menus behave. */
export function startMenus(): void {
  document.addEventListener("click", (e) => {
    for (const d of open()) if (!d.contains(e.target as Node)) d.open = false;
  });
  document.addEventListener("toggle", (e) => {
    const opened = e.target as HTMLElement;
    if (!(opened instanceof HTMLDetailsElement) || !opened.open || !opened.matches(".menu")) return;
    for (const d of open()) if (d !== opened && !d.contains(opened)) d.open = false;
  }, true);
  const enter = (): void => {
    const target = location.hash.length > 1 ? document.getElementById(decodeURIComponent(location.hash.slice(1))) : null;
    if (target?.matches("form, dialog, .dialog")) target.querySelector<HTMLElement>("input:not([type=hidden]), select, textarea")?.focus();
  };
  window.addEventListener("hashchange", enter);
  enter();
}
