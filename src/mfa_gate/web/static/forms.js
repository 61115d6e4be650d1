// One-time codes and forms that should be sent once.

/** Takes the digits out of whatever is pasted into a six-digit field ("your code: 123 456"). */
export function codeFields(root) {
  for (const field of root.querySelectorAll('input[autocomplete="one-time-code"]')) {
    field.addEventListener("paste", (event) => {
      const found = /(?<!\d)\d{3}[\s-]?\d{3}(?!\d)/.exec(event.clipboardData.getData("text"));
      if (!found) return;
      event.preventDefault();
      field.value = found[0].replace(/\D/g, "");
      field.dispatchEvent(new Event("input", { bubbles: true }));
    });
  }
}

/** Ignores a second press of a button while the first is on its way; `data-again` marks a download, which stays. */
export function oneSubmission(root) {
  for (const form of root.querySelectorAll('form[method="post"]')) {
    if (form.querySelector("[data-again]")) continue;
    let sent = false;
    form.addEventListener("submit", (event) => {
      if (sent) event.preventDefault();
      sent = true;
      form.setAttribute("aria-busy", "true");
    });
    // Coming back by the back button shows the page as it was left.
    window.addEventListener("pageshow", () => { sent = false; form.removeAttribute("aria-busy"); });
  }
}
