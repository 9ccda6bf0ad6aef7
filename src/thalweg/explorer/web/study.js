// The content of the page: domains with places, rows of values at places, and series.

const study = JSON.parse(document.getElementById("content").textContent);

async function prepare() {
  await Promise.all(study.domains.map(async domain => {
    const values = await unpackNumbers(domain.values), places = domain.places.id.length;
    domain.rows.forEach((row, i) => { row.values = values.subarray(i * places, (i + 1) * places); });
    domain.decoded = new Map();
  }));
}

function rowsOf(domain, wanted) {
  return domain.rows.filter(row => Object.entries(wanted).every(([key, value]) => row[key] === value));
}

function rowOf(domain, wanted) { return rowsOf(domain, wanted)[0]; }

// A series of a place as {first, values}; null where the page has none.
async function seriesAt(domain, place, wanted) {
  const entry = domain.series.find(one => Object.entries(wanted).every(([key, value]) => one[key] === value));
  if (!entry) return null;
  if (!domain.decoded.has(entry)) {
    domain.decoded.set(entry, unpackSeries(entry.data, domain.places.id.length, entry.length, entry.step));
  }
  const values = (await domain.decoded.get(entry))(place);
  return values.some(Number.isFinite) ? { first: entry.first, values, unit: entry.unit } : null;
}

// Milliseconds since 1970 of a position in the record of a domain.
function timeOf(domain, position) {
  const start = new Date(domain.start.replace(" ", "T") + "Z");
  if (domain.step === "month") return Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + position, 1);
  const hours = { hour: 1, day: 24 }[domain.step] || 24 * parseFloat(domain.step);
  return start.getTime() + position * hours * 3600e3;
}

const EARTH = 6371; // km

function distance(domain, a, b) {
  const { latitude, longitude } = domain.places, radians = Math.PI / 180;
  if ([latitude[a], latitude[b], longitude[a], longitude[b]].includes(null)) return Infinity;
  const north = Math.sin((latitude[b] - latitude[a]) * radians / 2), east = Math.sin((longitude[b] - longitude[a]) * radians / 2);
  const h = north ** 2 + Math.cos(latitude[a] * radians) * Math.cos(latitude[b] * radians) * east ** 2;
  return 2 * EARTH * Math.asin(Math.min(1, Math.sqrt(h)));
}

// The nearest other places: positions and km.
function neighbours(domain, place, count = 4) {
  return domain.places.id.map((_, other) => ({ place: other, km: distance(domain, place, other) }))
    .filter(one => one.place !== place && Number.isFinite(one.km)).sort((a, b) => a.km - b.km).slice(0, count);
}

function nameOf(domain, place) {
  const { id, name } = domain.places;
  return name[place] && name[place] !== id[place] ? `${name[place]} (${id[place]})` : id[place];
}
