// Shows both answers while they are written. The server sends sanitised HTML of both sides in equal steps.
function follow(root) {
  const source = new EventSource(root.dataset.stream);
  source.addEventListener("answers", (event) => {
    for (const [letter, html] of Object.entries(JSON.parse(event.data))) {
      const side = root.querySelector(`[data-side="${letter}"]`);
      if (side && html) side.innerHTML = html;
    }
  });
  source.addEventListener("finished", () => {
    source.close();
    window.location.reload();
  });
}
for (const root of document.querySelectorAll("[data-stream]")) follow(root);
