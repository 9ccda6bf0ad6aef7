// Numbers and elements.

function number(value, digits = 3) {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(1).replace("-", "−").replace("e+", "e");
  const decimals = size === 0 ? 0 : Math.max(0, Math.min(4, digits - 1 - Math.floor(Math.log10(size))));
  return value.toFixed(size < 1 ? Math.min(decimals, digits) : decimals).replace("-", "−");
}

// Without zeros at the end, for ends of scales and bounds.
function plain(value) {
  const text = number(value);
  return text.includes(".") && !text.includes("e") ? text.replace(/\.?0+$/, "") : text;
}

function score(value) {
  if (!Number.isFinite(value)) return "–";
  return value.toFixed(Math.abs(value) >= 100 ? 0 : 2).replace(/^-0\.00$/, "0.00").replace("-", "−");
}

function median(values) {
  const known = [...values].filter(Number.isFinite).sort((a, b) => a - b), middle = known.length >> 1;
  if (!known.length) return NaN;
  return known.length % 2 ? known[middle] : (known[middle - 1] + known[middle]) / 2;
}

function quantile(values, share) {
  const known = [...values].filter(Number.isFinite).sort((a, b) => a - b);
  return known.length ? known[Math.round(share * (known.length - 1))] : NaN;
}

function element(tag, content, attributes = {}) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...[content].flat().filter(part => part !== undefined && part !== null));
  return made;
}

// Show a figure of Bokeh in an element instead of the one that is there; the promise of its view.
function put(plot, host, before) {
  before?.then(view => {
    const { document } = view.model, at = Bokeh.documents.indexOf(document);
    view.remove();
    if (at >= 0) Bokeh.documents.splice(at, 1);
  });
  host.replaceChildren();
  return Bokeh.Plotting.show(plot, host);
}

function byId(id) { return document.getElementById(id); }

function fill(id, ...content) { byId(id).replaceChildren(...content); }

function options(id, entries, chosen) {
  fill(id, ...entries.map(([value, label]) => {
    const made = element("option", label, { value });
    made.selected = value === chosen;
    return made;
  }));
}

const UNITS = { degC: "°C", delta_degC: "°C", percent: "%", dimensionless: "" };

function unitName(unit) { return UNITS[unit] ?? unit ?? ""; }

function unitText(unit) { return unitName(unit) ? ` [${unitName(unit)}]` : ""; }
