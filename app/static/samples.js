/**
 * The pictures to choose from: fresh seeds page by page, the run's samples by score, and what was made here.
 */

import { pictureInWords, samePicture } from "./run.js";
import { field, h, iconButton, newId, radios, roving, select, toast } from "./widgets.js";

const PER_PAGE = 24;
const SIZE = 128; // px of a small picture, twice as many as it is wide on the page
const KEY = "ganstrata.samples";

/**
 * Make the chooser of pictures.
 *
 * @param {object} app what main.js gives each view.
 * @param {(ref: object) => void} chosen called with the picture that is chosen.
 * @returns {{
 *   element: HTMLElement, show: (ref: object) => void, refresh: () => void, turn: (by: number) => void
 * }} `show` marks the present picture, `refresh` fetches the page again, `turn` goes to another page.
 */
export function createSamples(app, chosen) {
  const { link, run, report } = app;
  const saved = restore();
  let refs = [];
  let notes = []; // what is known of each beside its name
  let present = {};
  let round = 0; // counts fetches: answers to an older one are not shown
  const grid = h("div", { class: "grid", role: "group", "aria-label": "Pictures to choose from" });
  const tidy = roving(grid, "button");
  const status = h("p", { class: "hint", role: "status" });

  const seed = h("input", {
    type: "number",
    min: 0,
    max: 999999999,
    step: 1,
    value: saved.seed,
    class: "short",
  });
  const order = select(
    [
      ["most", "most"],
      ["least", "least"],
    ],
    { "aria-label": "Most or least" },
  );
  const concept = select(byLevel(run.concepts), { "aria-label": "Concept" });
  const among = h("input", {
    type: "number",
    min: 1,
    max: run.samples,
    step: 1,
    value: Math.min(5000, run.samples),
    class: "short",
  });
  const forms = {
    seeds: h(
      "form",
      { class: "row", onsubmit: (event) => (event.preventDefault(), fetchPage()) },
      iconButton("previous", "Previous pictures (P)", () => turn(-1)),
      field("From seed", seed),
      iconButton("next", "Next pictures (N)", () => turn(1)),
    ),
    search: h(
      "form",
      { class: "row", onsubmit: (event) => (event.preventDefault(), fetchPage()) },
      order,
      concept,
      field("among", among),
      h("button", { type: "submit" }, "Find"),
    ),
    kept: h("div", { class: "row" }),
  };
  const modes = radios(
    "Which pictures",
    [
      ["seeds", "Fresh"],
      ["search", "Search"],
      ["kept", "Made here"],
    ],
    saved.mode,
    setMode,
  );

  let mode = "";
  function setMode(value) {
    mode = value;
    for (const [name, form] of Object.entries(forms)) form.hidden = name !== value;
    fetchPage();
  }

  function turn(by) {
    if (mode !== "seeds") return;
    seed.value = Math.max(0, Number(seed.value) + by * PER_PAGE);
    fetchPage();
  }

  async function choose() {
    if (mode === "seeds") {
      const first = Math.max(0, Math.floor(Number(seed.value) || 0));
      seed.value = first;
      return Array.from({ length: PER_PAGE }, (_, place) => [{ seed: first + place }, ""]);
    }
    if (mode === "kept") return app.kept().map(({ kept }) => [{ kept }, ""]);
    const { samples } = await link.ask("search", {
      concept: concept.value,
      order: order.value,
      among: Math.max(1, Number(among.value) || run.samples),
      count: PER_PAGE,
    });
    return samples.map(({ index, score }) => [{ sample: index }, `score ${score.toPrecision(3)}`]);
  }

  async function fetchPage() {
    const mine = ++round;
    save();
    status.textContent = "";
    try {
      const page = await choose();
      if (mine !== round) return;
      refs = page.map(([ref]) => ref);
      notes = page.map(([, note]) => note);
      build();
      if (refs.length === 0) {
        status.textContent =
          mode === "kept"
            ? "What you paint or invert in this tab appears here."
            : "No sample has a score of this concept.";
        return;
      }
      await link.ask(
        "grid",
        { refs, size: SIZE },
        { onPicture: (picture) => mine === round && fill(picture) },
      );
    } catch (error) {
      if (mine === round) report(error);
    }
  }

  function build() {
    for (const image of grid.querySelectorAll("img")) URL.revokeObjectURL(image.src);
    grid.replaceChildren(
      ...refs.map((ref, place) => {
        const words = pictureInWords(ref, app.kept());
        const button = h("button", {
          type: "button",
          "aria-pressed": "false",
          title: [words, notes[place]].filter(Boolean).join(", "),
        });
        button.append(h("span", { class: "blank" }, words));
        button.addEventListener("click", () => chosen(ref));
        return button;
      }),
    );
    mark();
  }

  function fill({ header, blob }) {
    const button = grid.children[header.ref];
    if (!button) return;
    const image = h("img", { alt: button.title, width: header.width, height: header.height });
    image.src = URL.createObjectURL(blob);
    button.replaceChildren(image);
  }

  function mark() {
    [...grid.children].forEach((button, place) =>
      button.setAttribute("aria-pressed", String(samePicture(refs[place], present))),
    );
    tidy();
  }

  function save() {
    try {
      sessionStorage.setItem(KEY, JSON.stringify({ mode, seed: Number(seed.value) }));
    } catch {
      // Without storage the first page comes again after a reload.
    }
  }

  // A number that is typed is meant at once; the arrows of the field are pressed several times in a row.
  let typing = 0;
  seed.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(fetchPage, 350);
  });
  const id = newId("samples");
  return {
    element: h(
      "section",
      { class: "panel-samples", "aria-labelledby": id },
      h("h2", { id, class: "unseen" }, "Pictures"),
      h("div", { class: "choosing" }, modes.element, ...Object.values(forms)),
      status,
      grid,
    ),
    show(ref) {
      present = ref;
      mark();
    },
    refresh: () => (mode ? fetchPage() : setMode(saved.mode)),
    turn,
    /** Go on to the picture beside the present one. */
    step(by) {
      const place = refs.findIndex((ref) => samePicture(ref, present));
      const next = place < 0 ? 0 : place + by;
      if (!refs[next]) return void toast("There is no further picture on this page; N and P turn it.");
      chosen(refs[next]);
      const { offsetTop, offsetLeft, offsetHeight, offsetWidth } = grid.children[next];
      grid.scrollTo({
        top: offsetTop - (grid.clientHeight - offsetHeight) / 2,
        left: offsetLeft - (grid.clientWidth - offsetWidth) / 2,
      });
    },
  };
}

function restore() {
  try {
    const saved = JSON.parse(sessionStorage.getItem(KEY) ?? "{}");
    return {
      mode:
        ["seeds", "search", "kept"].includes(saved.mode) && saved.mode !== "search" ? saved.mode : "seeds",
      seed: saved.seed ?? 0,
    };
  } catch {
    return { mode: "seeds", seed: 0 };
  }
}

/** Return the concepts in groups of their levels, as options of a select. */
export function byLevel(concepts) {
  const groups = new Map();
  for (const { name, words, level } of concepts)
    groups.set(level, [...(groups.get(level) ?? []), [name, words]]);
  return groups;
}
