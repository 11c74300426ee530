/** Lines from dots of the first map to the same images on the second one, over both maps of the page. */

const MOST_LINES = 300;
const LINKED = [null, null]; // the roots of the two maps
const KEEPS = [140, 140, 140], LEAVES = [213, 94, 0]; // colours of images that keep their company, and that do not

let linkSheet = null; // the drawing over both maps
let linkRows = []; // [row, share of company kept or NaN] of each line
let linkBits = null;
let linkHovered = -1;
let linkTimer = 0;

/**
 * Say that a map is the first (0) or the second (1) of two, or no longer (`on` false).
 * @param {HTMLElement} root  of the map
 * @param {{place: number, on: boolean}|null} link
 * @param {Uint8Array|null} bits  of the rows that are selected
 */
function linkMap(root, link, bits) {
  if (!link) return;
  linkBits = bits;
  if (LINKED[link.place] !== root) {
    LINKED[link.place] = root;
    new MutationObserver(() => relink()).observe(root, { attributeFilter: ["data-drawn", "data-selected"] });
    root.addEventListener("wheel", () => placeLinks(), { passive: true });
  }
  root.eeLinked = link.on;
  relink();
}

/** Choose the lines anew, once all that changes together has changed. */
function relink() {
  clearTimeout(linkTimer);
  linkTimer = setTimeout(() => {
    linkRows = linkReady() ? chosenLinks(LINKED[0].eeMap.frame(), LINKED[1].eeMap.frame()) : [];
    if (linkReady()) for (const { eeMap } of LINKED) listenForLinks(eeMap.gd);
    placeLinks();
  }, 60);
}

/** Whether both maps are on the page, flat, drawn, and asked for lines. */
function linkReady() {
  return LINKED.every((root) => root?.isConnected && root.eeLinked && root.eeMap?.frame()?.header.dim === 2);
}

/** Rows that are on both maps and selected, those that keep the least company first; at most 300. */
function chosenLinks(first, second) {
  const there = new Set(second.arrays.row);
  const field = first.header.fields.find((item) => item.title === "Company kept");
  const kept = field ? first.arrays[field.array] : null;
  const found = [];
  first.arrays.row.forEach((row, i) => {
    if (linkBits && hasBit(linkBits, row) && there.has(row)) found.push([row, kept ? kept[i] : NaN]);
  });
  return found.sort((a, b) => (a[1] || 0) - (b[1] || 0)).slice(0, MOST_LINES);
}

function listenForLinks(gd) {
  if (gd.eeLinkListener) return;
  gd.eeLinkListener = true;
  for (const event of ["plotly_relayouting", "plotly_relayout", "plotly_afterplot"]) gd.on(event, () => placeLinks());
}

/** Where a row's dot is on a map, in px of the drawing; null where it cannot be seen. */
function dotOf(root, row, origin) {
  const { gd, frame } = root.eeMap;
  const { arrays } = frame();
  const i = arrays.row.indexOf(row);
  if (i < 0 || (arrays.group && hiddenGroups(gd, frame()).includes(arrays.group[i]))) return null;
  const { xaxis, yaxis } = gd._fullLayout;
  const [x, y] = [xaxis.l2p(arrays.x[i]), yaxis.l2p(arrays.y[i])];
  if (x < 0 || y < 0 || x > xaxis._length || y > yaxis._length) return null;
  const box = gd.getBoundingClientRect();
  return [box.left - origin.left + xaxis._offset + x, box.top - origin.top + yaxis._offset + y];
}

/** The drawing over both maps, in the element that holds both. */
function linkDrawing() {
  let around = LINKED[0].parentElement;
  while (around && !around.contains(LINKED[1])) around = around.parentElement;
  if (linkSheet?.parentElement !== around) {
    linkSheet?.remove();
    linkSheet = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    linkSheet.setAttribute("class", "ee-links");
    linkSheet.setAttribute("aria-hidden", "true");
    if (getComputedStyle(around).position === "static") around.style.position = "relative";
    around.append(linkSheet);
  }
  return linkSheet;
}

/** Draw the lines where the dots are now. */
function placeLinks() {
  if (!linkReady()) {
    linkSheet?.replaceChildren();
    return;
  }
  const sheet = linkDrawing();
  const origin = sheet.getBoundingClientRect();
  const lines = [];
  const draw = (row, color, width, opacity) => {
    const [a, b] = LINKED.map((root) => dotOf(root, row, origin));
    if (!a || !b) return;
    const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
    const values = { x1: a[0], y1: a[1], x2: b[0], y2: b[1], stroke: color, "stroke-width": width, "stroke-opacity": opacity };
    for (const [name, value] of Object.entries(values)) line.setAttribute(name, value);
    line.dataset.row = row;
    lines.push(line);
  };
  const fade = Math.min(1, Math.sqrt(60 / Math.max(1, linkRows.length))); // many lines are fainter
  for (const [row, kept] of [...linkRows].reverse()) {
    const away = Number.isFinite(kept) ? 1 - kept : 0.5;
    const color = KEEPS.map((value, i) => Math.round(value + away * (LEAVES[i] - value)));
    draw(row, `rgb(${color.join(",")})`, 1, fade * (0.25 + 0.5 * away));
  }
  if (linkHovered >= 0) draw(linkHovered, "currentColor", 2, 1);
  sheet.replaceChildren(...lines);
}

window.addEventListener("resize", () => placeLinks());
window.addEventListener("ee-hover", ({ detail }) => {
  linkHovered = detail.row;
  placeLinks();
});
