// Shows all sources of the report a page at a time: filtered, sorted, each with its names.
"use strict";
(async () => {
  const table = document.getElementById("rows");
  if (!table) return;
  const octets = Uint8Array.from(atob(document.getElementById("data").textContent), (octet) => octet.charCodeAt(0));
  let data;
  try {
    data = await new Response(new Blob([octets]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
  } catch {
    // A browser of before 2023: what needs no script stays.
    document.getElementById("old").hidden = false;
    return;
  }
  const { lists, since } = data;
  let before = 0;
  const address = (source) => {
    if (typeof source === "string") return source;
    before += source;
    return [24, 16, 8, 0].map((shift) => (before >>> shift) & 255).join(".");
  };
  const listOf = lists.flatMap((list, place) => Array(list[3]).fill(place));
  // [source, list, infected, names, queries, responses, first, last, collisions, [place, …]], times in minutes since 1970.
  const rows = data.source.map((source, row) => {
    const first = since + data.first[row];
    let place = 0;
    return [
      address(source), listOf[row], data.infected[row], data.names[row], data.names[row] + data.queries[row], data.responses[row],
      first, first + data.last[row], data.collisions[row], data.told[row].map((distance) => (place += distance)),
    ];
  });
  const PAGE = 50;
  const byId = (id) => document.getElementById(id);
  const number = new Intl.NumberFormat("en-US");
  const minute = (minutes) => new Date(minutes * 60000).toISOString().slice(0, 16).replace("T", " ");
  // Columns of the table: what to sort by.
  const keys = [
    (row) => row[0], (row) => row[2], (row) => lists[row[1]][0], (row) => lists[row[1]][1],
    (row) => row[3], (row) => row[4], (row) => row[5], (row) => row[6], (row) => row[7],
  ];
  const weight = (a, b) => b[2] - a[2] || b[3] - a[3] || b[4] - a[4];
  let shown = rows.slice().sort(weight), page = 0, column = -1, down = true;

  const element = (kind, text, name) => {
    const made = document.createElement(kind);
    if (text !== undefined) made.textContent = text;
    if (name) made.className = name;
    return made;
  };

  const source = (row) => {
    const [family, day, names] = lists[row[1]];
    const cell = element("th", undefined, "src");
    cell.scope = "row";
    const more = element("details"), summary = element("summary", row[0], "mono");
    const told = element("ul", undefined, "names mono");
    for (const place of row[9]) told.append(element("li", names[place]));
    more.append(summary, told);
    if (row[9].length !== row[3]) more.append(element("p", `The first ${row[9].length} of ${number.format(row[3])}; the report as JSON has all.`, "note"));
    if (row[8]) more.append(element("p", `${row[8]} of its names belong to honest people.`, "note"));
    cell.append(more, element("span", `${family}, ${day}`, "under"));
    return cell;
  };

  const line = (row) => {
    const [family, day] = lists[row[1]];
    const made = element("tr"), verdict = element("td");
    verdict.append(element("span", row[2] ? "infected" : "suspect", row[2] ? "verdict infected" : "verdict"));
    made.append(source(row), verdict, element("td", family, "wide"), element("td", day, "t wide"));
    made.append(element("td", number.format(row[3]), "n"));
    for (const count of [row[4], row[5]]) made.append(element("td", number.format(count), "n wide"));
    for (const time of [row[6], row[7]]) made.append(element("td", minute(time), "t wide"));
    return made;
  };

  const show = () => {
    const pages = Math.max(1, Math.ceil(shown.length / PAGE));
    page = Math.min(Math.max(page, 0), pages - 1);
    const part = shown.slice(page * PAGE, (page + 1) * PAGE);
    table.tBodies[0].replaceChildren(...part.map(line));
    byId("where").textContent = part.length
      ? `${number.format(page * PAGE + 1)} to ${number.format(page * PAGE + part.length)} of ${number.format(shown.length)}`
      : "No source is like that.";
    byId("before").disabled = page === 0;
    byId("after").disabled = page === pages - 1;
  };

  const choose = () => {
    const text = byId("filter").value.trim().toLowerCase(), only = byId("only").value;
    const named = lists.map(([family, day, names]) => ({
      all: `${family} ${day}`.toLowerCase().includes(text),
      names: new Set(names.flatMap((name, place) => (name.includes(text) ? [place] : []))),
    }));
    shown = rows.filter((row) => {
      if (only !== "" && String(row[2]) !== only) return false;
      const list = named[row[1]];
      return !text || list.all || row[0].includes(text) || (list.names.size && row[9].some((place) => list.names.has(place)));
    });
    const key = keys[column], turn = down ? -1 : 1;
    shown.sort(key ? (a, b) => (key(a) < key(b) ? -turn : key(a) > key(b) ? turn : weight(a, b)) : weight);
    page = 0;
    show();
  };

  [...table.tHead.rows[0].cells].forEach((cell, place) => {
    const button = element("button", cell.textContent);
    button.type = "button";
    button.addEventListener("click", () => {
      const words = place < 4 && place !== 1;
      down = column === place ? !down : !words;
      column = place;
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      cell.setAttribute("aria-sort", down ? "descending" : "ascending");
      choose();
    });
    cell.replaceChildren(button);
  });
  byId("filter").addEventListener("input", choose);
  byId("only").addEventListener("change", choose);
  byId("before").addEventListener("click", () => { page -= 1; show(); });
  byId("after").addEventListener("click", () => { page += 1; show(); });
  byId("tools").hidden = false;
  byId("pager").hidden = false;
  show();
})();
