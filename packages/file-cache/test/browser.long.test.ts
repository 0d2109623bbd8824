// SPDX-License-Identifier: GPL-2.0-only
import { existsSync, readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { patterned } from './browser/pattern.js';
import { bundleForBrowser, serve } from './browser/serve.js';

const CHROMIUM = process.env.LOCKLESS_CHROMIUM ?? '/usr/bin/chromium';
const missing = existsSync(CHROMIUM) ? '' : ` (skipped: there is no ${CHROMIUM}; on Debian, apt-get install chromium)`;
if (missing) console.warn(`file-cache: the browser tests do not run${missing}`);

/** What takes longer, or shows little more. */
const long = process.env.LOCKLESS_LONG !== undefined;
const PAGE = 4096;
/** The program of README's part on browsers. */
const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const part = readme.slice(readme.indexOf('## In a browser'));
const [, program, output] = /```ts\n([\s\S]*?)```\s*```text\n([\s\S]*?)```/.exec(part) as RegExpExecArray;
const code = (expected: string): object => ({ error: expect.objectContaining({ code: expected }) });

describe.skipIf(missing !== '')(`in a browser${missing}`, () => {
  let browser: Browser;
  let server: Server;
  let url: string;
  let page: Page;
  const troubles: string[] = [];

  beforeAll(async () => {
    const bundles = [
      bundleForBrowser('page.js'),
      bundleForBrowser('worker.js'),
      bundleForBrowser('readme.ts', program),
    ];
    const [script, worker, tiles] = (await Promise.all(bundles)).map((bundle) => bundle.code);
    ({ url, server } = await serve({ 'page.js': script, 'worker.js': worker, 'readme.js': tiles }));
    const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'];
    browser = await chromium.launch({ executablePath: CHROMIUM, args: flags });
  });
  afterAll(async () => {
    await browser?.close();
    server?.close();
  });

  async function visit(path: string): Promise<void> {
    page = await (await browser.newContext()).newPage();
    page.on('console', (message) => troubles.push(`console: ${message.text()}`));
    page.on('pageerror', (error) => troubles.push(`error: ${error.stack}`));
    await page.goto(`${url}/${path}`);
  }
  beforeEach(() => {
    troubles.length = 0;
  });
  afterEach(async () => {
    expect(troubles).toEqual([]);
    await page.context().close();
  });

  const evaluate = async (call: string, ...args: unknown[]): Promise<unknown> =>
    await page.evaluate(`lab.${call}(${args.map((arg) => JSON.stringify(arg)).join()})`);

  const all = (job: string, ...args: unknown[]): Promise<unknown> => evaluate('all', job, ...args);
  const tell = (worker: number, job: string, ...args: unknown[]): Promise<unknown> =>
    evaluate('tell', worker, job, ...args);
  const results = (...expected: readonly unknown[]): object[] => expected.map((result) => ({ result }));

  it('workers share one cache of blobs: each page is read once, and is there once; the window waits for nothing', async () => {
    await visit('isolated/page.html');
    const size = 100 * PAGE + 100;
    const joined = { isolated: true, threads: expect.any(Number) };
    expect(await evaluate('begin', { workers: 3, blobs: [5, size] })).toEqual(results(joined, joined, joined));
    expect(await all('open', 'blob 1')).toEqual(results(size, size, size));
    expect(await evaluate('open', 'blob 1')).toEqual({ result: size });
    expect(await evaluate('blocking', 'blob 1')).toEqual([
      code('ERR_FILE_CACHE_MAY_NOT_BLOCK'),
      code('ERR_FILE_CACHE_MAY_NOT_BLOCK'),
      code('ERR_FILE_CACHE_MAY_NOT_BLOCK'),
    ]);
    const reading = page.evaluate(
      `lab.longestTurn(() => Promise.all([lab.all('read', 'blob 1', 0, ${size}), lab.read('blob 1', 0, ${size})]))`,
    );
    const { result, longest } = (await reading) as { result: unknown; longest: number };
    expect(result).toEqual([results('right', 'right', 'right'), { result: [size, -1] }]);
    expect(longest).toBeLessThan(500);
    expect(await all('read', 'blob 1', 1234, 300_000, { sync: true })).toEqual(results('right', 'right', 'right'));
    expect(await tell(1, 'view', 'blob 1', 4000, 9000)).toEqual({ result: [9000, -1, true] });
    expect(await tell(2, 'openSync', 'blob 0')).toEqual({ result: 5 });
    expect(await tell(2, 'open', 'blob 1', 'r+')).toEqual(code('EROFS'));
    expect(await tell(2, 'open', 'blob 2')).toEqual(code('ENOENT'));
    expect(await evaluate('cache.verify')).toMatchObject({ problems: [], pins: 0, cached: 101 });
    expect(await evaluate('cache.statistics')).toMatchObject({ nr_file_pages: 101, threads: 4, files: 2 });
    const bytes = (await all('bytesRead')) as { result: number }[];
    expect(bytes.reduce((sum, { result }) => sum + result, (await evaluate('bytesRead')) as number)).toBe(size);
  });

  it('files of the origin private file system: what one writes the others read; fsync, truncation, and again', async () => {
    await visit('isolated/page.html');
    await evaluate('begin', { workers: 3, opfs: true });
    const size = 50 * PAGE + 7;
    expect(await tell(0, 'open', 'data', 'r+')).toEqual(code('ENOENT'));
    expect(await tell(0, 'open', 'no/data', 'w')).toEqual(code('ENOENT'));
    expect(await tell(0, 'open', 'data', 'wx+')).toEqual({ result: 0 });
    expect(await tell(1, 'open', 'data', 'wx')).toEqual(code('EEXIST'));
    expect(await tell(0, 'write', 'data', 0, size)).toEqual({ result: size });
    // Nobody has written to the storage yet: the others see what is in the cache.
    expect(await tell(1, 'open', 'data', 'r+')).toEqual({ result: size });
    expect(await tell(2, 'open', '/data')).toEqual({ result: size });
    expect(await evaluate('open', 'data')).toEqual({ result: size });
    expect(await tell(1, 'read', 'data', 0, size)).toEqual({ result: 'right' });
    expect(await evaluate('read', 'data', 100, 100_000)).toEqual({ result: [100_000, -1] });
    expect(await tell(0, 'fsync', 'data')).toEqual({});
    expect(await tell(2, 'stored', 'data')).toEqual({ result: [size, -1] });
    // Another thread writes, blocking, and reads where the cache has not been.
    expect(await tell(1, 'write', 'data', PAGE - 10, 20, { seed: 9, sync: true })).toEqual({ result: 20 });
    expect(await tell(2, 'read', '/data', PAGE - 10, PAGE + 10, { seed: 9 })).toEqual({ result: 'right' });
    expect(await tell(1, 'fsync', 'data', true)).toEqual({});
    expect(await tell(0, 'truncate', 'data', 2 * PAGE + 5)).toEqual({});
    expect(await tell(2, 'size', '/data')).toEqual({ result: 2 * PAGE + 5 });
    expect(await tell(2, 'bytes', '/data', 2 * PAGE, 100)).toEqual({ result: [...patterned(5, 1, 2 * PAGE)] });
    expect(await evaluate('open', 'data', 'r+')).toEqual(code('ENOTSUP'));
    await Promise.all([tell(0, 'close', 'data'), tell(1, 'close', 'data'), tell(2, 'close', '/data')]);
    expect(await tell(1, 'open', 'data')).toEqual({ result: 2 * PAGE + 5 });
    expect(await evaluate('cache.reclaim', 1 << 20)).toBeGreaterThan(0);
    expect(await tell(1, 'read', 'data', PAGE + 10, 2 * PAGE + 5)).toEqual({ result: 'right' });
    expect(await evaluate('cache.verify')).toMatchObject({ problems: [], pins: 0, dirty: 0 });
    expect(await all('closeCache')).toEqual([{}, {}, {}]);
  });

  it.runIf(long)('where access handles are exclusive one thread writes, and others read', async () => {
    await visit('isolated/page.html');
    await evaluate('begin', { workers: 2, opfs: true, without: ['mode'] });
    expect(await tell(0, 'open', 'one', 'w+')).toEqual({ result: 0 });
    expect(await tell(0, 'write', 'one', 0, 30_000)).toEqual({ result: 30_000 });
    expect(await tell(1, 'open', 'one', 'r+')).toEqual(code('EBUSY'));
    expect(await tell(1, 'open', 'one')).toEqual({ result: 30_000 });
    expect(await tell(1, 'read', 'one', 0, 30_000)).toEqual({ result: 'right' });
    expect(await tell(0, 'fsync', 'one')).toEqual({});
    await evaluate('cache.reclaim', 1 << 20);
    expect(await tell(1, 'read', 'one', 0, 30_000)).toEqual({ result: 'right' });
    expect(await tell(1, 'read', 'one', 0, 10, { sync: true, piece: 10 })).toEqual({ result: 'right' });
    expect(await tell(0, 'close', 'one')).toEqual({});
    expect(await tell(1, 'open', 'one', 'r+')).toEqual({ result: 30_000 });
  });

  it.each([[[]], [['waitAsync']]].slice(long ? 0 : 1))(
    'this window waits for a page that a worker is reading, without %j',
    async (without) => {
      await visit('isolated/page.html');
      await evaluate('begin', { workers: 1, blobs: [30_000], without });
      await all('open', 'blob 0');
      await evaluate('open', 'blob 0');
      await tell(0, 'holdReads');
      await tell(0, 'begins', 'blob 0', 0);
      const reading = evaluate('read', 'blob 0', 0, 100);
      expect(await Promise.race([reading, page.waitForTimeout(100).then(() => 'waits')])).toBe('waits');
      await tell(0, 'releaseReads');
      expect(await reading).toEqual({ result: [100, -1] });
      expect(await evaluate('bytesRead')).toBe(0);
      expect(await page.evaluate('typeof Atomics.waitAsync')).toBe(without.length === 0 ? 'function' : 'undefined');
    },
  );

  it.each([[[]], [['locks']]].slice(0, long ? 2 : 1))(
    'a worker that is terminated is cleared away, wherever it was, without %j; the others go on',
    async (without) => {
      await visit('isolated/page.html');
      const size = 300 * PAGE;
      const told = without.length === 0;
      await evaluate('begin', { workers: 3, blobs: [size], without });
      await all('open', 'blob 0');
      await evaluate('open', 'blob 0');
      // One holds a page in a view and is reading another; one never turns its event loop.
      expect(await tell(0, 'holdPage', 'blob 0', 7)).toEqual({ result: 1 });
      await tell(0, 'holdReads');
      await tell(0, 'begins', 'blob 0', 200 * PAGE);
      if (told) await tell(1, 'busy', 'blob 0', 0, 100 * PAGE);
      const waiting = evaluate('read', 'blob 0', 200 * PAGE, 100);
      const others = tell(2, 'read', 'blob 0', 0, size, { sync: true });
      // Until they have hold of each other's locks.
      await page.waitForTimeout(600);
      await evaluate('terminate', 0);
      if (told) await evaluate('terminate', 1);
      else {
        // A worker that turns its event loop ends at once; a busy one may go on for two seconds.
        await page.waitForTimeout(300);
        expect(await evaluate('cache.statistics')).toMatchObject({ threads: 4 });
        await evaluate('threadDied', 'worker 0');
      }
      await evaluate('untilThreads', told ? 2 : 3);
      expect(await waiting).toEqual({ result: [100, -1] });
      expect(await others).toEqual({ result: 'right' });
      expect(await evaluate('cache.verify')).toMatchObject({ problems: [], pins: 0 });
    },
  );

  it("README's program prints what it says", async () => {
    await visit('isolated/readme.html');
    const lines = output.trimEnd().split('\n');
    await expect.poll(() => troubles.length, { timeout: 10_000 }).toBe(lines.length);
    expect(troubles.splice(0)).toEqual(lines.map((line) => `console: ${line}`));
  });

  it.runIf(long)('a shared map counts what this window and two workers count', async () => {
    await visit('isolated/page.html');
    expect(await evaluate('count', 2, 500)).toEqual([results('one', 'one'), 1500]);
  });

  it('a page that is not cross-origin isolated is told what it lacks', async () => {
    await visit('plain/page.html');
    const lacks = {
      error: {
        name: 'NativeError',
        code: 'ERR_NOT_SHARED',
        message: expect.stringContaining('Cross-Origin-Embedder-Policy: require-corp'),
      },
    };
    expect(await evaluate('machine')).toEqual(lacks);
    expect(await evaluate('createCache')).toEqual(lacks);
    expect(await evaluate('createMap')).toEqual(lacks);
    expect(await evaluate('attachCache')).toEqual(code('ERR_FILE_CACHE_NOT_SHARED'));
  });
});
