// One picture, large, with its recipe and what can be done with it.
import {altOf, titleOf} from "/card.js";
import {byId, make, showPixels} from "/elements.js";
import {fieldsOf, negativeOf} from "/recipe.js";

let card = null, number = 0;

export const shownPicture = () => ({card, row: card.images[number]});

function showRecipe(parameters) {
  const negative = negativeOf(parameters);
  const fields = [...(negative ? [["Negative prompt", negative]] : []), ...fieldsOf(parameters)];
  byId("picture-recipe").replaceChildren(...fields.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

// The next picture in that direction that is drawn.
function neighbour(direction) {
  let next = number + direction;
  while (next >= 0 && next < card.images.length && !card.images[next]) next += direction;
  return card.images[next] ? next : null;
}

function show() {
  const row = card.images[number];
  byId("picture-image").src = row.url;
  byId("picture-image").alt = altOf(row, card);
  byId("picture-title").textContent = row.prompt || titleOf(card.job);
  byId("picture-download").href = row.url;
  byId("picture-download").download = `uvic-${card.job.id}-${row.number}.png`;
  byId("picture-before").disabled = neighbour(-1) === null;
  byId("picture-next").disabled = neighbour(1) === null;
  showRecipe(row.parameters);
}

function move(direction) {
  const next = neighbour(direction);
  if (next === null) return;
  number = next;
  show();
}

export function openPicture(ofCard, ofNumber) {
  card = ofCard;
  number = ofNumber;
  show();
  byId("picture").showModal();
}

export const closePicture = () => byId("picture").close();

// `act` names what the buttons do with the picture: again, vary, way, start, use.
export function listenToPicture(act) {
  showPixels(byId("picture-image"));
  for (const [name, f] of Object.entries(act))
    byId(`picture-${name}`).onclick = () => {
      closePicture();
      f(shownPicture());
    };
  byId("picture-close").onclick = closePicture;
  byId("picture-before").onclick = () => move(-1);
  byId("picture-next").onclick = () => move(1);
  byId("picture").addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") move(-1);
    if (event.key === "ArrowRight") move(1);
  });
  byId("picture").addEventListener("click", (event) => {
    if (event.target === byId("picture")) closePicture();  // beside it
  });
}
