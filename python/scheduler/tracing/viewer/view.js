// Which part of the trace is seen, and what in it is chosen.

const SHORTEST = 50; // nanoseconds: closer one cannot look
const RULER = 38; // pixels of the time scale, and the names of marks below it
const GUTTER = 14; // pixels of the scroll bar

class View {
    constructor(trace, rows) {
        this.trace = trace;
        this.rows = rows;
        this.width = 1; // of the canvas
        this.height = 1;
        this.labels = 200; // pixels left of the tracks
        this.scroll = 0;
        this.bar = 0; // where the scroll bar stands, as far as is known
        this.shows_arrows = true;
        this.marked = null; // [left, right]: pixels that a drag over the time scale marks
        this.chosen = null; // {tasklet, slice}: slice is -1 for the tasklet alone
        this.peaks = [];
        this.on_change = () => {};
        this.show_everything();
    }

    // Of a thread's counters, in the order of COUNTERS.
    peaks_of(thread) {
        const { samples, samples_of } = this.trace;
        const take = column => new Peaks(Int32Array.from(samples_of[thread], i => column[i]));
        this.peaks[thread] ??= [samples.runnable, samples.blocked, samples.stacks].map(take);
        return this.peaks[thread];
    }

    get span() { return this.to - this.from; }
    get tracks_width() { return Math.max(1, this.width - this.labels - GUTTER); }
    get tracks_height() { return Math.max(1, this.height - RULER); }

    x_of(time) { return this.labels + (time - this.from) / this.span * this.tracks_width; }
    time_at(x) { return this.from + (x - this.labels) / this.tracks_width * this.span; }

    show(from, to) {
        const whole = Math.max(SHORTEST, this.trace.duration);
        const span = Math.min(Math.max(SHORTEST, to - from), whole);
        const middle = (from + to) / 2;
        this.from = Math.min(Math.max(0, middle - span / 2), whole - span);
        this.to = this.from + span;
        this.on_change();
    }

    show_everything() { this.show(0, this.trace.duration); }

    zoom(factor, time = (this.from + this.to) / 2) {
        const whole = Math.max(SHORTEST, this.trace.duration);
        const span = Math.min(Math.max(SHORTEST, this.span * factor), whole);
        const from = time - (time - this.from) * span / this.span;
        this.show(from, from + span);
    }

    // By a part of what is seen.
    pan(part) { this.show(this.from + part * this.span, this.to + part * this.span); }

    scroll_to(y) {
        this.scroll = Math.min(Math.max(0, y), Math.max(0, this.rows.height - this.tracks_height));
        this.on_change();
    }

    choose(tasklet, slice = -1) {
        this.chosen = { tasklet, slice };
        this.rows.open(tasklet);
        const { top, height } = this.rows.row_of(tasklet);
        if (top < this.scroll || top + height > this.scroll + this.tracks_height) {
            this.scroll_to(top + height / 2 - this.tracks_height / 2);
        }
        if (slice >= 0) {
            const { begin, end } = this.trace.slices;
            if (end[slice] < this.from || begin[slice] > this.to) {
                const middle = (begin[slice] + end[slice]) / 2;
                this.show(middle - this.span / 2, middle + this.span / 2);
            }
        }
        this.on_change();
    }

    choose_nothing() {
        this.chosen = null;
        this.on_change();
    }

    // So that a slice takes a third of the width.
    show_slice(slice) {
        const { begin, end } = this.trace.slices;
        const length = Math.max(SHORTEST / 3, end[slice] - begin[slice]);
        this.show(begin[slice] - length, end[slice] + length);
    }

    // The row below or above that of the chosen tasklet.
    choose_row(step) {
        const list = this.rows.list;
        const current = this.chosen ? this.rows.of_tasklet.get(this.chosen.tasklet) ?? -1 : -1;
        for (let i = current + step; i >= 0 && i < list.length; i += step) {
            if (list[i].kind === "tasklet") return this.choose(list[i].tasklet);
        }
        return undefined;
    }

    choose_slice(step) {
        if (!this.chosen) return;
        const { tasklet, slice } = this.chosen;
        const track = this.trace.of_tasklet[tasklet];
        if (!track.length) return;
        const { begin } = this.trace.slices;
        let place = track.first_ending_after(this.from);
        if (slice >= 0) place = bisect(0, track.length, i => begin[track.order[i]] >= begin[slice]) + step;
        this.choose(tasklet, track.order[Math.min(Math.max(0, place), track.length - 1)]);
    }

    // What is at a point of the canvas: {row, slice, time}. A slice too narrow to point at is found nearby.
    at(x, y) {
        const row = y < RULER ? -1 : this.rows.at(y - RULER + this.scroll);
        const found = { row: this.rows.list[row], slice: -1, time: this.time_at(x) };
        if (x < this.labels || !found.row?.track) return found;
        const { track } = found.row;
        let place = track.at(found.time);
        if (place < 0) {
            const slack = 2 * this.span / this.tracks_width;
            place = track.first_ending_after(found.time - slack);
            if (place >= track.length || this.trace.slices.begin[track.order[place]] > found.time + slack) place = -1;
        }
        if (place >= 0) found.slice = track.order[place];
        return found;
    }
}
