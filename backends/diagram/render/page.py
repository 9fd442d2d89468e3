"""What stands in every page beside the drawings: its frame, its style, its script."""

from __future__ import annotations

STYLE = """
:root{color-scheme:light dark;--ground:#fff;--ink:#1a1a1a;--muted:#5c6470;--line:#c9ced6;--accent:#0072b2;--bad:#b3261e}
@media (prefers-color-scheme:dark){:root:not([data-theme=light]){--ground:#0d1117;--ink:#e6e6e6;--muted:#9aa4b2;
--line:#39414d;--accent:#56b4e9;--bad:#ff8a80}}
:root[data-theme=dark]{--ground:#0d1117;--ink:#e6e6e6;--muted:#9aa4b2;--line:#39414d;--accent:#56b4e9;--bad:#ff8a80;
color-scheme:dark}
:root[data-theme=light]{color-scheme:light}
*{box-sizing:border-box}
body{margin:0;height:100vh;display:flex;flex-direction:column;background:var(--ground);color:var(--ink);
font:14px Helvetica,Arial,sans-serif}
header{display:flex;flex-wrap:wrap;gap:8px;align-items:center;padding:8px 12px;border-bottom:1px solid var(--line)}
h1{font-size:16px;margin:0 8px 0 0}
nav{display:flex;gap:4px;align-items:center;margin-right:auto}
button,input{font:inherit;color:inherit;background:var(--ground);border:1px solid var(--line);border-radius:5px;
padding:3px 9px}
button[aria-pressed=true]{border-color:var(--accent);box-shadow:inset 0 0 0 1px var(--accent)}
:focus-visible{outline:2px solid var(--accent);outline-offset:1px}
.room{flex:1;display:flex;min-height:0}
aside{width:250px;overflow:auto;padding:10px 12px;border-left:1px solid var(--line);font-size:13px}
aside[hidden]{display:none}
aside h2{font-size:13px;margin:14px 0 4px}
aside h2:first-child{margin-top:0}
aside .size{display:grid;grid-template-columns:minmax(40px,auto) 1fr 74px;gap:6px;align-items:center;margin:3px 0}
aside .size input{width:100%;min-width:0;padding:2px 4px}
aside p,aside ul{margin:3px 0;padding:0;list-style:none}
aside i{font-family:inherit}
aside li.broken{color:var(--bad);font-weight:bold}
footer small{color:var(--muted)}
@media (max-width:700px){.room{flex-direction:column}aside{width:auto;max-height:38vh;border-left:0;
border-top:1px solid var(--line)}}
main{flex:1;overflow:hidden;position:relative;cursor:grab;touch-action:none}
main.held{cursor:grabbing}
main svg{position:absolute;left:0;top:0;transform-origin:0 0}
footer{display:flex;flex-wrap:wrap;gap:4px;align-items:center;padding:6px 12px;border-top:1px solid var(--line);
max-height:30vh;overflow:auto}
footer[hidden]{display:none}
footer span{color:var(--muted)}
.dimmed .ogive path[data-axis]:not(.lit),.dimmed .ogive text[data-axis]:not(.lit){opacity:.18}
.ogive path.lit{stroke:var(--accent);stroke-width:2.4}
.ogive text.lit{fill:var(--accent)}
.ogive g.found path,.ogive g.found rect{stroke:var(--accent)}
.ogive [role=button]{cursor:pointer}
.ogive path[data-axis]{cursor:pointer}
.quiet{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
"""

BODY = """<header><h1>{title}</h1><nav aria-label="Opened blocks" id="trail"></nav>
<label class="quiet" for="search">Search operations, blocks and axes</label>
<input id="search" type="search" placeholder="Search" autocomplete="off">
<button id="out" aria-label="Zoom out">−</button><button id="in" aria-label="Zoom in">+</button>
<button id="fit">Fit</button><button id="theme">Light or dark</button></header>
<div class="room">
<main id="stage" tabindex="0" role="region" aria-label="Diagram. Arrow keys move, plus and minus zoom, 0 fits,
Escape closes a block.">{svg}</main>
<aside id="sizes" aria-label="Sizes"></aside></div>
<footer id="axes" role="group" aria-label="Axes: show one everywhere"><span>axes</span></footer>
<p class="quiet" id="said" role="status"></p>
{templates}
"""

SCRIPT = """
"use strict";
const stage = document.getElementById("stage"), said = document.getElementById("said");
const search = document.getElementById("search"), axes = document.getElementById("axes");
const trail = document.getElementById("trail"), title = document.querySelector("h1").textContent;
let view = {x: 0, y: 0, k: 1}, lit = "";
const first = stage.innerHTML;
const svg = () => stage.querySelector("svg");

function show() {
  svg().style.transform = `translate(${view.x}px,${view.y}px) scale(${view.k})`;
}
function fit() {
  const box = svg().viewBox.baseVal, room = stage.getBoundingClientRect();
  view.k = Math.min(room.width / box.width, room.height / box.height, 1.6);
  view.x = (room.width - box.width * view.k) / 2;
  view.y = (room.height - box.height * view.k) / 2;
  show();
}
function zoom(factor, x, y) {
  const room = stage.getBoundingClientRect();
  x = x ?? room.width / 2; y = y ?? room.height / 2;
  const k = Math.min(Math.max(view.k * factor, 0.05), 12);
  view.x = x - (x - view.x) * k / view.k; view.y = y - (y - view.y) * k / view.k; view.k = k;
  show();
}
function center(element) {
  const box = element.getBoundingClientRect(), room = stage.getBoundingClientRect();
  view.x += room.left + room.width / 2 - (box.left + box.width / 2);
  view.y += room.top + room.height / 2 - (box.top + box.height / 2);
  show();
}
function light(axis) {
  lit = axis === lit ? "" : axis;
  document.body.classList.toggle("dimmed", lit !== "");
  for (const e of stage.querySelectorAll("[data-axis]")) e.classList.toggle("lit", e.dataset.axis === lit);
  for (const b of axes.querySelectorAll("button")) b.setAttribute("aria-pressed", String(b.dataset.axis === lit));
  said.textContent = lit ? `${axisName(lit)} is shown` : "all axes";
}
function listAxes() {
  const names = [...new Set([...stage.querySelectorAll("path[data-axis]")].map(e => e.dataset.axis))];
  axes.hidden = names.length === 0;
  const base = name => axisOf(name)[0], from = name => axisOf(name)[1];
  axes.replaceChildren(axes.firstElementChild, ...names.map(name => {
    const button = document.createElement("button"), same = names.filter(other => base(other) === base(name));
    button.textContent = base(name); button.dataset.axis = name;
    if (same.length > 1) {
      const twins = same.filter(other => from(other) === from(name)), more = twins.length > 1
        ? ` ${twins.indexOf(name) + 1}` : "";
      const origin = document.createElement("small");
      origin.textContent = ` ${from(name)}${more}`;
      button.append(origin);
    }
    button.title = axisName(name); button.setAttribute("aria-label", axisName(name));
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => light(name));
    return button;
  }));
}
function axisOf(name) { return part().axes[name] || [name.split("~")[0], ""]; }
function axisName(name) {
  const [label, origin] = axisOf(name);
  return `axis ${label}${origin ? `, from ${origin}` : ""}`;
}
function push(text, label, action) {
  const button = document.createElement("button");
  button.textContent = text; button.setAttribute("aria-label", label);
  button.addEventListener("click", action);
  return button;
}
function listTrail() {
  trail.replaceChildren(...opened.map((each, depth) => push(
    `${each.title} ×`, `Close ${each.title}`, () => { opened = opened.slice(0, depth); draw(); })));
  const last = opened[opened.length - 1], count = last ? last.turns.length : 0;
  if (count < 2) return;
  const turn = step => () => { last.turn = (last.turn + step + count) % count; listTrail(); written(); tell(); };
  const where = document.createElement("span");
  where.textContent = `${last.turn + 1} of ${count}`;
  trail.append(push("‹", "Sizes of the use before", turn(-1)), where, push("›", "Sizes of the next use", turn(1)));
}
function tell() {
  const last = opened[opened.length - 1];
  said.textContent = last === undefined ? title : `block ${last.title} is open${sizesSaid()}`;
}
function draw() {
  const last = opened[opened.length - 1];
  const template = last === undefined ? null : document.getElementById(`block-${last.block}`);
  if (template === null) stage.innerHTML = first; else stage.replaceChildren(template.content.cloneNode(true));
  lit = ""; document.body.classList.remove("dimmed");
  listAxes(); listTrail(); fit(); written(); tell();
}
function open(element) {
  const group = element.closest("[data-block]");
  if (group === null || document.getElementById(`block-${group.dataset.block}`) === null) return false;
  const uses = part().uses[group.dataset.op] || [], place = (group.dataset.path || "").split(".").pop();
  const name = group.dataset.name, title = place && place !== "*" && place !== name ? `${name} ${place}` : name;
  opened.push({block: group.dataset.block, title, turns: uses, turn: 0}); draw(); stage.focus();
  return true;
}
function close() {
  if (opened.length) { opened.pop(); draw(); } else if (lit) light(lit);
}
let hits = [], hit = -1;
function find(text) {
  for (const e of hits) e.classList.remove("found");
  const wanted = text.trim().toLowerCase();
  hits = wanted === "" ? [] : [...stage.querySelectorAll("g[data-name]")].filter(g =>
    [g.dataset.name, g.dataset.path, g.dataset.block, g.textContent].join(" ").toLowerCase().includes(wanted));
  for (const e of hits) e.classList.add("found");
  hit = -1; said.textContent = wanted === "" ? "" : `${hits.length} found`;
}
function next() {
  if (!hits.length) return;
  hit = (hit + 1) % hits.length; center(hits[hit]);
  said.textContent = `${hit + 1} of ${hits.length}: ${hits[hit].dataset.name}`;
}
let held = null;
stage.addEventListener("pointerdown", e => { held = {x: e.clientX, y: e.clientY, far: false}; });
stage.addEventListener("pointermove", e => {
  if (held === null) return;
  const dx = e.clientX - held.x, dy = e.clientY - held.y;
  if (!held.far && Math.hypot(dx, dy) < 4) return;
  if (!held.far) stage.setPointerCapture(e.pointerId);
  held = {x: e.clientX, y: e.clientY, far: true}; stage.classList.add("held");
  view.x += dx; view.y += dy; show();
});
stage.addEventListener("pointerup", e => {
  const clicked = held !== null && !held.far; held = null; stage.classList.remove("held");
  if (clicked && !open(e.target) && e.target.dataset.axis) light(e.target.dataset.axis);
});
stage.addEventListener("wheel", e => {
  e.preventDefault();
  const room = stage.getBoundingClientRect();
  zoom(Math.exp(-e.deltaY / 400), e.clientX - room.left, e.clientY - room.top);
}, {passive: false});
document.addEventListener("keydown", e => {
  if (e.target === search) {
    if (e.key === "Enter") next();
    if (e.key === "Escape") { search.value = ""; find(""); stage.focus(); }
    return;
  }
  const moves = {ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60]};
  if (e.key === "/") { e.preventDefault(); search.focus(); }
  else if (e.key === "Escape") close();
  else if ((e.key === "Enter" || e.key === " ") && e.target.closest && e.target.closest("[role=button]")) {
    if (open(e.target)) e.preventDefault();
  } else if (e.target.matches && e.target.matches("input")) return;
  else if (e.target === stage || stage.contains(e.target)) {
    if (moves[e.key]) { e.preventDefault(); view.x += moves[e.key][0]; view.y += moves[e.key][1]; show(); }
    else if (e.key === "+" || e.key === "=") zoom(1.25);
    else if (e.key === "-") zoom(0.8);
    else if (e.key === "0") fit();
  }
});
search.addEventListener("input", () => find(search.value));
document.getElementById("in").addEventListener("click", () => zoom(1.25));
document.getElementById("out").addEventListener("click", () => zoom(0.8));
document.getElementById("fit").addEventListener("click", fit);
document.getElementById("theme").addEventListener("click", () => {
  const dark = document.documentElement.dataset.theme
    ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "light" : "dark";
});
addEventListener("resize", fit);
draw();
"""
