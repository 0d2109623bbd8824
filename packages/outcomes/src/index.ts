// SPDX-License-Identifier: GPL-2.0-only
export { type Calibration, calibrate, calibrationLine } from './calibration.js';
export type { OutcomeKind, OutcomeRow } from './classify.js';
export type { RunOptions } from './crew.js';
export { forbiddenText, kindCounts, outcomeTable, scenarioTable } from './format.js';
export { NotNative } from './litmus-code.js';
export { NativeLitmus, type NativeOptions, type NativeOutcome } from './native-litmus.js';
export {
  guardsOf,
  nativeScenarios,
  runScenario,
  type ScenarioOptions,
  type ScenarioOutcome,
} from './native-scenarios.js';
export type { TableName } from './primitives.js';
