/** How far a slider goes and why, in words, and a search for it on request. */

import { createJob } from "./job.js";
import { h, newId, signed } from "./widgets.js";

/**
 * Make the part of a slider's panel that says how far its score follows, with the button that measures it.
 *
 * @param {object} app what main.js gives each view.
 * @param {object} facts of the slider.
 * @param {string} unit of distances.
 * @param {() => void} onFound called when there is another range.
 * @returns {{element: HTMLElement, show: (row: object) => void}}
 */
export function createRange(app, facts, unit, onFound) {
  const { run } = app;
  const words = h("p", { class: "hint", id: newId("range"), tabindex: -1 });
  const button = h(
    "button",
    { type: "button", "aria-describedby": words.id, onclick: find },
    "Find the range",
  );
  const job = createJob(app, (busy) => (button.disabled = busy));
  let row = null;

  async function find() {
    const { along, layers, keep } = row;
    const label = `Range of ${facts.words}`;
    const answer = await job.run(label, "range", { along, layers: layers || null, keep }, { inWords: done });
    if (answer === null) return;
    run.found(answer);
    onFound();
    if (document.activeElement === document.body) words.focus(); // the button is gone
  }

  return {
    element: h("div", { class: "range" }, words, button, job.element),
    show(now) {
      row = now;
      const range = run.rangeOf(now);
      words.textContent = rangeInWords(range, unit);
      button.hidden = range.searched !== undefined;
    },
  };
}

/**
 * Return the distance at which re-scoring measured what a row moves; null where it moves other layers or
 * keeps some.
 */
export function rescoredTo(facts, { layers, keep }) {
  const here = (layers || null) === facts.layers || layers === facts.set;
  return here && !keep.length && facts.effect !== null ? facts.measured_at : null;
}

function done({ low }) {
  return low === null ? "No range was found." : "The range was found.";
}

/** Say from what a range is known, and what limits it. */
function rangeInWords({ from, searched, follows, below, above, samples }, unit) {
  const span = ([low, high]) => `from ${signed(low)} to ${signed(high)} ${unit}`.trimEnd();
  const limits = (one) => `Below, the limit is: ${one.below}; above: ${one.above}.`;
  const searching = searched ? `A search on ${searched.samples} fresh pictures` : "";
  if (searched && searched.low !== null) {
    const found = span([searched.low, searched.high]);
    return `${searching}: the score follows ${found}. ${limits(searched)}`;
  }
  const none = searched
    ? `${searching} found no range: the score follows to neither side. ${limits(searched)} `
    : "";
  if (from === "strips") {
    const strips = `In the strips of the run (${samples} ${samples === 1 ? "picture" : "pictures"})`;
    return `${none}${strips} the score follows ${span(follows)}. ${limits({ below, above })}`;
  }
  return (
    `${none}How far the score follows is not known for these layers and what is kept: ` +
    "the slider has the range of the run's strips."
  );
}
