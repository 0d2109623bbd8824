// SPDX-License-Identifier: MIT
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type RunResult, renderHtml } from '../src/index.js';
import type { PageData } from '../src/page-data.js';
import { sampleRun } from './sample.js';
import { hostile, largeRun, violatedRun } from './unusual-runs.js';

const scriptsOf = (html: string): string[] =>
  [...html.matchAll(/<script>([\s\S]*?)<\/script>/g)].map((match) => match[1]);
const dataOf = (run: RunResult): PageData => {
  const [, json] = /<script type="application\/json" id="data">([\s\S]*?)<\/script>/.exec(renderHtml(run))!;
  return JSON.parse(json) as PageData;
};

describe('the page', () => {
  it('lets no data end an element or begin one', () => {
    const html = renderHtml(hostile('</script></title><img src=x onerror="globalThis.owned=1"><!--'));
    expect(html).not.toContain('<img');
    expect(html).not.toContain('<!--');
    // As many elements as in a harmless page, and the data reads back as it was.
    const tags = (text: string): number => text.match(/<\/?(script|title|style|body|html|main)\b/g)!.length;
    expect(tags(html)).toBe(tags(renderHtml(sampleRun())));
    const text = '</script><b>';
    expect(dataOf(hostile(text)).tables.find(({ id }) => id === 'files')!.rows[0][0]).toBe(text);
  });

  it('allows its own scripts and styles, by hash, and no request', () => {
    const html = renderHtml(sampleRun());
    const policy = /Content-Security-Policy" content="([^"]*)"/.exec(html)![1];
    const allowed = (kind: string): string[] => new RegExp(`${kind}-src ([^;]*)`).exec(policy)![1].split(' ');
    const hash = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
    expect(policy).toContain("default-src 'none'");
    expect(allowed('script')).toEqual(scriptsOf(html).map(hash));
    expect(allowed('style')).toEqual([hash(/<style>([\s\S]*?)<\/style>/.exec(html)![1])]);
    expect(html).not.toMatch(/<(?:script|link|img|iframe)[^>]+(?:src|href)="(?!data:)/);
    expect(html).not.toMatch(/\sstyle="|\son\w+="/);
  });

  it('is light: a run of ordinary length under 200 kB, a very long one under 1.5 MB', () => {
    expect(Buffer.byteLength(renderHtml(sampleRun()))).toBeLessThan(200_000);
    expect(Buffer.byteLength(renderHtml(largeRun()))).toBeLessThan(1_500_000);
  });

  it('gives the slices of each CPU back as they were', () => {
    const run = sampleRun();
    const { tasks, cpus } = dataOf(run).lanes;
    const unfolded = cpus.map(({ cpu, task, gap, length }) => {
      let at = 0;
      const slices = task.map((index, i) => {
        const from = at + gap[i];
        at = from + length[i];
        return { from, to: at, task: tasks[index] };
      });
      return { cpu, slices };
    });
    expect(unfolded).toEqual(run.timeline.cpus);
  });

  it('has a chart for the largest address spaces only', () => {
    const run = sampleRun();
    const spaces = Array.from({ length: 40 }, (_, space) => ({
      space,
      label: `space ${space}`,
      simulated: run.timeline.operations.map(() => space),
      real: run.timeline.operations.map(() => null),
    }));
    const { charts } = dataOf({ ...run, timeline: { ...run.timeline, spaces } });
    const titles = charts.map(({ title }) => title).filter((title) => title.startsWith('Resident'));
    expect(titles).toEqual(Array.from({ length: 12 }, (_, i) => `Resident pages of space ${i + 28}`));
  });

  it('puts the violated CPU first', () => {
    const { violation } = dataOf(violatedRun());
    expect(violation!.stacks[0]).toMatchObject({ title: 'CPU 1 · cc1/28000', guilty: true });
    expect(violation!.stacks.filter(({ guilty }) => guilty)).toHaveLength(1);
    expect(violation!.stacks).toHaveLength(violatedRun().violation!.stacks.length);
  });
});
