"""What the script of a page does with sizes: sliders, labels and conditions that follow, blocks in their uses."""

from __future__ import annotations

SIZES = """
"use strict";
const facts = JSON.parse(document.getElementById("facts").textContent), sizes = document.getElementById("sizes");
const root = facts.parts[""], saved = new WeakMap();
let shown = facts.shown, values = [...root.values], opened = [];

const part = () => facts.parts[opened.length ? opened[opened.length - 1].block : ""] || root;

function computed(tree, env) {
  if (!Array.isArray(tree)) return tree;
  if (typeof tree[0] === "number") return env[tree[0]] ?? null;
  const [name, ...parts] = tree, all = parts.map(each => computed(each, env)), [a, b] = all;
  if (name === "and") return all.includes(false) ? false : all.includes(null) ? null : true;
  if (name === "or") return all.includes(true) ? true : all.includes(null) ? null : false;
  if (all.includes(null)) return null;
  switch (name) {
    case "not": return !a;
    case "in": return all.slice(1).includes(a);
    case "+": return a + b;
    case "-": return b === undefined ? -a : a - b;
    case "*": return a * b;
    case "//": return b ? Math.floor(a / b) : null;
    case "%": return b ? ((a % b) + b) % b : null;
    case "**": return b < 0 ? null : a ** b;
    case "min": return Math.min(...all);
    case "max": return Math.max(...all);
    case "==": return a === b;
    case "!=": return a !== b;
    case "<": return a < b;
    case "<=": return a <= b;
    case ">": return a > b;
    case ">=": return a >= b;
  }
  throw new Error(`no operator ${name}`);
}
function env(depth = opened.length) {
  if (depth === 0) return values;
  const last = opened[depth - 1], inside = facts.parts[last.block];
  if (!last.turns.length) return inside.values;
  const outer = env(depth - 1);
  return last.turns[last.turn].map(tree => computed(tree, outer));
}
function sizesSaid() {
  const known = env(), told = part().names.map((name, i) => known[i] == null ? "" : `${name} = ${known[i]}`);
  const found = told.filter(text => text);
  return found.length ? `: ${found.join(", ")}` : "";
}
function relabel(text, known) {
  if (!saved.has(text)) saved.set(text, {html: text.innerHTML, plain: text.textContent,
    length: text.getAttribute("textLength"), anchor: text.getAttribute("text-anchor")});
  const old = saved.get(text), spots = text.dataset.spots.split(" ").map(i => part().spots[i]);
  text.innerHTML = old.html;
  for (const [name, value] of [["textLength", old.length], ["text-anchor", old.anchor]])
    if (value === null) text.removeAttribute(name); else text.setAttribute(name, value);
  const whole = spots.length === 1 && spots[0][0] === old.plain, inside = !whole && text.closest("g[data-name]");
  const still = shown === "symbolic" || (shown === "both" && inside);
  let made = "", rest = old.plain, any = false;
  for (const [token, tree] of spots) {
    const found = rest.indexOf(token), number = computed(tree, known);
    const counted = /^[0-9]+$/.test(token);  // a number already, which has no symbol
    if (found < 0 || number === null || (still && !counted)) continue;
    any = true;
    made += rest.slice(0, found) + (shown === "both" && !counted ? `${token}=${number}` : number);
    rest = rest.slice(found + token.length);
  }
  if (!any) return;
  if (shown === "both" && whole && made.startsWith(old.plain)) {
    const more = document.createElementNS("http://www.w3.org/2000/svg", "tspan");
    more.textContent = made.slice(old.plain.length); more.setAttribute("y", text.getAttribute("y"));
    text.append(more);
  } else {
    text.textContent = made + rest;
    if (text.dataset.anchor) text.setAttribute("text-anchor", text.dataset.anchor);
  }
  text.removeAttribute("textLength");
  const room = Number(text.dataset.room);
  if (text.getComputedTextLength() > room + 1) {
    text.setAttribute("textLength", room); text.setAttribute("lengthAdjust", "spacingAndGlyphs");
  }
}
function element(kind, text, parent) {
  const made = document.createElement(kind);
  made.textContent = text;
  if (parent) parent.append(made);
  return made;
}
function written() {
  const known = env();
  for (const text of document.querySelectorAll("#stage text[data-spots]")) relabel(text, known);
  for (const button of sizes.querySelectorAll("button[data-shown]"))
    button.setAttribute("aria-pressed", String(button.dataset.shown === shown));
  const told = sizes.querySelector("#told");
  if (!told) return;
  told.replaceChildren();
  if (opened.length) {
    element("h2", `In ${opened[opened.length - 1].title}`, told);
    part().names.forEach((name, i) => element("p", `${name} = ${known[i] ?? "open"}`, told));
  }
  const rows = part().rows.map(([name, i]) => [name, computed(part().spots[i][1], known)])
    .filter(row => row[1] !== null);
  if (rows.length) element("h2", "Follow from these", told);
  for (const [name, number] of rows) element("p", `${name} = ${number}`, told);
  const needs = [[root, values], ...(opened.length ? [[part(), known]] : [])];
  const list = document.createElement("ul");
  let broken = 0;
  for (const [where, sizesThere] of needs) for (const [text, tree] of where.needs) {
    const holds = computed(tree, sizesThere), item = element("li", "", list);
    item.textContent = `${holds === null ? "·" : holds ? "✓" : "✗ broken:"} ${text}`;
    item.classList.toggle("broken", holds === false); broken += holds === false;
  }
  if (list.children.length) { element("h2", "Conditions", told); told.append(list); }
  sizes.dataset.broken = broken;
  const said = document.getElementById("said");
  if (broken) said.textContent = `${broken} ${broken > 1 ? "conditions are" : "condition is"} broken`;
}
function setSize(i, number) {
  values[i] = number;
  if (shown === "symbolic") shown = "numeric";
  written();
}
function listSizes() {
  sizes.hidden = root.own === 0;
  if (sizes.hidden) return;
  const ways = element("p", "", sizes);
  ways.setAttribute("role", "group"); ways.setAttribute("aria-label", "How sizes are written");
  for (const [way, text] of [["symbolic", "symbols"], ["numeric", "numbers"], ["both", "both"]]) {
    const button = element("button", text, ways);
    button.dataset.shown = way;
    button.addEventListener("click", () => { shown = way; written(); });
  }
  for (let i = 0; i < root.own; i++) {
    const row = element("div", "", sizes), name = root.names[i], low = Math.max(root.low[i] ?? 0, 0);
    row.className = "size";
    element("i", name, row);
    const slider = element("input", "", row), field = element("input", "", row), start = root.values[i];
    const most = start === null ? 1024 : 2 ** Math.ceil(Math.log2(Math.max(4 * start, 16)));
    Object.assign(slider, {type: "range", min: low, max: most, value: start ?? low});
    Object.assign(field, {type: "number", min: low, value: start ?? "", placeholder: "open"});
    slider.setAttribute("aria-label", `Size ${name}`); field.setAttribute("aria-label", `Size ${name}, as a number`);
    slider.dataset.size = i; field.dataset.field = i;
    slider.addEventListener("input", () => { field.value = slider.value; setSize(i, Number(slider.value)); });
    field.addEventListener("input", () => {
      const number = field.value === "" || !field.validity.valid ? null : Number(field.value);
      if (number !== null) slider.value = number;
      setSize(i, number);
    });
  }
  const back = element("button", "As at first", element("p", "", sizes));
  back.addEventListener("click", () => {
    values = [...root.values]; shown = facts.shown;
    for (const each of sizes.querySelectorAll("input[data-size]"))
      each.value = values[each.dataset.size] ?? each.min;
    for (const each of sizes.querySelectorAll("input[data-field]")) each.value = values[each.dataset.field] ?? "";
    written();
  });
  element("div", "", sizes).id = "told";
}
listSizes();
"""
