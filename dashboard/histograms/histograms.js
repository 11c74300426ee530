/** Bars of all images behind bars of the selected ones; drag across bars, or click one, to select what they hold. */

const HEIGHT = 84;
const SVG = "http://www.w3.org/2000/svg";

function shape(name, attributes, parent) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  parent?.append(element);
  return element;
}

function chart(column, number, data, send) {
  const box = document.createElement("div");
  box.className = "ee-histogram";
  box.dataset.column = column.title;
  const title = document.createElement("div");
  title.className = "ee-histogram-title";
  const note = document.createElement("span");
  title.append(column.title, note);
  const n = column.all.length;
  const most = Math.max(1, ...column.all);
  const svg = shape("svg", { viewBox: `0 0 ${Math.max(n, 1) * 10} ${HEIGHT}`, preserveAspectRatio: "none", tabindex: 0,
    role: "img", "aria-label": `Histogram of ${column.title}` });
  const brush = shape("rect", { class: "ee-brush", y: 0, height: HEIGHT, width: 0, x: 0 }, svg);
  column.all.forEach((count, i) => {
    const tall = (value) => (value ? Math.max(1.5, ((HEIGHT - 2) * value) / most) : 0);
    shape("rect", { class: "ee-bar-all", x: i * 10 + 0.5, width: 9, y: HEIGHT - tall(count), height: tall(count) }, svg);
    const inside = data.any ? column.selected[i] : count;
    shape("rect", { class: "ee-bar", x: i * 10 + 0.5, width: 9, y: HEIGHT - tall(inside), height: tall(inside), fill: data.color }, svg);
  });
  const low = document.createElement("div");
  low.className = "ee-histogram-ends";
  const ends = column.numbers ? [column.names[0]?.split(" to ")[0], column.names.at(-1)?.split(" to ")[1]] : [column.names[0], column.names.at(-1)];
  for (const end of n > 1 ? ends : ends.slice(0, 1)) {
    const text = document.createElement("span");
    text.textContent = end ?? "";
    low.append(text);
  }
  const at = (event) => {
    const area = svg.getBoundingClientRect();
    return Math.min(n - 1, Math.max(0, Math.floor(((event.clientX - area.left) / area.width) * n)));
  };
  let from = null, cursor = 0;
  const span = (a, b) => {
    brush.setAttribute("x", Math.min(a, b) * 10);
    brush.setAttribute("width", (Math.abs(a - b) + 1) * 10);
  };
  const tell = (i) => (note.textContent = n ? ` ${column.names[i]}: ${data.any ? `${column.selected[i]} of ` : ""}${column.all[i]}` : "");
  const mode = (event) => (event.shiftKey ? "add" : event.altKey ? "remove" : null);
  const pick = (a, b, event) => send({ column: number, first: Math.min(a, b), last: Math.max(a, b), mode: mode(event) });
  if (n) {
    svg.addEventListener("pointerdown", (event) => {
      svg.setPointerCapture(event.pointerId);
      span((from = at(event)), from);
    });
    svg.addEventListener("pointermove", (event) => {
      tell(at(event));
      if (from !== null) span(from, at(event));
    });
    svg.addEventListener("pointerup", (event) => {
      if (from !== null) pick(from, at(event), event);
      from = null;
    });
    svg.addEventListener("pointerleave", () => from === null && (note.textContent = ""));
    svg.addEventListener("keydown", (event) => {
      if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
        cursor = Math.min(n - 1, Math.max(0, cursor + (event.key === "ArrowRight" ? 1 : -1)));
        span(cursor, cursor);
        tell(cursor);
        event.preventDefault();
      } else if (event.key === "Enter") pick(cursor, cursor, event);
    });
  }
  box.append(title, svg, low);
  return box;
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".ee-histograms");
  root.replaceChildren(...data.columns.map((column, i) => chart(column, i, data, (value) => setTriggerValue("brush", value))));
}
