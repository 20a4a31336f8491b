"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const at = (id) => document.getElementById(id);
  const store = "ganstrata study " + data.study;
  let kept = true; // whether the browser keeps the votes between visits
  let unsaved = false;
  let busy = false;
  let state = load() || fresh();
  let place = 0;

  function fresh() {
    const numbers = crypto.getRandomValues(new Uint8Array(8));
    const rater = Array.from(numbers, (n) => n.toString(16).padStart(2, "0")).join("");
    const order = data.questions.map((_, i) => i);
    for (let i = order.length - 1; i > 0; i--) { // Fisher and Yates
      const j = crypto.getRandomValues(new Uint32Array(1))[0] % (i + 1);
      [order[i], order[j]] = [order[j], order[i]];
    }
    return { rater, order, votes: {} };
  }

  function load() {
    try {
      const found = JSON.parse(localStorage.getItem(store));
      const whole = found && found.order.length === data.questions.length && /^[0-9a-f]{16}$/.test(found.rater);
      return whole ? found : null;
    } catch {
      return null;
    }
  }

  function keep() {
    try {
      localStorage.setItem(store, JSON.stringify(state));
    } catch {
      kept = false;
    }
  }

  const question = () => data.questions[state.order[place]];
  const voted = () => Object.keys(state.votes).length;
  const show = (id) => ["intro", "ask", "end"].forEach((name) => { at(name).hidden = name !== id; });

  function draw() {
    show("ask");
    const asked = question();
    const vote = state.votes[asked.id];
    at("place").textContent = `Question ${place + 1} of ${data.questions.length}, ${voted()} with a vote`;
    at("progress").value = voted();
    const name = document.createElement("b");
    name.textContent = asked.words;
    at("question").replaceChildren("What should change: ", name, ". In which row does it change most clearly, while the rest stays as it is?");
    at("rows").replaceChildren(...asked.rows.map((source, i) => {
      const button = document.createElement("button");
      const key = document.createElement("kbd");
      const image = document.createElement("img");
      button.className = "row choice";
      button.setAttribute("aria-pressed", String(vote === i));
      key.textContent = String(i + 1);
      image.src = source;
      image.alt = `Row ${i + 1}`;
      image.draggable = false;
      button.append(key, image);
      button.addEventListener("click", () => choose(i));
      return button;
    }));
    at("none").setAttribute("aria-pressed", String(vote === "none"));
    at("back").disabled = place === 0;
    at("next").textContent = vote === undefined ? "Skip →" : "Next →";
    at("finish").hidden = voted() === 0;
    at("question").focus({ preventScroll: true });
  }

  function choose(choice) {
    if (busy) return; // the vote before this one is still being shown
    state.votes[question().id] = choice;
    unsaved = true;
    keep();
    [...at("rows").children].forEach((button, i) => button.setAttribute("aria-pressed", String(choice === i)));
    at("none").setAttribute("aria-pressed", String(choice === "none"));
    at("progress").value = voted();
    busy = true;
    setTimeout(() => { busy = false; forward(); }, 220); // long enough to see what was chosen
  }

  function forward() {
    if (place + 1 < data.questions.length) {
      place += 1;
      draw();
    } else {
      end();
    }
  }

  function back() {
    if (place > 0) {
      place -= 1;
      draw();
    }
  }

  function firstOpen() {
    return state.order.findIndex((i) => state.votes[data.questions[i].id] === undefined);
  }

  function end() {
    show("end");
    const missing = data.questions.length - voted();
    at("done").textContent = missing === 0 ? `All ${voted()} questions have your vote.`
      : `${voted()} questions have your vote, ${missing} ${missing === 1 ? "has" : "have"} none. You can save what there is.`;
    at("open").hidden = missing === 0;
    at("thanks").textContent = missing === 0 ? "Thank you" : "Not quite all";
    at("thanks").focus({ preventScroll: true });
  }

  function save() {
    const votes = data.questions.filter((q) => state.votes[q.id] !== undefined).map((q) => ({ question: q.id, choice: state.votes[q.id] }));
    const content = { format: "ganstrata study votes 1", study: data.study, rater: state.rater, saved: new Date().toISOString(), votes };
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([JSON.stringify(content, null, 1)], { type: "application/json" }));
    link.download = `votes-${state.rater}.json`;
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    unsaved = false;
    at("saved").textContent = `Saved as ${link.download}, among your downloads.`;
  }

  at("begin").addEventListener("click", () => {
    const open = firstOpen();
    if (open < 0) {
      end();
    } else {
      place = open;
      draw();
    }
  });
  at("other").addEventListener("click", () => {
    if (confirm("Start over? The votes kept in this browser will be deleted; save them first if you need them.")) {
      state = fresh();
      place = 0;
      keep();
      draw();
    }
  });
  at("none").addEventListener("click", () => choose("none"));
  at("back").addEventListener("click", back);
  at("next").addEventListener("click", forward);
  at("finish").addEventListener("click", end);
  at("save").addEventListener("click", save);
  at("open").addEventListener("click", () => { place = firstOpen(); draw(); });
  at("look").addEventListener("click", () => { place = 0; draw(); });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (at("ask").hidden) {
      if (event.key === "ArrowLeft" && !at("end").hidden) { place = data.questions.length - 1; draw(); }
      return;
    }
    const number = /^[0-9]$/.test(event.key) ? Number(event.key) : -1;
    if (number === 0) choose("none");
    else if (number > 0 && number <= question().rows.length) choose(number - 1);
    else if (event.key === "ArrowLeft") { if (!busy) back(); }
    else if (event.key === "ArrowRight") { if (!busy) forward(); }
    else return;
    event.preventDefault();
  });
  window.addEventListener("beforeunload", (event) => { if (unsaved && !kept) event.preventDefault(); });
  if (voted() > 0) {
    at("begin").textContent = voted() === data.questions.length ? "Go to the end" : `Continue: ${voted()} of ${data.questions.length} questions have your vote`;
    at("other").hidden = false;
  }
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", () => at("begin").focus());
  else at("begin").focus();
})();
