/** The sliders of an edit: a row for each direction, with its layers and what it is to leave alone. */

import { Refused } from "./link.js";
import { createRange, rescoredTo } from "./ranges.js";
import { rowOf } from "./run.js";
import { withRow } from "./state.js";
import { field, h, icon, iconButton, newId, place, select, signed, slider } from "./widgets.js";

const MOST = 10000; // of a distance, in both directions

/**
 * Make the column of sliders. It changes the state, and follows it.
 *
 * @param {object} app what main.js gives each view.
 * @returns {{element: HTMLElement, show: (state: object) => void, reach: (along: string) => void}} `reach`
 *   adds a slider where it is missing, and puts the focus on it.
 */
export function createMoves(app) {
  const { run, state } = app;
  const rows = new Map(); // along -> what `row` returns
  const list = h("ul", { class: "moves" });
  const resetAll = h(
    "button",
    { type: "button", class: "quiet", onclick: () => state.set(atRest) },
    "Reset all",
  );
  const adding = h("div", { class: "adding" });
  const factor = slider({
    label: "Truncation",
    low: 0,
    high: 1,
    step: 0.05,
    origin: 1,
    inWords: (value) =>
      `${value.toFixed(2)}, ${value === 1 ? "as in the run" : "nearer to the mean picture"}`,
    onInput: (value, event) =>
      state.set((now) => ({ ...now, truncation: value }), { hold: true, input: event.timeStamp }),
    onChange: (value) => state.set((now) => ({ ...now, truncation: value }), { kind: "truncation" }),
  });
  const factorText = h("output", {});
  let places = null;

  function reach(along) {
    if (!rows.has(along)) state.set((now) => ({ ...now, rows: [...now.rows, rowOf(run.sliderOf(along))] }));
    const { element, control } = rows.get(along);
    element.scrollIntoView({ block: "nearest" });
    control.focus();
  }

  function showAdding(now) {
    const free = run.sliders.filter((one) => !now.rows.some((row) => row.along === one.along));
    const groups = new Map(
      [
        ["Verified by re-scoring", free.filter((one) => one.verified)],
        ["Not verified", free.filter((one) => !one.verified)],
      ].map(([title, ones]) => [title, ones.map((one) => [one.along, one.words])]),
    );
    const choice = select(groups);
    const add = h("button", { type: "button", onclick: () => reach(choice.value) }, "Add");
    adding.replaceChildren(...(free.length ? [field("Add a direction", choice), add] : []));
  }

  function show(now) {
    const names = now.rows.map((row) => row.along);
    if (names.join("\n") !== [...rows.keys()].join("\n")) {
      for (const name of [...rows.keys()]) if (!names.includes(name)) rows.delete(name);
      const made = names.map((name) => [
        name,
        rows.get(name) ?? createRow(app, run.sliderOf(name), () => focusAfter(name)),
      ]);
      rows.clear();
      for (const [name, row] of made) rows.set(name, row);
      place(
        list,
        made.map(([, row]) => row.element),
      );
      showAdding(now);
    }
    for (const row of now.rows) {
      rows.get(row.along).show(row);
      rows.get(row.along).showPlace(places?.[row.along] ?? null);
    }
    resetAll.disabled = atRest(now) === now;
    factor.show(now.truncation);
    factorText.textContent = now.truncation.toFixed(2);
  }

  /** Put the focus where a removed row was, so that the keyboard is not lost. */
  function focusAfter(name) {
    const names = [...rows.keys()];
    const place = names.indexOf(name);
    rows.get(names[place + 1] ?? names[place - 1])?.control.focus();
  }

  const id = newId("moves");
  return {
    element: h(
      "section",
      { class: "panel-moves", "aria-labelledby": id },
      h("div", { class: "title" }, h("h2", { id }, "Edit"), resetAll),
      run.verified.length
        ? null
        : h(
            "p",
            { class: "hint" },
            "Re-scoring could not tell any direction of this run from chance. Those that were learnt can " +
              "be added below.",
          ),
      list,
      adding,
      run.truncation &&
        h(
          "div",
          { class: "move truncation" },
          h(
            "div",
            { class: "line" },
            h("span", { class: "name" }, "Truncation ", h("small", {}, "1 is as in the run")),
            factorText,
          ),
          factor.element,
        ),
    ),
    show,
    reach,
    /**
     * Say where the picture lies itself: its distance from each boundary, by name; null while nobody knows.
     */
    showPlaces(known) {
      places = known;
      for (const [along, row] of rows) row.showPlace(places?.[along] ?? null);
    },
  };
}

/** Return a state in which nothing is moved; the very state where that is so already. */
function atRest(now) {
  if (now.truncation === 1 && now.rows.every((row) => row.by === 0)) return now;
  return { ...now, truncation: 1, rows: now.rows.map((row) => ({ ...row, by: 0 })) };
}

function createRow(app, facts, leaveFocus) {
  const { run, state } = app;
  const unit = run.short_unit;
  const change = (fields, how) => state.set((now) => withRow(now, facts.along, fields), how);
  const inWords = (value) => `${signed(value)} ${unit}`;
  const control = slider({
    label: facts.words,
    ...facts,
    inWords,
    onInput: (by, event) => change({ by }, { hold: true, input: event.timeStamp, moving: facts.along }),
    onChange: (by) => change({ by }, { kind: facts.along, moving: facts.along }),
  });
  const panel = h("div", { class: "more", id: newId("more"), hidden: true });
  const where = h("small", {});
  const opener = h(
    "button",
    { type: "button", class: "name", "aria-expanded": "false", "aria-controls": panel.id },
    h("span", {}, facts.words),
    " ",
    where,
    icon("more"),
  );
  const amount = h("output", {});
  const reset = iconButton("reset", `Reset ${facts.words}`, () => {
    change({ by: 0 });
    control.element.focus(); // the button is disabled now, and would drop the focus
  });
  const layers = createLayers(app, facts, (text) => change({ layers: text }));
  const keep = createKeep(run, facts, (names) => change({ keep: names }));
  const remove = () => {
    leaveFocus();
    state.set((now) => ({ ...now, rows: now.rows.filter((row) => row.along !== facts.along) }));
  };
  const own = h("p", { class: "hint" });
  const found = h("p", { class: "hint" });
  const typed = createDistance(facts, (by) => change({ by }));
  const range = createRange(app, facts, unit, () => {
    const row = state.now.rows.find(({ along }) => along === facts.along);
    if (row) show(row);
  });
  panel.append(
    found,
    own,
    range.element,
    typed.element,
    layers.element,
    keep.element,
    h("button", { type: "button", class: "quiet", onclick: remove }, "Remove this slider"),
  );
  opener.addEventListener("click", () => {
    panel.hidden = !panel.hidden;
    opener.setAttribute("aria-expanded", String(!panel.hidden));
  });
  function show(row) {
    const [ends, measured] = [run.rangeOf(row), rescoredTo(facts, row)];
    control.range(ends);
    control.measure(measured);
    control.show(row.by);
    amount.textContent = row.by === 0 ? "0" : inWords(row.by);
    amount.classList.toggle("moved", row.by !== 0);
    reset.disabled = row.by === 0;
    const kept = row.keep.map((name) => run.sliderOf(name)?.words ?? name);
    where.textContent = [
      facts.verified ? "" : "not verified",
      row.layers ? layersInWords(row.layers) : "all layers",
      kept.length ? `keeps ${kept.join(", ")}` : "",
    ]
      .filter(Boolean)
      .join(" · ");
    found.textContent = foundInWords(facts, unit, measured, ends);
    typed.show(row.by);
    range.show(row);
    layers.show(row.layers ?? "");
    keep.show(row.keep);
  }

  return {
    element: h(
      "li",
      { class: "move" },
      h("div", { class: "line" }, opener, amount, reset),
      control.element,
      panel,
    ),
    control: control.element,
    showPlace(distance) {
      control.mark(distance === null ? null : -distance);
      own.textContent =
        distance === null
          ? ""
          : `The picture itself lies at ${signed(distance)} ${unit} from the boundary, which is the notch ` +
            "on the slider where it is in its range.";
    },
    show,
  };
}

function layersInWords(text) {
  if (!/^[\d,\s-]+$/.test(text)) return `${text} layers`;
  return `${/^\d+$/.test(text) ? "layer" : "layers"} ${text}`;
}

function foundInWords(facts, unit, measured, ends) {
  const { verified, effect, effect_low: low, effect_high: high, measured_at: distance, layers } = facts;
  const doubt = verified ? "" : " It could not be told from chance: do not trust what its name says.";
  if (effect === null) return `Re-scoring did not measure it.${doubt}`;
  const interval = low === null || high === null ? "" : ` (95\u00a0%: ${signed(low)} to ${signed(high)})`;
  const line = distance > ends.high ? "" : " The line under the slider ends there.";
  const [at, told] =
    measured === null
      ? [
          ` with ${layers ? layersInWords(layers) : "all layers"} and nothing kept`,
          " That does not hold for what the slider moves now.",
        ]
      : ["", line];
  const found = `${signed(effect)} sd of its score${interval}`;
  return `At ${signed(distance, 1)} ${unit}${at}, re-scoring found ${found}.${told}${doubt}`;
}

/** The distance as a number: one outside the slider's ends too. */
function createDistance(facts, changed) {
  const input = h("input", { type: "number", step: "any", min: -MOST, max: MOST, autocomplete: "off" });
  let now = 0;
  input.addEventListener("change", () => {
    if (input.value !== "" && input.checkValidity()) changed(Number(input.value));
    else input.value = now;
  });
  return {
    element: field("Distance", input),
    show(by) {
      now = by;
      if (document.activeElement !== input || Number(input.value) !== by) input.value = by;
    },
  };
}

/** The layers that are moved, as text that the server checks. */
function createLayers({ link, run, report }, facts, changed) {
  const fault = h("p", { class: "wrong", id: newId("wrong"), role: "alert" });
  const names = h(
    "datalist",
    { id: newId("groups") },
    ...Object.keys(run.groups ?? {}).map((name) => h("option", { value: name })),
  );
  const input = h("input", {
    type: "text",
    list: names.id,
    placeholder: "all",
    autocomplete: "off",
    spellcheck: "false",
    "aria-describedby": fault.id,
  });
  const say = (sentence) => {
    fault.textContent = sentence;
    input.setAttribute("aria-invalid", String(sentence !== ""));
  };
  input.addEventListener("change", async () => {
    const text = input.value.trim();
    try {
      if (text) await link.ask("layers", { text });
      say("");
      changed(text || null);
    } catch (error) {
      if (error instanceof Refused) say(error.message);
      else report(error);
    }
  });
  return {
    element: h("div", {}, field("Layers", input), names, fault),
    show(text) {
      if (document.activeElement !== input) input.value = text;
    },
  };
}

/** The directions whose concepts are to stay: they are projected out of this one. */
function createKeep(run, facts, changed) {
  const boxes = run.sliders
    .filter(({ along, column }) => along !== facts.along && column !== facts.column)
    .map((other) => {
      const input = h("input", { type: "checkbox", value: other.along });
      return { input, element: h("label", { class: "check" }, input, other.words) };
    });
  const chosen = () => boxes.filter(({ input }) => input.checked).map(({ input }) => input.value);
  for (const { input } of boxes) input.addEventListener("change", () => changed(chosen()));
  return {
    element: h("fieldset", {}, h("legend", {}, "Keep as it is"), ...boxes.map(({ element }) => element)),
    show(names) {
      for (const { input } of boxes) input.checked = names.includes(input.value);
    },
  };
}
