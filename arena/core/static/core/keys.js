// Keyboard for ballots: every element with data-key is clicked when its key is pressed outside a text field.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.target.closest("input, textarea, select, [contenteditable]")) return;
  for (const control of document.querySelectorAll("[data-key]")) {
    if (control.disabled || !control.dataset.key.split(" ").includes(event.key)) continue;
    event.preventDefault();
    const form = control.form;
    const input = form && form.elements.namedItem("input");
    if (input) input.value = "keyboard";
    control.click();
    return;
  }
});

// One vote per click: a second press of any button of a form that is on its way does nothing.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) return event.preventDefault();
  if (form.hasAttribute("data-once")) form.dataset.sent = "1";
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("[data-sent]")) delete form.dataset.sent;
});
