// SPDX-License-Identifier: GPL-2.0-only
export { formatNativeResults } from './format.js';
export {
  NATIVE_EXPERIMENTS,
  type NativeBenchOptions,
  type NativeBenchProgress,
  runNativeBench,
} from './native-bench.js';
export type { MachineDescription, NativeFigure, NativeResults, Skipped } from './results.js';
