"use strict";
// Sorting, filtering and the details of a tenant. All that is shown is set as text, never as markup.
(() => {
  const byId = (id) => document.getElementById(id);
  const fleet = JSON.parse(byId("fleet").textContent);
  const tenants = new Map(fleet.tenants.map((tenant) => [tenant.id, tenant]));
  const table = document.querySelector("table");
  const heads = [...document.querySelectorAll("thead th")];
  const bodies = [...table.tBodies]; // one for each tenant
  const texts = new Map(bodies.map((body) => [body, body.textContent.toLowerCase()]));
  const chosen = { state: new Set(), drift: new Set() };

  const made = (tag, text, inside = []) => {
    const element = document.createElement(tag);
    if (text) element.textContent = text;
    element.append(...inside);
    return element;
  };
  const time = (text) => (text ? text.slice(0, 19).replace("T", " ") : "");

  // Which are shown.
  const empty = made("td", "No tenant is like that.");
  empty.colSpan = heads.length;
  empty.className = "none";
  const none = made("tbody", "", [made("tr", "", [empty])]);
  const fits = (body, words) =>
    (!chosen.state.size || chosen.state.has(body.dataset.state)) &&
    (!chosen.drift.size || chosen.drift.has(body.dataset.drift)) &&
    words.every((word) => texts.get(body).includes(word));
  const show = () => {
    const words = byId("text").value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const body of bodies) {
      body.hidden = !fits(body, words);
      shown += body.hidden ? 0 : 1;
    }
    if (shown) none.remove();
    else table.append(none);
    const all = bodies.length.toLocaleString("en");
    byId("shown").textContent = shown === bodies.length ? `all ${all} shown` : `${shown.toLocaleString("en")} of ${all} shown`;
  };

  // In which order.
  const key = (body, column, sorts) => {
    const cell = body.rows[0].cells[column];
    return sorts === "number" ? Number(cell.dataset.value) : (cell.dataset.value ?? cell.textContent);
  };
  const compared = {
    number: (one, other) => one - other,
    text: new Intl.Collator("en", { numeric: true, sensitivity: "base" }).compare,
  };
  const order = (head) => {
    const column = heads.indexOf(head);
    const sorts = head.dataset.sorts;
    const down = head.getAttribute("aria-sort") === "ascending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const keyed = bodies.map((body) => [key(body, column, sorts), body]);
    keyed.sort((one, other) => (down ? -1 : 1) * compared[sorts](one[0], other[0]));
    table.append(...keyed.map(([, body]) => body));
    show();
  };

  // What is known of one tenant.
  const said = (thing) => (typeof thing === "string" ? thing : JSON.stringify(thing));
  const difference = (one) => {
    const where = [one.where, one.path].filter(Boolean).join(" ");
    if (!one.path) return `${where} ${one.live === null ? "is gone" : "is there, and should not be"}`;
    return `${where}: recorded ${said(one.recorded)} → live ${said(one.live)}`;
  };
  const drift = (found) => {
    if (!found) return [made("span", "-")];
    const looked = found.at ? `, looked at ${time(found.at)}` : ", never looked at";
    const beside = found.unchecked ? `, ${found.unchecked} not compared` : "";
    const lines = found.differences.map((one) => made("li", difference(one)));
    return [made("span", found.state + looked + beside), made("ul", "", lines)];
  };
  const line = (service) =>
    made("tr", "", [
      made("td", service.name + (service.shared ? " (shared)" : "")),
      made("td", `${service.kind} ${service.identity}`),
      made("td", service.state),
      made("td", service.revision === null ? "-" : String(service.revision)),
      made("td", [time(service.since), service.by].filter(Boolean).join(" by ")),
      made("td", "", drift(service.drift)),
      made("td", service.error || ""),
    ]);
  const detail = (tenant) => {
    const cell = made("td");
    cell.colSpan = heads.length;
    if (tenant.name) cell.append(made("p", tenant.name));
    if (tenant.mood === "well" && tenant.happened) cell.append(made("p", tenant.happened));
    if (tenant.execution) cell.append(made("p", "", [made("code", `orbits get ${tenant.execution}`)]));
    if (tenant.began) cell.append(made("p", `begun ${time(tenant.began)}, ${tenant.ended ? `over ${time(tenant.ended)}` : "under way"}`));
    if (tenant.services.length) {
      const names = ["service", "record", "state", "revision", "last change", "drift", "error"];
      const head = names.map((name) => Object.assign(made("th", name), { scope: "col" }));
      cell.append(made("table", "", [
        made("thead", "", [made("tr", "", head)]),
        made("tbody", "", tenant.services.map(line)),
      ]));
    }
    const row = made("tr", "", [cell]);
    row.className = "detail";
    return row;
  };
  const unfold = (button) => {
    const body = button.closest("tbody");
    const there = body.querySelector(".detail");
    if (there) there.remove();
    else body.append(detail(tenants.get(body.dataset.id)));
    button.setAttribute("aria-expanded", String(!there));
  };

  const press = (button) => {
    const buttons = [...document.querySelectorAll(".filters button")];
    const what = "state" in button.dataset ? "state" : "drift" in button.dataset ? "drift" : null;
    if (what === null) Object.values(chosen).forEach((set) => set.clear());
    else if (!chosen[what].delete(button.dataset[what])) chosen[what].add(button.dataset[what]);
    for (const other of buttons) {
      const on = "state" in other.dataset
        ? chosen.state.has(other.dataset.state)
        : "drift" in other.dataset
          ? chosen.drift.has(other.dataset.drift)
          : !chosen.state.size && !chosen.drift.size;
      other.setAttribute("aria-pressed", String(on));
    }
    show();
  };
  document.querySelector(".filters").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) press(button);
  });
  heads.forEach((head) => head.querySelector("button").addEventListener("click", () => order(head)));
  table.addEventListener("click", (event) => {
    const button = event.target.closest("button.more");
    if (button) unfold(button);
  });
  byId("text").addEventListener("input", show);
  show();
})();
