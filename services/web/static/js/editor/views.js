// The views of the editor's page; the address keeps which one is open (#drafts, #keywords, #feedback).
import { byId } from "../dom.js";
import { showDrafts } from "./drafts.js";
import { showFeedback } from "./feedback.js";
import { showKeywords } from "./keywords.js";
import { may } from "../rights.js";

const VIEWS = { entries: () => {}, drafts: showDrafts, keywords: showKeywords, feedback: showFeedback };
const NEEDS = { keywords: "keywords.edit" };

function open() {
  const wanted = location.hash.slice(1);
  const view = Object.hasOwn(VIEWS, wanted) && (!NEEDS[wanted] || may(NEEDS[wanted])) ? wanted : "entries";
  for (const name of Object.keys(VIEWS)) byId(`view-${name}`).hidden = name !== view;
  for (const button of document.querySelectorAll("[data-view]")) button.setAttribute("aria-pressed", String(button.dataset.view === view));
  VIEWS[view]();
}

for (const button of document.querySelectorAll("[data-view]")) {
  button.addEventListener("click", () => { location.hash = button.dataset.view; });
}
window.addEventListener("hashchange", open);
open();
