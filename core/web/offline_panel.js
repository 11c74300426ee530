/** Around the gallery of an exported page: its order, its size, its pages, and what it says when nothing is selected. */

/**
 * @param {{frame: Frame, sheets: object, columns: PointColumn[], group: (column: PointColumn, code: number) => void}} on
 */
function picturePanel(on) {
  const at = (id) => document.getElementById(id);
  const { header } = on.frame;
  const large = largeView(at("large"), on);
  const gallery = pictureGallery(at("gallery"), { ...on, lines, open: (k) => large.open(ordered, k) });
  const parts = header.image ? partsOf(header.image) : [];
  let points = []; // to show, in the order of the data
  let ordered = points;
  let page = 0;

  const sortColumn = () => (at("sort").value === "" ? null : on.columns[at("sort").value]);

  /** Texts under a picture: the id, its first values, and that by which it is sorted. */
  function lines(i) {
    const [id, ...fields] = on.columns;
    const sort = sortColumn();
    const told = fields.slice(0, 2);
    const texts = [told.map((column) => `${column.title} ${column.shown(i)}`).join(" · ")];
    if (sort && sort !== id && !told.includes(sort)) texts.push(`${sort.title} ${sort.shown(i)}`);
    return [id.shown(i), ...texts.filter(Boolean)];
  }

  function shownParts() {
    const chosen = parts.filter((name) => at(`part-${name}`)?.checked ?? true);
    return chosen.length ? chosen : parts.slice(0, 1);
  }

  function draw() {
    const pages = Math.max(1, Math.ceil(ordered.length / GALLERY_PAGE));
    page = Math.max(0, Math.min(pages - 1, page));
    const first = page * GALLERY_PAGE;
    const part = ordered.slice(first, first + GALLERY_PAGE);
    at("page").value = page + 1;
    at("page").max = pages;
    at("place").textContent = `of ${counted(pages)}: ${counted(first + 1)} to ${counted(first + part.length)} of ${counted(ordered.length)}`;
    at("before").disabled = page === 0;
    at("next").disabled = page === pages - 1;
    gallery.show(part, first, shownParts());
  }

  function turn(to) {
    page = to;
    draw();
  }

  function arrange() {
    ordered = orderedPoints(points, sortColumn(), at("down").checked);
    turn(0);
  }

  const size = () => at("gallery").style.setProperty("--side", `${at("side").value}px`);
  at("sort").append(...listOptions([["", "order of the data"], ...on.columns.map(({ title }, k) => [k, title])]));
  at("parts").append(...(parts.length > 1 ? parts.map(partChoice) : []));
  at("sort").addEventListener("change", arrange);
  at("down").addEventListener("change", arrange);
  at("parts").addEventListener("change", draw);
  at("side").addEventListener("input", size);
  at("before").addEventListener("click", () => turn(page - 1));
  at("next").addEventListener("click", () => turn(page + 1));
  at("page").addEventListener("change", () => turn(Math.round(Number(at("page").value) || 1) - 1));
  size();

  return {
    /** Show the selected points, or all when there are none. */
    show(selected, all) {
      at("hint").textContent = selected.length ? "" : emptyText(all, header.dim);
      at("hint").hidden = selected.length > 0;
      points = selected.length ? selected : Array.from({ length: all }, (_, i) => i);
      arrange();
    },
    ordered: () => ordered,
  };
}

/** A tick for one of the pictures. */
function partChoice(name) {
  const label = document.createElement("label");
  const tick = document.createElement("input");
  Object.assign(tick, { type: "checkbox", checked: true, id: `part-${name}` });
  label.append(tick, ` ${name}`);
  return label;
}

/** What to do when nothing is selected. */
function emptyText(all, dim) {
  const how = dim === 3 ? "take the lasso at the map's upper right and draw around dots" : "draw around dots on the map";
  return (
    `Nothing is selected, so all ${counted(all)} images are here. To see some: ${how}, click one, or type in the search ` +
    "field. Hold shift to add, alt to take away."
  );
}
