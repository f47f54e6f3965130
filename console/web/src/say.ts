// A line at the foot of the page that screen readers hear.

const line = document.createElement("div");
line.className = "said-now";
line.setAttribute("role", "status");
let timer = 0;

/** listen puts the line into the page, empty, so that what comes later is heard. */
export function listen(): void {
  document.body.append(line);
}

/** say shows a text for some seconds and tells it to screen readers. */
export function say(text: string): void {
  line.textContent = text;
  clearTimeout(timer);
  timer = window.setTimeout(() => {
    line.textContent = "";
  }, 4000);
}
