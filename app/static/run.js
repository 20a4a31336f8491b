/** What the page knows of the opened run: read once from the server's answer to `hello`. */

const STEPS = 120; // of a slider, from its low end to its high one

/**
 * Read the answer to `hello`.
 *
 * @param {object} hello the answer.
 * @returns {object} the facts of the run, with `concepts`, `sliders`, `verified` (the sliders that re-scoring
 *   confirmed), `views` (why a view is missing, by its name), `short_unit`, `id` (differs from run to run)
 *   and lookups: `sliderOf(along)` and `conceptOf(name)` by name, `slidersOf(column)` those of a concept;
 *   `rangeOf(row)` how far a row goes and why, and `found(range)`, which notes what a search found.
 */
export function readRun(hello) {
  const concepts = hello.concepts.map((concept, column) => ({ ...concept, column }));
  const byName = new Map(concepts.map((concept) => [concept.name, concept]));
  const list = hello.sliders.map((slider) => ({
    ...slider,
    words: sentence(slider.words),
    ...ends(slider),
    column: byName.get(slider.concept)?.column,
  }));
  const sliders = new Map(list.map((slider) => [slider.along, slider]));
  const found = new Map((hello.found ?? []).map((one) => [keyOf(one), one]));

  /** Return the range of a row: what a search found, what a strip of the run shows, or that of the config. */
  function rangeOf(row) {
    const searched = found.get(keyOf(row));
    const stored = row.keep.length ? undefined : sliders.get(row.along)?.ranges[row.layers || "all"];
    const known = searched && searched.low !== null ? searched : (stored ?? hello.range);
    return { ...known, ...ends(known), searched };
  }

  return {
    ...hello.run,
    id: JSON.stringify([hello.run, list.map(({ along, layers }) => [along, layers])]),
    views: hello.views ?? {},
    limits: hello.limits ?? {},
    short_unit: hello.run.unit.startsWith("standard deviation") ? "sd" : "",
    concepts,
    sliders: list,
    verified: list.filter((slider) => slider.verified),
    sliderOf: (along) => sliders.get(along),
    rangeOf,
    found: (range) => found.set(keyOf(range), range),
    conceptOf: (name) => byName.get(name),
    slidersOf: (column) => list.filter((slider) => slider.column === column),
  };
}

/** Return by what a range is known: it is of a direction at these layers that leaves these concepts alone. */
function keyOf({ along, layers, keep }) {
  return JSON.stringify([along, layers || null, keep]);
}

/**
 * Return the ends of a slider and its step. 0 must be one of its positions, so both ends are whole steps
 * away.
 */
function ends({ low, high }) {
  const step = nice((high - low) / STEPS);
  const whole = (value, round) =>
    Number((round(Number((value / step).toPrecision(9))) * step).toPrecision(9));
  return { low: whole(low, Math.floor), high: whole(high, Math.ceil), step };
}

/** Return the row of a slider as it is before anything is moved: at the layers where re-scoring found most. */
export function rowOf({ along, layers }) {
  return { along, by: 0, layers, keep: [] };
}

/** Return words with a capital letter in front. */
export function sentence(words) {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Return 1, 2 or 5 times a power of ten, near a number. */
function nice(number) {
  const power = 10 ** Math.floor(Math.log10(number));
  return Number(([1, 2, 5].findLast((one) => one * power <= number * 1.0001) * power).toPrecision(1));
}

/**
 * Say which picture a reference names.
 *
 * @param {{seed?: number, sample?: number, kept?: string}} ref
 * @param {{kept: string, name: string}[]} [kept] pictures that were made in this tab.
 */
export function pictureInWords(ref, kept = []) {
  if (ref.seed !== undefined) return `Seed ${ref.seed}`;
  if (ref.sample !== undefined) return `Sample ${ref.sample}`;
  return kept.find((one) => one.kept === ref.kept)?.name ?? `Picture ${ref.kept}`;
}

/** Return whether two references name the same picture. */
export function samePicture(one, other) {
  return one.seed === other.seed && one.sample === other.sample && one.kept === other.kept;
}
