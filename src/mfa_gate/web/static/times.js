// Times in the reader's own zone, the quiet countdown of a pause, and the way on from the last page of the wizard.

const SHAPES = {
  date: { day: "numeric", month: "long" },
  clock: { hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
};

/** Rewrites what the server wrote in its zone; the exact moment stays in `datetime`. */
export function localTimes(root) {
  const language = root.documentElement.lang;
  for (const element of root.querySelectorAll("time[data-style]")) {
    const at = new Date(element.dateTime);
    const style = element.dataset.style;
    const parts = [];
    if (style !== "clock") parts.push(day(at, language, style === "moment"));
    if (style !== "date") parts.push(new Intl.DateTimeFormat(language, SHAPES.clock).format(at));
    element.textContent = parts.join(", ");
  }
}

function day(at, language, named) {
  const midnight = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate());
  const now = new Date();
  const ago = Math.round((midnight(now) - midnight(at)) / 86400000);
  if (named && (ago === 0 || ago === 1)) {
    return new Intl.RelativeTimeFormat(language, { numeric: "auto" }).format(-ago, "day");
  }
  const year = at.getFullYear() === now.getFullYear() ? {} : { year: "numeric" };
  // British English writes day before month, as the server does.
  return new Intl.DateTimeFormat(language === "en" ? "en-GB" : language, { ...SHAPES.date, ...year }).format(at);
}

/** Shows how long a pause still takes, and says when it is over. Screen readers hear only the end. */
export function countdowns(root) {
  for (const words of root.querySelectorAll("[data-until]")) {
    const end = Number(words.dataset.until) * 1000;
    const left = root.createElement("span");
    left.className = "countdown";
    left.setAttribute("aria-hidden", "true");
    words.append(left);
    const tick = () => {
      const seconds = Math.ceil((end - Date.now()) / 1000);
      if (seconds <= 0) {
        clearInterval(timer);
        words.textContent = words.dataset.over;
        return;
      }
      left.textContent = ` ${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    };
    const timer = setInterval(tick, 1000);
    tick();
  }
}

/** Follows the link after some seconds, unless the reader does anything first. */
export function onward(root) {
  const link = root.querySelector("[data-onward]");
  if (!link) return;
  const timer = setTimeout(() => window.location.assign(link.href), Number(link.dataset.onward) * 1000);
  for (const sign of ["keydown", "pointerdown", "wheel"]) {
    root.addEventListener(sign, () => clearTimeout(timer), { once: true });
  }
}
