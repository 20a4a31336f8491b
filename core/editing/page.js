(() => {
  for (const strip of document.querySelectorAll(".strip")) {
    const slider = strip.querySelector("input"), output = strip.querySelector("output"), pairs = strip.querySelector(".pairs");
    const heads = [...strip.querySelectorAll("table.frames thead th")].slice(2).map((head) => head.textContent);
    // The pictures are in the table; the viewer shows them again beside each other, without a second copy in the page.
    const shown = [...strip.querySelectorAll("table.frames tbody tr")].map((row) => {
      const cells = [...row.querySelectorAll("td")], pair = document.createElement("div"), both = document.createElement("div"), edited = document.createElement("div");
      const title = document.createElement("h3"), before = document.createElement("div");
      title.textContent = row.querySelector("th").textContent;
      before.append(...[...cells[0].children].map((child) => child.cloneNode(true)));
      both.append(before, edited);
      pair.className = "pair";
      pair.append(title, both);
      pairs.append(pair);
      return { edited, cells: cells.slice(1), itself: cells[0] };
    });
    // Pictures of the user are first shown as they are, each at its own distance from the boundary.
    let untouched = "itself" in strip.dataset;
    const show = () => {
      const step = +slider.value, text = untouched ? "as it is" : heads[step];
      output.textContent = text;
      slider.setAttribute("aria-valuetext", text);
      if (untouched) for (const { edited, itself } of shown) edited.replaceChildren(...[...itself.children].map((child) => child.cloneNode(true)));
      else for (const { edited, cells } of shown) edited.replaceChildren(...[...cells[step].children].map((child) => child.cloneNode(true)));
    };
    slider.addEventListener("input", () => { untouched = false; show(); });
    strip.querySelector(".viewer").hidden = false;
    show();
  }
})();
