import { expect, it } from 'vitest';
import * as api from '../src/index.js';
import { runPressure } from './pressure.js';
it('many', () => {
  const bad: string[] = [];
  for (let seed = 100; seed < 130; seed++) for (const cpus of [2, 8]) for (const model of ['sc', 'weak'] as const) {
    const { wrong } = runPressure(api, { cpus, model, seed, runLength: 2 + (seed % 10), truncation: seed % 2 === 0, ...(seed % 3 === 0 ? { inject: { enomem: 0.05 } } : {}), options: { generation: seed % 5 === 0 ? 'tree-lock' : 'freeze-refs' } });
    if (wrong) bad.push(`${cpus} ${model} ${seed}: ${wrong.slice(0, 1500)}`);
  }
  console.log(bad.length, bad.slice(0, 5).join('\n'));
  expect(1).toBe(1);
}, 300000);
