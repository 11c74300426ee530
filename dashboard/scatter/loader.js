/** A component's script is a file that the browser fetches once and keeps; what Streamlit sends with every run is this. */

const scripts = (window.eeScripts ??= new Map()); // by address: the function that draws, or what it will come from
const newest = new WeakMap(); // number of the last call, by element

/** Fetch a script and run it as a module; a name stands for its content, so that a kept file is as good. */
function loadScript(url) {
  if (!scripts.has(url)) {
    const loading = (async () => {
      let response = await fetch(url, { cache: "force-cache" });
      if (!response.ok) response = await fetch(url, { cache: "reload" });
      if (!response.ok) throw new Error(`its script could not be loaded (${response.status})`);
      const address = URL.createObjectURL(new Blob([await response.text()], { type: "text/javascript" }));
      const { default: draw } = await import(address);
      URL.revokeObjectURL(address);
      scripts.set(url, draw);
      return draw;
    })();
    scripts.set(url, loading);
    loading.catch(() => scripts.delete(url));
  }
  return scripts.get(url);
}

export default function (component) {
  const { data, parentElement } = component;
  const ready = loadScript(new URL(data.script, document.baseURI).href);
  const number = (newest.get(parentElement) ?? 0) + 1;
  newest.set(parentElement, number);
  if (typeof ready === "function") return ready(component);
  let over = false;
  let cleanup = null;
  ready
    .then((draw) => {
      if (!over && newest.get(parentElement) === number) cleanup = draw(component);
    })
    .catch((error) => {
      console.error(error);
      const place = parentElement.querySelector("[data-ee]");
      if (place && newest.get(parentElement) === number) place.textContent = `This could not be drawn: ${error.message}`;
    });
  return () => {
    over = true;
    cleanup?.();
  };
}
