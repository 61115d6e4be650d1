// Long work that goes on: brings in the parts of a fresh copy of the page that have changed, until it is done.

import { localTimes } from "./times.js";

const EVERY = 2000;

export function liveProgress(root) {
  const work = root.querySelector("[data-live]");
  if (work) setTimeout(() => anew(root, work), EVERY);
}

async function anew(root, work) {
  try {
    const answer = await fetch(window.location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("[data-live]");
    if (!fresh) {
      // It is done; or a code is due, or somebody is signed out: the whole page says which.
      window.location.reload();
      return;
    }
    localTimes(page);
    for (const part of work.querySelectorAll("[data-part]")) {
      const now = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
      if (now && now.innerHTML !== part.innerHTML && !part.contains(root.activeElement)) {
        part.replaceChildren(...now.childNodes);
      }
    }
    const [bar, moved] = [work, fresh].map((each) => each.querySelector("progress"));
    bar.max = moved.max;
    bar.value = moved.value;
  } catch {
    // The network is away; the next try tells.
  }
  setTimeout(() => anew(root, work), EVERY);
}
