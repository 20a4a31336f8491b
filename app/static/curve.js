/** Draw losses of searches as a curve, with a table of its ends for who cannot see it. */

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [360, 120, 46, 20, 8];

function s(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/**
 * Draw the curves one after the other, on a logarithmic axis.
 *
 * @param {{step: string, losses: [number, number][]}[]} curves step and loss.
 * @param {string} distance what the loss is, in words.
 * @returns {HTMLElement} a figure.
 */
export function lossCurve(curves, distance) {
  let offset = 0;
  const lines = curves.map(({ step, losses }) => {
    const points = losses.map(([at, loss]) => [offset + at, Math.max(loss, 1e-9)]);
    offset = points.at(-1)?.[0] ?? offset;
    return { step, points };
  });
  const every = lines.flatMap(({ points }) => points);
  const logs = every.map(([, loss]) => Math.log10(loss));
  const [low, high] = [Math.min(...logs), Math.max(...logs)];
  const span = Math.max(high - low, 0.1);
  const total = Math.max(1, every.at(-1)[0]);
  const x = (at) => LEFT + ((WIDTH - LEFT - 8) * at) / total;
  const y = (loss) => TOP + ((HEIGHT - TOP - BOTTOM) * (high - Math.log10(loss))) / span;
  const [first, last] = [every[0], every.at(-1)].map(([, loss]) => loss.toPrecision(3));
  const words = `Loss, ${distance}: ${first} at first, ${last} after ${total} steps`;
  const text = (value, at, down, anchor) => s("text", { x: at, y: down, "text-anchor": anchor }, value);
  const drawing = s(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "curve", role: "img", "aria-label": words },
    s("path", { class: "axis", d: `M${LEFT} ${TOP}V${HEIGHT - BOTTOM}H${WIDTH - 8}` }),
    text((10 ** high).toPrecision(2), LEFT - 5, TOP + 4, "end"),
    text((10 ** low).toPrecision(2), LEFT - 5, HEIGHT - BOTTOM, "end"),
    text("0", LEFT, HEIGHT - 6, "middle"),
    text(`${total} steps`, WIDTH - 8, HEIGHT - 6, "end"),
    ...lines.map(({ points }, i) =>
      s("path", {
        class: `line line-${i % 3}`,
        d: points
          .map(([at, loss], k) => `${k ? "L" : "M"}${x(at).toFixed(1)} ${y(loss).toFixed(1)}`)
          .join(""),
      }),
    ),
    // Names stand where curves begin, if there is more than one.
    ...lines
      .filter(({ points }) => points.length && lines.length > 1)
      .map(({ step, points }) => text(step, Math.min(x(points[0][0]) + 10, WIDTH - 70), TOP + 4, "start")),
  );
  const figure = document.createElement("figure");
  const caption = document.createElement("figcaption");
  caption.textContent = words;
  figure.className = "curve-figure";
  figure.append(drawing, caption);
  return figure;
}
