// Puts the page together. `window.viewer` is what one can look at from the console.

function places_by_id() {
    return Object.fromEntries([...document.querySelectorAll("[id]")].map(place => [place.id, place]));
}

// As many pixels as the screen has.
function fit(canvas) {
    const scale = window.devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = canvas;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    canvas.getContext("2d").setTransform(scale, 0, 0, scale, 0, 0);
    return { width, height };
}

function describe_trace(trace, places) {
    places.program.textContent = trace.program;
    const count = (number, word) => `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;
    places.facts.textContent = [
        duration_text(trace.duration), count(trace.threads.length, "thread"), count(trace.tasklets.length, "tasklet"),
        count(trace.slices.count, "slice"),
    ].join(" \u00b7 ");
    if (trace.lost) {
        places.lost.hidden = false;
        places.lost.textContent = `${count(trace.lost, "event")} found no room or were overwritten: what is shown has gaps.`;
    }
}

function listen_to_tabs() {
    const tabs = [...document.querySelectorAll("[role=tab]")];
    const choose = chosen => tabs.forEach(tab => {
        tab.setAttribute("aria-selected", `${tab === chosen}`);
        tab.tabIndex = tab === chosen ? 0 : -1;
        document.getElementById(tab.getAttribute("aria-controls")).hidden = tab !== chosen;
    });
    tabs.forEach((tab, number) => {
        tab.onclick = () => choose(tab);
        tab.onkeydown = ({ key }) => {
            const step = { ArrowLeft: -1, ArrowRight: 1 }[key];
            if (!step) return;
            const next = tabs[(number + step + tabs.length) % tabs.length];
            choose(next);
            next.focus();
        };
    });
}

function show_nothing(places) {
    places.nothing.hidden = false;
    places.nothing.textContent = "Nothing was recorded: no tasklet had a turn while the trace was on.";
    for (const part of ["overview", "stage", "legend", "panel"]) places[part].hidden = true;
    document.querySelector("main").hidden = true;
    document.querySelector(".buttons").hidden = true;
    document.querySelector(".search").hidden = true;
    document.querySelector(".only").hidden = true;
}

function say_what_is_chosen(view, places) {
    const { trace, chosen } = view;
    let text = "";
    if (chosen?.slice >= 0) text = sentence(trace, chosen.slice);
    else if (chosen) text = [trace.tasklet_name(chosen.tasklet), trace.tasklets[chosen.tasklet].location].filter(Boolean).join(", ");
    if (places.details.textContent !== text) places.details.textContent = text;
    places.details.title = text;
}

function start(trace) {
    const places = places_by_id();
    describe_trace(trace, places);
    listen_to_tabs();
    const rows = new Rows(trace);
    const view = new View(trace, rows);
    const painter = new Painter(places.timeline, view);
    const overview = new Overview(places.overview, view);
    const viewer = { trace, rows, view, painter, frames: 0 };
    if (trace.is_empty) {
        show_nothing(places);
        return viewer;
    }
    for (const counter of document.querySelectorAll("#legend .counter")) counter.hidden = !trace.samples.time.length;
    const show = (tasklet, slice = -1) => {
        view.choose(tasklet, slice);
        if (slice >= 0) view.show_slice(slice);
    };
    const table = tasklet_table(places.tasklets, trace, view, show);
    viewer.tables = [table, channel_table(places.channels, trace, show), turn_table(places.turns, trace, show)];

    let is_due = false;
    let drawn_choice = null;
    const paint = () => {
        is_due = false;
        viewer.frames++;
        painter.paint();
        overview.paint(painter.colours);
        const { scroller } = places;
        scroller.firstElementChild.style.height = `${rows.height + RULER}px`;
        if (Math.abs(view.bar - view.scroll) >= 1) {
            scroller.scrollTop = view.scroll;
            view.bar = scroller.scrollTop;
        }
        say_what_is_chosen(view, places);
        const choice = view.chosen?.tasklet ?? null;
        if (choice !== drawn_choice) {
            drawn_choice = choice;
            table.draw();
        }
    };
    view.on_change = () => {
        if (!is_due) requestAnimationFrame(paint);
        is_due = true;
    };
    const resize = () => {
        Object.assign(view, fit(places.timeline));
        Object.assign(overview, fit(places.overview));
        const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
        view.labels = Math.round(parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--labels")) * rem);
        view.scroll_to(view.scroll);
    };
    new ResizeObserver(resize).observe(places.stage);
    resize();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
        painter.take_colours();
        view.on_change();
    });

    viewer.controls = new Controls(view, places);
    viewer.controls.on_found = matches => {
        table.filter = row => !matches || matches.has(row.tasklet);
        table.draw();
    };
    return viewer;
}

window.viewer = null;
Trace.read(document.getElementById("trace").textContent).then(
    trace => {
        window.viewer = start(trace);
        document.documentElement.dataset.viewer = "ready";
    },
    error => {
        const nothing = document.getElementById("nothing");
        nothing.hidden = false;
        nothing.textContent = `This trace cannot be read: ${error.message}`;
        throw error;
    },
);
