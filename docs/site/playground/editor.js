// A text field with numbers of lines, places of findings underlined, and their words behind the lines.
const KINDS = ["error", "warning", "hint"];

export class Editor {
  constructor(place) {
    this.area = place.querySelector("textarea");
    this.back = place.querySelector("[data-part=back]");
    this.gutter = place.querySelector("[data-part=gutter]");
    this.found = [];
    this.changed = () => {};
    this.area.addEventListener("input", () => { this.found = []; this.paint(); this.changed(); });
    this.area.addEventListener("scroll", () => this.follow());
    this.area.addEventListener("keydown", event => this.key(event));
    this.paint();
  }

  get text() { return this.area.value; }
  set text(text) { this.area.value = text; this.found = []; this.area.scrollTop = 0; this.paint(); }

  // Tab indents; Escape and then Tab leaves the field, as for every reader without a mouse.
  key(event) {
    if (event.key === "Escape") { this.leaving = true; return; }
    if (event.key === "Tab" && !event.shiftKey && !this.leaving) {
      event.preventDefault();
      this.area.setRangeText("    ", this.area.selectionStart, this.area.selectionEnd, "end");
      this.area.dispatchEvent(new Event("input"));
    } else if (event.key === "Enter" && !event.isComposing) {
      const before = this.text.slice(0, this.area.selectionStart), line = before.slice(before.lastIndexOf("\n") + 1);
      const deeper = line.trimEnd().endsWith(":") ? "    " : "";
      event.preventDefault();
      this.area.setRangeText(`\n${line.match(/^ */)[0]}${deeper}`, this.area.selectionStart, this.area.selectionEnd, "end");
      this.area.dispatchEvent(new Event("input"));
    }
    this.leaving = false;
  }

  mark(found) { this.found = found.filter(each => each.here); this.paint(); }

  // The place of a line and a column, which count characters, where the field counts UTF-16.
  at(line, column) {
    const lines = this.text.split("\n"), before = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
    return before + [...(lines[line - 1] ?? "")].slice(0, column - 1).join("").length;
  }

  span(each) { return [this.at(each.line, each.column), this.at(each.end_line, each.end_column)]; }

  select(each) {
    if (!each.here) return;
    const [start, end] = this.span(each), height = parseFloat(getComputedStyle(this.area).lineHeight);
    this.area.focus();
    this.area.setSelectionRange(start, end);
    this.area.scrollTop = Math.max(0, (each.line - 4) * height);
  }

  apply(edits) {
    const places = edits.map(each => [...this.span(each), each.text]).sort((a, b) => b[0] - a[0]);
    for (const [start, end, text] of places) this.area.setRangeText(text, start, end);
    this.found = [];
    this.paint();
  }

  paint() {
    const lines = this.text.split("\n"), back = document.createDocumentFragment();
    const gutter = document.createDocumentFragment();
    const spans = this.found.map(each => [...this.span(each), each]);
    let from = 0;
    lines.forEach((line, i) => {
      const here = this.found.filter(each => each.line === i + 1), worst = KINDS.find(kind => here.some(d => d.severity === kind));
      const row = this.row(line, from, spans);
      if (worst) {
        row.classList.add(worst);
        const note = document.createElement("span");
        note.className = "note";
        note.textContent = `   ${here.map(each => each.message.split("\n")[0]).join("; ")}`;
        row.append(note);
      }
      back.append(row);
      const number = document.createElement("div");
      number.textContent = i + 1;
      if (worst) { number.className = worst; number.title = here.map(each => `${each.code}: ${each.message}`).join("\n"); }
      gutter.append(number);
      from += line.length + 1;
    });
    this.back.replaceChildren(back);
    this.gutter.replaceChildren(gutter);
    this.follow();
  }

  // A line of the layer behind, whose letters are not seen: cut at the ends of all places in it.
  row(line, from, spans) {
    const row = document.createElement("div"), inside = spans.filter(([a, b]) => a <= from + line.length && b >= from);
    const cuts = new Set([0, line.length]);
    for (const [a, b] of inside) for (const at of [a - from, b - from]) if (at > 0 && at < line.length) cuts.add(at);
    const places = [...cuts].sort((a, b) => a - b);
    for (let i = 0; i + 1 < places.length; i++) {
      const piece = document.createElement("span");
      piece.textContent = line.slice(places[i], places[i + 1]);
      const over = inside.filter(([a, b]) => a < from + places[i + 1] && b > from + places[i]).map(each => each[2].severity);
      const worst = KINDS.find(kind => over.includes(kind));
      if (worst) piece.className = `mark ${worst}`;
      row.append(piece);
    }
    if (!line.length) row.append("\u200b");
    return row;
  }

  follow() {
    this.back.scrollTop = this.gutter.scrollTop = this.area.scrollTop;
    this.back.scrollLeft = this.area.scrollLeft;
  }
}
