/**
 * The view Annotate: paint classes of your own on a few pictures, and see at once what is learnt from them.
 */

import { createAnnotations } from "./annotations.js";
import { BRUSH_KEYS, createBrush } from "./brush.js";
import { drawOn, layerOf, pictureCanvas, rgbOf } from "./canvas.js";
import { createClasses } from "./classes.js";
import { createJob } from "./job.js";
import { decode } from "./link.js";
import { UNPAINTED, blank, labelsOf } from "./masks.js";
import { saveFile } from "./session.js";
import { editOf } from "./state.js";
import { createStudy } from "./study.js";
import { createView } from "./view.js";
import { field, h, newId, roving, select, toast } from "./widgets.js";

const SMALL = 96; // px
const MORE = 4; // pictures that are added at once

const KEYS = [
  ["B (hold)", "Hide what lies over the picture"],
  ["J, K", "Next, previous picture"],
  ...BRUSH_KEYS,
];

/** The view, as `registerView` of main.js takes it. */
export const annotate = createView({ name: "annotate", title: "Annotate", keys: KEYS }, build);

function build(app) {
  const { link, state, report } = app;
  const own = createAnnotations(app.run.id);
  let brush = null;
  let by = own.by; // what segments: an extractor that was learnt here
  let known = []; // those that were learnt here
  let turn = 0;
  const pictures = new Map(); // sample -> bitmap
  const labels = new Map(); // sample -> what `by` sees in it

  const job = createJob(app, showBusy);
  const study = createStudy(app, () => root.replaceChildren(work));
  const classes = createClasses(own.classes, changeClasses);
  const room = h("div", { class: "room" });
  const caption = h("p", { class: "caption" });
  const strip = h("div", { class: "grid made", role: "group", "aria-label": "Pictures to paint on" });
  const settle = roving(strip, "button");
  const place = h("div", { class: "tools-of-brush" });
  const readers = select([], { onchange: () => segmentBy(readers.value) });
  const readerField = field("Shown", readers);
  const train = h("button", { type: "button", class: "primary", onclick: learn }, "Learn from the masks");
  const suggest = h("button", { type: "button", onclick: next }, "Suggest what to paint next");
  const more = h(
    "button",
    { type: "button", onclick: () => add(Array.from({ length: MORE }, (_, i) => own.fresh() + i)) },
    "More pictures",
  );
  const other = pictureCanvas("The picture of Explore, with what was learnt");
  const seen = h("figure", { class: "seen", hidden: true }, other, h("figcaption", { class: "hint" }));
  const takeMasks = h("button", { type: "button", onclick: () => home("masks_file") }, "Masks");
  const takeExtractor = h("button", { type: "button", onclick: () => home("extractor_file") }, "Extractor");
  const toPaint = h("button", { type: "button", onclick: usePaint }, "Use it in Paint");
  const vote = h(
    "p",
    { hidden: true },
    h(
      "button",
      { type: "button", class: "quiet", onclick: () => root.replaceChildren(study.element) },
      "Vote in the user study",
    ),
  );
  const id = newId("annotate");
  const work = h(
    "div",
    { class: "paint" },
    h(
      "div",
      { class: "look" },
      h(
        "div",
        { class: "stage" },
        room,
        h("div", { class: "below" }, caption, h("div", { class: "tools" }, more)),
      ),
      strip,
    ),
    h(
      "section",
      { class: "panel", "aria-labelledby": id },
      h("div", { class: "title" }, h("h2", { id }, "Annotate")),
      h(
        "p",
        { class: "hint" },
        "Paint your classes on two or more pictures, roughly and not everywhere: what is not painted " +
          "counts as unknown. Then learn.",
      ),
      h(
        "div",
        { class: "making" },
        h("div", { class: "row" }, train, suggest),
        job.element,
        h("div", { class: "row" }, readerField, toPaint),
        seen,
      ),
      place,
      classes.element,
      h("div", { class: "row" }, h("span", { class: "hint" }, "Take home"), takeMasks, takeExtractor),
      vote,
    ),
  );
  const root = h("div", { class: "annotate" }, work);

  /* ---- pictures ---- */

  async function add(samples) {
    own.add(samples);
    await fetchPictures();
    choose(samples[0]);
  }

  /** Get the pictures that are not here yet, and what is seen in them. */
  async function fetchPictures() {
    const missing = own.samples.filter((sample) => !pictures.has(sample) || (by && !labels.has(sample)));
    if (missing.length) {
      const found = [];
      const onPicture = (one) => found.push(one);
      const answer = await link.ask("drawn", { samples: missing, by: by || null }, { onPicture });
      own.size = { width: answer.width, height: answer.height };
      for (const { header, blob } of found) {
        const picture = await decode(blob);
        if (header.of === "picture") pictures.set(header.sample, picture);
        else labels.set(header.sample, await labelsFor(picture, answer.classes));
      }
    }
    showStrip();
  }

  /** Return labels at the size of the pictures, by the numbers of the classes on this page. */
  async function labelsFor(picture, legend) {
    const canvas = h("canvas", own.size);
    drawSharp(canvas, picture);
    const map = labelsOf(
      canvas,
      legend.map(({ colour }) => colour),
    );
    const numbers = legend.map(({ name }) => own.classes.findIndex((one) => one.name === name));
    return map.map((value) => (numbers[value] >= 0 ? numbers[value] : UNPAINTED));
  }

  function showStrip() {
    strip.replaceChildren(
      ...own.samples.map((sample) => {
        const canvas = h("canvas", { width: SMALL, height: SMALL, "aria-hidden": "true" });
        const picture = pictures.get(sample);
        const mask = own.maskOf(sample);
        if (picture) overlay(canvas, picture, mask ?? labels.get(sample), mask ? 0.75 : 0.5);
        const words = `Picture ${sample}${own.isPainted(sample) ? ", painted" : ""}`;
        return h(
          "button",
          {
            type: "button",
            "aria-label": words,
            title: words,
            "aria-pressed": String(sample === own.chosen),
            onclick: () => choose(sample),
          },
          canvas,
          own.isPainted(sample) ? h("span", { class: "done", "aria-hidden": "true" }, "✓") : null,
        );
      }),
    );
    settle();
  }

  /** Draw a picture, and classes over it in the colours of this page. */
  function overlay(canvas, picture, map, alpha) {
    drawOn(canvas, picture);
    if (!map) return;
    const colours = own.classes.map(({ colour }) => rgbOf(colour));
    const layer = h("canvas", own.size);
    layer.getContext("2d").putImageData(layerOf(own.size, colours, map, 255 * alpha), 0, 0);
    drawSharp(canvas, layer);
  }

  function choose(sample) {
    own.set({ chosen: sample });
    showCanvas();
    showStrip();
  }

  function showCanvas() {
    const sample = own.chosen;
    const picture = pictures.get(sample);
    if (!picture) return;
    brush ??= makeBrush();
    brush.onSample = null;
    brush.show(picture, labels.get(sample) ?? null, own.size);
    brush.start(own.maskOf(sample) ?? blank(own.size.width, own.size.height));
    brush.onSample = sample;
    room.replaceChildren(brush.area);
    const doubt = own.doubts[sample];
    const words = doubt === undefined ? "" : ` · suggested, doubt ${doubt.toFixed(3)} nats`;
    caption.textContent = `Picture ${sample}${words}`;
    brush.area.setAttribute("aria-label", `Canvas to paint on: picture ${sample}`);
  }

  function makeBrush() {
    const made = createBrush({
      classes: own.classes,
      first: brush?.chosen ?? 0,
      onChange: () => changed(made),
    });
    made.onSample = null; // nothing is stored before a picture is shown
    place.replaceChildren(made.tools);
    return made;
  }

  function changed(made) {
    if (made.onSample === null) return;
    own.keep(made.onSample, made.isEmpty ? null : made.mask);
    showStrip();
    showBusy(job.busy);
  }

  /** Take other classes over; see `setClasses` of annotations.js. */
  function changeClasses(next, moved) {
    own.setClasses(next, moved);
    labels.clear();
    brush = makeBrush();
    showCanvas();
    showStrip();
    if (by) segmentBy(by);
  }

  /* ---- learning ---- */

  function showBusy(busy) {
    const painted = own.painted.length;
    train.disabled = busy || painted < 1;
    suggest.disabled = busy || painted < 2;
    takeMasks.disabled = painted < 1;
    takeExtractor.disabled = toPaint.disabled = !by;
    readerField.hidden = toPaint.hidden = known.length === 0;
    suggest.title = painted < 2 ? "It needs two painted pictures." : "";
  }

  async function learn() {
    const answer = await job.run("Learning", "train", await own.forServer(), {
      inWords: ({ masks, seconds }) =>
        `Learnt from ${masks} ${masks === 1 ? "mask" : "masks"} in ${seconds} s. ` +
        "The pictures below show what it sees.",
    });
    if (!answer) return;
    for (const remark of answer.remarks) toast(remark);
    await listReaders();
    segmentBy(answer.by);
  }

  async function listReaders() {
    const answer = await link.ask("segmenters");
    known = answer.readers.filter((one) => one.by.startsWith("own "));
    if (!known.some((one) => one.by === by)) by = "";
    readers.replaceChildren(
      h("option", { value: "" }, "Masks alone"),
      ...known.map((one) => h("option", { value: one.by, selected: one.by === by }, one.words)),
    );
    showBusy(job.busy);
  }

  async function segmentBy(name) {
    const mine = ++turn;
    by = name;
    own.set({ by });
    readers.value = name;
    labels.clear();
    showBusy(job.busy);
    try {
      if (by) await fetchPictures();
      if (mine !== turn) return;
      showCanvas();
      showStrip();
      await showOther();
    } catch (error) {
      report(error);
    }
  }

  /** Show what the extractor sees in the picture of Explore. */
  async function showOther() {
    seen.hidden = !by;
    if (!by) return;
    const found = {};
    const answer = await link.ask(
      "segment",
      { edit: editOf(state.now).edit, by },
      { onPicture: ({ header, blob }) => (found[header.of] = blob) },
    );
    const picture = await decode(found.picture);
    overlay(other, picture, await labelsFor(await decode(found.labels), answer.classes), 0.6);
    const words = answer.classes
      .filter(({ share }) => share > 0)
      .map(({ name, share }) => `${name} ${Math.round(100 * share)} %`);
    seen.lastChild.textContent = `The picture of Explore: ${words.join(", ")}`;
  }

  async function next() {
    const taken = own.samples.filter((sample) => !own.isPainted(sample));
    const answer = await job.run(
      "Looking for pictures that are hard to tell",
      "suggest",
      { ...(await own.forServer()), taken },
      {
        inWords: ({ samples, pool }) =>
          `${samples.length} of ${pool} new pictures, those of which an ensemble is least sure.`,
      },
    );
    if (!answer) return;
    const doubts = Object.fromEntries(answer.samples.map(({ sample, doubt }) => [sample, doubt]));
    own.set({ doubts: { ...own.doubts, ...doubts } });
    await add(answer.samples.map(({ sample }) => sample)).catch(report);
  }

  async function home(action) {
    try {
      const answer = await link.ask(action, action === "masks_file" ? await own.forServer() : { by });
      saveFile(answer);
    } catch (error) {
      report(error);
    }
  }

  function usePaint() {
    sessionStorage.setItem("ganstrata.reader", by);
    app.go("paint");
  }

  async function resume() {
    try {
      await listReaders();
      vote.hidden = !(await study.begin());
      await fetchPictures();
      if (!pictures.has(own.chosen)) own.set({ chosen: own.samples[0] });
      if (!brush) showCanvas();
      showStrip();
      await showOther();
    } catch (error) {
      caption.textContent = error.message;
      report(error);
    }
  }

  return {
    element: root,
    enter: resume,
    leave() {
      brush?.bare(false);
    },
    resume,
    press(key, down) {
      if (key === "b") brush?.bare(down);
      else if (!down || work.parentNode !== root) return false;
      else if (key === "j" || key === "k") {
        const at = own.samples.indexOf(own.chosen) + (key === "j" ? 1 : -1);
        if (own.samples[at] !== undefined) choose(own.samples[at]);
      } else return false;
      return true;
    },
  };
}

/** Draw labels on all of a canvas; pixels keep their edges, for there is nothing between two classes. */
function drawSharp(canvas, labels) {
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(labels, 0, 0, canvas.width, canvas.height);
}
