// Mouse, keyboard and the bar at the top.

const ZOOM = 1.3;

class Controls {
    constructor(view, places) {
        this.view = view;
        this.places = places;
        this.drag = null;
        this.listen_to_mouse(places.timeline);
        places.timeline.addEventListener("keydown", event => this.on_key(event));
        document.addEventListener("keydown", event => this.on_key_anywhere(event));
        this.listen_to_overview(places.overview);
        this.listen_to_bar();
    }

    // ---- mouse

    listen_to_mouse(canvas) {
        const { places } = this;
        canvas.addEventListener("wheel", event => this.on_wheel(event), { passive: false });
        canvas.addEventListener("pointerdown", event => this.on_down(event));
        canvas.addEventListener("pointermove", event => this.on_move(event));
        canvas.addEventListener("pointerup", event => this.on_up(event));
        canvas.addEventListener("pointercancel", () => { this.drag = null; });
        canvas.addEventListener("pointerleave", () => { places.tip.hidden = true; });
        places.scroller.addEventListener("scroll", () => this.on_bar(places.scroller.scrollTop));
    }

    // Tells as well, and late, of where the painter has put the bar: the view may have gone elsewhere since.
    on_bar(top) {
        if (Math.abs(top - this.view.bar) < 1) return;
        this.view.bar = top;
        this.view.scroll_to(top);
    }

    on_wheel(event) {
        event.preventDefault();
        const { view } = this;
        const unit = event.deltaMode === 1 ? 16 : 1; // lines, else pixels
        const [x, y] = [event.deltaX * unit, event.deltaY * unit];
        if (event.ctrlKey || event.metaKey || event.offsetY < RULER) {
            view.zoom(ZOOM ** (y / 60), view.time_at(event.offsetX));
        } else if (event.shiftKey) {
            view.pan((x || y) / view.tracks_width);
        } else {
            if (x) view.pan(x / view.tracks_width);
            if (y) view.scroll_to(view.scroll + y);
        }
    }

    on_down(event) {
        if (event.button !== 0) return;
        const { view, places } = this;
        places.timeline.setPointerCapture(event.pointerId);
        const { offsetX: x, offsetY: y } = event;
        this.drag = { x, y, from: view.from, to: view.to, scroll: view.scroll, marks: y < RULER, has_moved: false };
        places.tip.hidden = true;
    }

    on_move(event) {
        const { view, drag, places } = this;
        const { offsetX: x, offsetY: y } = event;
        if (!drag) return this.point_at(x, y);
        if (Math.abs(x - drag.x) + Math.abs(y - drag.y) > 3) drag.has_moved = true;
        if (!drag.has_moved) return undefined;
        if (drag.marks) {
            view.marked = [Math.min(x, drag.x), Math.max(x, drag.x)];
            return view.on_change();
        }
        places.timeline.classList.add("dragging");
        const shift = (drag.x - x) / view.tracks_width * (drag.to - drag.from);
        view.show(drag.from + shift, drag.to + shift);
        return view.scroll_to(drag.scroll + drag.y - y);
    }

    on_up({ offsetX: x, offsetY: y }) {
        const { view, drag } = this;
        this.drag = null;
        view.marked = null;
        this.places.timeline.classList.remove("dragging");
        if (!drag) return;
        if (drag.has_moved) {
            if (drag.marks) view.show(view.time_at(Math.min(x, drag.x)), view.time_at(Math.max(x, drag.x)));
            return;
        }
        const { row, slice } = view.at(x, y);
        if (row?.kind === "thread") {
            view.rows.toggle(row.thread);
            view.scroll_to(view.scroll);
        } else if (slice >= 0) view.choose(view.trace.slices.tasklet[slice], slice);
        else if (row?.kind === "tasklet") view.choose(row.tasklet);
        else view.choose_nothing();
    }

    point_at(x, y) {
        const { view } = this;
        const { tip } = this.places;
        const { row, slice, time } = view.at(x, y);
        let content = null;
        if (slice >= 0) content = tip_of(view.trace, slice);
        else if (x < view.labels && row?.kind === "tasklet") content = this.tip_of_tasklet(row.tasklet);
        else if (x >= view.labels && row?.kind === "counters") content = this.tip_of_counters(row.thread, time);
        tip.hidden = !content;
        if (!content) return;
        tip.replaceChildren(...content);
        const left = x + 14 + tip.offsetWidth > view.width ? x - 14 - tip.offsetWidth : x + 14;
        const top = y + 14 + tip.offsetHeight > view.height ? y - 10 - tip.offsetHeight : y + 14;
        tip.style.left = `${Math.max(0, left)}px`;
        tip.style.top = `${Math.max(0, top)}px`;
    }

    tip_of_tasklet(tasklet) {
        const { location } = this.view.trace.tasklets[tasklet];
        return [
            element("b", { textContent: this.view.trace.tasklet_name(tasklet) }),
            element("span", { textContent: location || "no Python code" }),
        ];
    }

    tip_of_counters(thread, time) {
        const { samples, samples_of } = this.view.trace;
        const order = samples_of[thread];
        const place = bisect(0, order.length, i => samples.time[order[i]] > time) - 1;
        if (place < 0) return null;
        const sample = order[place];
        return [
            element("b", { textContent: `at ${duration_text(samples.time[sample], 7)}` }),
            ...["runnable", "blocked", "stacks"].map(name =>
                element("span", { textContent: `${name === "stacks" ? "stacks in use" : name}: ${samples[name][sample]}` })),
        ];
    }

    // ---- keyboard

    on_key(event) {
        if (event.ctrlKey || event.metaKey || event.altKey) return;
        const { view } = this;
        const does = {
            "+": () => view.zoom(1 / ZOOM), "=": () => view.zoom(1 / ZOOM), w: () => view.zoom(1 / ZOOM),
            "-": () => view.zoom(ZOOM), s: () => view.zoom(ZOOM),
            ArrowLeft: () => view.pan(-0.1), a: () => view.pan(-0.1),
            ArrowRight: () => view.pan(0.1), d: () => view.pan(0.1),
            ArrowUp: () => view.choose_row(-1), ArrowDown: () => view.choose_row(1),
            PageUp: () => view.scroll_to(view.scroll - view.tracks_height),
            PageDown: () => view.scroll_to(view.scroll + view.tracks_height),
            p: () => view.choose_slice(-1), n: () => view.choose_slice(1),
            Enter: () => view.chosen?.slice >= 0 && view.show_slice(view.chosen.slice),
            Home: () => view.show_everything(), Escape: () => view.choose_nothing(),
        }[event.key.length === 1 ? event.key.toLowerCase() : event.key];
        if (!does) return;
        event.preventDefault();
        does();
    }

    on_key_anywhere(event) {
        if (event.target.tagName === "INPUT" || event.ctrlKey || event.metaKey || event.altKey) return;
        if (event.key === "/") {
            event.preventDefault();
            this.places.search.focus();
        } else if (event.key === "?") this.show_keys();
    }

    // ---- the strip and the bar

    listen_to_overview(canvas) {
        const center = event => {
            const { view } = this;
            const time = event.offsetX / canvas.clientWidth * view.trace.duration;
            view.show(time - view.span / 2, time + view.span / 2);
        };
        canvas.addEventListener("pointerdown", event => {
            canvas.setPointerCapture(event.pointerId);
            center(event);
        });
        canvas.addEventListener("pointermove", event => event.buttons & 1 && center(event));
    }

    listen_to_bar() {
        const { view, places } = this;
        places.closer.onclick = () => view.zoom(1 / ZOOM ** 2);
        places.farther.onclick = () => view.zoom(ZOOM ** 2);
        places.everything.onclick = () => view.show_everything();
        places.keys.onclick = () => this.show_keys();
        places.arrows.onclick = () => {
            view.shows_arrows = !view.shows_arrows;
            places.arrows.setAttribute("aria-pressed", `${view.shows_arrows}`);
            view.on_change();
        };
        places.search.oninput = () => this.find(places.search.value);
        places.search.onkeydown = event => {
            if (event.key === "Enter") this.find_next(event.shiftKey ? -1 : 1);
            if (event.key === "Escape") {
                this.find(places.search.value = "");
                places.timeline.focus();
            }
        };
        places.only.onchange = () => {
            view.rows.shows_only_matches = places.only.checked;
            view.rows.arrange();
            view.scroll_to(view.scroll);
        };
    }

    show_keys() {
        const { help, keys } = this.places;
        help.hidden = !help.hidden;
        keys.setAttribute("aria-expanded", `${!help.hidden}`);
    }

    // Which tasklets have `words` in their names, in any case of the letters.
    find(words) {
        const { view, places } = this;
        const sought = words.toLowerCase();
        const { trace, rows } = view;
        this.found = sought
            ? [...trace.tasklets.keys()].filter(i => trace.tasklet_name(i).toLowerCase().includes(sought))
            : [];
        this.place = -1;
        rows.matches = sought ? new Set(this.found) : null;
        rows.arrange();
        places.found.textContent = sought ? `${this.found.length} found` : "";
        this.on_found(rows.matches);
        if (this.found.length) this.find_next(1);
        else view.choose_nothing();
        return this.found;
    }

    find_next(step) {
        if (!this.found?.length) return;
        this.place = (this.place + step + this.found.length) % this.found.length;
        this.places.found.textContent = `${this.place + 1} of ${this.found.length}`;
        this.view.choose(this.found[this.place]);
    }
}
