/**
 * A canvas on which classes are painted over a picture: brush, eraser, fill, undo; by pointer, finger or keyboard.
 *
 * Two layers lie over the picture: `labels`, what a segmentation found, faintly, and the strokes. A view places
 * `area` and `tools` where it likes.
 */

import { UNPAINTED, blank, encode, fill, line, same, sharesOf } from "./masks.js";
import { field, h, iconButton, newId, slider } from "./widgets.js";

const MOST_STEPS = 30; // of undo; a step holds a mask
const STROKE_ALPHA = 200; // of 255
const LABEL_OPACITY = 35; // of 100, at first
const ZOOMS = [1, 1.5, 2, 3, 4, 6, 8];
const TOOLS = [
  ["brush", "Brush", "D"],
  ["erase", "Eraser", "E"],
  ["fill", "Fill", "F"],
  ["pick", "Pick", "P"],
];

/** Return the name of a class as people write it. */
export const plain = (name) => name.replaceAll("_", " ");

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
 *   ImageBitmap or canvas), the labels found in it (or null) and the size of a mask, if it is not that of the picture;
 *   the strokes are kept if it is the same as before; `draw(picture)` changes the picture alone; `mask`, the strokes;
 *   `start(mask)` begins anew with some; `setMask(mask)`; `isEmpty`; `encoded()`, the strokes for the server;
 *   `clear()`; `undo()`; `redo()`; `bare(on)` hides all that lies over the picture; `summary`, what is painted, in
 *   words; `chosen`, the class; `setShares(numbers)`, which part of the picture each class has.
 */
export function createBrush({ classes, onChange = () => {}, first = 0 }) {
  const under = h("canvas", { width: 1, height: 1 });
  const over = h("canvas", { width: 1, height: 1 });
  const ring = h("div", { class: "ring", hidden: true, "aria-hidden": "true" });
  const reading = h("p", { class: "hint", role: "status" });
  const painted = h("p", { class: "hint", id: newId("painted") });
  const hint = h(
    "p",
    { class: "unseen", id: newId("hint") },
    "Arrow keys move the brush, Space puts it down or lifts it.",
  );
  const area = h(
    "div",
    {
      class: "frame brush",
      tabindex: 0,
      role: "application",
      "aria-label": "Canvas to paint on",
      "aria-describedby": `${hint.id} ${painted.id}`,
    },
    under,
    over,
    ring,
    hint,
  );
  const colours = classes.map(({ colour }) =>
    [1, 3, 5].map((from) => parseInt(colour.slice(from, from + 2), 16)),
  );
  let size = { width: 1, height: 1 };
  let labels = null;
  let mask = blank(1, 1);
  let past = [];
  let future = [];
  let tool = "brush";
  let chosen = Math.min(first, classes.length - 1);
  let opacity = LABEL_OPACITY;
  let zoom = 0;
  let typed = { text: "", time: 0 }; // digits of a class
  let diameter = 5;
  let at = { x: 0, y: 0 };
  let last = at; // where the last stroke ended
  let held = null; // the mask before the stroke under way
  let penDown = false; // of the keyboard

  function redraw() {
    const image = new ImageData(size.width, size.height);
    for (let place = 0; place < mask.length; place += 1) {
      const painted = mask[place] !== UNPAINTED;
      const colour = colours[painted ? mask[place] : labels?.[place]];
      if (colour) image.data.set([...colour, painted ? STROKE_ALPHA : 2.55 * opacity], 4 * place);
    }
    over.getContext("2d").putImageData(image, 0, 0);
  }

  function showRing() {
    ring.hidden = false;
    area.style.setProperty("--x", (at.x + 0.5) / size.width);
    area.style.setProperty("--y", (at.y + 0.5) / size.height);
    area.style.setProperty("--size", (tool === "fill" ? 1 : diameter) / size.width);
    const place = at.y * size.width + at.x;
    const found = mask[place] !== UNPAINTED ? mask[place] : labels?.[place];
    reading.textContent = `At ${at.x}, ${at.y}: ${found === undefined || found === UNPAINTED ? "nothing" : plain(classes[found].name)}${mask[place] !== UNPAINTED ? " (painted)" : ""}`;
  }

  const value = () => (tool === "erase" ? UNPAINTED : chosen);

  function begin() {
    if (tool === "pick") return pick();
    held = mask.slice();
    if (tool === "fill") fill(mask, labels, size, at, value());
    else line(mask, size, at, at, diameter, value());
    redraw();
  }

  /** Choose the class at the brush: what is painted there, or was found there. */
  function pick() {
    const place = at.y * size.width + at.x;
    const found = mask[place] !== UNPAINTED ? mask[place] : labels?.[place];
    if (classes[found] === undefined) return;
    setTool("brush");
    choose(found);
  }

  function moveTo(next) {
    if (held && tool !== "fill") line(mask, size, at, next, diameter, value());
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
    undoButton.disabled = past.length === 0;
    redoButton.disabled = future.length === 0;
    clearButton.disabled = api.isEmpty;
    painted.textContent = api.summary;
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
    if (held && event.shiftKey && tool !== "fill") {
      line(mask, size, last, at, diameter, value());
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
      const before = tool;
      begin();
      if (before === "fill") end();
      if (before === "pick") return true;
      penDown = before !== "fill";
      reading.textContent = penDown ? "The brush is down." : "Filled.";
      return true;
    }
    const known = TOOLS.find(([, , letter]) => letter.toLowerCase() === name.toLowerCase());
    if (known) return (setTool(known[0]), true);
    if (name === "[" || name === "]") return (setDiameter(diameter + (name === "]" ? 1 : -1)), true);
    if (name === "+" || name === "-") return (setZoom(zoom + (name === "+" ? 1 : -1)), true);
    if (!/^[0-9]$/.test(name)) return false;
    const now = performance.now();
    const text = now - typed.time < 900 ? typed.text + name : name;
    const number = Number(text) <= classes.length ? Number(text) : Number(name);
    typed = { text: String(number), time: now };
    if (number >= 1 && number <= classes.length) choose(number - 1);
    return true;
  }

  /* ---- tools ---- */

  const toolGroup = newId("tool");
  const toolInputs = TOOLS.map(([name]) =>
    h("input", {
      type: "radio",
      name: toolGroup,
      value: name,
      checked: name === tool,
      onchange: () => setTool(name),
    }),
  );
  const classGroup = newId("class");
  const classInputs = classes.map((_, index) =>
    h("input", {
      type: "radio",
      name: classGroup,
      value: index,
      checked: index === chosen,
      onchange: () => choose(index),
    }),
  );
  const shares = classes.map(() => h("small", { class: "n" }));
  const palette = h(
    "fieldset",
    { class: "palette" },
    h("legend", {}, "Class to paint"),
    ...classes.map(({ name }, index) => {
      const swatch = h("span", { class: "swatch", "aria-hidden": "true" });
      swatch.style.setProperty("--colour", classes[index].colour);
      return h("label", {}, classInputs[index], swatch, h("span", {}, plain(name)), shares[index]);
    }),
  );
  const width = slider({
    label: "Width of the brush",
    low: 1,
    high: 40,
    step: 1,
    origin: 1,
    inWords: (number) => `${number} pixels`,
    onInput: (number) => setDiameter(number),
    onChange: () => {},
  });
  const faint = slider({
    label: "Opacity of the labels",
    low: 0,
    high: 100,
    step: 5,
    origin: 0,
    inWords: (number) => `${number} percent`,
    onInput: (number) => ((opacity = number), redraw()),
    onChange: () => {},
  });
  faint.show(opacity);
  const nearer = h(
    "button",
    {
      type: "button",
      class: "icon",
      "aria-label": "Zoom in",
      title: "Zoom in (+)",
      onclick: () => setZoom(zoom + 1),
    },
    "+",
  );
  const farther = h(
    "button",
    {
      type: "button",
      class: "icon",
      "aria-label": "Zoom out",
      title: "Zoom out (−)",
      onclick: () => setZoom(zoom - 1),
      disabled: true,
    },
    "−",
  );
  const scale = h("output", {}, "1 ×");
  const undoButton = iconButton("undo", "Take a stroke back", () => api.undo(), { disabled: true });
  const redoButton = iconButton("redo", "Paint it again", () => api.redo(), { disabled: true });
  const clearButton = h(
    "button",
    { type: "button", class: "quiet", disabled: true, onclick: () => api.clear() },
    "Clear",
  );
  const tools = h(
    "div",
    { class: "painting" },
    h(
      "div",
      { class: "row" },
      h(
        "fieldset",
        { class: "modes" },
        h("legend", { class: "unseen" }, "Tool"),
        ...TOOLS.map(([, words], index) => h("label", {}, toolInputs[index], h("span", {}, words))),
      ),
      undoButton,
      redoButton,
      clearButton,
    ),
    field("Width", width.element),
    field("Labels", faint.element),
    h("div", { class: "row" }, h("span", { class: "hint" }, "Zoom"), farther, scale, nearer),
    palette,
    reading,
    painted,
  );

  function setTool(name) {
    tool = name;
    toolInputs[TOOLS.findIndex(([one]) => one === name)].checked = true;
    showRing();
  }

  function setDiameter(number) {
    diameter = Math.min(40, Math.max(1, number));
    width.show(diameter);
    showRing();
  }

  function setZoom(step) {
    zoom = Math.min(ZOOMS.length - 1, Math.max(0, step));
    area.style.setProperty("--zoom", ZOOMS[zoom]);
    scale.textContent = `${ZOOMS[zoom]} ×`;
    farther.disabled = zoom === 0;
    nearer.disabled = zoom === ZOOMS.length - 1;
    if (zoom) ring.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  function choose(index) {
    chosen = index;
    classInputs[index].checked = true;
    if (tool === "erase") setTool("brush"); // who picks a colour wants to paint
  }

  const api = {
    area,
    tools,
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
      return chosen;
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
        setDiameter(Math.max(2, Math.round(wide / 14)));
        Object.assign(over, size);
      }
      area.style.setProperty("--ratio", wide / high);
      api.draw(picture);
      labels = found;
      ring.hidden = document.activeElement !== area;
      if (ring.hidden) reading.textContent = "";
      changed();
    },
    draw(picture) {
      if (under.width !== picture.width || under.height !== picture.height)
        Object.assign(under, { width: picture.width, height: picture.height });
      under.getContext("2d").drawImage(picture, 0, 0);
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
    setShares(numbers) {
      numbers.forEach(
        (number, index) =>
          (shares[index].textContent =
            number >= 0.005 ? `${Math.round(100 * number)} %` : number > 0 ? "<1 %" : ""),
      );
    },
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
  choose(chosen);
  return api;
}
