/* Small conveniences. Every page works without this file; nothing here changes what a page does. */
"use strict";

/* Says to the style sheet that scripts run: what stands in for them (.no-js) need not show. */
document.documentElement.classList.add("js");

/* Light or dark as the machine says, unless the person chose. Runs before the first paint. */
(() => {
  const root = document.documentElement;
  if (root.hasAttribute("data-chosen")) return;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => root.setAttribute("data-bs-theme", dark.matches ? "dark" : "light");
  dark.addEventListener("change", follow);
  follow();
})();

const closest = (event, selector) => (event.target instanceof Element ? event.target.closest(selector) : null);

/* "/" goes to the search box; Escape closes an open menu and gives the focus back. */
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey) {
    if (closest(event, "input, textarea, select, [contenteditable]")) return;
    const box = document.getElementById("find");
    if (!box) return;
    event.preventDefault();
    box.focus();
    box.select();
  }
  if (event.key === "Escape") {
    for (const menu of document.querySelectorAll("details.menu[open], details.pick[open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  }
});

/* A menu closes when one clicks beside it. */
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

/* A form is sent once, however often its button is pressed. htmx forms say hx-disabled-elt themselves. */
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || event.defaultPrevented || form.matches("[hx-post], [data-hx-post]")) return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  form.setAttribute("aria-busy", "true");
});
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    form.removeAttribute("aria-busy");
  }
});

/* Bulk work: [data-check-all="name"] ticks every box of that name in its form; [data-checked="name"] shows how many. */
const countChecked = (form) => {
  for (const shown of form.querySelectorAll("[data-checked]")) {
    const boxes = form.querySelectorAll(`input[type=checkbox][name="${shown.dataset.checked}"]:checked`);
    shown.textContent = String(boxes.length);
  }
};
document.addEventListener("change", (event) => {
  const box = closest(event, "input[type=checkbox]");
  if (!box || !box.form) return;
  if (box.dataset.checkAll) {
    for (const one of box.form.querySelectorAll(`input[type=checkbox][name="${box.dataset.checkAll}"]`)) {
      one.checked = box.checked;
    }
  }
  countChecked(box.form);
});

/* A filter takes effect when it is chosen; without scripts its form has a button. A field that asks while one types has
   asked already: asking again when it is left would replace the row one is about to click. */
document.addEventListener("change", (event) => {
  const form = closest(event, "form[data-apply]");
  if (form && !event.target.matches("[hx-get]")) form.requestSubmit();
});

/* Copy buttons: the text stands in the element they name. */
document.addEventListener("click", (event) => {
  const button = closest(event, "button[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  navigator.clipboard.writeText(source.value || source.textContent.trim()).then(() => {
    const said = button.querySelector("[data-copied]") || button;
    said.textContent = "Copied";
  });
});

/* A searchable choice: what is picked shows on the closed box; opening it the first time looks for likely ones. */
document.addEventListener("change", (event) => {
  const box = closest(event, "details.pick");
  if (box && event.target.dataset.shown) box.querySelector("[data-picked]").textContent = event.target.dataset.shown;
});
document.addEventListener("click", (event) => {
  const picked = closest(event, "details.pick .options input[type=radio]");
  for (const box of document.querySelectorAll("details.pick[open]")) {
    if ((picked && event.detail && box.contains(picked)) || !box.contains(event.target)) box.open = false;
  }
});
document.addEventListener("toggle", (event) => {
  if (!event.target.matches("details.pick") || !event.target.open) return;
  const search = event.target.querySelector("input[type=search]");
  htmx.trigger(search, "opened");
  search.focus();
  search.select();
}, true);

/* What htmx could not bring: the server's own notice where it sent one, ours where nothing came back. */
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.xhr.status >= 400 && event.detail.xhr.getResponseHeader("HX-Retarget")) {
    event.detail.shouldSwap = true;
  }
});
const say = (text) => {
  const place = document.getElementById("flashes");
  if (!place) return;
  const box = document.createElement("div");
  const line = document.createElement("p");
  box.className = "flash bad";
  line.textContent = text;
  box.append(line);
  place.replaceChildren(box);
};
document.addEventListener("htmx:sendError", () => {
  say("The portal could not be reached. What you see may be old; check your connection and try again.");
});
document.addEventListener("htmx:responseError", (event) => {
  if (event.detail.xhr.getResponseHeader("HX-Retarget") || event.detail.xhr.status === 401) return;
  say("The portal did not answer as it should. Nothing is known to have changed; reload the page and look before you repeat it.");
});

/* After an htmx answer replaced the page's main part, the reader's place is its top. */
document.addEventListener("htmx:afterSettle", (event) => {
  if (event.target.id === "main") document.getElementById("main").focus({ preventScroll: false });
});

/* What the reader has opened or closed stays as the reader left it when htmx brings the same part anew. */
const unfolded = new Map();
document.addEventListener("htmx:beforeSwap", (event) => {
  for (const part of event.detail.target.querySelectorAll("details[id]")) unfolded.set(part.id, part.open);
});
document.addEventListener("htmx:afterSwap", () => {
  for (const [id, open] of unfolded) {
    const part = document.getElementById(id);
    if (part) part.open = open;
  }
  unfolded.clear();
});

/* How long ago something was goes on while the page is open; the exact time stands on hover. */
setInterval(() => {
  for (const one of document.querySelectorAll("time[datetime]")) {
    if (!/^(just now|\d+ (min|h) ago)$/.test(one.textContent)) continue;
    const minutes = (Date.now() - Date.parse(one.dateTime)) / 60000;
    if (minutes < 1 || minutes > 720) continue;
    one.textContent = minutes < 59.5 ? `${Math.round(minutes)} min ago` : `${Math.round(minutes / 60)} h ago`;
  }
}, 20000);
