(() => {
  const browser = document.querySelector(".browser"), cards = browser ? [...browser.querySelectorAll(".direction")] : [];
  if (cards.length < 2) return;
  const bar = browser.querySelector(".bar"), choice = bar.querySelector("select"), every = bar.querySelector(".every"), place = bar.querySelector(".place");
  let at = 0, all = false;
  const show = () => {
    cards.forEach((card, i) => { card.hidden = !all && i !== at; });
    choice.value = at;
    place.textContent = `${at + 1} of ${cards.length}`;
    every.setAttribute("aria-pressed", all);
    every.textContent = all ? "Show one" : "Show all";
  };
  const go = (i) => {
    at = (i + cards.length) % cards.length;
    show();
    if (all) cards[at].scrollIntoView({ block: "start" });
  };
  bar.querySelector(".back").addEventListener("click", () => go(at - 1));
  bar.querySelector(".on").addEventListener("click", () => go(at + 1));
  choice.addEventListener("change", () => go(+choice.value));
  every.addEventListener("click", () => { all = !all; show(); });
  browser.addEventListener("keydown", (event) => {
    // In lists and in what scrolls sideways, the arrows have a meaning already.
    if (event.altKey || event.ctrlKey || event.metaKey || event.target.closest("select, .scroll")) return;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const inside = event.target.closest(".direction");
    go(at + step);
    if (inside) cards[at].focus({ preventScroll: true });
  });
  const arrive = () => {
    const i = cards.findIndex((card) => `#${card.id}` === location.hash);
    if (i < 0) return;
    at = i;
    show();
    cards[at].scrollIntoView({ block: "start" });
    cards[at].focus({ preventScroll: true });
  };
  addEventListener("hashchange", arrive);
  for (const link of document.querySelectorAll('a[href^="#direction-"]')) link.addEventListener("click", () => setTimeout(arrive));
  addEventListener("beforeprint", () => cards.forEach((card) => { card.hidden = false; }));
  addEventListener("afterprint", show);
  bar.hidden = false;
  show();
  arrive();
})();
