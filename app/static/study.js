/**
 * The user study: its pictures, and votes.
 *
 * The page of a study brings a script of its own, which the policy of this page refuses. So its questions are
 * shown here; the file of votes is the one that the page would save. What a row shows is not known here
 * either.
 */

import { Refused } from "./link.js";
import { saveFile } from "./session.js";
import { h, newId } from "./widgets.js";

/**
 * Make the study.
 *
 * @param {object} app what main.js gives each view.
 * @param {() => void} onBack called to go back.
 * @returns {{element: HTMLElement, begin: () => Promise<boolean>}} `begin()` says whether there is a study.
 */
export function createStudy({ link, report }, onBack) {
  const title = h("h2", { id: newId("study"), tabindex: -1 });
  const status = h("p", { class: "hint", role: "status" });
  const bar = h("progress", { max: 1, value: 0, "aria-label": "Questions with a vote" });
  const rows = h("div", { class: "rows", role: "group", "aria-labelledby": title.id });
  const none = h(
    "button",
    { type: "button", onclick: () => vote("none") },
    h("kbd", {}, "0"),
    "None of them",
  );
  const back = h("button", { type: "button", onclick: () => go(place - 1) }, "Previous");
  const next = h("button", { type: "button", onclick: () => go(place + 1) }, "Next");
  const save = h(
    "button",
    { type: "button", class: "primary", onclick: saveVotes },
    "Save the votes as a file",
  );
  const element = h(
    "section",
    { class: "study", "aria-labelledby": title.id },
    h(
      "div",
      { class: "row" },
      h("button", { type: "button", class: "quiet", onclick: onBack }, "Back to Annotate"),
      save,
    ),
    title,
    h(
      "p",
      { class: "hint" },
      "Each row shows the same picture, edited in another way: in the middle as it was, less to the left, " +
        "more to the right. Choose the row in which what is asked for changes most clearly while the rest " +
        "stays.",
    ),
    h("div", { class: "line" }, status, bar),
    h(
      "div",
      { class: "heads", "aria-hidden": "true" },
      h("span", {}, "less"),
      h("span", {}, "original"),
      h("span", {}, "more"),
    ),
    rows,
    h("div", { class: "row" }, back, none, next),
  );
  let asked = null; // the study: {study, questions}
  let kept = null; // {rater, order, votes}
  let place = 0;
  let turn = 0;

  const store = () => `ganstrata study ${asked.study}`; // as the study's own page has it
  const question = () => asked.questions[kept.order[place]];

  function load() {
    try {
      const found = JSON.parse(localStorage.getItem(store()));
      if (found?.order?.length === asked.questions.length && /^[0-9a-f]{16}$/.test(found.rater)) return found;
    } catch {
      // Then it begins anew.
    }
    const numbers = crypto.getRandomValues(new Uint8Array(8));
    const rater = [...numbers].map((one) => one.toString(16).padStart(2, "0")).join("");
    const order = asked.questions.map((_, index) => index);
    for (let i = order.length - 1; i > 0; i -= 1) {
      const j = crypto.getRandomValues(new Uint32Array(1))[0] % (i + 1); // Fisher and Yates
      [order[i], order[j]] = [order[j], order[i]];
    }
    return { rater, order, votes: {} };
  }

  async function begin() {
    if (asked) return true;
    const answer = await link.ask("study");
    if (!answer.study) return false;
    asked = answer;
    kept = load();
    const open = kept.order.findIndex((index) => kept.votes[asked.questions[index].id] === undefined);
    await go(open < 0 ? 0 : open, false);
    return true;
  }

  async function go(wanted, focus = true) {
    if (wanted < 0 || wanted >= asked.questions.length) return;
    place = wanted;
    const mine = ++turn;
    const { words, id, rows: count } = question();
    title.textContent = `What should change: ${words}`;
    const images = Array.from({ length: count }, (_, row) =>
      h("img", { alt: `Row ${row + 1}`, draggable: "false" }),
    );
    rows.replaceChildren(
      ...images.map((image, row) =>
        h("button", { type: "button", onclick: () => vote(row) }, h("kbd", {}, String(row + 1)), image),
      ),
    );
    show();
    if (focus) title.focus({ preventScroll: true });
    const addresses = [];
    try {
      await link.ask(
        "study_rows",
        { question: kept.order[place] },
        {
          onPicture: ({ header, blob }) => {
            if (mine !== turn) return;
            addresses.push(URL.createObjectURL(blob));
            images[header.row].src = addresses.at(-1);
          },
        },
      );
      await Promise.all(images.map((image) => image.decode().catch(() => {})));
    } catch (error) {
      if (error instanceof Refused) report(error);
    }
    for (const address of addresses) URL.revokeObjectURL(address);
    return id;
  }

  function show() {
    const vote = kept.votes[question().id];
    const done = Object.keys(kept.votes).length;
    [...rows.children].forEach((button, row) => button.setAttribute("aria-pressed", String(vote === row)));
    none.setAttribute("aria-pressed", String(vote === "none"));
    status.textContent = `Question ${place + 1} of ${asked.questions.length}, ${done} with a vote`;
    bar.value = done / asked.questions.length;
    back.disabled = place === 0;
    next.disabled = place + 1 === asked.questions.length;
    save.disabled = done === 0;
  }

  function vote(choice) {
    kept.votes[question().id] = choice;
    try {
      localStorage.setItem(store(), JSON.stringify(kept));
    } catch {
      // Then the votes last as long as this page.
    }
    show();
    const from = place;
    // Long enough to see what was chosen.
    setTimeout(() => place === from && go(place + 1), 250);
  }

  async function saveVotes() {
    try {
      saveFile(await link.ask("votes_file", { rater: kept.rater, votes: kept.votes }));
    } catch (error) {
      report(error);
    }
  }

  element.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const number = /^[0-9]$/.test(event.key) ? Number(event.key) : -1;
    if (number === 0) vote("none");
    else if (number > 0 && number <= question().rows) vote(number - 1);
    else if (event.key === "ArrowLeft") go(place - 1);
    else if (event.key === "ArrowRight") go(place + 1);
    else return;
    event.preventDefault();
  });

  return { element, begin };
}
