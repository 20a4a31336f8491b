/**
 * The large picture: a canvas that frames are drawn on, the picture before the edit, and what is going on.
 */

import { drawOn, pictureCanvas } from "./canvas.js";
import { decode } from "./link.js";
import { h, icon } from "./widgets.js";

const SLOW = 350; // ms after which the page says that it waits

/**
 * Make a stage.
 *
 * @param {object} [given]
 * @param {() => Promise<{blob: Blob}>} [given.before] fetches the picture before the edit; without it there
 *   is no button that shows it.
 * @returns {object} `element`; `tools`, a place for more controls below the picture; `draw(picture)` shows
 *   one; `hold(held)` shows the picture before the edit while held; `wait(waiting)` says that a picture is
 *   awaited; `caption(text)`; `label(text)` for who cannot see it; `fault(sentence)` says why there is none.
 */
export function createStage({ before } = {}) {
  const canvas = pictureCanvas("The picture");
  const canvasBefore = pictureCanvas("The picture before the edit", { hidden: true });
  const chip = h("p", { class: "chip", hidden: true }, "Before");
  const waiting = h(
    "p",
    { class: "chip waiting", hidden: true },
    h("span", { class: "spinner", "aria-hidden": "true" }),
    "Drawing",
  );
  const fault = h("p", { class: "fault", role: "alert", hidden: true });
  const frame = h("div", { class: "frame" }, canvas, canvasBefore, chip, waiting, fault);
  const caption = h("p", { class: "caption" });
  const button =
    before &&
    h(
      "button",
      { type: "button", "aria-pressed": "false", title: "Show the picture before the edit (hold B)" },
      icon("eye"),
      "Before",
    );
  const tools = h("div", { class: "tools" }, button ?? null);
  const element = h(
    "div",
    { class: "stage" },
    h("div", { class: "room" }, frame),
    h("div", { class: "below" }, caption, tools),
  );
  let slow = 0;
  let shown = false; // whether the picture before is wanted: it may take a moment to come

  function put(target, picture) {
    frame.style.setProperty("--ratio", picture.width / picture.height);
    drawOn(target, picture);
    picture.close?.();
  }

  async function hold(held) {
    if (!before || held === shown) return;
    shown = held;
    button.setAttribute("aria-pressed", String(held));
    if (held) {
      try {
        const { blob } = await before();
        put(canvasBefore, await decode(blob));
      } catch {
        shown = false; // what went wrong is shown where the edited picture would be, or as the connection
        button.setAttribute("aria-pressed", "false");
      }
    }
    canvasBefore.hidden = chip.hidden = !shown;
  }

  button?.addEventListener("click", () => hold(!shown));

  return {
    element,
    tools,
    hold,
    async draw({ blob }) {
      put(canvas, await decode(blob));
      fault.hidden = true;
    },
    wait(on) {
      clearTimeout(slow);
      element.setAttribute("aria-busy", String(on));
      if (on) slow = setTimeout(() => (waiting.hidden = false), SLOW);
      else waiting.hidden = true;
    },
    caption(text) {
      caption.textContent = text;
    },
    label(text) {
      canvas.setAttribute("aria-label", text);
    },
    fault(sentence) {
      fault.textContent = sentence;
      fault.hidden = false;
    },
  };
}
