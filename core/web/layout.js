/** The look of the map: axes, legend, colours of the page it is on, and what survives a redraw. */

const FONT = 'system-ui, "Source Sans", sans-serif';

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
 */
function buildLayout(frame, theme, camera) {
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
    selectionrevision: header.key,
    selections: [],
    hovermode: "closest",
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
      groupclick: "toggleitem",
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

/** Buttons and behaviour of the plot. */
function plotConfig() {
  return {
    responsive: false, // a ResizeObserver does this, also when the window stays as it is
    displaylogo: false,
    scrollZoom: true,
    doubleClick: "reset+autosize",
    modeBarButtonsToRemove: ["autoScale2d", "hoverClosest3d", "resetCameraLastSave3d", "sendChartToCloud"],
    toImageButtonOptions: { format: "png", scale: 2, filename: "embedding-explorer" },
  };
}
