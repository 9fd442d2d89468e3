// The page of the playground: the editor, the findings in it, and the worker behind it.
import {Editor} from "./editor.js";
import {Desk} from "./desk.js";
import {Picture} from "./picture.js";
import {linked, program} from "./link.js";

const root = document.getElementById("desk"), find = name => root.querySelector(`[data-part=${name}]`);
const WAIT = 150;  // milliseconds without a key before a check
const FIRST = "gpt2", MOST = 100;  // findings that are listed

const editor = new Editor(find("editor"));
const picture = new Picture(find("picture"), broken => {
  find("said").textContent = broken ? `${broken} condition${broken > 1 ? "s are" : " is"} broken at these sizes.` : "";
});
const desk = new Desk({
  wheels: JSON.parse(root.dataset.wheels),
  limit: () => Number(root.dataset.limit),
  said: text => { find("said").textContent = text; },
  busy: on => { find("cancel").hidden = !on; root.dataset.busy = on ? "1" : ""; },
});
let tab = "picture", timer = 0, checked = null, wanted = "";  // `wanted` may be away while its program is wrong

const asked = kind => ({kind, text: editor.text, name: find("name").value, view: find("view").value,
  depth: Number(find("depth").value), sizes: picture.sizes});

async function check() {
  const text = editor.text, begun = performance.now(), answer = await desk.ask(asked("check"));
  if (text !== editor.text || answer === undefined) return;
  if (answer === null) return unchecked();
  checked = text;
  editor.mark(answer.diagnostics);
  list(answer.diagnostics);
  rows(answer.rows || []);
  choose(find("name"), answer.names || []);
  Object.assign(root.dataset, {took: performance.now() - begun, since: performance.now()});  // for who measures
  root.dataset.checked = String(Number(root.dataset.checked || 0) + 1);
  await look();
}

// What is known of another program says nothing of this one.
function unchecked() {
  editor.mark([]);
  list([]);
  Object.assign(find("verdict"), {textContent: "not checked"}).dataset.kind = "none";
  rows([]);
  choose(find("name"), []);
  empty("Not checked.");
}

async function look() {
  if (tab === "findings") return;
  const text = editor.text, kind = {picture: "draw", show: "show", emit: "emit"}[tab];
  if (!find("name").value) {
    empty("Nothing to show: the program has no block or model that is understood.");
    root.dataset.looked = String(Number(root.dataset.looked || 0) + 1);
    return;
  }
  const answer = await desk.ask(asked(kind));
  if (!answer || text !== editor.text) return;
  const wrong = answer.diagnostics.map(each => each.text).join("\n\n");
  if (tab === "picture") {
    if (answer.page) await picture.show(answer.page); else picture.tell(wrong);
  } else find("text").textContent = answer.text || wrong;
  root.dataset.looked = String(Number(root.dataset.looked || 0) + 1);
}

function empty(text) {
  if (tab === "picture") picture.tell(text); else find("text").textContent = text;
}

function later(what) {
  clearTimeout(timer);
  timer = setTimeout(what === "check" ? check : look, WAIT);
}

function element(kind, text, parent, more = {}) {
  const made = document.createElement(kind);
  made.textContent = text;
  Object.assign(made, more);
  parent.append(made);
  return made;
}

function list(found) {
  const place = find("problems");
  place.replaceChildren();
  const counts = ["error", "warning", "hint"].map(kind => [kind, found.filter(each => each.severity === kind).length]);
  const told = counts.filter(([, n]) => n).map(([kind, n]) => `${n} ${kind}${n > 1 ? "s" : ""}`).join(", ");
  find("verdict").textContent = told || "no errors";
  find("verdict").dataset.kind = (counts.find(([, n]) => n) || ["none"])[0];
  if (found.length > MOST) element("p", `${found.length - MOST} more are not shown.`, place);
  for (const each of found.slice(0, MOST)) {
    const row = element("div", "", place, {className: `problem ${each.severity}`});
    const where = element("button", each.here ? `${each.line}:${each.column} ${each.code}` : each.code, row,
      {type: "button", title: "Show the place"});
    where.addEventListener("click", () => editor.select(each));
    element("a", "What is it?", row, {target: "_blank", href: new URL(`../../src/ogive/codes.html#${each.code}`, import.meta.url)});
    const mending = each.edits.filter(edit => edit.here);
    if (mending.length)
      element("button", mending.some(edit => edit.contract) ? "Mend (changes what it promises)" : "Mend", row,
        {type: "button"}).addEventListener("click", () => { editor.apply(mending); later("check"); });
    element("pre", each.text, row);
  }
}

function rows(all) {
  const place = find("rows");
  place.replaceChildren();
  for (const each of all) {
    const row = element("p", "", place);
    element("span", `${each.kind} `, row, {className: "quiet"});
    element("b", each.name, row);
    element("code", ` ${each.signature}`, row);
    if (each.parameters != null)
      element("span", ` ${each.parameters.toLocaleString("en")} parameters`, row, {className: "quiet"});
    for (const condition of each.conditions) element("code", `where ${condition}`, row, {className: "condition"});
  }
}

function choose(select, names) {
  select.replaceChildren(...names.map(name => Object.assign(document.createElement("option"), {textContent: name})));
  if (names.includes(wanted)) select.value = wanted;
}

function turn(to) {
  tab = to;
  for (const button of root.querySelectorAll("[data-tab]"))
    button.setAttribute("aria-selected", String(button.dataset.tab === to));
  find("picture").hidden = tab !== "picture";
  find("text").hidden = tab === "picture" || tab === "findings";
  find("rows").hidden = tab !== "findings";
  if (checked === editor.text) later("look");
}

function save(name, text, type) {
  const link = Object.assign(document.createElement("a"), {download: name, href: URL.createObjectURL(new Blob([text], {type}))});
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

async function exported(kind, name, type) {
  const answer = await desk.ask(asked(kind));
  if (!answer) return;
  if (answer.text === undefined) return list(answer.diagnostics);
  root.dataset.exported = answer.text;
  save(name, answer.text, type);
}

async function example(name) {
  const answer = await fetch(new URL(`../../examples/${name}.arch`, import.meta.url));
  if (!answer.ok) return;
  editor.text = await answer.text();
  picture.sizes = {};
  wanted = "";
  await check();
}

find("example").addEventListener("change", event => example(event.target.value));
find("name").addEventListener("change", event => {
  wanted = event.target.value;
  picture.sizes = {};
  later("look");
});
for (const part of ["view", "depth"]) find(part).addEventListener("change", () => later("look"));
for (const button of root.querySelectorAll("[data-tab]")) button.addEventListener("click", () => turn(button.dataset.tab));
find("cancel").addEventListener("click", () => desk.stop("Stopped."));
find("svg").addEventListener("click", () => exported("svg", `${find("name").value || "drawing"}.svg`, "image/svg+xml"));
find("py").addEventListener("click", () => exported("emit", "model.py", "text/x-python"));
find("format").addEventListener("click", async () => {
  const text = editor.text, answer = await desk.ask({kind: "fmt", text});
  if (!answer || text !== editor.text) return;
  if (answer.text === undefined) return list(answer.diagnostics);
  if (answer.text !== text) { editor.text = answer.text; later("check"); }
  find("said").textContent = answer.text === text ? "It is in the one style already." : "Formatted.";
});
find("link").addEventListener("click", async () => {
  const to = linked(editor.text, location.href);
  if (to === null) { find("said").textContent = "The program is too long for a link."; return; }
  history.replaceState(null, "", to);
  const copied = navigator.clipboard ? await navigator.clipboard.writeText(to).then(() => true, () => false) : false;
  find("said").textContent = copied ? "The link is copied: it holds the program." : "The address holds the program now.";
});
editor.changed = () => later("check");
addEventListener("hashchange", () => opened());

function opened() {
  const found = program(location.hash);
  if (found.fault) find("said").textContent = found.fault;
  if (found.text === undefined) return false;
  editor.text = found.text;
  picture.sizes = {};
  wanted = "";
  check();
  return true;
}

root.querySelector("[data-part=room]").hidden = false;
turn("picture");
if (!opened()) example(find("example").value || FIRST);
