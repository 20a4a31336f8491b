/** Pictures, and classes over them, on canvases. */

import { UNPAINTED } from "./masks.js";
import { h } from "./widgets.js";

/**
 * Draw a picture on a canvas, which takes its size.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {ImageBitmap | HTMLImageElement | HTMLCanvasElement} picture
 * @returns {HTMLCanvasElement} the canvas.
 */
export function drawOn(canvas, picture) {
  const { width, height } = picture;
  const context = canvas.getContext("2d");
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  else context.clearRect(0, 0, width, height); // quicker than the same size once more, which clears it too
  context.drawImage(picture, 0, 0);
  return canvas;
}

/** Make a canvas for a picture that comes later; `words` are for who cannot see it. */
export function pictureCanvas(words, attributes = {}) {
  return h("canvas", { width: 1, height: 1, role: "img", "aria-label": words, ...attributes });
}

/** Return red, green and blue, 0 to 255, of a colour "#rrggbb". */
export function rgbOf(colour) {
  return [1, 3, 5].map((from) => parseInt(colour.slice(from, from + 2), 16));
}

/**
 * Return what lies over a picture: a colour for each pixel of a mask, and nothing where no class is.
 *
 * @param {{width: number, height: number}} size
 * @param {number[][]} colours of the classes, as `rgbOf` has them.
 * @param {Uint8Array} mask
 * @param {number} alpha 0 to 255, of what the mask has.
 * @param {{labels?: Uint8Array | null, faint?: number}} [below] classes that are seen where the mask has
 *   none, and their alpha.
 * @returns {ImageData}
 */
export function layerOf({ width, height }, colours, mask, alpha, { labels = null, faint = 0 } = {}) {
  const image = new ImageData(width, height);
  for (let place = 0; place < mask.length; place += 1) {
    const painted = mask[place] !== UNPAINTED;
    const colour = colours[painted ? mask[place] : labels?.[place]];
    if (colour) image.data.set([...colour, painted ? alpha : faint], 4 * place);
  }
  return image;
}
