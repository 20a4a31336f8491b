/** The id under which the server holds what was made in this tab. It survives a reload, and is of one tab. */

const KEY = "ganstrata.session";
const PATIENCE = 500; // ms for the page before a reload to let go of it

/** Return the id; empty in a new tab. */
export function sessionId() {
  return sessionStorage.getItem(KEY) ?? "";
}

/** Save a file that the server holds for this tab; `file` and `name` are of its answer. */
export function saveFile({ file, name }) {
  const link = document.createElement("a");
  link.href = `file/${file}?session=${encodeURIComponent(sessionId())}`;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
}

/** Keep the id that the server gave, and hold it for as long as this page is open. */
export async function keepSession(id) {
  if (id === sessionId() && held === id) return;
  sessionStorage.setItem(KEY, id);
  await hold(id, 0);
}

/**
 * Give up an id that another tab holds. A tab that is duplicated takes its storage along, and the two would
 * fight for one session; where the browser knows no locks (pages that are not of this machine), the older one
 * is told by the server.
 */
export async function claimSession() {
  const id = sessionId();
  if (id && !(await hold(id, PATIENCE))) sessionStorage.removeItem(KEY);
}

let held = "";

async function hold(id, patience) {
  held = id;
  if (!navigator.locks) return true;
  const end = performance.now() + patience;
  for (;;) {
    const got = await new Promise((resolve) => {
      // The lock is let go when the page is: the promise that holds it never ends.
      const keep = (lock) => (resolve(lock !== null), lock && new Promise(() => {}));
      navigator.locks.request(`ganstrata ${id}`, { ifAvailable: true }, keep).catch(() => resolve(true));
    });
    if (got || performance.now() > end) return got;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
