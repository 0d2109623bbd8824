// SPDX-License-Identifier: MIT
// Executions per second on programs whose number of executions is known. Build first: npx tsc -b packages/checker
import { benchChecker, renderCheckerBench } from '../dist/bench.js';

const models = process.argv.slice(2);
const rows = benchChecker((line) => console.error(line), models.length > 0 ? { models } : {});
console.log(renderCheckerBench(rows));
