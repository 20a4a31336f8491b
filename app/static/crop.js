/** How a picture is cut to the shape of the generator's: a rule, shown on the picture itself. */

import { drawOn, pictureCanvas } from "./canvas.js";
import { h, radios } from "./widgets.js";

const RULES = [
  ["centre", "Middle"],
  ["whole", "Stretched"],
  ["pad", "Margins"],
  ["part", "Part"],
];
const NUMBERS = ["left", "top", "width", "height"];

/**
 * Make the choice of the rule.
 *
 * @param {object} run the facts of the run.
 * @param {() => void} changed called when another rule was chosen.
 * @returns {object} `element`; `rule`, as the server takes it; `reset()` for a new picture; `draw(what,
 *   picture)` with `whole` or `fitted`; `show(answer, name)` what the server said of it.
 */
export function createCrop(run, changed) {
  const ratio = run.width / run.height;
  const whole = pictureCanvas("Your picture");
  const box = h("div", { class: "box", hidden: true });
  const sheet = h("div", { class: "cropped" }, whole, box);
  const fitted = pictureCanvas("What the generator is asked for");
  const words = h("p", { class: "hint", role: "status" });
  const notes = h("p", { class: "hint" });
  const inputs = NUMBERS.map((name) =>
    h("input", {
      type: "number",
      class: "short",
      min: 0,
      step: 1,
      "aria-label": `${name} in pixels`,
      onchange: () => (clamp(), changed()),
    }),
  );
  const numbers = h(
    "div",
    { class: "row", hidden: true },
    ...NUMBERS.map((name, i) => h("label", { class: "field" }, h("span", {}, name), inputs[i])),
  );
  const modes = radios("How it is cut", RULES, RULES[0][0], (value) => (setRule(value), changed()));
  let rule = modes.value;
  let size = null; // of the whole picture, in its own pixels

  function setRule(value) {
    rule = value;
    modes.value = value;
    numbers.hidden = rule !== "part";
    sheet.classList.toggle("drawable", rule === "part");
  }

  const values = () => inputs.map((input) => Math.round(Number(input.value) || 0));

  function set(numbersOfBox) {
    numbersOfBox.forEach((value, i) => (inputs[i].value = Math.round(value)));
    clamp();
  }

  /** Keep the part inside the picture. */
  function clamp() {
    if (!size) return;
    const [left, top, width, height] = values();
    const x = Math.min(Math.max(0, left), size[0] - 1);
    const y = Math.min(Math.max(0, top), size[1] - 1);
    [x, y, Math.min(Math.max(1, width), size[0] - x), Math.min(Math.max(1, height), size[1] - y)].forEach(
      (value, i) => (inputs[i].value = value),
    );
  }

  function frame([left, top, width, height]) {
    box.hidden = false;
    box.style.setProperty("--left", left / size[0]);
    box.style.setProperty("--top", top / size[1]);
    box.style.setProperty("--width", width / size[0]);
    box.style.setProperty("--height", height / size[1]);
  }

  /** Draw a part of the generator's proportions with the pointer. */
  function drag(event) {
    if (rule !== "part" || !size || event.button) return;
    event.preventDefault();
    const place = sheet.getBoundingClientRect();
    const at = ({ clientX, clientY }) => [
      ((clientX - place.left) / place.width) * size[0],
      ((clientY - place.top) / place.height) * size[1],
    ];
    const [x, y] = at(event);
    sheet.setPointerCapture(event.pointerId);
    const move = (other) => {
      const [right, bottom] = at(other);
      const room = { x: right < x ? x : size[0] - x, y: bottom < y ? y : size[1] - y };
      const width = Math.max(
        1,
        Math.min(Math.max(Math.abs(right - x), Math.abs(bottom - y) * ratio), room.x, room.y * ratio),
      );
      const height = Math.max(1, width / ratio);
      set([right < x ? x - width : x, bottom < y ? y - height : y, width, height]);
      frame(values());
    };
    const end = () => {
      sheet.removeEventListener("pointermove", move);
      changed();
    };
    sheet.addEventListener("pointermove", move);
    for (const kind of ["pointerup", "pointercancel"]) sheet.addEventListener(kind, end, { once: true });
  }
  sheet.addEventListener("pointerdown", drag);

  const element = h(
    "div",
    { class: "cropping", hidden: true },
    sheet,
    modes.element,
    numbers,
    h(
      "div",
      { class: "fitted" },
      fitted,
      h("div", {}, h("p", {}, "What the generator is asked for"), words, notes),
    ),
  );
  return {
    element,
    get rule() {
      return rule === "part" ? values().join(",") : rule;
    },
    reset() {
      size = null;
      element.hidden = true;
      setRule(RULES[0][0]);
    },
    draw(what, picture) {
      drawOn(what === "whole" ? whole : fitted, picture);
    },
    show(answer, name) {
      size = [answer.width, answer.height];
      if (rule !== "part") set(answer.box);
      element.hidden = false;
      whole.setAttribute("aria-label", `${name}, ${answer.width} by ${answer.height} pixels`);
      frame(answer.box);
      words.textContent = answer.words;
      notes.textContent = answer.notes.join(" · ");
    },
  };
}
