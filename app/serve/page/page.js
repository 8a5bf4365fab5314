// The page: its three views, the link that holds the form, and the colours.
import {get} from "/api.js";
import {fillForm, listenToDraw, listHistory} from "/draw.js";
import {byId, endComplaint, guarded} from "/elements.js";
import {makeForm, readForm} from "/form.js";
import {showModels} from "/models.js";
import {makeSettings} from "/settings.js";
import {showWatch, stopWatch} from "/watch.js";

const VIEWS = ["draw", "watch", "models"];
let views = VIEWS;  // a server without models has runs to watch
// Browsers refuse to change the link too often.
const LINK_MS = 300;

function link() {
  const [view, ...query] = location.hash.slice(1).split("?");
  const texts = Object.fromEntries(new URLSearchParams(query.join("?")));
  return {view: views.includes(view) ? view : views[0], texts};
}

let timer = 0;
function keepLink() {
  clearTimeout(timer);
  timer = setTimeout(() => {
    if (link().view === "draw") history.replaceState(null, "", `#draw?${new URLSearchParams(readForm())}`);
  }, LINK_MS);
}

function showView() {
  const {view, texts} = link();
  for (const name of VIEWS) byId(`${name}-view`).hidden = name !== view;
  for (const anchor of document.querySelectorAll(".top nav a")) {
    if (anchor.hash === `#${view}`) anchor.setAttribute("aria-current", "page");
    else anchor.removeAttribute("aria-current");
  }
  if (view === "draw" && Object.keys(texts).length > 0) fillForm(texts);
  else if (view === "draw") keepLink();
  if (view === "models") listModels();
  if (view === "watch") showWatch(texts.run);
  else stopWatch();
}

// Anew each time: which are in memory changes.
const listModels = guarded(async () => showModels((await get("/api/models")).models));

function listenToTheme() {
  const apply = () => { document.documentElement.dataset.theme = byId("theme").value; };
  byId("theme").value = localStorage.getItem("theme") ?? "";
  byId("theme").onchange = () => {
    localStorage.setItem("theme", byId("theme").value);
    apply();
  };
  apply();
}

async function start() {
  listenToTheme();
  byId("alert-close").onclick = endComplaint;
  const [{models, default: usual}, {settings}] = await Promise.all([get("/api/models"), get("/api/settings")]);
  if (models.length === 0) onlyWatch();
  else beginToDraw(models, usual, settings);
  showView();
  addEventListener("hashchange", showView);
  if (models.length > 0) await listHistory();
}

function beginToDraw(models, usual, settings) {
  makeSettings(settings);
  makeForm(models, usual);
  listenToDraw(keepLink);
  fillForm(link().view === "draw" ? link().texts : {});
}

function onlyWatch() {
  views = ["watch"];
  for (const anchor of document.querySelectorAll(".top nav a")) anchor.hidden = anchor.hash !== "#watch";
}

guarded(start)();
