/** A job of the server: a strip that says how far it is, and a button that stops it. One at a time. */

import { Dropped, Lost } from "./link.js";
import { h, progressStrip } from "./widgets.js";

/**
 * Make the place of jobs.
 *
 * @param {object} app what main.js gives each view.
 * @param {(busy: boolean) => void} onBusy told when a job begins and when it ends.
 * @returns {{element: HTMLElement, busy: boolean, say: (words: string) => void, run: Function}}
 *   `run(label, action, fields, {onPicture, inWords})` asks the server; `inWords(answer)` is what the strip
 *   says at the end. It returns the answer, or null if there is none; the reason is on the page then.
 */
export function createJob({ link, report }, onBusy = () => {}) {
  const element = h("div", { class: "job" });
  let busy = false;

  function setBusy(on) {
    busy = on;
    onBusy(on);
  }

  return {
    element,
    get busy() {
      return busy;
    },
    say(words) {
      element.replaceChildren(h("p", { role: "status" }, words));
    },
    async run(label, action, fields = {}, { onPicture, inWords = () => "Done." } = {}) {
      if (busy) return null;
      setBusy(true);
      let job = 0;
      const strip = progressStrip(label, () => link.ask("stop", { job }).catch(report));
      element.replaceChildren(strip.element);
      try {
        const asked = link.ask(action, fields, { onProgress: strip.show, onPicture });
        job = asked.n;
        const answer = await asked;
        strip.end(inWords(answer));
        return answer;
      } catch (error) {
        const lost = "The connection was lost. What is found meanwhile will be among the pictures made here.";
        strip.end(error instanceof Lost ? lost : error instanceof Dropped ? "Stopped." : error.message);
        report(error);
        return null;
      } finally {
        setBusy(false);
      }
    },
  };
}
