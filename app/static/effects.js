/**
 * What an edit changes: a bar for each concept that is scored, so that side effects are seen as they happen.
 */

import { announce, h, newId, place, select, signed } from "./widgets.js";

const NOTABLE = 0.1; // sd; smaller side effects are not called one
const SCALES = [1, 2, 3, 5, 10, 20, 50]; // sd at the end of a bar

/**
 * Make the table of effects.
 *
 * @param {object} run what `readRun` returns.
 * @param {(concept: object) => void} wanted called with a concept whose name was pressed.
 * @returns {{
 *   element: HTMLElement,
 *   wait: () => void,
 *   show: (changes: (number | null)[] | null, moved: Set<number>, settled: boolean) => void,
 * }} `wait` says that what is shown is of an earlier edit; `show` takes the changes of all concepts in sd,
 *   the columns that the edit moves, and whether nothing is being dragged: rows change their places only
 *   then.
 */
export function createEffects(run, wanted) {
  const sorting = select(
    [
      ["size", "by size"],
      ["fixed", "in order"],
    ],
    { "aria-label": "Order of the concepts" },
  );
  const summary = h("p", { class: "summary" });
  const body = h("tbody");
  const scale = h("th", { scope: "col", class: "scale" });
  const table = h(
    "table",
    { class: "effects" },
    h(
      "caption",
      { class: "unseen" },
      "Change of each score since before the edit, in standard deviations of the run's samples",
    ),
    h(
      "thead",
      {},
      h("tr", {}, h("th", { scope: "col" }, "Concept"), scale, h("th", { scope: "col", class: "n" }, "sd")),
    ),
    body,
  );
  const rows = run.concepts.map((concept) => createRow(concept, wanted));
  body.append(...rows.map(({ element }) => element));
  let last = [null, new Set()];
  let said = "";

  function arrange(changes, moved) {
    const size = (column) => (moved.has(column) ? 1e6 : 0) + Math.abs(changes?.[column] ?? 0);
    const order = rows.map((_, column) => column);
    if (sorting.value === "size" && changes) order.sort((a, b) => size(b) - size(a) || a - b);
    place(
      body,
      order.map((column) => rows[column].element),
    );
  }

  function summarise(changes, moved) {
    if (!changes || moved.size === 0) return "Drag a slider: everything that it changes appears here.";
    const others = changes
      .map((change, column) => [column, change ?? 0])
      .filter(([column]) => !moved.has(column));
    const [column, change] = others.reduce(
      (one, other) => (Math.abs(other[1]) > Math.abs(one[1]) ? other : one),
      [0, 0],
    );
    if (Math.abs(change) < NOTABLE) return `No side effect of ${NOTABLE} sd or more.`;
    return `Largest side effect: ${run.concepts[column].words} ${signed(change)} sd.`;
  }

  function show(changes, moved, settled) {
    last = [changes, moved];
    const largest = Math.max(0, ...(changes ?? []).map((change) => Math.abs(change ?? 0)));
    const end = SCALES.find((one) => one >= largest) ?? largest;
    scale.textContent = `±${end} sd`;
    rows.forEach((row, column) => row.show(changes?.[column], end, moved.has(column)));
    table.setAttribute("aria-busy", "false");
    if (!settled) return;
    arrange(changes, moved);
    const words = summarise(changes, moved);
    summary.textContent = words;
    if (words !== said) announce(words);
    said = words;
  }

  sorting.addEventListener("change", () => arrange(...last));
  const id = newId("effects");
  return {
    element: h(
      "section",
      { class: "panel-effects", "aria-labelledby": id },
      h("div", { class: "title" }, h("h2", { id }, "What changes"), sorting),
      summary,
      table,
    ),
    wait: () => table.setAttribute("aria-busy", "true"),
    show,
  };
}

function createRow(concept, wanted) {
  const mark = h("span", { class: "mark" });
  const name = h(
    "button",
    { type: "button", class: "name", title: concept.name, onclick: () => wanted(concept) },
    mark,
    concept.words,
  );
  const bar = h("div", { class: "bar" });
  const number = h("td", { class: "n" });
  return {
    element: h(
      "tr",
      {},
      h("th", { scope: "row" }, name),
      h("td", { class: "track", "aria-hidden": "true" }, bar),
      number,
    ),
    show(change, end, moved) {
      const share = Math.min(1, Math.abs(change ?? 0) / end) / 2;
      bar.style.setProperty("--from", change < 0 ? 0.5 - share : 0.5);
      bar.style.setProperty("--length", share);
      bar.className = change < 0 ? "bar down" : "bar up";
      number.textContent = change === null ? "none" : change === undefined ? "" : signed(change);
      // A mark and a word tell moved concepts apart, besides the weight of their name.
      mark.textContent = moved ? "\u25b8\u00a0" : "";
      name.classList.toggle("moved", moved);
      name.setAttribute(
        "aria-label",
        `${concept.words}${moved ? ", moved by a slider" : ""}: go to its slider`,
      );
    },
  };
}
