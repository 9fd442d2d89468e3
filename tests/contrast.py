"""What of a page is hard to read: texts whose colour is nearer to what is behind them than WCAG's AA allows."""

from __future__ import annotations

import json

from bench.browser import Browser

LEAST = 4.5
SCRIPT = r"""
(() => {
  const parts = text => [...text.match(/[\d.]+/g).map(Number), 1].slice(0, 4);
  const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const linear = part => part / 255 <= 0.03928 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const found = [], texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const words = texts.currentNode.textContent.trim(), at = texts.currentNode.parentElement;
    const box = at.getBoundingClientRect();
    const shown = at.checkVisibility({opacityProperty: true, visibilityProperty: true});
    if (!words || !shown || !box.width || !box.height || at.closest("script, style, svg, noscript")) continue;
    const around = [];
    for (let each = at; each; each = each.parentElement) around.unshift(getComputedStyle(each));
    const ground = around.reduce((below, style) => over(parts(style.backgroundColor), below), [255, 255, 255, 1]);
    const ink = parts(getComputedStyle(at).color);
    if (ink[3] === 0) continue;
    ink[3] *= around.reduce((share, style) => share * Number(style.opacity), 1);
    const [a, b] = [light(over(ink, ground)), light(ground)];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < LEAST) found.push([words.slice(0, 40), contrast]);
  }
  return JSON.stringify(found);
})()
""".replace("LEAST", str(LEAST))


def faint(page: Browser) -> list[list[object]]:
    """Each text of a page that is too faint, with its contrast; none that lets the layer behind show through."""
    found: list[list[object]] = json.loads(page.run(SCRIPT))
    return found
