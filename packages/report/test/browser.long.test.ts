// SPDX-License-Identifier: MIT
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunResult, renderHtml } from '../src/index.js';
import { sampleRun } from './sample.js';
import { hostile, largeRun, violatedRun } from './unusual-runs.js';

const CHROMIUM = process.env.LOCKLESS_CHROMIUM ?? '/usr/bin/chromium';
const missing = existsSync(CHROMIUM) ? '' : ` (skipped: there is no ${CHROMIUM}; on Debian, apt-get install chromium)`;
if (missing) console.warn(`report: the browser tests do not run${missing}`);

describe.skipIf(missing !== '')(`the page in a browser${missing}`, () => {
  let browser: Browser;
  const folder = mkdtempSync(join(tmpdir(), 'lockless-report-'));

  beforeAll(async () => {
    const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'];
    browser = await chromium.launch({ executablePath: CHROMIUM, args: flags });
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** The page of a run, drawn. `troubles` gets whatever the console says and every request for anything but the file. */
  async function open(run: RunResult, colorScheme: 'light' | 'dark' = 'light') {
    const file = join(folder, `${Math.random().toString(36).slice(2)}.html`);
    writeFileSync(file, renderHtml(run));
    const url = pathToFileURL(file).href;
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, colorScheme });
    const troubles: string[] = [];
    page.on('console', (message) => troubles.push(`console: ${message.text()}`));
    page.on('pageerror', (error) => troubles.push(`error: ${error.message}`));
    page.on('dialog', (dialog) => troubles.push(`dialog: ${dialog.message()}`));
    page.on('request', (request) => {
      if (request.url() !== url) troubles.push(`request: ${request.url()}`);
    });
    await page.addInitScript({ path: fileURLToPath(new URL('in-page.js', import.meta.url)) });
    await page.goto(url);
    await page.locator('body[data-ready]').waitFor({ timeout: 45_000 });
    await page.evaluate('inPage.painted()');
    return { page, troubles };
  }

  const pixels = (page: Page) => page.evaluate<Record<string, number>[]>('inPage.pixels()');

  const rows = (page: Page, section: string): Promise<string[][]> =>
    page
      .locator(`#${section} tbody tr`)
      .evaluateAll((all) => all.map((row) => [...row.children].map((cell) => cell.textContent ?? '')));

  it('draws every chart in its colours, says nothing on the console and asks for nothing', async () => {
    const { page, troubles } = await open(sampleRun());
    const titles = await page.locator('figcaption').allTextContents();
    expect(titles).toHaveLength(11);
    const drawn = await pixels(page);
    expect(drawn).toHaveLength(titles.length);
    // A line across a canvas covers some hundred pixels; gridlines and text have other colours.
    for (const [i, counts] of drawn.entries()) expect(counts['--series-1'], titles[i]).toBeGreaterThan(100);
    expect(drawn[0]['--series-2']).toBeGreaterThan(100);
    for (const counts of drawn.slice(4, 10)) expect(counts.band).toBeGreaterThan(200);
    for (let n = 1; n <= 8; n++) expect(drawn[10][`--series-${n}`]).toBeGreaterThan(500);
    expect(troubles).toEqual([]);
    await page.close();
  });

  it('has the numbers of the run in legends and tables', async () => {
    const run = sampleRun();
    const { page } = await open(run);
    const legend = await page.locator('figure').first().locator('.u-legend').textContent();
    const last = run.timeline.fileCache.at(-1)!.toLocaleString('en-US');
    expect(legend?.replaceAll(/\s/g, '')).toContain(`pagecache${last}anonymous`);
    expect(await page.locator('canvas').first().getAttribute('aria-label')).toContain(`page cache: `);

    const processes = await rows(page, 'processes');
    expect(processes).toHaveLength(run.processes.length);
    expect(processes[2].slice(0, 7)).toEqual(['cc1 28000', '5,210 / 5,213', '388', '34', '0', '5,632 / 5,635', '31']);
    // Differences of gcc 27983: file, all, file peak; of cc1, as and ld: one kind, all, at exit, peak.
    expect(await page.locator('#processes td.differs').count()).toBe(3 + 3 * 4);
    expect(await rows(page, 'files')).toHaveLength(26);
    expect(await rows(page, 'differences')).toHaveLength(run.comparison.differences.length);
    expect(await rows(page, 'counters')).toContainEqual(['speculative retries', '27']);
    expect(await page.locator('.card').count()).toBe(run.comparison.measures.length);
    expect(await page.locator('.card', { hasText: 'page cache' }).locator('b').textContent()).toBe('98.6 %');
    await page.close();
  });

  it('sorts a table by a click and by the keyboard, and unfolds a long one', async () => {
    const run = largeRun();
    const { page, troubles } = await open(run);
    expect(await rows(page, 'files')).toHaveLength(25);
    await page.locator('#files .more').click();
    const column = async (i: number): Promise<number[]> =>
      (await rows(page, 'files')).map((row) => Number(row[i].replaceAll(',', '').split(' ')[0]));
    const sorted = (numbers: number[], direction: 1 | -1): number[] => [...numbers].sort((a, b) => direction * (a - b));
    const hits = page.locator('#files th', { hasText: 'hits' });
    await hits.locator('button').click();
    expect(await hits.getAttribute('aria-sort')).toBe('descending');
    const down = await column(5);
    expect(down).toHaveLength(26 * 34);
    expect(down).toEqual(sorted(down, -1));
    await page.keyboard.press('Enter');
    expect(await hits.getAttribute('aria-sort')).toBe('ascending');
    expect(await column(5)).toEqual(sorted(down, 1));
    await page.locator('#files th button', { hasText: 'file' }).focus();
    await page.keyboard.press('Space');
    expect(await hits.getAttribute('aria-sort')).toBeNull();
    expect((await rows(page, 'files'))[0][0]).toMatch(/^\.\d/);
    expect(troubles).toEqual([]);
    await page.close();
  });

  it('zooms all charts over operations together, and tells what ran under the pointer', async () => {
    const { page } = await open(sampleRun());
    const before = await pixels(page);
    const area = (await page.locator('.u-over').first().boundingBox())!;
    await page.mouse.move(area.x + 50, area.y + 50);
    await page.mouse.down();
    await page.mouse.move(area.x + 150, area.y + 60, { steps: 5 });
    await page.mouse.up();
    await expect.poll(async () => (await pixels(page))[1]['--series-1']).not.toBe(before[1]['--series-1']);
    const lanes = page.locator('.wide .u-over');
    await lanes.scrollIntoViewIfNeeded();
    const { slices } = sampleRun().timeline.cpus[0];
    const end = Math.max(...sampleRun().timeline.cpus.flatMap((cpu) => cpu.slices.map(({ to }) => to)));
    const { from, to, task } = slices[100];
    const box = (await lanes.boundingBox())!;
    await page.mouse.move(box.x + (box.width * (from + to)) / 2 / end, box.y + box.height / 14);
    await expect.poll(() => page.locator('.readout').textContent()).toMatch(`CPU 0: ${task} from `);
    await page.close();
  });

  it('is dark where the reader wants it dark, also when that changes', async () => {
    const { page, troubles } = await open(sampleRun(), 'dark');
    const paper = (): Promise<string> => page.evaluate<string>('inPage.paper()');
    expect(await paper()).toBe('rgb(19, 23, 29)');
    expect((await pixels(page))[0]['--series-1']).toBeGreaterThan(100);
    await page.emulateMedia({ colorScheme: 'light' });
    expect(await paper()).toBe('rgb(255, 255, 255)');
    await expect.poll(async () => (await pixels(page))[0]['--series-1'] ?? 0).toBeGreaterThan(100);
    expect(troubles).toEqual([]);
    await page.close();
  });

  it('shows a violation first, with the stack that broke the rule', async () => {
    const { page } = await open(violatedRun());
    const first = page.locator('main > section').first();
    expect(await first.locator('h2').textContent()).toBe('Violated: use-after-free');
    expect(await first.locator('.stack').first().getAttribute('class')).toContain('guilty');
    expect(await first.locator('.guilty li').allTextContents()).toEqual(violatedRun().violation!.stacks[1].frames);
    expect((await first.boundingBox())!.y).toBeLessThan(400);
    await page.close();
  });

  it('shows markup in names as text, and fits a telephone', async () => {
    const text = '</script><img src=x onerror="globalThis.owned=1"><a href="https://example.org/">';
    const { page, troubles } = await open(hostile(text));
    expect(await page.evaluate(() => (globalThis as { owned?: number }).owned)).toBeUndefined();
    expect(await page.locator('img, a[href*="example.org"]').count()).toBe(0);
    expect((await rows(page, 'processes'))[0][0]).toContain(text);
    expect(await page.locator('figcaption').allTextContents()).toContain(`Resident pages of ${text}`);
    await page.setViewportSize({ width: 390, height: 800 });
    await expect.poll(() => page.evaluate<number>('inPage.width()')).toBeLessThanOrEqual(390);
    expect(troubles).toEqual([]);
    await page.close();
  });

  it('has an empty run, too', async () => {
    const run = sampleRun();
    const none: number[] = [];
    const { page, troubles } = await open({
      ...run,
      processes: [],
      files: [],
      invariants: [],
      comparison: { measures: [], differences: [] },
      timeline: {
        time: none,
        operations: none,
        free: none,
        fileCache: none,
        anonymous: none,
        dirty: none,
        writeback: none,
        gracePeriods: none,
        faults: none,
        spaces: [],
        cpus: [],
      },
    });
    expect(await page.locator('h2').allTextContents()).toEqual(['Counters']);
    expect(troubles).toEqual([]);
    await page.close();
  });
});
