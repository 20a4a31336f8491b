/** The view Explore: choose a picture, drag sliders, and see at once what the edit changes. */

import { createEffects } from "./effects.js";
import { Refused } from "./link.js";
import { createMoves } from "./moves.js";
import { pictureInWords, samePicture } from "./run.js";
import { createSamples } from "./samples.js";
import { createStage } from "./stage.js";
import { editOf, withRow } from "./state.js";
import { createView } from "./view.js";
import { h, signed, toast } from "./widgets.js";

const NOTHING = [null, new Set()];
const REST = 200; // ms at least from scores to the next while a slider moves
const KEYS = [
  ["B (hold)", "Show the picture before the edit"],
  ["N, P", "Next, previous page of pictures"],
  ["J, K", "Next, previous picture"],
  ["R", "Reset all sliders"],
  ["Arrow keys", "Move a slider by a step, or go from picture to picture"],
  ["Page up, Page down", "Move a slider by a tenth of its range"],
];

/** The view, as `registerView` of main.js takes it. */
export const explore = createView({ name: "explore", title: "Explore", keys: KEYS }, build);

function build(app) {
  const { link, run, state } = app;
  const stage = createStage({ before });
  const moves = createMoves(app);
  const effects = createEffects(run, goTo);
  const samples = createSamples(app, (ref) => state.set((now) => ({ ...now, picture: ref })));
  let dragging = false;
  let kept = null; // the picture before the edit, {key, answer}
  let scored = ""; // the edit whose scores were asked for last
  let scoring = false;
  let due = 0; // when scores may be asked for while a slider moves, on the clock of performance.now()
  let last = NOTHING; // what the bars show
  let placed = ""; // the picture whose places on the sliders are shown, if it was made here
  let idle = true;
  let stop = () => {};

  const frames = link.stream("frame", {
    draw: async (picture, { edit }) => {
      await stage.draw(picture);
      caption(edit);
      if (dragging && performance.now() > due) score({ now: true });
    },
    failed: (error) => stage.fault(error.message),
    idle: (on) => {
      idle = on;
      stage.wait(!on);
      if (on) score();
    },
  });

  function ask({ input = 0, moving = "" } = {}) {
    const { edit, moving: index } = editOf(state.now, moving);
    effects.wait();
    frames.send({ edit, moving: dragging ? index : null, final: !dragging }, input);
  }

  function before() {
    const key = JSON.stringify(state.now.picture);
    if (kept?.key !== key) kept = { key, answer: link.askPicture("before", { picture: state.now.picture }) };
    kept.answer.catch(() => (kept = null)); // so that it is asked for again
    return kept.answer;
  }

  /** Ask where a picture that was made here lies on each slider; a sample lies where samples do. */
  async function place() {
    const picture = state.now.picture;
    const key = picture.kept ?? "";
    if (placed === key) return;
    placed = key;
    moves.showPlaces(null);
    if (!key) return;
    try {
      const { places } = await link.ask("places", { picture });
      if (samePicture(picture, state.now.picture)) moves.showPlaces(places);
    } catch {
      placed = ""; // what is wrong with the picture is said where it would be
      moves.showPlaces(null);
    }
  }

  /**
   * Ask for scores when no frame is awaited: frames come first, and the newest edit alone matters. While a
   * slider moves without rest they are asked for now and then, so that the bars follow, and frames have most
   * of the time.
   */
  async function score({ now = false } = {}) {
    const { edit } = editOf(state.now);
    const key = JSON.stringify(edit);
    if (scoring || !(idle || now)) return;
    if (key === scored) return effects.show(...last, !dragging);
    scoring = true;
    scored = key;
    const begin = performance.now();
    try {
      const { scores, base } = await link.ask("scores", { edit });
      last = [changes(scores, base), new Set(edit.moves.map(({ along }) => run.sliderOf(along)?.column))];
    } catch (error) {
      if (!(error instanceof Refused)) {
        scored = ""; // so that it is asked again with the next frame
        return;
      }
      last = NOTHING;
    } finally {
      scoring = false;
      due = performance.now() + Math.max(REST, 3 * (performance.now() - begin));
    }
    effects.show(...last, !dragging);
    if (JSON.stringify(editOf(state.now).edit) !== key) effects.wait();
    else if (edit.moves.length) before().catch(() => {}); // at hand when somebody holds B
    score();
  }

  /** Return by how much each score changed, in its unit; null where it has no unit or is none. */
  function changes(scores, base) {
    return run.concepts.map(({ unit }, column) => {
      if (scores[column] === null || base[column] === null || !unit) return null;
      return (scores[column] - base[column]) / unit;
    });
  }

  function caption({ picture, moves: list, truncation }) {
    const words = pictureInWords(picture, app.kept());
    const edits = list
      .filter(({ by }) => by)
      .map(({ along, by }) => `${run.sliderOf(along)?.words ?? along} ${signed(by)}`);
    if (truncation !== 1) edits.push(`truncation ${truncation.toFixed(2)}`);
    stage.caption(`${words} · ${run.width} × ${run.height}`);
    stage.label(edits.length ? `${words}, edited: ${edits.join(", ")}` : `${words}, not edited`);
  }

  function goTo(concept) {
    const [slider] = run.slidersOf(concept.column);
    if (slider) moves.reach(slider.along);
    else
      toast(
        `No direction was learnt for ${concept.words}: it is scored, but not among the concepts of ` +
          "the run's config.",
      );
  }

  function follow(now, { why, input, moving }) {
    dragging = why === "drag";
    if (dragging) stage.hold(false);
    moves.show(now);
    samples.show(now.picture);
    ask({ input, moving });
    place();
  }

  function resume() {
    kept = null;
    scored = "";
    samples.refresh();
    ask();
    place();
  }

  return {
    element: h(
      "div",
      { class: "explore" },
      h("div", { class: "look" }, stage.element, samples.element),
      moves.element,
      effects.element,
    ),
    enter() {
      stop = state.subscribe(follow);
      effects.show(...last, true);
      moves.show(state.now);
      samples.show(state.now.picture);
      resume();
    },
    leave() {
      stop();
      stage.hold(false);
    },
    resume,
    press(key, down) {
      if (key === "b") stage.hold(down);
      else if (!down) return false;
      else if (key === "n" || key === "p") samples.turn(key === "n" ? 1 : -1);
      else if (key === "j" || key === "k") samples.step(key === "j" ? 1 : -1);
      else if (key === "r")
        state.set((now) => now.rows.reduce((one, { along }) => withRow(one, along, { by: 0 }), now));
      else return false;
      return true;
    },
  };
}
