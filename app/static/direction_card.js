/** A card of the view Directions: what a direction does to a picture, what is known of it, and its name. */

import { drawOn, pictureCanvas } from "./canvas.js";
import { sentence } from "./run.js";
import { field, h, signed } from "./widgets.js";

function effectInWords({ effect, low, high, target_words: target, found }, distance, unit) {
  if (effect === null) return "Re-scoring did not measure it.";
  const interval = low === null || high === null ? "" : ` (95 %: ${signed(low)} to ${signed(high)})`;
  const what = found ? ` of ${target}` : "";
  return `${signed(effect)} sd${what}${interval} at ${signed(distance, 1)} ${unit}`.trim();
}

/**
 * Make the card of a direction.
 *
 * @param {object} run what `readRun` returns.
 * @param {object} row what the server knows of the direction.
 * @param {object} facts the server's answer to `directions`.
 * @param {object} given
 * @param {(words: string) => void} given.onName told the name that was given to it; "" takes it away.
 * @param {() => void} given.onUse called when it is to be used in Explore.
 * @returns {object} `element`; `drawn`, whether its pictures are those of the present one, which is set from
 *   outside; `draw(column, picture)`; `name(words)` shows a name; `words`, what it is called; `text`, in
 *   which the filter looks.
 */
export function createCard(run, row, facts, { onName, onUse }) {
  const title = h("h3", {});
  const own = h("small", {}, row.along);
  const pictures = facts.amounts.map((by) => pictureCanvas(`moved by ${signed(by, 1)}`));
  const strip = h(
    "div",
    { class: "strip-of-pictures" },
    ...pictures.map((canvas, i) => h("figure", {}, canvas, h("figcaption", {}, signed(facts.amounts[i], 1)))),
  );
  const input = h("input", {
    type: "text",
    maxlength: 80,
    placeholder: "your name for it",
    autocomplete: "off",
  });
  const naming = h(
    "form",
    { class: "row", onsubmit: (event) => (event.preventDefault(), onName(input.value.trim())) },
    field("Name", input),
    h("button", { type: "submit" }, "Keep"),
  );
  const moves = row.moves.map((move) => `${move.words} ${signed(move.value)}`);
  const meaning = row.moves
    .slice(0, 3)
    .map((move) => `${move.value > 0 ? "+" : "\u2212"}${move.words}`)
    .join(", ");
  const plain = row.found ? meaning || "unnamed: it moves nothing beyond chance" : row.words;
  const known = [
    ["Effect", effectInWords(row, facts.measured_at, run.short_unit)],
    [
      row.found ? "Moves" : "Also moves",
      moves.length
        ? `${moves.join(", ")}${row.more ? ` and ${row.more} more` : ""} (sd)`
        : "nothing else beyond chance",
    ],
    ["Layers", row.layers || "all"],
    ...(row.correlation === null
      ? []
      : [["Judged by", `${row.target_words}, correlation ${row.correlation.toFixed(2)}`]]),
    ...row.facts.map(([name, value]) => [sentence(name), value]),
  ];
  const details = h(
    "details",
    {},
    h("summary", {}, "What is known"),
    h("dl", {}, ...known.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
  );
  const card = {
    element: h(
      "li",
      { class: "direction" },
      h(
        "div",
        { class: "line" },
        title,
        h("small", { class: "badge" }, row.verified ? "verified" : "not verified"),
      ),
      h("p", { class: "hint" }, known[0][1]),
      strip,
      h("div", { class: "row" }, naming, h("button", { type: "button", onclick: onUse }, "Use in Explore")),
      details,
    ),
    drawn: false,
    words: sentence(plain),
    text: "",
    draw(column, picture) {
      drawOn(pictures[column], picture);
    },
    name(words) {
      card.words = sentence(words || plain);
      title.replaceChildren(card.words, " ", own);
      if (document.activeElement !== input) input.value = words;
      card.text = [words, plain, row.along, row.target_words, row.level, row.layers, moves.join(" ")]
        .join(" ")
        .toLowerCase();
    },
  };
  card.element.dataset.along = row.along;
  card.name("");
  return card;
}
