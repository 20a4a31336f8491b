/**
 * How far a picture that was inverted is to be trusted: in words, and by what is usual for the generator's
 * own.
 */

import { Dropped } from "./link.js";
import { h, progressStrip } from "./widgets.js";

/** Make the words; `button` comes below them, or null. */
export function trustInWords(trust, button) {
  const warned = trust.warning && (trust.warning.code || trust.warning.error);
  return h(
    "div",
    { class: "trust" },
    h("h3", {}, "How far to trust it"),
    trust.warning
      ? h(
          "p",
          { class: warned ? "warned" : "" },
          h("strong", {}, warned ? "Warning. " : "No warning. "),
          trust.warning.words,
        )
      : null,
    trust.alarms ? h("p", { class: "hint" }, trust.alarms) : null,
    h("p", {}, trust.words),
    trust.why_no_warning ? h("p", { class: "hint" }, trust.why_no_warning) : null,
    button,
  );
}

/**
 * Invert the generator's own pictures piece by piece, for the warning, until there are enough or somebody
 * stops it.
 *
 * @param {object} app what main.js gives each view.
 * @param {(found: object) => void} onFacts told what is known now of the picture for which it is done.
 * @returns {{element: HTMLElement, busy: boolean, begin: (found: object) => Promise<void>, stop: () => void}}
 */
export function createTrusting({ link, report }, onFacts) {
  const element = h("div", { class: "job" });
  let number = 0; // n of the piece that is under way; 0 for none
  let wanted = null; // the picture for which it is done

  function stop() {
    wanted = null;
    if (number) link.ask("stop", { job: number }).catch(report);
  }

  return {
    element,
    get busy() {
      return wanted !== null;
    },
    stop,
    async begin(found) {
      const mine = found;
      wanted = mine;
      const strip = progressStrip(
        "Inverting pictures of the generator itself, to know what is usual; once for this way of inverting",
        stop,
      );
      element.replaceChildren(strip.element);
      try {
        for (let left = Infinity; left && wanted === mine;) {
          const asked = link.ask("judge", { kept: found.kept }, { onProgress: strip.show });
          number = asked.n;
          const answer = await asked;
          number = 0;
          left = answer.left;
          if (left === 0) {
            wanted = null;
            onFacts({ kept: found.kept, ...answer });
          }
        }
        element.replaceChildren();
      } catch (error) {
        number = 0;
        const again = wanted === null;
        if (wanted === mine) wanted = null;
        strip.end(
          again || error instanceof Dropped
            ? "Stopped. What was inverted so far counts when it goes on."
            : error.message,
        );
        report(error);
      }
    },
  };
}
