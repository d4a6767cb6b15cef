"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const LEFT = 56, RIGHT = 12, HEIGHT = 260, NUM_COLORS = 8;

  const decoded = (text, Type) => new Type(Uint8Array.from(atob(text), (char) => char.charCodeAt(0)).buffer);
  const edges = decoded(data.edges, Float32Array);
  const start = edges[0], end = edges[edges.length - 1], numSteps = edges.length - 1;
  const middles = Array.from({ length: numSteps }, (_, i) => (edges[i] + edges[i + 1]) / 2);
  const tracks = data.tracks.map((track, i) => ({
    label: track.label,
    scores: Array.from(decoded(track.scores, Uint16Array), (value) => value / 65535),
    color: `--c${i % NUM_COLORS}`,
    dash: i < NUM_COLORS ? [] : [[8, 4], [2, 3], [10, 3, 2, 3]][Math.floor(i / NUM_COLORS - 1) % 3],
    shown: i < data.num_shown,
  }));

  const clock = (seconds, tenths = true) => {
    const all = Math.round(10 * seconds), whole = Math.floor(all / 10), two = (n) => String(n).padStart(2, "0");
    const hours = Math.floor(whole / 3600), minutes = Math.floor(whole / 60) % 60;
    return `${hours ? `${hours}:${two(minutes)}` : minutes}:${two(whole % 60)}${tenths ? `.${all % 10}` : ""}`;
  };
  const percent = (score) => {
    const value = 100 * score;
    if (value < 0.05) return value > 0 ? "< 0.1 %" : "0.0 %";
    return value >= 99.95 && score < 1 ? "> 99.9 %" : `${value.toFixed(1)} %`;
  };
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const element = (name, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

  /** The step that a moment lies in. */
  const stepAt = (seconds) => {
    let low = 0, high = numSteps - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (edges[middle] <= seconds) low = middle; else high = middle - 1;
    }
    return low;
  };
  const bestAt = (step) => tracks.filter((track) => track.shown)
    .map((track) => [track.label, track.scores[step], track.color])
    .sort((a, b) => b[1] - a[1]);
  const stillAt = (seconds) => data.stills.reduce(
    (best, still) => (best && Math.abs(best.t - seconds) <= Math.abs(still.t - seconds) ? best : still), null);

  // ---- Where we are: the chart, the video, the table, and the nearest picture show it.
  let now = start;
  const video = $("video"), moment = $("moment");
  let plays = video !== null;
  const showMoment = () => {
    const still = stillAt(now);
    moment.hidden = plays || !still;
    if (still && !plays) moment.src = still.src;
    moment.alt = still ? `The picture at ${clock(still.t)}` : "";
  };
  const show = (seconds) => {
    now = clamp(seconds, start, end);
    const best = bestAt(stepAt(now)).slice(0, 3);
    const chart = $("chart");
    chart.setAttribute("aria-valuenow", now.toFixed(2));
    chart.setAttribute("aria-valuetext", [clock(now), ...best.map(([label, score]) => `${label} ${percent(score)}`)].join(", "));
    document.querySelectorAll("#segments tbody tr").forEach((row) => {
      const segment = data.segments[row.dataset.segment];
      row.classList.toggle("now", segment.start <= now && now < segment.end);
    });
    showMoment();
    layPlayhead();
  };
  const go = (seconds) => {
    show(seconds);
    if (plays) video.currentTime = Math.max(now - data.video_offset, 0);
  };
  const cannotPlay = () => {
    plays = false;
    video.hidden = true;
    $("no-video").hidden = false;
    showMoment();
  };
  if (video) {
    video.addEventListener("timeupdate", () => { if (!video.seeking) show(video.currentTime + data.video_offset); });
    video.addEventListener("error", cannotPlay);
    const begin = () => {
      // A file with sound alone, or with pictures that the browser does not know, is no error to it.
      if (!video.videoWidth) cannotPlay();
      else if (start > 0 && video.currentTime === 0) go(now);  // the page is about a later part
    };
    video.addEventListener("loadedmetadata", begin);
    if (video.error) cannotPlay();
    else if (video.readyState >= HTMLMediaElement.HAVE_METADATA) addEventListener("load", begin);
  }

  // ---- The chart.
  let plot = null, view = [start, end];
  const shortest = Math.min(end - start, Math.max(4 * (end - start) / numSteps, 0.05));
  const setView = (low, high) => {
    const width = clamp(high - low, shortest, end - start);
    const first = clamp((low + high - width) / 2, start, end - width);
    view = [first, first + width];
    plot.setScale("x", { min: view[0], max: view[1] });
  };
  const zoom = (factor, centre = (view[0] + view[1]) / 2) => {
    setView(centre - (centre - view[0]) * factor, centre + (view[1] - centre) * factor);
  };
  const follow = () => {  // keeps the moment in sight
    if (now < view[0] || now > view[1]) setView(now - (view[1] - view[0]) / 2, now + (view[1] - view[0]) / 2);
  };
  const position = (seconds) => 100 * (seconds - view[0]) / (view[1] - view[0]);

  const playhead = element("div", { className: "playhead" });
  const layPlayhead = () => {
    const at = position(now);
    playhead.hidden = at < 0 || at > 100;
    playhead.style.left = `${at}%`;
  };
  const layLanes = () => {
    const lane = $("segments-lane");
    lane.replaceChildren(...data.segments.filter((segment) => isShown(segment) && segment.end > view[0] && segment.start < view[1]).map((segment) => {
      const from = clamp(position(segment.start), 0, 100), to = clamp(position(segment.end), 0, 100);
      const made = element("button", { type: "button", tabIndex: -1, textContent: segment.label, title: `${clock(segment.start)} to ${clock(segment.end)}: ${segment.label}, ${percent(segment.mean)}` });
      made.style.cssText = `left:${from}%;width:${to - from}%;--color:var(${colorOf(segment.track)})`;
      made.addEventListener("click", () => go(segment.start));
      return made;
    }));
    const stills = $("stills-lane"), width = stills.clientWidth;
    let free = -Infinity;
    stills.replaceChildren(...data.stills.filter((still) => {
      const at = width * position(still.t) / 100, reach = 64 * still.ratio / 2;
      if (at - reach < Math.max(free, 0) || at + reach > width) return false;
      free = at + reach + 2;
      return true;
    }).map((still) => {
      const made = element("img", { src: still.src, alt: "", title: clock(still.t) });
      made.style.left = `${position(still.t)}%`;
      made.addEventListener("click", () => go(still.t));
      return made;
    }));
    stills.hidden = !data.stills.length;
    layPlayhead();
  };

  const tooltip = $("tooltip");
  const hover = () => {
    const { left, idx } = plot.cursor;
    tooltip.hidden = left < 0 || idx === null || idx === undefined;
    if (tooltip.hidden) return;
    const seconds = clamp(plot.posToVal(left, "x"), start, end), step = stepAt(seconds), still = stillAt(seconds);
    tooltip.replaceChildren(element("strong", { textContent: clock(seconds) }), ...bestAt(step).slice(0, 6).map(([label, score, color]) => {
      const swatch = element("span", { className: "swatch" });
      swatch.style.setProperty("--color", `var(${color})`);
      return element("div", { className: "row" }, element("span", {}, swatch, label), element("span", { textContent: percent(score) }));
    }), ...(still ? [element("img", { src: still.src, alt: "" })] : []));
    const area = $("when").getBoundingClientRect(), over = plot.over.getBoundingClientRect();
    const x = over.left - area.left + left, room = area.width - tooltip.offsetWidth - 4;
    tooltip.style.left = `${clamp(x + 16 > room ? x - 16 - tooltip.offsetWidth : x + 16, 4, Math.max(room, 4))}px`;
    tooltip.style.top = `${over.top - area.top + 8}px`;
  };

  const draw = () => {
    if (plot) plot.destroy();
    const text = style("--soft"), line = style("--line"), font = "12px system-ui, sans-serif";
    const axis = { stroke: text, font, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
    plot = new uPlot({
      width: $("chart").clientWidth,
      height: HEIGHT,
      padding: [8, RIGHT, 0, 0],
      legend: { show: false },
      cursor: {
        y: false,
        drag: { x: true, y: false, dist: 6, setScale: false },
        bind: { dblclick: () => () => { setView(start, end); return null; } },
        points: { size: 6 },
      },
      scales: { x: { time: false, auto: false, range: () => view }, y: { auto: false, range: () => [0, 1] } },
      axes: [
        { ...axis, space: 70, incrs: [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400],
          values: (_, ticks, __, ___, step) => ticks.map((tick) => clock(tick, step < 1)) },
        { ...axis, size: LEFT, incrs: [0.25], values: (_, ticks) => ticks.map((tick) => `${Math.round(100 * tick)} %`) },
      ],
      series: [{}, ...tracks.map((track) => ({
        label: track.label, show: track.shown, stroke: style(track.color), width: 2, dash: track.dash, points: { show: numSteps === 1, size: 8 },
      }))],
      hooks: {
        setScale: [(_, key) => { if (key === "x") layLanes(); }],
        setCursor: [hover],
        setSelect: [(self) => {
          if (self.select.width > 0) {
            setView(self.posToVal(self.select.left, "x"), self.posToVal(self.select.left + self.select.width, "x"));
            self.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          }
        }],
      },
    }, [middles, ...tracks.map((track) => track.scores)], $("chart"));
    plot.over.append(playhead);
    let pressed = 0;
    plot.over.addEventListener("mousedown", (event) => { pressed = event.clientX; });
    plot.over.addEventListener("click", (event) => {
      if (Math.abs(event.clientX - pressed) > 5) return;
      go(plot.posToVal(event.clientX - plot.over.getBoundingClientRect().left, "x"));
    });
    layLanes();
  };

  $("zoom-in").addEventListener("click", () => zoom(0.5, now >= view[0] && now <= view[1] ? now : undefined));
  $("zoom-out").addEventListener("click", () => zoom(2));
  $("zoom-whole").addEventListener("click", () => setView(start, end));
  $("chart").addEventListener("keydown", (event) => {
    const at = stepAt(now), stepTo = (number) => { go(middles[clamp(number, 0, numSteps - 1)]); follow(); };
    const actions = {
      ArrowRight: () => stepTo(at + 1), ArrowUp: () => stepTo(at + 1), PageUp: () => stepTo(at + 10), End: () => stepTo(numSteps - 1),
      ArrowLeft: () => stepTo(at - 1), ArrowDown: () => stepTo(at - 1), PageDown: () => stepTo(at - 10), Home: () => stepTo(0),
      "+": () => zoom(0.5, now), "=": () => zoom(0.5, now), "-": () => zoom(2), 0: () => setView(start, end),
    };
    if (!(event.key in actions) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    actions[event.key]();
  });

  // ---- Labels that are shown: in the chart, among the segments, in the table.
  const isShown = (segment) => tracks[segment.track].shown;
  const colorOf = (track) => tracks[track].color;
  const boxes = tracks.map((track, i) => {
    const box = element("input", { type: "checkbox", checked: track.shown });
    const swatch = element("span", { className: "swatch" });
    swatch.style.setProperty("--color", `var(${track.color})`);
    box.addEventListener("change", () => choose(i, box.checked));
    return { box, item: element("li", {}, element("label", {}, box, swatch, element("bdi", { textContent: track.label }))) };
  });
  const labelsChanged = () => {
    const rows = document.querySelectorAll("#segments tbody tr");
    rows.forEach((row) => { row.hidden = !isShown(data.segments[row.dataset.segment]); });
    $("num-labels").textContent = `${tracks.filter((track) => track.shown).length} of ${tracks.length} shown`;
    show(now);
  };
  const choose = (i, isOn) => {
    tracks[i].shown = isOn;
    boxes[i].box.checked = isOn;
    plot.setSeries(i + 1, { show: isOn });
    layLanes();
    labelsChanged();
  };
  const chooseAll = (wanted) => {
    plot.batch(() => tracks.forEach((track, i) => {
      track.shown = wanted(i);
      boxes[i].box.checked = track.shown;
      plot.setSeries(i + 1, { show: track.shown });
    }));
    layLanes();
    labelsChanged();
  };
  $("labels").append(...boxes.map(({ item }) => item));
  $("show-none").addEventListener("click", () => chooseAll(() => false));
  $("show-first").addEventListener("click", () => chooseAll((i) => i < data.num_shown));
  $("find").addEventListener("input", (event) => {
    const words = event.target.value.toLowerCase().split(/\s+/);
    boxes.forEach(({ item }, i) => {
      const label = tracks[i].label.toLowerCase();
      item.hidden = !words.every((word) => label.includes(word));
    });
  });

  // ---- The table of segments.
  document.querySelectorAll("#segments tbody tr").forEach((row) => {
    row.querySelector(".swatch").style.setProperty("--color", `var(${colorOf(data.segments[row.dataset.segment].track)})`);
  });
  document.querySelectorAll("button[data-seconds]").forEach((button) => {
    button.addEventListener("click", () => { go(Number(button.dataset.seconds)); follow(); });
  });
  $("copy").hidden = !data.segments.length;
  $("copy").addEventListener("click", async () => {
    const rows = data.segments.filter(isShown).map((segment) => [segment.start.toFixed(3), segment.end.toFixed(3), segment.label.replace(/[\t\n\r]/g, " "), segment.mean.toFixed(6), segment.peak.toFixed(6)]);
    const text = [["start_seconds", "end_seconds", "label", "mean_score", "peak_score"], ...rows].map((row) => row.join("\t")).join("\n") + "\n";
    try {
      await navigator.clipboard.writeText(text);
    } catch {  // no permission, or no secure page: the old way
      const area = element("textarea", { value: text });
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    $("copied").textContent = `${rows.length} ${rows.length === 1 ? "segment" : "segments"} copied`;
  });

  // ---- Start.
  const chart = $("chart");
  chart.setAttribute("aria-valuemin", start.toFixed(2));
  chart.setAttribute("aria-valuemax", end.toFixed(2));
  draw();
  labelsChanged();
  new ResizeObserver(() => {
    if (chart.clientWidth && chart.clientWidth !== plot.width) plot.setSize({ width: chart.clientWidth, height: HEIGHT });
    layLanes();
  }).observe(chart);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  addEventListener("beforeprint", () => { document.documentElement.dataset.print = ""; draw(); });
  addEventListener("afterprint", () => { delete document.documentElement.dataset.print; draw(); });
})();
