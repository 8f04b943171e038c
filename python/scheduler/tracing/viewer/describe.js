// Slices in words: for the tip at the pointer, and for who hears the page.

const DOING = ["has its turn", "waits for a turn", "blocked"];

function describe_slice(trace, slice) {
    const { begin, end, state, channel, tasklet } = trace.slices;
    const on = channel[slice] ? ` on channel ${channel[slice]}` : "";
    const reason = why(trace, slice);
    return {
        name: trace.tasklet_name(tasklet[slice]),
        location: trace.tasklets[tasklet[slice]].location,
        doing: `${DOING[state[slice]]}${on} for ${duration_text(end[slice] - begin[slice])}`,
        when: `from ${duration_text(begin[slice], 7)}${reason ? `, then: ${reason}` : ""}`,
    };
}

// Who woke the tasklet at the end of a slice, or handed it a value: arrows that arrive there.
function describe_causes(trace, slice) {
    const { end, tasklet, state } = trace.slices;
    if (state[slice] !== BLOCKED) return "";
    const { target_time, source, kind } = trace.arrows;
    const own = trace.arrows_to[tasklet[slice]];
    const names = new Set();
    for (let i = bisect(0, own.length, n => target_time[own[n]] >= end[slice]); i < own.length; i++) {
        if (target_time[own[i]] > end[slice]) break;
        names.add(`${kind[own[i]] === 0 ? "got a value from" : "woken by"} ${trace.tasklet_name(source[own[i]])}`);
    }
    return [...names].slice(0, 3).join(", ");
}

function sentence(trace, slice) {
    const { name, doing, when } = describe_slice(trace, slice);
    const causes = describe_causes(trace, slice);
    return `${name} ${doing}, ${when}${causes ? `; ${causes}` : ""}`;
}

function tip_of(trace, slice) {
    const { name, location, doing, when } = describe_slice(trace, slice);
    const lines = [location, doing, when, describe_causes(trace, slice)].filter(Boolean);
    return [element("b", { textContent: name }), ...lines.map(line => element("span", { textContent: line }))];
}
