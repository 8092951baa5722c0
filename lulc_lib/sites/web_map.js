"use strict";
// Text of the data reaches the page as text nodes only; where Leaflet takes HTML it is markup().
const data = JSON.parse(document.getElementById("data").textContent);
const TILES = "https://tile.openstreetmap.org/{z}/{x}/{y}.png";

function element(tag, text, name) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (name) made.className = name;
  return made;
}

function markup(...parts) {
  const box = document.createElement("div");
  box.append(...parts);
  return box.innerHTML;
}

function swatch(style) {
  const made = element("span", undefined, style.dashArray ? "swatch dashed" : "swatch");
  made.style.borderColor = style.color;
  const fill = Math.round(255 * Math.max(style.fillOpacity, 0.02)).toString(16).padStart(2, "0");
  made.style.backgroundColor = style.color + fill;
  return made;
}

function words(rows) {
  const box = element("div");
  for (const [name, value] of rows) box.append(element("div", name ? `${name}: ${value}` : value));
  return box;
}

function card(site) {
  const box = element("div");
  box.append(element("b", `Site ${site.number}`), ` (${site.status}, score ${site.score})`);
  const list = element("ul");
  for (const reason of site.reasons) list.append(element("li", reason));
  box.append(list);
  for (const where of site.where) box.append(element("div", where, "where"));
  if (site.sheet) {
    const link = element("a", "Evidence sheet");
    link.href = site.sheet;
    link.target = "_blank";
    box.append(link);
  }
  box.append(element("p", data.caveat));
  return box;
}

// Easting and northing at a place, by a polynomial fitted to the maps' extent.
function projected(latlng) {
  const x = (latlng.lng - data.grid.lon) / data.grid.scale;
  const y = (latlng.lat - data.grid.lat) / data.grid.scale;
  if (Math.max(Math.abs(x), Math.abs(y)) > 1) return "";
  const sum = (c) => data.grid.powers.reduce((s, [i, j], k) => s + c[k] * x ** i * y ** j, 0);
  const [east, north] = [data.grid.east, data.grid.north].map((c) => Math.round(sum(c)));
  return `; E ${east} N ${north} (${data.grid.name})`;
}

function readout() {
  const control = L.control({position: "bottomleft"});
  control.onAdd = () => element("div", "", "note where");
  control.addTo(map);
  map.on("mousemove", ({latlng}) => {
    const {lat, lng} = latlng.wrap();
    const [north, east] = [[lat, "N", "S"], [lng, "E", "W"]].map(
      ([v, plus, minus]) => `${Math.abs(v).toFixed(5)}° ${v < 0 ? minus : plus}`);
    control.getContainer().textContent =
      `${north}, ${east} (WGS 84)${data.grid ? projected(latlng) : ""}`;
  });
}

function notes() {
  const control = L.control({position: "bottomright"});
  control.onAdd = () => {
    const box = element("div", undefined, "note");
    for (const line of data.notes) box.append(element("p", line));
    return box;
  };
  control.addTo(map);
}

function registryLayer(registry) {
  return L.geoJSON(registry.features, {
    style: registry.style,
    pointToLayer: (feature, at) => L.circleMarker(at, {radius: 6}),
    onEachFeature: (feature, layer) => feature.properties.rows.length
      && layer.bindTooltip(() => words(feature.properties.rows), {sticky: true}),
  });
}

function siteLayer(group) {
  const white = {color: "#ffffff", weight: 6, opacity: 0.9, fill: false};
  const casing = L.geoJSON(group.features, {style: white, interactive: false});  // drawn first
  const shown = L.geoJSON(group.features, {
    style: group.style,
    onEachFeature: (feature, layer) => {
      layer.bindTooltip(() => element("span", `Site ${feature.properties.number}: ${group.label}`),
                        {sticky: true});
      layer.bindPopup(() => card(feature.properties), {maxWidth: 420});
    },
  });
  return L.featureGroup([casing, shown]);
}

const map = L.map("map", {preferCanvas: true, zoomSnap: 0.5});
map.attributionControl.setPrefix("Leaflet");
L.control.scale({imperial: false}).addTo(map);
const switches = L.control.layers(null, null, {collapsed: false}).addTo(map);

function offer(layer, shown, ...label) {
  switches.addOverlay(layer, markup(...label));
  if (shown) layer.addTo(map);
}

if (data.background) {
  const tiles = L.tileLayer(TILES, {maxZoom: 19, attribution: "© OpenStreetMap contributors"});
  offer(tiles, true, "OpenStreetMap (from the network)");
}
for (const image of data.images) {
  offer(L.imageOverlay(image.source, image.bounds), image.shown, element("span", image.label));
}
const registries = data.registries.map((registry) => {
  const layer = registryLayer(registry);
  offer(layer, registry.shown, swatch(registry.style), element("span", registry.label));
  return layer;
});
for (const group of data.sites) {
  offer(siteLayer(group), true, swatch(group.style),
        element("span", `${group.features.features.length} × ${group.label}`));
}
// What is switched on later is drawn last; registries stay below the sites, which take the clicks.
map.on("overlayadd", ({layer}) => registries.includes(layer) && layer.bringToBack());
map.fitBounds(data.bounds);
readout();
notes();
