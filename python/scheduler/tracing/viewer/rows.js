// The rows of the timeline: for each thread its turns, its counters, and its tasklets.

const HEIGHTS = { thread: 26, turns: 24, counters: 40, tasklet: 20 };

class Rows {
    constructor(trace) {
        this.trace = trace;
        this.closed = new Set(); // threads of which only the turns are shown
        this.matches = null; // a set of tasklets if a name is sought
        this.shows_only_matches = false;
        this.members = trace.threads.map(() => []);
        trace.tasklets.forEach((tasklet, i) => this.members[tasklet.thread].push(i));
        this.arrange();
    }

    arrange() {
        const { trace } = this;
        this.list = [];
        this.of_tasklet = new Map();
        let top = 0;
        const add = row => {
            this.list.push({ ...row, top, height: HEIGHTS[row.kind] });
            top += HEIGHTS[row.kind];
        };
        trace.threads.forEach((_, thread) => {
            add({ kind: "thread", thread });
            add({ kind: "turns", thread, track: trace.of_thread[thread], parks: trace.parks_of[thread] });
            if (this.closed.has(thread)) return;
            if (trace.samples_of[thread].length) add({ kind: "counters", thread });
            for (const tasklet of this.members[thread]) {
                if (this.shows_only_matches && this.matches && !this.matches.has(tasklet)) continue;
                this.of_tasklet.set(tasklet, this.list.length);
                add({ kind: "tasklet", thread, tasklet, track: trace.of_tasklet[tasklet] });
            }
        });
        this.height = top;
    }

    // The index of the row at a height, -1 outside.
    at(y) {
        if (y < 0 || y >= this.height) return -1;
        return bisect(0, this.list.length, i => this.list[i].top + this.list[i].height > y);
    }

    row_of(tasklet) {
        return this.list[this.of_tasklet.get(tasklet)];
    }

    toggle(thread) {
        if (!this.closed.delete(thread)) this.closed.add(thread);
        this.arrange();
    }

    // Makes sure that a tasklet has a row.
    open(tasklet) {
        if (this.of_tasklet.has(tasklet)) return;
        this.closed.delete(this.trace.tasklets[tasklet].thread);
        if (this.matches && !this.matches.has(tasklet)) this.shows_only_matches = false;
        this.arrange();
    }
}
