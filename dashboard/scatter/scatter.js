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

/** Take the addresses off the front of what Python sent. */
function openEnvelope(data) {
  const length = new DataView(data.buffer, data.byteOffset, data.byteLength).getUint32(0, true);
  const addresses = JSON.parse(new TextDecoder().decode(data.subarray(4, 4 + length)));
  return { ...addresses, frame: data.subarray(4 + length) };
}

export default function ({ data, parentElement, setStateValue }) {
  const { plotly, sheets, frame } = openEnvelope(data);
  const root = parentElement.querySelector(".ee-root");
  let map = mounted.get(root);
  if (!map) {
    map = mountMap(root, { plotly: null, sheet: null, select: null });
    mounted.set(root, map);
  }
  // Always the newest: addresses change with the data, and setStateValue closes over the current state.
  map.options.plotly = () => loadPlotly(plotly);
  map.options.sheet = (page) => `${sheets}${page}.webp`;
  map.options.select = (selection) => setStateValue("selection", selection);
  map.draw(frame);
  // Streamlit also cleans up after a call that newer data overtook: only tear down once the element has left the page.
  return () =>
    setTimeout(() => {
      if (!root.isConnected) {
        mounted.get(root)?.destroy();
        mounted.delete(root);
      }
    }, 0);
}
