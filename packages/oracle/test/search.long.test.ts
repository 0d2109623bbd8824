// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';
import {
  compareScript,
  formatScript,
  type PageSeen,
  parseScript,
  type Side,
  searchDifference,
  simulatedSide,
} from '../src/index.js';

/** A side that sees something else on some pages. */
const misreading = (side: Side, change: (page: PageSeen) => PageSeen): Side => ({
  name: 'misreading',
  run: (script) => {
    const { observations, broken } = side.run(script);
    const changed = observations.map((seen) => ({
      ...seen,
      processes: seen.processes.map((process) => ({ ...process, pages: process.pages.map(change) })),
    }));
    return { observations: changed, broken };
  },
});

const stepsOf = (text: string): number => text.split('\n').filter((line) => line.startsWith('P')).length;
const search = (simulated: Side, seed: number, count = 300) =>
  searchDifference({ simulated, real: simulatedSide(), count, seed, longest: 12, effort: 100 });

describe('a planted difference is found, and made small', () => {
  it('a kernel that gives a page to a read of untouched memory: two steps', async () => {
    const { found } = await search(simulatedSide({ zeroPageReads: 0 }), 4);
    expect(found && formatScript(found.script)).toMatch(
      /^P\d mmap \d+\+\d+ \w+ private\nP\d (read \d+|contents 0\+32)\n$/,
    );
    expect(found?.difference.fields).toContainEqual({
      where: expect.stringMatching(/^P0 page/),
      field: 'kind',
      simulated: 'anon',
      real: 'zero',
    });
  });

  it('a kernel that copies the entries of file mappings on fork: three steps', async () => {
    const { found } = await search(simulatedSide({ copyFilePtes: 1 }), 6);
    expect(stepsOf(formatScript(found?.script ?? { files: [], steps: [] }))).toBe(3);
    expect(found?.script.steps.at(-1)?.op).toBe('fork');
    expect(found?.difference.fields).toContainEqual(expect.objectContaining({ field: 'kind', real: 'none' }));
  });

  it('a readout that counts one mapping too few where there are two: three or four steps', async () => {
    const wrong = misreading(simulatedSide(), (page) => (page.mapcount === 2 ? { ...page, mapcount: 1 } : page));
    const { found, scripts } = await search(wrong, 7);
    const steps = found?.script.steps ?? [];
    expect(scripts).toBeGreaterThan(0);
    expect(steps.length).toBeLessThanOrEqual(4);
    expect(found?.difference.fields).toContainEqual(
      expect.objectContaining({ field: 'mapcount', simulated: '1', real: '2' }),
    );
  });

  it('the same kernel twice: none, and the search says what it did', async () => {
    const { found, scripts, steps } = await search(simulatedSide(), 1, 20);
    expect(found).toBeNull();
    expect(scripts).toBe(20);
    expect(steps).toBeGreaterThan(100);
  });

  it('a difference that does not come again is shown as it was', async () => {
    let left = 1;
    const once = misreading(simulatedSide(), (page) =>
      page.kind === 'anon' && left-- > 0 ? { ...page, mapcount: 9 } : page,
    );
    const { found } = await search(once, 8, 20);
    expect(found?.difference.fields).toEqual([expect.objectContaining({ field: 'mapcount', simulated: '9' })]);
  });

  it('an interrupt ends the search', async () => {
    const abort = new AbortController();
    const { scripts } = await searchDifference({
      simulated: simulatedSide(),
      real: simulatedSide(),
      count: 1000,
      seed: 1,
      signal: abort.signal,
      onProgress: ({ scripts }) => scripts === 3 && abort.abort(),
    });
    expect(scripts).toBe(3);
  });
});

describe('the comparison', () => {
  const script = parseScript('P0 mmap 0+4 rw private\nP0 write 1\nP0 write 2', 'test');

  it('sees frames that changed places', () => {
    const simulated = simulatedSide();
    const swapped: Side = misreading(simulated, (page) =>
      page.page === 1 || page.page === 2 ? { ...page, frame: 7 } : page,
    );
    const { difference } = compareScript(script, swapped, simulated);
    expect(difference).toMatchObject({ step: 2 });
    expect(difference?.fields).toEqual([{ where: 'P0 page 2', field: 'frame', simulated: 'F1', real: 'F2' }]);
  });

  it('does not care which numbers frames have', () => {
    const simulated = simulatedSide();
    const renumbered = misreading(simulated, (page) => ({ ...page, frame: page.frame + 1000 }));
    expect(compareScript(script, renumbered, simulated).difference).toBeNull();
  });

  it('reports a side that could not go on', () => {
    const broken: Side = { name: 'broken', run: () => ({ observations: [], broken: 'BUG' }) };
    const { difference } = compareScript(script, broken, simulatedSide());
    expect(difference).toEqual({
      step: 0,
      fields: [{ where: 'step', field: 'end', simulated: 'BUG', real: 'went on' }],
    });
  });
});
