/** What all views have in common: each is built when it is first entered, and kept. */

/**
 * Make a view, as `registerView` of main.js takes it.
 *
 * @param {object} given
 * @param {string} given.name as it stands in the address.
 * @param {string} given.title as it stands in the navigation.
 * @param {string[][]} [given.keys] `[[key, what it does], ...]` for the help.
 * @param {(app: object) => object} build makes what is on the page: `element`, `enter()`, and perhaps
 *   `leave()`, `resume()` and `press(key, down)`; `app` is what main.js describes.
 * @returns {object} the view; `rebuild()` has it built anew when it is entered next.
 */
export function createView({ name, title, keys = null }, build) {
  let parts = null;
  let stale = false;
  return {
    name,
    title,
    keys,
    enter(root, app) {
      if (!parts || stale) parts = build(app);
      stale = false;
      root.replaceChildren(parts.element);
      parts.enter();
    },
    leave() {
      parts?.leave?.();
    },
    resume() {
      parts?.resume?.();
    },
    press(key, down) {
      return parts?.press?.(key, down) ?? false;
    },
    /** It may be on the page now: what is there stays until it is left. */
    rebuild() {
      stale = true;
    },
  };
}
