/** The list of classes that a person makes: names, colours, one more, one less. */

import { UNPAINTED } from "./masks.js";
import { h, iconButton, toast } from "./widgets.js";

const MOST = 24;
const NEW = ["#e6a117", "#3b7d3c", "#8457a8", "#c2703d", "#2aa198", "#b8336a", "#6c757d", "#92b4a7"];

/**
 * Make the list.
 *
 * @param {{name: string, colour: string}[]} classes those to begin with.
 * @param {(classes: object[], moved: number[]) => void} onChange told what there is now, and which number
 *   each of the classes before has now; UNPAINTED for one that is gone.
 * @returns {{element: HTMLElement}}
 */
export function createClasses(classes, onChange) {
  let now = classes;
  const list = h("ul", { class: "classes" });
  const adding = h("button", { type: "button", class: "quiet", onclick: add }, "Add a class");
  const element = h("details", {}, h("summary", {}, "Names and colours of the classes"), list, adding);

  function change(next, moved = now.map((_, index) => index)) {
    now = next;
    onChange(now, moved);
    show();
  }

  function add() {
    const colour =
      NEW.find((one) => !now.some((old) => old.colour === one)) ??
      `#${(0x202020 + Math.floor(Math.random() * 0xbfbfbf)).toString(16).padStart(6, "0")}`;
    let number = now.length + 1;
    while (now.some(({ name }) => name === `class ${number}`)) number += 1;
    change([...now, { name: `class ${number}`, colour }]);
    list.lastChild.querySelector("input[type=text]").select();
  }

  function rename(index, input) {
    const name = input.value.trim().replace(/\s+/g, " ");
    if (!name || now.some((one, place) => place !== index && one.name === name)) {
      toast(name ? `There is a class ${name} already.` : "A class has a name.", "error");
      input.value = now[index].name;
      return;
    }
    change(now.map((one, place) => (place === index ? { ...one, name } : one)));
  }

  function recolour(index, input) {
    if (
      now.some((one, place) => place !== index && one.colour === input.value) ||
      input.value === "#000000"
    ) {
      toast(
        input.value === "#000000" ? "Black means that nothing is painted." : "Another class has this colour.",
        "error",
      );
      input.value = now[index].colour;
      return;
    }
    change(now.map((one, place) => (place === index ? { ...one, colour: input.value } : one)));
  }

  function remove(index) {
    if (!confirm(`Remove the class ${now[index].name}, and what is painted with it in all pictures?`)) return;
    change(
      now.filter((_, place) => place !== index),
      now.map((_, place) => (place === index ? UNPAINTED : place > index ? place - 1 : place)),
    );
  }

  function show() {
    list.replaceChildren(
      ...now.map(({ name, colour }, index) => {
        const text = h("input", {
          type: "text",
          value: name,
          maxlength: 60,
          "aria-label": `Name of class ${index + 1}`,
          onchange: () => rename(index, text),
        });
        const tint = h("input", {
          type: "color",
          value: colour,
          "aria-label": `Colour of ${name}`,
          onchange: () => recolour(index, tint),
        });
        return h(
          "li",
          {},
          tint,
          text,
          iconButton("close", `Remove ${name}`, () => remove(index), { disabled: now.length <= 2 }),
        );
      }),
    );
    adding.disabled = now.length >= MOST;
  }

  show();
  return { element };
}
