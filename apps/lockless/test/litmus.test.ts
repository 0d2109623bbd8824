// SPDX-License-Identifier: MIT
import { chmodSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { emptyFolder, type Finished, lockless } from './terminal.js';

const CORPUS = fileURLToPath(new URL('../../../packages/litmus/corpus', import.meta.url));
const corpus = (name: string): string => join(CORPUS, `${name}.litmus`);

/** A folder with these tests. */
function folderOf(tests: Readonly<Record<string, string>>): string {
  const folder = emptyFolder();
  for (const [name, text] of Object.entries(tests)) {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

/** Store buffering, which may happen. */
const sb = (declared: string): string =>
  `C sb\n(*\n * Result: ${declared}\n *)\n{}\nP0(int *x, int *y) { WRITE_ONCE(*x, 1); r0 = READ_ONCE(*y); }\nP1(int *x, int *y) { WRITE_ONCE(*y, 1); r0 = READ_ONCE(*x); }\nexists (0:r0=0 /\\ 1:r0=0)\n`;
const spin =
  'C spin\n{}\nP0(int *x) { while (READ_ONCE(*x) == 0) ; r1 = 1; }\nP1(int *x) { WRITE_ONCE(*x, 1); }\nforall (0:r1=1)\n';
const claim = (condition: string): string =>
  `C claim\n{}\nP0(int *x) { WRITE_ONCE(*x, 1); }\nP1(int *x) { r0 = READ_ONCE(*x); }\n${condition}\n`;

/** Seconds differ from run to run. */
const timeless = (text: string): string =>
  text.replace(/(Time \S+|; ) ?\d+\.\d\d/g, '$1 T').replace(/ {2,}\d\.\d{3}(?=\n| )/g, '  T');

describe('one test', () => {
  test('is printed as herd prints it', async () => {
    const { code, stdout, stderr } = await lockless('litmus', corpus('mp-wmb-rmb'));
    const herd = readFileSync(new URL('../../../packages/litmus/test/herd/mp-wmb-rmb.txt', import.meta.url), 'utf8');
    expect(timeless(stdout)).toBe(timeless(herd));
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  test('several are printed one after the other', async () => {
    const { stdout } = await lockless('litmus', corpus('mp-once'), corpus('sb-mb'), corpus('mp-once'));
    expect(stdout.match(/^Test .*/gm)).toEqual(['Test mp-once Allowed', 'Test sb-mb Allowed']);
  });

  test('under another model', async () => {
    const verdict = async (model: string): Promise<string | undefined> =>
      (await lockless('litmus', corpus('sb-once'), '--model', model)).stdout.match(/Observation sb-once (\w+)/)?.[1];
    expect([await verdict('lkmm'), await verdict('tso'), await verdict('sc')]).toEqual([
      'Sometimes',
      'Sometimes',
      'Never',
    ]);
    const { stdout } = await lockless('litmus', corpus('mp-once'), '--model', 'tso');
    expect(stdout).toContain('Observation mp-once Never 0 3');
  });

  test('that shows something else than it declares: exit 1', async () => {
    const file = join(folderOf({ 'sb.litmus': sb('Never') }), 'sb.litmus');
    const { code, stdout, stderr } = await lockless('litmus', file);
    expect(stdout).toContain('Observation sb Sometimes 1 3');
    expect({ code, stderr }).toEqual({ code: 1, stderr: `lockless: ${file}: declared Never, found Sometimes\n` });
  });

  test.each([
    ['forall (1:r0=1)', 1],
    ['forall (x=1)', 0],
    ['~exists (1:r0=1)', 1],
    ['~exists (1:r0=2)', 0],
    ['exists (1:r0=2)', 0],
  ])('that declares nothing and says %s: exit %i', async (condition, expected) => {
    const { code } = await lockless('litmus', join(folderOf({ 't.litmus': claim(condition) }), 't.litmus'));
    expect(code).toBe(expected);
  });

  test('that deadlocks says where', async () => {
    const { code, stdout, stderr } = await lockless('litmus', corpus('deadlock-self'));
    expect(stdout).toContain('Observation deadlock-self Never 0 0');
    expect(stderr).toMatch(/^lockless: .*deadlock-self\.litmus:16:2: P0 waits here for ever for the lock l: .*\n$/);
    expect(code).toBe(0);
  });

  test('whose loop was cut: exit 4, unless what was seen settles it', async () => {
    const folder = folderOf({
      'spin.litmus': spin,
      'seen.litmus': spin.replace('forall (0:r1=1)', 'exists (x=1 /\\ 0:r2=0)'),
    });
    const { code, stdout, stderr } = await lockless('litmus', join(folder, 'spin.litmus'), '--unroll', '2');
    expect(stdout).toContain('\nLoop Ok\n');
    expect(stderr).toMatch(/spin\.litmus:3:14: P0 would run this loop more than 2 times: .* cut/);
    expect(code).toBe(4);
  });

  test('with a name that nothing sets is warned of', async () => {
    const { code, stderr } = await lockless(
      'litmus',
      join(folderOf({ 't.litmus': claim('exists (1:r9=1)') }), 't.litmus'),
    );
    expect(stderr).toMatch(/the condition looks at 1:r9, which nothing sets: it is 0\n$/);
    expect(code).toBe(0);
  });
});

describe('a folder', () => {
  test('is run with all below it, as a table', async () => {
    const folder = folderOf({
      'b.litmus': sb('Sometimes'),
      'a/deep/c.litmus': sb('Never'),
      'a/none.litmus': claim('exists (x=1)'),
      'a/refuted.litmus': claim('~exists (x=1)'),
      'a/race.litmus':
        'C race\n(* Result: Sometimes DATARACE *)\n{}\nP0(int *x) { *x = 1; }\nP1(int *x) { r0 = *x; }\nexists (x=0)\n',
      'bad.litmus': 'C bad\n{}\nP0(int *x) { x = ; }\n',
      'spin.litmus': spin,
      'notes.txt': 'no test',
    });
    const { code, stdout, stderr } = await lockless('litmus', folder);
    expect(timeless(stdout.replaceAll(folder, 'F'))).toMatchInlineSnapshot(`
      "test                                       declared            found               states  executions   seconds
      F/a/deep/c.litmus   Never               Sometimes                4           4  T  DIFFERENT
      F/a/none.litmus     -                   Always                   1           2  T
      F/a/race.litmus     Sometimes DATARACE  Never DATARACE           1           2  T  a race, so nothing else counts
      F/a/refuted.litmus  -                   Always                   1           2  T  its condition does not hold
      F/b.litmus          Sometimes           Sometimes                4           4  T
      F/bad.litmus        3:18: expected an expression, found ";"
      F/spin.litmus       -                   Always                   1           5  T  bounded

      7 tests: 1 as declared, 1 with the declared race, 1 different, 3 without a declared result, 1 whose condition does not hold, 1 bounded, 1 in error;  T s
      "
    `);
    expect(stderr).toBe('');
    expect(code).toBe(3);
  });

  test.each([
    ['all as declared', { 'a.litmus': sb('Sometimes') }, 0],
    ['one differs', { 'a.litmus': sb('Sometimes'), 'b.litmus': sb('Always') }, 1],
    ['one is bounded', { 'a.litmus': sb('Sometimes'), 'b.litmus': spin }, 4],
    ['one differs and one is bounded', { 'a.litmus': sb('Never'), 'b.litmus': spin }, 1],
  ])('%s: the exit code says so', async (_name, tests, expected) => {
    expect((await lockless('litmus', folderOf(tests))).code).toBe(expected);
  });

  test('our own corpus shows what it declares', async () => {
    const { code, stdout } = await lockless('litmus', CORPUS);
    expect(stdout).toMatch(/\n(\d+) tests: \1 as declared, 1 bounded; /);
    expect(code).toBe(4);
  });

  test('a link to a file is followed', async () => {
    const folder = emptyFolder();
    symlinkSync(corpus('sb-mb'), join(folder, 'link.litmus'));
    expect((await lockless('litmus', folder)).stdout).toMatch(/\n1 test: 1 as declared; /);
  });
});

describe('--json', () => {
  const rowsOf = ({ stdout, stderr }: Finished): Record<string, unknown>[] => {
    expect(stderr).toBe('');
    expect(stdout.indexOf('\n')).toBe(stdout.length - 1);
    return JSON.parse(stdout);
  };

  test('is one document for all tests', async () => {
    const folder = folderOf({
      'a.litmus': sb('Sometimes'),
      'b.litmus': 'C b\n{}\nP0(int *x) {\n',
      'c.litmus': sb('Sometimes'),
    });
    const finished = await lockless('litmus', folder, '--json');
    const [first, second, third] = rowsOf(finished);
    expect(first).toEqual({
      file: join(folder, 'a.litmus'),
      name: 'sb',
      observation: 'Sometimes',
      states: 4,
      positive: 1,
      negative: 3,
      race: false,
      seconds: expect.any(Number),
      finalStates: ['0:r0=0; 1:r0=0;', '0:r0=0; 1:r0=1;', '0:r0=1; 1:r0=0;', '0:r0=1; 1:r0=1;'],
      flags: [],
      declared: 'Sometimes',
      found: 'Sometimes',
      judgement: 'as-declared',
      bounded: false,
      notes: [],
    });
    const bad = join(folder, 'b.litmus');
    expect(second).toEqual({ file: bad, error: `${bad}:4:1: expected a statement or "}", found the end of the file` });
    expect(third.name).toBe('sb');
    expect(finished.code).toBe(3);
  });

  test('has the race, and what herd is silent about', async () => {
    const [race, deadlock] = rowsOf(
      await lockless('litmus', corpus('plain-write-write'), corpus('deadlock-self'), '--json'),
    );
    expect(race).toMatchObject({ race: true, flags: ['data-race'], found: 'Sometimes DATARACE' });
    expect(deadlock).toMatchObject({ observation: 'Never', positive: 0, negative: 0, states: 0, found: 'DEADLOCK' });
    expect(deadlock.notes).toEqual([expect.stringContaining('deadlock-self.litmus:16:2: P0 waits here')]);
  });
});

describe('a drawing', () => {
  test('shows a witness, as DOT and as SVG', async () => {
    const folder = emptyFolder();
    const [dot, svg] = [join(folder, 'sb.dot'), join(folder, 'sb.svg')];
    const { code, stderr } = await lockless('litmus', corpus('sb-once'), '--dot', dot, '--svg', svg);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const text of [readFileSync(dot, 'utf8'), readFileSync(svg, 'utf8')]) {
      expect(text).toContain('sb-once, lkmm: the condition holds');
      for (const label of ['W[once]x=1', 'R[once]y=0', 'W[once]y=1', 'R[once]x=0']) expect(text).toContain(label);
    }
    expect(readFileSync(dot, 'utf8')).toMatch(/^digraph /);
    expect(readFileSync(svg, 'utf8')).toMatch(/^<svg /);
  });

  test('shows any execution where there is no witness, with addresses by name', async () => {
    const dot = join(emptyFolder(), 'x.dot');
    await lockless('litmus', corpus('pointer-rcu-publish'), '--dot', dot);
    expect(readFileSync(dot, 'utf8')).toContain('pointer-rcu-publish, lkmm: an execution');
    expect(readFileSync(dot, 'utf8')).toMatch(/W\[release\]p=x/);
  });

  test('is not made where there is nothing to draw', async () => {
    const folder = emptyFolder();
    const { stderr } = await lockless('litmus', corpus('deadlock-self'), '--svg', join(folder, 'x.svg'));
    expect(stderr).toContain('x.svg is not written: there is no execution to draw');
    expect(readdirSync(folder)).toEqual([]);
  });

  test('of several tests, or to where nothing can be written: exit 2, and nothing runs', async () => {
    const several = await lockless('litmus', corpus('sb-mb'), corpus('mp-once'), '--dot', join(emptyFolder(), 'x.dot'));
    expect(several).toEqual({ code: 2, stdout: '', stderr: 'lockless: --dot draws one test; 2 are named\n' });
    const nowhere = await lockless('litmus', corpus('sb-mb'), '--svg', '/nowhere/x.svg');
    expect(nowhere.stderr).toMatch(/^lockless: --svg \/nowhere\/x\.svg: cannot be written/);
    expect({ ...nowhere, stderr: '' }).toEqual({ code: 2, stdout: '', stderr: '' });
  });
});

describe('bad input', () => {
  test('a malformed test: exit 3, with the place; the others still run', async () => {
    const file = join(
      folderOf({ 'bad.litmus': 'C bad\n{}\nP0(int *x)\n{\n\tWRITE_ONCE(*x, 1)\n}\nexists (x=1)\n' }),
      'bad.litmus',
    );
    const { code, stdout, stderr } = await lockless('litmus', file, corpus('sb-mb'));
    expect(stderr).toBe(
      `lockless: ${file}:5:19: expected ";" after the statement, found "}"\n  5 | \tWRITE_ONCE(*x, 1)\n    | \t                 ^\n`,
    );
    expect(stdout).toContain('Observation sb-mb Never 0 3');
    expect(code).toBe(3);
  });

  test('a primitive that nobody knows: exit 3, with the place', async () => {
    const file = join(
      folderOf({ 'bad.litmus': 'C bad\n{}\nP0(int *x)\n{\n\tsmp_memb();\n}\nexists (x=1)\n' }),
      'bad.litmus',
    );
    const { code, stdout, stderr } = await lockless('litmus', file);
    expect(stderr).toMatch(new RegExp(`^lockless: ${file}:5:2: .*smp_memb`));
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
  });

  test.skipIf(process.getuid?.() === 0)('a file that may not be read: exit 3', async () => {
    const folder = folderOf({ 'a.litmus': sb('Never') });
    chmodSync(join(folder, 'a.litmus'), 0);
    const { code, stderr } = await lockless('litmus', join(folder, 'a.litmus'));
    expect({ code, stderr }).toEqual({
      code: 3,
      stderr: `lockless: ${folder}/a.litmus: cannot be read: permission denied\n`,
    });
  });

  test.each<[string, string[], RegExp]>([
    [
      'a path that leads nowhere',
      ['nowhere.litmus'],
      /^lockless: no litmus test "nowhere\.litmus": expected a file or a folder\n$/,
    ],
    [
      'a folder without tests',
      [fileURLToPath(new URL('../src', import.meta.url))],
      /expected files whose names end in \.litmus\n$/,
    ],
    ['nothing', [], /missing required argument 'path'/],
    ['an unknown model', [corpus('sb-mb'), '--model', 'arm'], /'arm' is invalid\. Allowed choices are lkmm, tso, sc/],
    ['too many rounds', [corpus('sb-mb'), '--unroll', '1000'], /expected a whole number from 0 to 64, got "1000"/],
  ])('%s: exit 2', async (_name, args, message) => {
    const { code, stdout, stderr } = await lockless('litmus', ...args);
    expect(stderr).toMatch(message);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });
});
