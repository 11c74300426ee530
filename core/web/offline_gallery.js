/** The gallery beside an exported map: the selected points in pages, their pictures cut from the sprite sheets. */

const GALLERY_PAGE = 60;
const PICTURE_PARTS = ["original", "reconstruction", "difference"];

/** An element with a class and a text; what comes from the data is never read as markup. */
function textElement(tag, className, text) {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

/** Canvases of a point's pictures, empty. */
function partCanvases(image, parts) {
  return parts.map((name) => {
    const canvas = document.createElement("canvas");
    canvas.className = `ee-${name}`;
    Object.assign(canvas, { width: image.w, height: image.h });
    return canvas;
  });
}

/** The parts that a sheet has pictures of. */
function partsOf(image) {
  return image.reconstructions ? PICTURE_PARTS : PICTURE_PARTS.slice(0, 1);
}

/**
 * Paint a row's pictures, pixel by pixel as they lie on its sheet.
 * @param {HTMLImageElement} sheet
 * @param {object} image  the frame's description of its sheets
 * @param {number} row
 * @param {HTMLCanvasElement[]} canvases  of `partCanvases`
 */
function paintParts(sheet, image, row, canvases) {
  const { w, h } = image;
  const cell = row % image.page;
  const x = (cell % image.cols) * (image.reconstructions ? 2 * w : w);
  const y = Math.floor(cell / image.cols) * h;
  const whole = document.createElement("canvas");
  Object.assign(whole, { width: 2 * w, height: h });
  const context = whole.getContext("2d", { willReadFrequently: true });
  context.drawImage(sheet, x, y, 2 * w, h, 0, 0, 2 * w, h);
  const half = (k) => context.getImageData(k * w, 0, w, h);
  for (const canvas of canvases) {
    const part = PICTURE_PARTS.findIndex((name) => canvas.classList.contains(`ee-${name}`));
    const data = part < 2 ? half(part) : new ImageData(absoluteDifference(half(0).data, half(1).data), w, h);
    canvas.getContext("2d", { willReadFrequently: true }).putImageData(data, 0, 0);
  }
}

/**
 * @param {HTMLElement} root  emptied and filled with a page of pictures
 * @param {{frame: Frame, sheets: object, lines: (i: number) => string[], open: (at: number) => void}} on
 */
function pictureGallery(root, on) {
  const { image } = on.frame.header;
  const { row } = on.frame.arrays;
  let turn = 0;

  const figure = (i, at, parts) => {
    const button = textElement("button", "ee-picture", "");
    button.type = "button";
    button.dataset.row = row[i];
    const canvases = image ? partCanvases(image, parts) : [];
    const pictures = textElement("span", "ee-picture-parts", "");
    pictures.append(...canvases);
    const [first, ...rest] = on.lines(i);
    button.append(pictures, textElement("span", "ee-picture-id", first), ...rest.map((text) => textElement("span", "", text)));
    button.title = "Open large, with all values";
    button.addEventListener("click", () => on.open(at));
    const item = textElement("li", "", "");
    item.append(button);
    return { item, canvases, row: row[i] };
  };

  const paint = async (page, figures, mine) => {
    const sheet = await on.sheets.load(page);
    if (mine !== turn) return; // another page is shown by now
    for (const { canvases, row } of figures) paintParts(sheet, image, row, canvases);
  };

  return {
    /**
     * Show some points.
     * @param {number[]} points  of the page
     * @param {number} first  number of its first among all
     * @param {string[]} parts  of `PICTURE_PARTS`, those to show
     */
    async show(points, first, parts) {
      const mine = ++turn;
      delete root.dataset.ready;
      const figures = points.map((i, k) => figure(i, first + k, parts));
      root.replaceChildren(...figures.map(({ item }) => item));
      root.scrollTop = 0;
      const pages = new Map();
      for (const made of image ? figures : []) {
        const page = Math.floor(made.row / image.page);
        pages.set(page, [...(pages.get(page) ?? []), made]);
      }
      const done = await Promise.allSettled([...pages].map(([page, own]) => paint(page, own, mine)));
      if (mine !== turn) return;
      root.dataset.ready = done.every(({ status }) => status === "fulfilled") ? "yes" : "failed";
    },
  };
}
