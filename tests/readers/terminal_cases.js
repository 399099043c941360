// SPDX-License-Identifier: Apache-2.0
// The terminal of an exported page: node terminal_cases.js terminal.js
const assert = require('node:assert');
const fs = require('node:fs');

const {Terminal, Widths} = new Function(`${fs.readFileSync(process.argv[2], 'utf8')}; return {Terminal, Widths};`)();
const widths = new Widths({marks: [[0x300, 0x36f]], wide: [[0x4e00, 0x9fff], [0x1f300, 0x1f64f]], hidden: [[0x80, 0x9f], [0x200b, 0x200f], [0xe000, 0xf8ff]]});

function after(columns, rows, text) {
    const terminal = new Terminal(widths);
    terminal.reset(columns, rows);
    terminal.write(text);
    return terminal;
}
const cases = [
    [10, 3, 'ab\r\ncd', 'ab\ncd\n'],
    [4, 2, 'abcdef', 'abcd\nef'],
    [4, 2, 'abcd\r\nx', 'abcd\nx'], // the last column's wrap waits
    [4, 2, 'abcdef\x1b[?7l\x1b[2;1Hwxyz12', 'abcd\nwxy2'],
    [4, 2, 'a\u4e2d\u4e2d', 'a\u4e2d\n\u4e2d'],
    [6, 1, '\u4e2d\u4e2d\x1b[2GX', ' X\u4e2d'], // half of a wide one is none
    [6, 1, 'e\u0301x', 'e\u0301x'],
    [5, 1, '\u200b\ue000z', '\ufffdz'],
    [6, 4, '1\r\n2\r\n3\r\n4\x1b[2;3r\x1b[3;1H\n', '1\n3\n\n4'],
    [6, 4, '1\r\n2\r\n3\r\n4\x1b[2;3r\x1b[2;1H\x1bM', '1\n\n2\n4'],
    [6, 4, '1\r\n2\r\n3\r\n4\x1b[2;4r\x1b[?6h\x1b[1;1Hx', '1\nx\n3\n4'], // from the region's top
    [6, 3, '1\r\n2\r\n3\x1b[S', '2\n3\n'],
    [6, 3, '1\r\n2\r\n3\x1b[T', '\n1\n2'],
    [6, 2, 'main\x1b[?1049hALT\x1b[?1049l!', 'main!\n'],
    [6, 2, 'main\x1b[?47hALT', '    AL\nT'],
    [6, 1, '\x1b(0qx\x1b(B', '\u2500\u2502'],
    [8, 1, 'abc\x1b[2D\x1b[4hX\x1b[4lY', 'aXYc'],
    [8, 1, 'abcdef\x1b[2G\x1b[2P', 'adef'],
    [8, 1, 'abcdef\x1b[2G\x1b[2@', 'a  bcdef'],
    [8, 1, 'abcdef\x1b[2G\x1b[2X', 'a  def'],
    [8, 1, 'a\x1b[3b', 'aaaa'],
    [8, 1, 'a\x1b[1m\x1b[3b', 'a'], // only what stands right before
    [6, 1, 'abc\x1b[11K\x1b[9J', 'abc'],
    [20, 1, 'a\tb\x1b[Zc\x1b[Id', 'a       c       d'],
    [8, 2, 'ab\x1b7\x1b[2;1Hc\x1b8d', 'abd\nc'],
    [8, 2, 'ab\x1b[s\x1b[2;1Hc\x1b[ud', 'abd\nc'],
    [5, 3, 'a\r\nb\r\nc\x1b[2;1H\x1b[L', 'a\n\nb'],
    [5, 3, 'a\r\nb\r\nc\x1b[1;1H\x1b[M', 'b\nc\n'],
    [5, 3, 'abcde\r\nfghij\x1b[1;3H\x1b[J', 'ab\n\n'],
    [5, 3, 'abcde\r\nfghij\x1b[2;3H\x1b[1J', '\n   ij\n'],
    [5, 2, 'abcde\x1b[3G\x1b[K', 'ab\n'],
    [5, 2, 'abcde\x1b[3G\x1b[1K', '   de\n'],
    [5, 2, 'ab\x1b[2Jc', '  c\n'],
    [5, 2, 'x\x1b[!p\x1b[0 q\x1b=\x1b>y', 'xy\n'],
];
for (const [columns, rows, text, expected] of cases) {
    assert.strictEqual(after(columns, rows, text).text(), expected, JSON.stringify(text));
}

const styled = after(8, 1, '\x1b[1;38;5;196;48:2::1:2:3mA\x1b[0mB\x1b[38;2;255;0;16;4mC\x1b[24;7mD').lines[0].map((cell) => [cell.s.f, cell.s.b, cell.s.a]);
assert.deepStrictEqual(styled.slice(0, 4), [[196, '#010203', 1], [null, null, 0], ['#ff0010', null, 8], ['#ff0010', null, 32]]);
assert.strictEqual(after(4, 1, '\x1b[44m\x1b[K').lines[0][3].s.b, 4);

const sized = after(8, 4, '1\r\n2\r\n3\r\n4');
sized.resize(6, 2);
assert.strictEqual(sized.text(), '3\n4');
sized.resize(10, 3);
assert.strictEqual(sized.text(), '3\n4\n');

// Whatever comes: a grid stays a grid, a wide character has two halves, the cursor stays inside.
let seed = 7;
const random = (below) => {
    seed = (seed * 1103515245 + 12345) & 0x7fffffff;
    return (seed >> 8) % below;
};
const finals = 'ABCDEFGHJKLMPSTXZ@adefbI`rmsuhl';
const texts = ['a', '\u4e2d', 'e\u0301', '\n', '\r', '\t', '\b', '\x1b7', '\x1b8', '\x1bM', '\x1bD', '\x1bE', '\x1b(0', '\x1b(B', 'xyz\u4e2dk', '\x1b[', '\x1b'];
for (let round = 0; round < 1000; ++round) {
    const terminal = after(8 + random(10), 2 + random(5), '');
    let told = '';
    for (let step = 0; step < 60; ++step) {
        const kind = random(10);
        if (kind === 9) {
            terminal.resize(8 + random(10), 2 + random(5));
            told += '|';
        } else {
            const text = kind < 4 ? texts[random(texts.length)]
                : kind < 8 ? `\x1b[${random(2) ? random(20) : ''}${random(3) ? '' : `;${random(20)}`}${finals[random(finals.length)]}`
                    : `\x1b[?${[6, 7, 25, 47, 1047, 1048, 1049][random(7)]}${'hl'[random(2)]}`;
            told += text;
            terminal.write(text);
        }
        assert.ok(terminal.lines.length === terminal.rows && terminal.dirty.length === terminal.rows, JSON.stringify(told));
        assert.ok(terminal.x >= 0 && terminal.x < terminal.columns && terminal.y >= 0 && terminal.y < terminal.rows, JSON.stringify(told));
        for (const line of terminal.lines) {
            assert.strictEqual(line.length, terminal.columns, JSON.stringify(told));
            line.forEach((cell, at) => {
                assert.ok(cell.w !== 2 || line[at + 1].w === 0, JSON.stringify(told));
                assert.ok(cell.w !== 0 || line[at - 1].w === 2, JSON.stringify(told));
            });
        }
    }
}
console.log(`${cases.length} cases, and whatever comes`);
