/** The view Photograph: a picture of the user becomes a code, which can be edited like any other. */

import { drawOn, pictureCanvas } from "./canvas.js";
import { createCrop } from "./crop.js";
import { lossCurve } from "./curve.js";
import { createJob } from "./job.js";
import { Dropped, Lost, decode } from "./link.js";
import { sentence } from "./run.js";
import { sessionId } from "./session.js";
import { withPicture } from "./state.js";
import { createTrusting, trustInWords } from "./trust.js";
import { createView } from "./view.js";
import { createWay } from "./way.js";
import { field, h, newId, select, takeDrops } from "./widgets.js";

/** The view, as `registerView` of main.js takes it. */
export const photograph = createView({ name: "photograph", title: "Photograph" }, build);

const SHOWN = [
  ["target", "Your picture", "what the generator was asked for"],
  ["made", "Reconstruction", "what the generator makes of the code"],
  ["difference", "Difference", "4 times; black is none"],
];

function build(app) {
  const { link, report, run } = app;
  const crop = createCrop(run, look);
  const job = createJob(app, showBusy);
  const trusting = createTrusting(app, showFacts);
  const file = h("input", {
    type: "file",
    accept: "image/*,.tif,.tiff,.jp2,.avif",
    class: "unseen",
    id: newId("file"),
    onchange: () => take(file.files[0]),
  });
  const choose = h("label", { class: "button primary", for: file.id }, "Choose a picture");
  const drop = h(
    "div",
    { class: "drop" },
    file,
    choose,
    h("p", { class: "hint" }, "or drop it here. It stays on the machine on which the app runs."),
  );
  const fault = h("p", { class: "wrong", role: "alert" });
  const go = h(
    "button",
    { type: "button", class: "primary", disabled: true, onclick: invert },
    "Find its code",
  );
  const way = createWay(app);
  const before = select([["", "choose one"]], { onchange: () => before.value && open(before.value) });
  const earlier = field("Inverted before", before, { hidden: true });
  const figures = new Map(SHOWN.map(([what, title, words]) => [what, figure(title, words)]));
  const sheet = h(
    "div",
    { class: "triple", hidden: true },
    ...[...figures.values()].map(({ element }) => element),
  );
  const facts = h("div", { class: "facts" });
  let upload = null; // {key, name}
  let round = 0;

  async function take(chosen) {
    if (!chosen) return;
    file.value = "";
    fault.textContent = "";
    const limit = run.limits.upload;
    if (limit && chosen.size > limit) {
      const has = `${chosen.name} has ${Math.ceil(chosen.size / 2 ** 20)} MiB`;
      fault.textContent = `${has}; at most ${limit >> 20} MiB are taken. Scale it down first.`;
      return;
    }
    try {
      const answer = await fetch(`upload?session=${encodeURIComponent(sessionId())}`, {
        method: "PUT",
        body: chosen,
      });
      const body = await answer.json();
      if (!answer.ok) throw new Error(body.error ?? "The picture was refused.");
      upload = { key: body.upload, name: chosen.name };
      crop.reset();
      await look();
    } catch (error) {
      fault.textContent = error.message;
    }
  }

  /** Show what the rule makes of the picture. */
  async function look() {
    if (!upload) return;
    const mine = ++round;
    fault.textContent = "";
    try {
      const answer = await link.ask(
        "look",
        { upload: upload.key, name: upload.name, crop: crop.rule },
        {
          onPicture: async ({ header, blob }) => mine === round && crop.draw(header.what, await decode(blob)),
        },
      );
      if (mine !== round) return;
      crop.show(answer, upload.name);
      go.disabled = job.busy;
    } catch (error) {
      if (mine !== round || error instanceof Dropped) return;
      if (error instanceof Lost) return;
      fault.textContent = error.message;
      go.disabled = true;
    }
  }

  async function invert() {
    trusting.stop();
    sheet.hidden = false;
    facts.replaceChildren();
    for (const one of figures.values()) one.clear();
    const fields = { upload: upload.key, name: upload.name, crop: crop.rule, way: way.value() };
    const answer = await job.run("Finding the code", "invert", fields, {
      onPicture: draw,
      inWords: (found) =>
        found.stopped ? "Stopped: this is what was found so far." : `Done in ${found.seconds.toFixed(1)} s.`,
    });
    if (!answer) return;
    if (answer.trust.left) trusting.begin(answer);
    showFacts(answer);
    listEarlier();
  }

  async function draw({ header, blob }) {
    const what = header.what === "preview" ? "made" : header.what;
    figures.get(what)?.draw(await decode(blob));
  }

  async function open(kept) {
    trusting.stop();
    for (const one of figures.values()) one.clear();
    sheet.hidden = false;
    try {
      showFacts({ kept, ...(await link.ask("inverted", { kept }, { onPicture: draw })) });
    } catch (error) {
      report(error);
    }
  }

  function showFacts(found) {
    app.keep(found);
    const edit = h(
      "button",
      { type: "button", class: "primary", onclick: () => editIt(found.kept) },
      "Edit it in Explore",
    );
    const judged =
      found.trust?.left && found.trust.left > 0 && !trusting.busy
        ? h(
            "button",
            { type: "button", onclick: () => trusting.begin(found) },
            "Look for signs that it is out of the domain",
          )
        : null;
    facts.replaceChildren(
      h("div", { class: "title" }, h("h2", {}, found.name), h("div", { class: "row" }, edit)),
      found.stopped
        ? h("p", {}, "The search was stopped before its end; this is the nearest picture until then.")
        : "",
      measureTable(found.measures),
      found.trust ? trustInWords(found.trust, judged) : "",
      ...(found.curves.length ? [h("h3", {}, "Loss"), lossCurve(found.curves, found.distance)] : []),
      h("ul", { class: "notes" }, ...found.notes.filter(Boolean).map((note) => h("li", {}, sentence(note)))),
    );
  }

  function editIt(kept) {
    app.state.set((now) => withPicture(now, { kept }));
    app.go("explore");
  }

  function listEarlier() {
    const all = app.kept().filter((one) => one.kind === "inverted");
    earlier.hidden = all.length === 0;
    before.replaceChildren(
      h("option", { value: "" }, "choose one"),
      ...all.map((one) => h("option", { value: one.kept }, one.name)),
    );
  }

  function showBusy(on) {
    go.disabled = on || !upload;
    way.element.inert = on;
  }

  takeDrops(drop, take);

  return {
    element: h(
      "div",
      { class: "photograph" },
      h(
        "section",
        { class: "panel giving", "aria-label": "Your picture" },
        drop,
        fault,
        crop.element,
        way.element,
        earlier,
        h("div", { class: "asking" }, h("div", { class: "row" }, go), job.element),
      ),
      h(
        "section",
        { class: "found", "aria-label": "What was found" },
        sheet,
        trusting.element,
        facts,
        h(
          "p",
          { class: "hint empty" },
          "The generator can only make pictures of the kind that it has learnt. Of others it makes the " +
            "nearest one that it can, and says below how near that is.",
        ),
      ),
    ),
    enter() {
      way.ready();
      listEarlier();
    },
  };
}

/** A picture with its title, which is empty at first. */
function figure(title, words) {
  const canvas = pictureCanvas(title);
  return {
    element: h("figure", {}, canvas, h("figcaption", {}, title, " ", h("small", {}, words))),
    draw(picture) {
      drawOn(canvas, picture);
    },
    clear() {
      canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
    },
  };
}

function measureTable(measures) {
  const rows = measures.map(({ words, value, meaning }) =>
    h("tr", {}, h("th", { scope: "row" }, words), h("td", { class: "n" }, value), h("td", {}, meaning)),
  );
  return h(
    "table",
    { class: "measures" },
    h("caption", { class: "unseen" }, "How near the reconstruction is"),
    h("tbody", {}, ...rows),
  );
}
