// Draws the timeline. What a frame costs goes by the pixels that are seen, not by the length of the trace:
// slices narrower than DENSE pixels are drawn together, as shares of the time.

const DENSE = 2;
const MOST_ARROWS = 400;
const PALETTE = [
    "#3b73b9", "#2e8555", "#a34a9c", "#b4532a", "#5b5fc7", "#0f7f8c", "#a33d55", "#5f7a1f", "#7a5a36", "#4a6a86",
];
const COUNTERS = ["runnable", "waiting", "stacks"];

class Painter {
    constructor(canvas, view) {
        this.canvas = canvas;
        this.view = view;
        this.context = canvas.getContext("2d");
        this.counts = { rectangles: 0, arrows: 0, rows: 0 };
        this.take_colours();
    }

    take_colours() {
        const style = getComputedStyle(document.documentElement);
        this.colours = {};
        for (const name of ["ground", "raised", "chosen", "line", "text", "faint", "accent", "ready", "blocked",
            "transfer", "wake", "mark", "found", "main", ...COUNTERS]) {
            this.colours[name] = style.getPropertyValue(`--${name}`).trim();
        }
        this.font = `12px ${style.fontFamily}`;
    }

    // Main tasklets are grey: what one looks for is mostly done by others.
    colour_of(tasklet) {
        return this.view.trace.is_main[tasklet] ? this.colours.main : PALETTE[tasklet % PALETTE.length];
    }

    fill(colour, x, y, width, height) {
        this.context.fillStyle = colour;
        this.context.fillRect(x, y, width, height);
        this.counts.rectangles++;
    }

    // Cut off where there is no room.
    text(words, x, y, room, colour) {
        const { context } = this;
        if (room < 14) return;
        let text = words.length > room / 3 ? words.slice(0, Math.ceil(room / 3)) : words;
        if (context.measureText(text).width > room) {
            const most = bisect(0, text.length, n => context.measureText(`${text.slice(0, n + 1)}\u2026`).width > room);
            if (!most) return;
            text = `${text.slice(0, most)}\u2026`;
        }
        context.fillStyle = colour;
        context.fillText(text, x, y);
    }

    paint() {
        const { context, view, colours } = this;
        const { width, height, labels } = view;
        this.counts = { rectangles: 0, arrows: 0, rows: 0 };
        context.font = this.font;
        context.textBaseline = "middle";
        this.fill(colours.ground, 0, 0, width, height);
        this.paint_grid();
        context.save();
        context.beginPath();
        context.rect(0, RULER, width - GUTTER, height - RULER);
        context.clip();
        context.translate(0, RULER - view.scroll);
        const { list } = view.rows;
        const first = Math.max(0, view.rows.at(view.scroll));
        for (let i = first; i < list.length && list[i].top < view.scroll + height; i++) this.paint_row(list[i]);
        context.beginPath();
        context.rect(labels, view.scroll, view.tracks_width, height);
        context.clip();
        if (view.shows_arrows) this.paint_arrows();
        context.restore();
        this.paint_ruler();
        if (view.marked) {
            context.globalAlpha = 0.25;
            this.fill(colours.accent, view.marked[0], 0, view.marked[1] - view.marked[0], height);
            context.globalAlpha = 1;
        }
        this.fill(colours.line, labels - 1, 0, 1, height);
    }

    paint_row(row) {
        const { view, colours } = this;
        const { trace } = view;
        const middle = row.top + row.height / 2;
        this.counts.rows++;
        if (row.kind === "thread") {
            this.fill(colours.raised, 0, row.top, view.width, row.height);
            const fold = view.rows.closed.has(row.thread) ? "\u25b8" : "\u25be";
            this.text(`${fold} ${trace.thread_name(row.thread)}`, 8, middle, view.width / 2, colours.text);
            return;
        }
        const is_chosen = row.kind === "tasklet" && view.chosen?.tasklet === row.tasklet;
        if (is_chosen) this.fill(colours.chosen, 0, row.top, view.width, row.height);
        if (row.kind === "tasklet" && view.rows.matches?.has(row.tasklet)) {
            this.fill(colours.found, 0, row.top + 1, view.labels - 1, row.height - 2);
        }
        const label = { turns: "turns", counters: "counters" }[row.kind] ?? trace.tasklet_name(row.tasklet);
        this.text(label, 22, middle, view.labels - 30, row.kind === "tasklet" ? colours.text : colours.faint);
        if (row.kind === "counters") this.paint_counters(row);
        else this.paint_track(row);
        if (row.parks) this.paint_parks(row);
    }

    // Where the thread sleeps, there is a line, and the turn of who has it nevertheless is pale.
    paint_parks({ parks, top, height }) {
        const { context, view, colours } = this;
        const { begin, end } = view.trace.parks;
        let place = parks.first_ending_after(view.from);
        while (place < parks.length && begin[parks.order[place]] < view.to) {
            const left = Math.max(view.x_of(begin[parks.order[place]]), view.labels);
            const right = Math.min(view.x_of(end[parks.order[place]]), view.labels + view.tracks_width);
            context.globalAlpha = 0.6;
            this.fill(colours.ground, left, top, right - left, height);
            context.globalAlpha = 1;
            this.fill(colours.blocked, left, top + height - 4, Math.max(1, right - left), 2);
            place = parks.first_ending_after(view.time_at(Math.max(right, left + DENSE)), place + 1);
        }
    }

    paint_track({ kind, track, tasklet, top, height }) {
        const { view } = this;
        const { begin, end } = view.trace.slices;
        const colour = kind === "tasklet" ? this.colour_of(tasklet) : null;
        const right = view.labels + view.tracks_width;
        let free = view.labels; // what is left of it is drawn
        let place = track.first_ending_after(view.from);
        while (place < track.length) {
            const slice = track.order[place];
            if (begin[slice] >= view.to) break;
            const left = Math.max(view.x_of(begin[slice]), free);
            const stop = Math.min(view.x_of(end[slice]), right);
            if (stop - left >= DENSE) {
                this.paint_slice(slice, left, stop - left, top, height, kind);
                place++;
                continue;
            }
            const column = view.labels + Math.floor((left - view.labels) / DENSE) * DENSE;
            this.paint_dense(track, colour, column, top, height);
            free = column + DENSE;
            place = track.first_ending_after(view.time_at(free), place);
        }
    }

    paint_slice(slice, x, width, top, height, kind) {
        const { view, colours } = this;
        const { state, tasklet } = view.trace.slices;
        // A gap between slices, where there is room for one.
        const seen = width > 5 ? width - 1 : width;
        const is_chosen = view.chosen?.slice === slice;
        if (state[slice] === RUNNING) {
            this.fill(this.colour_of(tasklet[slice]), x, top + 2, seen, height - 4);
            if (kind === "turns") {
                this.text(view.trace.tasklet_name(tasklet[slice]), x + 4, top + height / 2 + 1, width - 8, "#ffffff");
            }
        } else if (state[slice] === READY) {
            this.fill(colours.ready, x, top + height / 2 - 3, seen, 6);
        } else {
            this.fill(colours.blocked, x, top + height / 2 - 1, seen, 2);
        }
        if (is_chosen) {
            this.context.strokeStyle = colours.text;
            this.context.lineWidth = 2;
            this.context.strokeRect(x, top + 2, seen, height - 4);
        }
    }

    // Two pixels of time: the height says for which part of it somebody had his turn. Behind that, what the
    // tasklet did else for most of the time.
    paint_dense(track, colour, x, top, height) {
        const { view, colours } = this;
        const from = view.time_at(x);
        const to = view.time_at(x + DENSE);
        const middle = top + height / 2;
        const busy = Math.min(1, track.share(RUNNING, from, to));
        if (colour && busy < 0.75) {
            const is_ready = track.share(READY, from, to) > (1 - busy) / 2;
            if (is_ready) this.fill(colours.ready, x, middle - 3, DENSE, 6);
            else this.fill(colours.blocked, x, middle - 1, DENSE, 2);
        }
        if (busy <= 0) return;
        let fill = colour;
        if (!fill) {
            // Of the turns of many the one in the middle speaks for all.
            const place = Math.min(track.first_ending_after((from + to) / 2), track.length - 1);
            fill = this.colour_of(view.trace.slices.tasklet[track.order[place]]);
        }
        const part = Math.max(1.5, busy * (height - 4));
        this.fill(fill, x, top + height - 2 - part, DENSE, part);
    }

    // Steps; where many samples fall into a pixel, their maximum.
    paint_counters({ thread, top, height }) {
        const { context, view, colours } = this;
        const { samples } = view.trace;
        const order = view.trace.samples_of[thread];
        const peaks = view.peaks_of(thread);
        const at = time => bisect(0, order.length, i => samples.time[order[i]] > time);
        const right = view.labels + view.tracks_width;
        for (const [number, name] of COUNTERS.entries()) {
            const most = Math.max(1, peaks[number].highest);
            context.beginPath();
            let last = null;
            for (let x = view.labels; x < right; x += DENSE) {
                const [low, high] = [Math.max(0, at(view.time_at(x)) - 1), at(view.time_at(x + DENSE))];
                if (high <= low) continue;
                const y = top + height - 3 - peaks[number].between(low, high) / most * (height - 8);
                if (last === null) context.moveTo(x, y);
                else if (last !== y) context.lineTo(x, last);
                context.lineTo(x + DENSE, y);
                last = y;
            }
            context.strokeStyle = colours[name];
            context.lineWidth = 1.25;
            context.stroke();
            this.counts.rectangles++;
        }
    }

    paint_arrows() {
        const { view } = this;
        const { arrows, arrows_from, arrows_to } = view.trace;
        const { target_time, source_time } = arrows;
        const low = bisect(0, arrows.count, i => target_time[i] >= view.from);
        const high = bisect(low, arrows.count, i => target_time[i] > view.to);
        if (high - low <= MOST_ARROWS) {
            for (let i = low; i < high; i++) this.paint_arrow(i, view.chosen ? 0.25 : 0.8);
        }
        if (!view.chosen) return;
        for (const own of [arrows_from[view.chosen.tasklet], arrows_to[view.chosen.tasklet]]) {
            const first = bisect(0, own.length, i => target_time[own[i]] >= view.from);
            for (let i = first; i < Math.min(own.length, first + MOST_ARROWS); i++) {
                if (source_time[own[i]] <= view.to) this.paint_arrow(own[i], 1);
            }
        }
    }

    paint_arrow(arrow, opacity) {
        const { context, view, colours } = this;
        const { source, target, source_time, target_time, kind } = view.trace.arrows;
        const [from, to] = [view.rows.row_of(source[arrow]), view.rows.row_of(target[arrow])];
        if (!from || !to || from === to) return;
        const [y1, y2] = [from.top + from.height / 2, to.top + to.height / 2];
        const seen_to = view.scroll + view.height;
        if (Math.max(y1, y2) < view.scroll || Math.min(y1, y2) > seen_to) return;
        const [x1, x2] = [view.x_of(source_time[arrow]), view.x_of(target_time[arrow])];
        const bend = Math.min(40, 6 + Math.abs(x2 - x1) / 3);
        const is_transfer = kind[arrow] === 0;
        const side = y2 > y1 ? -1 : 1;
        context.globalAlpha = opacity;
        context.strokeStyle = context.fillStyle = is_transfer ? colours.transfer : colours.wake;
        context.lineWidth = is_transfer ? 1.5 : 1;
        context.setLineDash(is_transfer ? [] : [4, 3]);
        context.beginPath();
        context.moveTo(x1, y1);
        context.bezierCurveTo(x1 + bend, y1, x2 - bend, y2 + side * 8, x2, y2);
        context.stroke();
        context.setLineDash([]);
        context.beginPath();
        context.moveTo(x2 + 1, y2);
        context.lineTo(x2 - 6, y2 + side * 5);
        context.lineTo(x2 - 6, y2 - side);
        context.fill();
        context.globalAlpha = 1;
        this.counts.arrows++;
    }

    // Times at which there are lines, and how many digits tell them apart.
    ticks() {
        const { view } = this;
        const step = tick_step(view.span, view.tracks_width / 90);
        const times = [];
        for (let time = Math.ceil(view.from / step) * step; time <= view.to; time += step) times.push(time);
        return { times, digits: Math.max(4, Math.ceil(Math.log10(view.to / step)) + 2) };
    }

    paint_grid() {
        for (const time of this.ticks().times) this.fill(this.colours.line, this.view.x_of(time), 0, 1, this.view.height);
    }

    paint_ruler() {
        const { context, view, colours } = this;
        const { labels } = view;
        this.fill(colours.raised, 0, 0, view.width, RULER);
        this.fill(colours.line, 0, RULER - 1, view.width, 1);
        this.text(`${duration_text(view.span, 3)} in view`, 8, RULER / 2, labels - 16, colours.faint);
        context.save();
        context.beginPath();
        context.rect(labels, 0, view.tracks_width, view.height);
        context.clip();
        const { times, digits } = this.ticks();
        for (const time of times) {
            const x = view.x_of(time);
            this.fill(colours.line, x, 4, 1, RULER - 4);
            this.text(duration_text(time, digits), x + 4, 11, 84, colours.faint);
        }
        this.paint_marks();
        context.restore();
    }

    // No two within three pixels, no two names on top of each other. Lines through the tracks, which hide some
    // of them, only where there are few.
    paint_marks() {
        const { view, colours, context } = this;
        const { time, name } = view.trace.marks;
        let place = bisect(0, time.length, i => time[i] >= view.from);
        const count = bisect(place, time.length, i => time[i] > view.to) - place;
        const is_sparse = count <= view.tracks_width / 40;
        let free_from = -Infinity;
        while (place < time.length && time[place] <= view.to) {
            const x = view.x_of(time[place]);
            context.globalAlpha = 0.5;
            this.fill(colours.mark, x, RULER - (is_sparse ? 15 : 5), 1, is_sparse ? view.height : 4);
            context.globalAlpha = 1;
            if (x > free_from) {
                this.text(name[place], x + 4, RULER - 9, 110, colours.mark);
                free_from = x + Math.min(120, 12 + context.measureText(name[place]).width);
            }
            const after = view.time_at(x + 3);
            place = bisect(place + 1, time.length, i => time[i] >= after);
        }
    }
}

// 1, 2 or 5 of a unit, so that there are at most `most` of them.
function tick_step(span, most) {
    const least = span / Math.max(1, most);
    const unit = 10 ** Math.floor(Math.log10(least));
    return Math.max(1, unit * [1, 2, 5, 10].find(factor => factor * unit >= least));
}
