/** One point large: its pictures and all that is known of it; a click on a value selects all that have it. */

/**
 * @param {HTMLDialogElement} dialog
 * @param {{frame: Frame, sheets: object, columns: PointColumn[], group: (column: PointColumn, code: number) => void}} on
 */
function largeView(dialog, on) {
  const part = (name) => dialog.querySelector(`[data-part="${name}"]`);
  const { header, arrays } = on.frame;
  let points = [];
  let at = 0;

  const pictures = (row) => {
    const { image } = header;
    if (!image) return [];
    const names = partsOf(image);
    const canvases = partCanvases(image, names);
    const sheet = Math.floor(row / image.page);
    on.sheets.load(sheet).then(
      (loaded) => paintParts(loaded, image, row, canvases),
      () => (part("note").textContent = "The pictures could not be read."),
    );
    return canvases.map((canvas, k) => {
      const figure = textElement("figure", "", "");
      figure.append(canvas, textElement("figcaption", "", names[k]));
      return figure;
    });
  };

  const value = (column, i) => {
    const text = textElement("dd", "", "");
    const name = column.names?.[column.code(i)];
    if (name === undefined) {
      text.textContent = column.kind === "number" ? column.exact(i) || MISSING_TEXT : column.shown(i);
      return text;
    }
    const button = textElement("button", "ee-value", name);
    button.type = "button";
    button.title = "Select all that have this value";
    button.addEventListener("click", () => {
      dialog.close();
      on.group(column, column.code(i));
    });
    text.append(button);
    return text;
  };

  const show = () => {
    const i = points[at];
    dialog.dataset.row = arrays.row[i];
    part("note").textContent = "";
    part("title").textContent = on.columns[0].shown(i);
    part("place").textContent = `${(at + 1).toLocaleString("en-US")} of ${points.length.toLocaleString("en-US")}`;
    part("pictures").replaceChildren(...pictures(arrays.row[i]));
    const places = header.axes.map((title, k) => [title, "xyz"[k]]);
    part("values").replaceChildren(
      ...on.columns.slice(1).flatMap((column) => [textElement("dt", "", column.title), value(column, i)]),
      ...places.flatMap(([title, axis]) => [textElement("dt", "", title), textElement("dd", "", exactNumber(arrays[axis][i]))]),
    );
    part("before").disabled = at === 0;
    part("next").disabled = at === points.length - 1;
  };

  const move = (step) => {
    at = Math.max(0, Math.min(points.length - 1, at + step));
    show();
  };
  part("before").addEventListener("click", () => move(-1));
  part("next").addEventListener("click", () => move(1));
  part("close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close()); // beside the box
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") move(-1);
    if (event.key === "ArrowRight") move(1);
  });

  return {
    /** Open point number `first` of some. */
    open(all, first) {
      points = all;
      at = first;
      show();
      if (!dialog.open) dialog.showModal();
    },
  };
}
