/** An exported page: the map, the selection, the search and the gallery, with no one to ask. */

const SEARCH_WAIT = 200; // ms after the last key
const LOW = 560; // px of height below which the pictures begin folded
const LOW_STACKED = 800; // the same where they lie below the map

/** Bytes of a text in base64. */
function bytesOf(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

/** What gzip and base64 have packed. */
function unpackedBytes(text) {
  const stream = new Blob([bytesOf(text)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

/** Run the plotly.js that the page brings. */
async function runPlotly(packed) {
  const script = document.createElement("script");
  script.textContent = new TextDecoder().decode(await unpackedBytes(packed));
  document.head.append(script);
  return window.Plotly;
}

/** A number as people write it. */
function counted(value) {
  return value.toLocaleString("en-US");
}

/** Options of a list, their texts as they are. */
function listOptions(entries) {
  return entries.map(([value, text]) => new Option(text, value));
}

/**
 * Fill the page.
 * @param {{plotly: string, frame: string, texts: string, sheets: string[]}} content  base64, all but sheets of gzip
 */
async function mountPage(content) {
  const sheets = sheetLoader((page) => `data:image/webp;base64,${content.sheets[page]}`);
  const map = mountMap(document.getElementById("map"), { plotly: () => runPlotly(content.plotly), sheets });
  try {
    const frame = decodeFrame(new Uint8Array(await unpackedBytes(content.frame)));
    const texts = JSON.parse(new TextDecoder().decode(await unpackedBytes(content.texts)));
    connect(map, sheets, frame, pointColumns(frame, texts));
  } catch (error) {
    map.fail(error);
  }
}

/** Join the map, the selection, the tools above and the pictures. */
function connect(map, sheets, frame, columns) {
  const at = (id) => document.getElementById(id);
  const history = selectionHistory(frame.arrays.row.length);
  const pictures = picturePanel({ frame, sheets, columns, group: pickGroup });
  const search = searchBox(columns, history, changed);
  groupList(columns, pickGroup);
  let turn = 0;
  map.options.select = pickOnMap;

  /** Show the selection that is now, on the map and everywhere else. */
  function changed() {
    const mask = history.now();
    const points = maskedPoints(mask);
    const all = mask.length;
    map.draw(frame, { bits: maskBits(mask, frame.arrays.row), mark: null, text: String(turn++) });
    at("count").textContent = `${counted(points.length)} of ${counted(all)} selected`;
    at("clear").disabled = at("download").disabled = points.length === 0;
    at("undo").disabled = !history.canUndo();
    at("redo").disabled = !history.canRedo();
    pictures.show(points, all);
  }

  function become(points, mode = at("mode").value) {
    history.become(combinedMask(history.now(), points, mode));
    changed();
  }

  function pickOnMap(pick) {
    if (pick.kind === "clear") clear();
    else become(pickedPoints(pick, frame), pick.mode);
  }

  function pickGroup(column, code) {
    become(maskedPoints(Uint8Array.from(history.now(), (_, i) => (column.code(i) === code ? 1 : 0))));
  }

  function clear() {
    search.empty();
    if (history.now().includes(1)) become([], "replace");
  }

  function step(move) {
    move();
    changed();
  }

  const actions = {
    clear,
    invert: () => become(maskedPoints(history.now().map((value) => 1 - value)), "replace"),
    undo: () => step(history.undo),
    redo: () => step(history.redo),
    download: () => saveCsv(columns, pictures.ordered()),
  };
  for (const [id, action] of Object.entries(actions)) at(id).addEventListener("click", action);
  at("mode").addEventListener("change", () => (map.options.mode = at("mode").value));
  at("radius").addEventListener("input", () => (map.options.radius = Math.max(0, Number(at("radius").value)) || 0));
  document.addEventListener("keydown", (event) => pageKey(event, clear));
  document.addEventListener("pointerdown", (event) => at("more").contains(event.target) || (at("more").open = false));
  foldable();
  changed();
}

/** Escape closes what is open, else it clears. */
function pageKey(event, clear) {
  const more = document.getElementById("more");
  if (event.key !== "Escape" || document.getElementById("large").open) return;
  if (!more.open) return clear();
  more.open = false;
  more.querySelector("summary").focus();
}

/**
 * The search field: what it finds is selected while one types, as one step that can be undone.
 * @param {PointColumn[]} columns
 * @param {object} history  of `selectionHistory`
 * @param {() => void} changed
 */
function searchBox(columns, history, changed) {
  const [text, scope, found, mode] = ["search", "scope", "found", "mode"].map((id) => document.getElementById(id));
  const find = pointSearch(columns, history.now().length);
  let made = null; // the selection of what was typed so far
  let timer = 0;
  scope.append(...listOptions([["", "in everything"], ...columns.map(({ title }, k) => [k, `in ${title}`])]));

  const run = () => {
    clearTimeout(timer);
    if (made && history.now() === made) history.drop();
    const points = find(text.value, scope.value === "" ? null : columns[scope.value]);
    found.textContent = text.value.trim() ? `${counted(points.length)} found` : "";
    const mask = combinedMask(history.now(), points, mode.value);
    made = points.length && history.become(mask) ? mask : null;
    changed();
  };
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(run, SEARCH_WAIT);
  };
  text.addEventListener("input", soon);
  text.addEventListener("keydown", (event) => event.key === "Enter" && run());
  scope.addEventListener("change", () => text.value.trim() && run());
  return {
    empty() {
      clearTimeout(timer);
      text.value = found.textContent = "";
      made = null;
    },
  };
}

/** The list of all groups of all columns; one that is chosen is selected. */
function groupList(columns, pick) {
  const list = document.getElementById("group");
  list.append(new Option("Group …", ""));
  columns.forEach((column, k) => {
    if (!column.names) return;
    const part = document.createElement("optgroup");
    part.label = column.title;
    part.append(...listOptions(column.names.map((name, code) => [`${k} ${code}`, `${column.title}: ${name}`])));
    list.append(part);
  });
  list.hidden = list.options.length === 1;
  list.addEventListener("change", () => {
    const [k, code] = list.value.split(" ").map(Number);
    list.value = "";
    if (Number.isInteger(code)) pick(columns[k], code);
  });
}

/** Let the pictures be folded away; they begin so where the page is too low for both. */
function foldable() {
  const button = document.getElementById("fold");
  const show = (open) => {
    button.setAttribute("aria-expanded", String(open));
    document.body.classList.toggle("folded", !open);
  };
  const stacked = matchMedia("(max-width: 899px)").matches;
  show(innerHeight >= (stacked ? LOW_STACKED : LOW));
  button.addEventListener("click", () => show(button.getAttribute("aria-expanded") !== "true"));
}

/** Offer points as a file. */
function saveCsv(columns, points) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([pointsCsv(columns, points, document.getElementById("shield").checked)], { type: "text/csv" }));
  const stem = document.title.replace(/[^\p{L}\p{N}_-]+/gu, "-").replace(/^-+|-+$/g, "").slice(0, 60) || "images";
  link.download = `${stem}-${points.length}.csv`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
