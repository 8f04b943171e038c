// The strip above the timeline: how busy the tasklets of the threads were, but for main ones, and which part is
// seen below.

class Overview {
    constructor(canvas, view) {
        this.canvas = canvas;
        this.view = view;
        this.context = canvas.getContext("2d");
    }

    time_at(x) {
        return Math.min(1, Math.max(0, x / this.width)) * this.view.trace.duration;
    }

    paint(colours) {
        const { context, view, width, height } = this;
        const { trace } = view;
        const tracks = trace.work_of.filter(track => track.length);
        context.fillStyle = colours.ground;
        context.fillRect(0, 0, width, height);
        context.fillStyle = colours.accent;
        context.globalAlpha = 0.6;
        for (let x = 0; x < width && tracks.length; x += 2) {
            const [from, to] = [this.time_at(x), this.time_at(x + 2)];
            if (to <= from) break;
            const busy = tracks.reduce((sum, track) => sum + track.share(RUNNING, from, to), 0) / tracks.length;
            if (busy > 0) context.fillRect(x, height - 2 - busy * (height - 6), 2, busy * (height - 6) + 1);
        }
        context.globalAlpha = 1;
        const left = view.from / trace.duration * width;
        const right = view.to / trace.duration * width;
        if (right - left > width - 1) return;
        context.fillStyle = colours.faint;
        context.globalAlpha = 0.25;
        context.fillRect(0, 0, left, height);
        context.fillRect(right, 0, width - right, height);
        context.globalAlpha = 1;
        context.strokeStyle = colours.accent;
        context.lineWidth = 1.5;
        context.strokeRect(left, 1, Math.max(2, right - left), height - 2);
    }
}
