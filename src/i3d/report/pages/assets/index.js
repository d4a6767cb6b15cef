"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const PORTION = 100;           // rows that are drawn at once
  const BY_SCROLLING = 1000;     // from here on a button is asked, so that the page has an end
  const BY_BUTTON = 500;
  const PRINTED = 1000;
  const MICRO = 1e6;
  const total = data.names.length;

  const clock = (tenths) => {
    const whole = Math.floor(tenths / 10), two = (n) => String(n).padStart(2, "0");
    const hours = Math.floor(whole / 3600), minutes = Math.floor(whole / 60) % 60;
    return `${hours ? `${hours}:${two(minutes)}` : minutes}:${two(whole % 60)}.${tenths % 10}`;
  };
  const percent = (micro) => {
    const value = (100 * micro) / MICRO;
    if (value < 0.05) return value > 0 ? "< 0.1 %" : "0.0 %";
    return value >= 99.95 && micro < MICRO ? "> 99.9 %" : `${value.toFixed(1)} %`;
  };
  const format = new Intl.NumberFormat("en-US");
  const count = (number, one, many) => `${format.format(number)} ${number === 1 ? one : many}`;
  const element = (name, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };
  const cell = (name, role, className, ...children) => {
    const made = element(name, { className }, ...children);
    made.setAttribute("role", role);
    return made;
  };

  // ---- What is known of a video. Scores are pairs: label, millionths.
  const folderOf = (i) => data.folders[data.folder_of[i]];
  const pathOf = (i) => folderOf(i)[0] + data.names[i];
  const linkOf = (i) => (i in data.links ? data.links[i] : folderOf(i)[1] + encodeURIComponent(data.names[i]));
  const failureOf = (i) => data.failed[i];
  const placeOf = (i, label) => {
    const scores = data.scores[i];
    for (let at = 0; at < scores.length; at += 2) if (scores[at] === label) return at;
    return -1;
  };
  const folded = (text) => text.normalize("NFKC").toLowerCase();
  let texts = null;
  const textOf = (i) => {
    texts ??= new Array(total);
    texts[i] ??= folded([
      pathOf(i), ...data.scores[i].filter((_, at) => at % 2 === 0).map((label) => data.labels[label]),
      ...(failureOf(i) ? [data.kinds[failureOf(i)[0]], failureOf(i)[1]] : []),
    ].join("\n"));
    return texts[i];
  };

  // ---- What is asked for. It stands in the address, so that a view can be kept.
  const FIRST = { words: "", label: -1, place: "any", status: "all", least: 0, sort: "", down: false };
  const DOWN_AT_FIRST = { score: true, length: true };
  let asked = { ...FIRST };
  const asHash = () => {
    const parts = new URLSearchParams();
    if (asked.words) parts.set("search", asked.words);
    if (asked.label >= 0) parts.set("label", data.labels[asked.label]);
    if (asked.place !== "any") parts.set("place", asked.place);
    if (asked.status !== "all") parts.set("status", asked.status);
    if (asked.least) parts.set("score", asked.least);
    if (asked.sort) parts.set("sort", (asked.down ? "-" : "") + asked.sort);
    return parts.toString();
  };
  const fromHash = () => {
    const parts = new URLSearchParams(location.hash.slice(1));
    const one = (name, ...known) => (known.includes(parts.get(name)) ? parts.get(name) : known[0]);
    const least = Number(parts.get("score"));
    const sort = one("sort", "", "video", "label", "score", "length", "-video", "-label", "-score", "-length");
    asked = {
      words: parts.get("search") ?? "",
      label: data.labels.indexOf(parts.get("label")),
      place: one("place", "any", "1"),
      status: one("status", "all", "ok", "failed"),
      least: least > 0 && least <= 100 ? least : 0,
      sort: sort.replace("-", ""),
      down: sort.startsWith("-"),
    };
    $("words").value = asked.words;
    $("label").value = asked.label < 0 ? "" : asked.label;
    $("place").value = asked.place;
    $("status").value = asked.status;
    $("least").value = asked.least || "";
  };

  // ---- Which videos that are, in which order.
  let matches = [], places = null;
  const isMatch = (i, words) => {
    const hasFailed = i in data.failed;
    if (asked.status !== "all" && hasFailed !== (asked.status === "failed")) return false;
    if (asked.label >= 0 || asked.least) {
      const at = asked.label < 0 ? (data.scores[i].length ? 0 : -1) : placeOf(i, asked.label);
      if (at < 0 || (asked.place === "1" && at > 0)) return false;
      if (data.scores[i][at + 1] < (asked.least * MICRO) / 100) return false;
      places[i] = at;
    }
    return words.every((word) => textOf(i).includes(word));
  };
  const collator = new Intl.Collator("en", { numeric: true });
  const ranked = (names) => {  // so that names are compared once only
    const order = Array.from(names, (_, i) => i).sort((a, b) => collator.compare(names[a], names[b]) || a - b);
    const ranks = new Uint32Array(names.length);
    order.forEach((i, rank) => { ranks[i] = rank; });
    return ranks;
  };
  let videoRanks = null, labelRanks = null;
  const keyOf = {
    video: () => {
      videoRanks ??= ranked(Array.from({ length: total }, (_, i) => pathOf(i)));
      return (i) => videoRanks[i];
    },
    label: () => {
      labelRanks ??= ranked(data.labels);
      return (i) => (data.scores[i].length ? labelRanks[data.scores[i][places[i]]] : null);
    },
    score: () => (i) => data.scores[i][places[i] + 1] ?? null,
    length: () => (i) => data.tenths[i],
  };
  const find = () => {
    const words = folded(asked.words).split(/\s+/).filter(Boolean);
    places = new Uint32Array(total);
    matches = [];
    for (let i = 0; i < total; i += 1) if (isMatch(i, words)) matches.push(i);
    if (!asked.sort) return;
    const key = keyOf[asked.sort](), sign = asked.down ? -1 : 1;
    const keys = new Map(matches.map((i) => [i, key(i)]));
    matches.sort((a, b) => {
      const left = keys.get(a), right = keys.get(b);
      if (left === null || right === null) return (left === null) - (right === null) || a - b;
      return sign * (left - right) || a - b;
    });
  };

  // ---- Rows.
  const bar = (micro) => {
    const inner = element("span", { className: "bar" });
    inner.style.width = `${(100 * micro) / MICRO}%`;
    const track = element("span", { className: "track" }, inner);
    track.setAttribute("aria-hidden", "true");
    return track;
  };
  const videoCell = (i) => {
    const link = linkOf(i), name = element("bdi", { textContent: data.names[i] });
    const made = cell("th", "rowheader", "video", link === null ? name : element("a", { href: link }, name));
    made.scope = "row";
    if (folderOf(i)[0]) made.append(element("span", { className: "folder" }, element("bdi", { textContent: folderOf(i)[0] })));
    return made;
  };
  const others = (i, at) => {
    const scores = data.scores[i], items = [];
    for (let other = 0; other < scores.length; other += 2) {
      if (other === at) continue;
      items.push(element("li", { value: other / 2 + 1 }, element("span", {},
        element("bdi", { textContent: data.labels[scores[other]] }), element("span", { textContent: percent(scores[other + 1]) }))));
    }
    return items;
  };
  const more = (i, at) => {
    const warnings = (data.warnings[i] ?? []).map((text) => element("p", { className: "caution", textContent: data.texts[text] }));
    const items = others(i, at), facts = [];
    if (i in data.starts) facts.push(`From ${clock(Math.round(10 * data.starts[i]))} on.`);
    if (data.models.length && data.model_of[i] >= 0) facts.push(`Model: ${data.models[data.model_of[i]]}`);
    if (!items.length && !warnings.length && !facts.length) return [];
    const summary = element("summary", {}, items.length ? count(items.length, "other label", "other labels") : "more");
    if (warnings.length) summary.append(", ", element("span", { className: "mark", textContent: count(warnings.length, "warning", "warnings") }));
    const made = element("details", {}, summary);
    if (items.length) made.append(element("ol", {}, ...items));
    made.append(...warnings, ...facts.map((textContent) => element("p", { textContent })));
    return [made];
  };
  const row = (i) => {
    const made = element("tr", {}, videoCell(i));
    made.setAttribute("role", "row");
    const failure = failureOf(i), scores = data.scores[i], at = places[i];
    if (failure) {
      const reason = cell("td", "cell", "label failed", "Failed: ", element("bdi", { textContent: failure[1] }));
      reason.colSpan = 3;
      made.append(reason);
      return made;
    }
    const label = cell("td", "cell", "label");
    if (scores.length) {
      label.append(element("bdi", { textContent: data.labels[scores[at]] }));
      if (at) label.append(element("span", { className: "rank", textContent: `in place ${at / 2 + 1}` }));
    }
    label.append(...more(i, at));
    const score = cell("td", "cell", "score");
    if (scores.length) {
      score.append(element("div", {}, bar(scores[at + 1]), element("span", { className: "percent", textContent: percent(scores[at + 1]) })));
    }
    const tenths = data.tenths[i];
    made.append(label, score, cell("td", "cell", "length", tenths === null ? "" : clock(tenths)));
    return made;
  };
  const body = $("videos").tBodies[0];
  const draw = (upTo) => {
    const drawn = body.rows.length, end = Math.min(upTo, matches.length);
    body.append(...matches.slice(drawn, end).map(row));
    const left = matches.length - body.rows.length;
    $("more").hidden = left <= 0;
    $("more").textContent = `Show more: ${format.format(left)} left`;
    watcher.unobserve($("more"));
    if (left > 0 && body.rows.length < BY_SCROLLING) watcher.observe($("more"));
  };
  const watcher = new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting)) draw(body.rows.length + PORTION);
  }, { rootMargin: "200px" });
  $("more").addEventListener("click", () => draw(body.rows.length + BY_BUTTON));

  // ---- All of it again, after somebody asked for something else.
  const show = () => {
    find();
    body.replaceChildren();
    draw(PORTION);
    $("videos").hidden = !matches.length;
    const isFiltered = ["words", "label", "place", "status", "least"].some((name) => asked[name] !== FIRST[name]);
    $("reset").hidden = !isFiltered;
    $("copy").disabled = !matches.length;
    $("copied").textContent = "";
    const all = count(total, "video", "videos");
    $("number").textContent = !isFiltered ? all : matches.length ? `${format.format(matches.length)} of ${all}` : `No video matches, of ${all}.`;
    document.querySelectorAll("#videos thead th").forEach((head) => {
      const isIt = head.firstElementChild.dataset.sort === asked.sort;
      head.setAttribute("aria-sort", isIt ? (asked.down ? "descending" : "ascending") : "none");
    });
    document.querySelectorAll("#best button").forEach((button) => {
      button.setAttribute("aria-pressed", String(Number(button.dataset.label) === asked.label && asked.place === "1"));
    });
  };
  let waiting = 0;
  const changed = (delay = 0) => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      show();
      const hash = asHash();
      if (hash !== location.hash.slice(1)) history.replaceState(null, "", `#${hash}`);
    }, delay);
  };
  const take = (changes) => {
    Object.assign(asked, changes);
    changed();
  };
  $("words").addEventListener("input", (event) => {
    asked.words = event.target.value.trim();
    changed(150);  // browsers count changes of the address, and refuse too many
  });
  $("least").addEventListener("input", (event) => {
    const value = event.target.valueAsNumber;
    asked.least = value > 0 ? Math.min(value, 100) : 0;
    changed(150);
  });
  $("label").addEventListener("change", (event) => take({ label: event.target.value === "" ? -1 : Number(event.target.value) }));
  $("place").addEventListener("change", (event) => take({ place: event.target.value }));
  $("status").addEventListener("change", (event) => take({ status: event.target.value }));
  $("filters").addEventListener("submit", (event) => event.preventDefault());
  $("reset").addEventListener("click", (event) => {
    event.preventDefault();
    const { sort, down } = asked;
    ["words", "label", "least"].forEach((id) => { $(id).value = ""; });
    $("place").value = FIRST.place;
    $("status").value = FIRST.status;
    take({ ...FIRST, sort, down });
    $("words").focus();  // for the button goes
  });
  document.querySelectorAll("#best button").forEach((button) => button.addEventListener("click", () => {
    const isOn = button.getAttribute("aria-pressed") === "true";
    $("label").value = isOn ? "" : button.dataset.label;
    $("place").value = isOn ? "any" : "1";
    take({ label: isOn ? -1 : Number(button.dataset.label), place: isOn ? "any" : "1" });
  }));
  document.querySelectorAll("#videos thead button").forEach((button) => button.addEventListener("click", () => {
    const sort = button.dataset.sort, startsDown = sort in DOWN_AT_FIRST;
    if (asked.sort !== sort) take({ sort, down: startsDown });
    else if (asked.down === startsDown) take({ down: !startsDown });
    else take({ sort: "", down: false });  // the order of the file
  }));
  if ($("all-best") && document.querySelector("#best .later")) {
    $("all-best").hidden = false;
    $("best").classList.add("short");
    const label = $("all-best").textContent;
    $("all-best").addEventListener("click", () => {
      const isShort = $("best").classList.toggle("short");
      $("all-best").setAttribute("aria-expanded", String(!isShort));
      $("all-best").textContent = isShort ? label : "Fewer labels";
    });
  }

  $("copy").addEventListener("click", async () => {
    const paths = matches.map((i) => (i in data.paths ? data.paths[i] : pathOf(i))).filter((path) => path !== null);
    const text = paths.map((path) => `${path}\n`).join("");
    try {
      await navigator.clipboard.writeText(text);
    } catch {  // no permission, or no secure page: the old way
      const area = element("textarea", { value: text });
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
      $("copy").focus();
    }
    const left = matches.length - paths.length;
    $("copied").textContent = `${count(paths.length, "path", "paths")} copied${left ? `; ${format.format(left)} left out, whose names no text can hold` : ""}`;
  });

  // ---- Print: the matching videos, in light colours, and which they are.
  const inWords = () => [
    asked.words && `search: ${asked.words}`,
    asked.label >= 0 && `label: ${data.labels[asked.label]}${asked.place === "1" ? ", first" : ""}`,
    asked.status !== "all" && (asked.status === "ok" ? "classified" : "failed"),
    asked.least && `score from ${asked.least} %`,
  ].filter(Boolean).join("; ");
  let drawnBefore = PORTION;
  const drawExactly = (number) => {
    while (body.rows.length > number) body.lastElementChild.remove();
    draw(number);
  };
  addEventListener("beforeprint", () => {
    document.documentElement.dataset.print = "";
    drawnBefore = body.rows.length;
    drawExactly(PRINTED);
    const part = body.rows.length < matches.length ? `The first ${format.format(body.rows.length)} of these videos.` : "";
    $("print-note").textContent = [inWords(), part].filter(Boolean).join(". ");
    $("print-note").hidden = !$("print-note").textContent;
  });
  addEventListener("afterprint", () => {
    delete document.documentElement.dataset.print;
    $("print-note").hidden = true;
    drawExactly(drawnBefore);
  });

  $("filters").hidden = $("copy").hidden = false;
  addEventListener("hashchange", () => { fromHash(); show(); });
  fromHash();
  show();
})();
