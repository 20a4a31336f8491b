/** The view Directions: what each direction does to a picture, what is known of it, and names for it. */

import { createComparison } from "./comparison.js";
import { createCard } from "./direction_card.js";
import { explore } from "./explore.js";
import { Dropped, Lost, decode } from "./link.js";
import { pictureInWords, rowOf, samePicture, sentence } from "./run.js";
import { saveFile } from "./session.js";
import { createView } from "./view.js";
import { announce, field, h, iconButton, newId, select, toast } from "./widgets.js";

const SIZE = 128; // px of a picture of a strip
const AT_ONCE = 6; // strips of one request

/** The view, as `registerView` of main.js takes it. */
export const directions = createView({ name: "directions", title: "Directions" }, build);

function build(app) {
  const { link, report, run, state } = app;
  const list = h("ol", { class: "directions-list" });
  const count = h("p", { class: "hint", role: "status" });
  const intro = h("p", {});
  const filter = h("input", {
    type: "text",
    placeholder: "name, concept or layer",
    autocomplete: "off",
    oninput: () => show(),
  });
  const which = select(
    [
      ["all", "all"],
      ["verified", "verified by re-scoring"],
      ["named", "named by you"],
    ],
    { onchange: () => show() },
  );
  const picture = createPicture(app, () => restart());
  const names = createNames(app, (all, unknown) => rename(all, unknown));
  const compared = h("div", {});
  const cards = new Map(); // along -> card
  let facts = null;
  let comparison = null;
  let asking = false;
  let shown = false;
  const seen = new Set(); // alongs of the cards that are in sight
  const sight = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting) seen.add(target.dataset.along);
        else seen.delete(target.dataset.along);
      }
      fill();
    },
    { rootMargin: "150px" },
  );

  async function load() {
    try {
      facts = await link.ask("directions");
    } catch (error) {
      if (!(error instanceof Lost || error instanceof Dropped)) report(error);
      return;
    }
    const learnt = facts.rows.length - facts.found;
    intro.textContent = facts.found
      ? `${facts.found} directions were found without labels. ` +
        "Each is called after what it moves beyond chance, strongest first."
      : `This run learnt ${learnt} boundaries from labels. ` +
        "Each is shown with what else it moves beyond chance.";
    sight.disconnect();
    seen.clear();
    cards.clear();
    for (const row of facts.rows) {
      const card = createCard(run, row, facts, {
        onName: (words) => name(row, words),
        onUse: () => use(row),
      });
      cards.set(row.along, card);
    }
    list.replaceChildren(...[...cards.values()].map(({ element }) => element));
    for (const { element } of cards.values()) sight.observe(element);
    comparison = createComparison(
      app,
      facts,
      () => picture.ref,
      (along) => cards.get(along)?.words ?? along,
    );
    compared.replaceChildren(comparison.element);
    rename(facts.names, []);
  }

  function show() {
    if (!facts) return;
    const text = filter.value.trim().toLowerCase();
    let visible = 0;
    for (const row of facts.rows) {
      const card = cards.get(row.along);
      const fits =
        (which.value !== "verified" || row.verified) &&
        (which.value !== "named" || row.along in facts.names) &&
        card.text.includes(text);
      card.element.hidden = !fits;
      visible += fits ? 1 : 0;
    }
    count.textContent =
      visible === facts.rows.length ? `${visible} in all` : `${visible} of ${facts.rows.length}`;
    fill();
  }

  /** Fetch the strips that are in sight and not drawn yet, a few at a time. */
  async function fill() {
    if (asking || !shown || !facts) return;
    const wanted = facts.rows
      .map(({ along }) => along)
      .filter((along) => seen.has(along) && !cards.get(along).element.hidden && !cards.get(along).drawn)
      .slice(0, AT_ONCE);
    if (!wanted.length) return;
    asking = true;
    const ref = picture.ref;
    let again = true;
    try {
      await link.ask(
        "strips",
        { alongs: wanted, picture: ref, size: SIZE },
        {
          onPicture: async ({ header, blob }) => {
            const card = cards.get(wanted[header.ref]);
            const one = await decode(blob);
            if (samePicture(ref, picture.ref)) card.draw(header.column, one);
          },
        },
      );
      if (samePicture(ref, picture.ref)) for (const along of wanted) cards.get(along).drawn = true;
    } catch (error) {
      again = error instanceof Dropped;
      if (!again) report(error);
    } finally {
      asking = false;
    }
    if (again) fill();
  }

  function restart() {
    for (const card of cards.values()) card.drawn = false;
    comparison?.stale();
    fill();
  }

  async function name(row, words) {
    try {
      const answer = await link.ask("name_direction", { along: row.along, words });
      rename(answer.names, []);
      announce(words ? `${row.along} is called ${words}` : `${row.along} has its own name again`);
    } catch (error) {
      report(error);
    }
  }

  function rename(all, unknown) {
    if (!facts) return;
    facts.names = all;
    for (const row of facts.rows) {
      cards.get(row.along).name(all[row.along] ?? "");
      const slider = run.sliderOf(row.along);
      if (slider) slider.words = sentence(all[row.along] ?? slider.plain);
    }
    names.show(Object.keys(all).length);
    comparison?.rename();
    explore.rebuild(); // its sliders have these names
    show();
    if (unknown.length) toast(`Not directions of this run: ${unknown.join(", ")}`);
  }

  function use(row) {
    state.set((now) => {
      const rows = now.rows.some(({ along }) => along === row.along)
        ? now.rows
        : [...now.rows, rowOf(run.sliderOf(row.along))];
      return { ...now, picture: picture.ref, rows };
    });
    app.go("explore");
  }

  return {
    element: h(
      "div",
      { class: "directions" },
      h(
        "div",
        { class: "directions-head" },
        intro,
        h(
          "div",
          { class: "row" },
          picture.element,
          field("Filter", filter),
          field("Show", which),
          names.element,
        ),
        count,
      ),
      h("h2", { class: "unseen" }, "Directions"),
      list,
      compared,
    ),
    enter() {
      shown = true;
      picture.show();
      if (facts) fill();
      else load();
    },
    leave() {
      shown = false;
    },
    resume() {
      if (shown) load();
    },
  };
}

/** The picture that is moved: a fresh one, or the one that is in Explore. */
function createPicture(app, changed) {
  const seed = h("input", {
    type: "number",
    class: "short",
    min: 0,
    max: 999999999,
    step: 1,
    value: 0,
    onchange: () => take({ seed: Math.max(0, Math.floor(Number(seed.value) || 0)) }),
  });
  const words = h("span", { class: "hint" });
  let ref = { seed: 0 };

  function take(next) {
    ref = next;
    if (ref.seed !== undefined) seed.value = ref.seed;
    show();
    changed();
  }

  function show() {
    words.textContent = ref.seed === undefined ? pictureInWords(ref, app.kept()) : "";
  }

  const turn = (by) => take({ seed: Math.max(0, (ref.seed ?? Number(seed.value)) + by) });
  return {
    element: h(
      "div",
      { class: "row" },
      iconButton("previous", "Previous picture", () => turn(-1)),
      field("Seed", seed),
      iconButton("next", "Next picture", () => turn(1)),
      h("button", { type: "button", onclick: () => take(app.state.now.picture) }, "Picture of Explore"),
      words,
    ),
    get ref() {
      return ref;
    },
    show,
  };
}

/** Take names home, and load them again. */
function createNames({ link, report }, onNames) {
  const file = h("input", {
    type: "file",
    accept: ".json,application/json",
    class: "unseen",
    id: newId("names"),
    onchange: load,
  });
  const save = h(
    "button",
    {
      type: "button",
      disabled: true,
      onclick: async () => {
        try {
          saveFile(await link.ask("names_file"));
        } catch (error) {
          report(error);
        }
      },
    },
    "Save names",
  );

  async function load() {
    const chosen = file.files[0];
    file.value = "";
    if (!chosen) return;
    try {
      const { names, unknown } = await link.ask("read_names", {
        content: (await chosen.text()).slice(0, 1_000_000),
      });
      onNames(names, unknown);
    } catch (error) {
      report(error);
    }
  }

  return {
    element: h(
      "div",
      { class: "row" },
      save,
      file,
      h("label", { class: "button", for: file.id }, "Load names"),
    ),
    show(count) {
      save.disabled = count === 0;
    },
  };
}
