// The two things on the file list that need a script: sending a file, and the ward line where there is one.
"use strict";

const form = document.querySelector("[data-upload]");
const result = document.querySelector("[data-upload-result]");

async function upload(event) {
  event.preventDefault();
  const file = form.elements.file.files[0];
  if (!file) return;
  result.textContent = `Sending ${file.name}…`;
  try {
    const answer = await fetch(`${form.dataset.upload}/${encodeURIComponent(file.name)}`, { method: "PUT", body: file });
    if (answer.ok) {
      location.reload();
      return;
    }
    const told = await answer.json().catch(() => ({}));
    result.textContent = `The file was not kept: ${told.detail ?? told.title ?? answer.status}`;
  } catch {
    result.textContent = "The file was not kept: the portal could not be reached.";
  }
}

function listen(line) {
  const address = new URL(line.dataset.live, location.href);
  address.protocol = address.protocol.replace("http", "ws");
  const socket = new WebSocket(address);
  socket.addEventListener("message", (event) => { line.textContent = event.data; });
  socket.addEventListener("close", () => { line.textContent = "The ward line is closed."; });
}

form?.addEventListener("submit", upload);
document.querySelectorAll("[data-live]").forEach(listen);
