// Tables of the chosen place: scores by experiment, parameters and means beside those of its neighbours.

function cell(text, attributes) { return element("td", text, attributes); }

function scoresTable(domain, place, now) {
  const rows = rowsOf(domain, { kind: "score" }).filter(row => Number.isFinite(row.values[place]));
  const names = [...new Set(rows.map(row => row.name))];
  const several = domain.experiments.some(one => one.variables.length > 1);
  const found = new Map();
  for (const row of rows) {
    const key = JSON.stringify([row.experiment, row.variable, row.model]);
    if (!found.has(key)) found.set(key, {});
    found.get(key)[row.name] = row;
  }
  const body = element("tbody", []);
  for (const experiment of domain.experiments)
    for (const variable of experiment.variables) {
      const models = experiment.models.filter(model => found.has(JSON.stringify([experiment.name, variable, model])));
      models.forEach((model, i) => {
        const own = found.get(JSON.stringify([experiment.name, variable, model]));
        const title = i ? "" : experiment.label + (several ? `, ${variable.replaceAll("_", " ")}` : "");
        const classes = [i ? "" : "first", experiment.name === now.experiment && model === now.model && variable === now.variable ? "now" : ""];
        const line = element("tr", [
          i ? null : element("th", title, { scope: "rowgroup", rowspan: models.length, class: "model" }),
          element("th", domain.models[model].label, { scope: "row", class: "model" }),
        ], { class: classes.join(" ").trim() });
        for (const name of names) {
          const peers = models.map(other => found.get(JSON.stringify([experiment.name, variable, other]))[name]?.values[place]);
          const value = own[name]?.values[place], best = models.length > 1 && Number.isFinite(value) && closeness(name, value) >= Math.max(...peers.filter(Number.isFinite).map(one => closeness(name, one)));
          line.append(cell(score(value), best ? { class: "best", title: "best of this experiment" } : {}));
        }
        body.append(line);
      });
    }
  const head = element("tr", [element("th", "Experiment", { scope: "col" }), element("th", "Model", { scope: "col", class: "model" })]);
  for (const name of names) {
    const unit = rows.find(row => row.name === name).unit;
    head.append(element("th", [name.replaceAll("_", " "), element("span", unitText(unit), { class: "unit" })], { scope: "col" }));
  }
  return element("table", [element("thead", head), body]);
}

// Greater for a better value of a metric.
function closeness(name, value) {
  const metric = study.metrics[name];
  return !metric || metric.direction === "higher" ? value : metric.direction === "lower" ? -value : -Math.abs(value - metric.best);
}

function besideTable(domain, place, near, rows, first) {
  const bounded = rows.some(row => row.low !== undefined);
  const head = element("tr", [
    element("th", first, { scope: "col" }), element("th", "this place", { scope: "col" }),
    ...near.map((one, i) => element("th", [String(i + 1), element("span", ` ${number(one.km, 2)} km`, { class: "unit" })], { scope: "col", title: nameOf(domain, one.place) })),
    bounded ? element("th", "bounds", { scope: "col" }) : null,
  ]);
  const body = rows.map(row => element("tr", [
    element("th", [row.label, element("span", unitText(row.unit), { class: "unit" })], { scope: "row", title: row.meaning || "" }),
    cell([number(row.values[place]), within(row, row.values[place])], { class: "own" }),
    ...near.map(one => cell([number(row.values[one.place]), within(row, row.values[one.place])])),
    bounded ? cell(row.low === undefined ? "" : `${plain(row.low)} to ${plain(row.high)}`) : null,
  ]));
  return element("table", [element("thead", head), element("tbody", body)]);
}

// A mark where a parameter lies between its bounds.
function within(row, value) {
  if (row.low === undefined || !Number.isFinite(value) || row.high <= row.low) return null;
  const share = Math.min(1, Math.max(0, (value - row.low) / (row.high - row.low)));
  return element("span", element("i", [], { style: `left: calc(${(100 * share).toFixed(1)}% - 1px)` }), { class: "range", "aria-hidden": "true" });
}
