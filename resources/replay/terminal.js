'use strict';
// SPDX-License-Identifier: Apache-2.0
// A terminal's screen: what app/api/terminal_filter.h lets through (ECMA-48, xterm's control sequences), and nothing else. Text becomes
// cells; cells become text nodes, never markup.

const kBold = 1, kDim = 2, kItalic = 4, kUnderline = 8, kReverse = 32, kHidden = 64, kStrike = 128;
const kMostMarks = 4;
const kLines = '\u25c6\u2592\u2409\u240c\u240d\u240a\u00b0\u00b1\u2424\u240b\u2518\u2510\u250c\u2514\u253c\u23ba\u23bb\u2500\u23bc\u23bd' +
    '\u251c\u2524\u2534\u252c\u2502\u2264\u2265\u03c0\u2260\u00a3\u00b7'; // for ` to ~, after ESC ( 0
const kPlain = Object.freeze({f: null, b: null, a: 0, key: '||0'});

// How many columns a character takes, by the exporter's own tables.
class Widths {
    constructor(tables) {
        this.tables = tables;
    }
    static within(ranges, point) {
        let low = 0, high = ranges.length - 1;
        while (low <= high) {
            const middle = (low + high) >> 1;
            if (point < ranges[middle][0]) high = middle - 1;
            else if (point > ranges[middle][1]) low = middle + 1;
            else return true;
        }
        return false;
    }
    // {text, columns}: columns 0 for a mark that belongs to the character before; null: shows nothing
    show(point) {
        if (point >= 0x20 && point < 0x7f) return {text: String.fromCharCode(point), columns: 1};
        if (Widths.within(this.tables.marks, point)) return {text: String.fromCodePoint(point), columns: 0};
        if (Widths.within(this.tables.wide, point)) return {text: String.fromCodePoint(point), columns: 2};
        if (!Widths.within(this.tables.hidden, point)) return {text: String.fromCodePoint(point), columns: 1};
        if (point === 0xa0 || point === 0x1680 || (point >= 0x2000 && point <= 0x200a) || point === 0x202f || point === 0x205f) return {text: ' ', columns: 1};
        if ((point >= 0x200b && point <= 0x200f) || (point >= 0x2060 && point <= 0x2064) || (point >= 0xfe00 && point <= 0xfe0f) || point === 0xfeff ||
            point === 0xad || point === 0x34f) return null;
        return {text: '\ufffd', columns: 1};
    }
}

class Terminal {
    constructor(widths) {
        this.widths = widths;
        this.styles = new Map([[kPlain.key, kPlain]]);
        this.blanks = new Map();
        this.reset(80, 24);
    }

    reset(columns, rows) {
        this.columns = columns;
        this.rows = rows;
        this.main = this.grid();
        this.alternate = this.grid();
        this.lines = this.main;
        this.saved = [null, null]; // of the main and of the alternate screen
        this.state = 'ground';
        this.sequence = '';
        this.x = this.y = 0;
        this.last = 0;
        this.soften();
        this.dirty = new Array(rows).fill(true);
    }
    soften() { // DECSTR
        this.style = kPlain;
        this.pending = false;
        this.top = 0;
        this.bottom = this.rows - 1;
        this.wraps = true;
        this.inserts = false;
        this.origin = false;
        this.drawsLines = false;
        this.cursorShown = true;
    }
    grid() {
        return Array.from({length: this.rows}, () => this.blankLine(kPlain));
    }
    blank(style) {
        const key = style.b === null ? '' : String(style.b);
        let cell = this.blanks.get(key);
        if (!cell) {
            cell = Object.freeze({t: ' ', s: this.styleOf(null, style.b, 0), w: 1});
            this.blanks.set(key, cell);
        }
        return cell;
    }
    blankLine(style) {
        return new Array(this.columns).fill(this.blank(style));
    }
    styleOf(f, b, a) {
        const key = `${f === null ? '' : f}|${b === null ? '' : b}|${a}`;
        let style = this.styles.get(key);
        if (!style) {
            if (this.styles.size > 4096) this.styles.clear(); // bounded; cells keep theirs
            style = Object.freeze({f, b, a, key});
            this.styles.set(key, style);
        }
        return style;
    }
    touch(from, to = from) {
        this.dirty.fill(true, from, to + 1);
    }

    resize(columns, rows) {
        const fit = (lines, cursorRow) => {
            const from = Math.max(0, Math.min(cursorRow - rows + 1, lines.length - rows));
            const kept = lines.slice(from, from + rows).map((line) => {
                const out = line.slice(0, columns);
                while (out.length < columns) out.push(this.blank(kPlain));
                if (columns < line.length && line[columns].w === 0) out[columns - 1] = this.blank(kPlain);
                return out;
            });
            while (kept.length < rows) kept.push(new Array(columns).fill(this.blank(kPlain)));
            return {kept, from};
        };
        const onMain = this.lines === this.main;
        const main = fit(this.main, onMain ? this.y : 0);
        const alternate = fit(this.alternate, onMain ? 0 : this.y);
        this.columns = columns;
        this.rows = rows;
        this.main = main.kept;
        this.alternate = alternate.kept;
        this.lines = onMain ? this.main : this.alternate;
        this.y = Math.min(Math.max(0, this.y - (onMain ? main : alternate).from), rows - 1);
        this.x = Math.min(this.x, columns - 1);
        this.top = 0;
        this.bottom = rows - 1;
        this.pending = false;
        this.dirty = new Array(rows).fill(true);
    }

    write(text) {
        for (const character of text) {
            const point = character.codePointAt(0);
            if (this.state === 'ground') {
                if (point < 0x20) this.control(point);
                else if (point !== 0x7f) this.put(point);
            } else if (this.state === 'escape') {
                this.escape(character);
            } else if (this.state === 'charset') {
                this.drawsLines = character === '0';
                this.state = 'ground';
            } else if (point >= 0x40 && point < 0x7f) {
                this.state = 'ground';
                this.finish(character, this.sequence);
                if (character !== 'b') this.last = 0; // what is repeated stands right before
            } else if (point >= 0x20 && this.sequence.length < 256) {
                this.sequence += character;
            } else {
                this.state = 'ground';
            }
        }
    }
    control(point) {
        if (point === 0x1b) {
            this.state = 'escape';
            return;
        }
        this.last = 0;
        if (point === 0x08) {
            this.x = Math.max(0, this.x - 1);
            this.pending = false;
        } else if (point === 0x09) {
            this.tab(1);
        } else if (point >= 0x0a && point <= 0x0c) {
            this.index();
            this.pending = false;
        } else if (point === 0x0d) {
            this.x = 0;
            this.pending = false;
        }
    }
    escape(character) {
        this.state = 'ground';
        if (character === '[') {
            this.state = 'control';
            this.sequence = '';
        } else if (character === '(') this.state = 'charset';
        else if (character === '7') this.save();
        else if (character === '8') this.restore();
        else if (character === 'D') this.index();
        else if (character === 'E') {
            this.x = 0;
            this.index();
        } else if (character === 'M') this.reverseIndex();
        if (character === 'D' || character === 'E' || character === 'M') this.pending = false;
    }

    put(point) {
        if (this.drawsLines && point >= 0x60 && point <= 0x7e) point = kLines.codePointAt(point - 0x60);
        const shown = this.widths.show(point);
        if (shown === null) return;
        if (shown.columns === 0) {
            this.mark(shown.text);
            return;
        }
        const width = Math.min(shown.columns, this.columns);
        if (this.wraps && (this.pending || this.x + width > this.columns)) {
            this.x = 0;
            this.index();
        }
        this.pending = false;
        this.x = Math.min(this.x, this.columns - width);
        const line = this.lines[this.y];
        if (this.inserts) this.insertCells(width);
        this.uncover(this.x);
        this.uncover(this.x + width);
        line[this.x] = {t: shown.text, s: this.style, w: width};
        if (width === 2) line[this.x + 1] = {t: '', s: this.style, w: 0};
        this.touch(this.y);
        this.last = point;
        this.x += width;
        if (this.x >= this.columns) {
            this.x = this.columns - 1;
            this.pending = true;
        }
    }
    mark(text) {
        const line = this.lines[this.y];
        let at = this.pending ? this.x : this.x - 1;
        if (at >= 0 && line[at].w === 0) --at;
        if (at < 0 || line[at].t === ' ' || [...line[at].t].length > kMostMarks) return;
        line[at] = {t: line[at].t + text, s: line[at].s, w: line[at].w};
        this.touch(this.y);
    }
    // A wide character whose halves would be parted there goes.
    uncover(at) {
        const line = this.lines[this.y];
        if (at > 0 && at < this.columns && line[at].w === 0) {
            line[at - 1] = this.blank(line[at - 1].s);
            line[at] = this.blank(line[at].s);
        }
    }

    scrollUp(top, bottom, count) {
        for (let i = 0; i < Math.min(count, bottom - top + 1); ++i) {
            this.lines.splice(top, 1);
            this.lines.splice(bottom, 0, this.blankLine(this.style));
        }
        this.touch(top, bottom);
    }
    scrollDown(top, bottom, count) {
        for (let i = 0; i < Math.min(count, bottom - top + 1); ++i) {
            this.lines.splice(bottom, 1);
            this.lines.splice(top, 0, this.blankLine(this.style));
        }
        this.touch(top, bottom);
    }
    index() {
        if (this.y === this.bottom) this.scrollUp(this.top, this.bottom, 1);
        else if (this.y < this.rows - 1) ++this.y;
    }
    reverseIndex() {
        if (this.y === this.top) this.scrollDown(this.top, this.bottom, 1);
        else if (this.y > 0) --this.y;
    }
    tab(count) {
        for (; count > 0 && this.x < this.columns - 1; --count) this.x = Math.min(this.columns - 1, (this.x >> 3) * 8 + 8);
        for (; count < 0 && this.x > 0; ++count) this.x = ((this.x - 1) >> 3) * 8;
    }
    erase(y, from, to) { // columns from … to - 1
        this.lines[y] = this.lines[y].slice();
        const line = this.lines[y];
        if (from > 0 && from < this.columns && line[from].w === 0) line[from - 1] = this.blank(line[from - 1].s);
        if (to < this.columns && line[to].w === 0) line[to] = this.blank(line[to].s);
        line.fill(this.blank(this.style), from, to);
        this.touch(y);
    }
    insertCells(count) {
        const line = this.lines[this.y];
        this.uncover(this.x);
        line.splice(this.x, 0, ...new Array(Math.min(count, this.columns - this.x)).fill(this.blank(this.style)));
        if (line[this.columns] && line[this.columns].w === 0) line[this.columns - 1] = this.blank(line[this.columns - 1].s);
        line.length = this.columns;
        this.touch(this.y);
    }
    deleteCells(count) {
        const line = this.lines[this.y];
        count = Math.min(count, this.columns - this.x);
        this.uncover(this.x);
        this.uncover(this.x + count);
        line.splice(this.x, count);
        while (line.length < this.columns) line.push(this.blank(this.style));
        this.touch(this.y);
    }
    save() {
        this.saved[this.lines === this.main ? 0 : 1] = {x: this.x, y: this.y, style: this.style, origin: this.origin, drawsLines: this.drawsLines, pending: this.pending};
    }
    restore() {
        const from = this.saved[this.lines === this.main ? 0 : 1] || {x: 0, y: 0, style: kPlain, origin: false, drawsLines: false, pending: false};
        this.x = Math.min(from.x, this.columns - 1);
        this.y = Math.min(from.y, this.rows - 1);
        this.style = from.style;
        this.origin = from.origin;
        this.drawsLines = from.drawsLines;
        this.pending = from.pending && this.x === this.columns - 1;
    }
    toScreen(alternate) {
        const lines = alternate ? this.alternate : this.main;
        if (lines !== this.lines) {
            this.lines = lines;
            this.touch(0, this.rows - 1);
        }
    }
    moveTo(x, y) {
        const low = this.origin ? this.top : 0, high = this.origin ? this.bottom : this.rows - 1;
        this.y = Math.max(low, Math.min(high, y));
        this.x = Math.max(0, Math.min(this.columns - 1, x));
        this.pending = false;
    }
    up(count) {
        const limit = this.y >= this.top ? this.top : 0;
        this.y = Math.max(limit, this.y - count);
        this.pending = false;
    }
    down(count) {
        const limit = this.y <= this.bottom ? this.bottom : this.rows - 1;
        this.y = Math.min(limit, this.y + count);
        this.pending = false;
    }

    finish(final, body) {
        if (final === 'm') {
            this.colours(body);
            return;
        }
        if (body.startsWith('?')) {
            for (const number of body.slice(1).split(';')) this.mode(Number(number), final === 'h');
            return;
        }
        if (final === 'p') {
            this.soften();
            return;
        }
        const numbers = body.split(';').map((text) => parseInt(text, 10) || 0);
        const first = numbers[0], n = Math.max(1, first), second = numbers[1] || 0;
        const base = this.origin ? this.top : 0;
        switch (final) {
        case 'A': this.up(n); break;
        case 'B': case 'e': this.down(n); break;
        case 'C': case 'a': this.moveAcross(this.x + n); break;
        case 'D': this.moveAcross(this.x - n); break;
        case 'E': this.down(n); this.x = 0; break;
        case 'F': this.up(n); this.x = 0; break;
        case 'G': case '`': this.moveAcross(n - 1); break;
        case 'd': this.moveTo(this.x, base + n - 1); break;
        case 'H': case 'f': this.moveTo(Math.max(1, second) - 1, base + n - 1); break;
        case 'I': this.tab(n); break;
        case 'Z': this.tab(-n); break;
        case 'J': if (first <= 2) this.eraseDisplay(first); break;
        case 'K':
            if (first <= 2) this.erase(this.y, first === 0 ? this.x : 0, first === 1 ? this.x + 1 : this.columns);
            this.pending = false;
            break;
        case 'X': this.erase(this.y, this.x, Math.min(this.columns, this.x + n)); break;
        case '@': this.insertCells(n); this.pending = false; break;
        case 'P': this.deleteCells(n); this.pending = false; break;
        case 'L': if (this.inRegion()) this.scrollDown(this.y, this.bottom, n); this.pending = false; break;
        case 'M': if (this.inRegion()) this.scrollUp(this.y, this.bottom, n); this.pending = false; break;
        case 'S': this.scrollUp(this.top, this.bottom, n); break;
        case 'T': this.scrollDown(this.top, this.bottom, n); break;
        case 'b': for (let i = 0; i < Math.min(n, this.columns * this.rows) && this.last; ++i) this.put(this.last); break;
        case 'r': this.region(n, second); break;
        case 's': this.save(); break;
        case 'u': this.restore(); break;
        case 'h': this.inserts = this.inserts || first === 4; break;
        case 'l': this.inserts = this.inserts && first !== 4; break;
        default: break; // the cursor's shape
        }
    }
    moveAcross(x) {
        this.x = Math.max(0, Math.min(this.columns - 1, x));
        this.pending = false;
    }
    inRegion() {
        return this.y >= this.top && this.y <= this.bottom;
    }
    eraseDisplay(what) {
        if (what !== 1) {
            this.erase(this.y, what === 2 ? 0 : this.x, this.columns);
            for (let y = this.y + 1; y < this.rows; ++y) this.erase(y, 0, this.columns);
        }
        if (what !== 0) {
            for (let y = 0; y < this.y; ++y) this.erase(y, 0, this.columns);
            if (what === 1) this.erase(this.y, 0, this.x + 1);
        }
        this.pending = false;
    }
    region(top, bottom) {
        const low = top - 1, high = Math.min(this.rows, bottom || this.rows) - 1;
        if (low < high) {
            this.top = low;
            this.bottom = high;
            this.moveTo(0, this.origin ? low : 0);
        }
    }
    mode(number, on) {
        switch (number) {
        case 6:
            this.origin = on;
            this.moveTo(0, on ? this.top : 0);
            break;
        case 7: this.wraps = on; break;
        case 25: this.cursorShown = on; this.touch(this.y); break;
        case 47: this.toScreen(on); break;
        case 1047:
            if (!on && this.lines === this.alternate) this.clearAll();
            this.toScreen(on);
            break;
        case 1048: if (on) this.save(); else this.restore(); break;
        case 1049:
            if (on) {
                if (this.lines === this.main) this.save();
                this.toScreen(true);
                this.clearAll();
            } else if (!on && this.lines === this.alternate) {
                this.toScreen(false);
                this.restore();
            }
            break;
        default: break; // keys, paste, blinking, synchronized output
        }
    }
    clearAll() {
        for (let y = 0; y < this.rows; ++y) this.erase(y, 0, this.columns);
    }

    colours(body) {
        let {f, b, a} = this.style;
        const parts = body.split(';');
        for (let i = 0; i < parts.length; ++i) {
            const sub = parts[i].split(':').map((text) => parseInt(text, 10) || 0);
            const n = sub[0];
            if (n === 38 || n === 48) {
                let colour = null;
                if (sub.length > 1) {
                    const rest = sub.slice(sub.length > 5 ? 3 : 2); // 38:2:space:r:g:b, or without the space
                    colour = sub[1] === 5 ? sub[2] & 255 : sub[1] === 2 && rest.length >= 3 ? Terminal.rgb(rest) : null;
                } else if (parts[i + 1] === '5') {
                    colour = (parseInt(parts[i + 2], 10) || 0) & 255;
                    i += 2;
                } else if (parts[i + 1] === '2') {
                    colour = Terminal.rgb(parts.slice(i + 2, i + 5).map((text) => parseInt(text, 10) || 0));
                    i += 4;
                }
                if (n === 38) f = colour;
                else b = colour;
            } else if (n === 0) {
                f = b = null;
                a = 0;
            } else if (n === 1) a |= kBold;
            else if (n === 2) a |= kDim;
            else if (n === 3) a |= kItalic;
            else if (n === 4) a = sub[1] === 0 ? a & ~kUnderline : a | kUnderline;
            else if (n === 7) a |= kReverse;
            else if (n === 8) a |= kHidden;
            else if (n === 9) a |= kStrike;
            else if (n === 21) a |= kUnderline;
            else if (n === 22) a &= ~(kBold | kDim);
            else if (n === 23) a &= ~kItalic;
            else if (n === 24) a &= ~kUnderline;
            else if (n === 27) a &= ~kReverse;
            else if (n === 28) a &= ~kHidden;
            else if (n === 29) a &= ~kStrike;
            else if (n >= 30 && n <= 37) f = n - 30;
            else if (n === 39) f = null;
            else if (n >= 40 && n <= 47) b = n - 40;
            else if (n === 49) b = null;
            else if (n >= 90 && n <= 97) f = n - 82;
            else if (n >= 100 && n <= 107) b = n - 92;
        }
        this.style = this.styleOf(f, b, a);
    }
    static rgb(parts) {
        const [red, green, blue] = [0, 1, 2].map((i) => (parts[i] || 0) & 255);
        return `#${((1 << 24) | (red << 16) | (green << 8) | blue).toString(16).slice(1)}`;
    }

    text() { // for who looks for words, and for screen readers
        return this.lines.map((line) => line.map((cell) => cell.t).join('').trimEnd()).join('\n');
    }
}

const kPalette = ['#2e3436', '#e5534b', '#57ab5a', '#c69026', '#539bf5', '#b083f0', '#39c5cf', '#cdd3de',
    '#768390', '#ff938a', '#6bc46d', '#daaa3f', '#6cb6ff', '#dcbdfb', '#56d4dd', '#f4f7fb'];
function colourOf(value) {
    if (typeof value !== 'number') return value;
    if (value < 16) return kPalette[value];
    if (value >= 232) return Terminal.rgb(new Array(3).fill((value - 232) * 10 + 8));
    const level = (n) => (n === 0 ? 0 : n * 40 + 55);
    return Terminal.rgb([level(Math.floor((value - 16) / 36)), level(Math.floor((value - 16) / 6) % 6), level((value - 16) % 6)]);
}

// Draws a terminal into an element, a line at a time where something changed.
class TerminalView {
    constructor(element) {
        this.element = element;
        this.rows = [];
        this.cursorRow = -1;
    }
    draw(terminal) {
        while (this.rows.length > terminal.rows) this.rows.pop().remove();
        while (this.rows.length < terminal.rows) {
            const row = document.createElement('div');
            row.className = 'row';
            this.element.append(row);
            this.rows.push(row);
            terminal.touch(this.rows.length - 1);
        }
        if (this.cursorRow >= 0 && this.cursorRow < terminal.rows) terminal.touch(this.cursorRow);
        this.cursorRow = terminal.cursorShown ? terminal.y : -1;
        if (this.cursorRow >= 0) terminal.touch(this.cursorRow);
        for (let y = 0; y < terminal.rows; ++y) {
            if (terminal.dirty[y]) this.rows[y].replaceChildren(...this.runs(terminal.lines[y], y === this.cursorRow ? terminal.x : -1));
            terminal.dirty[y] = false;
        }
    }
    runs(line, cursor) {
        const out = [];
        let open = null;
        if (cursor > 0 && line[cursor].w === 0) --cursor;
        line.forEach((cell, x) => {
            if (cell.w === 0) return;
            // Characters of another font would shift what is after them: a box of their own keeps their place.
            const alone = x === cursor || cell.w === 2 || cell.t.length > 1 || (cell.t > '\u00ff' && !(cell.t >= '\u2500' && cell.t <= '\u259f'));
            if (open === null || alone || open.style !== cell.s) {
                const span = document.createElement('span');
                this.dress(span, cell.s);
                if (alone) span.className = cell.w === 2 ? 'two' : 'one';
                if (x === cursor) span.classList.add('cursor');
                out.push(span);
                open = {span, style: cell.s, text: ''};
            }
            open.text += cell.t;
            open.span.textContent = open.text;
            if (alone) open = null;
        });
        return out;
    }
    dress(span, style) {
        if (style === kPlain) return;
        let f = style.f === null ? '' : colourOf(style.f), b = style.b === null ? '' : colourOf(style.b);
        if (style.a & kReverse) [f, b] = [b || 'var(--screen)', f || 'var(--ink)'];
        if (style.a & kHidden) f = 'transparent';
        span.style.color = f;
        span.style.backgroundColor = b;
        if (style.a & kBold) span.style.fontWeight = '700';
        if (style.a & kDim) span.style.opacity = '0.65';
        if (style.a & kItalic) span.style.fontStyle = 'italic';
        const lines = [style.a & kUnderline ? 'underline' : '', style.a & kStrike ? 'line-through' : ''].join(' ').trim();
        if (lines) span.style.textDecorationLine = lines;
    }
}
