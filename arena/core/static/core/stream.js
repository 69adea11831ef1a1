// Shows both answers while they are written. The server sends sanitised HTML of both sides in equal steps.
const LOOK_AGAIN_MS = 3000;

function follow(root) {
  const source = new EventSource(root.dataset.stream);
  source.addEventListener("answers", (event) => {
    for (const [letter, html] of Object.entries(JSON.parse(event.data))) {
      const side = root.querySelector(`[data-side="${letter}"]`);
      if (side && html) side.innerHTML = html;
    }
  });
  const queue = document.querySelector("[data-queue]");
  source.addEventListener("queue", (event) => {
    const ahead = Number(JSON.parse(event.data).ahead);
    if (queue) queue.textContent = ahead ? `${ahead} ${ahead === 1 ? "prompt is" : "prompts are"} ahead of yours.` : "";
  });
  source.addEventListener("finished", () => {
    source.close();
    window.location.reload();
  });
  // The server has no stream to spare: look again now and then, as a page without JavaScript does.
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) setTimeout(() => window.location.reload(), LOOK_AGAIN_MS);
  });
}
for (const root of document.querySelectorAll("[data-stream]")) follow(root);
