"use strict";

// What a trace tells, out of the columns in which _page.py has written it.

const RUNNING = 0;
const READY = 1;
const BLOCKED = 2;
const STATES = ["running", "ready", "blocked"];

// The bytes of base64, which were deflated.
async function unpack(text) {
    const bytes = Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).arrayBuffer();
}

// A column of 64-bit integers, which are differences if `is_delta`. Doubles hold 104 days of nanoseconds.
function wide(buffer, [offset, count], is_delta) {
    const words = new DataView(buffer, offset, count * 8);
    const column = new Float64Array(count);
    for (let i = 0, last = 0; i < count; i++) {
        const value = words.getUint32(8 * i, true) + words.getInt32(8 * i + 4, true) * 2 ** 32;
        column[i] = is_delta ? (last += value) : value;
    }
    return column;
}

function narrow(buffer, [offset, count]) {
    const words = new DataView(buffer, offset, count * 4);
    const column = new Int32Array(count);
    for (let i = 0; i < count; i++) column[i] = words.getInt32(4 * i, true);
    return column;
}

// The first index in [low, high) for which `is_behind` holds; `high` if there is none.
function bisect(low, high, is_behind) {
    while (low < high) {
        const middle = (low + high) >>> 1;
        if (is_behind(middle)) high = middle;
        else low = middle + 1;
    }
    return low;
}

// Slices that follow each other in time: those of a tasklet, or the turns of a thread.
class Track {
    constructor(slices, order) {
        this.slices = slices;
        this.order = order;
        // Time spent running, and ready, before the i-th slice: how much of any stretch was, by two looks.
        this.sums = [new Float64Array(order.length + 1), new Float64Array(order.length + 1)];
        for (let i = 0; i < order.length; i++) {
            const slice = order[i];
            for (const state of [RUNNING, READY]) {
                const is_it = slices.state[slice] === state;
                this.sums[state][i + 1] =
                    this.sums[state][i] + (is_it ? slices.end[slice] - slices.begin[slice] : 0);
            }
        }
    }

    get length() { return this.order.length; }

    first_ending_after(time, low = 0) {
        const { end } = this.slices;
        return bisect(low, this.order.length, i => end[this.order[i]] > time);
    }

    at(time) {
        const i = this.first_ending_after(time);
        return i < this.order.length && this.slices.begin[this.order[i]] <= time ? i : -1;
    }

    // Time spent in a state until `time`.
    until(state, time) {
        const i = this.first_ending_after(time);
        let sum = this.sums[state][i];
        if (i < this.order.length) {
            const slice = this.order[i];
            if (this.slices.state[slice] === state) sum += Math.max(0, time - this.slices.begin[slice]);
        }
        return sum;
    }

    share(state, from, to) {
        return (this.until(state, to) - this.until(state, from)) / (to - from);
    }
}

// For each of `count` owners the indexes that are its, in order.
function group(owners, count, is_wanted) {
    const first = new Uint32Array(count + 1);
    for (let i = 0; i < owners.length; i++) if (is_wanted(i)) first[owners[i] + 1]++;
    for (let owner = 0; owner < count; owner++) first[owner + 1] += first[owner];
    const order = new Uint32Array(first[count]);
    const next = first.slice();
    for (let i = 0; i < owners.length; i++) if (is_wanted(i)) order[next[owners[i]]++] = i;
    return Array.from({ length: count }, (_, owner) => order.subarray(first[owner], first[owner + 1]));
}

class Trace {
    static async read(text) {
        const facts = JSON.parse(text);
        return new Trace(facts, await unpack(facts.data));
    }

    constructor({ program, duration, lost, threads, tasklets, reasons, marks, columns }, buffer) {
        const times = name => wide(buffer, columns[name], false);
        const deltas = name => wide(buffer, columns[name], true);
        const numbers = name => narrow(buffer, columns[name]);
        this.program = program;
        this.lost = lost;
        this.threads = threads;
        this.tasklets = tasklets;
        this.reasons = reasons;

        const begin = deltas("slice begin");
        const length = times("slice length");
        this.slices = {
            count: begin.length,
            begin,
            end: begin.map((time, i) => time + length[i]),
            state: numbers("slice state"),
            tasklet: numbers("slice tasklet"),
            thread: numbers("slice thread"),
            why: numbers("slice why"),
            channel: numbers("slice channel"),
        };
        const target_time = deltas("arrow target time");
        const span = times("arrow span");
        this.arrows = {
            count: target_time.length,
            target_time,
            source_time: target_time.map((time, i) => time - span[i]),
            source: numbers("arrow source"),
            target: numbers("arrow target"),
            kind: numbers("arrow kind"),
            channel: numbers("arrow channel"),
        };
        this.marks = { time: deltas("mark time"), thread: numbers("mark thread"), name: marks };
        this.samples = {
            time: deltas("sample time"),
            thread: numbers("sample thread"),
            runnable: numbers("sample runnable"),
            blocked: numbers("sample blocked"),
            stacks: numbers("sample stacks"),
        };
        // A thread's main tasklet runs what is outside of the others: a loop of frames, say, and its sleep.
        this.is_main = tasklets.map(({ name, location }) => name === "main" && !location);
        // Times in which threads slept until somebody woke them; in the form of slices, for tracks.
        const park_begin = deltas("park begin");
        const park_length = times("park length");
        this.parks = {
            begin: park_begin,
            end: park_begin.map((time, i) => time + park_length[i]),
            state: new Int32Array(park_begin.length).fill(BLOCKED),
            thread: numbers("park thread"),
        };
        this.duration = this.slices.end.reduce((last, time) => Math.max(last, time), duration);
        this.is_empty = !begin.length && !marks.length && !this.samples.time.length;
        this.arrange();
    }

    arrange() {
        const { slices, arrows, samples, parks, tasklets, threads } = this;
        this.of_tasklet = group(slices.tasklet, tasklets.length, () => true).map(order => new Track(slices, order));
        this.of_thread = group(slices.thread, threads.length, i => slices.state[i] === RUNNING)
            .map(order => new Track(slices, order));
        const is_work = i => slices.state[i] === RUNNING && !this.is_main[slices.tasklet[i]];
        this.work_of = group(slices.thread, threads.length, is_work).map(order => new Track(slices, order));
        this.parks_of = group(parks.thread, threads.length, () => true).map(order => new Track(parks, order));
        this.samples_of = group(samples.thread, threads.length, () => true);
        this.arrows_from = group(arrows.source, tasklets.length, () => true);
        this.arrows_to = group(arrows.target, tasklets.length, () => true);
    }

    thread_name(thread) {
        const { number, name } = this.threads[thread];
        const plain = `thread ${number}`;
        return name && name !== plain ? `${plain}: ${name}` : plain;
    }

    tasklet_name(tasklet) {
        return this.tasklets[tasklet].name || `tasklet ${this.tasklets[tasklet].number}`;
    }
}

// 1234567 -> "1.235 ms"
function duration_text(nanoseconds, digits = 4) {
    const size = Math.abs(nanoseconds);
    const [unit, name] = size >= 1e9 ? [1e9, "s"] : size >= 1e6 ? [1e6, "ms"] : size >= 1e3 ? [1e3, "\u00b5s"] : [1, "ns"];
    return `${+(nanoseconds / unit).toPrecision(digits)}\u202f${name}`;
}
