// SPDX-License-Identifier: GPL-2.0-only
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { contentOf, Keys } from '../harness/keys.js';
import type { Subject } from '../harness/subject.js';
import { optional } from './installed.js';
import type { MapOptions } from './map.js';

/** What is used of it. */
interface Lmdb {
  open(options: { path: string; keyEncoding: 'uint32'; noSync: boolean }): {
    get(key: number): number;
    put(key: number, value: number): Promise<boolean>;
    close(): Promise<void>;
  };
}

/** Not a devDependency: its optional dependencies are not in every registry, and `npm ci` wants all of them. `npm install --no-save lmdb`. */
const LMDB: string = 'lmdb';

/** `get` of lmdb, with integers for keys and values: the cheapest read it has. The data base is in memory, as the operating system caches it. */
export async function start({ entries, keys: options }: MapOptions): Promise<Subject> {
  const { open } = await optional(LMDB, () => import(LMDB) as Promise<Lmdb>);
  const folder = mkdtempSync(join(tmpdir(), 'lockless-bench-lmdb-'));
  const database = open({ path: join(folder, 'data'), keyEncoding: 'uint32', noSync: true });
  const writes: Promise<boolean>[] = [];
  for (let index = 0; index < entries; index++) writes.push(database.put(index, contentOf(index)));
  await Promise.all(writes);
  const schedule = new Keys(options);
  const { keys, mask } = schedule;
  return {
    expected: (first, n) => schedule.sum(first, n),
    run(first, n) {
      let sum = 0;
      for (let i = first; i < first + n; i++) sum = (sum + database.get(keys[i & mask])) | 0;
      return sum;
    },
    async close() {
      await database.close();
      rmSync(folder, { recursive: true });
    },
  };
}
