// The page can be read without this: it only keeps what is pointed at, and moves by keys.
"use strict";
document.documentElement.classList.add("js");

function board(section) {
  const panel = section.querySelector(".panel");
  const rows = [...section.querySelectorAll("tr.step")];
  let current = null;
  function select(row) {
    if (!row || row === current) return;
    if (current) { current.classList.remove("current"); current.tabIndex = -1; }
    current = row;
    row.classList.add("current");
    row.tabIndex = 0;
    panel.innerHTML = row.querySelector(".state").innerHTML;
    panel.scrollTop = 0;
  }
  function go(row) {
    if (!row) return;
    const fold = row.classList.contains("within") && row.parentElement.querySelector("input");
    if (fold) fold.checked = true;
    row.focus({ preventScroll: true });
    row.querySelector(".op").scrollIntoView({ block: "nearest", inline: "nearest" });
  }
  function beside(step) {
    const seen = rows.filter((row) => row === current || row.offsetParent !== null);
    return seen[seen.indexOf(current) + step];
  }
  const critical = rows.find((row) => row.classList.contains("critical"));
  rows.forEach((row) => {
    row.tabIndex = -1;
    row.addEventListener("mouseenter", () => select(row));
    row.addEventListener("focus", () => select(row));
    row.addEventListener("click", () => go(row));
  });
  section.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.matches("input, button")) return;
    const keys = { ArrowDown: () => beside(1), j: () => beside(1), ArrowUp: () => beside(-1), k: () => beside(-1),
      Home: () => rows[0], End: () => rows[rows.length - 1], c: () => critical };
    if (!(event.key in keys)) return;
    event.preventDefault();
    go(keys[event.key]());
  });
  const all = section.querySelector(".all");
  all?.addEventListener("click", () => {
    const folds = [...section.querySelectorAll(".more input")];
    const open = folds.some((fold) => !fold.checked);
    folds.forEach((fold) => { fold.checked = open; });
    all.textContent = open ? "Fold them" : "Show all steps";
  });
  select(critical || rows[rows.length - 1]);
}

const sections = [...document.querySelectorAll("section")];
const tabs = [...document.querySelectorAll(".tabs a")];
function show() {
  const chosen = sections.find((section) => "#" + section.id === location.hash) || sections[0];
  sections.forEach((section) => section.classList.toggle("hidden", section !== chosen));
  tabs.forEach((tab) => tab.setAttribute("aria-selected", String(tab.hash === "#" + chosen.id)));
}
sections.forEach(board);
if (tabs.length) { addEventListener("hashchange", show); show(); }

document.querySelectorAll(".copy").forEach((button) => button.addEventListener("click", () => {
  const text = button.previousElementSibling;
  const select = () => getSelection().selectAllChildren(text);
  // A page that is a file may not be allowed to use the clipboard.
  (navigator.clipboard ? navigator.clipboard.writeText(text.textContent) : Promise.reject())
    .then(() => { button.textContent = "copied"; }, select);
}));
