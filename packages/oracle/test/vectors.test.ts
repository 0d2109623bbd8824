// SPDX-License-Identifier: GPL-2.0-only
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { factsOf } from '../src/facts.js';
import { FrameNames } from '../src/frame-names.js';
import {
  kernelHasHugePages,
  kernelSide,
  parseScript,
  reasonAgainstKernel,
  type Script,
  type Side,
  simulatedSide,
} from '../src/index.js';

/** What one field is after a step: `P0 page 0: kind`. */
interface Expected {
  readonly step: number;
  readonly field: string;
  readonly value: string;
}
interface Vector {
  readonly name: string;
  readonly script: Script;
  readonly expected: readonly Expected[];
}

function vectorOf(text: string): Vector {
  const [name, ...lines] = text.trim().split('\n');
  const steps: string[] = [];
  const expected: Expected[] = [];
  for (const line of lines) {
    if (!line.startsWith('=')) {
      steps.push(line);
      continue;
    }
    const [where, fields] = line.slice(2).split(': ');
    const step = steps.filter((each) => each.startsWith('P')).length - 1;
    for (const each of fields.split(', ')) {
      // The one name of two words.
      const [, field, value] = /^(value read|\S+) (.*)$/.exec(each) as RegExpExecArray;
      expected.push({ step, field: `${where}: ${field}`, value });
    }
  }
  return { name, script: parseScript(steps.join('\n'), name), expected };
}

const [, ...texts] = readFileSync(new URL('vectors.txt', import.meta.url), 'utf8').split('vector: ');
const vectors = texts.map(vectorOf);

/** The expected fields as a side has them. */
function seenBy(side: Side, { script, expected }: Vector): Expected[] {
  const { observations, broken } = side.run(script);
  expect(broken).toBeNull();
  const names = new FrameNames();
  const facts = observations.map(
    (seen) => new Map(factsOf(seen, names).map(({ where, field, value }) => [`${where}: ${field}`, value])),
  );
  return expected.map(({ step, field }) => ({ step, field, value: facts[step].get(field) ?? 'absent' }));
}

describe('worked vectors, on mm', () => {
  it.each(vectors)('$name', (vector) => {
    expect(seenBy(simulatedSide(), vector)).toEqual(vector.expected);
  });
});

it('a kernel that is another does not have them', () => {
  const [first] = vectors;
  expect(seenBy(simulatedSide({ zeroPageReads: 0 }), first)).not.toEqual(first.expected);
});

const reason = reasonAgainstKernel();
describe.skipIf(reason !== null)(`on the kernel that runs${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  const here = vectors.filter(({ script }) => script.huge !== true || kernelHasHugePages());
  it.each(here)('$name', (vector) => {
    expect(seenBy(kernelSide(), vector)).toEqual(vector.expected);
  });
});
