/** What the map consists of on the page: its canvas, buttons, lines of text and legend. Texts are written with `textContent`. */

/** Make an element with a class and a text. */
function element(tag, name, text = "") {
  const made = document.createElement(tag);
  made.className = name;
  made.textContent = text;
  return made;
}

/** Fill the root with the parts of the map, and return them. */
function atlasParts(root) {
  const stage = element("div", "ee-atlas-stage");
  const canvas = element("canvas", "ee-atlas-canvas");
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-roledescription", "map of images");
  const tools = element("div", "ee-atlas-tools");
  const tool = (text, label) => {
    const button = element("button", "", text);
    button.type = "button";
    button.title = button.ariaLabel = label;
    tools.append(button);
    return button;
  };
  const buttons = { closer: tool("+", "Zoom in"), away: tool("−", "Zoom out"), all: tool("All", "Show the whole map") };
  const status = element("div", "ee-atlas-status");
  status.setAttribute("role", "status");
  const message = element("div", "ee-atlas-message");
  message.setAttribute("role", "alert");
  message.hidden = true;
  const legend = element("aside", "ee-atlas-legend");
  legend.setAttribute("aria-label", "Legend");
  stage.append(canvas, tools, status, message);
  root.replaceChildren(stage, legend);
  return { stage, canvas, buttons, status, message, legend };
}

/** A line of the legend: a colour, a name, and a number. */
function legendItem({ color, name, count }) {
  const item = element("li", "ee-atlas-item");
  const patch = element("span", "ee-atlas-patch");
  patch.style.background = color;
  item.append(patch, element("span", "ee-atlas-name", name), element("span", "ee-atlas-count", count));
  item.title = name;
  return item;
}

/**
 * Draw the legend.
 * @param {HTMLElement} place
 * @param {{title: string, items: object[], notes: string[], stops: [number, string][]?, low: string?, high: string?}} legend
 */
function drawLegend(place, legend) {
  const parts = [element("div", "ee-atlas-title", legend.title)];
  if (legend.stops) {
    const bar = element("div", "ee-atlas-bar");
    bar.style.background = `linear-gradient(to right, ${legend.stops.map(([at, color]) => `${color} ${100 * at}%`).join(", ")})`;
    const ends = element("div", "ee-atlas-ends");
    ends.append(element("span", "", legend.low), element("span", "", legend.high));
    parts.push(bar, ends);
  }
  if (legend.items.length) {
    const list = element("ul", "ee-atlas-items");
    list.append(...legend.items.map(legendItem));
    parts.push(list);
  }
  parts.push(...legend.notes.map((note) => element("p", "ee-atlas-note", note)));
  place.replaceChildren(...parts);
}
