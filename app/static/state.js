/**
 * The edit: which picture, and how far it is moved along what. It lives in the page; the server is told all
 * of it with each request. Every view reads and changes it here, so that undo, redo and a reload are the same
 * in all.
 *
 * A state is `{picture, truncation, rows}` and is never changed in place. A row is a slider,
 * `{along, by, layers, keep}`; the edit of the wire has those rows that move something.
 */

const MOST_STEPS = 200; // of undo
const SAME_STEP = 800; // ms within which changes of one kind are one step: an arrow key held down
const KEY = "ganstrata.edit";
const START = Object.freeze({ picture: { seed: 0 }, truncation: 1, rows: [] });

/**
 * Return the edit of the wire.
 *
 * @param {object} state a state.
 * @param {string} [moving] name of the row that is being dragged; it is in the edit even at 0.
 * @returns {{edit: object, moving: number | null}} the edit, and which of its moves is dragged.
 */
export function editOf(state, moving = "") {
  const rows = state.rows.filter((row) => row.by !== 0 || row.along === moving);
  const index = rows.findIndex((row) => row.along === moving);
  return {
    edit: {
      picture: state.picture,
      truncation: state.truncation,
      moves: rows.map(({ along, by, layers, keep }) => ({ along, by, layers: layers || null, keep })),
    },
    moving: index < 0 ? null : index,
  };
}

/**
 * Make the state.
 *
 * @param {Storage} storage where it survives a reload, such as sessionStorage.
 */
export function createState(storage) {
  const listeners = new Set();
  let run = "";
  let now = START;
  let anchor = null; // the state before a drag that is under way
  let past = [];
  let future = [];
  let last = { kind: "", time: 0 };

  function save() {
    try {
      storage.setItem(
        KEY,
        JSON.stringify({ run, now: anchor ?? now, past: past.slice(-40), future: future.slice(-40) }),
      );
    } catch {
      // Storage may be full or forbidden; the edit is then lost by a reload, and by nothing else.
    }
  }

  function tell(why, input = 0, moving = "") {
    for (const listener of [...listeners]) listener(now, { why, input, moving });
  }

  return {
    /** The present state; not to be changed in place. */
    get now() {
      return now;
    },
    get canUndo() {
      return past.length > 0 || anchor !== null;
    },
    get canRedo() {
      return future.length > 0;
    },

    /**
     * Begin with a run: what was left there in this tab, or else a new edit.
     *
     * @param {string} name of the run; an edit of another run is forgotten.
     * @param {object[]} rows those of a new edit.
     * @param {(along: string) => boolean} exists whether a slider of this name is there.
     */
    begin(name, rows, exists) {
      run = name;
      let saved = null;
      try {
        saved = JSON.parse(storage.getItem(KEY) ?? "null");
      } catch {
        saved = null;
      }
      const fits = (state) => state?.rows?.every((row) => exists(row.along));
      if (saved?.run === name && fits(saved.now)) {
        now = saved.now;
        past = saved.past.filter(fits);
        future = saved.future.filter(fits);
      } else {
        now = { ...START, rows };
        past = [];
        future = [];
      }
      tell("begin");
    },

    /**
     * Change the state.
     *
     * @param {(state: object) => object} change returns the new state.
     * @param {object} [how]
     * @param {boolean} [how.hold] whether this is part of a drag: the drag is one step once it ends.
     * @param {string} [how.kind] changes of one kind that follow each other quickly are one step.
     * @param {number} [how.input] when the event was that asks for it.
     * @param {string} [how.moving] name of the row that is dragged.
     */
    set(change, { hold = false, kind = "", input = 0, moving = "" } = {}) {
      const before = anchor ?? now;
      now = change(now);
      if (hold) {
        anchor = before;
      } else {
        anchor = null;
        const time = performance.now();
        const joins = kind !== "" && kind === last.kind && time - last.time < SAME_STEP && past.length > 0;
        if (now !== before && !joins) past = [...past, before].slice(-MOST_STEPS);
        if (now !== before) future = [];
        last = { kind, time };
        save();
      }
      tell(hold ? "drag" : "change", input, moving);
    },

    /** Go one step back. */
    undo() {
      if (anchor) past = [...past, anchor];
      if (past.length === 0) return;
      future = [...future, now];
      now = past.at(-1);
      past = past.slice(0, -1);
      anchor = null;
      last = { kind: "", time: 0 };
      save();
      tell("undo");
    },

    /** Go one step forward again. */
    redo() {
      if (future.length === 0) return;
      past = [...past, now];
      now = future.at(-1);
      future = future.slice(0, -1);
      anchor = null;
      last = { kind: "", time: 0 };
      save();
      tell("redo");
    },

    /**
     * Listen to changes.
     *
     * @param {(state: object, change: {why: string, input: number, moving: string}) => void} listener `why`
     *   is begin, drag, change, undo or redo.
     * @returns {() => void} stops listening.
     */
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** Return a state with another picture as it is: all sliders are where they change nothing. */
export function withPicture(state, picture) {
  return { picture, truncation: 1, rows: state.rows.map((row) => ({ ...row, by: 0 })) };
}

/** Return a state in which the row of a name differs in some fields. */
export function withRow(state, along, fields) {
  return { ...state, rows: state.rows.map((row) => (row.along === along ? { ...row, ...fields } : row)) };
}
