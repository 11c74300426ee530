/** The component's end in the browser: one map for each element, however often Streamlit calls. */

const mounted = new WeakMap();
let plotlyReady = null;

/** Fetch the compressed plotly.js once a page, unpack it and run it. */
function loadPlotly(url) {
  plotlyReady ??= (async () => {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`plotly.js could not be loaded (${response.status})`);
    const unpacked = response.body.pipeThrough(new DecompressionStream("gzip"));
    const blob = new Blob([await new Response(unpacked).arrayBuffer()], { type: "text/javascript" });
    const script = document.createElement("script");
    script.src = URL.createObjectURL(blob);
    await new Promise((done, failed) => {
      script.onload = done;
      script.onerror = () => failed(new Error("plotly.js could not be run"));
      document.head.append(script);
    });
    URL.revokeObjectURL(script.src);
    return window.Plotly;
  })();
  plotlyReady.catch(() => (plotlyReady = null));
  return plotlyReady;
}

export default function ({ data, parentElement, setTriggerValue }) {
  const { plotly, sheets, arrays, header, selected, mode, radius, turn, mark, view, small, link } = data;
  const root = parentElement.querySelector(".ee-root");
  root.classList.toggle("ee-small", small);
  let map = mounted.get(root);
  if (!map) {
    loadPlotly(plotly).catch(() => {}); // while the numbers come; the map says so if it cannot be had
    map = mountMap(root, { plotly: null, sheet: null, select: null });
    mounted.set(root, map);
  }
  // Always the newest: addresses change with the data, and setTriggerValue closes over the current state.
  map.options.plotly = () => loadPlotly(plotly);
  map.options.sheet = (page) => `${sheets}${page}.webp`;
  map.options.select = (pick) => setTriggerValue("pick", pick);
  map.options.mode = mode;
  map.options.view = view;
  map.options.moved = (value) => setTriggerValue("view", value);
  map.options.radius = radius;
  linkMap(root, link, decodeBits(selected));
  const call = (map.calls = (map.calls ?? 0) + 1);
  fetchFrame(header, (file) => `${arrays}${file}`)
    .then((frame) => call === map.calls && map.draw(frame, { bits: decodeBits(selected), mark, text: `${selected} ${turn} ${mark}` }))
    .catch((error) => map.fail(error));
  // Streamlit also cleans up after a call that newer data overtook: only tear down once the element has left the page.
  return () =>
    setTimeout(() => {
      if (!root.isConnected) {
        mounted.get(root)?.destroy();
        mounted.delete(root);
      }
    }, 0);
}
