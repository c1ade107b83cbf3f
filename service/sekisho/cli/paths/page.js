"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const MOST = 300;
const at = (id) => document.getElementById(id);
const made = (kind, text, into) => {
  const node = document.createElement(kind);
  if (text) node.textContent = text;
  if (into) into.append(node);
  return node;
};
let cluster = null;
let chosen = null;

function list() {
  const words = at("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = data.paths.filter((path) =>
    (cluster === null || path.cluster === cluster) && words.every((word) => path.text.includes(word)));
  at("count").textContent = `${found.length} of ${data.paths.length}${cluster === null ? "" : ", of the chosen box"}` +
    (found.length > MOST ? `; the first ${MOST} are listed` : "");
  at("list").replaceChildren(...found.slice(0, MOST).map((path) => {
    const item = made("li");
    const button = made("button", path.name, item);
    button.type = "button";
    made("small", `${path.hops.length} step${path.hops.length > 1 ? "s" : ""}: ${path.hops.map((hop) => hop.method).join(", then ")}`, button);
    button.setAttribute("aria-pressed", String(path === chosen));
    button.addEventListener("click", () => show(path));
    return item;
  }));
  return found;
}

function show(path) {
  chosen = path;
  const shown = at("path");
  shown.replaceChildren();
  if (!path) {
    made("p", "Nobody has a path.", shown);
    return;
  }
  made("h2", path.name, shown);
  const steps = made("ol", "", shown);
  for (const hop of path.hops) {
    const step = made("li", "", steps);
    made("code", hop.method, step);
    made("small", `on ${hop.on}, and is then ${hop.becomes}${hop.change ? `, which ${hop.change}` : ""}`, step);
    if (hop.presumes) made("small", `if ${hop.presumes}`, step);
    for (const grant of hop.grants) made("small", `${grant.action} on ${grant.resource}: ${grant.by}`, step);
  }
  for (const box of document.querySelectorAll(".box")) box.classList.toggle("chosen", Number(box.dataset.cluster) === path.cluster);
  list();
}

for (const box of document.querySelectorAll(".box")) {
  box.addEventListener("click", () => {
    const number = Number(box.dataset.cluster);
    cluster = number < 0 || number === cluster ? null : number;
    const found = list();
    if (cluster !== null && found.length) show(found[0]);
  });
}
for (const path of data.paths) path.text = [path.name, ...path.hops.map((hop) => `${hop.method} ${hop.on} ${hop.becomes}`)].join(" ").toLowerCase();
at("search").addEventListener("input", list);
list();
show(data.paths[0]);
