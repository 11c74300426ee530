/** Sheets of pictures: fetched when they are needed or soon may be, decoded beside the page's own work, dropped when many. */

const SHEET_TRIES = 120; // half a second apart
const MOST_PIXELS = 64e6; // of decoded sheets, 4 bytes each
const REST_MS = 80; // after the last wish, before sheets are fetched ahead: first comes what is looked at
const EXACT = { colorSpaceConversion: "none", premultiplyAlpha: "none" };

/** The bytes that an address holds itself, without a request, as pages opened from disk may make none. */
function blobOf(url) {
  const text = atob(url.slice(url.indexOf(",") + 1));
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return new Blob([bytes]);
}

/** Fetch and decode a sheet; one that is not there yet is being made, so ask again for a while. */
async function loadSheet(url) {
  const inside = url.startsWith("data:");
  for (let left = inside ? 1 : SHEET_TRIES; ; left--) {
    try {
      // A file never changes under its address; only one that was not there is asked for anew.
      const response = inside ? null : await fetch(url, { cache: left === SHEET_TRIES ? "force-cache" : "reload" });
      if (response && !response.ok) throw new Error(`${url} (${response.status})`);
      return await createImageBitmap(response ? await response.blob() : blobOf(url), EXACT);
    } catch (error) {
      if (left <= 1) throw error;
      await new Promise((done) => setTimeout(done, 500));
    }
  }
}

/**
 * The sheets of a map; those not used for longest are dropped when they have many pixels together.
 * @param {(page: number) => string} url  where sheet `page` lies; another address is another sheet
 * @param {(url: string) => Promise<ImageBitmap>} [read]
 * @param {number} [most]  pixels kept
 */
function sheetLoader(url, read = loadSheet, most = MOST_PIXELS) {
  const sheets = new Map(); // by address, those used last at the end
  let ahead = []; // pages that may be needed soon, the likeliest first
  let fetching = false; // one of them
  let timer = 0;

  const used = (name, sheet) => {
    sheets.delete(name);
    sheets.set(name, sheet);
    return sheet;
  };
  const dropOld = (kept) => {
    let pixels = 0;
    for (const sheet of [...sheets.values()].reverse()) {
      if (!sheet.image) continue;
      pixels += sheet.image.width * sheet.image.height;
      if (pixels <= most || sheet === kept) continue;
      sheets.delete(sheet.name);
      sheet.image.close();
    }
  };
  const load = (page) => {
    const name = url(page);
    if (sheets.has(name)) return used(name, sheets.get(name)).ready;
    const sheet = used(name, { name, image: null, ready: read(name) });
    sheet.ready.then(
      (image) => {
        sheet.image = image;
        dropOld(sheet);
      },
      () => sheets.delete(name),
    );
    return sheet.ready;
  };
  const fetchAhead = async () => {
    if (fetching) return;
    fetching = true;
    for (let page = ahead.shift(); page !== undefined; page = ahead.shift()) await load(page).catch(() => {});
    fetching = false;
  };
  return {
    /** @returns {Promise<ImageBitmap>} sheet `page`, decoded; a failed one is tried again next time */
    load,
    /** @returns {ImageBitmap|null} sheet `page` if it is there already */
    now(page) {
      const name = url(page);
      return sheets.has(name) ? used(name, sheets.get(name)).image : null;
    },
    /** Fetch these sheets, one after the other, instead of those that were to be fetched ahead before. */
    expect(pages) {
      ahead = [...new Set(pages)];
      clearTimeout(timer);
      timer = setTimeout(fetchAhead, REST_MS);
    },
    /** Forget everything. */
    clear() {
      ahead = [];
      clearTimeout(timer);
      for (const { image } of sheets.values()) image?.close();
      sheets.clear();
    },
  };
}
