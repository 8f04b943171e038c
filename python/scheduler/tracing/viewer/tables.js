// The tables below the timeline. Text of the trace gets into the page as text only, never as HTML.

const PAGE = 100; // rows that are shown at first, and more each time

function element(tag, properties = {}, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
}

function link(text, title, on_click) {
    return element("button", { type: "button", textContent: text, title, onclick: on_click });
}

class Table {
    // Columns: {title, key: what it is sorted by, cell: the content, is_text, title_text}
    constructor(place, columns, rows, { sorted_by, is_chosen = () => false, nothing }) {
        Object.assign(this, { place, columns, rows, is_chosen, nothing });
        this.column = sorted_by;
        this.is_falling = true;
        this.shown = PAGE;
        this.filter = () => true;
        this.draw();
    }

    sort_by(column) {
        this.is_falling = this.column === column ? !this.is_falling : !this.columns[column].is_text;
        this.column = column;
        this.draw();
        this.place.querySelectorAll("th button")[column].focus();
    }

    draw() {
        const { key, is_text } = this.columns[this.column];
        const sign = this.is_falling ? -1 : 1;
        const rows = this.rows.filter(this.filter);
        rows.sort((a, b) => sign * (is_text ? key(a).localeCompare(key(b)) : key(a) - key(b)));
        if (!rows.length) {
            this.place.replaceChildren(element("p", { className: "more", textContent: this.nothing }));
            return;
        }
        const body = element("tbody", {}, ...rows.slice(0, this.shown).map(row => this.row(row)));
        this.place.replaceChildren(element("table", {}, this.head(), body));
        if (rows.length > this.shown) {
            const more = link(`${rows.length - this.shown} more: show the next ${PAGE}`, "", () => {
                this.shown += PAGE;
                this.draw();
            });
            more.className = "more";
            this.place.append(more);
        }
    }

    head() {
        const cells = this.columns.map(({ title, is_text, title_text = "" }, number) => {
            const cell = element("th", { scope: "col", className: is_text ? "left" : "" });
            cell.append(link(title, title_text, () => this.sort_by(number)));
            if (number === this.column) cell.setAttribute("aria-sort", this.is_falling ? "descending" : "ascending");
            return cell;
        });
        return element("thead", {}, element("tr", {}, ...cells));
    }

    row(row) {
        const cells = this.columns.map(({ cell, is_text }) =>
            element("td", { className: is_text ? "left" : "" }, ...[cell(row)].flat()));
        return element("tr", { className: this.is_chosen(row) ? "chosen" : "" }, ...cells);
    }
}

// A time with a bar that compares it with the longest of its column.
function timed(time, longest) {
    const bar = element("span", { className: "bar" });
    bar.style.width = `${longest ? 4 * time / longest : 0}rem`;
    return [bar, duration_text(time)];
}

const longest_of = (rows, key) => rows.reduce((most, row) => Math.max(most, row[key]), 0);

function tasklet_table(place, trace, view, show) {
    const rows = tasklet_figures(trace);
    const [ran, ready, blocked] = ["ran", "ready", "blocked"].map(key => longest_of(rows, key));
    const time = (title, key, longest, title_text) =>
        ({ title, title_text, key: row => row[key], cell: row => timed(row[key], longest) });
    const slice = (title, key, where, title_text) => ({
        title, title_text, key: row => row[key],
        cell: row => (row[where] < 0 ? "" : link(duration_text(row[key]), "Show it", () => show(row.tasklet, row[where]))),
    });
    const name = row => trace.tasklet_name(row.tasklet);
    const columns = [
        { title: "Tasklet", is_text: true, key: name, cell: row => link(name(row), "Show its row", () => show(row.tasklet)) },
        { title: "Code", is_text: true, key: row => trace.tasklets[row.tasklet].location, cell: row => trace.tasklets[row.tasklet].location },
        { title: "Thread", key: row => trace.tasklets[row.tasklet].thread, cell: row => `${trace.threads[trace.tasklets[row.tasklet].thread].number}` },
        { title: "Turns", key: row => row.turns, cell: row => `${row.turns}` },
        time("Ran", "ran", ran, "Time that it had its turn"),
        slice("Longest turn", "longest_turn", "turn", "Nobody else of its thread ran meanwhile"),
        time("Waited for a turn", "ready", ready, "Could have gone on, while others had their turns"),
        time("Blocked", "blocked", blocked, "Waited for a channel, a time, another tasklet"),
        slice("Longest wait", "longest_wait", "wait", "The longest time without a turn for one reason"),
        { title: "Mostly on", is_text: true, key: row => `${row.channel}`, cell: row => (row.channel ? `channel ${row.channel}` : "") },
    ];
    const is_chosen = row => view.chosen?.tasklet === row.tasklet;
    return new Table(place, columns, rows, { sorted_by: 4, is_chosen, nothing: "No tasklet of that name." });
}

function channel_table(place, trace, show) {
    const rows = channel_figures(trace);
    const most = longest_of(rows, "waited");
    const columns = [
        { title: "Channel", key: row => row.channel, cell: row => `channel ${row.channel}` },
        { title: "Transfers", key: row => row.transfers, cell: row => `${row.transfers}` },
        { title: "Waits", key: row => row.waits, cell: row => `${row.waits}` },
        { title: "Waited", title_text: "Of all tasklets together", key: row => row.waited, cell: row => timed(row.waited, most) },
        {
            title: "Longest wait", key: row => row.longest,
            cell: row => (row.wait < 0 ? "" : link(duration_text(row.longest), "Show it", () => show(row.tasklet, row.wait))),
        },
        {
            title: "By", is_text: true, key: row => (row.tasklet < 0 ? "" : trace.tasklet_name(row.tasklet)),
            cell: row => (row.tasklet < 0 ? "" : link(trace.tasklet_name(row.tasklet), "Show its row", () => show(row.tasklet))),
        },
    ];
    return new Table(place, columns, rows, { sorted_by: 3, nothing: "Nobody used a channel." });
}

function turn_table(place, trace, show) {
    const rows = longest_turns(trace, PAGE);
    const most = longest_of(rows, "length");
    const name = row => trace.tasklet_name(row.tasklet);
    const columns = [
        { title: "Tasklet", is_text: true, key: name, cell: row => link(name(row), "Show this turn", () => show(row.tasklet, row.slice)) },
        { title: "Began", key: row => row.begin, cell: row => duration_text(row.begin, 6) },
        { title: "Took", key: row => row.length, cell: row => timed(row.length, most) },
        { title: "Ended because", is_text: true, key: row => why(trace, row.slice), cell: row => why(trace, row.slice) },
    ];
    return new Table(place, columns, rows, { sorted_by: 2, nothing: "Nobody had a turn." });
}

const why = (trace, slice) => trace.reasons[trace.slices.why[slice]];
