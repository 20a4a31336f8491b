/**
 * Masks: one byte per pixel, the number of a class, or UNPAINTED. Nothing here knows of the page, but `encode` and
 * `labelsOf`, which borrow a canvas.
 */

/** What a pixel of a mask holds where nothing was painted. */
export const UNPAINTED = 255;

/** Return a mask of some size on which nothing is painted. */
export function blank(width, height) {
  return new Uint8Array(width * height).fill(UNPAINTED);
}

/**
 * Paint a disc into a mask.
 *
 * @param {Uint8Array} mask (height x width), changed in place.
 * @param {{width: number, height: number}} size
 * @param {{x: number, y: number}} at the pixel in the middle.
 * @param {number} diameter px; 1 paints one pixel.
 * @param {number} value a class, or UNPAINTED to erase.
 */
export function stamp(mask, { width, height }, at, diameter, value) {
  const radius = diameter / 2;
  const reach = Math.ceil(radius);
  for (let y = Math.max(0, at.y - reach); y <= Math.min(height - 1, at.y + reach); y += 1) {
    for (let x = Math.max(0, at.x - reach); x <= Math.min(width - 1, at.x + reach); x += 1) {
      if ((x - at.x) ** 2 + (y - at.y) ** 2 < radius ** 2 || (x === at.x && y === at.y)) mask[y * width + x] = value;
    }
  }
}

/** Paint discs from one pixel to another, without gaps; see `stamp`. */
export function line(mask, size, from, to, diameter, value) {
  const steps = Math.max(1, Math.abs(to.x - from.x), Math.abs(to.y - from.y));
  for (let step = 0; step <= steps; step += 1) {
    const share = step / steps;
    const at = { x: Math.round(from.x + share * (to.x - from.x)), y: Math.round(from.y + share * (to.y - from.y)) };
    stamp(mask, size, at, diameter, value);
  }
}

/**
 * Fill the region around a pixel: the pixels connected to it, side by side, that look as it does.
 *
 * @param {Uint8Array} mask changed in place.
 * @param {Uint8Array | null} labels what is seen where nothing is painted, of the same size.
 * @param {{width: number, height: number}} size
 * @param {{x: number, y: number}} at
 * @param {number} value a class, or UNPAINTED to erase.
 */
export function fill(mask, labels, { width, height }, at, value) {
  const seen = mask.map((one, place) => (one === UNPAINTED && labels ? labels[place] : one));
  const start = at.y * width + at.x;
  const wanted = seen[start];
  const done = new Uint8Array(mask.length);
  const open = [start];
  done[start] = 1;
  while (open.length) {
    const place = open.pop();
    const x = place % width;
    mask[place] = value;
    for (const next of [x > 0 ? place - 1 : -1, x < width - 1 ? place + 1 : -1, place - width, place + width]) {
      if (next < 0 || next >= mask.length || done[next] || seen[next] !== wanted) continue;
      done[next] = 1;
      open.push(next);
    }
  }
}

/** Return whether two masks are the same. */
export function same(one, other) {
  return one.length === other.length && one.every((value, place) => value === other[place]);
}

/**
 * Read the labels off a picture of a segmentation, in which each class has a colour.
 *
 * @param {ImageBitmap | HTMLImageElement} picture
 * @param {string[]} colours of the classes, "#rrggbb".
 * @returns {Uint8Array} the class of each pixel; UNPAINTED for another colour.
 */
export function labelsOf(picture, colours) {
  const { width, height } = picture;
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  const classes = new Map(colours.map((colour, index) => [parseInt(colour.slice(1), 16), index]));
  return Uint8Array.from({ length: width * height }, (_, place) => {
    const colour = (data[4 * place] << 16) | (data[4 * place + 1] << 8) | data[4 * place + 2];
    return classes.get(colour) ?? UNPAINTED;
  });
}

/**
 * Encode a mask as a PNG whose grey values are its classes, for the server.
 *
 * @param {Uint8Array} mask
 * @param {{width: number, height: number}} size
 * @returns {Promise<string>} the file, in base64.
 */
export async function encode(mask, { width, height }) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const image = new ImageData(width, height);
  mask.forEach((value, place) => image.data.set([value, value, value, 255], 4 * place));
  canvas.getContext("2d").putImageData(image, 0, 0);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  const bytes = new Uint8Array(await blob.arrayBuffer());
  let text = "";
  for (let start = 0; start < bytes.length; start += 8192) text += String.fromCharCode(...bytes.subarray(start, start + 8192));
  return btoa(text);
}
