/** How a picture is inverted: the steps, which most people leave alone. */

import { field, h, select } from "./widgets.js";

/**
 * Make the choice of the steps.
 *
 * @param {object} app what main.js gives each view.
 * @returns {{element: HTMLElement, ready: () => Promise<void>, value: () => object}} `ready()` asks the
 *   server once which steps there are; `value()` is the choice, as the server takes it.
 */
export function createWay({ link, report }) {
  const body = h("div", { class: "numbers" });
  let known = null;
  const chosen = {};

  function fill({ embed, refine, default: usual, classes }) {
    const usable = (list) => list.filter((step) => !step.why_not);
    chosen.embed = select(usable(embed).map(({ name, words }) => [name, `${name}: ${words}`]));
    chosen.embed.value = usual.embed;
    chosen.refine = usable(refine).map(({ name, words }) => {
      const input = h("input", { type: "checkbox", value: name });
      input.checked = usual.refine.includes(name);
      return { input, element: h("label", { class: "check" }, input, `${name}: ${words}`) };
    });
    chosen.steps = h("input", { type: "number", class: "short", min: 1, max: 2000, value: usual.steps });
    chosen.number =
      classes > 1 ? h("input", { type: "number", class: "short", min: 0, max: classes - 1 }) : null;
    const missing = [...embed, ...refine].filter((step) => step.why_not);
    body.replaceChildren(
      field("Begin with", chosen.embed),
      h(
        "fieldset",
        {},
        h("legend", {}, "Then refine, in this order"),
        ...chosen.refine.map(({ element }) => element),
      ),
      field("Steps of each search", chosen.steps),
      ...(chosen.number ? [field("Class (empty: not known)", chosen.number)] : []),
      ...missing.map((step) => h("p", { class: "hint" }, `Not here: ${step.name}. ${step.why_not}`)),
    );
  }

  return {
    element: h("details", { class: "way" }, h("summary", {}, "How it is found"), body),
    async ready() {
      if (known) return;
      try {
        known = await link.ask("ways");
        fill(known);
      } catch (error) {
        report(error);
      }
    },
    value() {
      if (!known) return {};
      const number = chosen.number?.value ?? "";
      return {
        embed: chosen.embed.value,
        refine: chosen.refine.filter(({ input }) => input.checked).map(({ input }) => input.value),
        steps: Math.min(2000, Math.max(1, Math.round(Number(chosen.steps.value)) || known.default.steps)),
        number: number === "" ? null : Number(number),
      };
    },
  };
}
