// Copy, print, and an address without the word that was for this page alone. The buttons are hidden until this runs, because without it they would do nothing.

/** Copies the words of the element that `data-copy` names: list items one a line, groups without their spaces. */
export function copyButtons(root) {
  if (!navigator.clipboard) return;
  for (const button of root.querySelectorAll("[data-copy]")) {
    const source = root.getElementById(button.dataset.copy);
    const words = button.querySelector("span:last-child");
    const before = words.textContent;
    words.setAttribute("aria-live", "polite");
    button.hidden = false;
    button.addEventListener("click", async () => {
      const items = [...source.querySelectorAll("li")].map((item) => item.textContent.trim());
      await navigator.clipboard.writeText(items.length ? `${items.join("\n")}\n` : source.textContent.replace(/\s/g, ""));
      words.textContent = button.dataset.done;
      setTimeout(() => { words.textContent = before; }, 2500);
    });
  }
}

/** What was just done is told once: not again on reload, and not in an address that is copied. */
export function toldOnce() {
  const address = new URL(window.location.href);
  if (!address.searchParams.has("told")) return;
  address.searchParams.delete("told");
  window.history.replaceState(null, "", address);
}

export function printButtons(root) {
  for (const button of root.querySelectorAll("[data-print]")) {
    button.hidden = false;
    button.addEventListener("click", () => window.print());
  }
}
