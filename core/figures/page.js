(() => {
  const root = document.documentElement, button = document.getElementById("theme");
  const dark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const name = () => { button.textContent = dark() ? "Light" : "Dark"; };
  button.hidden = false;
  name();
  button.addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; name(); });

  for (const card of document.querySelectorAll(".edit[data-steps]")) {
    const steps = +card.dataset.steps, rows = +card.dataset.rows, gap = +card.dataset.gap, width = +card.dataset.width, height = +card.dataset.height;
    // A sheet of n frames is n cells long but for the last gap; percentages are of the window, which shows one frame.
    const length = (n, size) => 100 * (n * (size + gap) - gap) / size, place = (i, n) => (n > 1 ? 100 * i / (n - 1) : 0);
    const sheets = [...card.querySelectorAll(".sheet img")].map((image) => image.src);
    const slider = card.querySelector("input"), choice = card.querySelector("select"), output = card.querySelector("output");
    const windows = [...card.querySelectorAll(".window")], amounts = slider.dataset.amounts.split(",").map(Number);
    const show = () => {
      const step = +slider.value, amount = amounts[step];
      output.textContent = (amount > 0 ? "+" : amount < 0 ? "−" : "") + Math.abs(amount).toFixed(1);
      slider.setAttribute("aria-valuetext", output.textContent);
      windows.forEach((window, row) => {
        window.style.backgroundImage = `url(${sheets[+choice.value]})`;
        window.style.backgroundSize = `${length(steps, width)}% ${length(rows, height)}%`;
        window.style.backgroundPosition = `${place(step, steps)}% ${place(row, rows)}%`;
      });
    };
    slider.addEventListener("input", show);
    choice.addEventListener("change", show);
    card.querySelector(".viewer").hidden = false;
    show();
  }

  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
    const value = (row, column) => {
      const text = row.cells[column].textContent.trim(), number = parseFloat(text.replace("−", "-").replace("e−", "e-"));
      return Number.isNaN(number) ? text : number;
    };
    heads.forEach((head, column) => {
      const press = document.createElement("button");
      press.type = "button";
      press.textContent = head.textContent;
      head.replaceChildren(press);
      press.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") !== "descending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const order = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
        body.append(...[...body.rows].sort((a, b) => (down ? -1 : 1) * order(value(a, column), value(b, column))));
      });
    });
  }

  let closed = [];
  addEventListener("beforeprint", () => { closed = [...document.querySelectorAll("details:not([open])")]; closed.forEach((d) => { d.open = true; }); });
  addEventListener("afterprint", () => closed.forEach((d) => { d.open = false; }));
})();
