/** What is known of each point as columns: to show, sort, search and write as CSV. */

// What a spreadsheet may run, as in core.formulas: also behind blanks and apostrophes, in full-width and small forms.
const FORMULA_FRONT = /^'*(?:[\t\r\n]|[\s\x1c-\x1f\x85\ufeff\u200b-\u200f\u2060]*(.))/su;
const PLAIN_NUMBER = /^[+-]?\d+(\.\d+)?(e[+-]?\d+)?$/i;
const MISSING_TEXT = "–";
const collator = new Intl.Collator("en", { numeric: true });

/**
 * @typedef {object} PointColumn
 * @property {string} title
 * @property {"id"|"category"|"number"} kind
 * @property {(i: number) => string} shown  for people
 * @property {(i: number) => string} exact  for files; "" where there is no value
 * @property {(i: number, k: number) => number} compare  order of two points that have a value
 * @property {string[]} [names]  of a category's groups
 * @property {(i: number) => number} [code]  a category's group
 */

/**
 * The id and every field of a frame's points.
 * @param {Frame} frame
 * @param {Object<string, string[]>} texts  by title: each point's own text, where a field has it in part only
 * @returns {PointColumn[]}
 */
function pointColumns(frame, texts = {}) {
  const { header, arrays } = frame;
  const idOf = (i) => String(header.ids ? header.ids[i] : arrays.row[i]);
  const id = { title: "id", kind: "id", shown: idOf, exact: idOf, compare: (i, k) => collator.compare(idOf(i), idOf(k)) };
  return [id, ...header.fields.map((field) => fieldColumn(field, arrays[field.array], texts[field.title]))];
}

function fieldColumn(field, values, texts) {
  const { title, kind } = field;
  if (kind === "number") {
    const exact = texts ? (i) => texts[i] : (i) => exactNumber(values[i]);
    const shown = texts ? (i) => texts[i] || MISSING_TEXT : (i) => shortNumber(values[i]);
    return { title, kind, shown, exact, compare: (i, k) => values[i] - values[k] };
  }
  const exact = texts ? (i) => texts[i] : (i) => field.names[values[i]] ?? "";
  const compare = texts ? (i, k) => collator.compare(texts[i], texts[k]) : (i, k) => values[i] - values[k];
  const column = { title, kind, shown: (i) => exact(i) || MISSING_TEXT, exact, compare };
  return texts ? column : { ...column, names: field.names, code: (i) => values[i] };
}

/** The shortest decimal number that is a 32-bit one again; "" for none. */
function exactNumber(value) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "" : value > 0 ? "inf" : "-inf";
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return String(short);
  }
  return String(Number(value.toPrecision(9)));
}

/** Points in the order of a column, those without a value last; in the order of the data when it is null. */
function orderedPoints(points, column, down) {
  if (!column) return down ? [...points].reverse() : points;
  const known = points.filter((i) => column.exact(i) !== "");
  const rest = points.filter((i) => column.exact(i) === "");
  known.sort((i, k) => (down ? column.compare(k, i) : column.compare(i, k)) || i - k);
  return [...known, ...rest];
}

/** A letter in small, by way of the capitals that some of them are two of: both ß and ẞ are ss. */
function fullFold(letter) {
  return letter.toLowerCase().toUpperCase().toLowerCase();
}

/** A text without regard to case, as Python's `casefold`. */
function foldCase(text) {
  if (/^[\0-\x7f]*$/.test(text)) return text.toLowerCase();
  return Array.from(text, (letter) => (letter === "ı" ? letter : fullFold(letter))).join("");
}

/**
 * Search: whether any column's text holds every word, as `core.selection.matching`.
 * @param {PointColumn[]} columns
 * @param {number} count  of the points
 * @returns {(text: string, only?: PointColumn|null) => number[]}
 */
function pointSearch(columns, count) {
  const folded = new Map(); // a column's texts, of its groups or else of its points
  const textsOf = (column) => {
    if (!folded.has(column)) folded.set(column, column.names ? column.names.map(foldCase) : pointTexts(column, count));
    return folded.get(column);
  };
  return (text, only = null) => {
    const words = foldCase(text).split(/[\s\x1c-\x1f\x85]+/).filter(Boolean);
    const found = new Uint8Array(count);
    for (const column of words.length ? (only ? [only] : columns) : []) {
      const holds = textsOf(column).map((value) => words.every((word) => value.includes(word)));
      for (let i = 0; i < count; i++) if (holds[column.code ? column.code(i) : i]) found[i] = 1;
    }
    return maskedPoints(found);
  };
}

/** Texts of all points; a number as it is shown and in full, so that both are found. */
function pointTexts(column, count) {
  const write = column.kind === "number" ? (i) => `${column.exact(i)} ${column.shown(i)}` : column.exact;
  return Array.from({ length: count }, (_, i) => foldCase(write(i)));
}

/** Whether a spreadsheet may run a text. */
function isFormula(text) {
  const found = FORMULA_FRONT.exec(text);
  return found !== null && !PLAIN_NUMBER.test(text) && (found[1] === undefined || "=+-@".includes(found[1].normalize("NFKC")[0]));
}

/**
 * Points as CSV, a line each; for a spreadsheet a text that it would run gets an apostrophe in front, as in `core.tables.csv`.
 * @param {PointColumn[]} columns
 * @param {number[]} points
 * @param {boolean} shield
 */
function pointsCsv(columns, points, shield = true) {
  const cell = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const safe = (text) => cell(shield && isFormula(text) ? `'${text}` : text);
  const number = (column, i) => cell(column.exact(i));
  const lines = points.map((i) => columns.map((c) => (c.kind === "number" ? number(c, i) : safe(c.exact(i)))).join(","));
  return [columns.map((column) => safe(column.title)).join(","), ...lines, ""].join("\n");
}
