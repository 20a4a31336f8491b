/** The view Annotate: paint classes of your own on a few pictures, and see at once what is learnt from them. */

import { BRUSH_KEYS, createBrush } from "./brush.js";
import { createClasses } from "./classes.js";
import { createJob } from "./job.js";
import { decode } from "./link.js";
import { UNPAINTED, encode, labelsOf, pack, unpack } from "./masks.js";
import { saveFile } from "./session.js";
import { editOf } from "./state.js";
import { createStudy } from "./study.js";
import { createView } from "./view.js";
import { field, h, newId, roving, select, toast } from "./widgets.js";

const STORED = "ganstrata.annotations";
const FIRST = 6; // pictures to begin with
const SMALL = 96; // px
const BEGIN = [
  { name: "first class", colour: "#d1495b" },
  { name: "second class", colour: "#2e86ab" },
];

const KEYS = [
  ["B (hold)", "Hide what lies over the picture"],
  ["J, K", "Next, previous picture"],
  ...BRUSH_KEYS,
];

/** The view, as `registerView` of main.js takes it. */
export const annotate = createView({ name: "annotate", title: "Annotate", keys: KEYS }, build);

function build(app) {
  const { link, state, report } = app;
  let data = load();
  let size = null; // of the pictures
  let brush = null;
  let by = data.by ?? ""; // what segments: an extractor that was learnt here
  let known = []; // those that were learnt here
  let turn = 0;
  const pictures = new Map(); // sample -> bitmap
  const labels = new Map(); // sample -> what `by` sees in it

  const job = createJob(app, showBusy);
  const study = createStudy(app, () => root.replaceChildren(work));
  const classes = createClasses(data.classes, changeClasses);
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
    { type: "button", onclick: () => add(Array.from({ length: 4 }, (_, i) => fresh() + i)) },
    "More pictures",
  );
  const other = h("canvas", {
    width: 1,
    height: 1,
    role: "img",
    "aria-label": "The picture of Explore, with what was learnt",
  });
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
        "Paint your classes on two or more pictures, roughly and not everywhere: what is not painted counts as unknown. Then learn.",
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

  /* ---- what is kept in the page ---- */

  function load() {
    const start = {
      run: app.run.id,
      classes: BEGIN,
      samples: Array.from({ length: FIRST }, (_, i) => i),
      masks: {},
      chosen: 0,
    };
    try {
      const found = JSON.parse(sessionStorage.getItem(STORED) ?? "null");
      return found?.run === app.run.id && found.classes.length >= 2 ? found : start;
    } catch {
      return start;
    }
  }

  function save() {
    try {
      sessionStorage.setItem(STORED, JSON.stringify(data));
    } catch {
      toast(
        "The storage of this page is full, so that a reload would lose the masks. Take them home.",
        "error",
      );
    }
  }

  const maskOf = (sample) =>
    data.masks[sample] && size ? unpack(data.masks[sample], size.width * size.height) : null;
  const paintedSamples = () => data.samples.filter((sample) => data.masks[sample]);
  const fresh = () => Math.max(-1, ...data.samples.filter((sample) => sample < 1e6)) + 1;

  /* ---- pictures ---- */

  async function add(samples) {
    data = {
      ...data,
      samples: [...data.samples, ...samples.filter((one) => !data.samples.includes(one))].slice(0, 32),
    };
    save();
    await fetchPictures();
    choose(samples[0]);
  }

  /** Get the pictures that are not here yet, and what is seen in them. */
  async function fetchPictures() {
    const missing = data.samples.filter((sample) => !pictures.has(sample) || (by && !labels.has(sample)));
    if (missing.length) {
      const found = [];
      const onPicture = (one) => found.push(one);
      const answer = await link.ask("drawn", { samples: missing, by: by || null }, { onPicture });
      size = { width: answer.width, height: answer.height };
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
    const canvas = h("canvas", size);
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = false;
    context.drawImage(picture, 0, 0, size.width, size.height);
    const map = labelsOf(
      canvas,
      legend.map(({ colour }) => colour),
    );
    const numbers = legend.map(({ name }) => data.classes.findIndex((one) => one.name === name));
    return map.map((value) => (numbers[value] >= 0 ? numbers[value] : UNPAINTED));
  }

  function showStrip() {
    strip.replaceChildren(
      ...data.samples.map((sample) => {
        const canvas = h("canvas", { width: SMALL, height: SMALL, "aria-hidden": "true" });
        const picture = pictures.get(sample);
        if (picture) {
          Object.assign(canvas, { width: picture.width, height: picture.height });
          overlay(canvas, picture, maskOf(sample) ?? labels.get(sample), maskOf(sample) ? 0.75 : 0.5);
        }
        const words = `Picture ${sample}${data.masks[sample] ? ", painted" : ""}`;
        return h(
          "button",
          {
            type: "button",
            "aria-label": words,
            title: words,
            "aria-pressed": String(sample === data.chosen),
            onclick: () => choose(sample),
          },
          canvas,
          data.masks[sample] ? h("span", { class: "done", "aria-hidden": "true" }, "✓") : null,
        );
      }),
    );
    settle();
  }

  /** Draw a picture, and classes over it in the colours of this page. */
  function overlay(canvas, picture, map, alpha) {
    const context = canvas.getContext("2d");
    context.drawImage(picture, 0, 0, canvas.width, canvas.height);
    if (!map) return;
    const image = new ImageData(size.width, size.height);
    const colours = data.classes.map(({ colour }) =>
      [1, 3, 5].map((from) => parseInt(colour.slice(from, from + 2), 16)),
    );
    map.forEach((value, at) => colours[value] && image.data.set([...colours[value], 255 * alpha], 4 * at));
    const layer = h("canvas", size);
    layer.getContext("2d").putImageData(image, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(layer, 0, 0, canvas.width, canvas.height);
  }

  function choose(sample) {
    data = { ...data, chosen: sample };
    save();
    showCanvas();
    showStrip();
  }

  function showCanvas() {
    const picture = pictures.get(data.chosen);
    if (!picture) return;
    brush ??= makeBrush();
    const sample = data.chosen;
    brush.onSample = null;
    brush.show(picture, labels.get(sample) ?? null, size);
    brush.start(maskOf(sample) ?? new Uint8Array(size.width * size.height).fill(UNPAINTED));
    brush.onSample = sample;
    room.replaceChildren(brush.area);
    const doubt = data.doubts?.[sample];
    caption.textContent = `Picture ${sample}${doubt === undefined ? "" : ` · suggested, doubt ${doubt.toFixed(3)} nats`}`;
    brush.area.setAttribute("aria-label", `Canvas to paint on: picture ${sample}`);
  }

  function makeBrush() {
    const made = createBrush({
      classes: data.classes,
      first: brush?.chosen ?? 0,
      onChange: () => changed(made),
    });
    made.onSample = null; // nothing is stored before a picture is shown
    place.replaceChildren(made.tools);
    return made;
  }

  function changed(made) {
    if (made.onSample === null) return;
    const masks = { ...data.masks };
    if (made.isEmpty) delete masks[made.onSample];
    else masks[made.onSample] = pack(made.mask);
    data = { ...data, masks };
    save();
    showStrip();
    showBusy(job.busy);
  }

  /** Take other classes over; `moved[i]` is the new number of class i, or UNPAINTED. */
  function changeClasses(next, moved) {
    const masks = {};
    for (const [sample, text] of Object.entries(data.masks)) {
      const mask =
        size &&
        unpack(text, size.width * size.height)?.map((value) => (value === UNPAINTED ? value : moved[value]));
      if (mask?.some((value) => value !== UNPAINTED)) masks[sample] = pack(mask);
    }
    data = { ...data, classes: next, masks };
    save();
    labels.clear();
    brush = makeBrush();
    showCanvas();
    showStrip();
    if (by) segmentBy(by);
  }

  /* ---- learning ---- */

  function showBusy(busy) {
    const painted = paintedSamples().length;
    train.disabled = busy || painted < 1;
    suggest.disabled = busy || painted < 2;
    takeMasks.disabled = painted < 1;
    takeExtractor.disabled = toPaint.disabled = !by;
    readerField.hidden = toPaint.hidden = known.length === 0;
    suggest.title = painted < 2 ? "It needs two painted pictures." : "";
  }

  async function fields() {
    const masks = await Promise.all(
      paintedSamples().map(async (sample) => ({ sample, mask: await encode(maskOf(sample), size) })),
    );
    return { classes: data.classes, masks };
  }

  async function learn() {
    const answer = await job.run("Learning", "train", await fields(), {
      inWords: ({ masks, seconds }) =>
        `Learnt from ${masks} ${masks === 1 ? "mask" : "masks"} in ${seconds} s. The pictures below show what it sees.`,
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
    data = { ...data, by };
    save();
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
    Object.assign(other, { width: picture.width, height: picture.height });
    overlay(other, picture, await labelsFor(await decode(found.labels), answer.classes), 0.6);
    const words = answer.classes
      .filter(({ share }) => share > 0)
      .map(({ name, share }) => `${name} ${Math.round(100 * share)} %`);
    seen.lastChild.textContent = `The picture of Explore: ${words.join(", ")}`;
  }

  async function next() {
    const taken = data.samples.filter((sample) => !data.masks[sample]);
    const answer = await job.run(
      "Looking for pictures that are hard to tell",
      "suggest",
      { ...(await fields()), taken },
      {
        inWords: ({ samples, pool }) =>
          `${samples.length} of ${pool} new pictures, those of which an ensemble is least sure.`,
      },
    );
    if (!answer) return;
    data = {
      ...data,
      doubts: {
        ...data.doubts,
        ...Object.fromEntries(answer.samples.map(({ sample, doubt }) => [sample, doubt])),
      },
    };
    await add(answer.samples.map(({ sample }) => sample)).catch(report);
  }

  async function home(action) {
    try {
      const answer = await link.ask(action, action === "masks_file" ? await fields() : { by });
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
      if (!pictures.has(data.chosen)) data = { ...data, chosen: data.samples[0] };
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
        const at = data.samples.indexOf(data.chosen) + (key === "j" ? 1 : -1);
        if (data.samples[at] !== undefined) choose(data.samples[at]);
      } else return false;
      return true;
    },
  };
}
