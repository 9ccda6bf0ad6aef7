// What is chosen, and what follows from it.

const now = { domain: null, experiment: null, variable: null, model: null, colour: null, place: undefined };
const hidden = new Set(); // lines that are not drawn, by model
let map, series, turn = 0;

const experimentNow = () => now.domain.experiments.find(one => one.name === now.experiment);
const scoreNames = () => [...new Set(rowsOf(now.domain, { kind: "score", experiment: now.experiment, variable: now.variable }).map(row => row.name))];

function chooseDomain(name) {
  now.domain = study.domains.find(one => one.name === name) || study.domains[0];
  now.place = undefined;
  options("domain", study.domains.map(one => [one.name, one.name]), now.domain.name);
  chooseExperiment(now.experiment);
}

function chooseExperiment(name) {
  const experiment = now.domain.experiments.find(one => one.name === name) || now.domain.experiments[0];
  now.experiment = experiment.name;
  options("experiment", now.domain.experiments.map(one => [one.name, one.label]), now.experiment);
  if (!experiment.variables.includes(now.variable)) now.variable = experiment.variables[0];
  options("variable", experiment.variables.map(one => [one, one.replaceAll("_", " ")]), now.variable);
  byId("variable").disabled = experiment.variables.length < 2;
  if (!experiment.models.includes(now.model)) now.model = experiment.models[0];
  options("model", experiment.models.map(one => [one, now.domain.models[one].label]), now.model);
  chooseColour(now.colour);
}

function colourings() {
  const { domain, experiment, variable, model } = now;
  const groups = [
    [`Score of ${domain.models[model].label}`, rowsOf(domain, { kind: "score", experiment, variable, model }).map(row => [`score ${row.name}`, row.label + unitText(row.unit)])],
    ["Model", scoreNames().map(name => [`best ${name}`, `best model by ${name.replaceAll("_", " ")}`])],
    ["Learned parameter", rowsOf(domain, { kind: "parameter", experiment, model }).map(row => [`parameter ${row.name}`, row.label + unitText(row.unit)])],
    ["Mean", [...rowsOf(domain, { kind: "mean", experiment, variable, model: "" }), ...rowsOf(domain, { kind: "mean", experiment, variable, model })]
      .map(row => [`mean ${row.name}`, row.label + unitText(row.unit)])],
  ];
  return groups.filter(([, entries]) => entries.length);
}

function chooseColour(name) {
  const groups = colourings(), all = groups.flatMap(([, entries]) => entries.map(([value]) => value));
  now.colour = all.includes(name) ? name : all[0];
  fill("colour", ...groups.map(([label, entries]) => {
    const group = element("optgroup", [], { label });
    for (const [value, text] of entries) {
      const made = element("option", text, { value });
      made.selected = value === now.colour;
      group.append(made);
    }
    return group;
  }));
  show();
}

// Values of the chosen colouring: {values, text(i), colour(i), title}.
function coloured() {
  const { domain, experiment, variable, model } = now;
  const [kind, ...rest] = (now.colour || "").split(" "), name = rest.join(" ");
  if (kind === "best") return bestModels(name);
  const wanted = kind === "parameter" ? { kind, experiment, model, name } : { kind, experiment, variable, model, name };
  const row = rowOf(domain, wanted) || rowOf(domain, { ...wanted, model: "" });
  if (!row) return { values: new Float32Array(domain.places.id.length).fill(NaN), text: () => "no value", colour: () => null, scale: null, title: "no value" };
  const scale = scaleOf(row, kind === "score" ? study.metrics[name] : null);
  const shades = study.colours[scale.palette], shown = kind === "score" ? score : number;
  return {
    values: row.values, scale, title: row.label + unitText(row.unit),
    text: i => `${row.label} ${shown(row.values[i])}${unitName(row.unit) && Number.isFinite(row.values[i]) ? ` ${unitName(row.unit)}` : ""}`, short: i => shown(row.values[i]),
    colour: i => {
      const value = row.values[i];
      if (!Number.isFinite(value)) return null;
      if (scale.worse && value < scale.low) return study.worse;
      const share = (value - scale.low) / (scale.high - scale.low || 1);
      return shades[Math.min(shades.length - 1, Math.max(0, Math.round(share * (shades.length - 1))))];
    },
  };
}

function scaleOf(row, metric) {
  if (metric?.direction === "higher") return { palette: "higher", low: 0, high: metric.best, worse: true };
  if (metric?.direction === "lower") return { palette: "lower", low: 0, high: quantile(row.values, 0.95) || 1 };
  if (metric) {
    const far = quantile([...row.values].map(value => Math.abs(value - metric.best)), 0.95) || 1;
    return { palette: "closer", low: metric.best - far, high: metric.best + far };
  }
  return { palette: "higher", low: quantile(row.values, 0.02), high: quantile(row.values, 0.98) };
}

function bestModels(name) {
  const { domain, experiment, variable } = now;
  const rows = rowsOf(domain, { kind: "score", experiment, variable, name });
  const best = domain.places.id.map((_, i) => rows.reduce((found, row) =>
    Number.isFinite(row.values[i]) && (!found || closeness(name, row.values[i]) > closeness(name, found.values[i])) ? row : found, null));
  const counts = rows.map(row => [row.model, best.filter(one => one === row).length]).filter(([, count]) => count);
  return {
    values: best.map((row, i) => row ? row.values[i] : NaN), counts, title: `best model by ${name.replaceAll("_", " ")}`,
    text: i => best[i] ? `${domain.models[best[i].model].label}, ${name} ${score(best[i].values[i])}` : "no value",
    short: i => best[i] ? score(best[i].values[i]) : "–", also: i => best[i] ? domain.models[best[i].model].label : "",
    colour: i => best[i] ? domain.models[best[i].model].colour : null,
  };
}

function show() {
  const shown = coloured(), places = now.domain.places.id.map((_, i) => i);
  map.show(now.domain, places.map(shown.colour), places.map(shown.text));
  legend(shown);
  list(shown);
  summary();
  showPlace();
}

function showPlace() {
  if (now.place !== undefined) placeChosen(); else nothingChosen();
  const known = { domain: now.domain.name, experiment: now.experiment, variable: now.variable, model: now.model, colour: now.colour };
  if (now.place !== undefined) known.place = now.domain.places.id[now.place];
  try { history.replaceState(null, "", `#${new URLSearchParams(known)}`); } catch { /* a page without an address of its own */ }
}

function legend({ scale, counts, title, values }) {
  const swatch = (colour, text) => element("li", [element("span", [], { class: "swatch", style: `background: ${colour}` }), text]);
  const missing = [...values].some(value => !Number.isFinite(value));
  const parts = [element("strong", title)], items = [];
  if (scale) {
    const shades = study.colours[scale.palette], middle = (scale.low + scale.high) / 2;
    parts.push(element("div", [], { class: "scale", style: `background: linear-gradient(to right, ${shades.filter((_, i) => i % 7 === 0).join(",")})` }));
    const over = [...values].some(value => value > scale.high), under = [...values].some(value => value < scale.low);
    parts.push(element("div", [element("span", (under && !scale.worse ? "≤ " : "") + plain(scale.low)), element("span", plain(middle)), element("span", (over ? "≥ " : "") + plain(scale.high))], { class: "ends" }));
    if (scale.worse && under) items.push(swatch(study.worse, `below ${plain(scale.low)}`));
  }
  for (const [model, count] of counts || []) items.push(swatch(now.domain.models[model].colour, `${now.domain.models[model].label}: ${count}`));
  if (missing) items.push(swatch("#ffffff", "no value"));
  if (items.length) parts.push(element("ul", items));
  fill("legend", ...parts);
  const known = [...values].filter(Number.isFinite);
  byId("distribution").textContent = counts || !known.length ? "" :
    `${known.length} of ${values.length} places have a value: median ${number(median(known))}, middle half ${number(quantile(known, 0.25))} to ${number(quantile(known, 0.75))}.`;
  byId("map").setAttribute("aria-label", `Map of ${values.length} places of ${now.domain.name}, coloured by ${title}. The list below has the same places and values.`);
}

function list(shown) {
  const find = byId("find").value.trim().toLowerCase(), order = byId("order").value;
  const places = now.domain.places.id.map((_, i) => i).filter(i => nameOf(now.domain, i).toLowerCase().includes(find));
  const value = i => Number.isFinite(shown.values[i]) ? shown.values[i] : (order === "high" ? -Infinity : Infinity);
  if (order === "name") places.sort((a, b) => nameOf(now.domain, a).localeCompare(nameOf(now.domain, b), "en", { numeric: true }));
  else places.sort((a, b) => (order === "high" ? -1 : 1) * (value(a) - value(b)));
  const wide = Math.max(...places.map(i => shown.short?.(i).length || 1), 1);
  fill("list", ...places.map(i => {
    const made = element("option", `${(shown.short?.(i) || "–").padStart(wide, "\u00a0")}  ${nameOf(now.domain, i)}${shown.also?.(i) ? `, ${shown.also(i)}` : ""}`, { value: String(i) });
    made.selected = i === now.place;
    return made;
  }));
  byId("list").size = Math.max(4, Math.min(14, now.domain.places.id.length));
  if (now.place === undefined) byId("list").selectedIndex = -1;
  byId("listed").textContent = find ? `${places.length} of ${now.domain.places.id.length} places` : "";
}

function summary() {
  const { domain, experiment, variable } = now, names = scoreNames(), [name] = names;
  const rows = rowsOf(domain, { kind: "score", experiment, variable, name });
  const medians = rows.map(row => [domain.models[row.model].label, median(row.values)]).filter(([, value]) => Number.isFinite(value));
  medians.sort((a, b) => closeness(name, b[1]) - closeness(name, a[1]));
  const said = medians.map(([label, value]) => `${label} ${score(value)}`).join(", ");
  const tested = Math.max(0, ...rows.map(row => [...row.values].filter(Number.isFinite).length));
  byId("summary").textContent = `The domain ${domain.name} has ${domain.places.id.length} places. In the experiment “${experimentNow().label}” (${variable?.replaceAll("_", " ")}), ` +
    (said ? `the median ${name.replaceAll("_", " ")} at ${tested} tested places is: ${said}.` : "there are no scores.");
}

function choose(place) {
  now.place = place;
  byId("list").value = String(place);
  showPlace();
  const near = neighbours(now.domain, place).map((one, i) => `${i + 1}: ${nameOf(now.domain, one.place)}, ${number(one.km, 2)} kilometres`);
  byId("said").textContent = `Chosen: ${nameOf(now.domain, place)}. ${coloured().text(place)}. Nearest places: ${near.join("; ") || "none"}.`;
}

function nothingChosen() {
  map.mark(undefined, []);
  byId("chosen").hidden = true;
  byId("place-title").textContent = "No place chosen";
  const { values, text } = coloured(), places = now.domain.places.id.map((_, i) => i).filter(i => Number.isFinite(values[i])).sort((a, b) => values[b] - values[a]);
  const ends = places.length > 2 ? [["highest value", places[0]], ["middle value", places[places.length >> 1]], ["lowest value", places[places.length - 1]]] : [];
  fill("about", "Choose a place on the map or in the list.", element("span", ends.map(([what, place]) => {
    const button = element("button", `${what}: ${nameOf(now.domain, place)}, ${text(place)}`, { type: "button" });
    button.addEventListener("click", () => { choose(place); byId("place-title").focus(); });
    return button;
  }), { class: "starts" }));
}

async function placeChosen() {
  const { domain, place, experiment, variable, model } = now, near = neighbours(domain, place), { latitude, longitude, area } = domain.places;
  map.mark(place, near);
  byId("chosen").hidden = false;
  byId("place-title").textContent = nameOf(domain, place);
  const position = latitude[place] === null ? "" : `${Math.abs(latitude[place]).toFixed(3)}° ${latitude[place] < 0 ? "S" : "N"}, ${Math.abs(longitude[place]).toFixed(3)}° ${longitude[place] < 0 ? "W" : "E"}`;
  byId("about").textContent = [`Domain ${domain.name}`, position, area[place] ? `drainage area ${number(area[place])} km²` : "", coloured().text(place)].filter(Boolean).join(" · ");
  fill("scores", scoresTable(domain, place, now));
  const parameters = rowsOf(domain, { kind: "parameter", experiment, model });
  byId("parameters-title").textContent = `Learned parameters of ${domain.models[model].label}`;
  fill("parameters", parameters.length ? besideTable(domain, place, near, parameters, "Parameter") : element("p", "This model has no learned parameters.", { class: "note" }));
  const means = ["", ...experimentNow().models].flatMap(one => rowsOf(domain, { kind: "mean", experiment, variable, model: one })
    .map(row => ({ ...row, label: one ? `${row.label}, ${domain.models[one].label}` : row.label })));
  byId("means-title").textContent = means.some(row => row.name === "precipitation") ? "Water balance" : "Means";
  fill("means", means.length ? besideTable(domain, place, near, means, "Mean") : element("p", "There is nothing to average.", { class: "note" }));
  fill("neighbours", ...near.map(one => {
    const button = element("button", nameOf(domain, one.place), { type: "button" });
    button.addEventListener("click", () => { choose(one.place); byId("place-title").focus(); });
    return element("li", [button, ` ${number(one.km, 2)} km`]);
  }));
  await drawSeries();
}

async function drawSeries(keep = true) {
  const { domain, place, experiment, variable } = now, mine = ++turn, lines = [];
  const title = variable.replaceAll("_", " ");
  const observed = await seriesAt(domain, place, { experiment: "", model: "", variable });
  if (observed) {
    const known = observed.values.filter(Number.isFinite).length;
    lines.push({ ...observed, label: "observed", colour: study.observed, dashes: [], observed: true, sampled: known < 0.4 * observed.values.length });
  }
  for (const model of experimentNow().models) {
    const found = await seriesAt(domain, place, { experiment, variable, model });
    const { label, colour, dashes } = domain.models[model];
    if (found) lines.push({ ...found, label, colour, dashes, model });
  }
  if (mine !== turn) return; // another place was chosen meanwhile
  const simulated = lines.filter(line => line.model);
  if (observed && simulated.length) trim(lines[0], simulated);
  for (const line of lines) line.hidden = hidden.has(line.model || "observed");
  byId("series-title").textContent = `Observed and simulated ${title}`;
  fill("lines", element("legend", "Lines", { class: "unseen" }), ...lines.map(lineBox));
  byId("series").hidden = !lines.length;
  if (!lines.length) { byId("period").textContent = "This page has no series of this place in this experiment; they are in the folder simulations of the study."; return; }
  series.show(domain, title, lines[0].unit, lines, keep);
  const said = lines.map(line => `${line.label}: mean ${number(mean(line.values))}, greatest ${number(quantile(line.values, 1))}`).join("; ");
  byId("series").setAttribute("aria-label", `Series of ${title} in ${unitName(lines[0].unit)} at ${nameOf(domain, place)}, ${dateText(domain, series.whole[0])} to ${dateText(domain, series.whole[1])}. ${said}.`);
}

// Observations only where the experiment simulates.
function trim(observed, simulated) {
  const from = Math.min(...simulated.map(line => line.first)), to = Math.max(...simulated.map(line => line.first + line.values.length));
  const start = Math.max(0, from - observed.first);
  observed.values = observed.values.slice(start, Math.max(start, to - observed.first));
  observed.first += start;
}

function mean(values) {
  const known = values.filter(Number.isFinite);
  return known.reduce((sum, value) => sum + value, 0) / known.length;
}

function lineBox(line) {
  const box = element("input", [], { type: "checkbox" });
  box.checked = !line.hidden;
  box.addEventListener("change", () => {
    const name = line.model || "observed";
    if (box.checked) hidden.delete(name); else hidden.add(name);
    line.hidden = !box.checked;
    series.draw(true);
  });
  const key = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  key.setAttribute("class", "stroke");
  key.setAttribute("aria-hidden", "true");
  key.innerHTML = line.sampled ? '<circle cx="15" cy="6" r="3.5"/>' : '<line x1="0" x2="30" y1="6" y2="6" stroke-width="2.2"/>';
  key.firstChild.setAttribute(line.sampled ? "fill" : "stroke", line.colour);
  if (line.dashes.length) key.firstChild.setAttribute("stroke-dasharray", line.dashes.join(" "));
  return element("label", [box, key, line.label], { class: "check" });
}

const PRESSED = { ArrowLeft: () => series.move(-0.25), ArrowRight: () => series.move(0.25), "+": () => series.zoom(0.5), "=": () => series.zoom(0.5), "-": () => series.zoom(2), 0: () => series.all() };

function listen() {
  const changed = (id, act) => byId(id).addEventListener("change", event => act(event.target.value));
  const clicked = (id, act) => byId(id).addEventListener("click", act);
  changed("domain", chooseDomain);
  changed("experiment", chooseExperiment);
  changed("variable", value => { now.variable = value; chooseColour(now.colour); });
  changed("model", value => { now.model = value; chooseColour(now.colour); });
  changed("colour", chooseColour);
  changed("order", () => list(coloured()));
  byId("find").addEventListener("input", () => list(coloured()));
  byId("controls").addEventListener("submit", event => event.preventDefault());
  changed("list", value => choose(Number(value)));
  clicked("map-in", () => map.zoom(0.5));
  clicked("map-out", () => map.zoom(2));
  clicked("map-all", () => map.all());
  clicked("earlier", () => series.move(-0.5));
  clicked("later", () => series.move(0.5));
  clicked("closer", () => series.zoom(0.5));
  clicked("wider", () => series.zoom(2));
  clicked("year", () => series.year());
  clicked("whole", () => series.all());
  byId("logarithmic").addEventListener("change", event => { series.logarithmic = event.target.checked; series.draw(true); });
  byId("series").addEventListener("keydown", event => {
    const act = PRESSED[event.key];
    if (act && !event.ctrlKey && !event.altKey && !event.metaKey) { event.preventDefault(); act(); byId("said").textContent = `Shown: ${byId("period").textContent}`; }
  });
}

async function begin() {
  await prepare();
  map = new PlaceMap(byId("map"), choose);
  series = new Series(byId("series"), text => { byId("period").textContent = text; });
  listen();
  byId("commit").textContent = study.commit.slice(0, 10);
  const errors = study.domains.flatMap(domain => domain.series).map(one => [one.step > 0, one.error]);
  const worst = [[true, "discharge"], [false, "the range of a variable at a place"]].map(([relative, what]) => [Math.max(0, ...errors.filter(one => one[0] === relative).map(one => one[1])), what]);
  byId("error").textContent = `The values of series in this page are rounded, by at most ${worst.filter(one => one[0]).map(([error, what]) => `${plain(error)} % of ${what}`).join(" and ")}.`;
  const left = study.without_series, box = byId("left-out");
  box.hidden = !left.length;
  box.querySelector("summary").textContent = `To keep this page small it has no series of ${left.length} runs; their scores and parameters are here`;
  box.querySelector("p").textContent = `Their series are in the folder simulations of the study: ${left.map(run => run.join("/")).join(", ")}.`;
  const asked = new URLSearchParams(location.hash.slice(1));
  Object.assign(now, { experiment: asked.get("experiment"), variable: asked.get("variable"), model: asked.get("model"), colour: asked.get("colour") });
  chooseDomain(asked.get("domain"));
  const place = now.domain.places.id.indexOf(asked.get("place"));
  if (place >= 0) choose(place);
  window.explorer = { now, map, series, study }; // for the console of the browser
  document.documentElement.dataset.ready = "yes";
}

begin().catch(error => {
  document.querySelector("main").prepend(element("p", `This page could not be shown: ${error.message}. It needs a browser of 2023 or later.`, { class: "failed", role: "alert" }));
  console.error(error);
});
