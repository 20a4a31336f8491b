/** The view Take home: files of the edit, the edit in steps, and recipes that are opened again. */

import { Refused } from "./link.js";
import { pictureInWords } from "./run.js";
import { saveFile } from "./session.js";
import { createStage } from "./stage.js";
import { editOf } from "./state.js";
import { createView } from "./view.js";
import { field, h, newId, progressStrip, select, signed, takeDrops, toast } from "./widgets.js";

const FILES = [
  ["picture", "Picture", "PNG, as the model draws it"],
  ["before", "Before the edit", "PNG"],
  ["recipe", "Recipe", "a small JSON file, of which the command line and Python make the same pixels again"],
  ["codes", "Codes", "safetensors, for ganstrata manipulate --codes"],
];

const KEYS = [["B (hold)", "Show the picture before the edit"]];

/** The view, as `registerView` of main.js takes it. */
export const takeHome = createView({ name: "take_home", title: "Take home", keys: KEYS }, build);

function build(app) {
  const { link, run, state, report } = app;
  const stage = createStage({ before: () => link.askPicture("before", { picture: state.now.picture }) });
  const files = createFiles(app);
  const series = createSeries(app);
  const recipes = createOpener(app);
  let stop = () => {};

  const frames = link.stream("frame", {
    draw: async (picture, { edit }) => {
      await stage.draw(picture);
      const words = pictureInWords(edit.picture, app.kept());
      stage.caption(`${words} · ${run.width} × ${run.height}`);
      stage.label(`${words}, ${edit.moves.length || edit.truncation !== 1 ? "edited" : "not edited"}`);
    },
    failed: (error) => stage.fault(error.message),
    idle: (on) => stage.wait(!on),
  });

  function show() {
    const { edit } = editOf(state.now);
    frames.send({ edit, moving: null, final: true });
    series.show(edit);
  }

  return {
    element: h(
      "div",
      { class: "take-home" },
      stage.element,
      h("div", { class: "panel-files" }, files, series.element, recipes),
    ),
    resume: show,
    enter() {
      stop = state.subscribe(show);
      series.learn().catch(report);
      show();
    },
    leave() {
      stop();
      stage.hold(false);
    },
    press(key, down) {
      if (key !== "b") return false;
      stage.hold(down);
      return true;
    },
  };
}

/** Save a file, and say how large it is and what it leaves out; one such message is enough. */
function save({ file, name, bytes, remarks }) {
  saveFile({ file, name });
  toast([`${name} is ready: ${size(bytes)}.`, ...remarks].join(" "), "note", "a saved file");
}

function size(bytes) {
  return bytes < 1024 ** 2
    ? `${Math.max(1, Math.round(bytes / 1024))} KiB`
    : `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
}

/** The files of the edit as it stands. */
function createFiles({ link, state, report }) {
  const id = newId("files");
  const buttons = FILES.map(([kind, title, words]) => {
    const button = h("button", { type: "button" }, title);
    button.addEventListener("click", async () => {
      button.setAttribute("aria-busy", "true");
      try {
        save(await link.ask("export", { edit: editOf(state.now).edit, kind }));
      } catch (error) {
        report(error);
      } finally {
        button.removeAttribute("aria-busy");
      }
    });
    return h("li", {}, button, h("span", { class: "hint" }, words));
  });
  return h(
    "section",
    { "aria-labelledby": id },
    h("h2", { id }, "Files of this edit"),
    h("ul", { class: "files" }, ...buttons),
  );
}

/** The edit in steps, as a strip or a film. */
function createSeries({ link, run, state, report }) {
  const id = newId("series");
  const what = h("select", {});
  const number = (value, attributes) => h("input", { type: "number", value, required: true, ...attributes });
  const start = number(-3, { step: "any" });
  const end = number(3, { step: "any" });
  const steps = number(7, { min: 2, max: 60, step: 1 });
  const fps = number(8, { min: 0.5, max: 50, step: 0.5 });
  const kind = select([
    ["strip", "Strip (PNG)"],
    ["gif", "Film (GIF)"],
    ["mp4", "Film (MP4)"],
  ]);
  const range = h("div", { class: "row" }, field("From", start), field("to", end));
  const hint = h("p", { class: "hint" });
  const make = h("button", { type: "submit", class: "primary" }, "Make it");
  const progress = h("div", {});
  let chosen = "";

  function tidy() {
    range.hidden = what.value === "all";
    fps.closest(".field").hidden = kind.value === "strip";
    hint.textContent =
      what.value === "all"
        ? "All moves together, from the picture before the edit to the edit."
        : "The other moves stay as they are.";
  }

  const form = h(
    "form",
    {
      onsubmit: async (event) => {
        event.preventDefault();
        const { edit, moving } = editOf(state.now, what.value === "all" ? "" : what.value);
        const all = what.value === "all";
        const asked = link.ask(
          "export_series",
          {
            edit,
            kind: kind.value,
            steps: Number(steps.value),
            fps: Number(fps.value),
            ...(all ? {} : { sweep: moving, start: Number(start.value), end: Number(end.value) }),
          },
          { onProgress: (now) => strip.show(now) },
        );
        const strip = progressStrip("Drawing the steps", () =>
          link.ask("stop", { job: asked.n }).catch(report),
        );
        progress.replaceChildren(strip.element);
        make.disabled = true;
        try {
          save(await asked);
          strip.end("It is ready.");
        } catch (error) {
          strip.end(error instanceof Refused ? error.message : "It was stopped.");
          if (!(error instanceof Refused)) report(error);
        } finally {
          make.disabled = false;
        }
      },
    },
    field("What moves", what),
    range,
    h("div", { class: "row" }, field("Steps", steps), field("As", kind), field("Pictures per second", fps)),
    hint,
    make,
  );
  what.addEventListener("change", () => {
    const row = state.now.rows.find(({ along }) => along === what.value);
    if (row) ({ low: start.value, high: end.value } = run.rangeOf(row));
    tidy();
  });
  kind.addEventListener("change", tidy);
  return {
    element: h("section", { "aria-labelledby": id }, h("h2", { id }, "The edit in steps"), form, progress),
    async learn() {
      const { mp4, why } = await link.ask("take_home");
      const option = [...kind.options].find((one) => one.value === "mp4");
      option.disabled = !mp4;
      option.textContent = mp4 ? "Film (MP4)" : "Film (MP4): not here";
      kind.title = why;
    },
    /** Follow the edit: what may be swept are its sliders. */
    show(edit) {
      const names = state.now.rows.map((row) => row.along);
      const key = names.join("\n");
      if (key !== chosen) {
        const before = what.value;
        chosen = key;
        what.replaceChildren(
          h("option", { value: "all" }, "The whole edit"),
          ...names.map((along) => h("option", { value: along }, run.sliderOf(along).words)),
        );
        what.value = names.includes(before) ? before : "all";
      }
      const moved = edit.moves.map(({ along, by }) => `${run.sliderOf(along).words} ${signed(by)}`);
      what.title = moved.length ? moved.join(", ") : "Nothing is moved yet";
      tidy();
    },
  };
}

/** Recipes that are opened: a file is dropped or chosen, and its text alone goes to the server. */
function createOpener({ link, run, state, keep, report }) {
  const id = newId("recipes");
  const most = 2 * 1024 ** 2;
  const input = h("input", { type: "file", accept: ".json,application/json" });
  const said = h("p", { role: "status" });
  const fault = h("p", { class: "wrong", role: "alert" });
  const area = h(
    "div",
    { class: "drop" },
    h("p", {}, "Drop a recipe here, or choose its file."),
    field("File of a recipe", input),
    said,
    fault,
  );

  async function open(file) {
    said.textContent = fault.textContent = "";
    if (!file) return;
    if (file.size > most)
      return void (fault.textContent = `${file.name} has ${size(file.size)}, so it is not a recipe.`);
    said.textContent = `Opening ${file.name}.`;
    try {
      const { edit, kept, name, words } = await link.ask("open_recipe", { text: await file.text() });
      if (kept) keep({ kept, name, words: "From a recipe" });
      const unknown = edit.moves.find(({ along }) => !run.sliderOf(along));
      if (unknown) throw new Refused(`This page has no slider for ${unknown.along}.`);
      const moved = new Set(edit.moves.map(({ along }) => along));
      state.set((now) => ({
        picture: Object.fromEntries(Object.entries(edit.picture).filter(([, value]) => value !== null)),
        truncation: edit.truncation,
        rows: [
          ...edit.moves,
          ...now.rows.filter(({ along }) => !moved.has(along)).map((row) => ({ ...row, by: 0 })),
        ],
      }));
      said.textContent = `${file.name} is open. ${words}`;
    } catch (error) {
      said.textContent = "";
      if (error instanceof Refused) fault.textContent = error.message;
      else report(error);
    }
  }

  input.addEventListener("change", async () => {
    await open(input.files[0]);
    input.value = ""; // so that the same file can be chosen again
  });
  takeDrops(area, open);
  return h("section", { "aria-labelledby": id }, h("h2", { id }, "Open a recipe"), area);
}
