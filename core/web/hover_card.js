/**
 * The floating card of the hovered point: its picture, the reconstruction, their difference, and what is known of it.
 * Everything that comes from the data is written with `textContent` or drawn on a canvas.
 */

const CARD_GAP = 16; // px between pointer and card

/**
 * |a − b| of two pictures, value by value; opaque.
 * @param {Uint8ClampedArray} a  RGBA
 * @param {Uint8ClampedArray} b  RGBA
 * @returns {Uint8ClampedArray}
 */
function absoluteDifference(a, b) {
  const out = new Uint8ClampedArray(a.length);
  for (let i = 0; i < a.length; i++) out[i] = i % 4 === 3 ? 255 : Math.abs(a[i] - b[i]);
  return out;
}

/**
 * One captioned picture.
 * @param {string} name  class suffix and caption
 */
function cardPicture(name) {
  const figure = document.createElement("figure");
  const canvas = document.createElement("canvas");
  canvas.className = `ee-${name}`;
  const caption = document.createElement("figcaption");
  caption.textContent = name;
  figure.append(canvas, caption);
  return { figure, context: canvas.getContext("2d", { willReadFrequently: true }) };
}

/**
 * Place a card beside the pointer, inside the window whatever its size.
 * @param {HTMLElement} card
 * @param {{x: number, y: number}} at  pointer in client px
 */
function placeCard(card, at) {
  const { offsetWidth: w, offsetHeight: h } = card;
  const right = at.x + CARD_GAP;
  const left = right + w <= window.innerWidth ? right : at.x - CARD_GAP - w;
  const top = at.y + CARD_GAP;
  card.style.left = `${Math.max(0, Math.min(left, window.innerWidth - w))}px`;
  card.style.top = `${Math.max(0, Math.min(top, window.innerHeight - h))}px`;
}

/**
 * Make the card; it belongs to the page's body, so nothing can clip it.
 * @param {{load: (page: number) => Promise<ImageBitmap>, now: (page: number) => ImageBitmap|null}} sheets
 */
function hoverCard(sheets) {
  const card = document.createElement("div");
  card.className = "ee-card";
  card.hidden = true;
  const pictures = document.createElement("div");
  pictures.className = "ee-pictures";
  const [original, reconstruction, difference] = ["original", "reconstruction", "difference"].map(cardPicture);
  const parts = [original, reconstruction, difference];
  pictures.append(...parts.map((p) => p.figure));
  const note = document.createElement("div");
  note.className = "ee-note";
  const title = document.createElement("div");
  title.className = "ee-id";
  const list = document.createElement("dl");
  card.append(pictures, note, title, list);
  document.body.append(card);
  let shown = -1; // row on the card

  /** Set every canvas to the size of the pictures, empty. */
  const clear = (image) => {
    for (const { context } of parts) Object.assign(context.canvas, { width: image.w, height: image.h });
  };

  /** Cut the row's cell out of its sheet. */
  const paint = (sheet, image, row) => {
    const cell = row % image.page;
    const step = image.reconstructions ? 2 * image.w : image.w;
    const x = (cell % image.cols) * step;
    const y = Math.floor(cell / image.cols) * image.h;
    clear(image);
    original.context.drawImage(sheet, x, y, image.w, image.h, 0, 0, image.w, image.h);
    if (!image.reconstructions) return;
    reconstruction.context.drawImage(sheet, x + image.w, y, image.w, image.h, 0, 0, image.w, image.h);
    const [a, b] = [original, reconstruction].map((p) => p.context.getImageData(0, 0, image.w, image.h).data);
    const data = new ImageData(absoluteDifference(a, b), image.w, image.h);
    difference.context.putImageData(data, 0, 0);
  };

  /** Say how the pictures stand: "loading", "ready", "failed" or "none". */
  const setState = (state, text) => {
    card.dataset.pictures = state;
    note.textContent = text;
    note.hidden = text === "";
  };

  const showPictures = (image, row) => {
    pictures.hidden = !image;
    if (!image) return setState("none", "");
    reconstruction.figure.hidden = difference.figure.hidden = !image.reconstructions;
    const page = Math.floor(row / image.page);
    const sheet = sheets.now(page);
    if (sheet) {
      paint(sheet, image, row);
      return setState("ready", "");
    }
    clear(image);
    setState("loading", "Loading pictures …");
    sheets.load(page).then(
      (loaded) => {
        if (shown !== row) return; // the pointer has moved on
        paint(loaded, image, row);
        setState("ready", "");
      },
      () => shown === row && setState("failed", "The pictures could not be loaded."),
    );
  };

  return {
    element: card,
    /**
     * Show a point.
     * @param {{row: number, id: string, fields: [string, string][]}} point
     * @param {object|null} image  the frame's description of its sheets
     * @param {{x: number, y: number}} at
     */
    show(point, image, at) {
      shown = point.row;
      card.dataset.row = point.row;
      title.textContent = point.id;
      list.replaceChildren(
        ...point.fields.flatMap(([name, value]) => {
          const term = document.createElement("dt");
          const text = document.createElement("dd");
          term.textContent = name;
          text.textContent = value;
          return [term, text];
        }),
      );
      showPictures(image, point.row);
      card.hidden = false;
      placeCard(card, at);
    },
    /** Keep what is shown beside a pointer that moved. */
    follow: (at) => placeCard(card, at),
    hide() {
      shown = -1;
      card.hidden = true;
      delete card.dataset.row;
    },
    remove: () => card.remove(),
  };
}
