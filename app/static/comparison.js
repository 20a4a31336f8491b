/** One picture moved along a concept by two learners, or along two directions of the run, side by side. */

import { drawOn, pictureCanvas } from "./canvas.js";
import { Dropped, Refused, decode } from "./link.js";
import { sentence } from "./run.js";
import { field, h, newId, radios, select, signed } from "./widgets.js";

const SIZE = 192; // px of a picture

/**
 * Make the comparison.
 *
 * @param {object} app what main.js gives each view.
 * @param {object} facts the server's answer to `directions`.
 * @param {() => object} picture returns the picture that is moved.
 * @param {(along: string) => string} wordsOf returns what a direction is called now.
 * @returns {{element: HTMLElement, stale: () => void, rename: () => void}} `stale` says that another picture
 *   was chosen.
 */
export function createComparison(app, facts, picture, wordsOf) {
  const { link, report, run } = app;
  const ofLearners = facts.learners.length >= 2;
  const concepts = ofLearners ? facts.board_concepts : run.concepts.map(({ name, words }) => [name, words]);
  const sides = () =>
    ofLearners
      ? facts.learners.map(({ label, supervised }) => [label, supervised ? label : `${label} (no labels)`])
      : facts.rows.map(({ along }) => [along, wordsOf(along)]);
  const chosen = [select(sides()), select(sides())];
  chosen[1].selectedIndex = Math.min(1, chosen[1].options.length - 1);
  const concept = select(concepts);
  if (!ofLearners && facts.rows.length) concept.value = facts.rows[0].target;
  const amount = h("input", {
    type: "number",
    class: "short",
    min: 0.1,
    max: 50,
    step: 0.1,
    value: ofLearners ? 2 : facts.measured_at,
  });
  const unit = h("span", { class: "hint" });
  const modes = radios(
    "What is the same on both sides",
    [
      ["step", "Same step"],
      ["effect", "Same effect"],
    ],
    "step",
    () => {
      amount.value = modes.value === "effect" ? 0.5 : ofLearners ? 2 : facts.measured_at;
      say();
    },
  );
  const fault = h("p", { class: "wrong", role: "alert" });
  const rows = h("div", { class: "compared" });
  let round = 0;
  chosen[0].addEventListener("change", () => {
    const row = facts.rows.find(({ along }) => along === chosen[0].value);
    if (row && !ofLearners) concept.value = row.target;
  });

  function say() {
    unit.textContent = modes.value === "effect" ? "sd of the concept, on average" : run.short_unit;
  }

  async function compare() {
    const mine = ++round;
    fault.textContent = "";
    const strips = chosen.map((one) => createStrip(one.selectedOptions[0]?.textContent ?? ""));
    const drawings = [];
    try {
      const answer = await link.ask(
        "compare",
        {
          picture: picture(),
          concept: concept.value,
          sides: chosen.map((one) => one.value),
          of: ofLearners ? "learners" : "boundaries",
          at: modes.value,
          amount: Number(amount.value),
          size: SIZE,
        },
        {
          onPicture: ({ header, blob }) =>
            drawings.push(
              decode(blob).then((picture) => strips[header.ref].draw(header.column, picture, header.by)),
            ),
        },
      );
      await Promise.all(drawings);
      if (mine !== round) return;
      strips.forEach((strip, i) => strip.say(answer.sides[i], answer.concept));
      rows.replaceChildren(
        ...strips.map(({ element }) => element),
        ...answer.notes.map((note) => h("p", { class: "hint" }, note)),
      );
    } catch (error) {
      if (mine !== round || error instanceof Dropped) return;
      rows.replaceChildren();
      if (error instanceof Refused) fault.textContent = sentence(error.message);
      else report(error);
    }
  }

  say();
  const id = newId("compare");
  const title = ofLearners ? "Compare two learners" : "Compare two directions";
  return {
    element: h(
      "section",
      { class: "comparison", "aria-labelledby": id },
      h("h2", { id }, title),
      ofLearners
        ? null
        : h(
            "p",
            { class: "hint" },
            "With --leaderboard FOLDER, learners of a leaderboard are compared here.",
          ),
      h(
        "form",
        { class: "row", onsubmit: (event) => (event.preventDefault(), compare()) },
        field("One", chosen[0]),
        field("Other", chosen[1]),
        field("Concept", concept),
        modes.element,
        field("of", amount),
        unit,
        h("button", { type: "submit", class: "primary" }, "Compare"),
      ),
      fault,
      rows,
    ),
    stale() {
      if (rows.childElementCount) compare();
    },
    rename() {
      if (ofLearners) return;
      for (const one of chosen) for (const option of one.options) option.textContent = wordsOf(option.value);
    },
  };
}

function createStrip(words) {
  const row = h("div", { class: "strip-of-pictures" });
  const effects = h("div", { class: "effects-beside" });
  const captions = [];
  const figures = [];
  return {
    element: h("div", { class: "side" }, h("h3", {}, words), row, effects),
    draw(column, picture, by) {
      const canvas = drawOn(pictureCanvas(`${words}, moved by ${signed(by)}`), picture);
      captions[column] = h("figcaption", {}, signed(by));
      figures[column] = h("figure", {}, canvas, captions[column]);
      row.replaceChildren(...figures.filter(Boolean)); // pictures may be decoded in another order
    },
    say(side, concept) {
      const interval = side.low === null ? "" : ` (95 %: ${signed(side.low)} to ${signed(side.high)})`;
      const mean =
        side.effect === null
          ? "its mean effect was not measured at this step"
          : `on average ${signed(side.effect)} sd of ${concept}${interval}`;
      const here = side.here?.at(-1) ?? null;
      const list = side.beside.map((one) => `${one.words} ${signed(one.value)}`).join(", ");
      const beside = list || "nothing by 0.1 sd or more";
      effects.replaceChildren(
        h("p", {}, `Step ${signed(side.step)} ${side.unit}, ${side.layers}: ${mean}.`),
        here === null
          ? ""
          : h("p", {}, `In this picture ${signed(here)} sd of ${concept}; besides: ${beside}.`),
      );
      side.here?.forEach(
        (value, i) => value !== null && captions[i]?.append(h("small", {}, ` ${signed(value)} sd`)),
      );
    },
  };
}
