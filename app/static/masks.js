/**
 * Masks: one byte per pixel, the number of a class, or UNPAINTED. Nothing here knows of the page, but
 * `labelsOf`, which borrows a canvas.
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
      if ((x - at.x) ** 2 + (y - at.y) ** 2 < radius ** 2 || (x === at.x && y === at.y))
        mask[y * width + x] = value;
    }
  }
}

/** Paint discs from one pixel to another, without gaps; see `stamp`. */
export function line(mask, size, from, to, diameter, value) {
  const steps = Math.max(1, Math.abs(to.x - from.x), Math.abs(to.y - from.y));
  for (let step = 0; step <= steps; step += 1) {
    const share = step / steps;
    const at = {
      x: Math.round(from.x + share * (to.x - from.x)),
      y: Math.round(from.y + share * (to.y - from.y)),
    };
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
    for (const next of [
      x > 0 ? place - 1 : -1,
      x < width - 1 ? place + 1 : -1,
      place - width,
      place + width,
    ]) {
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

/** Return which part of all pixels each of some classes has in a mask. */
export function sharesOf(mask, classes) {
  const counts = new Array(classes).fill(0);
  for (const value of mask) if (value < classes) counts[value] += 1;
  return counts.map((count) => count / mask.length);
}

/** Return a mask as a short text, for the storage of the page: runs of equal pixels. */
export function pack(mask) {
  const runs = [];
  for (let start = 0; start < mask.length;) {
    let end = start + 1;
    while (end < mask.length && mask[end] === mask[start]) end += 1;
    runs.push(`${mask[start].toString(36)}.${(end - start).toString(36)}`);
    start = end;
  }
  return runs.join(" ");
}

/** Return the mask of a text that `pack` made; null if it has not so many pixels. */
export function unpack(text, pixels) {
  const mask = new Uint8Array(pixels);
  let place = 0;
  for (const run of text.split(" ")) {
    const [value, count] = run.split(".").map((one) => parseInt(one, 36));
    if (!(count > 0) || place + count > pixels) return null;
    mask.fill(value, place, place + count);
    place += count;
  }
  return place === pixels ? mask : null;
}

/**
 * Encode a mask as a PNG whose grey values are its classes, for the server.
 *
 * It is written by hand: browsers that protect from being recognised change what a canvas gives back.
 *
 * @param {Uint8Array} mask
 * @param {{width: number, height: number}} size
 * @returns {Promise<string>} the file, in base64.
 */
export async function encode(mask, { width, height }) {
  const rows = new Uint8Array(height * (width + 1)); // before each row, which filter it has: 0, none
  for (let y = 0; y < height; y += 1)
    rows.set(mask.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  const packed = await new Response(
    new Blob([rows]).stream().pipeThrough(new CompressionStream("deflate")),
  ).arrayBuffer();
  const head = new DataView(new ArrayBuffer(13));
  head.setUint32(0, width);
  head.setUint32(4, height);
  head.setUint8(8, 8); // bits of a pixel; all that follows is 0: grey, not interlaced
  const bytes = [
    ...SIGNATURE,
    ...chunk("IHDR", new Uint8Array(head.buffer)),
    ...chunk("IDAT", new Uint8Array(packed)),
    ...chunk("IEND", new Uint8Array(0)),
  ];
  let text = "";
  for (let start = 0; start < bytes.length; start += 8192)
    text += String.fromCharCode(...bytes.slice(start, start + 8192));
  return btoa(text);
}

const SIGNATURE = "\x89PNG\r\n\x1a\n".split("").map((letter) => letter.charCodeAt(0)); // of a PNG

/** Return a chunk of a PNG: length, kind, data, checksum. */
function chunk(kind, data) {
  const content = new Uint8Array(4 + data.length);
  content.set([...kind].map((letter) => letter.charCodeAt(0)));
  content.set(data, 4);
  return [...bigEndian(data.length), ...content, ...bigEndian(checksum(content))];
}

const bigEndian = (number) => [24, 16, 8, 0].map((shift) => (number >>> shift) & 255);

/** Return the CRC-32 of some bytes, as PNG has it. */
function checksum(bytes) {
  let rest = 0xffffffff;
  for (const byte of bytes) {
    rest ^= byte;
    for (let bit = 0; bit < 8; bit += 1) rest = rest & 1 ? (rest >>> 1) ^ 0xedb88320 : rest >>> 1;
  }
  return ~rest >>> 0;
}
