/** A page of pictures, cut out of one sheet; every text is written with `textContent`. */

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".ee-pictures-page");
  const { sheet, columns, parts, h, w, side, items } = data;
  const wide = side * parts;
  const tall = Math.round((side * h) / w);
  const figures = items.map((item, i) => {
    const figure = document.createElement(data.open ? "button" : "div");
    figure.className = "ee-picture";
    figure.dataset.row = item.row;
    figure.setAttribute("role", "listitem");
    figure.style.width = `${wide}px`;
    const picture = document.createElement("div");
    picture.className = "ee-picture-cell";
    picture.setAttribute("role", "img");
    picture.setAttribute("aria-label", item.lines[0] ?? "");
    const line = Math.floor(i / columns);
    const lines = Math.ceil(items.length / columns);
    Object.assign(picture.style, {
      width: `${wide}px`,
      height: `${tall}px`,
      backgroundImage: `url("${sheet}")`,
      backgroundSize: `${wide * columns}px ${tall * lines}px`,
      backgroundPosition: `-${(i % columns) * wide}px -${line * tall}px`,
    });
    figure.append(picture);
    for (const text of item.lines) {
      const row = document.createElement("span");
      row.textContent = text;
      figure.append(row);
    }
    if (data.open) figure.addEventListener("click", () => setTriggerValue("open", item.row));
    return figure;
  });
  root.replaceChildren(...figures);
  root.dataset.key = data.key;
}
