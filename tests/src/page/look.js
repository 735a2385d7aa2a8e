// What is wrong with the page as it is seen now, a sentence each; runs in the page, as the body of a function.

const faults = [];
const seen = (element) => element.checkVisibility({ visibilityProperty: true });
const short = (element) => element.outerHTML.slice(0, 90);
const all = (selector) => [...document.querySelectorAll(selector)].filter(seen);

// Structure and names.
if (!document.documentElement.lang) faults.push("the page says no language");
if (!document.title) faults.push("the page has no title");
if (all("h1").length !== 1) faults.push("there is not one h1");
if (all("main").length !== 1) faults.push("there is not one main");
const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
ids.filter((id, at) => ids.indexOf(id) !== at).forEach((id) => faults.push(`the id ${id} is there twice`));
for (const field of all("input, select, textarea")) {
  const label = [...field.labels].map((label) => label.innerText).join("") || field.getAttribute("aria-label");
  if (!label?.trim()) faults.push(`no label: ${short(field)}`);
}
for (const named of all("a, button, summary, th")) {
  if (!named.innerText.trim() && !named.getAttribute("aria-label")) faults.push(`no name: ${short(named)}`);
}
for (const picture of all("img, svg")) {
  if (!picture.getAttribute("alt") && picture.getAttribute("aria-hidden") !== "true") faults.push(`no words: ${short(picture)}`);
}
for (const table of all("table")) {
  if (!table.caption) faults.push(`no caption: ${short(table)}`);
  const heads = table.querySelectorAll("th");
  if (heads.length === 0 || [...heads].some((head) => !head.scope)) faults.push(`heads without scope: ${short(table)}`);
}
for (const describedBy of document.querySelectorAll("[aria-describedby], [aria-labelledby]")) {
  const id = describedBy.getAttribute("aria-describedby") ?? describedBy.getAttribute("aria-labelledby");
  if (!document.getElementById(id)) faults.push(`nothing has the id ${id}`);
}

// Nothing is wider than the page, and what is pressed is large enough (WCAG 2.5.8).
const root = document.documentElement;
if (root.scrollWidth > root.clientWidth) {
  const wide = all("main *").filter((element) => element.getBoundingClientRect().right > root.clientWidth + 1);
  faults.push(`the page is ${root.scrollWidth} pixels wide and ${root.clientWidth} are seen: ${wide.slice(0, 3).map(short)}`);
}
for (const pressed of all("button, select, input:not([type=radio]), summary, nav a")) {
  const { width, height } = pressed.getBoundingClientRect();
  if (width < 24 || height < 24) faults.push(`smaller than 24 pixels (${width} × ${height}): ${short(pressed)}`);
}

// Contrast, WCAG 1.4.3 and 1.4.11.
const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
function colour(text) {
  probe.clearRect(0, 0, 1, 1);
  probe.fillStyle = text;
  probe.fillRect(0, 0, 1, 1);
  return [...probe.getImageData(0, 0, 1, 1).data];
}
function luminance([red, green, blue]) {
  const linear = [red, green, blue].map((part) => part / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
}
function behind(element) {
  for (let at = element; at; at = at.parentElement) {
    const found = colour(getComputedStyle(at).backgroundColor);
    if (found[3] === 255) return found;
  }
  return [255, 255, 255, 255];
}
function ratio(one, other) {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const checked = new Set();
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || checked.has(element) || !seen(element)) continue;
  checked.add(element);
  const style = getComputedStyle(element);
  const size = parseFloat(style.fontSize);
  const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  const contrast = ratio(colour(style.color), behind(element));
  if (contrast < (large ? 3 : 4.5)) faults.push(`contrast ${contrast.toFixed(2)}: ${short(element)}`);
}
for (const field of all("input, select")) {
  const contrast = ratio(colour(getComputedStyle(field).borderTopColor), behind(field.parentElement));
  if (contrast < 3) faults.push(`contrast of the edge ${contrast.toFixed(2)}: ${short(field)}`);
  if (field.placeholder) {
    const text = ratio(colour(getComputedStyle(field, "::placeholder").color), behind(field));
    if (text < 4.5) faults.push(`contrast of the placeholder ${text.toFixed(2)}: ${short(field)}`);
  }
}
for (const line of all(".spark path, .stem polygon")) {
  const style = getComputedStyle(line);
  const paint = style.stroke === "none" ? style.fill : style.stroke;
  // The stem says in a picture what the counters say in words.
  if (line.closest(".stem")) continue;
  const contrast = ratio(colour(paint), behind(line.closest("td")));
  if (contrast < 3) faults.push(`contrast of a line ${contrast.toFixed(2)}`);
}
return [...new Set(faults)];
