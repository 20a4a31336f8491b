/** What a person painted in the view Annotate: classes, pictures and masks. A reload of the page keeps it. */

import { UNPAINTED, encode, pack, unpack } from "./masks.js";
import { toast } from "./widgets.js";

const STORED = "ganstrata.annotations";
const FIRST = 6; // pictures to begin with
const MOST = 32; // pictures
const FAR = 1e6; // samples from here on were suggested, and are not followed by fresh ones
const BEGIN = [
  { name: "first class", colour: "#d1495b" },
  { name: "second class", colour: "#2e86ab" },
];

/**
 * Open what was painted in this tab, or begin.
 *
 * @param {string} run id of the run, of whose pictures it is.
 * @returns {object} `classes`, `samples` (the pictures), `chosen` (the one on the canvas), `by` (what
 *   segments), `doubts` (of the suggested ones); `size` of the pictures, to be set before masks are read;
 *   `set(fields)` changes some of these; `add(samples)`; `fresh()`, the next sample that nobody saw;
 *   `maskOf(sample)`, null where nothing is painted; `isPainted(sample)`; `painted`, the samples;
 *   `keep(sample, mask)`, null to take one away; `setClasses(classes, moved)`; `forServer()`, the fields of a
 *   request.
 */
export function createAnnotations(run) {
  let data = load(run);
  let size = null;

  function set(fields) {
    data = { ...data, ...fields };
    try {
      sessionStorage.setItem(STORED, JSON.stringify(data));
    } catch {
      toast(
        "The storage of this page is full, so that a reload would lose the masks. Take them home.",
        "error",
      );
    }
  }

  const painted = () => data.samples.filter((sample) => data.masks[sample]);
  const maskOf = (sample) =>
    data.masks[sample] && size ? unpack(data.masks[sample], size.width * size.height) : null;

  return {
    get classes() {
      return data.classes;
    },
    get samples() {
      return data.samples;
    },
    get chosen() {
      return data.chosen;
    },
    get by() {
      return data.by ?? "";
    },
    get doubts() {
      return data.doubts ?? {};
    },
    get painted() {
      return painted();
    },
    get size() {
      return size;
    },
    set size(one) {
      size = one;
    },
    set,
    maskOf,
    isPainted: (sample) => sample in data.masks,
    fresh: () => Math.max(-1, ...data.samples.filter((sample) => sample < FAR)) + 1,
    add(samples) {
      const others = samples.filter((one) => !data.samples.includes(one));
      set({ samples: [...data.samples, ...others].slice(0, MOST) });
    },
    keep(sample, mask) {
      const { [sample]: _, ...masks } = data.masks;
      set({ masks: mask ? { ...masks, [sample]: pack(mask) } : masks });
    },
    /** Take other classes over; `moved[i]` is the new number of class i, or UNPAINTED. */
    setClasses(classes, moved) {
      const masks = {};
      for (const sample of Object.keys(data.masks)) {
        const mask = maskOf(sample)?.map((value) => (value === UNPAINTED ? value : moved[value]));
        if (mask?.some((value) => value !== UNPAINTED)) masks[sample] = pack(mask);
      }
      set({ classes, masks });
    },
    async forServer() {
      const masks = painted().map(async (sample) => ({ sample, mask: await encode(maskOf(sample), size) }));
      return { classes: data.classes, masks: await Promise.all(masks) };
    },
  };
}

function load(run) {
  const samples = Array.from({ length: FIRST }, (_, place) => place);
  const start = { run, classes: BEGIN, samples, masks: {}, chosen: 0 };
  try {
    const found = JSON.parse(sessionStorage.getItem(STORED) ?? "null");
    return found?.run === run && found.classes.length >= 2 ? found : start;
  } catch {
    return start;
  }
}
