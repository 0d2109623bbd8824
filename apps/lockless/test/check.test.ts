// SPDX-License-Identifier: MIT
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CheckResult } from '@lockless/checker';
import { scenarios } from '@lockless/scenarios';
import { describe, expect, test } from 'vitest';
import { main } from '../src/main.js';
import { emptyFolder, type Finished, lockless, never, Screen } from './terminal.js';

const module = (name: string): string => fileURLToPath(new URL(`modules/${name}.mjs`, import.meta.url));
const RACES = module('races');
const PASSING = `${RACES}#message-passing`;
const BROKEN = module('broken');
const [{ name: SCENARIO }] = scenarios;

/** The one JSON document that a command prints, and nothing else. */
function jsonOf({ stdout, stderr }: Finished): unknown {
  expect(stderr).toBe('');
  expect(stdout.indexOf('\n')).toBe(stdout.length - 1);
  return JSON.parse(stdout);
}

describe('check', () => {
  test('a program that holds: exit 0, and of what size', async () => {
    const { code, stdout, stderr } = await lockless('check', PASSING);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(
      /^holds: message-passing, model lkmm\n2 executions: all that the model allows, of 2 threads/,
    );
  });

  test('several programs: a table', async () => {
    const { code, stdout } = await lockless('check', RACES);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^scenario +verdict +executions +blocked +events +seconds\n/);
    expect(stdout).toMatch(/^message-passing +holds +2 +0 +\d+ +\d+\.\d\d$/m);
    expect(stdout).toMatch(/^store-buffering +holds +4 /m);
    expect(stdout).toContain('\n2 holds\n');
  });

  test('a violation: exit 1, the counterexample, and how to repeat it', async () => {
    const { code, stdout } = await lockless('check', BROKEN);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^violated: BUG_ON\(data != 42\) +without-barriers, model lkmm\n/);
    expect(stdout).toMatch(/READ_ONCE\(broken\.data\) = 0 \(initial\) {2}<- does not see step 1/);
    const token = /--replay '([^']+)'/.exec(stdout)?.[1] ?? '';
    const again = await lockless('check', BROKEN, '--replay', token);
    expect(again).toEqual({
      code: 1,
      stdout: stdout.replace(/^BUG in reader, .*$/m, 'BUG in reader, replayed'),
      stderr: '',
    });
  });

  test('models: what LKMM breaks holds under SC and TSO', async () => {
    for (const model of ['sc', 'tso']) expect((await lockless('check', BROKEN, '--model', model)).code).toBe(0);
  });

  test('--without names what forbids the execution with it in place', async () => {
    const { code, stdout } = await lockless('check', PASSING, '--without', 'writer.smp_wmb');
    expect(code).toBe(1);
    expect(stdout).toContain('with writer.smp_wmb in place it is forbidden by happens-before: 1 -wmb-> 2 -rfe-> 3');
  });

  test('--json: an array of results', async () => {
    const finished = await lockless('check', RACES, '--json');
    expect(finished.code).toBe(0);
    expect(jsonOf(finished)).toEqual([
      expect.objectContaining({
        scenario: 'message-passing',
        model: 'lkmm',
        without: [],
        verdict: 'holds',
        bound: null,
        executions: 2,
        blocked: 0,
        seconds: expect.any(Number),
        sites: ['writer.smp_wmb', 'reader.smp_rmb'],
      }),
      expect.objectContaining({ scenario: 'store-buffering', executions: 4 }),
    ]);
  });

  test('--json of a violation', async () => {
    const finished = await lockless('check', BROKEN, '--json');
    expect(finished.code).toBe(1);
    const [{ verdict, violation }] = jsonOf(finished) as CheckResult[];
    expect(verdict).toBe('violated');
    expect(violation).toMatchObject({
      kind: 'BUG',
      at: 'reader',
      message: 'BUG_ON(data != 42)',
      threads: ['writer', 'reader'],
    });
    expect(violation?.trace.at(3)).toMatchObject({
      number: 4,
      thread: 'reader',
      position: 2,
      site: 'reader.READ_ONCE#2',
      text: 'READ_ONCE(broken.data) = 0',
      from: 'initial',
      frames: [{ name: 'reader', location: expect.stringMatching(/^broken\.mjs:\d+$/) }],
    });
  });

  test('what cannot be looked at to the end is bounded: exit 4', async () => {
    const few = await lockless('check', `${RACES}#store-buffering`, '--max-executions', '2');
    expect(few.stdout).toContain('2 executions, then stopped: 2 executions, as many as were asked for');
    expect(few.code).toBe(4);
    const endless = await lockless('check', module('endless'));
    expect(endless.stdout).toMatch(
      /^bounded: endless.*\n0 executions, then stopped: .* a thread of more than 10,000 events/,
    );
    expect(endless.code).toBe(4);
  });

  test('--checkpoint and --resume: in pieces, with the same result', async () => {
    const file = join(emptyFolder(), 'check.json');
    const PIECES = `${RACES}#store-buffering`;
    for (let i = 1; i <= 3; i++) {
      const goOn = i > 1 ? ['--resume'] : [];
      const { code } = await lockless('check', PIECES, '--checkpoint', file, '--max-executions', String(i), ...goOn);
      expect({ code, left: existsSync(file) }).toEqual({ code: 4, left: true });
    }
    const other = await lockless('check', PASSING, '--checkpoint', file, '--resume');
    expect(other.stderr).toContain(
      'this is a checkpoint of store-buffering under lkmm, not of message-passing under lkmm',
    );
    expect(other.code).toBe(3);
    const { code, stdout } = await lockless('check', PIECES, '--checkpoint', file, '--resume');
    expect(stdout).toContain('4 executions: all that the model allows');
    expect({ code, left: existsSync(file) }).toEqual({ code: 0, left: false });
  });

  test('--dot and --svg draw the execution that goes wrong', async () => {
    const folder = emptyFolder();
    const [dot, svg] = [join(folder, 'x.dot'), join(folder, 'x.svg')];
    expect((await lockless('check', BROKEN, '--dot', dot, '--svg', svg)).code).toBe(1);
    expect(readFileSync(dot, 'utf8')).toMatch(/^digraph/);
    expect(readFileSync(dot, 'utf8')).toContain('broken.data');
    expect(readFileSync(svg, 'utf8')).toMatch(/^<svg/);
    rmSync(dot);
    const { code, stderr } = await lockless('check', PASSING, '--dot', dot);
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: `lockless: ${dot} is not written: there is no violating execution to draw\n`,
    });
    expect(readdirSync(folder)).toEqual(['x.svg']);
  });

  test('a scenario of the catalogue', async () => {
    const { code, stdout } = await lockless('check', SCENARIO);
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`^holds: ${SCENARIO}, model lkmm\n`));
  });

  test('--list names the catalogue', async () => {
    const { code, stdout } = await lockless('check', '--list');
    expect(code).toBe(0);
    for (const { name, summary } of scenarios) {
      expect(stdout).toMatch(new RegExp(`^${name} `, 'm'));
      expect(stdout).toContain(summary);
    }
    const rows = jsonOf(await lockless('check', '--list', '--json')) as { name: string }[];
    expect(rows.map(({ name }) => name)).toEqual(scenarios.map(({ name }) => name));
  });

  test('Ctrl-C: what is known so far, exit 130', async () => {
    const [stdout, stderr] = [new Screen(), new Screen(true)];
    const interrupt = (listener: () => void): (() => void) => {
      listener();
      return () => {};
    };
    expect(await main(['check', PASSING, `${RACES}#store-buffering`], { stdout, stderr, onInterrupt: interrupt })).toBe(
      130,
    );
    expect(stdout.text).not.toContain('holds ');
  });

  test('progress goes to a terminal only', async () => {
    const [stdout, stderr] = [new Screen(), new Screen(true)];
    await main(['check', module('endless')], { stdout, stderr, onInterrupt: never });
    expect(stdout.text).not.toContain('executions of about');
  });
});

describe('barriers', () => {
  test('which carry the proof, each with its counterexample', async () => {
    const { code, stdout } = await lockless('barriers', PASSING);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^with everything in place, holds: message-passing, model lkmm\n/);
    expect(stdout).toMatch(
      /^writer\.smp_wmb +carries the proof: BUG in reader \(after \d+\) +races\.mjs:\d+ +nothing$/m,
    );
    expect(stdout).toMatch(/^reader\.smp_rmb +carries the proof/m);
    expect(stdout).toContain('2 of 2 carry the proof');
    expect(stdout.match(/^violated: /gm)?.length).toBe(2);
  });

  test('none is needed under SC', async () => {
    const { code, stdout } = await lockless('barriers', `${RACES}#store-buffering`, '--model', 'sc');
    expect(code).toBe(0);
    expect(stdout).toContain('no ordering site and no guard takes part');
  });

  test('--json', async () => {
    const finished = await lockless('barriers', PASSING, '--json');
    expect(finished.code).toBe(0);
    expect(jsonOf(finished)).toEqual([
      {
        name: 'writer.smp_wmb',
        type: 'ordering',
        primitive: 'smp_wmb',
        location: expect.stringMatching(/^races\.mjs:/),
        weaker: 'nothing',
        result: expect.objectContaining({ verdict: 'violated', without: ['writer.smp_wmb'] }),
      },
      expect.objectContaining({ name: 'reader.smp_rmb' }),
    ]);
  });

  test('a program that is violated anyway: exit 1', async () => {
    const { code, stdout } = await lockless('barriers', BROKEN);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^with everything in place, violated: BUG_ON/);
  });

  test('a bound: exit 4', async () => {
    const { code, stdout } = await lockless('barriers', PASSING, '--max-executions', '1');
    expect(code).toBe(4);
    expect(stdout).toContain('with everything in place, bounded');
  });
});

describe('bad input: exit 3, what there is, no output', () => {
  test.each<[string[], string]>([
    [['check', 'no-such-thing'], 'no scenario "no-such-thing": lockless check --list names them'],
    [['check', `${SCENARIO.slice(0, -1)}`], `did you mean ${SCENARIO}`],
    [['barriers', 'no-such-thing'], 'no scenario "no-such-thing"'],
    [['check', './no-such.mjs'], './no-such.mjs: no such file'],
    [['check', module('no-program')], 'expected an exported program, { name, setup, threads }; it exports answer'],
    [['check', module('no-threads')], 'a program has threads; no-threads has none'],
    [['check', module('setup-throws')], 'setup of setup-throws: BUG_ON(no memory)'],
    [['check', module('throws')], 'cannot be loaded: Error: this module\n'],
    [['check', `${RACES}#nothing`], 'exports no program "nothing": there is message-passing, store-buffering'],
    [['check', PASSING, '--without', 'writer'], "'writer' is neither a guard nor an ordering site"],
    [['check', PASSING, '--without', 'writer.smp_wm'], "(primitives like 'smp_wm': smp_wmb"],
    [['check', PASSING, '--without', 'writr.smp_wmb'], "did you mean 'writer.smp_wmb'?"],
    [['check', PASSING, '--without', 'writer.WRITE_ONCE'], "'writer.WRITE_ONCE' cannot be left out"],
    [
      ['check', PASSING, '--without', 'findGetPage.slotRecheck'],
      "no execution of the program comes to the guard 'findGetPage.slotRecheck'",
    ],
    [['check', BROKEN, '--replay', 'nonsense'], "'nonsense' is no replay token"],
    [
      ['check', BROKEN, '--replay', '1/reader@reader.smp_mb'],
      'the replay token does not fit the program, at part 1 of 1: reader ends',
    ],
    [
      ['check', PASSING, '--replay', '1/writer@writer.WRITE_ONCE#2'],
      'the execution that the replay token names is right',
    ],
  ])('%j', async (args, message) => {
    const { code, stdout, stderr } = await lockless(...args);
    expect(stderr).toContain(message);
    expect(stderr).not.toContain('    at ');
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
  });
});

describe('wrong usage: exit 2', () => {
  test.each<[string[], string]>([
    [['check', '--without', 'x.smp_mb'], '--without needs the scenario that it is meant for'],
    [['check', '--replay', '1/'], '--replay needs the scenario that it is meant for'],
    [['check', RACES, '--replay', '1/'], '--replay repeats one scenario; 2 are named'],
    [['check', SCENARIO, '--model', 'arm'], 'Allowed choices are lkmm, tso, sc'],
    [['check', SCENARIO, '--max-executions', '0'], 'expected a whole number from 1 to'],
    [['check', RACES, '--dot', '/tmp/x.dot'], '--dot draws one execution; 2 programs are named'],
    [['check', BROKEN, '--svg', '/nonexistent/x.svg'], '--svg /nonexistent/x.svg: cannot be written'],
    [['check', BROKEN, '--resume'], '--resume needs --checkpoint, the file to go on from'],
    [['check', RACES, '--checkpoint', '/tmp/x.json'], '--checkpoint is of one program; 2 are named'],
    [['check', SCENARIO, '--jobs', '0'], 'expected a whole number from 1 to 256'],
    [
      ['check', SCENARIO, '--jobs', '2', '--max-executions', '5'],
      '--max-executions goes from one execution to the next, which --jobs does not',
    ],
    [['barriers'], "missing required argument 'scenario'"],
    [['barriers', RACES], 'exports 2 programs: name one, as in'],
  ])('%j', async (args, message) => {
    const { code, stdout, stderr } = await lockless(...args);
    expect(stderr).toContain(message);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });
});
