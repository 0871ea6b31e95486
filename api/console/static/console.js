// What the browser alone knows: the viewer's zone, what has the focus, whether one is still signed in.
"use strict";

const togglemaster = {
  // A cookie that only says how somebody likes to see the console.
  remember(what, value) {
    const secure = location.protocol === "https:" ? ";secure" : "";
    document.cookie = `togglemaster_${what}=${encodeURIComponent(value)};path=/console;max-age=31536000;samesite=strict${secure}`;
    location.reload();
  },
  root: "/console",
  // Somebody's context, which stands where no server sees it.
  context() {
    const [, text] = location.hash.match(/^#context=(.*)$/) ?? [];
    try { return decodeURIComponent(text ?? ""); } catch { return ""; }
  },
};
// Whoever has to sign in first comes out where the link led, context and all.
for (const form of document.querySelectorAll("body.plain form")) form.action += location.hash;

addEventListener("hashchange", () => { if (togglemaster.context()) location.reload(); });

// A time in the viewer's zone and language, with UTC on hover.
class Moment extends HTMLElement {
  static observedAttributes = ["at"];
  connectedCallback() { this.show(); }
  attributeChangedCallback() { this.show(); }
  show() {
    const at = new Date(this.getAttribute("at"));
    if (Number.isNaN(at.getTime())) return;
    const language = document.documentElement.lang || undefined;
    const format = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
    this.textContent = format.format(at);
    this.title = `${at.toISOString().replace("T", " ").slice(0, 19)} UTC`;
  }
}
customElements.define("tm-time", Moment);

// A field for a time in the viewer's zone; the attribute has it in UTC.
class MomentField extends HTMLElement {
  static observedAttributes = ["at"];
  connectedCallback() { this.show(); }
  attributeChangedCallback() { this.show(); }
  show() {
    const field = this.querySelector("input");
    const at = new Date(this.getAttribute("at") || "");
    if (field === null) return;
    if (Number.isNaN(at.getTime())) field.value = "";
    else field.value = new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
  }
}
customElements.define("tm-moment", MomentField);

function isTyping(target) {
  return target.closest("input, textarea, select, [contenteditable]") !== null;
}

document.addEventListener("keydown", (event) => {
  const palette = document.querySelector("[data-palette]");
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k" && palette) {
    event.preventDefault();
    palette.click();
  }
  const search = document.querySelector("[data-search]");
  if (event.key === "/" && search && !isTyping(event.target)) {
    event.preventDefault();
    search.focus();
  }
});

// A page that lost its connection asks whether it was signed out, and then says so by going there.
async function checkSession() {
  const answer = await fetch(`${togglemaster.root}/session`, { cache: "no-store" }).catch(() => null);
  if (answer !== null && answer.status === 401) {
    const here = location.pathname.slice(togglemaster.root.length) + location.search;
    location.replace(`${togglemaster.root}/sign-in?then=${encodeURIComponent(here)}`);
  }
}

// A draft that was not saved is asked about before the page is left, but by the button that drops it.
let isDropped = false;
addEventListener("click", (event) => { isDropped = event.target.closest("[data-drop]") !== null; }, true);
addEventListener("beforeunload", (event) => {
  if (!isDropped && document.querySelector("[data-unsaved]:not(.hidden)") !== null) event.preventDefault();
});

const socketThere = setInterval(() => {
  if (!window.socket) return;
  clearInterval(socketThere);
  window.socket.on("disconnect", checkSession);
  window.socket.on("connect_error", checkSession);
}, 200);

// The place seen last, for whoever comes back without an address.
const place = location.pathname.slice(togglemaster.root.length).split("/").slice(1, 3);
if (document.querySelector("body.plain") === null && place.length === 2 && place[1]) {
  document.cookie = `togglemaster_place=${place.join("/")};path=/console;max-age=31536000;samesite=strict`;
}
