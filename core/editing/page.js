(() => {
  for (const strip of document.querySelectorAll(".strip")) {
    const slider = strip.querySelector("input"), output = strip.querySelector("output"), pairs = strip.querySelector(".pairs");
    const heads = [...strip.querySelectorAll("table.frames thead th")].slice(2).map((head) => head.textContent);
    // The pictures are in the table; the viewer shows them again beside each other, without a second copy in the page.
    const shown = [...strip.querySelectorAll("table.frames tbody tr")].map((row) => {
      const cells = [...row.querySelectorAll("td")], pair = document.createElement("div"), both = document.createElement("div"), edited = document.createElement("div");
      const title = document.createElement("h4"), before = document.createElement("div");
      title.textContent = row.querySelector("th").textContent;
      before.append(...[...cells[0].children].map((child) => child.cloneNode(true)));
      both.append(before, edited);
      pair.className = "pair";
      pair.append(title, both);
      pairs.append(pair);
      return { edited, cells: cells.slice(1) };
    });
    const show = () => {
      const step = +slider.value;
      output.textContent = heads[step];
      slider.setAttribute("aria-valuetext", heads[step]);
      for (const { edited, cells } of shown) edited.replaceChildren(...[...cells[step].children].map((child) => child.cloneNode(true)));
    };
    slider.addEventListener("input", show);
    strip.querySelector(".viewer").hidden = false;
    show();
  }
})();
