// Who ran longest, who waited longest, and on which channel: sums over the whole trace.

// For each tasklet.
function tasklet_figures(trace) {
    const { slices } = trace;
    return trace.tasklets.map((_, tasklet) => {
        const figures = {
            tasklet, turns: 0, ran: 0, longest_turn: 0, turn: -1,
            ready: 0, blocked: 0, longest_wait: 0, wait: -1, channel: 0,
        };
        const waited_on = new Map();
        for (const slice of trace.of_tasklet[tasklet].order) {
            const length = slices.end[slice] - slices.begin[slice];
            if (slices.state[slice] === RUNNING) {
                figures.turns++;
                figures.ran += length;
                if (length >= figures.longest_turn) [figures.longest_turn, figures.turn] = [length, slice];
                continue;
            }
            if (slices.state[slice] === READY) {
                figures.ready += length;
            } else {
                figures.blocked += length;
                const channel = slices.channel[slice];
                if (channel) waited_on.set(channel, (waited_on.get(channel) ?? 0) + length);
            }
            if (length >= figures.longest_wait) [figures.longest_wait, figures.wait] = [length, slice];
        }
        let most = -1;
        for (const [channel, time] of waited_on) if (time > most) [most, figures.channel] = [time, channel];
        return figures;
    });
}

function channel_figures(trace) {
    const { slices, arrows } = trace;
    const found = new Map();
    const entry = channel => {
        if (!found.has(channel)) {
            found.set(channel, { channel, transfers: 0, waits: 0, waited: 0, longest: 0, wait: -1, tasklet: -1 });
        }
        return found.get(channel);
    };
    for (let i = 0; i < arrows.count; i++) {
        if (arrows.channel[i] && arrows.kind[i] === 0) entry(arrows.channel[i]).transfers++;
    }
    for (let i = 0; i < slices.count; i++) {
        if (slices.state[i] !== BLOCKED || !slices.channel[i]) continue;
        const figures = entry(slices.channel[i]);
        const length = slices.end[i] - slices.begin[i];
        figures.waits++;
        figures.waited += length;
        if (length >= figures.longest) {
            [figures.longest, figures.wait, figures.tasklet] = [length, i, slices.tasklet[i]];
        }
    }
    return [...found.values()];
}

// The turns that held up the others most.
function longest_turns(trace, most) {
    const { begin, end, state, tasklet } = trace.slices;
    const length = slice => end[slice] - begin[slice];
    const best = [];
    for (let slice = 0; slice < begin.length; slice++) {
        if (state[slice] !== RUNNING) continue;
        if (best.length === most && length(best[most - 1]) >= length(slice)) continue;
        best.splice(bisect(0, best.length, i => length(best[i]) < length(slice)), 0, slice);
        best.length = Math.min(best.length, most);
    }
    return best.map(slice => ({ slice, tasklet: tasklet[slice], begin: begin[slice], length: length(slice) }));
}
