// Keyboard for ballots: the control whose data-key names the key is clicked, unless the key has work to do where
// the focus is.
function isBusy(target, key) {
  if (target.closest("input, textarea, select, [contenteditable]")) return true;
  if (key === "Enter" || key === " ") return Boolean(target.closest("a, button, summary"));
  return key.startsWith("Arrow") && Boolean(target.closest("pre, table, [tabindex='0']"));
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (isBusy(event.target, key)) return;
  for (const control of document.querySelectorAll("[data-key]")) {
    if (control.disabled || !control.dataset.key.split(" ").includes(key)) continue;
    event.preventDefault();
    const input = control.form && control.form.elements.namedItem("input");
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
