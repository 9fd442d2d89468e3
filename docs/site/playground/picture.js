// The drawing in a frame of its own, which may run its script and nothing else, and the sizes that a reader drags there.

// What stands at the end of the page in the frame: sizes of before are set again, and those that change are told.
const TELL = `
"use strict";
{
  const given = JSON.parse(document.getElementById("given").textContent), {values: before, theme} = given;
  document.documentElement.dataset.theme = theme;
  for (const field of sizes.querySelectorAll("input[data-field]")) {
    const name = root.names[field.dataset.field], number = Object.hasOwn(before, name) ? before[name] : undefined;
    if (number !== undefined) { field.value = number; field.dispatchEvent(new Event("input")); }
  }
  const tell = () => parent.postMessage({sizes: Object.fromEntries(root.names.slice(0, root.own)
    .map((name, i) => [name, values[i]]).filter(([, value]) => value !== null)),
    broken: Number(sizes.dataset.broken || 0)}, "*");
  sizes.addEventListener("input", tell);
  sizes.addEventListener("click", () => setTimeout(tell));
  addEventListener("message", ({data}) => {
    if (data && data.theme) document.documentElement.dataset.theme = data.theme === "dark" ? "dark" : "light";
  });
}
`;

const dark = () => document.body.dataset.mdColorScheme === "slate";

export class Picture {
  constructor(place, changed) {
    Object.assign(this, {place, sizes: {}});
    this.frame = place.querySelector("iframe");
    this.words = place.querySelector("pre");
    addEventListener("message", ({source, data}) => {
      if (source !== this.frame.contentWindow || !data || typeof data.sizes !== "object") return;
      const whole = Object.entries(data.sizes).filter(([, value]) => Number.isSafeInteger(value) && value >= 0);
      this.sizes = Object.fromEntries(whole);
      changed(Number(data.broken) || 0);
    });
    new MutationObserver(() => this.frame.contentWindow.postMessage({theme: dark() ? "dark" : "light"}, "*"))
      .observe(document.body, {attributes: true, attributeFilter: ["data-md-color-scheme"]});
  }

  // Fulfilled when it is there.
  show(page) {
    this.words.hidden = true;
    this.frame.hidden = false;
    const given = JSON.stringify({values: this.sizes, theme: dark() ? "dark" : "light"}).replaceAll("<", "\\u003c");
    const more = `<script type="application/json" id="given">${given}</script><script>${TELL}</script>`;
    const shown = new Promise(done => this.frame.addEventListener("load", done, {once: true}));
    this.frame.srcdoc = page.replace("</body>", () => `${more}</body>`);
    return shown;
  }

  tell(text) {
    this.frame.hidden = true;
    this.words.hidden = false;
    this.words.textContent = text;
  }
}
