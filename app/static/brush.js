/**
 * A canvas on which classes are painted over a picture: brush, eraser, fill, undo; by pointer, finger or
 * keyboard.
 *
 * Two layers lie over the picture: `labels`, what a segmentation found, faintly, and the strokes. A view
 * places `area` and `tools` where it likes.
 */

import { createTools, plain, toolOf } from "./brush_tools.js";
import { drawOn, layerOf, rgbOf } from "./canvas.js";
import { UNPAINTED, blank, encode, fill, line, same, sharesOf } from "./masks.js";
import { h, newId } from "./widgets.js";

const MOST_STEPS = 30; // of undo; a step holds a mask
const STROKE_ALPHA = 200; // of 255
const LABEL_OPACITY = 35; // of 100, at first

/** The keys of the canvas, for the help of a view. */
export const BRUSH_KEYS = [
  ["Arrow keys", "On the canvas: move the brush by a pixel; with Shift by eight"],
  ["Space", "Put the brush down, or lift it; with Fill: fill"],
  ["D, E, F, P", "Brush, eraser, fill, pick the class at the brush"],
  ["Shift and click", "A straight line from where the last stroke ended"],
  ["[ and ]", "Smaller or larger brush"],
  ["1 to 9", "Choose one of the first classes; a second digit follows quickly: 1 2 is the twelfth"],
  ["+ and -", "Zoom"],
  ["Ctrl+Z", "On the canvas: take a stroke back"],
];

/**
 * Make the canvas and its tools.
 *
 * @param {object} given
 * @param {{name: string, colour: string}[]} given.classes colours as "#rrggbb".
 * @param {() => void} [given.onChange] called after each stroke, undo, redo and clear.
 * @param {number} [given.first] number of the class that is chosen at first.
 * @returns {object} `area` and `tools` for the page; `show(picture, labels, size)` begins with a picture (an
 *   ImageBitmap or canvas), the labels found in it (or null) and the size of a mask, if it is not that of the
 *   picture; the strokes are kept if it is the same as before; `draw(picture)` changes the picture alone;
 *   `mask`, the strokes; `start(mask)` begins anew with some; `setMask(mask)`; `isEmpty`; `encoded()`, the
 *   strokes for the server; `clear()`; `undo()`; `redo()`; `bare(on)` hides all that lies over the picture;
 *   `summary`, what is painted, in words; `chosen`, the class; `setShares(numbers)`, which part of the
 *   picture each class has.
 */
export function createBrush({ classes, onChange = () => {}, first = 0 }) {
  const under = h("canvas", { width: 1, height: 1 });
  const over = h("canvas", { width: 1, height: 1 });
  const ring = h("div", { class: "ring", hidden: true, "aria-hidden": "true" });
  const hint = h(
    "p",
    { class: "unseen", id: newId("hint") },
    "Arrow keys move the brush, Space puts it down or lifts it.",
  );
  const tools = createTools({
    classes,
    chosen: Math.min(first, classes.length - 1),
    faint: LABEL_OPACITY,
    onChange: showRing,
    onFaint: (percent) => ((opacity = percent), redraw()),
    onZoom: (factor) => {
      area.style.setProperty("--zoom", factor);
      if (factor > 1) ring.scrollIntoView({ block: "nearest", inline: "nearest" });
    },
    strokes: { undo: () => api.undo(), redo: () => api.redo(), clear: () => api.clear() },
  });
  const area = h(
    "div",
    {
      class: "frame brush",
      tabindex: 0,
      role: "application",
      "aria-label": "Canvas to paint on",
      "aria-describedby": `${hint.id} ${tools.told}`,
    },
    under,
    over,
    ring,
    hint,
  );
  const colours = classes.map(({ colour }) => rgbOf(colour));
  let size = { width: 1, height: 1 };
  let labels = null;
  let mask = blank(1, 1);
  let past = [];
  let future = [];
  let opacity = LABEL_OPACITY;
  let typed = { text: "", time: 0 }; // digits of a class
  let at = { x: 0, y: 0 };
  let last = at; // where the last stroke ended
  let held = null; // the mask before the stroke under way
  let penDown = false; // of the keyboard

  function redraw() {
    const layer = layerOf(size, colours, mask, STROKE_ALPHA, { labels, faint: 2.55 * opacity });
    over.getContext("2d").putImageData(layer, 0, 0);
  }

  function showRing() {
    ring.hidden = false;
    area.style.setProperty("--x", (at.x + 0.5) / size.width);
    area.style.setProperty("--y", (at.y + 0.5) / size.height);
    area.style.setProperty("--size", (tools.tool === "fill" ? 1 : tools.diameter) / size.width);
    const { painted, found } = here();
    const seen = found === undefined || found === UNPAINTED ? "nothing" : plain(classes[found].name);
    tools.read(`At ${at.x}, ${at.y}: ${seen}${painted ? " (painted)" : ""}`);
  }

  /** Return the class at the brush, painted there or else found there, and which of the two. */
  function here() {
    const place = at.y * size.width + at.x;
    const painted = mask[place] !== UNPAINTED;
    return { painted, found: painted ? mask[place] : labels?.[place] };
  }

  const value = () => (tools.tool === "erase" ? UNPAINTED : tools.chosen);
  const stroke = (from, to) => line(mask, size, from, to, tools.diameter, value());

  function begin() {
    if (tools.tool === "pick") return pick();
    held = mask.slice();
    if (tools.tool === "fill") fill(mask, labels, size, at, value());
    else stroke(at, at);
    redraw();
  }

  function pick() {
    const { found } = here();
    if (classes[found] === undefined) return;
    tools.tool = "brush";
    tools.chosen = found;
  }

  function moveTo(next) {
    if (held && tools.tool !== "fill") stroke(at, next);
    at = next;
    showRing();
  }

  function end() {
    const before = held;
    last = at;
    held = null;
    penDown = false;
    if (before && !same(before, mask)) remember(before);
  }

  function remember(before) {
    past = [...past, before].slice(-MOST_STEPS);
    future = [];
    changed();
  }

  function changed() {
    redraw();
    tools.tell({ undo: past.length, redo: future.length, clear: !api.isEmpty, words: api.summary });
    onChange();
  }

  function step(from, to) {
    if (held) end();
    if (from.length === 0) return;
    to.push(mask);
    mask = from.pop();
    changed();
  }

  /** Return the pixel under a pointer; beyond the edge, the nearest. */
  function pixel({ clientX, clientY }) {
    const box = area.getBoundingClientRect();
    const clamp = (share, count) => Math.min(count - 1, Math.max(0, Math.floor(share * count)));
    return {
      x: clamp((clientX - box.left) / box.width, size.width),
      y: clamp((clientY - box.top) / box.height, size.height),
    };
  }

  area.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    if (held) end();
    area.setPointerCapture(event.pointerId);
    moveTo(pixel(event));
    begin();
    if (held && event.shiftKey && tools.tool !== "fill") {
      stroke(last, at);
      redraw();
    }
  });
  area.addEventListener("pointermove", (event) => {
    // Between two frames a pen moves several times; each place counts.
    for (const one of event.getCoalescedEvents?.() ?? [event]) moveTo(pixel(one));
    if (held) redraw();
  });
  area.addEventListener("pointerup", () => end());
  area.addEventListener("pointercancel", () => end());
  area.addEventListener("pointerleave", () => !held && (ring.hidden = true));
  area.addEventListener("focus", showRing);
  area.addEventListener("blur", () => {
    end();
    ring.hidden = true;
  });
  area.addEventListener("keydown", (event) => {
    if (event.altKey || !key(event)) return;
    event.preventDefault(); // the shell leaves alone what was taken here
  });

  function key({ key: name, shiftKey, ctrlKey, metaKey }) {
    if (ctrlKey || metaKey) {
      if (name.toLowerCase() === "z") (shiftKey ? api.redo : api.undo)();
      else if (name.toLowerCase() === "y") api.redo();
      else return false;
      return true;
    }
    const by = shiftKey ? 8 : 1;
    const steps = { ArrowLeft: [-by, 0], ArrowRight: [by, 0], ArrowUp: [0, -by], ArrowDown: [0, by] }[name];
    if (steps) {
      const clamp = (place, count) => Math.min(count - 1, Math.max(0, place));
      moveTo({ x: clamp(at.x + steps[0], size.width), y: clamp(at.y + steps[1], size.height) });
      ring.scrollIntoView({ block: "nearest", inline: "nearest" });
      if (held) redraw();
      return true;
    }
    if (name === " " || name === "Enter") {
      if (penDown) return (end(), true);
      const before = tools.tool;
      begin();
      if (before === "fill") end();
      if (before === "pick") return true;
      penDown = before !== "fill";
      tools.read(penDown ? "The brush is down." : "Filled.");
      return true;
    }
    const known = toolOf(name);
    if (known) return ((tools.tool = known), true);
    if (name === "[" || name === "]") return ((tools.diameter += name === "]" ? 1 : -1), true);
    if (name === "+" || name === "-") return (tools.zoom(name === "+" ? 1 : -1), true);
    if (!/^[0-9]$/.test(name)) return false;
    const now = performance.now();
    const text = now - typed.time < 900 ? typed.text + name : name;
    const number = Number(text) <= classes.length ? Number(text) : Number(name);
    typed = { text: String(number), time: now };
    if (number >= 1 && number <= classes.length) tools.chosen = number - 1;
    return true;
  }

  const api = {
    area,
    tools: tools.element,
    get mask() {
      return mask;
    },
    get isEmpty() {
      return mask.every((one) => one === UNPAINTED);
    },
    get size() {
      return size;
    },
    get chosen() {
      return tools.chosen;
    },
    get summary() {
      const parts = sharesOf(mask, classes.length).map((share, index) => [share, classes[index].name]);
      const words = parts
        .filter(([share]) => share > 0)
        .map(([share, name]) => `${plain(name)} ${share < 0.001 ? "below 0.1" : (100 * share).toFixed(1)} %`);
      return words.length ? `Painted: ${words.join(", ")}` : "Nothing is painted yet.";
    },
    show(picture, found = null, { width: wide, height: high } = picture) {
      if (wide !== size.width || high !== size.height) {
        size = { width: wide, height: high };
        mask = blank(wide, high);
        past = [];
        future = [];
        at = { x: wide >> 1, y: high >> 1 };
        tools.diameter = Math.max(2, Math.round(wide / 14));
        Object.assign(over, size);
      }
      area.style.setProperty("--ratio", wide / high);
      api.draw(picture);
      labels = found;
      ring.hidden = document.activeElement !== area;
      if (ring.hidden) tools.read("");
      changed();
    },
    draw(picture) {
      drawOn(under, picture);
    },
    start(next) {
      mask = next.slice();
      past = [];
      future = [];
      changed();
    },
    setMask(next) {
      const before = mask;
      mask = next.slice();
      remember(before);
    },
    bare(on) {
      over.hidden = on;
    },
    setShares: tools.setShares,
    encoded: () => encode(mask, size),
    clear() {
      if (api.isEmpty) return;
      const before = mask;
      mask = blank(size.width, size.height);
      remember(before);
    },
    undo: () => step(past, future),
    redo: () => step(future, past),
  };
  return api;
}
