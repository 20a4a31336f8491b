/** The pictures that were made in this tab, as a row of buttons: a click chooses one, Delete removes it. */

import { drawOn } from "./canvas.js";
import { decode } from "./link.js";
import { samePicture } from "./run.js";
import { h, roving, toast } from "./widgets.js";

const SIZE = 128; // px

/**
 * Make the row.
 *
 * @param {object} app what main.js gives each view.
 * @param {(ref: object) => void} onChoose told which picture was chosen.
 * @returns {{element: HTMLElement, show: (chosen: object) => Promise<void>}} `show(ref)` draws what there is.
 */
export function createMade({ link, kept, forget, report }, onChoose) {
  const row = h("div", { class: "grid made", role: "group", "aria-label": "Pictures made here" });
  const settle = roving(row, "button");
  const drawn = new Map(); // id -> canvas

  async function show(chosen) {
    const all = kept();
    row.replaceChildren(
      ...all.map((one) => {
        const ref = { kept: one.kept };
        const words = one.words ? `${one.name}: ${one.words}` : one.name;
        if (!drawn.has(one.kept))
          drawn.set(one.kept, h("canvas", { width: SIZE, height: SIZE, "aria-hidden": "true" }));
        return h(
          "button",
          {
            type: "button",
            "aria-label": words,
            title: `${words} (Delete removes it)`,
            "aria-keyshortcuts": "Delete",
            onkeydown: ({ key }) => key === "Delete" && remove(one, chosen),
            "aria-pressed": String(samePicture(ref, chosen)),
            onclick: () => onChoose(ref),
          },
          drawn.get(one.kept),
        );
      }),
    );
    settle();
    const missing = all.filter((one) => !drawn.get(one.kept).dataset.drawn);
    if (!missing.length) return;
    try {
      await link.ask(
        "grid",
        { refs: missing.map((one) => ({ kept: one.kept })), size: SIZE },
        {
          onPicture: async ({ header, blob }) => {
            const picture = await decode(blob);
            const canvas = drawn.get(missing[header.ref].kept);
            if (!canvas) return; // removed meanwhile
            drawOn(canvas, picture);
            canvas.dataset.drawn = "true";
          },
        },
      );
    } catch (error) {
      report(error);
    }
  }

  /** Remove a picture; the one that is edited stays, for an edit must have one. */
  function remove(one, chosen) {
    if (samePicture({ kept: one.kept }, chosen))
      return toast("This picture is being edited; choose another one first.");
    if (!confirm(`Remove ${one.name}? It cannot be brought back.`)) return;
    const place = kept().indexOf(one);
    drawn.delete(one.kept);
    forget(one.kept);
    show(chosen);
    (row.children[place] ?? row.lastChild)?.focus();
  }

  return { element: row, show };
}
