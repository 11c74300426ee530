/**
 * Layout and theme of a map. Zoom and camera stay while `view_key` stays (Plotly's `uirevision`).
 */

/**
 * Red, green, blue and opacity of a computed CSS colour (any notation a canvas reads).
 * @param {string} color
 * @returns {Uint8ClampedArray}
 */
function colorParts(color) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = color;
  context.fillRect(0, 0, 1, 1);
  return context.getImageData(0, 0, 1, 1).data;
}

/**
 * Colours of the page around an element: its text, and the first background behind it that is not transparent.
 * @param {Element} element
 * @returns {{ink: string, paper: string, grid: string, dark: boolean}}
 */
function pageTheme(element) {
  let paper = "#ffffff";
  for (let e = element; e; e = e.parentElement) {
    const background = getComputedStyle(e).backgroundColor;
    if (colorParts(background)[3] > 127) {
      paper = background;
      break;
    }
  }
  const [r, g, b] = colorParts(paper);
  const dark = 0.299 * r + 0.587 * g + 0.114 * b < 128;
  return { ink: getComputedStyle(element).color, paper, grid: dark ? "#8884" : "#8883", dark };
}

/** An axis with a title, quiet lines and no hover spikes. */
function axis(title, theme) {
  return {
    title: { text: plain(title) },
    color: theme.ink,
    gridcolor: theme.grid,
    zerolinecolor: theme.grid,
    zeroline: false,
  };
}

/** Axes of a 2-D map: one unit is as long across as up. */
function flatAxes(axes, theme) {
  return {
    xaxis: axis(axes[0], theme),
    yaxis: { ...axis(axes[1], theme), scaleanchor: "x", scaleratio: 1 },
  };
}

/** The scene of a 3-D map; `camera` is copied, as `uirevision` alone loses it after a resize. */
function scene(axes, theme, viewKey, camera) {
  const side = (title) => ({ ...axis(title, theme), showspikes: false, showbackground: false });
  return {
    scene: {
      uirevision: viewKey,
      aspectmode: "auto",
      dragmode: "orbit",
      xaxis: side(axes[0]),
      yaxis: side(axes[1]),
      zaxis: side(axes[2]),
      ...(camera ? { camera } : {}),
    },
  };
}

/**
 * The layout of a frame.
 * @param {object} header  of the frame
 * @param {object} theme
 * @param {{camera: object|undefined, selections: object[], canSelect: boolean}} kept  what stays from the last drawing
 */
function buildLayout(header, theme, { camera, selections, canSelect }) {
  const legend = { bgcolor: "rgba(0,0,0,0)", font: { color: theme.ink }, itemsizing: "constant", tracegroupgap: 0 };
  const title = (text) => ({ text: plain(text, 40), font: { color: theme.ink } });
  return {
    autosize: true,
    margin: header.dim === 3 ? { l: 0, r: 0, t: 30, b: 0 } : { l: 55, r: 10, t: 30, b: 45 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: theme.ink, family: "inherit" },
    uirevision: header.view_key,
    selectionrevision: header.view_key,
    selections: header.dim === 3 ? [] : selections,
    newselection: { line: { color: theme.ink, width: 1.5, dash: "dot" } },
    hovermode: "closest",
    dragmode: canSelect ? "lasso" : "pan",
    modebar: { uirevision: "map", bgcolor: "rgba(0,0,0,0)", color: theme.dark ? "#bbb" : "#666", activecolor: theme.ink },
    showlegend: true,
    legend: { ...legend, title: title(header.color.title), uirevision: [header.color.title, header.color.names].join() },
    ...(header.symbol
      ? { legend2: { ...legend, title: title(header.symbol.title), y: 0, yanchor: "bottom", itemclick: false, itemdoubleclick: false } }
      : {}),
    ...(header.dim === 3 ? scene(header.axes, theme, header.view_key, camera) : flatAxes(header.axes, theme)),
  };
}

/** Plotly's settings: the wheel zooms, the tool bar is always there. */
function plotConfig(canSelect) {
  return {
    displayModeBar: true,
    displaylogo: false,
    scrollZoom: true,
    responsive: false, // a ResizeObserver does it, for tabs and side bars as well
    editSelection: false,
    modeBarButtonsToRemove: canSelect ? [] : ["select2d", "lasso2d"],
  };
}
