/** The look of the map: axes, legend, colours of the page it is on, and what survives a redraw. */

const FONT = 'system-ui, "Source Sans", sans-serif';

let redraws = 0;

const START_CAMERA = { eye: { x: 1.2, y: 1.2, z: 0.8 } };

/** Colours of the page around an element: of its text, and a faint one for grid lines. */
function themeOf(element) {
  const text = getComputedStyle(element).color || "rgb(40, 40, 40)";
  const [r, g, b] = (text.match(/[\d.]+/g) || [40, 40, 40]).map(Number);
  const dark = 0.299 * r + 0.587 * g + 0.114 * b > 127; // light text means a dark page
  return { text, grid: dark ? "#3a3a3a" : "#e3e3e3", dark }; // opaque: WebGL axes take no opacity
}

/**
 * @param {Frame} frame
 * @param {{text: string, grid: string}} theme
 * @param {object|undefined} camera  of the map drawn before, when the view is to be kept
 * @param {string} selected  stands for the selection: with another one, outlines that were drawn go
 */
function buildLayout(frame, theme, camera, selected = "") {
  const { header } = frame;
  const axis = (title) => ({
    title: { text: plain(title), font: { size: 12 } },
    gridcolor: theme.grid,
    zeroline: false,
    tickfont: { size: 10 },
    color: theme.text,
  });
  const layout = {
    autosize: true,
    uirevision: header.view_key,
    selectionrevision: `${header.key} ${selected} ${redraws++}`,
    selections: [],
    hovermode: header.dim === 3 ? "closest" : false, // in 2-D dots are found without Plotly
    hoverdistance: 12,
    dragmode: header.dim === 3 ? "orbit" : "lasso",
    margin: header.dim === 3 ? { l: 0, r: 0, t: 24, b: 0 } : { l: 44, r: 8, t: 24, b: 36 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: FONT, color: theme.text, size: 12 },
    showlegend: header.color.kind === "category" || Boolean(header.symbol),
    legend: {
      title: { text: plain(header.color.title) },
      uirevision: `${header.dim} ${header.color.title} ${(header.color.names ?? []).length}`,
      itemsizing: "constant",
      bgcolor: "rgba(0,0,0,0)",
      groupclick: header.dim === 3 ? "togglegroup" : "toggleitem",
    },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: theme.text, activecolor: "#0072b2", uirevision: header.dim },
    newselection: { line: { color: theme.text, width: 1.5 } },
  };
  if (header.dim === 3) {
    const names = ["xaxis", "yaxis", "zaxis"];
    layout.scene = { aspectmode: "data", uirevision: header.view_key };
    names.forEach((name, i) => (layout.scene[name] = { ...axis(header.axes[i]), backgroundcolor: "rgba(0,0,0,0)" }));
    layout.scene.camera = camera ?? START_CAMERA; // uirevision alone loses it once a resize has filled it in
  } else {
    layout.xaxis = axis(header.axes[0]);
    layout.yaxis = { ...axis(header.axes[1]), scaleanchor: "x" }; // equal units, so that distances can be compared
  }
  return layout;
}

const LASSO_ICON = {
  width: 24,
  height: 24,
  path: "M12 3C6.5 3 2 6 2 10c0 2.5 1.7 4.6 4.3 5.800-.2 1.7-.9 3.2-2.3 4.2l1.3 1.5c2-1.4 2.9-3.3 3-5.2 1.2.2 2.4.4 3.7.4 5.500 0 10-3 10-6.700S17.500 3 12 3zm0 2c4.4 0 8 2.2 8 5s-3.600 5-8 5-8-2.200-8-5 3.600-5 8-5z",
};

const BOX_ICON = { width: 24, height: 24, path: "M3 3h4v2H5v2H3zm6 0h6v2H9zm8 0h4v4h-2V5h-2zM3 9h2v6H3zm16 0h2v6h-2zM3 17h2v2h2v2H3zm6 2h6v2H9zm10-2h2v4h-4v-2h2z" };

/** Buttons that draw around points on the screen of a 3-D map; `draw` takes the shape, "lasso" or "box". */
function drawButtons(draw) {
  const button = (shape, title, icon) => ({ name: `${shape}3d`, title, icon, click: () => draw(shape) });
  return [
    button("lasso", "Select what you draw around (drag; shift adds, alt removes)", LASSO_ICON),
    button("box", "Select what a box on the screen holds (drag; shift adds, alt removes)", BOX_ICON),
  ];
}

/** Buttons and behaviour of the plot; `draw` begins a selection on the screen of a 3-D map. */
function plotConfig(draw, dim) {
  return {
    responsive: false, // a ResizeObserver does this, also when the window stays as it is
    displaylogo: false,
    scrollZoom: true,
    doubleClick: "reset+autosize",
    modeBarButtonsToRemove: ["autoScale2d", "hoverClosest3d", "resetCameraLastSave3d", "sendChartToCloud"],
    modeBarButtonsToAdd: dim === 3 ? drawButtons(draw) : [],
    toImageButtonOptions: { format: "png", scale: 2, filename: "embedding-explorer" },
  };
}

/** Where the reader is on the map: ranges of its axes, or its camera; all lists of numbers. */
function viewOf(plot, frame) {
  const full = plot._fullLayout;
  const key = frame.header.view_key;
  if (frame.header.dim !== 3) return { key, x: [...full.xaxis.range], y: [...full.yaxis.range] };
  const { eye, center, up } = full.scene._scene.getCamera();
  const list = ({ x, y, z }) => [x, y, z];
  return { key, eye: list(eye), center: list(center), up: list(up) };
}

/** A layout that begins at a place where the reader was before, when it is one of this map. */
function withView(layout, view, frame) {
  if (!view || view.key !== frame.header.view_key) return layout;
  const point = ([x, y, z]) => ({ x, y, z });
  if (frame.header.dim === 3) {
    if (view.eye && view.center && view.up) layout.scene.camera = { eye: point(view.eye), center: point(view.center), up: point(view.up) };
  } else if (view.x && view.y) {
    Object.assign(layout.xaxis, { range: view.x, autorange: false });
    Object.assign(layout.yaxis, { range: view.y, autorange: false });
  }
  return layout;
}
