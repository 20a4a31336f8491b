/**
 * The shell of the page: connection, views, undo and redo, keys, help.
 *
 * A view is registered with `registerView({name, title, enter, leave})`:
 *
 * - `name`: as the server names it in its answer to `hello`, and as it stands in the address, `#paint`.
 * - `title`: as it stands in the navigation.
 * - `enter(root, app)`: fill the empty element `root`. Called each time the view is shown; a view that costs
 *   something to build keeps what it built and appends it again.
 * - `leave()`: stop listening and whatever else goes on. What it left in `root` is removed.
 *
 * and may have:
 *
 * - `keys`: `[[key, what it does], ...]` for the help.
 * - `press(key, down)`: told of single keys outside of text fields; returns whether it knew the key.
 * - `resume()`: the connection is back; ask again for what is on the page.
 *
 * `app` is the same for all views:
 *
 * - `app.link`: `ask`, `askPicture` and `stream` of link.js.
 * - `app.state`: the edit, with undo and redo, of state.js.
 * - `app.run`: what the server said of the run, with the lookups of run.js.
 * - `app.kept()`: pictures that were made in this tab, `[{kept, name, ...}]`; `app.keep(picture)` adds one,
 *   and `app.forget(id)` removes one, here and on the server.
 * - `app.report(error)`: shows what a request was refused for; an error of the connection needs no message.
 * - `app.go(name)`: shows another view.
 *
 * To add a view: write its module, import it here, and register it below.
 */

import { annotate } from "./annotate.js";
import { directions } from "./directions.js";
import { explore } from "./explore.js";
import { Dropped, Lost, Refused, createLink } from "./link.js";
import { paint } from "./paint.js";
import { photograph } from "./photograph.js";
import { readRun, rowOf } from "./run.js";
import { claimSession, keepSession, sessionId } from "./session.js";
import { createState } from "./state.js";
import { takeHome } from "./take_home.js";
import { dialog, h, icon, toast } from "./widgets.js";

const TITLES = {
  explore: "Explore",
  paint: "Paint",
  photograph: "Photograph",
  annotate: "Annotate",
  directions: "Directions",
  take_home: "Take home",
};
const KEYS_OFF = "ganstrata.keys-off";

const views = new Map();
const $ = (id) => document.getElementById(id);
const state = createState(sessionStorage);
const link = createLink({ address, onStatus, onComplaint: complain });
const app = {
  link,
  state,
  run: null,
  kept: () => kept,
  keep,
  forget,
  report,
  go: (name) => (location.hash = name),
};
let kept = [];
let current = null;

/** Register a view; see the top of this file. */
export function registerView(view) {
  views.set(view.name, view);
}

registerView(explore);
registerView(paint);
registerView(annotate);
registerView(takeHome);
registerView(photograph);
registerView(directions);

function address() {
  const url = new URL("socket", document.baseURI);
  url.protocol = url.protocol.replace("http", "ws");
  url.hash = "";
  url.searchParams.set("session", sessionId());
  return url.href;
}

function report(error) {
  if (error instanceof Lost || error instanceof Dropped) return;
  toast(error.message, "error");
  if (!(error instanceof Refused)) console.error(error);
}

function keep(picture) {
  kept = [...kept.filter((one) => one.kept !== picture.kept), picture];
}

function forget(id) {
  kept = kept.filter((one) => one.kept !== id);
  link.ask("forget", { kept: id }).catch(report);
}

/* ---- connection ---- */

const STATUS = {
  open: "Connected",
  connecting: "Connecting",
  waiting: "Not connected",
  replaced: "Open in another tab",
};
let countdown = 0;
let failures = 0; // attempts to connect since the server last answered
let complaint = ""; // why it does not, if it said so
let unknown = false; // whether it has told this browser, since then, that it needs another token

function onStatus({ state: now, until }) {
  clearInterval(countdown);
  const place = $("connection");
  place.dataset.state = now;
  place.textContent = STATUS[now];
  place.title = "";
  if (now === "open") hello();
  if (now === "replaced") offerReturn();
  if (now !== "waiting") return;
  failures += 1;
  const say = () => {
    const again = `Trying again in ${Math.max(0, Math.ceil((until - performance.now()) / 1000))} s.`;
    const cause = failures > 1 ? "Is `ganstrata app` still running?" : "";
    if (app.run === null)
      $("opening-text").textContent =
        `${complaint || `The server of this page does not answer. ${cause}`} ${again}`;
    place.title = again;
  };
  say();
  countdown = setInterval(say, 500);
  if (failures === 1 && app.run)
    toast("The connection to the server was lost. Your edit is kept, and the page connects again by itself.");
  if (failures > 1 && !unknown) askForToken();
}

/** Say so if the server answers, but knows this browser no more: one that was started again has another token. */
async function askForToken() {
  if (!(await tokenIsNeeded())) return;
  unknown = true;
  complain(
    "The server was started again, and needs its new token. Open the whole address that it printed, here in " +
      "this tab: your edit is kept.",
  );
}

function offerReturn() {
  const back = h("button", { type: "button", class: "primary" }, "Continue in this tab");
  const box = dialog(
    "Open in another tab",
    h("p", {}, "What you made in this tab is now shown in a copy of it."),
    back,
  );
  back.addEventListener("click", () => (box.close(), link.connect()));
}

async function hello() {
  try {
    if (app.run === null) $("opening-text").textContent = "Opening the run.";
    const answer = await link.ask("hello");
    keepSession(answer.session);
    failures = 0;
    complaint = "";
    unknown = false;
    kept = answer.kept;
    if (app.run === null) begin(answer);
    else if (readRun(answer).id !== app.run.id)
      location.reload(); // another run is served there now
    else current?.resume?.();
  } catch (error) {
    if (error instanceof Lost) return;
    complain(error.message);
  }
}

function complain(sentence) {
  complaint = sentence;
  if (app.run === null) $("opening-text").textContent = sentence;
  else toast(sentence, "error");
}

function begin(answer) {
  app.run = readRun(answer);
  $("run-name").textContent = answer.run.name;
  document.title = `${answer.run.name} · ganstrata`;
  for (const sentence of app.run.differences) toast(sentence);
  state.begin(app.run.id, app.run.verified.map(rowOf), (along) => app.run.sliderOf(along) !== undefined);
  showViews();
  route();
}

/* ---- views ---- */

function whyNot(name) {
  if (!views.has(name)) return "This version of the page does not have this view.";
  return app.run.views[name] ?? "";
}

function showViews() {
  $("views").replaceChildren(
    ...Object.entries(TITLES).map(([name, title]) => {
      const reason = whyNot(name);
      return h(
        "a",
        {
          href: `#${name}`,
          "data-view": name,
          "data-title": title,
          title: reason || null,
          "aria-disabled": reason ? "true" : null,
        },
        title,
      );
    }),
  );
}

function route() {
  if (app.run === null) return;
  const wanted = location.hash.slice(1);
  if (wanted === "view" && current) return; // the link that skips the header
  const name = wanted in TITLES ? wanted : "explore";
  for (const one of $("views").children) {
    if (one.dataset.view === name) one.setAttribute("aria-current", "page");
    else one.removeAttribute("aria-current");
  }
  current?.leave();
  const reason = whyNot(name);
  current = reason ? null : views.get(name);
  const root = $("view");
  root.dataset.view = name;
  if (current) {
    root.replaceChildren();
    current.enter(root, app);
  } else {
    root.replaceChildren(
      h("section", { class: "unavailable" }, h("h2", {}, TITLES[name]), h("p", {}, reason)),
    );
  }
}

/* ---- undo, keys, help ---- */

const asKey = ([key, words]) => [h("kbd", {}, key), words];

function help() {
  const rows = (list) =>
    list.map(([key, words]) => h("tr", {}, h("th", { scope: "row" }, key), h("td", {}, words)));
  const table = (title, list) =>
    h("table", { class: "keys" }, h("caption", {}, title), h("tbody", {}, ...rows(list)));
  const off = h("input", {
    type: "checkbox",
    onchange: () => localStorage.setItem(KEYS_OFF, off.checked ? "1" : ""),
  });
  off.checked = Boolean(localStorage.getItem(KEYS_OFF));
  const { family, height, width, layers, samples, device, unit } = app.run ?? {};
  dialog(
    "Keys and help",
    table(
      "Everywhere",
      [
        ["Ctrl+Z", "Undo"],
        ["Ctrl+Shift+Z", "Redo"],
        ["?", "This help"],
      ].map(asKey),
    ),
    current?.keys && table(current.title, current.keys.map(asKey)),
    app.run &&
      table("This run", [
        ["Model", `${family}, ${layers} layers, pictures of ${width} × ${height} pixels, on ${device}`],
        ["Samples", samples.toLocaleString("en")],
        ["Sliders", `In ${unit}`],
        ...app.run.differences.map((one) => ["Since then", one]),
      ]),
    h("label", { class: "check" }, off, "Switch single keys off (they may be in the way of speech input)"),
  );
}

const TYPING = "input:not([type=range], [type=checkbox], [type=radio]), select, textarea";

function onKey(event) {
  const down = event.type === "keydown";
  const command = event.ctrlKey || event.metaKey;
  if (event.defaultPrevented || document.querySelector("dialog[open]") || event.target.matches(TYPING))
    return;
  const key = event.key.toLowerCase();
  if (command && !event.altKey) {
    if (!down || (key !== "z" && key !== "y")) return;
    event.preventDefault();
    if (key === "y" || event.shiftKey) state.redo();
    else state.undo();
    return;
  }
  if (command || event.altKey || localStorage.getItem(KEYS_OFF)) return;
  if (event.repeat) return; // a key held down is pressed once
  if (down && key === "?") help();
  else if (!current?.press?.(key, down)) return;
  event.preventDefault();
}

state.subscribe(() => {
  $("undo").disabled = !state.canUndo;
  $("redo").disabled = !state.canRedo;
});
$("undo").append(icon("undo"));
$("redo").append(icon("redo"));
$("help").append("?");
$("undo").addEventListener("click", () => state.undo());
$("redo").addEventListener("click", () => state.redo());
$("help").addEventListener("click", help);
$("undo").title = "Undo (Ctrl+Z)";
$("redo").title = "Redo (Ctrl+Shift+Z)";
$("help").title = "Keys and help (?)";
addEventListener("keydown", onKey);
addEventListener("keyup", onKey);
addEventListener("hashchange", () => (hasToken() ? handInToken().then(begun) : route()));
addEventListener("blur", () => current?.press?.("b", false)); // the key may be let go in another window

/** What tests and the curious may read: `latency`, ms from input to picture, the newest last. */
window.ganstrata = { latency: link.latency };

const hasToken = () => location.hash.startsWith("#token=");

/**
 * Hand in the token of the address, where the server needs one; it answers with a cookie that no script can
 * read.
 *
 * @returns {Promise<boolean>} whether this browser may speak to the server, as far as is known.
 */
async function handInToken() {
  const token = hasToken() ? location.hash.slice("#token=".length) : "";
  if (hasToken()) history.replaceState(null, "", location.pathname);
  return !(await tokenIsNeeded(token));
}

/** Return whether the server needs a token that this browser has not, once it has been told this one. */
async function tokenIsNeeded(token = "") {
  try {
    const answer = await fetch("token", { method: "POST", body: token });
    return (await answer.json()).needed;
  } catch {
    return false; // it does not answer, which is told where the page connects
  }
}

function begun(mayConnect) {
  if (mayConnect) return link.connect();
  $("opening").querySelector(".spinner")?.remove();
  $("connection").textContent = "Not connected";
  complain(
    "This server needs a token. Open the whole address that `ganstrata app` printed, with what follows #.",
  );
}

Promise.all([claimSession(), handInToken()]).then(([, mayConnect]) => begun(mayConnect));
