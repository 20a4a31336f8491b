/** The view Paint: what the picture shows, by classes; paint others over it, and the picture follows. */

import { BRUSH_KEYS, createBrush } from "./brush.js";
import { plain } from "./brush_tools.js";
import { drawOn, pictureCanvas } from "./canvas.js";
import { createJob } from "./job.js";
import { Lost, decode } from "./link.js";
import { createMade } from "./made.js";
import { labelsOf, pack, unpack } from "./masks.js";
import { pictureInWords } from "./run.js";
import { editOf, withPicture } from "./state.js";
import { createView } from "./view.js";
import { announce, field, h, newId, select, toast } from "./widgets.js";

const STROKES = "ganstrata.strokes";
const READER = "ganstrata.reader";
const MOST_STORED = 24; // pictures whose strokes are kept

const KEYS = [
  ["B (hold)", "Hide what lies over the picture"],
  ["Delete", "On a picture that was made here: remove it"],
  ...BRUSH_KEYS,
];

/** The view, as `registerView` of main.js takes it. */
export const paint = createView({ name: "paint", title: "Paint", keys: KEYS }, build);

function build(app) {
  const { link, state, report } = app;
  const job = createJob(app, showBusy);
  const made = createMade(app, (ref) => take(ref));
  const room = h("div", { class: "room" });
  const caption = h("p", { class: "caption" });
  const hide = h(
    "button",
    { type: "button", "aria-pressed": "false", onclick: () => bare(!hidden) },
    "Picture alone",
  );
  const place = h("div", { class: "tools-of-brush" });
  const why = h("div", { class: "why", hidden: true });
  const number = (value, min, max, step = 1) =>
    h("input", { type: "number", class: "short", value, min, max, step });
  const steps = number(50, 1, 500);
  const emphasis = number(0.3, 0, 10, 0.1);
  const count = number(4, 1, 12);
  const candidates = number(10, 1, 100);
  const readers = select([], { id: newId("by"), onchange: () => choose(readers.value) });
  const hint = h("p", { class: "hint" });
  const go = h("button", { type: "button", class: "primary", onclick: edit }, "Change picture");
  const like = h("button", { type: "button", onclick: sample }, "Sample like this");
  const controls = h(
    "div",
    { class: "making" },
    h("div", { class: "row" }, go, like),
    h(
      "details",
      {},
      h("summary", {}, "Steps and weights"),
      h(
        "div",
        { class: "numbers" },
        field("Steps of the search", steps),
        field("Weight of what is painted", emphasis),
        field("Pictures to sample", count),
        field("Candidates for each", candidates),
      ),
    ),
    job.element,
  );
  const id = newId("paint");
  const element = h(
    "div",
    { class: "paint" },
    h(
      "div",
      { class: "look" },
      h(
        "div",
        { class: "stage" },
        room,
        h("div", { class: "below" }, caption, h("div", { class: "tools" }, hide)),
      ),
      made.element,
    ),
    h(
      "section",
      { class: "panel", "aria-labelledby": id },
      h("div", { class: "title" }, h("h2", { id }, "Paint")),
      h("div", { class: "over" }, h("label", { for: readers.id }, "Segmented by"), readers, hint),
      why,
      controls,
      place,
    ),
  );
  let brush = null;
  let legend = ""; // of the brush, as text
  let by = sessionStorage.getItem(READER) ?? "";
  let known = []; // what can segment
  let hidden = false;
  let shown = ""; // picture whose strokes are on the canvas
  let turn = 0; // of the newest request; older answers are dropped
  let first = 0; // candidate of the next sampling
  let here = false; // whether the view is on the page
  let stop = () => {};

  function showBusy(busy) {
    if (busy) bare(true); // labels of the picture before would lie over the previews
    for (const one of [go, like, readers]) one.disabled = busy || !known.length;
  }

  /* ---- what segments ---- */

  async function refresh() {
    try {
      const answer = await link.ask("segmenters");
      known = answer.readers;
      if (!known.some((one) => one.by === by)) by = known[0]?.by ?? "";
      listReaders();
      why.hidden = !answer.why;
      why.replaceChildren(
        h("p", {}, answer.why),
        h("button", { type: "button", onclick: () => app.go("annotate") }, "Go to Annotate"),
      );
      controls.hidden = !known.length;
      showBusy(job.busy);
      await ready();
    } catch (error) {
      report(error);
    }
    made.show(state.now.picture);
  }

  function listReaders() {
    readers.replaceChildren(
      ...known.map((one) => h("option", { value: one.by, selected: one.by === by }, one.words)),
    );
    showHint();
  }

  function showHint() {
    hint.textContent = known.find((one) => one.by === by)?.hint ?? "";
  }

  function choose(name) {
    by = name;
    showHint();
    try {
      sessionStorage.setItem(READER, by);
    } catch {
      // Then it is chosen again after a reload.
    }
    ready();
  }

  /** Learn the extractor that is chosen, if it was not learnt yet, and segment. */
  async function ready() {
    const chosen = known.find((one) => one.by === by);
    if (chosen && !chosen.ready && !job.busy) {
      look(null);
      const learnt = await job.run(
        "Learning to segment",
        "learn",
        {},
        {
          inWords: ({ from, images, miou, seconds }) => {
            const checked = miou === null ? "" : `; mean IoU ${miou.toFixed(2)} where it was checked`;
            return `Learnt from ${from}, on ${images} pictures in ${seconds} s${checked}.`;
          },
        },
      );
      if (!learnt) return;
      bare(false);
      const answer = await link.ask("segmenters").catch(() => null);
      if (answer) known = answer.readers;
      listReaders();
    }
    look(chosen ? by : null);
  }

  /* ---- the picture ---- */

  /** Show the picture of the edit, and what segments it sees there. */
  async function look(segmenter) {
    const mine = ++turn;
    const { edit: wanted } = editOf(state.now);
    const words = pictureInWords(state.now.picture, app.kept());
    caption.textContent = wanted.moves.length ? `${words}, with the moves of Explore` : words;
    try {
      const pictures = {};
      const onPicture = ({ header, blob }) => (pictures[header.of] = blob);
      const found = await link.ask("segment", { edit: wanted, by: segmenter }, { onPicture });
      const picture = await decode(pictures.picture);
      if (mine !== turn) return;
      if (!segmenter) return bareRoom(picture);
      const text = JSON.stringify(found.classes.map(({ name, colour }) => [name, colour]));
      if (text !== legend) {
        legend = text;
        brush = createBrush({ classes: found.classes, onChange: changed });
        brush.area.addEventListener("pointerdown", () => hidden && bare(false)); // who paints wants to see it
        place.replaceChildren(brush.tools);
        shown = "";
      }
      const map = labelsOf(
        await decode(pictures.labels),
        found.classes.map(({ colour }) => colour),
      );
      if (mine !== turn) return;
      room.replaceChildren(brush.area);
      brush.show(picture, map, { width: found.width, height: found.height });
      brush.setShares(found.classes.map(({ share }) => share));
      brush.bare(hidden);
      restore();
      const largest = [...found.classes].sort((one, other) => other.share - one.share).slice(0, 4);
      const seen = largest.map(({ name, share }) => `${plain(name)} ${Math.round(100 * share)} %`).join(", ");
      brush.area.setAttribute("aria-label", `Canvas to paint on: ${caption.textContent}. It shows ${seen}`);
    } catch (error) {
      if (mine !== turn) return;
      if (!(error instanceof Lost)) caption.textContent = error.message;
      report(error);
    }
  }

  function bareRoom(picture) {
    const frame = h("div", { class: "frame" }, drawOn(pictureCanvas(caption.textContent), picture));
    frame.style.setProperty("--ratio", picture.width / picture.height);
    room.replaceChildren(frame);
    legend = "";
    place.replaceChildren();
  }

  function bare(on) {
    hidden = on;
    hide.setAttribute("aria-pressed", String(on));
    brush?.bare(on);
  }

  /* ---- strokes, which are never lost ---- */

  const keyOf = () => JSON.stringify([app.run.id, state.now.picture, legend]);

  function stored() {
    try {
      return JSON.parse(sessionStorage.getItem(STROKES) ?? "[]");
    } catch {
      return [];
    }
  }

  function changed() {
    if (shown !== keyOf()) return; // another picture is coming
    const rest = stored().filter(([key]) => key !== shown);
    const now = brush.isEmpty ? rest : [...rest, [shown, pack(brush.mask)]].slice(-MOST_STORED);
    try {
      sessionStorage.setItem(STROKES, JSON.stringify(now));
    } catch {
      // Storage may be full: the strokes are on the page, and a reload alone would lose them.
    }
  }

  /** Begin with the strokes that were painted on this picture before, if any. */
  function restore() {
    const key = keyOf();
    if (shown === key) return;
    const { width, height } = brush.size;
    const found = stored().find(([name]) => name === key);
    shown = "";
    brush.start((found && unpack(found[1], width * height)) ?? new Uint8Array(width * height).fill(255));
    shown = key;
  }

  /* ---- jobs ---- */

  /** Let the picture of this tab be another one, in which the moves of the edit are already. */
  function take(ref) {
    state.set((now) => withPicture(now, ref));
  }

  async function preview({ header, blob }) {
    const picture = await decode(blob);
    if (job.busy && !header.kept) brush?.draw(picture);
  }

  async function edit() {
    if (!brush) return;
    if (brush.isEmpty) return job.say("Nothing is painted yet: choose a class, and paint on the picture.");
    const fields = {
      edit: editOf(state.now).edit,
      by,
      strokes: await brush.encoded(),
      steps: Number(steps.value),
      emphasis: Number(emphasis.value),
    };
    const answer = await job.run("Searching", "paint", fields, {
      onPicture: preview,
      inWords: ({ kept, words, steps: done, stopped }) => {
        if (kept) return `${stopped ? "Stopped after" : "After"} ${done} steps: ${words}.`;
        if (!done) return "Stopped before the first step; nothing was changed.";
        return (
          `None of the ${done} steps came nearer to what is painted; nothing was changed. Paint the class where ` +
          "such a thing can be, or give more steps."
        );
      },
    });
    if (!answer?.kept) return (bare(false), look(by));
    app.keep({ kept: answer.kept, name: answer.name, words: answer.words });
    // It waits for who went on.
    if (!here) return toast(`${answer.name} is done, and among the pictures made here.`);
    announce(`${answer.name}: ${answer.words}. Undo goes back to the picture before, with its strokes.`);
    take({ kept: answer.kept });
  }

  async function sample() {
    if (!brush) return;
    if (brush.isEmpty)
      return job.say("Nothing is painted yet: paint where something has to be; elsewhere anything is right.");
    const fields = {
      mask: await brush.encoded(),
      by,
      count: Number(count.value),
      candidates: Number(candidates.value),
      steps: Number(steps.value),
      first,
    };
    const answer = await job.run("Sampling", "sample_like", fields, {
      onPicture: preview,
      inWords: ({ kept, stopped }) => {
        const pictures = `${kept.length} ${kept.length === 1 ? "picture" : "pictures"}`;
        return `${stopped ? "Stopped. " : ""}${pictures}, below the canvas.`;
      },
    });
    if (answer) {
      first = answer.next;
      for (const one of answer.kept) app.keep(one);
    }
    made.show(state.now.picture);
    bare(false);
    look(by);
  }

  function follow(now, { why: cause }) {
    if (cause === "drag") return;
    made.show(now.picture);
    if (!job.busy) look(by || null);
  }

  return {
    element,
    enter() {
      here = true;
      stop = state.subscribe(follow);
      refresh();
    },
    leave() {
      here = false;
      stop();
      bare(false);
    },
    resume: refresh,
    press(key, down) {
      if (key !== "b") return false;
      bare(down);
      return true;
    },
  };
}
