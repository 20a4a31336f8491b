/**
 * The one WebSocket of this tab: questions and answers, pictures, and frames of which only the newest
 * matters.
 *
 * What goes over the wire is JSON in text messages. A picture is a binary message: the length of a header in
 * 4 bytes (big-endian), the header as JSON, and the encoded picture. Everything carries the number `n` of the
 * request that it belongs to.
 */

const FIRST_WAIT = 0.5; // s before the first attempt to reconnect; doubled each time
const LONGEST_WAIT = 8; // s
const MOST_LATENCIES = 1000;
const REPLACED = 4001; // code with which the server closes the socket of a tab whose session another one took

/** A sentence of the server on why it refused a request, and the field that it is about ("" for none). */
export class Refused extends Error {
  constructor(sentence, where = "") {
    super(sentence);
    this.where = where;
  }
}

/** The connection went while an answer was awaited. Nobody need be told: the shell shows the connection. */
export class Lost extends Error {}

/** A newer request took the place of this one. */
export class Dropped extends Error {}

/**
 * Read a binary message.
 *
 * @param {ArrayBuffer} message as it came.
 * @returns {{header: object, blob: Blob}} the header, and the encoded picture.
 */
export function readPicture(message) {
  const length = new DataView(message).getUint32(0);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(message, 4, length)));
  return { header, blob: new Blob([new Uint8Array(message, 4 + length)], { type: header.type }) };
}

/**
 * Decode a picture for a canvas.
 *
 * @param {Blob} blob an encoded picture.
 * @returns {Promise<ImageBitmap | HTMLImageElement>}
 */
export async function decode(blob) {
  if ("createImageBitmap" in window) return createImageBitmap(blob);
  const address = URL.createObjectURL(blob);
  try {
    const image = new Image();
    image.src = address;
    await image.decode();
    return image;
  } finally {
    URL.revokeObjectURL(address);
  }
}

/**
 * Make the link. It connects at once, and again by itself whenever the connection is lost.
 *
 * @param {object} given
 * @param {() => string} given.address returns the address of the socket, with the session in it.
 * @param {(status: {state: string, until?: number}) => void} given.onStatus told whenever the connection
 *   changes: "connecting", "open", "waiting", or "replaced". `until` is when the next attempt is made, on
 *   performance.now()'s clock. After "replaced", another tab has the session, and `connect` is for the user
 *   to ask for.
 * @param {(sentence: string) => void} given.onComplaint told what the server says about no request in
 *   particular.
 */
export function createLink({ address, onStatus, onComplaint }) {
  const latency = []; // ms from an input event to the drawn picture, the newest last
  const pending = new Map(); // n -> what is done with an answer
  const streams = [];
  let socket = null;
  let n = 0;
  let wait = FIRST_WAIT;
  let timer = 0;

  function connect() {
    clearTimeout(timer);
    if (socket && socket.readyState <= WebSocket.OPEN) return;
    onStatus({ state: "connecting" });
    const opened = new WebSocket(address());
    socket = opened;
    opened.binaryType = "arraybuffer";
    opened.onopen = () => onStatus({ state: "open" });
    opened.onmessage = ({ data }) => (typeof data === "string" ? answered(JSON.parse(data)) : pictured(data));
    opened.onclose = ({ code }) => {
      if (opened !== socket) return;
      const waiting = [...pending.values()];
      pending.clear();
      for (const stream of streams) stream.reset();
      for (const { reject } of waiting) reject(new Lost("The connection to the server was lost."));
      if (code === REPLACED) return onStatus({ state: "replaced" });
      // A little chance keeps ten tabs from knocking at the same moment.
      const seconds = wait * (0.8 + 0.4 * Math.random());
      wait = Math.min(LONGEST_WAIT, wait * 2);
      onStatus({ state: "waiting", until: performance.now() + 1000 * seconds });
      timer = setTimeout(connect, 1000 * seconds);
    };
  }

  function answered(message) {
    if (message.n === null) return void onComplaint(message.error);
    wait = FIRST_WAIT; // a server that opens the socket only to close it again is not asked at once
    const asked = pending.get(message.n);
    if (!asked) return;
    if (message.progress) return void asked.onProgress?.(message.progress);
    pending.delete(message.n);
    if (message.error !== undefined) asked.reject(new Refused(message.error, message.where));
    else if (message.dropped) asked.reject(new Dropped());
    else asked.resolve(message.ok);
  }

  function pictured(data) {
    const picture = readPicture(data);
    pending.get(picture.header.n)?.onPicture?.(picture);
  }

  function post(number, action, fields) {
    socket.send(JSON.stringify({ n: number, do: action, ...fields }));
  }

  /**
   * Ask the server, and wait for its last word.
   *
   * @param {string} action what it is to do.
   * @param {object} [fields] the fields of the request.
   * @param {object} [listeners]
   * @param {(progress: object) => void} [listeners.onProgress] told {step, total}, and loss and text if there
   *   are.
   * @param {(picture: {header: object, blob: Blob}) => void} [listeners.onPicture]
   * @returns {Promise<object> & {n: number}} its answer; `n` is what a request `stop` names.
   *   Rejected with Refused, Lost or Dropped.
   */
  function ask(action, fields = {}, { onProgress, onPicture } = {}) {
    const number = ++n;
    const answer = new Promise((resolve, reject) => {
      if (socket?.readyState !== WebSocket.OPEN)
        return reject(new Lost("There is no connection to the server."));
      pending.set(number, { resolve, reject, onProgress, onPicture });
      post(number, action, fields);
    });
    return Object.assign(answer, { n: number });
  }

  /**
   * Ask for one picture.
   *
   * @returns {Promise<{header: object, blob: Blob}>} the first picture of the answer.
   */
  function askPicture(action, fields = {}) {
    return new Promise((resolve, reject) => {
      ask(action, fields, { onPicture: resolve }).then(
        () => reject(new Refused("The server sent no picture.")), // heard only if none came before
        reject,
      );
    });
  }

  /**
   * Make a stream of pictures of which only the newest matters: one request is under way, and one waits,
   * which a newer one replaces. Each picture is acknowledged once it is drawn, so that a slow page slows the
   * server down.
   *
   * @param {string} action such as "frame".
   * @param {object} given
   * @param {(picture: {header: object, blob: Blob}, fields: object) => Promise<void>} given.draw shows one.
   * @param {(error: Error, fields: object) => void} given.failed told why there is no picture.
   * @param {(idle: boolean) => void} [given.idle] told whether nothing is awaited any more.
   * @returns {{send: (fields: object, input?: number) => void}} `input` is the time of the event that asks
   *   for it, on performance.now()'s clock.
   */
  function stream(action, { draw, failed, idle = () => {} }) {
    let waiting = null;
    let asked = 0; // n of the request that is under way; 0 for none
    let drawing = Promise.resolve();

    function next() {
      if (asked || !waiting || socket?.readyState !== WebSocket.OPEN) return;
      const { fields, input } = waiting;
      const number = ++n;
      waiting = null;
      asked = number;
      pending.set(number, {
        onPicture: (picture) => {
          // A slow model sends a smaller picture ahead of the whole one.
          const ahead = fields.final && !picture.header.final;
          if (!ahead) pending.delete(number);
          // Decoding one after the other keeps the order; the server computes the next one meanwhile.
          drawing = drawing.then(() => shown(picture, fields, input, number));
          if (!ahead) free(number);
        },
        resolve: () => free(number),
        reject: (error) => {
          if (error instanceof Refused) failed(error, fields);
          free(number);
        },
      });
      post(number, action, fields);
    }

    async function shown(picture, fields, input, number) {
      try {
        await draw(picture, fields);
        if (input) latency.push(performance.now() - input);
        if (latency.length > MOST_LATENCIES) latency.shift();
      } catch (error) {
        failed(error, fields);
      }
      if (socket?.readyState === WebSocket.OPEN) post(number, "shown");
    }

    function free(number) {
      if (asked === number) asked = 0;
      next();
      drawing.then(() => asked || waiting || idle(true));
    }

    streams.push({
      reset() {
        waiting = null; // the request that is under way is rejected, which ends it here too
      },
    });
    return {
      send(fields, input = 0) {
        waiting = { fields, input };
        idle(false);
        next();
      },
    };
  }

  addEventListener("online", connect);
  return {
    connect,
    ask,
    askPicture,
    stream,
    latency,
    get isOpen() {
      return socket?.readyState === WebSocket.OPEN;
    },
  };
}
