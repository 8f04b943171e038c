// The maximum of any stretch of a column, by way of the maxima of blocks.

const BLOCK = 64;

class Peaks {
    constructor(values) {
        this.values = values;
        this.blocks = new Int32Array(Math.ceil(values.length / BLOCK));
        values.forEach((value, i) => {
            const block = Math.floor(i / BLOCK);
            this.blocks[block] = Math.max(this.blocks[block], value);
        });
        this.highest = this.blocks.reduce((most, value) => Math.max(most, value), 0);
    }

    between(low, high) {
        let most = 0;
        for (let i = low; i < high;) {
            const is_whole = i % BLOCK === 0 && i + BLOCK <= high;
            most = Math.max(most, is_whole ? this.blocks[i / BLOCK] : this.values[i]);
            i += is_whole ? BLOCK : 1;
        }
        return most;
    }
}
